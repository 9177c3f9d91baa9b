"""Pipelines, searches, meta-estimators and parallel workers of scikit-learn."""

import numpy as np
import pytest
import sklearn
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV, cross_val_score, learning_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.optimizers import Momentum, Nesterov
from sksgd.penalties import ElasticNet

PARAMS = {"max_iter": 5, "tol": None, "random_state": 0}


@pytest.mark.parametrize(
    "grid",
    [
        {"optimizer__momentum": [0.1, 0.5], "learning_rate__eta0": [0.001, 0.02]},
        {"penalty": [None, "l1", ElasticNet(0.5)], "alpha": [0.01, 10.0]},
        {"optimizer": [Momentum(0.5), Nesterov(0.5), "adagrad"]},
    ],
)
def test_grid_search(grid):
    model = LinearRegressor(optimizer="momentum", learning_rate="constant", **PARAMS)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, Y)
    # By hand: each candidate on each half.
    halves = [(np.arange(30, 60), np.arange(30)), (np.arange(30), np.arange(30, 60))]
    for params, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        candidate = clone(model).set_params(**params)
        expected = [clone(candidate).fit(X[a], Y[a]).score(X[b], Y[b]) for a, b in halves]
        assert score == pytest.approx(np.mean(expected), rel=1e-12)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert_same(search.best_estimator_, clone(model).set_params(**search.best_params_).fit(X, Y))


def test_grid_search_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), LogisticClassifier(optimizer="adagrad", **PARAMS))
    grid = {
        "logisticclassifier__learning_rate": [0.1, "inverse_sqrt"],
        "logisticclassifier__optimizer__eps": [1e-10, 1.0],
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, TWO)
    assert search.score(X, TWO) > 0.7


def test_cross_validation_in_two_processes():
    for model, y in ((LinearRegressor(**PARAMS), Y), (LogisticClassifier(**PARAMS), THREE)):
        scores = cross_val_score(model, X, y, cv=4, n_jobs=2, error_score="raise")
        np.testing.assert_allclose(scores, cross_val_score(model, X, y, cv=4, error_score="raise"), rtol=1e-12)


def test_incremental_learning_curve():
    model = LogisticClassifier(learning_rate=0.1, sampling="sequential", optimizer="sgd")
    sizes, _, scores = learning_curve(
        model, X, TWO, train_sizes=[10, 30, 40], cv=3, exploit_incremental_learning=True, error_score="raise"
    )
    assert sizes.tolist() == [10, 30, 40]
    assert scores.shape == (3, 3)
    assert scores[-1].mean() > 0.6


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibration(method):
    calibrated = CalibratedClassifierCV(LogisticClassifier(**PARAMS), method=method, cv=3).fit(X, THREE, WEIGHT)
    proba = calibrated.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert calibrated.score(X, THREE) > 0.5


def test_one_versus_rest():
    model = OneVsRestClassifier(LogisticClassifier(**PARAMS)).fit(X, THREE)
    for label, part in zip("abc", model.estimators_, strict=True):
        assert_same(part, LogisticClassifier(**PARAMS).fit(X, (label == THREE).astype(int)))
    streamed = OneVsRestClassifier(LogisticClassifier(**PARAMS))
    streamed.partial_fit(X, THREE, classes=["a", "b", "c"]).partial_fit(X, THREE)
    assert streamed.score(X, THREE) > 0.5


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_validation_data_pass_through_a_pipeline():
    model = LinearRegressor(**PARAMS).set_fit_request(
        X_val=True, y_val=True, sample_weight=True, sample_weight_val=True
    )
    shifted = 100 * X + 7
    unweighted = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(unweighted, model, transform_input=["X_val"])
    pipeline.fit(
        shifted[10:], Y[10:], sample_weight=WEIGHT[10:], X_val=shifted[:10], y_val=Y[:10], sample_weight_val=WEIGHT[:10]
    )
    scaler = StandardScaler().fit(shifted[10:])
    expected = LinearRegressor(**PARAMS).fit(
        scaler.transform(shifted[10:]),
        Y[10:],
        sample_weight=WEIGHT[10:],
        X_val=scaler.transform(shifted[:10]),
        y_val=Y[:10],
        sample_weight_val=WEIGHT[:10],
    )
    assert_same(pipeline[-1], expected)
    assert pipeline[-1].validation_curve_ == expected.validation_curve_


@pytest.mark.usefixtures("routing")
def test_routing_of_sample_weights():
    model = LogisticClassifier(**PARAMS).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    model.set_partial_fit_request(sample_weight=True, classes=True)
    scores = cross_val_score(model, X, TWO, cv=[(np.arange(40), np.arange(40, 60))], params={"sample_weight": WEIGHT})
    expected = LogisticClassifier(**PARAMS).fit(X[:40], TWO[:40], sample_weight=WEIGHT[:40])
    assert scores[0] == expected.score(X[40:], TWO[40:], WEIGHT[40:]) != expected.score(X[40:], TWO[40:])
    search = GridSearchCV(model, {"alpha": [0.1]}, cv=2).fit(X, TWO, sample_weight=WEIGHT)
    assert_same(search.best_estimator_, LogisticClassifier(alpha=0.1, **PARAMS).fit(X, TWO, sample_weight=WEIGHT))
