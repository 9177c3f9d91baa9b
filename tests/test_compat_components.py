"""The components of the drop-ins, each against a loop or a closed form."""

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils._seq_dataset import ArrayDataset64

from sksgd.compat.components import (
    ClippedGradient,
    PassiveAggressive1,
    PassiveAggressive2,
    TruncatedGradient,
    WeightDecay,
    XorshiftShuffle,
)
from sksgd.core.stopping import AbsoluteProgress
from sksgd.losses import EpsilonInsensitive, Hinge, LogLoss, SquaredError
from sksgd.penalties import L2

over = pytest.mark.parametrize
quick = settings(max_examples=60, deadline=None)
weights = st.floats(-10, 10)
steps = st.floats(1e-6, 5.0)
alphas = st.sampled_from([0.0, 1e-4, 0.1, 0.5, 3.0])
COMPONENTS = [
    WeightDecay(),
    TruncatedGradient(0.3),
    ClippedGradient(),
    PassiveAggressive1(),
    PassiveAggressive2(),
    XorshiftShuffle(),
]


@over("component", COMPONENTS, ids=repr)
def test_components_are_values(component):
    assert pickle.loads(pickle.dumps(component)) == component == type(component)(**component.get_params())
    assert clone(component) is component


# Penalties


@quick
@given(weights, steps, alphas)
def test_weight_decay_multiplies_and_stops_at_0(w, step, alpha):
    penalty = WeightDecay()
    wanted = w * (1 - alpha * step) if alpha * step < 1 else 0.0
    assert penalty.prox(w, step, alpha) == wanted
    assert penalty.shrink(w, float(penalty.amount(step, alpha))) == wanted


def test_amounts_of_many_steps_are_those_of_each():
    rates = np.array([0.1, 1.0, 2.5, 100.0])
    for penalty in (WeightDecay(), TruncatedGradient(0.3)):
        np.testing.assert_array_equal(penalty.amount(rates, 0.4), [penalty.amount(rate, 0.4) for rate in rates])
    np.testing.assert_array_equal(TruncatedGradient(0.3).toll(rates, 0.4), [0.3 * rate * 0.4 for rate in rates])


@quick
@given(weights, st.floats(1e-3, 1.0), st.sampled_from([0.1, 0.5]))
def test_weight_decay_rests_where_the_ridge_does(slope, step, alpha):
    rest = -slope / alpha
    move = -step * slope
    decay, ridge = WeightDecay(), L2()
    assert decay.prox(rest, step, alpha) + move == pytest.approx(rest, rel=1e-12, abs=1e-12)
    assert ridge.prox(rest + move, step, alpha) == pytest.approx(rest, rel=1e-12, abs=1e-12)


@quick
@given(st.lists(weights, min_size=1, max_size=6), alphas, st.sampled_from([0.0, 0.15, 1.0]))
def test_costs_are_sums_of_values(many, alpha, l1_ratio):
    squares, sizes = sum(w * w for w in many), sum(abs(w) for w in many)
    values = [alpha * (l1_ratio * abs(w) + (1 - l1_ratio) * w * w / 2) for w in many]
    penalty = TruncatedGradient(l1_ratio)
    assert [penalty.value(w, alpha) for w in many] == pytest.approx(values, rel=1e-12)
    assert penalty.cost(squares, sizes, alpha) == pytest.approx(sum(values), rel=1e-12)
    assert WeightDecay().cost(squares, sizes, alpha) == pytest.approx(
        sum(WeightDecay().value(w, alpha) for w in many), rel=1e-12
    )


def tsuruoka(moves, tolls):
    """Tsuruoka et al., figure 2, for one weight: `moves` are None where an update does not visit it."""
    w = q = u = 0.0
    history = []
    for move, toll in zip(moves, tolls, strict=True):
        u += toll
        if move is not None:
            w += move
            z = w
            if w > 0:
                w = max(0.0, w - (u + q))
            elif w < 0:
                w = min(0.0, w + (u - q))
            q += w - z
        history.append(w)
    return history


moves_and_rates = st.lists(st.tuples(st.none() | st.floats(-1, 1), st.floats(0, 1)), min_size=1, max_size=30)


@quick
@given(moves_and_rates, st.sampled_from([0.15, 1.0]), st.sampled_from([0.01, 0.3]))
def test_truncation_is_the_cumulative_penalty(updates, l1_ratio, alpha):
    penalty = TruncatedGradient(l1_ratio)
    moves, rates = zip(*updates, strict=True)
    tolls = np.asarray(penalty.toll(np.array(rates), alpha))
    w = paid = 0.0
    found = []
    for move, total in zip(moves, np.cumsum(tolls), strict=True):
        if move is not None:
            before = w + move
            w = penalty.truncate(before, paid, total)
            paid += w - before
            # It never takes more than is due, nor changes a sign.
            assert abs(paid) <= total + 1e-12
            assert w * before >= 0
        found.append(w)
    np.testing.assert_allclose(found, tsuruoka(moves, l1_ratio * np.array(rates) * alpha), rtol=1e-9, atol=1e-12)


def test_a_weight_that_stays_positive_pays_all():
    penalty, w, paid = TruncatedGradient(1.0), 5.0, 0.0
    for total in (0.5, 0.5, 1.75):
        now = penalty.truncate(w, paid, total)
        paid, w = paid + now - w, now
        assert w == 5.0 - total
    # What is not a number stays so, and a weight of 0 pays nothing.
    assert math.isnan(penalty.truncate(math.nan, 0.0, 1.0))
    assert penalty.truncate(0.0, 0.0, 1.0) == 0.0


# Sample steps


@quick
@given(st.floats(-20, 20), st.sampled_from([0.0, 1.0]), st.floats(1e-3, 10))
def test_clipped_gradient_is_the_gradient_of_usual_losses(p, y, eta):
    for loss in (SquaredError(), LogLoss()):
        assert ClippedGradient().update(loss, p, y, eta, 0.0) == -eta * loss.gradient(p, y)


@over("slope", [1e12, 1e13, math.inf])
def test_clipped_gradient_clips(slope):
    update = ClippedGradient().update
    assert update(SquaredError(), slope, 0.0, 0.5, 0.0) == -0.5e12
    assert update(SquaredError(), -slope, 0.0, 0.5, 0.0) == 0.5e12
    assert math.isnan(update(SquaredError(), math.nan, 0.0, 0.5, 0.0))


#: A loss with targets, and its value as a formula.
MARGINS = [
    (Hinge(), st.sampled_from([-1.0, 1.0]), lambda p, y: max(0.0, 1 - p * y)),
    (EpsilonInsensitive(0.1), st.floats(-3, 3), lambda p, y: max(0.0, abs(p - y) - 0.1)),
]


@over(("loss", "targets", "cost"), MARGINS, ids=["hinge", "epsilon"])
def test_passive_aggressive_1_makes_the_loss_0_or_steps_eta(loss, targets, cost):
    @quick
    @given(st.floats(-5, 5), targets, st.floats(0.01, 10), st.floats(0.1, 9))
    def check(p, y, eta, square):
        step = PassiveAggressive1().update(loss, p, y, eta, square)
        after = cost(p + step * square, y)
        if cost(p, y) == 0:
            assert step == 0
        elif abs(step) == eta:
            assert after == pytest.approx(cost(p, y) - eta * square, abs=1e-12)
        else:
            assert abs(step) < eta
            assert after == pytest.approx(0, abs=1e-12)

    check()


@over(("loss", "targets", "cost"), MARGINS, ids=["hinge", "epsilon"])
def test_passive_aggressive_2_minimises_its_objective(loss, targets, cost):
    @quick
    @given(st.floats(-5, 5), targets, st.floats(0.01, 10), st.floats(0.0, 9))
    def check(p, y, eta, square):
        step = PassiveAggressive2().update(loss, p, y, eta, square)
        # |step| square/2 + eta loss^2 has its minimum where |step| = 2 eta loss.
        assert abs(step) == pytest.approx(2 * eta * cost(p + step * square, y), rel=1e-9, abs=1e-12)

    check()


# The order of the rows


def scikit_learns_orders(n, seed, passes):
    values = np.arange(n, dtype=float)
    dataset = ArrayDataset64(values.reshape(-1, 1), values, np.ones(n), seed=5)
    orders = []
    for _ in range(passes):
        dataset._shuffle_py(seed)
        orders.append([int(dataset._next_py()[0][0][0]) for _ in range(n)])
    return orders


@quick
@given(st.integers(1, 60), st.sampled_from([0, 1, 2**31 - 2]) | st.integers(0, 2**31 - 2), st.integers(1, 5))
def test_shuffle_is_scikit_learns(n, seed, passes):
    wanted = scikit_learns_orders(n, seed, passes)
    # Kept until all are drawn: an order must not change afterwards.
    found = [order for order, _ in itertools.islice(XorshiftShuffle().orders(n, seed, 0), passes)]
    np.testing.assert_array_equal(found, wanted)
    assert {order.dtype for order in found} == {np.dtype(np.int32)}
    for number in range(passes):
        order, factor = XorshiftShuffle().order(n, seed, number)
        np.testing.assert_array_equal(order, wanted[number])
        assert factor is None
        rest = [order for order, _ in itertools.islice(XorshiftShuffle().orders(n, seed, number), passes - number)]
        np.testing.assert_array_equal(rest, wanted[number:])


# When to stop


@quick
@given(
    st.lists(st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0, 3.0, math.inf, math.nan]), min_size=1, max_size=20),
    st.sampled_from([None, 0.0, 0.1]),
    st.integers(1, 4),
)
def test_absolute_progress_is_scikit_learns_rule(values, tol, patience):
    progress, best, count = AbsoluteProgress(tol, patience), math.inf, 0
    for value in values:
        count = count + 1 if tol is not None and value > best - tol else 0
        # The lowest so far, and of equals the latest: its weights are kept. Not a number is as good as any.
        assert progress.update(value) == (value <= best or math.isnan(value))
        best = value if value < best else best
        assert progress.best == best
        assert progress.stopped == (count >= patience)
        if count >= patience:
            progress.restart()
            count = 0
            assert not progress.stopped
