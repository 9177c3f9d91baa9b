"""learning_rate="auto": the formula against plain NumPy, rows that make fixed rates diverge, and streams."""

import dataclasses
import math
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from components_plain import PROBLEM
from estimators import WEIGHT, X, Y, assert_same
from sklearn.exceptions import ConvergenceWarning

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.base import Loss, Schedule
from sksgd.core.batches import Block
from sksgd.losses import (
    EpsilonInsensitive,
    Gamma,
    Hinge,
    LogLoss,
    Multinomial,
    Poisson,
    Quantile,
    SquaredEpsilonInsensitive,
    SquaredError,
    resolve_loss,
)
from sksgd.optimizers import SGD, Momentum, Nesterov
from sksgd.schedules import Adaptive, Auto, LinearToZero, Warmup

CLASSIC = ["sgd", "momentum", "nesterov"]


def stretch(X, weight, size, beta, intercept, bounded):
    """S as the docstring of `Auto` has it, the mean over the batches of a pass."""
    rows = np.column_stack([X, np.ones(len(X))]) if intercept else X
    squares = weight * np.sum(rows**2, axis=1)
    R = 0.5 * math.sqrt(np.mean(squares**2)) if bounded else squares.max()
    top = np.linalg.eigvalsh((rows * weight[:, None]).T @ rows / len(rows))[-1]
    batches = [min(size, len(X) - first) for first in range(0, len(X), size)]
    return float(np.mean([R / (b * (1 - beta)) + (1 - 1 / b) * top for b in batches]))


def rate(rows, y, weight=None, **problem):
    """The rate for rows that have not been trained on."""
    problem = dataclasses.replace(PROBLEM, **problem)
    return Auto().meet(problem, Block(rows, np.asarray(y, dtype=float)[:, None], weight), None).rate(0)


# The formula


@pytest.mark.parametrize("rows", ["dense", "csr", "float32"])
@pytest.mark.parametrize("size", [1, 7, None])
@pytest.mark.parametrize("intercept", [True, False])
def test_rate_is_that_of_the_formula(rows, size, intercept):
    # With three features the four vectors of the power method span everything.
    data = {"dense": X[:, :3], "csr": sp.csr_array(X[:, :3]), "float32": X[:, :3].astype(np.float32)}[rows]
    for optimizer, beta in ((SGD(), 0.0), (Momentum(0.8), 0.8), (Nesterov(), 0.9)):
        for loss, curvature, bounded in (
            (SquaredError(), 1, False),
            (LogLoss(), 1 / 4, True),
            (Multinomial(), 1 / 2, True),
        ):
            problem = {"optimizer": optimizer, "batch_size": size, "fit_intercept": intercept, "loss": loss}
            expected = 1 / curvature / stretch(X[:, :3], WEIGHT, size or 60, beta, intercept, bounded)
            found = rate(data, np.arange(60) % 2, WEIGHT, **problem)
            assert found == pytest.approx(expected, rel=1e-6 if rows == "float32" else 1e-12)


@pytest.mark.parametrize("size", [32, None])
def test_rate_of_many_rows_is_that_of_the_formula_nearly(size):
    rng = np.random.default_rng(0)
    rows = rng.standard_t(3, (20_000, 30)) * 10.0 ** rng.uniform(-1, 1, 30) + rng.normal(size=30)
    expected = 1 / stretch(rows, np.ones(len(rows)), size or len(rows), 0.0, True, bounded=False)
    # Mean squares grow from twice the rate on.
    assert 0.8 < rate(rows, rows[:, 0], batch_size=size) / expected < 1.2


@pytest.mark.parametrize(
    ("loss", "y", "curvature"),
    [
        (SquaredEpsilonInsensitive(), Y, 2.0),
        (Quantile(0.7), Y, 2 * 0.7 / np.std(Y)),
        (EpsilonInsensitive(), Y, 2 / np.std(Y)),
        (Hinge(), np.sign(Y), 2.0),
        # At the constant mean the curvature is that mean; the largest gradient, at 0, is max(y) - 1.
        (Poisson(), [0.0, 1.0, 5.0, 30.0], 29.0),
        # At 0 the curvature is y.
        (Gamma(), [0.5, 1.0, 5.0, 30.0], 30.0),
    ],
)
def test_curvature_of_the_loss(loss, y, curvature):
    bounded = math.isfinite(loss.max_gradient)
    rows = X[: len(y)]
    expected = 1 / curvature / stretch(rows, np.ones(len(y)), 1, 0.0, True, bounded)
    assert rate(rows, y, loss=loss) == pytest.approx(expected, rel=1e-12)


def test_a_loss_of_ones_own_needs_no_bounds():
    class Fourth(Loss):
        def value(self, p, y):
            return 0.25 * (p - y) ** 4

        def gradient(self, p, y):
            return (p - y) ** 3

    model = LinearRegressor(loss=Fourth(), optimizer="sgd", batch_size="full", tol=None).fit(X, Y)
    assert np.all(np.diff(model.loss_curve_) < 0)


def test_rows_of_weight_zero_count_as_absent():
    weight = np.where(np.arange(60) < 50, WEIGHT, 0.0)
    rows, y = X.copy(), Y.copy()
    rows[50:], y[50:] = 1e6, 1e6
    for size in (1, 8):
        params = {"optimizer": "momentum", "batch_size": size, "random_state": 0}
        whole = LinearRegressor(**params).fit(rows, y, sample_weight=weight)
        part = LinearRegressor(**params).fit(rows[:50], y[:50], sample_weight=weight[:50])
        # Weights are scaled by their sum, which adds up in another order.
        assert_same(whole, part, rtol=1e-12)


# What it is part of


def test_it_is_the_default_of_the_classic_optimizers():
    for optimizer in CLASSIC:
        assert_same(
            *(LinearRegressor(optimizer=optimizer, learning_rate=r, random_state=0).fit(X, Y) for r in (None, "auto"))
        )
    for optimizer in ("adagrad", "adam", "ftrl"):
        assert_same(
            *(LinearRegressor(optimizer=optimizer, learning_rate=r, random_state=0).fit(X, Y) for r in (None, "auto"))
        )


def test_schedules_multiply_it():
    params = {"optimizer": "sgd", "batch_size": "full", "max_iter": 4, "tol": None, "random_state": 0}
    highest = LinearRegressor(**params).fit(X, Y).learning_rate_
    linear = LinearRegressor(**params, learning_rate=Auto(LinearToZero(1.0))).fit(X, Y)
    assert linear.learning_rate_ == pytest.approx(highest / 4)
    assert_same(linear, LinearRegressor(**params, learning_rate=LinearToZero(highest)).fit(X, Y))
    warm = LinearRegressor(**params, learning_rate=Warmup("auto", 8)).fit(X, Y)
    assert warm.learning_rate_ == pytest.approx(highest / 2)
    with pytest.raises(ValueError, match="LinearToZero ends with the training"):
        LinearRegressor(optimizer="sgd", learning_rate=Auto("linear")).partial_fit(X, Y)


def test_rate_falls_at_stalls_and_is_shown():
    model = LinearRegressor(optimizer="sgd", max_iter=1, tol=None, random_state=0).fit(X, Y)
    assert model.learning_rate_ == pytest.approx(1 / np.max(1 + np.sum(X**2, axis=1)))
    settled = LinearRegressor(optimizer="sgd", random_state=0).fit(X, Y)
    assert settled.learning_rate_ == pytest.approx(1e-3 * model.learning_rate_)
    assert LinearRegressor(optimizer="sgd", learning_rate=0.25).fit(X, Y).learning_rate_ == 0.25
    assert math.isnan(LinearRegressor(optimizer="newton").fit(X, Y).learning_rate_)
    assert not hasattr(LinearRegressor(), "learning_rate_")


def test_a_schedule_of_ones_own_may_look_at_the_rows():
    class OverMeanSquare(Schedule):
        eta0: float = 0.1

        def meet(self, problem, block, before):
            return self.replace(eta0=self.eta0 / block.norms.mean())

        def rate(self, t):
            return self.eta0

    model = LinearRegressor(optimizer="sgd", learning_rate=OverMeanSquare()).fit(X, Y)
    assert model.learning_rate_ == pytest.approx(0.1 / (1 + np.mean(np.sum(X**2, axis=1))))


# Rows that make fixed rates diverge

SIGNAL = np.random.default_rng(7).normal(size=8)


def hard(family):
    """Rows, and a signal of size 1."""
    rng = np.random.default_rng(1)
    Z = {"cauchy": rng.standard_cauchy, "heavy": lambda size: rng.standard_t(2.2, size)}.get(
        family, rng.standard_normal
    )
    Z = Z((400, 8))
    signal = Z @ SIGNAL / np.linalg.norm(SIGNAL)
    offset = 100 * rng.normal(size=8) if family == "offsets" else 0.0
    scale = 1e-3 if family == "tiny" else 10.0 ** np.linspace(-3, 3, 8)
    return (Z + offset) * scale, signal / np.percentile(np.abs(signal), 68)


def targets(loss, signal):
    """Targets in the domain of a loss, in units of thousands where it has none of its own."""
    rng = np.random.default_rng(2)
    if loss == "poisson":
        return rng.poisson(np.exp(1 + np.clip(signal, -3, 3))).astype(float)
    return 1000 * (3 + signal + 0.3 * rng.normal(size=len(signal)))


FAMILIES = ["scales", "offsets", "heavy", "cauchy", "tiny"]


def below_zero_weights(model, zero):
    """Assert that training ended below the objective of weights of 0, and never was far above."""
    assert not model.stop_reason_.startswith("diverged")
    assert model.loss_curve_[-1] < zero
    assert max(model.loss_curve_) < 20 * abs(zero)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile", "poisson"])
def test_regression_does_not_diverge(family, loss):
    rows, signal = hard(family)
    y = targets(loss, signal)
    zero = np.mean([resolve_loss(loss).value(0.0, value) for value in y.tolist()])
    for optimizer in CLASSIC:
        for size in (1, 32, "full"):
            model = LinearRegressor(
                loss=loss, optimizer=optimizer, batch_size=size, learning_rate="auto", random_state=0
            )
            below_zero_weights(model.fit(rows, y), zero)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("classes", [2, 3])
def test_classification_does_not_diverge(family, classes):
    rows, signal = hard(family)
    y = np.digitize(signal, [0.0] if classes == 2 else [-0.5, 0.5])
    for optimizer in CLASSIC:
        for size in (1, 32, "full"):
            model = LogisticClassifier(optimizer=optimizer, batch_size=size, learning_rate="auto", random_state=0)
            below_zero_weights(model.fit(rows, y), math.log(classes))


def test_fixed_rates_do_diverge_on_these_rows():
    rows, signal = hard("scales")
    with pytest.warns(ConvergenceWarning, match="diverged"):
        LinearRegressor(optimizer="sgd", learning_rate=Adaptive(0.003), random_state=0).fit(rows, 1000 * signal)


# Streams


def blocks(rows, y, edges=(10, 11, 40)):
    return zip(np.split(rows, edges), np.split(y, edges), strict=True)


@pytest.mark.parametrize("size", [1, 8])
def test_the_first_block_decides_and_later_ones_only_lower(size):
    rows = X * np.where(np.arange(60) < 40, 1.0, 0.1)[:, None]
    model, least = LinearRegressor(optimizer="sgd", batch_size=size), math.inf
    rates = []
    for part, y in blocks(rows, Y):
        model.partial_fit(part, y)
        rates.append(model.learning_rate_)
        alone = LinearRegressor(optimizer="sgd", batch_size=size).partial_fit(part, y).learning_rate_
        least = min(least, alone)
        assert rates[-1] == least
    assert rates[0] > rates[2] == rates[3] < alone


def test_parts_equal_the_whole_once_the_rate_is_known():
    params = {"optimizer": "nesterov", "sampling": "sequential", "learning_rate": "auto"}
    largest = np.argsort(-np.sum(X**2, axis=1))
    rows, y = X[largest], Y[largest]
    whole, parts = LinearRegressor(**params).partial_fit(rows, y), LinearRegressor(**params)
    for part, target in blocks(rows, y):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(part, target)))
    assert_same(parts, whole)


@pytest.mark.parametrize("optimizer", CLASSIC)
@pytest.mark.parametrize("size", [1, 8])
def test_a_stream_of_growing_rows_does_not_diverge(optimizer, size):
    rng = np.random.default_rng(0)
    model = LinearRegressor(optimizer=optimizer, batch_size=size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in range(60):
            rows = 10.0 ** (k // 10) * rng.normal(size=(20, 5))
            model.partial_fit(rows, rows @ np.ones(5))
    rows = 1e5 * rng.normal(size=(500, 5))
    errors = model.predict(rows) - rows @ np.ones(5)
    assert np.sum(errors**2) < 1e-2 * np.sum((rows @ np.ones(5)) ** 2)


def test_large_targets_lower_the_rate_where_gradients_grow_with_them():
    params = {"optimizer": "sgd", "random_state": 0}
    model = LinearRegressor("poisson", **params).partial_fit(X, np.ones(60))
    before = model.learning_rate_
    with pytest.warns(UserWarning, match="sorted by target"):
        model.partial_fit(X, np.full(60, 1000.0))
    assert model.learning_rate_ == pytest.approx(before / 1000)
    model = LinearRegressor("quantile", **params).partial_fit(X, Y)
    before = model.learning_rate_
    least = [np.argmin(np.sum(X**2, axis=1))]
    assert model.partial_fit(X[least], Y[least]).partial_fit(X, 1e-3 * Y).learning_rate_ == before


def test_what_is_known_of_the_rows_is_forgotten_with_the_problem():
    model = LinearRegressor(optimizer="sgd").partial_fit(X, Y)
    for change in ({"batch_size": 8}, {"loss": "huber"}, {"fit_intercept": False}):
        params = model.set_params(**change).get_params()
        assert model.partial_fit(X, Y).learning_rate_ == LinearRegressor(**params).partial_fit(X, Y).learning_rate_


def test_warm_starts_keep_the_rate_and_a_new_optimizer_begins_anew():
    model = LinearRegressor(optimizer="sgd", warm_start=True, max_iter=1, tol=None).fit(10 * X, Y)
    low = model.learning_rate_
    assert model.fit(X, Y).learning_rate_ == low
    anew = LinearRegressor(optimizer="momentum", max_iter=1, tol=None).fit(X, Y).learning_rate_
    assert model.set_params(optimizer="momentum").fit(X, Y).learning_rate_ == anew > low / 10


def test_blocks_without_rows_or_norms_tell_nothing():
    params = {"optimizer": "sgd", "fit_intercept": False}
    model = LinearRegressor(**params).partial_fit(X, Y, sample_weight=np.zeros(60))
    assert model.learning_rate_ == 1.0
    model.partial_fit(0 * X, Y).partial_fit(X, Y)
    assert model.learning_rate_ == LinearRegressor(**params).partial_fit(X, Y).learning_rate_ > 0
