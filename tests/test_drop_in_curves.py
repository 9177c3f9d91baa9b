"""Held-out rows, curves and reasons of the drop-ins, which scikit-learn has not or has wrong."""

import math

import numpy as np
import pytest
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from test_callbacks import Recorder

from sksgd import SGDClassifier, SGDRegressor

over = pytest.mark.parametrize
PARAMS = {"max_iter": 6, "tol": None, "random_state": 0}
NEW = np.random.default_rng(1).normal(size=(20, 4))
NEW_Y = NEW @ [1.0, -2.0, 0.0, 0.5] + 1.0
NEW_TWO, NEW_THREE = np.where(NEW_Y > 1, "yes", "no"), np.array(["a", "b", "c"])[np.digitize(NEW_Y, [0.0, 2.0])]
NEW_WEIGHT = np.random.default_rng(2).uniform(0.5, 2.0, 20)
KINDS = {"regressor": (SGDRegressor, Y, NEW_Y), "two": (SGDClassifier, TWO, NEW_TWO)}
over_kinds = over("kind", KINDS)


def score(kind, y, model, rows, weight=None):
    """From raw predictions, as the metric defines it."""
    p = rows @ model.coef_.ravel() + model.intercept_[0]
    if kind == "regressor":
        return r2_score(y, p, sample_weight=weight)
    return accuracy_score(y == "yes", p > 0, sample_weight=weight)


# ---- held-out rows ---------------------------------------------------------------------------------------------------

# Of log_loss, scikit-learn's own score is wrong: its classes are 0 and 1, which it compares with -1 and 1.
HELD_OUT = [
    ("regressor", {}),
    ("regressor", {"average": 100, "penalty": "l1"}),
    ("regressor", {"optimizer": "momentum"}),
    ("two", {}),
    ("two", {"loss": "log_loss", "average": 100}),
    ("two", {"loss": "log_loss", "learning_rate": "constant", "eta0": 1.0}),
    ("two", {"loss": "log_loss", "optimizer": "adam", "batch_size": 8, "learning_rate": "constant"}),
]


@over("weight", [None, NEW_WEIGHT], ids=["", "weight"])
@over(("kind", "params"), HELD_OUT, ids=str)
def test_held_out_rows_decide_what_is_kept(kind, params, weight):
    make, y, new_y = KINDS[kind]
    params = {**PARAMS, "max_iter": 12, **params}
    model = make(**params).fit(X, y, X_val=NEW, y_val=new_y, sample_weight_val=weight)
    # Without them, training is the same: they are not trained on.
    passes = [make(**{**params, "max_iter": i}).fit(X, y) for i in range(1, 13)]
    scores = [score(kind, new_y, one, NEW, weight) for one in passes]
    np.testing.assert_allclose(model.validation_curve_, scores, rtol=1e-12)
    assert len(set(scores)) > 1
    best = max(range(12), key=lambda i: (scores[i], i))  # the latest of equals
    assert_same(model, passes[best])
    assert model.n_iter_ == 12
    np.testing.assert_array_equal(model.loss_curve_, passes[-1].loss_curve_)


@over("params", [{}, {"average": True}, {"sampling": "with_replacement"}, {"optimizer": "adagrad"}], ids=str)
@over_kinds
def test_a_split_is_scikit_learns(kind, params):
    make, y, _ = KINDS[kind]
    recorder = Recorder()
    model = make(early_stopping=True, validation_fraction=0.3, **PARAMS, **params).set_callbacks(recorder)
    model.fit(X, y, sample_weight=WEIGHT)
    splitter = ShuffleSplit if kind == "regressor" else StratifiedShuffleSplit
    rows = next(splitter(test_size=0.3, random_state=0).split(X, y == "yes" if kind == "two" else y))[1]
    scores = [score(kind, y[rows], one, X[rows], WEIGHT[rows]) for one in recorder.models]
    np.testing.assert_allclose(model.validation_curve_, scores, rtol=1e-12)
    best = max(range(6), key=lambda i: (scores[i], i))
    assert_same(model, recorder.models[best])


def test_held_out_rows_of_a_split_are_not_trained_on():
    rows = next(ShuffleSplit(test_size=0.3, random_state=0).split(X))[1]
    changed, recorders = Y.copy(), (Recorder(), Recorder())
    changed[rows] = 100.0
    for y, recorder in zip((Y, changed), recorders, strict=True):
        SGDRegressor(early_stopping=True, validation_fraction=0.3, **PARAMS).set_callbacks(recorder).fit(X, y)
    for one, another in zip(*(recorder.models for recorder in recorders), strict=True):
        assert_same(one, another)


def test_several_classes_have_a_curve_each():
    model = SGDClassifier(**PARAMS).fit(X, THREE, X_val=NEW, y_val=NEW_THREE)
    for k, label in enumerate("abc"):
        passes = [SGDClassifier(**{**PARAMS, "max_iter": i}).fit(X, THREE) for i in range(1, 7)]
        scores = [np.mean((one.decision_function(NEW)[:, k] > 0) == (label == NEW_THREE)) for one in passes]
        np.testing.assert_allclose(model.validation_curve_[k], scores, rtol=1e-12)
        best = max(range(6), key=lambda i: (scores[i], i))
        np.testing.assert_array_equal(model.coef_[k], passes[best].coef_[k])


@over("patience", [1, 2])
def test_a_score_that_rises_no_more_stops(patience):
    params = {"tol": 0.01, "n_iter_no_change": patience, "max_iter": 50, "random_state": 0}
    model = SGDRegressor(**params).fit(X, Y, X_val=NEW, y_val=NEW_Y)
    best, stalled, passes = -math.inf, 0, 0
    for value in SGDRegressor(**{**params, "tol": None}).fit(X, Y, X_val=NEW, y_val=NEW_Y).validation_curve_:
        passes += 1
        stalled = stalled + 1 if value < best + 0.01 else 0
        best = max(best, value)
        if stalled == patience:
            break
    assert model.n_iter_ == passes < 50
    assert f"{patience} passes in a row" in model.stop_reason_
    assert "score" in model.stop_reason_


def test_held_out_rows_that_are_given_take_the_place_of_a_split():
    for kind, (make, y, new_y) in KINDS.items():
        given = make(early_stopping=True, **PARAMS).fit(X, y, X_val=NEW, y_val=new_y)
        assert_same(given, make(**PARAMS).fit(X, y, X_val=NEW, y_val=new_y))
        assert given.validation_curve_[0] == pytest.approx(
            score(kind, new_y, make(**{**PARAMS, "max_iter": 1}).fit(X, y), NEW)
        )


@pytest.mark.filterwarnings("ignore:R.2 score is not well-defined")
def test_a_score_that_is_not_a_number_keeps_the_last_pass():
    model = SGDRegressor(**PARAMS).fit(X, Y, X_val=NEW[:1], y_val=NEW_Y[:1])
    assert_same(model, SGDRegressor(**PARAMS).fit(X, Y))
    assert np.isnan(model.validation_curve_).all()


@over(
    ("wrong", "message"),
    [
        ({"y_val": None}, "X_val and y_val must be given together"),
        ({"X_val": None}, "X_val and y_val must be given together"),
        ({"X_val": NEW[:, :3]}, "X has 3 features"),
        ({"X_val": NEW[:7]}, "inconsistent numbers of samples"),
        ({"X_val": np.where(NEW[3, 2] == NEW, np.nan, NEW)}, "NaN"),
        ({"y_val": np.full(20, "new")}, "classes should include all valid labels|could not convert"),
        ({"sample_weight_val": NEW_WEIGHT[:5]}, "sample_weight.shape"),
    ],
    ids=str,
)
@over_kinds
def test_wrong_held_out_rows(kind, wrong, message):
    make, y, new_y = KINDS[kind]
    model = make(**PARAMS)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y, **{"X_val": NEW, "y_val": new_y, **wrong})
    assert vars(model) == vars(make(**PARAMS))


# ---- curves and reasons ----------------------------------------------------------------------------------------------


def running_objective(model, y, loss, gradient, passes, ratio):
    """The mean over the rows of a pass of loss and penalty, as met before each update; plain SGD in the given order."""
    w, b, curve = np.zeros(4), 0.0, []
    for _ in range(passes):
        total = 0.0
        for i, x in enumerate(X):
            p = w @ x + b
            total += loss(p, y[i]) + model.alpha * (ratio * np.abs(w).sum() + (1 - ratio) * w @ w / 2)
            step = -model.eta0 * gradient(p, y[i])
            w, b = w * (1 - (1 - ratio) * model.eta0 * model.alpha) + step * x, b + step
        curve.append(total / len(X))
    return curve


def test_loss_curve_is_the_running_objective():
    params = {"learning_rate": "constant", "eta0": 0.01, "shuffle": False, "alpha": 0.3, **PARAMS}
    model = SGDRegressor(**params).fit(X, Y)
    wanted = running_objective(model, Y, lambda p, y: (p - y) ** 2 / 2, lambda p, y: p - y, 6, 0.0)
    np.testing.assert_allclose(model.loss_curve_, wanted, rtol=1e-10)
    model = SGDClassifier(loss="log_loss", **params).fit(X, TWO)
    unit = np.where(TWO == "yes", 1.0, 0.0)
    wanted = running_objective(
        model, unit, lambda p, y: np.logaddexp(0, p) - y * p, lambda p, y: 1 / (1 + np.exp(-p)) - y, 6, 0.0
    )
    np.testing.assert_allclose(model.loss_curve_, wanted, rtol=1e-10)
    assert model.validation_curve_ == []
    curves = SGDClassifier(loss="log_loss", **params).fit(X, THREE).loss_curve_
    for label, curve in zip("abc", curves, strict=True):
        one = SGDClassifier(loss="log_loss", **params).fit(X, label == THREE)
        np.testing.assert_allclose(curve, one.loss_curve_, rtol=1e-12)


@over("early_stopping", [False, True])
def test_loss_curve_of_an_optimizer_is_the_objective_after_each_pass(early_stopping):
    recorder = Recorder()
    params = {"optimizer": "momentum", "penalty": "elasticnet", "alpha": 0.3, "early_stopping": early_stopping}
    model = SGDRegressor(**params, **PARAMS).set_callbacks(recorder).fit(X, Y)
    rows = next(ShuffleSplit(test_size=0.1, random_state=0).split(X))[0] if early_stopping else np.arange(60)
    for one, value in zip(recorder.models, model.loss_curve_, strict=True):
        loss = np.mean((one.predict(X[rows]) - Y[rows]) ** 2) / 2
        penalty = 0.3 * (0.15 * np.abs(one.coef_).sum() + 0.85 * np.sum(one.coef_**2) / 2)
        assert value == pytest.approx(loss + penalty, rel=1e-10)


def test_reasons():
    assert SGDRegressor(**PARAMS).fit(X, Y).stop_reason_ == "max_iter=6 passes done"
    model = SGDRegressor(random_state=0).fit(X, Y)
    assert model.n_iter_ < 1000
    assert "5 passes in a row" in model.stop_reason_
    model = SGDClassifier(**PARAMS).set_callbacks(Recorder(stop_at=1)).fit(X, TWO)
    assert (model.stop_reason_, model.n_iter_) == ("a callback asked to stop", 2)
    assert SGDClassifier(**PARAMS).fit(X, THREE).stop_reason_ == ["max_iter=6 passes done"] * 3
    assert SGDRegressor(**PARAMS).partial_fit(X, Y).stop_reason_ == "max_iter=1 passes done"
