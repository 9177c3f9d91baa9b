"""Groups of rows, blocks of four and strips of columns: every size that leaves something over."""

import numpy as np
import pytest
import scipy.sparse as sp
from components import PAIRS
from runs import check, first_state, make_orders, make_problem, make_rows, make_targets, make_weights, read, run
from scipy.special import softmax

from sksgd.averaging import PolyakRuppert
from sksgd.core import pass_
from sksgd.core.batches import Block
from sksgd.kernels.groups import GROUP
from sksgd.kernels.rows import LONG
from sksgd.kernels.scalars import log
from sksgd.losses import Multinomial
from sksgd.schedules import Constant

over = pytest.mark.parametrize
over_layouts = over("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
FIELDS = {"schedule": Constant(1e-3)}
COUNTS = [1, 3, 4, GROUP, 2 * GROUP + 6]
WIDTHS = [2, 7, 9, 100, LONG, LONG + 1, 2 * LONG]


def problem_of(name, n, d, K, **fields):
    """A problem and the arguments of `check` for so many rows, features and outputs."""
    X = make_rows(n, d)
    return make_problem(*PAIRS[name], **{**FIELDS, **fields}), X, make_targets(X, K), make_weights(n), make_orders(n)


@over_layouts
@over("K", [1, 2, 3])
def test_batches_of_any_number_of_rows(K, layout):
    for n in COUNTS:
        for batch_size in (None, GROUP + 5):
            problem, X, *rest = problem_of("momentum, l1", n, 6, K, batch_size=batch_size)
            check(problem, layout(X), *rest)


@over("K", [1, 3])
def test_rows_of_any_width(K):
    for d in WIDTHS:
        for batch_size in (1, 7):
            check(*problem_of("momentum, l1", 11, d, K, batch_size=batch_size))


@over_layouts
@over("batch_size", [1, GROUP + 5, None])
def test_classes_of_a_joint_loss_in_groups(batch_size, layout):
    problem, X, *rest = problem_of("sgd, l2", 2 * GROUP + 6, 6, 3, batch_size=batch_size, loss=Multinomial())
    y = np.random.default_rng(7).integers(0, 3, (len(X), 1)).astype(float)
    check(problem, layout(X), y, *rest[1:], lambda p, y: softmax(p, axis=1) - (y == np.arange(3)))
    # The objective of all rows, with scores that are large and far apart.
    coef, intercept = np.random.default_rng(8).normal(size=(3, 6)) * 300, np.array([0.5, -900.0, 20.0])
    block = Block(layout(X), y, rest[1])
    scores = X @ coef.T + intercept
    scores -= scores.max(axis=1, keepdims=True)
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(len(X)), y[:, 0].astype(int)]
    wanted = np.average(losses, weights=rest[1])
    assert problem.mean_loss(block, coef, intercept) == pytest.approx(wanted, rel=1e-13)


@over_layouts
@over("batch_size", [7, GROUP + 5])
def test_float32_is_near_float64_in_groups(batch_size, layout):
    for K in (1, 2, 3):
        problem, X, *rest = problem_of("momentum, l1", 2 * GROUP + 6, 6, K, batch_size=batch_size)
        single, double = (run(problem, layout(X), *rest, dtype)[-1] for dtype in (np.float32, np.float64))
        assert single[0].dtype == np.float32
        np.testing.assert_allclose(single[0], double[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(single[1], double[1], rtol=1e-4, atol=1e-5)


@over_layouts
@over("bad", [np.nan, np.inf])
def test_nothing_of_a_batch_with_a_prediction_that_is_not_finite_is_applied(bad, layout):
    n, size = 3 * GROUP, GROUP + 5
    problem, X, y, weight, _ = problem_of("momentum, l1", n, 6, 2, batch_size=size, averaging=PolyakRuppert())
    X[size + GROUP + 2] = bad  # in the second group of the second batch, between others
    assert_stops(problem, layout(X), y, weight, size)


@over("bad", [np.nan, np.inf])
def test_nothing_of_a_row_with_a_prediction_that_is_not_finite_is_applied(bad):
    for K in (1, 3):
        problem, X, y, weight, _ = problem_of("momentum, l1", 40, 6, K)
        X[17] = bad
        assert_stops(problem, X, y, weight, 17)


def assert_stops(problem, X, y, weight, rows):
    """A pass ends where only the first `rows` rows have moved the weights."""
    states = first_state(problem, y.shape[1]), first_state(problem, y.shape[1])
    block, order = Block(X, y, weight), np.arange(len(y), dtype=np.int32)
    with np.errstate(all="ignore"):
        assert not pass_.run(problem, states[0], block, order, None)
    assert pass_.run(problem, states[1], block, order[:rows], None)
    for found, wanted in zip(*(read(problem, state) for state in states), strict=True):
        if found is not None:
            assert np.isfinite(found).all()
            np.testing.assert_array_equal(found, wanted)


def test_logarithms():
    from sksgd.kernels.jit import kernel

    @kernel
    def logs(x, out):
        for i in range(len(x)):
            out[i] = log(x[i])

    x = np.concatenate([np.geomspace(1e-300, 1e300, 1001), 1 + np.linspace(-0.3, 0.45, 1001), [1.0]])
    found = np.empty_like(x)
    logs(x, found)
    np.testing.assert_allclose(found, np.log(x), rtol=1e-15, atol=0)
    assert found[-1] == 0.0
