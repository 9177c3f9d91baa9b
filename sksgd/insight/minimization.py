"""`minimize`: any function through the optimizers that train models."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions, validate_params

from ..averaging import AVERAGINGS, resolve_averaging
from ..base import Averaging, Horizon, Optimizer, Penalty, Sampler, Schedule
from ..core.problem import Problem
from ..core.state import State
from ..optimizers import OPTIMIZERS, resolve_optimizer
from ..penalties import PENALTIES, resolve_penalty
from ..sampling import SAMPLERS, resolve_sampler
from ..schedules import SCHEDULES, resolve_schedule
from .descent import CONVERGED, DIVERGED, DONE, STOPPED, Descent, NoLoss, noise_of
from .noise import resolve_noise
from .objective import Objective, passes
from .recording import TrajectoryRecorder, watcher

__all__ = ["minimize"]

MESSAGES = {
    DONE: "max_iter={max_iter} updates done",
    CONVERGED: "the largest component of the gradient is at most tol",
    STOPPED: "the callback raised StopIteration",
    DIVERGED: "diverged: update {nit} was not finite and is taken back; lower the learning rate",
}

#: What "elasticnet" means here and in the estimators.
L1_RATIO = 0.15

_count = Interval(numbers.Integral, 1, None, closed="left")


@validate_params(
    {
        "fun": [callable],
        "jac": [callable, "boolean", None],
        "optimizer": [StrOptions(set(OPTIMIZERS)), Optimizer],
        "learning_rate": [
            StrOptions(set(SCHEDULES)),
            Interval(numbers.Real, 0, None, closed="neither"),
            Schedule,
            callable,
            None,
        ],
        "average": ["boolean", None, _count, StrOptions(set(AVERAGINGS)), Averaging],
        "penalty": [StrOptions(set(PENALTIES)), Penalty, None],
        "n_samples": [_count, None],
        "batch_size": [_count, StrOptions({"full"})],
        "sampling": [StrOptions(set(SAMPLERS)), Sampler],
        "max_iter": [_count],
        "tol": [Interval(numbers.Real, 0, None, closed="left"), None],
        "callback": [callable, None],
        "trajectory": ["boolean", _count],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=False,  # what `fun` calls is the user's own
)
def minimize(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    jac: Any = None,
    optimizer: str | Optimizer = "adagrad",
    learning_rate: Any = None,
    average: Any = None,
    penalty: str | Penalty | None = None,
    alpha: Any = 0.0,
    bounds: Any = None,
    noise: Any = None,
    n_samples: int | None = None,
    batch_size: int | str = 1,
    sampling: str | Sampler = "reshuffle",
    max_iter: int = 1000,
    tol: float | None = None,
    callback: Callable | None = None,
    trajectory: bool | int = False,
    random_state: Any = None,
) -> OptimizeResult:
    """Minimise a function of d numbers by (stochastic) gradient descent.

    The updates are those that train the models, by the same compiled code: ``x`` stands where the weights are. In
    units of the rate eta_t, update t = 0, 1, ... uses the gradient g_t at x_t, which is that of the whole function, of
    a batch of samples (`n_samples`), or one to which noise is added (`noise`).

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` is the number to minimise, for x of shape (d,). With `n_samples` it is ``fun(x, i, *args)``,
        the mean over the samples whose numbers are in the integer array i.
    x0 : array-like of shape (d,) or float
        The start. float32 stays float32, all else becomes float64.
    args : tuple or object, default=()
        Further arguments of `fun` and `jac`.
    jac : callable or bool, default=None
        The gradient, of shape (d,), with the arguments of `fun`; it may be noisy itself. True: `fun` returns the pair
        of value and gradient. None or False: forward differences, d + 1 evaluations of `fun` for each gradient.
    optimizer : str or Optimizer, default="adagrad"
        A name in `sksgd.optimizers.OPTIMIZERS` or an instance.
    learning_rate : float, str, Schedule, callable or None, default=None
        A number, name, schedule or function of t, which counts updates; see `sksgd.schedules`. None is the constant
        ``optimizer.usual_rate``, where it has one, which suits functions whose scales are about 1.
    average : bool, int, str, Averaging or None, default=None
        The average of iterates that is returned in place of the last one; see `sksgd.averaging`.
    penalty : str, Penalty or None, default=None
        What is added to `fun`, times `alpha`, by proximal steps; see `sksgd.penalties`. "elasticnet" has an `l1_ratio`
        of 0.15; give an instance for another one.
    alpha : float or array-like of shape (d,), default=0.0
        Strength of the penalty.
    bounds : scipy.optimize.Bounds or sequence of (min, max) pairs, default=None
        x is projected to them after every update; None in a pair means no bound.
    noise : float, array-like of shape (d,), frozen distribution or callable, default=None
        What is added to every gradient: normal with mean 0 and this standard deviation, in each coordinate; draws of a
        frozen distribution of `scipy.stats`; or ``noise(rng, x)``, of shape (d,), `rng` being a
        `numpy.random.Generator`.
    n_samples : int, default=None
        The number of samples, if the function is a mean over samples.
    batch_size : int or "full", default=1
        Samples in an update; the last batch of a pass may be smaller.
    sampling : str or Sampler, default="reshuffle"
        The order of the samples in a pass; see `sksgd.sampling`.
    max_iter : int, default=1000
        The number of updates (of passes in the estimators' `fit`).
    tol : float, default=None
        If given, stop where the largest absolute component of the gradient is at most `tol`: that of the whole
        function, without added noise, before every update, with `n_samples` after every pass. With a penalty or bounds
        it is that of x - P(x - gradient), P being the proximal operator and the projection.
    callback : callable, default=None
        ``callback(x)`` after every update, or ``callback(intermediate_result)``, with this very name, for an
        `OptimizeResult` with `x`, `fun` and `nit`. It may raise StopIteration.
    trajectory : bool or int, default=False
        Whether to record the way: every iterate, or every k-th. Each evaluates `fun` once, twice with an average.
    random_state : int, RandomState instance or None, default=None
        Decides the order of samples and the noise.

    Returns
    -------
    result : scipy.optimize.OptimizeResult
        - ``x`` : ndarray of shape (d,), the last iterate, or the average;
        - ``fun`` : float, the function there, penalty included;
        - ``nit``, ``nfev``, ``njev`` : updates, calls of `fun`, calls of the gradient;
        - ``success`` : bool, whether `tol` was met; without `tol`, whether `max_iter` updates were done;
        - ``status``, ``message`` : 0 `max_iter` updates done, 1 `tol` met, 2 stopped by the callback, 3 diverged, and
          the same in words. After divergence ``x`` is as before the update that was not finite;
        - ``trajectory`` : `Trajectory`, if wanted.

    Raises
    ------
    ValueError
        For invalid parameters, and for combinations without a meaning, by name.

    Examples
    --------
    The ball on x^2, ten steps with momentum from 5:

    >>> from sksgd import minimize
    >>> from sksgd.optimizers import Momentum
    >>> run = minimize(lambda x: x @ x, 5.0, jac=lambda x: 2 * x, optimizer=Momentum(0.9), learning_rate=0.1,
    ...                max_iter=10, trajectory=True)
    >>> run.trajectory.x[:, 0].round(2)
    array([ 5.  ,  4.  ,  2.3 ,  0.31, -1.54, -2.9 , -3.54, -3.41, -2.61, -1.37, 0.02])

    A mean over samples, whose minimum is their mean:

    >>> import numpy as np
    >>> samples = np.array([1.0, 2.0, 6.0])
    >>> mean = minimize(
    ...     lambda x, i: ((x - samples[i]) ** 2).mean() / 2, 0.0, jac=lambda x, i: (x - samples[i]).mean(),
    ...     n_samples=3, optimizer="sgd", learning_rate=lambda t: 1 / (t + 1), random_state=0, max_iter=3)
    >>> mean.x
    array([3.])
    """
    x0, seed = _start(x0), int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    objective = Objective(fun, jac, args, n_samples)
    batches, per_pass = passes(n_samples, batch_size, resolve_sampler(sampling, "sampling"), seed)
    problem = _problem(
        x0, resolve_optimizer(optimizer), learning_rate, average, penalty, alpha, bounds, max_iter, per_pass
    )
    state = State(problem, 1, len(x0), x0.dtype, seed)
    state.start(problem, x0.reshape(1, -1), np.zeros(1))
    descent = Descent(problem, state, objective, batches, per_pass, noise_of(resolve_noise(noise), seed), tol)

    def value(x: np.ndarray) -> float:
        return objective.value(x) + problem.penalty_value(x.reshape(1, -1))

    recorder = TrajectoryRecorder(int(trajectory), value) if trajectory else None
    status = _run(descent, max_iter, recorder, watcher(callback, value))
    result = OptimizeResult(
        x=descent.x,
        fun=value(descent.x),
        nit=descent.nit,
        success=status == (DONE if tol is None else CONVERGED),
        status=status,
        message=MESSAGES[status].format(max_iter=max_iter, nit=descent.nit),
    )
    if recorder is not None:
        recorder.finish(descent)
        result.trajectory = recorder.trajectory(problem.schedule.rate)
    return OptimizeResult(result, nfev=objective.nfev, njev=objective.njev)


def _run(descent: Descent, max_iter: int, recorder: TrajectoryRecorder | None, watch: Callable | None) -> int:
    """All updates, observed."""

    def observe() -> None:
        if recorder is not None:
            recorder.observe(descent)
        if watch is not None and descent.nit:
            watch(descent.x, descent.nit)

    observe()
    return descent.run(max_iter, observe)


def _start(x0: Any) -> np.ndarray:
    x = np.atleast_1d(np.asarray(x0))
    x = np.array(x, dtype=np.float32 if x.dtype == np.float32 else np.float64)
    if x.ndim != 1 or not np.isfinite(x).all():
        raise InvalidParameterError(f"The 'x0' parameter must be finite and of shape (d,). Got {x0!r} instead.")
    return x


def _problem(
    x0: np.ndarray,
    optimizer: Optimizer,
    learning_rate: Any,
    average: Any,
    penalty: Any,
    alpha: Any,
    bounds: Any,
    max_iter: int,
    per_pass: int,
) -> Problem:
    strength = np.asarray(alpha, dtype=float)
    if strength.shape not in {(), x0.shape} or not (np.isfinite(strength).all() and (strength >= 0).all()):
        raise InvalidParameterError(
            f"The 'alpha' parameter must be finite, at least 0, and one number or of shape {x0.shape}. Got {alpha!r} "
            "instead."
        )
    if penalty is None and strength.any():
        raise InvalidParameterError(f"alpha > 0 needs a penalty, such as 'l2'. Got penalty=None and alpha={alpha!r}.")
    strengths = float(strength) if strength.ndim == 0 else strength
    horizon = Horizon(max_iter, per_pass, strengths, NoLoss())
    rate = optimizer.usual_rate if learning_rate is None else learning_rate
    if rate is None:
        raise InvalidParameterError(
            f"{optimizer!r} needs a learning_rate here: which one is safe depends on the curvature of the function."
        )
    schedule = resolve_schedule(rate).bind(horizon)
    if schedule.after_stall(1.0) is not None:
        raise InvalidParameterError(
            f"learning_rate={learning_rate!r} falls when passes bring no progress, which minimize does not measure. "
            "Choose one that is a function of t, such as 'inverse_sqrt'."
        )
    averaging = resolve_averaging(average)
    return Problem(
        loss=NoLoss(),
        penalty=resolve_penalty(penalty if strength.any() else None, L1_RATIO),
        alpha=strengths,
        optimizer=optimizer,
        schedule=schedule,
        averaging=None if averaging is None else averaging.bind(horizon),
        batch_size=None,
        bounds=_bounds(bounds, len(x0)),
        fit_intercept=False,
    )


def _bounds(bounds: Any, d: int) -> np.ndarray | None:
    """scipy's bounds, an instance or pairs, as an array of shape (2, d)."""
    if bounds is None:
        return None
    try:
        # strict, because pairs must be d in number; an instance may be broadcast.
        pairs = None if hasattr(bounds, "lb") else [pair for _, pair in zip(range(d), bounds, strict=True)]
        low, high = (bounds.lb, bounds.ub) if pairs is None else zip(*pairs, strict=True)
        array = np.empty((2, d))
        for line, values, missing in zip(array, (low, high), (-np.inf, np.inf), strict=True):
            line[:] = [missing if v is None else v for v in np.ravel(np.asarray(values, dtype=object))]
    except (TypeError, ValueError) as error:
        raise InvalidParameterError(
            f"The 'bounds' parameter must be scipy.optimize.Bounds or {d} pairs (min, max). Got {bounds!r} instead."
        ) from error
    if not (array[0] <= array[1]).all():
        raise InvalidParameterError(f"No lower bound may be above its upper one. Got bounds={bounds!r}.")
    return array
