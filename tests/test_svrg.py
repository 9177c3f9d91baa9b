"""SVRG: solutions, weights of rows, hard data."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from components import LOSS_ROWS
from estimators import assert_same, weights
from newton_cases import MANY, NUMBERS, ROW_WEIGHTS, SIGNAL, LogCosh, N, objective
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from svrg_cases import CASES, SPARSE, TARGET, Bump, classifier, regressor

from sksgd import LogisticClassifier
from sksgd.losses import Huber

over = pytest.mark.parametrize

rng = np.random.default_rng(6)


# ---- solutions -------------------------------------------------------------------------------------------------------


@over("sparse", [False, True])
@over("fit_intercept", [False, True])
def test_ridge_of_scikit_learn(sparse, fit_intercept):
    rows = SPARSE if sparse else SPARSE.toarray()
    y = np.column_stack([TARGET, TARGET**2])
    ours = regressor(alpha=1e-3, tol=1e-14, fit_intercept=fit_intercept).fit(rows, y)
    theirs = Ridge(alpha=0.4, fit_intercept=fit_intercept, solver="svd").fit(SPARSE.toarray(), y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(rows), theirs.predict(rows), atol=1e-6)


@over("n_classes", [2, 3])
@over("sparse", [False, True])
def test_logistic_regression_of_scikit_learn(n_classes, sparse):
    rows, y = SPARSE if sparse else SPARSE.toarray(), np.digitize(TARGET, [0.0, 0.5][: n_classes - 1])
    ours = classifier(alpha=1e-3, tol=1e-13).fit(rows, y)
    theirs = LogisticRegression(C=2.5, solver="newton-cg", tol=1e-10, max_iter=1000).fit(rows, y)
    np.testing.assert_allclose(ours.predict_proba(rows), theirs.predict_proba(rows), atol=1e-6)


@over("sparse", [False, True])
@over("l1_ratio", [1.0, 0.5])
def test_elastic_net_of_scikit_learn(sparse, l1_ratio):
    rows, params = SPARSE if sparse else SPARSE.toarray(), {"alpha": 0.003, "l1_ratio": l1_ratio}
    theirs = ElasticNet(**params, tol=1e-13, max_iter=100_000).fit(rows, TARGET)
    ours = regressor(penalty="elasticnet", **params, tol=1e-12).fit(rows, TARGET)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert ((ours.coef_ == 0) == (theirs.coef_ == 0)).all()
    assert 10 < (ours.coef_ != 0).sum() < 200
    same = regressor(penalty=Bump(), alpha=0.003, tol=1e-12).fit(rows, TARGET)
    if l1_ratio == 1.0:
        np.testing.assert_allclose(same.coef_, theirs.coef_, atol=1e-6)


@over("sparse", [False, True])
def test_bounds_and_positive(sparse):
    rows = SPARSE if sparse else SPARSE.toarray()
    theirs = ElasticNet(alpha=0.003, l1_ratio=0.5, positive=True, tol=1e-13, max_iter=100_000).fit(rows, TARGET)
    params = {"penalty": "elasticnet", "alpha": 0.003, "l1_ratio": 0.5, "tol": 1e-12}
    np.testing.assert_allclose(regressor(**params, positive=True).fit(rows, TARGET).coef_, theirs.coef_, atol=1e-6)
    model = regressor(alpha=1e-3, bounds=(-0.3, 0.2), tol=1e-12).fit(rows, TARGET)
    slope = rows.T @ (model.predict(rows) - TARGET) / 400 + 1e-3 * model.coef_
    low, high = model.coef_ == -0.3, model.coef_ == 0.2
    assert low.sum() > 3
    assert high.sum() > 3
    assert (slope[low] > -1e-6).all()
    assert (slope[high] < 1e-6).all()
    assert np.abs(slope[~(low | high)]).max() < 1e-5


SMOOTH = [row.loss for row in LOSS_ROWS if row.loss.smooth and row.loss.coding in ("value", "unit") and row.convex]


@over("loss", [*SMOOTH, Huber(1e-2), LogCosh(), LogCosh(0.1)], ids=repr)
def test_optimality(loss):
    """Two targets are at their minimum, by the gradient in coordinates of size 1."""
    y = np.column_stack([NUMBERS, SIGNAL])
    y = np.exp(np.clip(y / 2, -4, 4)) if loss.link == "log" else y
    y = 1 / (1 + np.exp(-y)) if loss.link == "logit" else y
    model = regressor(loss, alpha=1e-3, tol=1e-13).fit(MANY, y, sample_weight=ROW_WEIGHTS)
    scores, share = MANY @ model.coef_.T + model.intercept_, ROW_WEIGHTS / ROW_WEIGHTS.sum()
    slopes = np.vectorize(loss.gradient)(scores, y) * share[:, None]
    ahead = (slopes.T @ (MANY - MANY.mean(axis=0)) + 1e-3 * model.coef_) / MANY.std(axis=0)
    assert np.abs(ahead).max() < 1e-5 * np.abs(slopes).sum()
    assert np.abs(slopes.sum(axis=0)).max() < 1e-5 * np.abs(slopes).sum()
    assert (np.diff(model.loss_curve_) <= 0).all()


@over("case", CASES)
def test_the_objective_is_that_of_the_weights(case):
    model, y = CASES[case]
    for tol in (1e-2, 1e-10):
        fitted = clone(model).set_params(tol=tol).fit(MANY, y, sample_weight=ROW_WEIGHTS)
        assert fitted.loss_curve_[-1] == pytest.approx(objective(fitted, MANY, y, ROW_WEIGHTS), rel=1e-11)
        assert fitted.stop_reason_ == "the objective is within tol of its minimum, by the estimate in optimality_gap_"


@over("load", [load_breast_cancer, load_digits])
@over("alpha", [1e-2, 1e-4])
def test_the_gap_is_no_larger_than_it_says(load, alpha):
    rows, y = load(return_X_y=True)
    best = LogisticClassifier(optimizer="newton", alpha=alpha, tol=1e-12).fit(rows, y).loss_curve_[-1]
    for tol in (1e-2, 1e-4, 1e-6):
        model = classifier(alpha=alpha, tol=tol, max_iter=300).fit(rows, y)
        assert model.loss_curve_[-1] / best - 1 <= tol
        assert model.optimality_gap_ <= tol


def test_alpha_by_feature():
    alpha = rng.uniform(0.0, 0.1, 300)
    dense = SPARSE.toarray()
    Z = dense - dense.mean(axis=0)
    coef = np.linalg.solve(Z.T @ Z / 400 + np.diag(alpha), Z.T @ (TARGET - TARGET.mean()) / 400)
    for rows in (dense, SPARSE):
        np.testing.assert_allclose(regressor(alpha=alpha, tol=1e-13).fit(rows, TARGET).coef_, coef, atol=1e-5)


# ---- rows ------------------------------------------------------------------------------------------------------------


@over("case", CASES)
def test_weights_are_repetitions(case):
    model, y = CASES[case]
    times = np.random.default_rng(2).integers(0, 4, 400)
    rows, repeated = MANY[:400], np.repeat(np.arange(400), times)
    model = clone(model).set_params(alpha=1e-2, tol=1e-13)
    weighted = clone(model).fit(rows, y[:400], sample_weight=times)
    plain = clone(model).fit(rows[repeated], y[repeated])
    assert weighted.loss_curve_[-1] == pytest.approx(plain.loss_curve_[-1], rel=1e-10)
    np.testing.assert_allclose(scores(weighted, rows), scores(plain, rows), atol=1e-4)


def scores(model, rows):
    return model.decision_function(rows) if hasattr(model, "classes_") else model.predict(rows)


@over("case", CASES)
@over("n", [1, 3, 400])
def test_rows_without_weight_are_not_there(case, n):
    model, y = CASES[case]
    model = clone(model).set_params(max_iter=3, tol=None)
    weight = np.where(np.arange(400) % 3 == 0, 0.0, ROW_WEIGHTS[:400] + 0.1)
    there = np.flatnonzero(weight)
    odd = MANY[:400].copy()
    odd[::3] = 1e30
    assert_same(
        model.fit(odd, y[:400], sample_weight=weight),
        clone(model).fit(MANY[there], y[there], sample_weight=weight[there]),
        rtol=1e-9,
    )


@over("kind", [sp.csr_array, sp.csr_matrix, sp.csc_array])
@over("dtype", [np.float32, np.float64])
@over("wide", [False, True])
def test_kinds_of_sparse_rows(kind, dtype, wide):
    rows = kind(SPARSE, dtype=dtype)
    if wide:
        rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    model = regressor(alpha=1e-2, tol=1e-10).fit(rows, TARGET)
    assert model.coef_.dtype == dtype
    exact = regressor(alpha=1e-2, tol=1e-12).fit(SPARSE.toarray(), TARGET)
    np.testing.assert_allclose(model.predict(rows), exact.predict(SPARSE), atol=1e-4)


@over("case", CASES)
def test_float32(case):
    model, y = CASES[case]
    single = clone(model).fit(MANY.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    best = clone(model).set_params(tol=1e-12).fit(MANY, y).loss_curve_[-1]
    assert objective(single, MANY, y, np.ones(N)) / best - 1 < 2e-4


def test_features_without_values():
    rows = sp.csr_array(sp.hstack([SPARSE, sp.csr_array((400, 1000)), SPARSE[:, :5]]))
    start = rng.normal(size=1305)
    model = regressor(alpha=1e-2, tol=1e-12).fit(rows, TARGET, coef_init=start)
    assert (model.coef_[300:1300] == 0).all()
    np.testing.assert_allclose(model.coef_[:5], model.coef_[1300:], atol=1e-4)
    np.testing.assert_array_equal(
        regressor(alpha=0.0, max_iter=2, tol=None).fit(rows, TARGET, coef_init=start).coef_[300:1300], start[300:1300]
    )
    bounded = regressor(alpha=1e-2, bounds=(0.1, 1.0)).fit(rows, TARGET)
    assert (bounded.coef_[300:1300] == 0.1).all()
    assert bounded.loss_curve_[-1] == pytest.approx(
        0.5 * np.mean((bounded.predict(rows) - TARGET) ** 2) + 0.5e-2 * np.sum(bounded.coef_**2), rel=1e-10
    )


def hard():
    rows = rng.normal(size=(120, 6))
    y = rows @ rng.normal(size=6) + rng.normal(size=120)
    yield "constant columns", np.column_stack([rows, np.full(120, 7.0), np.full(120, 1e9 / 3), np.zeros(120)]), y
    yield "zero rows", np.vstack([rows, np.zeros((30, 6))]), np.append(y, np.ones(30))
    yield "repeated rows", np.repeat(rows[:6], 20, axis=0), np.repeat(y[:6], 20)
    yield "offsets", rows + 1e8, y
    yield "large targets", rows, 1e8 * (1 + y)
    yield "scales", rows * 10.0 ** np.array([-20, -9, -1, 2, 5, 9]), y
    yield "wilder scales", rows * 10.0 ** np.array([-200, -90, -1, 2, 70, 120]), y
    yield "fewer rows than columns", rng.normal(size=(15, 60)), y[:15]
    yield "tails", rng.standard_t(1.1, size=(120, 6)), rng.standard_t(1.1, size=120)
    yield "collinear", np.column_stack([rows, rows, rows[:, 0] + 1e-9]), y
    yield "nothing", np.zeros((20, 3)), y[:20]
    yield "one row", rows[:1], y[:1]
    yield "constant target", rows, np.ones(120)
    yield "sparse", SPARSE * 1e-20, TARGET
    yield "sparse nothing", sp.csr_array((20, 5)), y[:20]


@over(("name", "rows", "y"), list(hard()), ids=lambda value: value if isinstance(value, str) else "")
@over(
    "params",
    [{}, {"alpha": 0.0}, {"fit_intercept": False}, {"penalty": "l1"}, {"bounds": (0.0, 0.5)}, {"loss": "huber"}],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_hard_data(name, rows, y, params):
    model = regressor(**params, max_iter=8).fit(rows, y)
    assert np.isfinite(weights(model)).all()
    curve = np.array(model.loss_curve_)
    assert (np.diff(curve) <= 1e-12 * np.abs(curve[1:])).all()
    centre = np.median(y) if params.get("loss") == "huber" else y.mean()
    loss = np.vectorize(Huber().value if params.get("loss") == "huber" else lambda p, t: 0.5 * (p - t) ** 2)
    constant = loss(centre if params.get("fit_intercept", True) else 0.0, y).mean()
    assert curve[-1] <= constant * (1 + 1e-9) + 1e-20
    if "wilder" not in name:
        assert loss(model.predict(rows), y).mean() <= constant * (1 + 1e-6) + 1e-10 * np.abs(y).max() ** 2
    labels = y > np.median(y)
    if labels.any() and "loss" not in params:
        model = classifier(**params, max_iter=8).fit(rows, labels)
        assert np.isfinite(weights(model)).all()
        assert model.loss_curve_[-1] <= math.log(2) + 1e-12
