"""`minimize` on means over samples, and how it ends."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from minimize_cases import (
    ELLIPSE,
    FUNCTIONS,
    MAX_SEED,
    QUADRATIC,
    SQUARES,
    START,
    X,
    Y,
    half_square,
    half_square_slope,
    run,
)

from sksgd import minimize
from sksgd.optimizers import Adam, Momentum, Nesterov
from sksgd.sampling import Reshuffle, WithReplacement
from sksgd.schedules import Cosine

# ---- means over samples ----------------------------------------------------------------------------------------------


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
