"""Kernels against their own Python, in both precisions, and over any split of the rows into calls."""

import itertools
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from components import LOSS_ROWS, PAIRS
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.dispatcher import Dispatcher
from numba.core.errors import TypingError
from runs import check, first_weights, make_orders, make_problem, make_rows, make_targets, make_weights, run
from scipy.special import softmax

from sksgd import LinearRegressor
from sksgd.averaging import PolyakRuppert
from sksgd.core import pass_
from sksgd.core.batches import Block
from sksgd.kernels.intrinsics import get, put
from sksgd.losses import Multinomial
from sksgd.optimizers import SGD, AdaGrad, Momentum
from sksgd.penalties import NoPenalty
from sksgd.schedules import Constant, InverseScaling

X, WEIGHTS, ORDERS = make_rows(), make_weights(), make_orders()
Y = make_targets(X, 3)
CLASSES = np.random.default_rng(5).integers(0, 3, (len(X), 1)).astype(float)

over = pytest.mark.parametrize
over_layouts = over("rows", [X, sp.csr_array(X)], ids=["dense", "csr"])


# The Python bodies


@pytest.fixture
def in_python(monkeypatch):
    """A function that calls another with all kernels, and what they call, in plain Python."""

    def call(function):
        with monkeypatch.context() as patch:
            for name, module in list(sys.modules.items()):
                if name.startswith("sksgd.kernels."):
                    for key, value in list(vars(module).items()):
                        if isinstance(value, Dispatcher):
                            patch.setattr(module, key, value.py_func)
            return function()

    return call


def assert_same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        for a, b in zip(one, other, strict=True):
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@over_layouts
@over("batch_size", [1, 7])
@over("name", ["sgd, l2", "nesterov, l2", "adagrad, elasticnet", "ftrl, l1"])
def test_kernels_compute_what_their_python_does(name, batch_size, rows, in_python):
    variants = [(None, InverseScaling(0.1, 0.5)), (None, Constant(0.05))]
    if name == "sgd, l2" or rows is X:
        variants.append((PolyakRuppert(start=2), Constant(0.05)))
    for averaging, schedule in variants:
        problem = make_problem(*PAIRS[name], averaging=averaging, schedule=schedule, batch_size=batch_size)
        wanted = in_python(lambda problem=problem: run(problem, rows, Y, WEIGHTS, ORDERS))
        assert_same(run(problem, rows, Y, WEIGHTS, ORDERS), wanted)


@over_layouts
def test_halves_compute_what_their_python_does(rows, in_python, monkeypatch):
    monkeypatch.setattr(pass_, "MAX_VALUES", 13)
    problem = make_problem(*PAIRS["adagrad, elasticnet"], averaging=PolyakRuppert(start=2), batch_size=7)
    wanted = in_python(lambda: run(problem, rows, Y, WEIGHTS, ORDERS))
    assert_same(run(problem, rows, Y, WEIGHTS, ORDERS), wanted)


@over_layouts
@over("loss", ["squared_error", "multinomial"])
def test_objectives_compute_what_their_python_does(loss, rows, in_python):
    problem = make_problem(*PAIRS["ftrl, elasticnet per feature"])
    y = Y
    if loss == "multinomial":
        problem, y = make_problem(*PAIRS["sgd, l2"], loss=Multinomial()), CLASSES
    for weight in (WEIGHTS, None):
        block, weights = Block(rows, y, weight), first_weights(problem, 3)
        wanted = in_python(lambda block=block, weights=weights: problem.objective(block, *weights))
        assert problem.objective(block, *weights) == pytest.approx(wanted, rel=1e-13)
        # The same once more, as a formula.
        p, w = X @ weights[0].T + weights[1], np.ones(len(X)) if weight is None else weight
        values = 0.5 * ((p - Y) ** 2).sum(axis=1)
        if loss == "multinomial":
            values = -np.log(softmax(p, axis=1)[np.arange(len(X)), CLASSES[:, 0].astype(int)])
            penalty = 0.15 * (weights[0] ** 2).sum()
        else:
            penalty = ((0.3 * np.abs(weights[0]) + 0.35 * weights[0] ** 2) * problem.alpha).sum()
        assert wanted == pytest.approx(np.average(values, weights=w) + penalty, rel=1e-13)


# Losses


@over("row", [row for row in LOSS_ROWS if not row.loss.joint], ids=lambda row: repr(row.loss))
def test_every_loss(row):
    loss, problem = row.loss, make_problem(SGD(), NoPenalty(), 0.0, loss=row.loss, schedule=Constant(0.01))
    rng = np.random.default_rng(6)
    rows, y = 0.3 * X, rng.choice(row.valid, (len(X), 3))
    check(problem, rows, y, WEIGHTS, ORDERS, np.vectorize(loss.gradient, otypes=[float]))
    block, (coef, intercept) = Block(rows, y, WEIGHTS), first_weights(problem, 3)
    values = np.vectorize(loss.value, otypes=[float])(rows @ coef.T + intercept, y).sum(axis=1)
    wanted = np.average(values, weights=WEIGHTS)
    assert problem.mean_loss(block, coef, intercept) == pytest.approx(wanted, rel=1e-12, abs=1e-14)


@over_layouts
@over("batch_size", [1, 7])
def test_multinomial_is_the_softmax(batch_size, rows):
    def gradient(p, y):
        return softmax(p, axis=1) - (y == np.arange(3))

    for averaging in (None, PolyakRuppert(start=2)):
        problem = make_problem(*PAIRS["sgd, l2"], loss=Multinomial(), batch_size=batch_size, averaging=averaging)
        check(problem, rows, CLASSES, WEIGHTS, ORDERS, gradient)


# Precision


@over("name", [name for name in PAIRS if name.endswith(", l2")])
def test_float32_is_near_float64(name):
    assert_near_in_float32(make_problem(*PAIRS[name], schedule=InverseScaling(0.1, 0.5)), X)


@over("name", ["nesterov, l2", "adagrad, l1"])
def test_float32_is_near_float64_on_csr(name):
    assert_near_in_float32(make_problem(*PAIRS[name], schedule=InverseScaling(0.1, 0.5)), sp.csr_array(X))


@over_layouts
def test_float32_is_near_float64_in_batches(rows):
    assert_near_in_float32(make_problem(*PAIRS["adam, l2"], averaging=PolyakRuppert(), batch_size=7), rows)


def assert_near_in_float32(problem, rows):
    single = run(problem, rows, Y, WEIGHTS, ORDERS, np.float32)[-1]
    double = run(problem, rows, Y, WEIGHTS, ORDERS)[-1]
    assert single[0].dtype == np.float32
    assert single[1].dtype == np.float64
    for a, b in zip(single, double, strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# Rows of weight zero


@over_layouts
@over("batch_size", [1, 7])
def test_rows_of_weight_zero_are_absent(rows, batch_size):
    problem = make_problem(*PAIRS["sgd, l2"], batch_size=batch_size)
    weight = np.where(np.arange(len(X)) % 3 == 1, 0.0, WEIGHTS)
    present = np.flatnonzero(weight)
    orders = make_orders(len(present))
    found = run(problem, rows, Y, weight, orders)
    wanted = run(problem, rows[present], Y[present], weight[present], orders)
    for a, b in zip(found[-1][:2], wanted[-1][:2], strict=True):
        np.testing.assert_array_equal(a, b)


# Any split into calls

STREAMS = {
    "momentum, l2, float64": ({"optimizer": Momentum(0.8), "penalty": "l2", "alpha": 0.3}, np.float64, 1e-10),
    "adagrad, l1, float32": ({"optimizer": AdaGrad(eps=0.1), "penalty": "l1", "alpha": 0.01}, np.float32, 1e-5),
}


@over("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@over("name", STREAMS)
def test_calls_of_partial_fit_over_parts_equal_one_over_all(name, layout):
    parameters, dtype, rtol = STREAMS[name]

    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(1, 12),
        st.integers(1, 5),
        st.sampled_from([1, 3]),
        st.integers(0, 3),
        st.integers(0, 999),
        st.data(),
    )
    def check_split(n_batches, d, batch_size, left, seed, data):
        n = max(1, n_batches * batch_size - left)
        rng = np.random.default_rng(seed)
        rows = (rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.6)).astype(dtype)
        y, weight = rng.normal(size=n), rng.uniform(0.1, 3.0, n)
        cuts = data.draw(st.lists(st.integers(0, n_batches - 1), max_size=4))
        ends = sorted({0, n, *(min(n, cut * batch_size) for cut in cuts)})

        def new():
            schedule = InverseScaling(0.05, 0.5)
            return LinearRegressor(**parameters, learning_rate=schedule, batch_size=batch_size, sampling="sequential")

        whole, parts, read = (new() for _ in range(3))
        whole.partial_fit(layout(rows), y, sample_weight=weight)
        for low, high in itertools.pairwise(ends):
            part = layout(rows[low:high]), y[low:high]
            parts.partial_fit(*part, sample_weight=weight[low:high])
            read.partial_fit(*part, sample_weight=weight[low:high])
            assert np.isfinite(read.coef_).all()
        assert parts.t_ == whole.t_ == -(-n // batch_size)
        assert parts.n_samples_seen_ == n
        assert parts.coef_.dtype == dtype
        np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=rtol, atol=rtol * 1e-2)
        np.testing.assert_allclose(parts.intercept_, whole.intercept_, rtol=rtol, atol=rtol * 1e-2)
        # Reading changes nothing, to the last bit.
        np.testing.assert_array_equal(read.coef_, parts.coef_)
        np.testing.assert_array_equal(read.intercept_, parts.intercept_)

    check_split()


@over("access", [lambda array: get(array, 1), lambda array: put(array, 1, 0.0)], ids=["get", "put"])
def test_a_view_with_gaps_is_refused(access):
    compiled = njit(access)
    compiled(np.zeros(3))
    with pytest.raises(TypingError, match="contiguous"):
        compiled(np.zeros(6)[::2])
