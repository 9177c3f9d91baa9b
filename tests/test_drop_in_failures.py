"""Errors of the drop-ins are scikit-learn's, and leave the model as it was."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y, snapshot
from sklearn import linear_model
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

import sksgd
from sksgd.core.state import State

over = pytest.mark.parametrize
PARAMS = {"max_iter": 4, "tol": None, "random_state": 0}
KINDS = {"regressor": ("SGDRegressor", Y), "two": ("SGDClassifier", TWO), "three": ("SGDClassifier", THREE)}
over_kinds = over("kind", KINDS)
NAN, INF = np.nan, np.inf


def ours(kind, **params):
    return getattr(sksgd, KINDS[kind][0])(**{**PARAMS, **params})


def theirs(kind, **params):
    return getattr(linear_model, KINDS[kind][0])(**{**PARAMS, **params})


def call(model, kind, method, **arguments):
    """Fit or partial_fit, with all that is needed unless the arguments say otherwise."""
    arguments = {"X": X, "y": KINDS[kind][1], **arguments}
    if method == "partial_fit" and kind != "regressor":
        arguments = {"classes": np.unique(KINDS[kind][1]), **arguments}
    return getattr(model, method)(**arguments)


def error_of(function, *arguments, **named):
    """The type and text of the error, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(*arguments, **named)
        except Exception as error:
            return type(error), str(error)
    return None


def assert_same_error(found, wanted):
    assert wanted is not None
    assert found is not None, wanted
    assert found[0] is wanted[0]
    assert in_order(wanted[1]).strip() in in_order(found[1])


def in_order(message):
    """With sets, which print in any order, sorted."""
    return re.sub(r"\{(.*?)\}", lambda match: ", ".join(sorted(match[1].split(", "))), message)


def everything(model):
    """`snapshot`, and what is in the states that extras keep."""
    return {**snapshot(model), "_states": frozen(vars(model).get("_states"))}


def frozen(value):
    if isinstance(value, (list, tuple)):
        return [frozen(one) for one in value]
    return {**snapshot(value), "_read": None} if isinstance(value, State) else repr(value)


def with_value(values, value, at=7):
    changed = values.copy()
    changed.flat[at] = value
    return changed


# Parameters

BAD_PARAMETERS = {
    "loss": ["log", None],
    "penalty": ["l3", "none"],
    "alpha": [-1, "a"],
    "l1_ratio": [-1, 1.5],
    "fit_intercept": ["yes", 2],
    "max_iter": [0, 1.5],
    "tol": [-1, "a"],
    "shuffle": [3],
    "verbose": [-1],
    "epsilon": [-1, "a"],
    "random_state": ["a", -1],
    "learning_rate": ["none", None],
    "eta0": [0, -1],
    "power_t": ["a", INF],
    "early_stopping": [3],
    "validation_fraction": [0.0, 1.0],
    "n_iter_no_change": [0, 1.5],
    "warm_start": ["a"],
    "average": [0, -1, 1.5],
    "n_jobs": ["a"],
    "class_weight": ["equal", 3, {"who": 2}],
}
BAD_TOGETHER = [
    {"learning_rate": "pa1", "loss": "huber"},
    {"learning_rate": "pa2", "loss": "squared_error"},
    {"learning_rate": "optimal", "alpha": 0},
    {"penalty": "elasticnet", "l1_ratio": None},
    {"early_stopping": True, "validation_fraction": 0.99},
]
BAD = [{name: value} for name, values in BAD_PARAMETERS.items() for value in values] + BAD_TOGETHER
OF_CLASSIFIERS = [{"early_stopping": True, "validation_fraction": 0.001}]
CASES = [(kind, params) for kind in KINDS for params in BAD if vars(ours(kind)).keys() >= params.keys()]
CASES += [(kind, params) for kind in ("two", "three") for params in OF_CLASSIFIERS]


@over("method", ["fit", "partial_fit"])
@over(("kind", "params"), CASES, ids=str)
def test_bad_parameters(kind, params, method):
    model = ours(kind, **params)
    wanted = error_of(call, theirs(kind, **params), kind, method)
    assert_same_error(error_of(call, model, kind, method), wanted)
    assert vars(model) == vars(ours(kind, **params))


def test_what_partial_fit_refuses():
    for params in ({"early_stopping": True}, {"class_weight": "balanced"}):
        wanted = error_of(theirs("two", **params).partial_fit, X, TWO)
        assert_same_error(error_of(ours("two", **params).partial_fit, X, TWO), wanted)


# Data

BAD_ROWS = {
    "NaN": with_value(X, NAN),
    "inf": with_value(X, INF),
    "-inf": with_value(X, -INF, -1),
    "CSR with NaN": sp.csr_array(with_value(X, NAN)),
    "CSR with inf": sp.csr_array(with_value(X, INF)),
    "CSC with NaN": sp.csc_array(with_value(X, NAN)),
    "one dimension": X[:, 0],
    "three dimensions": X[None],
    "too few": X[:5],
    "no features": X[:, :0],
    "complex": X.astype(complex),
    "text": X.astype(str) + "x",
    "objects": with_value(X.astype(object), "a"),
    "None": None,
}
BAD_TARGETS = {
    "NaN": with_value(Y, NAN),
    "inf": with_value(Y, INF),
    "two columns": np.column_stack([Y, Y]),
    "None": None,
    "too few": Y[:5],
}
BAD_WEIGHTS = {
    "NaN": with_value(WEIGHT, NAN),
    "inf": with_value(WEIGHT, INF),
    "too few": WEIGHT[:5],
    "two dimensions": WEIGHT[:, None],
    "zero": np.zeros(60),
    "text": np.full(60, "a"),
}
BAD_STARTS = [
    {"coef_init": np.ones(3)},
    {"coef_init": np.ones((2, 4))},
    {"coef_init": np.ones((3, 5))},
    {"coef_init": np.full(4, "a")},
    {"coef_init": np.full((3, 4), NAN)},
    {"intercept_init": np.ones(2)},
    {"intercept_init": np.ones((1, 1))},
    {"intercept_init": np.full(3, INF)},
]
BAD_DATA = {
    **{f"X: {name}": {"X": rows} for name, rows in BAD_ROWS.items()},
    **{f"y: {name}": {"y": y} for name, y in BAD_TARGETS.items()},
    **{f"weight: {name}": {"sample_weight": weight} for name, weight in BAD_WEIGHTS.items()},
    "no rows": {"X": X[:0], "y": Y[:0]},
}


@over("method", ["fit", "partial_fit"])
@over("name", BAD_DATA)
@over_kinds
def test_bad_data(kind, name, method):
    check_error(kind, method, BAD_DATA[name])


@over("init", BAD_STARTS, ids=lambda init: next(f"{key} {value.shape}" for key, value in init.items()))
@over_kinds
def test_bad_initial_weights(kind, init):
    check_error(kind, "fit", init)


@over("kind", ["two", "three"])
def test_bad_labels(kind):
    check_error(kind, "fit", {"y": np.full(60, "a")})
    check_error(kind, "fit", {"y": Y})
    check_error(kind, "partial_fit", {"y": np.full(60, "new")})
    check_error(kind, "partial_fit", {"classes": ["other"]})
    check_error(kind, "partial_fit", {"classes": None})
    check_error(kind, "partial_fit", {"classes": ["b"], "y": np.full(60, "b")})


def check_error(kind, method, arguments):
    """The error is scikit-learn's, whether the model is new or fitted, and the model is as before."""
    new = ours(kind, average=True)
    wanted = error_of(call, theirs(kind, average=True), kind, method, **arguments)
    assert_same_error(error_of(call, new, kind, method, **arguments), wanted)
    assert vars(new) == vars(ours(kind, average=True))
    for params in ({"average": True}, {"average": True, "warm_start": True}):
        model, reference = (make(kind, **params).fit(X, KINDS[kind][1]) for make in (ours, theirs))
        before = everything(model)
        wanted = error_of(call, reference, kind, method, **arguments)
        found = error_of(call, model, kind, method, **arguments)
        if (found, wanted) != (None, None):  # a fitted model may know better
            assert_same_error(found, wanted)
            assert everything(model) == before


@over("method", ["fit", "partial_fit"])
@over("layout", [np.asarray, sp.csr_array])
@over_kinds
def test_an_error_leaves_the_slots_of_an_optimizer(kind, layout, method):
    model = ours(kind, optimizer="adagrad").partial_fit(layout(X), KINDS[kind][1], *classes_of(kind))
    before = everything(model)
    for arguments in ({"X": with_value(X, NAN)}, {"X": X * 1e300}, {"sample_weight": with_value(WEIGHT, NAN)}):
        arguments = {"X": X, **arguments}
        arguments["X"] = layout(arguments["X"])
        assert error_of(call, model, kind, method, **arguments)[0] is ValueError
        assert everything(model) == before


def classes_of(kind):
    return () if kind == "regressor" else (np.unique(KINDS[kind][1]),)


@over_kinds
@over("value", [NAN, INF])
def test_rows_that_are_only_held_out_are_checked(kind, value):
    splitter = ShuffleSplit if kind == "regressor" else StratifiedShuffleSplit
    y = KINDS[kind][1]
    codes = y if kind != "two" else (y == "yes")
    held_out = next(splitter(test_size=0.1, random_state=0).split(X, codes))[1]
    rows = X.copy()
    rows[held_out, 2] = value
    for layout in (np.asarray, sp.csr_array):
        wanted = error_of(theirs(kind, early_stopping=True).fit, layout(rows), y)
        assert_same_error(error_of(ours(kind, early_stopping=True).fit, layout(rows), y), wanted)


@over("params", [{"sampling": "with_replacement"}, {"learning_rate": "pa1"}, {"optimizer": "sgd"}], ids=str)
def test_every_row_is_checked(params):
    loss = {"loss": "epsilon_insensitive"}
    for i in range(60):
        rows = X.copy()
        rows[i, 1] = NAN
        weight = np.where(np.arange(60) == i, 0.0, 1.0)
        with pytest.raises(ValueError, match="Input X contains NaN"):
            ours("regressor", **loss, **params, max_iter=1).fit(rows, Y, sample_weight=weight)


AFTER_FIT = {
    "partial_fit, other features": ("partial_fit", {"X": X[:, :3]}),
    "warm start, other features": ("fit", {"X": X[:, :3]}),
}
BAD_PREDICTIONS = [X[:, :3], X[0], X[:0], with_value(X, NAN), with_value(X, INF), sp.csr_array(with_value(X, NAN))]


@over_kinds
def test_calls_that_do_not_fit_the_model(kind):
    pair = [make(kind, warm_start=True).fit(X, KINDS[kind][1]) for make in (ours, theirs)]
    before = everything(pair[0])
    for method, arguments in AFTER_FIT.values():
        found, wanted = (error_of(call, model, kind, method, **arguments) for model in pair)
        assert_same_error(found, wanted)
        assert everything(pair[0]) == before
    pair[1].fit(X, KINDS[kind][1])  # that error changed it
    for rows in [*BAD_PREDICTIONS, X.astype(complex), X.astype(str)]:
        assert_same_error(*(error_of(model.predict, rows) for model in pair))
    # Coefficients of 0 that are not stored do not hide what is not a number.
    for model in pair:
        model.coef_.flat[1] = 0
        model.sparsify()
    for rows in BAD_PREDICTIONS[3:]:
        assert_same_error(*(error_of(model.predict, rows) for model in pair))


@over_kinds
def test_calls_before_fit(kind):
    calls = ["predict", "sparsify", "densify"] + ["decision_function"] * (kind != "regressor")
    for name in calls:
        arguments = (X,) if name in ("predict", "decision_function") else ()
        found, wanted = (error_of(getattr(make(kind), name), *arguments) for make in (ours, theirs))
        assert_same_error(found, wanted)
    if kind != "regressor":
        assert_same_error(*(error_of(getattr, make(kind), "predict_proba") for make in (ours, theirs)))
