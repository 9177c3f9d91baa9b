"""Plain SGD with one output, row by row, against a NumPy loop over the formulas, and over any split into calls."""

from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
import test_kernels
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_loop import Loop
from runs import TOLERANCE, make_orders, make_problem, make_rows, make_weights

from sksgd.averaging import PolyakRuppert
from sksgd.base import Averaging
from sksgd.compat.components import ClippedGradient, PassiveAggressive1, TruncatedGradient, WeightDecay
from sksgd.core import pass_, plain
from sksgd.core.batches import Block
from sksgd.core.state import State
from sksgd.debt import SCALE
from sksgd.kernels.rows import LONG
from sksgd.losses import Hinge, SquaredError
from sksgd.optimizers import SGD
from sksgd.penalties import L2
from sksgd.schedules import Constant, InverseScaling

in_python = test_kernels.in_python
over = pytest.mark.parametrize
LAYOUTS = {"dense": np.asarray, "csr": sp.csr_array}
over_layouts = over("layout", LAYOUTS.values(), ids=LAYOUTS)
X, WEIGHTS, ORDERS = make_rows(), make_weights(), make_orders()
N, D = X.shape


class Restarts(Averaging):
    """The mean of the iterates since update 3, 14, 25, ..., of which those next to a start, and every fourth, miss."""

    def rho(self, t, eta, mass):
        place = np.maximum(t - 3, 0) % 11
        missing = (place + 3) // 4
        return np.where((t < 3) | (place == 0), 1.0, np.where(place % 4 == 1, 0.0, 1.0 / (place + 1 - missing))), mass


# The problems of all tests: each is compiled once for a layout and a dtype, whatever its numbers.


def flagship(alpha=0.3, **others):
    fields = {"schedule": InverseScaling(0.1, 0.5), "averaging": Restarts(), "loss": SquaredError(), **others}
    return make_problem(SGD(), L2(), alpha, **fields)


def drop_in(alpha=0.2, penalty=None, **others):
    fields = {"loss": Hinge(), "sample_step": ClippedGradient(), "tally": True, "carry_on": True, "scale_limit": 1e-9}
    return make_problem(SGD(), penalty or WeightDecay(), alpha, **{**fields, **others})


def truncated(alpha=0.2, **others):
    return drop_in(alpha, TruncatedGradient(0.4), **{"averaging": PolyakRuppert(start=5), **others})


def passive(alpha=0.2, **others):
    fields = {"sample_step": PassiveAggressive1(), "schedule": Constant(0.5), "tally_penalty": False}
    return truncated(alpha, **{**fields, **others})


PROBLEMS = {"flagship": flagship, "drop_in": drop_in, "truncated": truncated, "passive": passive}
over_problems = over("make", PROBLEMS.values(), ids=PROBLEMS)


def make_targets(problem, n, seed=5):
    """One column: 1 and -1, or real numbers."""
    y = np.random.default_rng(seed).normal(size=(n, 1))
    return np.where(y > 0, 1.0, -1.0) if isinstance(problem.loss, Hinge) else y


def begin(problem, d, dense=True, dtype=np.float64):
    """A state and the loop, at the same weights; one weight is 0."""
    rng = np.random.default_rng(4)
    coef, intercept = rng.normal(size=d), float(rng.normal())
    coef[d // 2] = 0.0
    state = State(problem, 1, d, dtype, seed=0)
    state.start(problem, coef.reshape(1, -1), np.array([intercept]))
    return state, Loop(problem, coef.astype(dtype).astype(float), intercept, dense)


def one_pass(problem, state, rows, y, weight, order, cuts=()):
    """A pass over the rows, in calls that end at the cuts; returns the mean of the running objective."""
    block, met = Block(rows, y, weight, as_given=True), 0.0
    for part in np.split(order, sorted(cuts)):
        if len(part):
            assert pass_.run(problem, state, block, part, None)
            met += state.running * len(part)
    return met / len(order)


def assert_same(problem, state, loop, running, met, tolerance=TOLERANCE):
    other = state.copy()
    other.convert(problem, None)
    pairs = {"weights": (other.lines[0, 0], loop.w), "intercept": (other.bias[0, 0], loop.b)}
    if problem.averaging is not None:
        pairs |= {"mean": (other.lines[-1, 0], loop.mean), "mean intercept": (other.bias[-1, 0], loop.mean_b)}
    if problem.penalty.truncates:
        pairs |= {"paid": (other.lines[1, 0], loop.paid), "sum of tolls": (other.step_sum, loop.toll)}
    if problem.tally:
        pairs["running"] = running, met
    for name, (found, wanted) in pairs.items():
        np.testing.assert_allclose(found, wanted, **tolerance, err_msg=name)
    assert state.t == loop.t


def check(problem, X, layout, y=None, weight=None, orders=None, cuts=(), **start):
    """Passes give what the loop gives; returns the state and the loop."""
    n, d = X.shape
    y = make_targets(problem, n) if y is None else y
    weight = make_weights(n) if weight is None else weight
    state, loop = begin(problem, d, layout is np.asarray, **start)
    for order in make_orders(n) if orders is None else orders:
        running = one_pass(problem, state, layout(X.astype(state.lines.dtype)), y, weight, order, cuts)
        tolerance = TOLERANCE if not start else {"rtol": 2e-4, "atol": 2e-5}
        assert_same(problem, state, loop, running, loop.one_pass(X, y, weight, order), tolerance)
    return state, loop


# The tests


@over_layouts
@over_problems
def test_a_pass_is_the_loop(make, layout):
    check(make(), X, layout)
    check(make(), X, layout, cuts=range(N))  # after every row
    check(make(fit_intercept=False), X, layout)
    state, _ = check(make(intercept_decay=0.01, alpha=0.0), X, layout)
    assert state.t == 2 * (np.count_nonzero(X.any(axis=1)) if make is passive else N)


@over_layouts
@over_problems
def test_the_kernel_computes_what_its_python_does(make, layout, in_python):
    in_python(lambda: check(make(), X, layout))


@over_layouts
@over("make", [flagship, drop_in])
def test_float32_is_near_float64(make, layout):
    state, _ = check(make(), X, layout, dtype=np.float32)
    assert state.lines.dtype == np.float32
    assert state.bias.dtype == np.float64


@over_layouts
@over_problems
def test_any_split_shape_and_weight(make, layout):
    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(1, 12),
        st.integers(1, 5),
        st.sampled_from([0.0, 0.3, 1.0]),
        st.sampled_from([0.0, 0.5, 1.0]),
        st.lists(st.integers(0, 12), max_size=4),
        st.sampled_from([1, 3, plain.ROWS]),
        st.integers(0, 999),
    )
    def check_split(n, d, density, present, cuts, rows_per_call, seed):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(n, d)) * (rng.random((n, d)) < density)
        weight = rng.uniform(0.1, 3.0, n) * (rng.random(n) < present)
        # A row may be drawn more than once, and twice in a row.
        orders = [rng.integers(0, n, n).astype(np.int32) for _ in range(2)]
        with mock.patch.object(plain, "ROWS", rows_per_call):
            check(make(), rows, layout, weight=weight, orders=orders, cuts=[min(cut, n) for cut in cuts])

    check_split()


@over_layouts
@over_problems
@over("d", [1, LONG - 1, LONG, LONG + 1, 300])
def test_rows_around_the_length_where_the_way_changes(make, layout, d):
    rng = np.random.default_rng(d)
    check(make(), rng.normal(size=(9, d)) / np.sqrt(d), layout)


@over_layouts
@over("make", [flagship, drop_in, truncated])
def test_the_scale_is_paid_many_times(make, layout):
    problem = make(alpha=8.0, scale_limit=0.3)
    rates = np.broadcast_to(problem.schedule.rate(np.arange(2 * N)), 2 * N)
    assert np.prod(problem.penalty.amount(rates, problem.alpha)) < 0.3**5
    state, _ = check(problem, X, layout)
    assert state.debt[SCALE] > 0.3 * problem.penalty.amount(rates[-1], problem.alpha)
    # Where it is paid is of no account but for what was truncated before.
    if make is not truncated:
        never = check(make(alpha=8.0, scale_limit=1e-200), X, layout)[0]
        np.testing.assert_allclose(state.weights(problem)[0], never.weights(problem)[0], **TOLERANCE)


@over_layouts
@over("make", [drop_in, truncated])
def test_decay_to_exactly_0(make, layout):
    problem = make(alpha=100.0)  # alpha eta = 5
    state, _ = check(problem, X, layout, orders=[np.arange(5, dtype=np.int32)])
    other = state.copy()
    other.convert(problem, None)
    assert not other.lines[0, 0][X[4] == 0].any()
    if make is drop_in:
        assert other.lines[0, 0].any()


@over_layouts
@over_problems
def test_rows_without_values(make, layout):
    problem = make()
    state, loop = check(problem, np.zeros((4, 3)), layout)
    before = begin(problem, 3)[1]
    assert state.t == (0 if make is passive else 8)
    assert (loop.b != before.b) == (make is not passive)


@over("make", [flagship, drop_in])
def test_values_that_are_stored_twice_add_up(make):
    problem, y = make(), make_targets(make(), N)
    once = sp.csr_array(X)
    # Every value in two halves, the later columns first.
    backwards = np.concatenate([part[::-1] for part in np.split(np.arange(once.nnz), once.indptr[1:-1])]).repeat(2)
    parts = once.data[backwards] / 2, once.indices[backwards], once.indptr * 2
    twice = sp.csr_array(parts, shape=X.shape)
    states = [begin(problem, D)[0] for _ in range(2)]
    for state, rows in zip(states, (once, twice), strict=True):
        one_pass(problem, state, rows, y, WEIGHTS, ORDERS[0])
        state.convert(problem, None)
    np.testing.assert_allclose(states[1].lines, states[0].lines, **TOLERANCE)
    np.testing.assert_allclose(states[1].bias, states[0].bias, **TOLERANCE)


# Weights of the first prediction are finite, that of the third row is not.
HUGE = np.array([[1.0, 0.0], [0.0, 1e160], [0.0, 1e160], [1.0, 0.0]])
IN_ORDER = np.arange(4, dtype=np.int32)


@over_layouts
def test_a_prediction_that_is_not_finite_ends_the_pass_of_a_flagship(layout):
    problem = flagship()
    state, _ = begin(problem, 2)
    block = Block(layout(HUGE), np.ones((4, 1)), WEIGHTS[:4], as_given=True)
    assert not pass_.run(problem, state, block, IN_ORDER, None)
    assert np.isfinite(state.lines[0]).all()  # the third row did not move them


@over_layouts
def test_a_prediction_that_is_not_finite_is_noted_by_a_drop_in(layout):
    problem = drop_in(loss=SquaredError())
    state, loop = begin(problem, 2)
    y, weight = np.ones((4, 1)), WEIGHTS[:4]
    block = Block(layout(HUGE), y, weight, as_given=True)
    with np.errstate(all="ignore"):
        assert pass_.run(problem, state, block, IN_ORDER, None)
        loop.one_pass(HUGE, y, weight, IN_ORDER)
    assert not state.finite
    assert_same(problem, state, loop, state.running, np.inf)
    # The next pass is none the worse if its predictions are finite.
    assert pass_.run(problem, state, block, IN_ORDER[[0, 3]], None)
    assert state.finite
