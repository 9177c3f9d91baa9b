"""What `minimize` takes and refuses, and `minimize` as a method of scipy."""

import pickle

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from minimize_cases import ELLIPSE, SQUARES, START, run

from sksgd import minimize
from sksgd.base import Sampler
from sksgd.optimizers import SGD, AdaGrad, Adam, Momentum
from sksgd.schedules import Adaptive

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
