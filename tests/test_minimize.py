"""`minimize` against torch.optim and loops in plain NumPy; averages and noise."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from minimize_cases import DATA, ELLIPSE, FUNCTIONS, OPTIMIZERS, QUADRATIC, START, run

from sksgd import minimize
from sksgd.averaging import PolyakRuppert, RateWeighted, Tail
from sksgd.base import Optimizer
from sksgd.optimizers import SGD, AdaGrad, Adam, AdamW, FTRLProximal, Momentum
from sksgd.schedules import Exponential

# ---- the way ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", DATA["runs"])
def test_trajectories_of_torch(run):
    function, name = run.split(", ")
    expected = np.array(DATA["runs"][run]["path"])
    fun, jac = FUNCTIONS[function]
    result = minimize(
        fun, expected[0], jac=jac, optimizer=OPTIMIZERS[name], learning_rate=DATA["runs"][run]["lr"],
        max_iter=len(expected) - 1, trajectory=True,
    )  # fmt: skip
    np.testing.assert_allclose(result.trajectory.x, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.trajectory.fun, [fun(x) for x in expected], rtol=1e-9, atol=1e-12)
    assert result.fun == fun(result.x)
    assert np.array_equal(result.x, result.trajectory.x[-1])
    assert np.array_equal(result.trajectory.nit, np.arange(len(expected)))


class Lion(Optimizer):
    """One of a user's own."""

    beta: float = 0.9
    n_slots = 1

    def begin(self, t, eta):
        return eta, self.beta

    def coord(self, g, w, slots, begun):
        m = begun[1] * slots[0] + (1 - begun[1]) * g
        return w - begun[0] * (1.0 if m > 0 else -1.0), (m,)


def follow(optimizer, gradient, x0, rates):
    """The hooks of an optimizer, called by a plain loop."""
    x, path = list(x0), [list(x0)]
    starts = [np.broadcast_to(slot, len(x)) for slot in optimizer.start(np.array(x0))]
    slots = [tuple(slot[j] for slot in starts) for j in range(len(x))]
    for t, eta in enumerate(rates):
        g, begun = gradient(np.array(x), t), optimizer.begin(t, eta)
        for j in range(len(x)):
            x[j], slots[j] = optimizer.coord(g[j], x[j], slots[j], begun)
        path.append(list(x))
    return np.array(path)


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS.values(), FTRLProximal(), Lion(0.8)], ids=str)
@pytest.mark.parametrize("n", [7, 1500])
def test_hooks_in_a_plain_loop(optimizer, n):
    schedule = Exponential(0.05, 0.01)
    result = run(ELLIPSE, optimizer=optimizer, learning_rate=schedule, max_iter=n, trajectory=True)
    expected = follow(optimizer, lambda x, t: ELLIPSE[1](x), START, schedule.rate(np.arange(n)))
    np.testing.assert_allclose(result.trajectory.x, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(result.trajectory.learning_rate[1:], schedule.rate(np.arange(n)))
    assert np.isnan(result.trajectory.learning_rate[0])
    assert (result.nit, result.njev) == (n, n)


def test_clipping():
    result = run(ELLIPSE, optimizer=SGD(clip_value=6.0, clip_norm=7.0), max_iter=20, trajectory=True)
    x = np.array(START)
    for found in result.trajectory.x[1:]:
        g = np.clip(ELLIPSE[1](x), -6.0, 6.0)
        x = x - 0.1 * g * min(1.0, 7.0 / np.linalg.norm(g))
        np.testing.assert_allclose(found, x, rtol=1e-12)


def soft(x, a):
    return np.sign(x) * np.maximum(np.abs(x) - a, 0.0)


def test_proximal_gradient_descent():
    alpha = 0.3
    result = run(QUADRATIC, np.ones(5), penalty="l1", alpha=alpha, max_iter=50, trajectory=True)
    x = np.ones(5)
    for found, value in zip(result.trajectory.x[1:], result.trajectory.fun[1:], strict=True):
        x = soft(x - 0.1 * QUADRATIC[1](x), 0.1 * alpha)
        np.testing.assert_allclose(found, x, rtol=1e-12, atol=1e-14)
        assert value == pytest.approx(QUADRATIC[0](x) + alpha * np.abs(x).sum(), rel=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(), Momentum(), Adam(), AdaGrad(), FTRLProximal()], ids=str)
def test_rests_at_the_minimum_with_a_penalty(optimizer):
    alpha, rate = np.array([0.3, 0.0, 0.3, 0.5, 3.0]), {"SGD": 0.1, "Momentum": 0.05}.get(type(optimizer).__name__, 0.3)
    result = run(
        QUADRATIC, np.ones(5), optimizer=optimizer, learning_rate=rate, penalty="l1", alpha=alpha, tol=1e-8,
        max_iter=20000,
    )  # fmt: skip
    x, g = result.x, QUADRATIC[1](result.x)
    assert result.success
    assert 0 < np.count_nonzero(x) < 5
    np.testing.assert_allclose(g[x != 0], -(alpha * np.sign(x))[x != 0], atol=1e-7)
    assert (np.abs(g[x == 0]) <= alpha[x == 0] + 1e-7).all()


def test_weight_decay_of_adamw():
    result = run(ELLIPSE, optimizer=AdamW(), penalty="l2", alpha=0.5, max_iter=30, trajectory=True)
    x, m, v = np.array(START), np.zeros(2), np.zeros(2)
    for t, found in enumerate(result.trajectory.x[1:], 1):
        g = ELLIPSE[1](x)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x / (1 + 0.1 * 0.5) - 0.1 * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        np.testing.assert_allclose(found, x, rtol=1e-10)


LOW, HIGH = [0.2, -np.inf, -9.0, -0.1, 0.0], [np.inf, 0.5, 0.5, 0.5, 0.5]
PAIRS = [(0.2, None), (None, 0.5), (-9, 0.5), (-0.1, 0.5), (0, 0.5)]


@pytest.mark.parametrize("bounds", [scipy.optimize.Bounds(LOW, HIGH), PAIRS], ids=["Bounds", "pairs"])
def test_bounds(bounds):
    start = np.full(5, 0.3)
    result = run(QUADRATIC, start, bounds=bounds, tol=1e-9, max_iter=5000, trajectory=True)
    x = start
    for found in result.trajectory.x[1:10]:
        x = np.clip(x - 0.1 * QUADRATIC[1](x), LOW, HIGH)
        np.testing.assert_allclose(found, x, rtol=1e-12)
    theirs = scipy.optimize.minimize(QUADRATIC[0], start, jac=QUADRATIC[1], bounds=bounds, tol=1e-14)
    assert result.success
    np.testing.assert_allclose(result.x, theirs.x, atol=1e-6)


# ---- averages --------------------------------------------------------------------------------------------------------


def test_averages():
    settings = {"noise": 1.0, "max_iter": 40, "learning_rate": Exponential(0.1, 0.05), "trajectory": True}
    plain = run(ELLIPSE, **settings).trajectory
    x, rates = plain.x[1:], plain.learning_rate[1:]
    assert plain.average is plain.average_fun is None
    for average, weights in (
        (True, np.ones(40)),
        (PolyakRuppert(start=10), np.arange(40) >= 10),
        (Tail(0.25), np.arange(40) >= 30),
        (RateWeighted(), rates),
    ):
        result = run(ELLIPSE, average=average, **settings)
        np.testing.assert_array_equal(result.trajectory.x, plain.x)
        mean = np.average(x, axis=0, weights=weights)
        np.testing.assert_allclose(result.x, mean, rtol=1e-12)
        np.testing.assert_array_equal(result.x, result.trajectory.average[-1])
        assert result.trajectory.average_fun[-1] == result.fun == ELLIPSE[0](result.x)
        np.testing.assert_array_equal(result.trajectory.average[0], START)


# ---- noise -----------------------------------------------------------------------------------------------------------


def added(noise, **params):
    """The noise that was added to the gradients, found from the steps."""
    path = run(ELLIPSE, noise=noise, max_iter=3000, trajectory=True, **params).trajectory.x
    return (path[:-1] - path[1:]) / 0.1 - path[:-1] * [2, 4]


@pytest.mark.parametrize(
    ("noise", "law"),
    [(0.5, scipy.stats.norm(scale=0.5)), (scipy.stats.t(df=3), scipy.stats.t(df=3)),
     (lambda rng, x: rng.uniform(-1, 1, x.shape), scipy.stats.uniform(-1, 2))],
)  # fmt: skip
def test_law_of_noise(noise, law):
    found = added(noise)
    for j in range(2):
        assert scipy.stats.kstest(found[:, j], law.cdf).pvalue > 0.01
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.06
    assert abs(np.corrcoef(found[1:, 0], found[:-1, 0])[0, 1]) < 0.06


def test_noise_floor():
    # x <- (1 - eta h) x + eta noise has the stationary variance eta^2 / (1 - (1 - eta h)^2).
    way = run(ELLIPSE, noise=1.0, max_iter=20000, trajectory=True).trajectory.x[100:]
    np.testing.assert_allclose(way.var(axis=0), [0.01 / (1 - 0.8**2), 0.01 / (1 - 0.6**2)], rtol=0.05)


def test_bound_for_the_rate_weighted_average():
    # Gradients of |x| + noise have a mean square of L^2 = 1 + 3; the bound holds for the mean of many runs.
    T, start = 200, np.array([3.0, 4.0])
    runs = [
        minimize(
            lambda x: np.hypot(*x), start, jac=lambda x: x / np.hypot(*x), noise=np.sqrt(1.5), optimizer="sgd",
            learning_rate=5 / (2 * np.sqrt(T)), average="rate_weighted", max_iter=T, random_state=seed,
        ).fun
        for seed in range(40)
    ]  # fmt: skip
    assert 0 < np.mean(runs) < 5 * 2 / np.sqrt(T)


def test_noise_for_each_coordinate():
    found = added([0.0, 2.0])
    assert np.abs(found[:, 0]).max() < 1e-12
    assert scipy.stats.kstest(found[:, 1] / 2, "norm").pvalue > 0.01


def test_noise_follows_random_state():
    first, same, other = (run(ELLIPSE, noise=1.0, max_iter=9, random_state=seed).x for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.isclose(first, other).any()


def test_noise_leaves_the_order_of_samples_alone():
    orders = []
    for noise in (None, 1.0):
        seen = []
        minimize(
            lambda x, i: 0.0, 0.0, jac=lambda x, i, seen=seen: seen.append(i[0]) or x, n_samples=9, max_iter=30,
            noise=noise, random_state=0,
        )  # fmt: skip
        orders.append(seen)
    assert orders[0] == orders[1]
