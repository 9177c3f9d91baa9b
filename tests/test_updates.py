"""Every update of every optimizer with every penalty is that of the reference, on dense and on CSR rows."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from components import ALPHAS, OPTIMIZER_ROWS, PAIRS, PENALTY_ROWS
from runs import (
    TOLERANCE,
    assert_equal,
    check,
    expected,
    first_state,
    first_weights,
    make_orders,
    make_problem,
    make_rows,
    make_targets,
    make_weights,
    run,
)

from sksgd.averaging import ExponentialAverage, PolyakRuppert, RateWeighted
from sksgd.core import pass_
from sksgd.core.batches import Block
from sksgd.optimizers import OPTIMIZERS
from sksgd.penalties import PENALTIES, NoPenalty
from sksgd.schedules import Constant, InverseScaling

X, WEIGHTS, ORDERS = make_rows(), make_weights(), make_orders()
Y = {K: make_targets(X, K) for K in (1, 3)}

# Averaging, schedule, intercept: what does not need another kernel. The number of outputs does: 1 or 3, by the pair.
PLAIN = [(None, Constant(0.05), True), (None, InverseScaling(0.1, 0.5), True)]
AVERAGED = [(PolyakRuppert(start=3), Constant(0.05), True), (RateWeighted(), InverseScaling(0.1, 0.5), False)]
OUTPUTS = {name: 1 if i % 3 == 0 and i % 5 != 1 else 3 for i, name in enumerate(PAIRS)}

# Every kernel compiles for a second or two, so they are for some pairs, such that choices meet. All pairs have `apply`,
# which is the half of the kernel for batches that depends on the pair.
SINGLE = [name for i, name in enumerate(PAIRS) if i % 5 == 1 or i % 5 == (i // 5 + 2) % 5]
BATCHES = [name for i, name in enumerate(PAIRS) if i % 5 == 4 or i % 5 == i // 5 % 5]
LAZY = [name for name, pair in PAIRS.items() if make_problem(*pair).idle is not None]
LAZY_BATCHES = ["sgd, none", "sgd, l2", "sgd, l1", "nesterov, l2", "adagrad, elasticnet", "rmsprop, none", "ftrl, l1"]
CSR_AVERAGED = ["sgd, none", "sgd, l2", "sgd, l1", "sgd, elasticnet", "nesterov, l2", "adagrad, l1", "ftrl, l1"]
VISIT_ALL = ["momentum, l1", "nesterov, l2 per feature", "rmsprop, l2", "adam, l2", "adam, elasticnet", "adamw, l2"]

BOUNDS = np.array([[-0.2, 0.0, -np.inf, -1.0, 0.0, -0.1], [0.3, 0.2, 0.0, np.inf, 0.0, 0.1]])
BOUNDED = ["sgd, l1", "sgd, elasticnet per feature", "nesterov, l2", "adagrad, elasticnet", "adam, none", "ftrl, l1"]

over = pytest.mark.parametrize
over_layouts = over("rows", [X, sp.csr_array(X)], ids=["dense", "csr"])


def check_all(name, rows, variants, weight=WEIGHTS, **fields):
    for averaging, schedule, fit_intercept in variants:
        problem = make_problem(
            *PAIRS[name], averaging=averaging, schedule=schedule, fit_intercept=fit_intercept, **fields
        )
        check(problem, rows, Y[OUTPUTS[name]], weight, ORDERS)


def test_every_component_is_in_the_table():
    assert {type(row.optimizer) for row in OPTIMIZER_ROWS.values()} == set(OPTIMIZERS.values())
    assert {type(row.penalty) for row in PENALTY_ROWS.values()} == {*PENALTIES.values(), NoPenalty}
    assert len(PAIRS) == len(OPTIMIZER_ROWS) * (len(PENALTY_ROWS) + 1)
    assert (ALPHAS == 0).any()


# Dense rows


@over("name", SINGLE)
def test_single_rows(name):
    check_all(name, X, PLAIN + AVERAGED)


@over("name", BATCHES)
def test_batches(name):
    for batch_size in (7, None):
        check_all(name, X, PLAIN + AVERAGED, batch_size=batch_size)


@over("name", PAIRS)
def test_batches_too_large_for_one_call(name, monkeypatch):
    monkeypatch.setattr(pass_, "MAX_VALUES", 13)
    for batch_size in (7, None):
        check_all(name, X, PLAIN + AVERAGED, batch_size=batch_size)


@over("name", ["sgd, l2", "adam, l2", "ftrl, l2"])
def test_calls_of_a_few_updates(name, monkeypatch):
    monkeypatch.setattr(pass_, "MAX_UPDATES", 3)
    check_all(name, X, PLAIN + AVERAGED)
    check_all(name, sp.csr_array(X), PLAIN)


@over("batch_size", [1, 7])
def test_without_row_weights(batch_size):
    check_all("sgd, l2", X, PLAIN, weight=None, batch_size=batch_size)
    check_all("sgd, l2", sp.csr_array(X), PLAIN, weight=None, batch_size=batch_size)


@over("name", ["sgd, l2", "momentum, l1", "adagrad, elasticnet", "ftrl, l1"])
def test_clipping(name):
    optimizer, *penalty = PAIRS[name]
    y = Y[OUTPUTS[name]]
    for clips in ({"clip_value": 0.3}, {"clip_norm": 0.5}, {"clip_value": 0.3, "clip_norm": 0.5}):
        clipped = optimizer.replace(**clips)
        for batch_size, (_, schedule, _), fit_intercept in itertools.product((1, 7), PLAIN, (True, False)):
            fields = {"batch_size": batch_size, "schedule": schedule, "fit_intercept": fit_intercept}
            for rows in (X, sp.csr_array(X)):
                check(make_problem(clipped, *penalty, **fields), rows, y, WEIGHTS, ORDERS)
            # The bounds do bind.
            free = expected(make_problem(optimizer, *penalty, **fields), X, y, WEIGHTS, ORDERS)
            short = expected(make_problem(clipped, *penalty, **fields), X, y, WEIGHTS, ORDERS)
            assert np.abs(free.coef - short.coef).max() > 1e-3


@over("name", BOUNDED)
def test_bounds(name):
    for rows, batch_size in ((X, 7), (sp.csr_array(X), 1)):
        check_all(name, rows, PLAIN, bounds=BOUNDS, batch_size=batch_size)
        problem = make_problem(*PAIRS[name], bounds=BOUNDS, batch_size=batch_size)
        coef = run(problem, rows, Y[OUTPUTS[name]], WEIGHTS, ORDERS)[-1][0]
        assert (coef >= BOUNDS[0]).all()
        assert (coef <= BOUNDS[1]).all()
        assert (coef == BOUNDS[1]).any()


def test_bounds_of_single_rows_and_averages():
    check_all("sgd, l1", X, PLAIN + AVERAGED, bounds=BOUNDS)


def test_bounds_that_exclude_zero():
    bounds = np.array([[0.1, -1.0, -np.inf, -1.0, 0.5, -0.1], [0.3, -0.2, 1.0, np.inf, 0.5, 0.1]])
    for rows in (X, sp.csr_array(X)):
        check_all("sgd, l1", rows, PLAIN, bounds=bounds, batch_size=7)


def test_full_batch_is_gradient_descent():
    problem = make_problem(*PAIRS["sgd, l2"], batch_size=None)
    w, b = first_weights(problem, 3)
    s = WEIGHTS[:, None] / len(X)
    for _ in ORDERS:
        residual = s * (X @ w.T + b - Y[3])
        w, b = (w - 0.05 * residual.T @ X) / (1 + 0.05 * 0.3), b - 0.05 * residual.sum(axis=0)
    coef, intercept, *_ = run(problem, X, Y[3], WEIGHTS, ORDERS)[-1]
    np.testing.assert_allclose(coef, w, **TOLERANCE)
    np.testing.assert_allclose(intercept, b, **TOLERANCE)


# CSR rows


def messy(X, kind):
    """The same rows as CSR, in one of the ways in which real data differ from the canonical form."""
    rows = sp.csr_array(X)
    if kind == "int64 indices":
        return sp.csr_array((rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64)), X.shape)
    data, indices, indptr = [], [], [0]
    for row in X:
        values = [(j, x) for j, x in enumerate(row) if x]
        if kind == "explicit zeros":
            values = [(j, x) for j, x in enumerate(row) if x or j % 3]
        elif kind == "unsorted":
            values = values[::-1]
        elif kind == "duplicates":
            values = [(j, x + 1) for j, x in values] + [(j, -1.0) for j, _ in values]
        indices += [j for j, _ in values]
        data += [x for _, x in values]
        indptr.append(len(data))
    return sp.csr_array((np.array(data), np.array(indices, np.int32), np.array(indptr, np.int32)), X.shape)


@over("name", LAZY)
def test_lazy_single_rows(name):
    check_all(name, sp.csr_array(X), PLAIN)


@over("name", LAZY_BATCHES)
def test_lazy_batches(name):
    for batch_size in (7, None):
        check_all(name, sp.csr_array(X), PLAIN, batch_size=batch_size)


@over("name", CSR_AVERAGED)
def test_averages_on_csr(name):
    forgetful = (ExponentialAverage(0.2), Constant(0.05), True)
    check_all(name, sp.csr_array(X), [*AVERAGED, forgetful])
    if name in ("sgd, l1", "sgd, l2"):
        check_all(name, sp.csr_array(X), [*AVERAGED, forgetful], batch_size=7)


@over("name", VISIT_ALL)
def test_csr_rows_that_visit_all_weights(name):
    assert make_problem(*PAIRS[name]).idle is None
    for batch_size in (1, 7):
        check_all(name, sp.csr_array(X), PLAIN + AVERAGED, batch_size=batch_size)


@over("name", ["sgd, l1", "rmsprop, l2"])
@over("kind", ["explicit zeros", "unsorted", "duplicates", "int64 indices"])
def test_untidy_csr(name, kind):
    rows = messy(X, kind)
    assert {
        "explicit zeros": rows.nnz > np.count_nonzero(X),
        "unsorted": not rows.has_sorted_indices,
        "duplicates": not rows.has_canonical_format,
        "int64 indices": rows.indices.dtype == rows.indptr.dtype == np.int64,
    }[kind]
    before = [part.copy() for part in (rows.data, rows.indices, rows.indptr)]
    for batch_size in (1, 7):
        check_all(name, rows, PLAIN, batch_size=batch_size)
    for part, copy in zip((rows.data, rows.indices, rows.indptr), before, strict=True):
        np.testing.assert_array_equal(part, copy)


@over("name", ["sgd, none", "sgd, l2"])
def test_debt_is_settled_before_it_underflows(name):
    """Strong penalties and averages that forget take the common factors below 1e-20 within a pass."""
    optimizer, penalty, alpha = PAIRS[name]
    for averaging in (None, PolyakRuppert(start=30), ExponentialAverage(1e-3)):
        problem = make_problem(optimizer, penalty, 1000 * alpha, averaging=averaging)
        check(problem, sp.csr_array(X), Y[OUTPUTS[name]], WEIGHTS, ORDERS)


@over("averaging", [PolyakRuppert(), ExponentialAverage(0.5)], ids=repr)
@over("name", CSR_AVERAGED)
def test_averages_of_many_updates_on_csr(name, averaging):
    """What idle weights owe to the average stays exact however far all weights have shrunk meanwhile."""
    optimizer, penalty, alpha = PAIRS[name]
    rows = make_rows(1500)
    y, weight, orders = make_targets(rows, OUTPUTS[name]), make_weights(1500), make_orders(1500, passes=1)
    problem = make_problem(optimizer, penalty, 2 * alpha, averaging=averaging)
    history = expected(problem, rows, y, weight, orders)
    for dtype, tolerance in ((np.float64, TOLERANCE), (np.float32, {"rtol": 1e-3, "atol": 1e-4})):
        if dtype == np.float64 or name == "sgd, l2":
            mean = run(problem, sp.csr_array(rows), y, weight, orders, dtype)[-1][2]
            np.testing.assert_allclose(mean, history.mean_coef[-1], **tolerance)


def rows_of_all_lengths(n=400, d=90):
    """Rows of 0 to 70 values, one of whose features is in the first and the last row only."""
    rng, X = np.random.default_rng(8), np.zeros((n, d))
    for i, length in enumerate(np.resize([5, 0, 70, 1, 3, 17, 64, 67], n)):
        X[i, rng.choice(d - 1, length, replace=False)] = 0.2 * rng.normal(size=length)
    X[[0, -1], -1] = 1.0
    return X


@over("name", ["momentum, l2", "nesterov, l2", "adagrad, l1", "sgd, elasticnet", "ftrl, l1"])
@over("chunk", [1 << 16, 37])
def test_lazy_rows_of_all_lengths(name, chunk, monkeypatch):
    """Loops over a row go by vectors and a rest, and the call decides how much room the longest row needs."""
    monkeypatch.setattr(pass_, "MAX_UPDATES", chunk)
    rows, n_outputs = rows_of_all_lengths(), OUTPUTS[name]
    y, weight = make_targets(rows, n_outputs), make_weights(len(rows))
    orders = [np.arange(len(rows), dtype=np.int32), *make_orders(len(rows), passes=1)]
    problem = make_problem(*PAIRS[name], schedule=InverseScaling(0.1, 0.5))
    history = expected(problem, rows, y, weight, orders)
    for pass_number, reading in enumerate(run(problem, sp.csr_array(rows), y, weight, orders)):
        assert_equal(reading, history, (pass_number + 1) * len(rows) - 1)


@over("name", ["nesterov, l2", "adagrad, l1"])
def test_lazy_rows_of_all_lengths_in_float32(name):
    rows = rows_of_all_lengths()
    y, weight, orders = make_targets(rows, 3), make_weights(len(rows)), make_orders(len(rows), passes=1)
    problem = make_problem(*PAIRS[name], schedule=InverseScaling(0.1, 0.5))
    history = expected(problem, rows, y, weight, orders)
    coef, intercept, *_ = run(problem, sp.csr_array(rows), y, weight, orders, np.float32)[-1]
    assert coef.dtype == np.float32
    np.testing.assert_allclose(coef, history.coef[-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(intercept, history.intercept[-1], rtol=1e-4, atol=1e-5)


def test_idle_for_so_long_that_the_velocity_is_gone():
    """The power of the ratio underflows: 0.1^398."""
    rows = rows_of_all_lengths()
    y, weight, orders = make_targets(rows, 1), make_weights(len(rows)), [np.arange(len(rows), dtype=np.int32)]
    problem = make_problem(PAIRS["momentum, l2"][0].replace(momentum=0.1), *PAIRS["momentum, l2"][1:])
    assert_equal(
        run(problem, sp.csr_array(rows), y, weight, orders)[-1], expected(problem, rows, y, weight, orders), -1
    )


# Averages under a sparse penalty


@over_layouts
@over("name", ["sgd, l1", "sgd, elasticnet"])
def test_zeros_of_a_sparse_penalty_are_exact_in_averages(name, rows):
    optimizer, penalty, alpha = PAIRS[name]
    problem = make_problem(optimizer, penalty, 5 * alpha, averaging=PolyakRuppert(), batch_size=7)
    y = Y[OUTPUTS[name]]
    history = expected(problem, X, y, WEIGHTS, ORDERS)
    last, mean = history.coef[-1], history.mean_coef[-1]
    assert ((last == 0) & (mean != 0)).any()
    state, block = first_state(problem, OUTPUTS[name]), Block(rows, y, WEIGHTS)
    for order in ORDERS:
        pass_.run(problem, state, block, order, None)
    np.testing.assert_allclose(state.weights(problem)[0], np.where(last == 0, 0, mean), **TOLERANCE)
