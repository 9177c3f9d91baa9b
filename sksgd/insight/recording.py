"""What is written down on the way."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """The way of a minimisation, as m points of d coordinates, the start among them.

    Attributes
    ----------
    nit : ndarray of shape (m,)
        Updates before each point: 0 for the start.
    n_samples_seen : ndarray of shape (m,)
        Samples whose gradients were used before each point; updates where the function is no mean over samples.
    x : ndarray of shape (m, d)
        The iterates, whether or not there is an average.
    average : ndarray of shape (m, d) or None
        Their averages.
    fun, average_fun : ndarray of shape (m,), the latter or None
        The function there, penalty included.
    learning_rate : ndarray of shape (m,)
        The rate of the update that led to each point; nan for the start.

    Examples
    --------
    >>> from sksgd import minimize
    >>> result = minimize(
    ...     lambda x: x @ x, 1.0, jac=lambda x: 2 * x, optimizer="sgd", learning_rate=0.25, max_iter=3, trajectory=True
    ... )
    >>> result.trajectory.x.ravel(), result.trajectory.learning_rate
    (array([1.   , 0.5  , 0.25 , 0.125]), array([ nan, 0.25, 0.25, 0.25]))
    """

    nit: np.ndarray
    n_samples_seen: np.ndarray
    x: np.ndarray
    average: np.ndarray | None
    fun: np.ndarray
    average_fun: np.ndarray | None
    learning_rate: np.ndarray


class TrajectoryRecorder:
    """Collects every `every`-th point, and the last one, of a `Descent`."""

    def __init__(self, every: int, value: Callable[[np.ndarray], float]):
        self.every, self.value = every, value
        self.points: list[tuple[Any, ...]] = []

    def observe(self, descent: Any) -> None:
        """Take note of where it stands, where that is due."""
        if descent.nit % self.every == 0:
            self._add(descent)

    def finish(self, descent: Any) -> None:
        """Take note of the end."""
        if self.points[-1][0] != descent.nit:
            self._add(descent)

    def _add(self, descent: Any) -> None:
        x = descent.iterate
        average = descent.x if descent.state.averaged else None
        values = self.value(x), None if average is None else self.value(average)
        self.points.append((descent.nit, descent.n_samples_seen, x, average, *values))

    def trajectory(self, rate: Callable[[np.ndarray], Any]) -> Trajectory:
        """All that was collected; `rate` is that of the schedule."""
        nit, seen, x, average, fun, average_fun = (list(column) for column in zip(*self.points, strict=True))
        numbers, rates = np.array(nit), np.full(len(nit), np.nan)
        if len(nit) > 1:
            rates[1:] = rate(numbers[1:] - 1)
        averaged = average[0] is not None
        return Trajectory(
            nit=numbers,
            n_samples_seen=np.array(seen),
            x=np.array(x),
            average=np.array(average) if averaged else None,
            fun=np.array(fun),
            average_fun=np.array(average_fun) if averaged else None,
            learning_rate=rates,
        )


def watcher(callback: Callable | None, value: Callable[[np.ndarray], float]) -> Callable[[np.ndarray, int], Any] | None:
    """The user's callback as a function of point and number of updates, called in the way its signature asks for."""
    if callback is None:
        return None
    try:
        names = set(inspect.signature(callback).parameters)
    except (TypeError, ValueError):  # some built-in functions have none
        names = set()
    if names == {"intermediate_result"}:
        return lambda x, nit: callback(intermediate_result=OptimizeResult(x=x, fun=value(x), nit=nit))
    return lambda x, nit: callback(x)
