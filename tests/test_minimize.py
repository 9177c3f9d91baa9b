"""`minimize` against torch.optim, scipy and loops in plain NumPy."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from scipy.optimize import rosen, rosen_der

from sksgd import minimize
from sksgd.averaging import PolyakRuppert, RateWeighted, Tail
from sksgd.base import Optimizer, Sampler
from sksgd.optimizers import SGD, AdaGrad, Adam, AdamW, FTRLProximal, Momentum, Nesterov, RMSProp
from sksgd.sampling import Reshuffle, WithReplacement
from sksgd.schedules import Adaptive, Cosine, Exponential

DATA = json.loads(Path(__file__).with_name("reference").joinpath("torch_functions.json").read_text())
A, B = np.array(DATA["A"]), np.array(DATA["b"])
FUNCTIONS = {
    "parabola": (lambda x: x[0] ** 2, lambda x: 2 * x),
    "ellipse": (lambda x: x[0] ** 2 + 2 * x[1] ** 2, lambda x: np.array([2 * x[0], 4 * x[1]])),
    "rosenbrock": (rosen, rosen_der),
    "quadratic": (lambda x: 0.5 * x @ A @ x - B @ x, lambda x: A @ x - B),
}
OPTIMIZERS = {
    "sgd": SGD(),
    "momentum": Momentum(),
    "nesterov": Nesterov(),
    "adagrad": AdaGrad(),
    "rmsprop": RMSProp(),
    "adam": Adam(),
}
ELLIPSE, START = FUNCTIONS["ellipse"], [-5.0, -2.0]
QUADRATIC = FUNCTIONS["quadratic"]
MAX_SEED = np.iinfo(np.int32).max


def run(function, x0=START, **params):
    fun, jac = function
    return minimize(fun, x0, jac=jac, **{"optimizer": "sgd", "learning_rate": 0.1, "random_state": 0, **params})


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


# ---- means over samples ----------------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(size=23)


def half_square(x, i):
    return 0.5 * np.mean((X[i] @ x - Y[i]) ** 2)


def half_square_slope(x, i):
    return (X[i] @ x - Y[i]) @ X[i] / len(i)


SQUARES = half_square, half_square_slope


@pytest.mark.parametrize("sampler", [Reshuffle(), WithReplacement()], ids=str)
@pytest.mark.parametrize("batch_size", [1, 5, 23, 100, "full"])
def test_mean_over_samples(sampler, batch_size):
    seed = int(np.random.RandomState(3).randint(MAX_SEED))
    size = 23 if batch_size == "full" else min(batch_size, 23)
    batches = [
        order[k : k + size] for number in range(5) for order in [sampler.order(23, seed, number)[0]]
        for k in range(0, 23, size)
    ]  # fmt: skip
    result = run(
        SQUARES, np.zeros(3), n_samples=23, batch_size=batch_size, sampling=sampler, random_state=3,
        max_iter=len(batches), trajectory=True,
    )  # fmt: skip
    x, seen = np.zeros(3), 0
    for found, n, batch in zip(result.trajectory.x[1:], result.trajectory.n_samples_seen[1:], batches, strict=True):
        x, seen = x - 0.1 * half_square_slope(x, batch), seen + len(batch)
        np.testing.assert_allclose(found, x, rtol=1e-11)
        assert n == seen
    assert result.fun == half_square(result.x, np.arange(23))


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "adam"])
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize(
    ("batch_size", "penalty", "alpha"),
    [(1, "l2", 0.01), (4, "elasticnet", 0.01), (4, "l1", 0.8), (4, "l2", 0.0), (1, "l2", [0.1, 0.0, 1.0])],
)
def test_same_as_training_a_model(optimizer, average, batch_size, penalty, alpha):
    from sksgd import LinearRegressor

    settings = {"optimizer": optimizer, "average": average, "batch_size": batch_size, "random_state": 5}
    settings |= {"learning_rate": Cosine(0.05), "penalty": penalty, "alpha": alpha}
    model = LinearRegressor(fit_intercept=False, max_iter=4, tol=None, **settings).fit(X, Y)
    result = minimize(*SQUARES[:1], np.zeros(3), jac=SQUARES[1], n_samples=23, max_iter=model.t_, **settings)
    np.testing.assert_allclose(result.x, model.coef_, rtol=1e-10)
    assert result.fun == pytest.approx(model.loss_curve_[-1], rel=1e-10)
    assert np.array_equal(result.x == 0, model.coef_ == 0)


def test_importance_is_refused():
    with pytest.raises(ValueError, match=r"Importance.*'with_replacement'"):
        run(SQUARES, np.zeros(3), n_samples=23, sampling="importance")


# ---- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [Momentum(), Nesterov(), Adam()], ids=str)
def test_end_points_of_scipy(optimizer):
    for function, start in ((FUNCTIONS["rosenbrock"], [-1.2, 1.0]), (QUADRATIC, np.ones(5))):
        rate = 0.02 if optimizer == Adam() else 1e-3
        result = run(function, start, optimizer=optimizer, learning_rate=rate, max_iter=60000, tol=1e-6)
        theirs = scipy.optimize.minimize(function[0], start, jac=function[1], method="BFGS", tol=1e-12)
        assert (result.success, result.status) == (True, 1)
        np.testing.assert_allclose(result.x, theirs.x, atol=1e-4)
        assert np.abs(function[1](result.x)).max() <= 1e-6
        assert result.nit < 60000


def test_tol_of_the_whole_function():
    result = run(ELLIPSE, tol=1e-3, max_iter=1000, trajectory=True)
    slopes = [np.abs(ELLIPSE[1](x)).max() for x in result.trajectory.x]
    assert slopes[-1] <= 1e-3 < slopes[-2]
    assert result.njev == result.nit + 1
    assert result.message == "the largest component of the gradient is at most tol"
    few = run(ELLIPSE, tol=1e-3, max_iter=result.nit - 1)
    assert (few.success, few.status, few.message) == (False, 0, f"max_iter={result.nit - 1} updates done")
    assert run(ELLIPSE, tol=1e-3, max_iter=result.nit).success
    assert run(ELLIPSE, max_iter=3).success


def test_tol_of_a_mean_over_samples():
    result = run(SQUARES, np.zeros(3), n_samples=23, batch_size=6, tol=0.05, max_iter=1000, trajectory=True)
    slopes = [np.abs(half_square_slope(x, np.arange(23))).max() for x in result.trajectory.x[::4]]
    assert result.nit % 4 == 0
    assert slopes[-1] <= 0.05 < min(slopes[:-1])


def test_tol_with_noise_is_of_the_function():
    result = run(ELLIPSE, noise=0.3, tol=0.5, max_iter=1000)
    assert result.success
    assert np.abs(ELLIPSE[1](result.x)).max() <= 0.5


def test_divergence():
    with np.errstate(over="ignore"):
        result = run(ELLIPSE, learning_rate=10.0, max_iter=1000, average=True)
        way = run(ELLIPSE, learning_rate=10.0, max_iter=1000, trajectory=True)
    assert (result.success, result.status) == (False, 3)
    assert result.message == f"diverged: update {result.nit} was not finite and is taken back; lower the learning rate"
    # x2 is multiplied by -39 in each update, until one of them leaves the range of floats.
    np.testing.assert_allclose(way.trajectory.x[:, 1], START[1] * (-39.0) ** np.arange(result.nit + 1))
    assert np.array_equal(way.x, way.trajectory.x[-1])
    assert np.finfo(float).max / 39 < abs(way.x[1]) < np.inf
    assert np.isfinite(result.x).all()


def test_a_gradient_that_is_not_finite():
    result = minimize(np.sum, [1.0, 2.0], jac=lambda x: np.array([np.nan, 1.0]), max_iter=5)
    assert (result.nit, result.status) == (0, 3)
    assert np.array_equal(result.x, [1.0, 2.0])


@pytest.mark.parametrize("average", [False, True])
def test_callbacks(average):
    points, results = [], []

    def stop(x):
        points.append(x)
        if len(points) == 6:
            raise StopIteration

    def watch(intermediate_result):
        results.append(intermediate_result)

    result = run(ELLIPSE, callback=stop, max_iter=50, trajectory=True, average=average)
    assert (result.nit, result.status, result.success) == (6, 2, False)
    way = result.trajectory.average if average else result.trajectory.x
    np.testing.assert_array_equal(points, way[1:])
    run(ELLIPSE, callback=watch, max_iter=6, average=average)
    assert [r.nit for r in results] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal([r.x for r in results], way[1:])
    assert [r.fun for r in results] == [ELLIPSE[0](x) for x in way[1:]]


def test_every_tenth_point():
    every, tenth = (run(ELLIPSE, max_iter=25, trajectory=k, average=True).trajectory for k in (1, 10))
    rows = [0, 10, 20, 25]
    for name in ("nit", "n_samples_seen", "x", "average", "fun", "average_fun", "learning_rate"):
        np.testing.assert_array_equal(getattr(tenth, name), getattr(every, name)[rows])
    assert "trajectory" not in run(ELLIPSE, max_iter=3)


# ---- what fun and jac may be -----------------------------------------------------------------------------------------


def test_forms_of_the_gradient():
    fun, jac = ELLIPSE
    given = run(ELLIPSE, max_iter=20)
    both = run((lambda x: (fun(x), jac(x)), True), max_iter=20)
    differences = run((fun, None), max_iter=20)
    assert np.array_equal(given.x, both.x)
    assert given.fun == both.fun
    np.testing.assert_allclose(differences.x, given.x, atol=1e-7)
    assert (given.nfev, given.njev) == (1, 20)
    assert (differences.nfev, differences.njev) == (20 * 3 + 1, 0)
    means = run((SQUARES[0], None), np.zeros(3), n_samples=23, batch_size=5, max_iter=9)
    np.testing.assert_allclose(means.x, run(SQUARES, np.zeros(3), n_samples=23, batch_size=5, max_iter=9).x, atol=1e-6)
    columns = run((lambda x: np.atleast_2d(fun(x)), lambda x: jac(x).reshape(2, 1)), max_iter=20)
    assert np.array_equal(columns.x, given.x)


def test_arguments():
    result = minimize(
        lambda x, a, b: a * x[0] ** 2 + b * x[0], 1.0, (2.0, 8.0), jac=lambda x, a, b: 2 * a * x + b, optimizer="sgd",
        learning_rate=0.1, max_iter=200,
    )  # fmt: skip
    assert result.x == pytest.approx([-2.0])
    means = run((lambda x, i, a: a, lambda x, i, a: x - a), 0.0, n_samples=3, args=(7.0,), max_iter=300)
    assert means.x == pytest.approx([7.0])
    assert run((lambda x, a: a, lambda x, a: x - a), 0.0, args=7.0, max_iter=300).fun == 7.0
    assert means.fun == 7.0


def test_a_function_may_keep_and_change_its_argument():
    kept = []

    def jac(x):
        kept.append(x)
        g = ELLIPSE[1](x)
        x[:] = 99.0
        return g

    assert np.array_equal(run((ELLIPSE[0], jac), max_iter=20).x, run(ELLIPSE, max_iter=20).x)
    assert all((x == 99.0).all() for x in kept)


def test_estimators_within_a_function_are_checked():
    from sksgd import LinearRegressor

    with pytest.raises(ValueError, match="batch_size"):
        run((lambda x: LinearRegressor(batch_size=-1).fit([[1.0]], [1.0]).score([[1.0]], [1.0]), None))


def test_start_is_left_alone_and_float32_stays():
    start = np.array(START, dtype=np.float32)
    result = run(ELLIPSE, start, max_iter=30)
    assert result.x.dtype == np.float32
    np.testing.assert_allclose(result.x, run(ELLIPSE, max_iter=30).x, rtol=1e-5)
    assert np.array_equal(start, np.array(START, dtype=np.float32))
    assert run(ELLIPSE, [1, 2], max_iter=1).x.dtype == np.float64


def test_rate_of_the_optimizer_where_none_is_given():
    for optimizer in (Adam(), AdaGrad()):
        usual = run(ELLIPSE, optimizer=optimizer, learning_rate=None, max_iter=9).x
        assert np.array_equal(
            usual, run(ELLIPSE, optimizer=optimizer, learning_rate=optimizer.usual_rate, max_iter=9).x
        )


class Unrated(SGD):
    """An optimizer without a usual rate."""

    usual_rate = None


class Weighted(Sampler):
    """Draws with factors, which a function's mean over a batch cannot take."""

    def order(self, n, seed, number, norms=None):
        return np.arange(n), np.full(n, 2.0)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"optimizer": "newton"}, "optimizer"),
        ({"learning_rate": -1.0}, "learning_rate"),
        ({"optimizer": Unrated(), "learning_rate": None}, "needs a learning_rate"),
        ({"learning_rate": "adaptive"}, "'adaptive' falls when passes bring no progress"),
        ({"learning_rate": Adaptive(0.1)}, "which minimize does not measure"),
        ({"learning_rate": "optimal"}, "alpha"),
        ({"learning_rate": "optimal", "penalty": "l2", "alpha": 0.1}, "follows from the loss of a model"),
        ({"noise": -1.0}, "'noise'"),
        ({"alpha": 1.0}, "alpha > 0 needs a penalty"),
        ({"noise": [1.0, 1.0, 1.0]}, "shape"),
        ({"noise": lambda rng, x: np.zeros((2, 2))}, r"noise must have the shape of x0, \(2,\)"),
        ({"penalty": "l2", "alpha": [1.0]}, "'alpha'"),
        ({"penalty": "l2", "alpha": -1.0}, "'alpha'"),
        ({"bounds": [(0, 1)]}, "'bounds'"),
        ({"bounds": [(1, 0), (0, 1)]}, "lower bound"),
        ({"bounds": 3}, "'bounds'"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"x0": [[1.0]]}, "'x0'"),
        ({"x0": [np.inf]}, "'x0'"),
        ({"n_samples": 3, "sampling": Weighted()}, "weights"),
    ],
)
def test_refusals(params, match):
    with pytest.raises(ValueError, match=match):
        run((ELLIPSE[0], lambda x, *i: x), **params)


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"fun must return one number.*\(2,\)"):
        run((lambda x: x, ELLIPSE[1]))
    with pytest.raises(ValueError, match=r"shape of x0, \(2,\).*\(3,\)"):
        run((ELLIPSE[0], lambda x: np.ones(3)))


# ---- as a method of scipy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD(), Momentum(0.5), Adam()], ids=str)
def test_method_of_scipy(optimizer):
    method = optimizer.as_method(learning_rate=0.05, noise=0.1, random_state=0)
    ours = run(ELLIPSE, optimizer=optimizer, learning_rate=0.05, noise=0.1, max_iter=30)
    for chosen in (method, pickle.loads(pickle.dumps(method))):
        theirs = scipy.optimize.minimize(
            ELLIPSE[0], START, jac=ELLIPSE[1], method=chosen, options={"maxiter": 30, "trajectory": True}
        )
        assert isinstance(theirs, scipy.optimize.OptimizeResult)
        np.testing.assert_array_equal(theirs.x, ours.x)
        assert len(theirs.trajectory.x) == 31
    changed = scipy.optimize.minimize(ELLIPSE[0], START, jac=ELLIPSE[1], method=method, options={"learning_rate": 0.01})
    assert changed.nit == 1000


def test_method_takes_what_scipy_hands_on(capsys):
    method, seen = SGD().as_method(learning_rate=0.1), []
    result = scipy.optimize.minimize(
        lambda x, a: (a * x @ x, 2 * a * x), START, args=(0.5,), jac=True, method=method, tol=1e-8,
        bounds=[(None, -1), (None, -1)], options={"disp": True},
        callback=lambda intermediate_result: seen.append(intermediate_result.fun),
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, [-1.0, -1.0])
    assert seen[-1] == result.fun == pytest.approx(1.0)
    assert capsys.readouterr().out == f"{result.message}: fun 1, {result.nit} updates\n"
    differences = scipy.optimize.minimize(ELLIPSE[0], START, method=method, options={"maxiter": 200})
    np.testing.assert_allclose(differences.x, 0.0, atol=1e-6)


def test_method_refuses_constraints_and_ignores_curvature():
    method = SGD().as_method(learning_rate=0.1)
    with pytest.raises(ValueError, match="cannot handle constraints"):
        scipy.optimize.minimize(*ELLIPSE[:1], START, method=method, constraints={"type": "eq", "fun": lambda x: x[0]})
    with pytest.warns(RuntimeWarning, match="does not use Hessian"):
        scipy.optimize.minimize(ELLIPSE[0], START, jac=ELLIPSE[1], hess=lambda x: np.eye(2), method=method)
