"""Standardised, implicit, averaged SGD: its formulas, streams, what is invisible."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from components import LOSS_ROWS
from estimators import assert_same
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit_loop import Loop
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core.problem import Problem
from sksgd.kernels import implicit as kernels
from sksgd.kernels.dense import Work
from sksgd.kernels.rows import CSR
from sksgd.losses import LogLoss, SquaredError
from sksgd.optimizers import ImplicitSGD
from sksgd.penalties import L1, L2, ElasticNet, NoPenalty

over = pytest.mark.parametrize
rng = np.random.default_rng(0)
N = 1500
DENSE = rng.normal(size=(N, 4)) * [1e-3, 1.0, 10.0, 1e4] + [0.0, -2.0, 300.0, 1e5]
SPARSE = sp.random_array((N, 8), density=0.1, rng=rng, format="csr")
MIXED = sp.csr_array(sp.hstack([DENSE, SPARSE]))
SIGNAL = (DENSE - DENSE.mean(axis=0)) / DENSE.std(axis=0) @ [1.0, -1.0, 0.5, 0.0] + SPARSE @ rng.normal(size=8)
NUMBERS = 3.0 + SIGNAL + 0.5 * rng.normal(size=N)
CLASSES = np.digitize(SIGNAL + 0.5 * rng.logistic(size=N), [-1.0, 1.0])
ROW_WEIGHTS = rng.uniform(0.0, 2.0, N).round(1)  # some are 0


def regressor(loss="squared_error", **params):
    return LinearRegressor(loss, optimizer="implicit", **params)


def classifier(**params):
    return LogisticClassifier(optimizer="implicit", **params)


CASES = {
    "squares": (regressor(), NUMBERS),
    "two targets": (regressor("huber"), np.column_stack([NUMBERS, 1e3 * SIGNAL])),
    "quantile": (regressor("quantile"), NUMBERS),
    "lasso": (regressor(penalty="l1", alpha=1e-2), NUMBERS),
    "counts": (regressor("poisson", penalty="elasticnet"), np.floor(np.exp(np.clip(SIGNAL, -3, 3)))),
    "two classes": (classifier(), CLASSES > 0),
    "three classes": (classifier(), CLASSES),
}
ROWS = {"dense": MIXED.toarray(), "csr": MIXED}


def learn(model, X, y, edges, weight=ROW_WEIGHTS, visit=lambda model: model):
    """A clone that has seen these rows in parts."""
    model = clone(model)
    classes = {"classes": np.unique(y)} if hasattr(model, "predict_proba") else {}
    for part in np.split(np.arange(X.shape[0]), edges):
        model = visit(model.partial_fit(X[part], y[part], sample_weight=weight[part], **classes))
    return model


# ---- formulas --------------------------------------------------------------------------------------------------------


def problem_of(loss, penalty, alpha, fit_intercept):
    return Problem(loss, penalty, alpha, ImplicitSGD(), None, None, 1, None, fit_intercept)


@over("compiled", [True, False])
@over("n_sparse", [0, 3, 5])
@over("running", [True, False])
@over(
    ("loss", "penalty", "alpha", "fit_intercept"),
    [
        (SquaredError(), L2(), 0.1, True),
        (LogLoss(), ElasticNet(0.5), 0.05, True),
        (LogLoss(), L1(), 0.02, False),
        (SquaredError(), NoPenalty(), 0.0, False),
    ],
)
def test_the_kernel_is_the_formulas(loss, penalty, alpha, fit_intercept, running, n_sparse, compiled):
    r = np.random.default_rng(1)
    n, d, known = 60, 5, 20
    m = d - n_sparse
    X = r.normal(size=(n, d)) * [1.0, 2.0, 0.1, 5.0, 1.0] + [0.0, 3.0, 1.0, 0.0, 0.0]
    X[:, m:] *= r.random((n, n_sparse)) < 0.4
    y, s = (X[:, 0] > 0).astype(float), r.uniform(0.5, 2.0, n)
    problem, order = problem_of(loss, penalty, alpha, fit_intercept), r.permutation(n).astype(np.int32)

    plain = Loop(problem, n_sparse, loss.max_curvature, 0.0, pace=7.0, caution=30.0)
    for i in range(known):
        plain.moments(X[i], s[i])
    for i in order:
        plain.learn(X[i], y[i], s[i], running)

    rule = kernels.Rule(
        loss, penalty, alpha, penalty.value(2.0, alpha) - 2 * penalty.value(1.0, alpha), None, fit_intercept, False,
        7.0, 2 / 3, 30.0,
    )  # fmt: skip
    track = kernels.Track(
        np.zeros(m), np.zeros(m), np.zeros(m), np.zeros((2, 1, m)), np.zeros((d if n_sparse else 0, 5)),
        np.zeros((kernels.N_LINES, 1)), np.zeros(kernels.N_SUMS),
    )  # fmt: skip
    track.outputs[kernels.BEND] = loss.max_curvature
    dense, others = np.ascontiguousarray(X[:, :m]), None
    if n_sparse:
        rest = sp.csr_array(X * (np.arange(d) >= m))
        others = CSR(rest.data, rest.indices.astype(np.uint32), rest.indptr)
    how = (lambda kernel: kernel) if compiled else (lambda kernel: kernel.py_func)
    how(kernels.moments)(rule, dense, others, np.arange(known, dtype=np.int32), s, track)
    # Deviating moments of equal rows would show here.
    work = Work(y.reshape(-1, 1), order, s)
    assert how(kernels.walk)(rule, dense, others, work, 0, n, running, True, track) == n
    np.testing.assert_allclose(track.weights[0, 0], plain.w[:m], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(track.weights[1, 0], plain.mean_w[:m], rtol=1e-9, atol=1e-12)
    centre = track.mean if fit_intercept else np.zeros(m)
    raw = track.outputs[:2, 0] - [track.weights[0, 0] @ centre, track.weights[1, 0] @ centre]
    np.testing.assert_allclose(raw, [plain.b, plain.mean_b] if fit_intercept else 0.0, rtol=1e-9, atol=1e-9)
    if n_sparse:
        np.testing.assert_allclose(track.records[m:, kernels.HEAD], plain.w[m:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(track.records[m:, kernels.WHEN], plain.touched[m:], rtol=1e-9)


@over("row", [row for row in LOSS_ROWS if row.convex and not row.loss.joint], ids=lambda row: repr(row.loss))
def test_the_response_is_the_proximal_step(row):
    """With u the move goes to the minimum of share l(p) + (p - p0)^2/(2 reach)."""
    for y in row.valid:
        for p in (-3.0, -0.4, 0.0, 1.1, 2.5):
            for reach in (1e-3, 0.3, 1.0, 40.0):
                u = kernels.response(row.loss, p, y, 0, 0.0, reach, 1.5, False)

                def cost(z, p=p, y=y, reach=reach):
                    return 1.5 * row.loss.value(float(z), y) + (z - p) ** 2 / (2 * reach)

                edge = min(1.5 * abs(row.loss.gradient(p, y)) * reach + 1e-9, 300.0 if row.loss.link == "identity" else 10.0)
                best = minimize_scalar(cost, bounds=(p - edge, p + edge), method="bounded", options={"xatol": 1e-12})
                assert cost(p - reach * u) <= best.fun + 1e-9 * (1 + abs(best.fun))


# ---- a stream --------------------------------------------------------------------------------------------------------


@over("rows", ROWS)
@over("case", CASES)
@settings(max_examples=8, deadline=None)
@given(edges=st.sets(st.integers(1, N - 1), max_size=6).map(sorted), dtype=st.sampled_from([np.float64, np.float32]))
def test_chunks_do_not_matter(case, rows, edges, dtype):
    (model, y), X = CASES[case], ROWS[rows].astype(dtype)
    assert_same(learn(model, X, y, edges), learn(model, X, y, []), rtol=1e-10)


@over("rows", ROWS)
@over("case", CASES)
def test_looking_and_pickling_do_not_matter(case, rows):
    (model, y), X = CASES[case], ROWS[rows]

    def look(model):
        model.predict(X[:2])
        return pickle.loads(pickle.dumps(model))

    edges = [*range(1, 130, 7), 500, 1100]
    whole = learn(model, X, y, [])
    assert_same(learn(model, X, y, edges, visit=look), whole, rtol=1e-10)
    assert whole.n_samples_seen_ == np.count_nonzero(ROW_WEIGHTS)


def test_few_rows_of_many_columns_wait_and_count():
    wide = sp.random_array((400, 30_000), density=1e-3, rng=np.random.default_rng(2), format="csr")
    y = np.asarray(wide.sum(axis=1))
    whole, model = regressor().partial_fit(wide, y), regressor()
    for part in np.split(np.arange(400), range(1, 400, 3)):
        model.partial_fit(wide[part], y[part])
    assert model._state.memory.waiting
    assert_same(model, whole, rtol=1e-10)


def test_arrays_of_the_caller_may_change_between_calls():
    for n in (30, 300):
        rows, y = MIXED[:n].copy(), NUMBERS[:n].copy()
        model = regressor().partial_fit(rows, y)
        rows.data[:], y[:] = 0.0, 0.0
        assert_same(model, regressor().partial_fit(MIXED[:n], NUMBERS[:n]))
