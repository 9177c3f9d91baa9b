"""The parts of SVRG: its inner loop against plain NumPy, columns, subspaces."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize
from svrg_cases import Bump

from sksgd.core.batches import Block
from sksgd.core.descent import Margins
from sksgd.core.design import Design
from sksgd.core.subspace import Scores, Subspace
from sksgd.kernels import svrg as kernels
from sksgd.losses import Huber, LogLoss, Multinomial, Poisson, SquaredError
from sksgd.penalties import L1, L2, ElasticNet

over = pytest.mark.parametrize
rng = np.random.default_rng(0)
N, D, K = 50, 7, 2
ROWS = rng.normal(size=(N, D)) * (rng.random((N, D)) < [1.0, 1.0, 0.2, 0.1, 0.05, 0.2, 0.15])
WEIGHT = rng.uniform(0.1, 2.0, N)
BOUNDS = np.vstack([np.full(D, -0.2), np.full(D, 0.25)])


def targets(loss):
    if loss.joint:
        return rng.integers(0, K, (N, 1)).astype(float)
    return rng.integers(0, 2, (N, K)).astype(float) if loss.coding == "unit" else rng.uniform(0.5, 2.0, (N, K))


def gradients(loss, scores, y):
    if not loss.joint:
        return np.vectorize(loss.gradient)(scores, y)
    shares = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    return shares - (np.arange(K) == y)


def plain_loop(loss, ends, X, y, order, slopes, factor, w, b, step, drag):
    """Weights (K, D) and intercepts after the steps, and the sums of what they were after each."""
    w, b, sums = w.copy(), b.copy(), [0.0, 0.0]
    for r in order:
        moves = factor[r] * (gradients(loss, (w @ X[r] + b)[None], y[r : r + 1])[0] - slopes[r])
        w = ends(w - moves[:, None] * step[:-1] * X[r])
        b = b - step[-1] * moves - drag[:, -1]
        sums = [sums[0] + w, sums[1] + b]
    return w, b, *sums


CASES = [
    *((loss, L2(), False) for loss in (SquaredError(), Huber(), LogLoss(), Poisson(), Multinomial())),
    *((LogLoss(), penalty, bounded) for penalty in (L1(), Bump()) for bounded in (False, True)),
    (Multinomial(), ElasticNet(0.4), False),
]


@over(("loss", "penalty", "bounded"), CASES, ids=repr)
@over("n_dense", [D, 2, 0])
@over("python", [False, True])
def test_inner_loop(loss, penalty, bounded, n_dense, python):
    y, order = targets(loss), rng.integers(0, N, 120).astype(np.int32)
    w, b = 0.1 * rng.normal(size=(K, D)), rng.normal(size=K)
    mean = np.where(np.arange(D) < n_dense, ROWS.mean(axis=0), 0.0)
    X, factor = ROWS - mean, rng.uniform(0.5, 2.0, N)
    slopes = gradients(loss, X @ w.T + b, y)
    step, alpha = rng.uniform(0.005, 0.02, D + 1), rng.uniform(0.0, 0.5, D)
    alpha[3] = 0.0
    drag = 0.01 * rng.normal(size=(K, D + 1))
    bounds = BOUNDS if bounded else None
    pen, keep = (None, step[:-1] * alpha / (1 + step[:-1] * alpha)) if penalty.linear else (penalty, alpha)
    limits = (-np.inf, np.inf) if bounds is None else bounds

    def ends(w):
        if pen is None:
            return (1 - keep) * w - drag[:, :-1]
        return np.clip(np.vectorize(penalty.prox)(w - drag[:, :-1], step[:-1], alpha), *limits)

    expected = plain_loop(loss, ends, X, y, order, slopes, factor, w, b, step, drag)
    found = run(python, loss, pen, y, order, slopes, factor, w, b, mean, step, keep, drag, bounds, n_dense)
    if n_dense < D and pen is not None and type(pen) is not Bump:
        return check_rest(pen, alpha, bounds)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-12)
    if pen is None:
        np.testing.assert_allclose(found[2], expected[2], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[3], expected[3], rtol=1e-9, atol=1e-12)
    return None


def run(python, loss, pen, y, order, slopes, factor, w, b, mean, step, keep, drag, bounds, m):
    """The kernel's weights and intercepts, and their sums, with the first m columns dense."""
    dense = (np.ascontiguousarray(ROWS[:, :m]), mean[:m], step[:m], keep[:m], w[:, :m].copy(), np.zeros((K, m)))
    columns = kernels.Columns(*dense, drag[:, :m].copy())
    records = np.zeros((D, 3 * K + kernels.EXTRA))
    records[:, :K], records[:, 2 * K : 3 * K] = w.T, drag[:, :-1].T
    records[:, 3 * K + 1], records[:, 3 * K + 2] = step[:-1], keep
    records[:, 3 * K + 3] = np.log1p(-keep) if pen is None else 0.0
    bias, rows = np.stack([b, np.zeros(K), drag[:, -1]]), None
    if m < D:
        rows = Block(sp.csr_array(ROWS * (np.arange(D) >= m)), y).rows
    inner_loop = kernels.inner_loop.py_func if python else kernels.inner_loop
    work = kernels.Work(y, order, slopes, factor)
    inner_loop(loss, pen, work, columns, rows, records, bias, step[-1], bounds)
    w = np.column_stack([columns.w, records[m:, :K].T])
    return w, bias[0], np.column_stack([columns.total, records[m:, K : 2 * K].T]), bias[1]


def check_rest(penalty, alpha, bounds):
    """Weights at their minimum stay there, however long."""
    limits = (-np.inf, np.inf) if bounds is None else (-0.2, 0.25)
    for drag in (-0.5, -0.05, 0.0, 0.02, 0.3):  # step times gradient, with a step of 1
        target = minimize(
            lambda w, drag=drag: drag * w[0] + 0.5 * (w[0] - 0.1) ** 2 + penalty.value(w[0], 0.3),
            [0.1], bounds=[limits], method="Powell", options={"xtol": 1e-12, "ftol": 1e-15},
        ).x[0]  # fmt: skip
        w, slope = target, drag + target - 0.1
        bound = None if bounds is None else np.array([[-0.2], [0.25]])
        for k in (1, 7, 1000):
            end = kernels.idle(penalty, w, float(k), 0.01 * slope, 0.01, 0.3, 0.0, bound, 0)[0]
            assert end == pytest.approx(w, abs=1e-6)


@over("keep", [0.0, 1e-9, 1e-4, 0.02, 0.7])
def test_idle_steps_as_one(keep):
    w, drag, total = 0.7, -0.03, 0.0
    for k in range(1, 2001):
        w = (1 - keep) * w - drag
        total += w
        if k in (1, 2, 5, 90, 2000):
            found = kernels.idle(None, 0.7, float(k), drag, 0.1, keep, np.log1p(-keep), None, 0)
            np.testing.assert_allclose(found, (w, total), rtol=1e-9)


# ---- columns ---------------------------------------------------------------------------------------------------------


@over("X", [ROWS, sp.csr_array(ROWS), sp.csr_array(np.hstack([ROWS * 0, ROWS])), sp.csr_array((N, 3)), ROWS[:, :0]])
@over("weight", [None, WEIGHT, np.where(WEIGHT < 1, 0.0, WEIGHT)])
@over("centre", [True, False])
def test_design(X, weight, centre):
    design = Design.of(Block(X, np.zeros((N, 1)), weight), centre)
    rows = X.toarray() if sp.issparse(X) else X
    share = np.ones(N) if weight is None else weight
    rows, share = rows[share > 0], share[share > 0] / share.sum()
    assert design.split.width == (rows != 0).any(axis=0).sum()
    assert design.n == len(rows)
    Z = design.split.inwards(rows)
    mean = share @ Z
    dense = np.arange(design.split.width) < design.split.n_dense
    np.testing.assert_allclose(design.mean, np.where(dense, mean, 0.0) if centre else 0.0, atol=1e-14)
    Z = Z - design.mean
    np.testing.assert_allclose(design.square, share @ Z**2, rtol=1e-12)
    w = rng.normal(size=(3, design.split.width))
    np.testing.assert_allclose(design.products(w), Z @ w.T, atol=1e-12)
    np.testing.assert_allclose(design.norms(w[0]), Z**2 @ w[0], atol=1e-12)
    slopes, bends = rng.normal(size=(2, len(rows), K))
    np.testing.assert_allclose(design.sums(slopes), slopes.T @ Z, atol=1e-12)
    np.testing.assert_allclose(design.square_sums(bends), bends.T @ Z**2, atol=1e-12)
    others = 9.0
    back = design.split.outwards(w[:1], others)
    np.testing.assert_array_equal(design.split.inwards(back), w[:1])
    assert (back == 9.0).sum() == X.shape[1] - design.split.width


def test_constant_columns_have_no_size():
    X = np.column_stack([ROWS[:, 0], np.full(N, 1e9 / 3), np.full(N, 1e-20)])
    assert (Design.of(Block(X, np.zeros((N, 1))), True).square[1:] == 0).all()


# ---- subspaces -------------------------------------------------------------------------------------------------------


@over("loss", [SquaredError(), Huber(0.3), LogLoss(), Poisson(), Multinomial()], ids=repr)
@over("weight", [None, WEIGHT])
def test_the_minimum_over_a_subspace(loss, weight):
    y, m = targets(loss), 3
    margins, share = Margins(loss, y, weight, K), WEIGHT if weight is not None else np.ones(N)
    w, steps, strength = rng.normal(size=(K, D)), rng.normal(size=(m, K, D)), rng.uniform(0.0, 0.1, D)
    scores, moves = ROWS @ w.T, np.stack([ROWS @ step.T for step in steps])
    space = space_at(margins, w, steps, moves, strength)
    a = np.zeros((1 if loss.joint else K, m))
    for _ in range(10):  # each is one Newton step at least
        a += space_from(margins, w, steps, moves, strength, a).minimise(scores + space.move(a))
    np.testing.assert_allclose(space.move(a), ROWS @ space.step(a).T, atol=1e-12)

    def objective(a):
        by = a.reshape(-1, m)
        at = w + (np.tensordot(by[0], steps, 1) if loss.joint else np.einsum("km,mkd->kd", by, steps))
        p = ROWS @ at.T
        if loss.joint:
            losses = np.log(np.exp(p).sum(axis=1)) - p[np.arange(N), y[:, 0].astype(int)]
        else:
            losses = np.vectorize(loss.value)(p, y).sum(axis=1)
        return share @ losses / share.sum() + 0.5 * (strength * at**2).sum()

    best = minimize(objective, np.zeros(a.size), method="BFGS", options={"gtol": 1e-9})
    assert objective(a.ravel()) <= best.fun + 1e-9 * abs(best.fun)


def space_at(margins, w, steps, moves, strength):
    """Moves are given times the sizes of the directions."""
    sizes = np.array([2.0, 0.5, 3.0])
    moves = list(moves * sizes[:, None, None])
    return Subspace(Scores(margins), margins.loss, margins.mass, steps, moves, sizes, strength * w, strength)


def space_from(margins, w, steps, moves, strength, a):
    at = w + space_at(margins, w, steps, moves, strength).step(a)
    return space_at(margins, at, steps, moves, strength)
