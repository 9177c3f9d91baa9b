"""The drop-ins among the tools of scikit-learn, and what its estimators promise beside numbers."""

import inspect
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same
from scipy.special import expit
from sklearn import linear_model
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksgd import SGDClassifier, SGDRegressor

over = pytest.mark.parametrize
PARAMS = {"max_iter": 4, "tol": None, "random_state": 0}
KINDS = {"regressor": (SGDRegressor, Y), "two": (SGDClassifier, TWO), "three": (SGDClassifier, THREE)}
over_kinds = over(("make", "y"), KINDS.values(), ids=KINDS)
EXTRAS = ["optimizer", "batch_size", "sampling"]


def theirs(make):
    """scikit-learn's class of that name."""
    return getattr(linear_model, make.__name__)


# ---- the interface ---------------------------------------------------------------------------------------------------


@over("make", [SGDClassifier, SGDRegressor])
def test_parameters_are_scikit_learns_with_extras_last(make):
    ours, wanted = (list(inspect.signature(kind).parameters.values()) for kind in (make, theirs(make)))
    plain = [(parameter.name, parameter.kind, parameter.default) for parameter in ours]
    assert plain[: len(wanted)] == [(parameter.name, parameter.kind, parameter.default) for parameter in wanted]
    assert [name for name, _, _ in plain[len(wanted) :]] == EXTRAS
    assert list(make().get_params()) == sorted(name for name, _, _ in plain)


@over("make", [SGDClassifier, SGDRegressor])
def test_methods_take_what_scikit_learns_take(make):
    public = {name for name in dir(theirs(make)) if not name.startswith("_")}
    assert public <= set(dir(make))
    for name in sorted(public):
        wanted = getattr(theirs(make), name)
        if not inspect.isfunction(wanted) or name.startswith("set_"):
            continue
        parameters = [list(inspect.signature(getattr(kind, name)).parameters.values()) for kind in (make, theirs(make))]
        for ours, wanted in zip(*parameters, strict=False):
            assert (ours.name, ours.kind, ours.default) == (wanted.name, wanted.kind, wanted.default), name
        # What we add is by keyword only.
        rest = parameters[0][len(parameters[1]) :]
        assert {parameter.kind for parameter in rest} <= {inspect.Parameter.KEYWORD_ONLY}, name


@over_kinds
def test_fitted_attributes_are_scikit_learns(make, y):
    for params in ({}, {"average": True}):
        model, reference = (kind(**params, **PARAMS).fit(X, y) for kind in (make, theirs(make)))
        public = {name for name in vars(reference) if not name.startswith("_")}
        assert public <= set(vars(model))
        for name in public - set(PARAMS):
            ours, wanted = getattr(model, name), getattr(reference, name)
            assert type(ours) is type(wanted) or name in ("n_iter_", "t_"), name
            assert np.shape(ours) == np.shape(wanted), name


@over_kinds
def test_predictions_have_scikit_learns_types(make, y):
    for dtype in (np.float64, np.float32):
        rows = X.astype(dtype)
        model, reference = (kind(**PARAMS).fit(rows, y) for kind in (make, theirs(make)))
        for new in (X, X.astype(np.float32), sp.csr_array(X), X.tolist(), np.asfortranarray(X), np.rint(X).astype(int)):
            assert model.predict(new).dtype == reference.predict(new).dtype
            np.testing.assert_allclose(model.score(new, y), reference.score(new, y), rtol=1e-6)
            if make is SGDClassifier:
                found, wanted = model.decision_function(new), reference.decision_function(new)
                assert found.dtype == wanted.dtype
                np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@over("y", [TWO, THREE], ids=["two", "three"])
def test_probabilities(y):
    for loss in ("log_loss", "modified_huber"):
        model, reference = (kind(loss=loss, **PARAMS).fit(X, y) for kind in (SGDClassifier, linear_model.SGDClassifier))
        rows = np.vstack([X, 100 * X, np.zeros((1, 4))])
        found = model.predict_proba(rows)
        np.testing.assert_allclose(found, reference.predict_proba(rows), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        with np.errstate(divide="ignore"):
            np.testing.assert_array_equal(model.predict_log_proba(rows), np.log(found))
        p = model.decision_function(rows)
        positive = expit(p) if loss == "log_loss" else np.clip((p + 1) / 2, 0, 1)
        if y is TWO:
            np.testing.assert_allclose(found[:, 1], positive, rtol=1e-12)
        elif loss == "modified_huber":
            assert (positive.sum(axis=1) == 0).any()
            np.testing.assert_allclose(found[positive.sum(axis=1) == 0], 1 / 3)
    for loss in ("hinge", "huber"):
        assert not hasattr(SGDClassifier(loss=loss).fit(X, y), "predict_proba")
        assert not hasattr(SGDClassifier(loss=loss), "predict_log_proba")


# ---- to and from scikit-learn ----------------------------------------------------------------------------------------

EXPORTED = [{}, {"average": True}, {"average": 500}, {"penalty": "l1", "alpha": 0.01}, {"learning_rate": "adaptive"}]


@over("dtype", [np.float64, np.float32])
@over("params", EXPORTED, ids=str)
@over_kinds
def test_the_export_predicts_the_same_and_goes_on(make, y, params, dtype):
    rows = X.astype(dtype)
    model = make(**params, **PARAMS).fit(rows, y)
    model.partial_fit(rows, y)
    exported = pickle.loads(pickle.dumps(model.to_sklearn()))
    assert type(exported) is theirs(make)
    assert exported.get_params().items() <= model.get_params().items()
    np.testing.assert_array_equal(exported.predict(rows), model.predict(rows))
    before = model.coef_.copy()
    for _ in range(2):
        for one in (model, exported):
            one.partial_fit(rows, y)
        assert_same(exported, model, rtol=1e-9 if dtype is np.float64 else 1e-4)
        assert exported.t_ == model.t_
    assert not np.array_equal(model.coef_, before)


def test_the_export_shares_nothing_and_knows_names():
    model = SGDRegressor(**PARAMS).fit(pd.DataFrame(X, columns=list("abcd")), Y)
    before, exported = model.coef_.copy(), model.to_sklearn()
    exported.partial_fit(pd.DataFrame(X, columns=list("abcd")), Y)
    np.testing.assert_array_equal(model.coef_, before)
    assert exported.feature_names_in_.tolist() == list("abcd")
    model = SGDClassifier(optimizer="adam", loss="log_loss", **PARAMS).fit(X, THREE)
    for one in (model, model.sparsify()):
        np.testing.assert_allclose(one.to_sklearn().predict_proba(X), model.predict_proba(X), rtol=1e-12)


@over_kinds
def test_sparsify_and_densify(make, y):
    model, reference = (kind(penalty="l1", alpha=0.1, **PARAMS).fit(X, y) for kind in (make, theirs(make)))
    dense, predictions = model.coef_.copy(), model.predict(X)
    for one in (model, reference):
        one.sparsify()
    assert type(model.coef_) is type(reference.coef_)
    assert model.coef_.shape == reference.coef_.shape
    for one, rows in ((model, X), (model, sp.csr_array(X)), (pickle.loads(pickle.dumps(model)), X)):
        found = one.predict(rows)
        assert (found == predictions).all() if make is SGDClassifier else np.allclose(found, predictions, rtol=1e-12)
    # Training goes on from there.
    other = clone(model).fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(clone(model).fit(X, y).sparsify().partial_fit(X, y).coef_, other.coef_)
    np.testing.assert_array_equal(model.densify().coef_, dense)


# ---- parameters and labels -------------------------------------------------------------------------------------------

OTHER_VALUES = {
    "loss": "huber",
    "penalty": "elasticnet",
    "alpha": 0.5,
    "fit_intercept": False,
    "max_iter": 3,
    "shuffle": False,
    "random_state": 1,
    "learning_rate": "adaptive",
    "eta0": 0.02,
    "average": 50,
    "early_stopping": True,
    "optimizer": "sgd",
    "batch_size": 5,
    "sampling": "shuffle_once",
}
#: These take effect with others only.
TOGETHER = [
    ({"penalty": "elasticnet"}, {"l1_ratio": 0.9}),
    ({"loss": "huber"}, {"epsilon": 0.5}),
    ({"learning_rate": "invscaling"}, {"power_t": 0.9}),
    ({"early_stopping": True}, {"validation_fraction": 0.5}),
    ({"tol": 0.1, "max_iter": 100}, {"n_iter_no_change": 1}),
    ({"n_iter_no_change": 1, "max_iter": 100}, {"tol": 0.1}),
]


@over(("params", "change"), [*(({}, {name: value}) for name, value in OTHER_VALUES.items()), *TOGETHER], ids=str)
def test_a_changed_parameter_takes_effect(params, change):
    params = {**PARAMS, **params}
    model = SGDRegressor(**params).fit(X, Y)
    before = np.append(model.coef_, model.n_iter_)
    assert_same(model.set_params(**change).fit(X, Y), SGDRegressor(**{**params, **change}).fit(X, Y))
    assert not np.array_equal(np.append(model.coef_, model.n_iter_), before)


def test_partial_fit_checks_parameters_that_were_set_later():
    for make, y, classes in ((SGDRegressor, Y, ()), (SGDClassifier, TWO, (["no", "yes"],))):
        model = make(**PARAMS).partial_fit(X, y, *classes)
        for wrong in ({"alpha": -1}, {"loss": "unknown"}, {"learning_rate": "optimal", "alpha": 0}):
            before = model.get_params()
            with pytest.raises(ValueError, match=r"alpha|loss"):
                model.set_params(**wrong).partial_fit(X, y)
            model.set_params(**before)


LABELS = [np.array([-120, 5, 120], dtype) for dtype in (np.int8, np.int64, np.float32, np.float64)]
LABELS += [np.array(["x", "b", "cde"]), np.array(["x", "b", "cde"], object), np.array([False, True])]
LABELS += [np.array([low, low + 1, low + 900], np.uint64) for low in (0, 2**62, 2**63, 2**64 - 901)]


@over("labels", LABELS, ids=lambda labels: f"{labels.dtype}-{labels[0]}")
@over("n", [7, 3000])
def test_labels_of_any_type(labels, n):
    rng = np.random.default_rng(0)
    y = np.concatenate([labels, rng.choice(labels, n)])
    rows = rng.normal(size=(len(y), 3))
    model, reference = (kind(**PARAMS).fit(rows, y) for kind in (SGDClassifier, linear_model.SGDClassifier))
    np.testing.assert_array_equal(model.classes_, reference.classes_)
    assert model.classes_.dtype == reference.classes_.dtype
    np.testing.assert_array_equal(model.predict(rows), reference.predict(rows))


# ---- tools -----------------------------------------------------------------------------------------------------------


@over("params", [{}, {"average": True}, {"optimizer": "momentum"}], ids=str)
@over_kinds
def test_pickles_and_clones(make, y, params):
    model = make(**params, **PARAMS).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    for _ in range(2):
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
        assert_same(copy.partial_fit(X, y), model.partial_fit(X, y))
    unfitted = clone(model)
    assert vars(unfitted) == vars(make(**params, **PARAMS))
    assert_same(unfitted.fit(X, y), make(**params, **PARAMS).fit(X, y))


@over_kinds
def test_searches_and_pipelines(make, y):
    pipelines = [make_pipeline(StandardScaler(), kind(**PARAMS)) for kind in (make, theirs(make))]
    grid = {f"{make.__name__.lower()}__alpha": [1e-4, 0.1, 10.0], f"{make.__name__.lower()}__average": [False, 7]}
    ours, wanted = (GridSearchCV(one, grid, cv=2, error_score="raise").fit(X, y) for one in pipelines)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(ours.cv_results_[name], wanted.cv_results_[name], rtol=1e-9, atol=1e-12)
    assert ours.best_params_ == wanted.best_params_
    scores = [cross_val_score(one, X, y, cv=3, error_score="raise") for one in pipelines]
    np.testing.assert_allclose(*scores, rtol=1e-9)


@over("n_jobs", [2, -1])
def test_jobs_do_not_change_the_numbers(n_jobs):
    for params in ({}, {"average": True, "class_weight": "balanced"}, {"early_stopping": True}):
        one, many = (SGDClassifier(n_jobs=jobs, **params, **PARAMS).fit(X, THREE) for jobs in (None, n_jobs))
        assert_same(many, one)
        assert many.loss_curve_ == one.loss_curve_
    models = [SGDClassifier(n_jobs=jobs, random_state=0) for jobs in (None, n_jobs)]
    assert_same(*(model.partial_fit(X, THREE, classes=list("abc")) for model in models))


def test_metadata_are_routed_through_a_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        model = SGDRegressor(**PARAMS).set_fit_request(X_val=True, y_val=True, sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model, transform_input=["X_val"])
        pipeline.fit(5 * X[10:], Y[10:], sample_weight=WEIGHT[10:], X_val=5 * X[:10], y_val=Y[:10])
    rows = StandardScaler().fit(5 * X[10:])
    held_out = {"X_val": rows.transform(5 * X[:10]), "y_val": Y[:10]}
    assert_same(
        pipeline[-1], clone(model).fit(rows.transform(5 * X[10:]), Y[10:], sample_weight=WEIGHT[10:], **held_out)
    )


@over("library", [pd, pl], ids=["pandas", "polars"])
@over("early_stopping", [False, True])
@over_kinds
def test_data_frames(make, y, early_stopping, library):
    frame = library.DataFrame(dict(zip("abcd", X.T, strict=True)))
    model = make(early_stopping=early_stopping, **PARAMS)
    model.fit(frame, library.Series(y), sample_weight=library.Series(WEIGHT), X_val=frame, y_val=library.Series(y))
    reference = make(early_stopping=early_stopping, **PARAMS).fit(X, y, sample_weight=WEIGHT, X_val=X, y_val=y)
    assert_same(model, reference)
    model.fit(frame, library.Series(y))
    assert_same(model, reference.fit(X, y))
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_allclose(model.score(frame, y), reference.score(X, y), rtol=1e-12)
    for one, rows in ((model, frame), (reference, X)):
        one.set_params(early_stopping=False).partial_fit(rows, y)
    assert_same(model, reference)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a", "c", "d"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)
