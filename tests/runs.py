"""Problems, data and runs for the tests of the kernels, and the same runs by the reference."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from reference import loop as reference

from sksgd.core import pass_
from sksgd.core.batches import Block
from sksgd.core.problem import Problem
from sksgd.core.state import State
from sksgd.losses import SquaredError
from sksgd.schedules import Constant

N, D = 23, 6
TOLERANCE = {"rtol": 1e-10, "atol": 1e-12}


def make_problem(optimizer, penalty, alpha, **others):
    """A problem with squared error, a constant rate and a batch of one unless told otherwise."""
    fields = {"loss": SquaredError(), "schedule": Constant(0.05), "averaging": None, "batch_size": 1, "bounds": None}
    return Problem(optimizer=optimizer, penalty=penalty, alpha=alpha, **{**fields, "fit_intercept": True, **others})


def make_rows(n=N, d=D, seed=0):
    """Rows of which some values, one feature and one row are all zero."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.5)
    X[:, d - 2] = 0.0
    X[n // 2] = 0.0
    return X


def make_targets(X, n_outputs, seed=1):
    """Targets of shape (n, K) with some noise."""
    rng = np.random.default_rng(seed)
    return X @ rng.normal(size=(X.shape[1], n_outputs)) + 0.5 + 0.1 * rng.normal(size=(len(X), n_outputs))


def make_weights(n=N, seed=2):
    """Row weights between 0.5 and 2."""
    return np.random.default_rng(seed).uniform(0.5, 2.0, n)


def make_orders(n=N, passes=2, seed=3):
    """The order of the rows in each pass, in the type of the samplers."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(n).astype(np.int32) for _ in range(passes)]


def count_outputs(problem, y):
    """K: as many as targets, but 3 classes for a joint loss."""
    return 3 if problem.loss.joint else y.shape[1]


def first_weights(problem, n_outputs, d=D):
    """Where the runs start: weights (K, d), some of them zero, and intercepts."""
    rng = np.random.default_rng(4)
    coef = rng.normal(size=(n_outputs, d)) * (rng.random((n_outputs, d)) < 0.7)
    return coef if problem.bounds is None else np.clip(coef, *problem.bounds), rng.normal(size=n_outputs)


def first_state(problem, n_outputs, d=D, dtype=np.float64):
    """The state at `first_weights`."""
    state = State(problem, n_outputs, d, dtype, seed=0)
    state.start(problem, *first_weights(problem, n_outputs, d))
    return state


def read(problem, state):
    """Weights, intercepts and their averages (None without), with nothing owed."""
    other = state.copy()
    other.convert(problem, None)
    means = (other.lines[-1], other.bias[-1]) if other.averaged else (None, None)
    return other.lines[0], other.bias[0], *means


def run(problem, X, y, weight, orders, dtype=np.float64):
    """The readings after a pass in each of the orders, each in one call."""
    state = first_state(problem, count_outputs(problem, y), X.shape[1], dtype)
    block = Block(X.astype(dtype), y, weight)
    readings = []
    for order in orders:
        assert pass_.run(problem, state, block, order, None)
        readings.append(read(problem, state))
    return readings


def split(problem, orders):
    """The batches of all passes: the last one of a pass has what is left."""
    size = problem.batch_size or len(orders[0])
    return [order[first : first + size] for order in orders for first in range(0, len(order), size)]


def run_in_parts(problem, X, y, weight, orders):
    """The readings after every update, each in a call of its own."""
    return run(problem, X, y, weight, split(problem, orders))


def expected(problem, X, y, weight, orders, gradient=lambda p, y: p - y):
    """What the reference finds after every update."""
    X = X.toarray() if sp.issparse(X) else X
    batches = split(problem, orders)
    t = np.arange(len(batches))
    rates = np.broadcast_to(problem.schedule.rate(t), t.shape)
    coef, intercept = first_weights(problem, count_outputs(problem, y), X.shape[1])
    return reference.train(
        X,
        y,
        gradient=gradient,
        optimizer=problem.optimizer,
        penalty=problem.penalty,
        alpha=problem.alpha,
        rates=rates,
        coef=coef,
        intercept=intercept,
        batches=batches,
        weight=weight,
        rho=None if problem.averaging is None else problem.averaging.rho(t, rates, 0.0)[0],
        bounds=problem.bounds,
        fit_intercept=problem.fit_intercept,
    )


def check(problem, X, y, weight, orders, gradient=lambda p, y: p - y):
    """One call a pass, and one call an update, give what the reference does."""
    history = expected(problem, X, y, weight, orders, gradient)
    last = [len(split(problem, orders[: i + 1])) - 1 for i in range(len(orders))]
    for reading, t in zip(run(problem, X, y, weight, orders), last, strict=True):
        assert_equal(reading, history, t)
    for t, reading in enumerate(run_in_parts(problem, X, y, weight, orders)):
        assert_equal(reading, history, t)


def assert_equal(reading, history, t):
    """A reading equals the reference after update t."""
    names = ("weights", "intercepts", "mean weights", "mean intercepts")
    for name, found, wanted in zip(names, reading, history, strict=True):
        if found is not None:
            np.testing.assert_allclose(found, wanted[t], **TOLERANCE, err_msg=f"{name} after update {t}")
