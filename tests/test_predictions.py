"""What fitted models say: predictions, probabilities, scores, sparse coefficients, scikit-learn twins."""

import pickle
import time

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y
from scipy.special import expit, softmax, xlogy
from sklearn import linear_model
from sklearn.base import clone
from sklearn.metrics import accuracy_score, d2_tweedie_score, r2_score

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.losses import Poisson, Tweedie

PARAMS = {"optimizer": "adagrad", "max_iter": 5, "tol": None, "random_state": 0}
COUNTS = np.random.default_rng(2).poisson(np.exp(0.3 * X[:, 0] + 0.5)).astype(float)
AMOUNTS = COUNTS + 0.5
SHARES = np.clip(expit(Y), 0, 1)
SHARES[:2] = 0.0, 1.0


@pytest.mark.parametrize(
    ("loss", "y", "inverse"),
    [
        ("squared_error", Y, lambda p: p),
        ("quantile", Y, lambda p: p),
        ("poisson", COUNTS, np.exp),
        ("gamma", AMOUNTS, np.exp),
        ("tweedie", COUNTS, np.exp),
        ("log_loss", SHARES, expit),
    ],
)
def test_predict_applies_the_inverse_link(loss, y, inverse):
    model = LinearRegressor(loss, **{**PARAMS, "max_iter": 40}).fit(X, y)
    np.testing.assert_allclose(model.predict(X), inverse(X @ model.coef_ + model.intercept_), rtol=1e-12)
    several = LinearRegressor(loss, **PARAMS).fit(X, np.column_stack([y, y]))
    np.testing.assert_allclose(several.predict(X), inverse(X @ several.coef_.T + several.intercept_), rtol=1e-12)
    assert model.score(X, y) > 0.0


@pytest.mark.parametrize("y", [TWO, THREE])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_probabilities(y, kind):
    model = LogisticClassifier(**PARAMS).fit(X, y)
    scores = X @ model.coef_.T + model.intercept_
    two = scores.shape[1] == 1
    expected = np.column_stack([1 - expit(scores), expit(scores)]) if two else softmax(scores, axis=1)
    np.testing.assert_allclose(model.predict_proba(kind(X)), expected, rtol=1e-10)
    np.testing.assert_allclose(model.predict_log_proba(kind(X)), np.log(expected), rtol=1e-10)
    np.testing.assert_allclose(model.decision_function(kind(X)), scores[:, 0] if two else scores, rtol=1e-10)
    np.testing.assert_array_equal(model.predict(kind(X)), model.classes_[expected.argmax(axis=1)])
    assert model.score(kind(X), y, sample_weight=WEIGHT) == accuracy_score(y, model.predict(X), sample_weight=WEIGHT)


def test_log_probabilities_of_what_is_all_but_impossible():
    for y in (TWO, THREE):
        model = LogisticClassifier(**PARAMS).fit(X, y)
        logs = model.predict_log_proba(1e4 * X)
        assert np.isfinite(logs).all()
        assert logs.min() < -1000


@pytest.mark.parametrize("sample_weight", [None, WEIGHT])
@pytest.mark.parametrize(
    ("loss", "y", "power"),
    [("poisson", COUNTS, 1), ("gamma", AMOUNTS, 2), (Tweedie(1.3), COUNTS, 1.3), (Tweedie(3.0), AMOUNTS, 3)],
)
def test_d2_is_that_of_scikit_learn(loss, y, power, sample_weight):
    model = LinearRegressor(loss, learning_rate=0.1, **PARAMS).fit(X, y)
    expected = d2_tweedie_score(y, model.predict(X), sample_weight=sample_weight, power=power)
    assert model.score(X, y, sample_weight) == pytest.approx(expected, rel=1e-9)
    listed = None if sample_weight is None else list(sample_weight)
    assert model.score(X, list(y), listed) == model.score(X, y, sample_weight)


@pytest.mark.parametrize("sample_weight", [None, WEIGHT])
def test_d2_of_log_loss(sample_weight):
    model = LinearRegressor("log_loss", **PARAMS).fit(X, SHARES)

    def deviance(mean):
        return np.average(
            xlogy(SHARES, SHARES / mean) + xlogy(1 - SHARES, (1 - SHARES) / (1 - mean)), weights=sample_weight
        )

    null = np.full(60, np.average(SHARES, weights=sample_weight))
    expected = 1 - deviance(model.predict(X)) / deviance(null)
    assert model.score(X, SHARES, sample_weight) == pytest.approx(expected, rel=1e-9)


def test_scores_of_several_targets_and_of_constants():
    both = np.column_stack([COUNTS, COUNTS[::-1]])
    model = LinearRegressor("poisson", **PARAMS).fit(X, both)
    parts = [d2_tweedie_score(both[:, k], model.predict(X)[:, k], power=1) for k in range(2)]
    assert model.score(X, both) == pytest.approx(np.mean(parts), rel=1e-9)
    one = LinearRegressor("poisson", **PARAMS).fit(X, COUNTS)
    assert one.score(X, np.ones(60)) == 0.0  # as r2_score
    squared = LinearRegressor(**PARAMS).fit(X, Y)
    assert squared.score(X, Y, WEIGHT) == r2_score(Y, squared.predict(X), sample_weight=WEIGHT)


def test_scores_check_the_targets():
    model = LinearRegressor("poisson", **PARAMS).fit(X, COUNTS)
    for y, message in (
        (-COUNTS - 1, "outside the domain"),
        (COUNTS * np.nan, "NaN"),
        (COUNTS[:5], "inconsistent numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            model.score(X, y)
    # The loss is that of the fit.
    model.set_params(loss="gamma")
    assert model.score(X, COUNTS) == pytest.approx(d2_tweedie_score(COUNTS, model.predict(X), power=1))


def test_d2_of_many_rows_is_fast():
    model = LinearRegressor("poisson", **PARAMS).fit(X, COUNTS)
    rows, y = np.tile(X, (2000, 1)), np.tile(COUNTS, 2000)
    model.score(X, COUNTS)
    start = time.process_time()
    score = model.score(rows, y)
    assert time.process_time() - start < 1.0  # it takes some 10 ms; a Python loop takes 100 times as long
    assert score == pytest.approx(model.score(X, COUNTS), rel=1e-9)


def test_sparsify_and_densify():
    model = LogisticClassifier(penalty="l1", alpha=0.2, **PARAMS).fit(X, THREE)
    dense, proba = model.coef_, model.predict_proba(X)
    assert model.sparsify() is model
    assert sp.issparse(model.coef_)
    assert model.coef_.nnz == np.count_nonzero(dense) < 12
    np.testing.assert_array_equal(model.coef_.toarray(), dense)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), proba)
    np.testing.assert_array_equal(model.densify().coef_, dense)
    model.sparsify().partial_fit(X, THREE)
    assert isinstance(model.coef_, np.ndarray)


IDENTITY = [
    "squared_error",
    "huber",
    "epsilon_insensitive",
    "squared_epsilon_insensitive",
    "quantile",
]


@pytest.mark.parametrize(
    ("loss", "y", "twin"),
    [
        *((loss, Y, linear_model.LinearRegression) for loss in IDENTITY),
        ("squared_error", np.column_stack([Y, -Y]), linear_model.LinearRegression),
        ("poisson", COUNTS, linear_model.PoissonRegressor),
        ("gamma", AMOUNTS, linear_model.GammaRegressor),
        (Tweedie(1.3), COUNTS, linear_model.TweedieRegressor),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_scikit_learn_twins_of_regressors(loss, y, twin, dtype):
    model = LinearRegressor(loss, **PARAMS).fit(X.astype(dtype), y)
    other = model.to_sklearn()
    assert type(other) is twin
    np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-12)
    assert other.score(X, y) == pytest.approx(model.score(X, y), rel=1e-9)
    # It stands alone: it shares no array, and can be pickled, cloned and fitted anew.
    other.coef_[...] = 0.0
    assert model.coef_.any()
    clone(pickle.loads(pickle.dumps(other))).fit(X, y)


@pytest.mark.parametrize("y", [TWO, THREE])
def test_scikit_learn_twins_of_classifiers(y):
    model = LogisticClassifier(**PARAMS).fit(X, y).sparsify()
    other = model.to_sklearn()
    assert type(other) is linear_model.LogisticRegression
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=1e-10)
    np.testing.assert_allclose(other.decision_function(X), model.decision_function(X), rtol=1e-10)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


class OwnPoisson(Poisson):
    """A loss that scikit-learn does not know, though it has a log link."""


def test_no_twin():
    for loss, y in (("log_loss", SHARES), (OwnPoisson(), COUNTS), ("poisson", np.column_stack([COUNTS, COUNTS]))):
        model = LinearRegressor(loss, **PARAMS).fit(X, y)
        with pytest.raises(ValueError, match="scikit-learn has no estimator with the predictions of loss="):
            model.to_sklearn()
