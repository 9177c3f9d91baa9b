"""The drop-ins with optimizers that find their own steps: the minimum of the flagships, scikit-learn's interface."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score

from sksgd import LinearRegressor, LogisticClassifier, SGDClassifier, SGDRegressor

RAW = X * 10.0 ** np.arange(-3, 5, 2) + [0.0, 1.0, -500.0, 1e4]
over = pytest.mark.parametrize


@over("loss", ["squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"])
@over("penalty", ["l2", "l1"])
def test_the_minimum_is_that_of_the_flagship(loss, penalty):
    params = {"penalty": penalty, "alpha": 0.01, "tol": 1e-7}
    epsilon = {"epsilon": 0.1} if "insensitive" in loss or loss == "huber" else {}
    model = SGDRegressor(loss, optimizer="auto", max_iter=200, **params, **epsilon)
    flagship = LinearRegressor(loss, max_iter=200, **params)
    if epsilon:
        flagship.set_params(loss__epsilon=0.1)
    for rows in (RAW, sp.csr_array(RAW)):
        model.fit(rows, Y, sample_weight=WEIGHT)
        flagship.fit(rows, Y, sample_weight=WEIGHT)
        assert model.loss_curve_[-1] == pytest.approx(flagship.loss_curve_[-1], rel=2e-7)
        np.testing.assert_allclose(model.predict(rows), flagship.predict(rows), atol=1e-3)
        assert model.optimizer_ == flagship.optimizer_
        assert model.optimality_gap_ <= 1e-7
        assert model.t_ == 1 + 60 * model.n_iter_
        if flagship._problem_.loss.smooth:  # with kinks, what rounds may take passes more or less
            assert model.n_iter_ == flagship.n_iter_


@over("labels", [TWO, THREE], ids=["two", "three"])
def test_one_model_for_each_class_against_the_rest(labels):
    model = SGDClassifier("log_loss", optimizer="auto", alpha=0.01, tol=1e-8).fit(RAW, labels)
    positives = model.classes_[1:] if labels is TWO else model.classes_
    for coef, intercept, label in zip(model.coef_, model.intercept_, positives, strict=True):
        flagship = LogisticClassifier(alpha=0.01, tol=1e-8).fit(RAW, labels == label)
        np.testing.assert_allclose(RAW @ coef + intercept, flagship.decision_function(RAW), rtol=1e-4, atol=1e-4)
    assert model.predict_proba(RAW).shape == (60, len(model.classes_))


@over("loss", ["hinge", "perceptron", "modified_huber", "squared_hinge", "log_loss"])
def test_raw_features_are_no_matter(loss):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(2000, 4))
    y = Z @ [1.0, -2.0, 0.0, 0.5] + rng.logistic(size=2000) > 0.5
    rows = Z * 10.0 ** np.arange(-3, 5, 2) + [0.0, 1.0, -500.0, 1e4]
    model = SGDClassifier(loss, optimizer="auto", alpha=1e-10, random_state=0)  # alpha is for raw weights, up to 1000
    exact = LogisticRegression(C=np.inf).fit(Z, y).score(Z, y)
    assert model.fit(rows, y).score(rows, y) > exact - 0.01
    stream = clone(model)
    for part in np.array_split(np.arange(2000), 7):
        stream.partial_fit(rows[part], y[part], classes=[False, True])
    assert stream.score(rows, y) > exact - 0.01
    assert isinstance(stream.loss_curve_[-1], float)


@over("name", ["newton", "svrg", "implicit", "auto"])
def test_streams_do_not_depend_on_their_parts(name):
    model = SGDRegressor(optimizer=name, random_state=0)
    whole, parts = clone(model).partial_fit(RAW, Y, sample_weight=WEIGHT), clone(model)
    for part in np.split(np.arange(60), [1, 2, 30]):
        parts.partial_fit(RAW[part], Y[part], sample_weight=WEIGHT[part])
        parts = pickle.loads(pickle.dumps(parts))
    np.testing.assert_allclose(parts.predict(RAW), whole.predict(RAW), rtol=1e-9)


@over(
    "params", [{"learning_rate": "constant"}, {"eta0": 0.5}, {"average": True}, {"batch_size": 5}, {"shuffle": False}]
)
@over("kind", [SGDClassifier, SGDRegressor])
def test_parameters_without_meaning_are_refused(kind, params):
    (name,) = params
    for method in ("fit", "partial_fit"):
        model = kind(optimizer="auto", **params)
        more = {"classes": ["no", "yes"]} if kind is SGDClassifier and method == "partial_fit" else {}
        with pytest.raises(ValueError, match=f"{name!r} parameter has no meaning with optimizer='auto'"):
            getattr(model, method)(X, TWO if kind is SGDClassifier else Y, **more)


def test_alpha_of_zero_needs_no_rate():
    assert SGDClassifier("log_loss", optimizer="auto", alpha=0.0).fit(RAW, TWO).score(RAW, TWO) > 0.8


def test_held_out_rows_searches_and_printing(capsys):
    model = SGDClassifier("log_loss", optimizer="auto", early_stopping=True, verbose=1, random_state=0).fit(RAW, TWO)
    assert len(model.validation_curve_) == len(model.loss_curve_) >= model.n_iter_
    assert "Objective" in capsys.readouterr().out
    exact = cross_val_score(Ridge(alpha=1e-4 * 40), RAW, Y, cv=3)
    np.testing.assert_allclose(cross_val_score(SGDRegressor(optimizer="auto"), RAW, Y, cv=3), exact, atol=1e-6)
    search = GridSearchCV(SGDRegressor(), {"optimizer": ["auto", "newton"], "alpha": [1e-4, 1.0]}, cv=3).fit(RAW, Y)
    assert search.best_score_ >= exact.mean() - 1e-6


def test_errors_change_nothing():
    model = SGDRegressor(optimizer="auto").partial_fit(RAW, Y)
    before = pickle.dumps(model.coef_)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((2, 4), np.nan), [0.0, 1.0])
    assert pickle.dumps(model.coef_) == before
