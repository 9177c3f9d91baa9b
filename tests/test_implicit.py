"""Standardised, implicit, averaged SGD: its formulas."""

import numpy as np
import pytest
import scipy.sparse as sp
from components import LOSS_ROWS
from implicit_cases import problem_of
from implicit_loop import Loop
from scipy.optimize import minimize_scalar

from sksgd import track as at
from sksgd.kernels import implicit as kernels
from sksgd.kernels.dense import Work
from sksgd.kernels.response import response
from sksgd.kernels.rows import CSR
from sksgd.losses import LogLoss, SquaredError
from sksgd.penalties import L1, L2, ElasticNet, NoPenalty

over = pytest.mark.parametrize


# ---- formulas --------------------------------------------------------------------------------------------------------


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

    rule = at.Rule(
        loss, penalty, alpha, penalty.value(2.0, alpha) - 2 * penalty.value(1.0, alpha), None, fit_intercept, False,
        7.0, 2 / 3, 30.0,
    )  # fmt: skip
    track = at.Track(
        np.zeros(m), np.zeros(m), np.zeros(m), np.zeros((2, 1, m)), np.zeros((d if n_sparse else 0, 5)),
        np.zeros((at.N_LINES, 1)), np.zeros(at.N_SUMS),
    )  # fmt: skip
    track.outputs[at.BEND] = loss.max_curvature
    dense, others = np.ascontiguousarray(X[:, :m]), None
    if n_sparse:
        rest = sp.csr_array(X * (np.arange(d) >= m))
        others = CSR(rest.data, rest.indices.astype(np.uint32), rest.indptr)
    how = (lambda kernel: kernel) if compiled else (lambda kernel: kernel.py_func)
    how(kernels.moments)(rule.ridge, fit_intercept, dense, others, np.arange(known, dtype=np.int32), s, track)
    # Deviating moments of equal rows would show here.
    work = Work(y.reshape(-1, 1), order, s)
    assert how(kernels.walk)(rule, dense, others, work, 0, n, running, True, track) == n
    np.testing.assert_allclose(track.weights[0, 0], plain.w[:m], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(track.weights[1, 0], plain.mean_w[:m], rtol=1e-9, atol=1e-12)
    centre = track.mean if fit_intercept else np.zeros(m)
    raw = track.outputs[:2, 0] - [track.weights[0, 0] @ centre, track.weights[1, 0] @ centre]
    np.testing.assert_allclose(raw, [plain.b, plain.mean_b] if fit_intercept else 0.0, rtol=1e-9, atol=1e-9)
    if n_sparse:
        np.testing.assert_allclose(track.records[m:, at.HEAD], plain.w[m:], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(track.records[m:, at.WHEN], plain.touched[m:], rtol=1e-9)


@over("row", [row for row in LOSS_ROWS if row.convex and not row.loss.joint], ids=lambda row: repr(row.loss))
def test_the_response_is_the_proximal_step(row):
    """With u the move goes to the minimum of share l(p) + (p - p0)^2/(2 reach)."""
    for y in row.valid:
        for p in (-3.0, -0.4, 0.0, 1.1, 2.5):
            for reach in (1e-3, 0.3, 1.0, 40.0):
                u = response(row.loss, p, y, 0, 0.0, reach, 1.5, False)

                def cost(z, p=p, y=y, reach=reach):
                    return 1.5 * row.loss.value(float(z), y) + (z - p) ** 2 / (2 * reach)

                edge = min(1.5 * abs(row.loss.gradient(p, y)) * reach + 1e-9, 10.0 if row.loss.link == "log" else 1e9)
                best = minimize_scalar(cost, bounds=(p - edge, p + edge), method="bounded", options={"xatol": 1e-12})
                assert cost(p - reach * u) <= best.fun + 1e-9 * (1 + abs(best.fun))
