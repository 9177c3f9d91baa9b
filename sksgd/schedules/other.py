"""Schedules that repeat, follow one another, react to progress or are a user's function."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import Horizon, Schedule
from ..checks import is_real, require, require_count, require_not_negative, require_positive

__all__ = ["Adaptive", "Cyclic", "FunctionSchedule", "Warmup"]


class Cyclic(Schedule):
    """A triangle wave: from eta_min up to eta_max in half_cycle updates, and down in as many, for ever.

    eta_t = eta_min + (eta_max - eta_min) (1 - abs((t mod 2h) / h - 1)), h = half_cycle: "triangular" in Smith,
    "Cyclical learning rates" (2017).

    Parameters
    ----------
    eta_min, eta_max : float
        The lowest and the highest rate: 0 <= eta_min <= eta_max, and eta_max > 0.
    half_cycle : int
        The number of updates from the lowest to the highest rate.

    Examples
    --------
    >>> Cyclic(eta_min=0.0, eta_max=1.0, half_cycle=2).rate(np.arange(6))
    array([0. , 0.5, 1. , 0.5, 0. , 0.5])
    """

    eta_min: float
    eta_max: float
    half_cycle: int

    def __post_init__(self) -> None:
        low, high = self.eta_min, self.eta_max
        require_not_negative(self, "eta_min")
        require_positive(self, "eta_max")
        require(low <= high, self, "eta_min", low, f"must be at most eta_max={high!r}")
        require_count(self, "half_cycle")

    def rate(self, t: np.ndarray) -> np.ndarray:
        height = 1.0 - np.abs((t % (2 * self.half_cycle)) / self.half_cycle - 1.0)
        return self.eta_min + (self.eta_max - self.eta_min) * height


class Warmup(Schedule):
    """A linear rise in front of another schedule.

    During the warm-up, t < steps, the rate rises linearly from schedule(0)/steps to schedule(0): eta_t = schedule(0)
    (t + 1)/steps. Then the schedule starts from its beginning: eta_t = schedule(t - steps). Its horizon is what the
    warm-up leaves of the updates (at least 1), and what happens after a stall is its affair.

    Parameters
    ----------
    schedule : Schedule, float, str or callable
        What follows; anything `resolve_schedule` takes.
    steps : int
        The number of updates of the warm-up.

    Raises
    ------
    ValueError
        By `bind`, if the inner schedule cannot be bound.

    Examples
    --------
    >>> from sksgd.schedules import LinearToZero
    >>> Warmup(LinearToZero(eta0=1.0, total=4), steps=4).rate(np.arange(8))
    array([0.25, 0.5 , 0.75, 1.  , 1.  , 0.75, 0.5 , 0.25])
    """

    schedule: Any
    steps: int

    def __post_init__(self) -> None:
        from . import resolve_schedule  # which knows this class

        object.__setattr__(self, "schedule", resolve_schedule(self.schedule, name="schedule"))
        require_count(self, "steps")

    @property
    def needs_horizon(self) -> bool:  # type: ignore[override]
        return self.schedule.needs_horizon

    def bind(self, horizon: Horizon) -> Schedule:
        left = None if horizon.updates is None else max(horizon.updates - self.steps, 1)
        return dataclasses.replace(self, schedule=self.schedule.bind(dataclasses.replace(horizon, updates=left)))

    def meet(self, problem: Any, feed: Any, before: Schedule | None) -> Schedule:
        schedule = self.schedule.meet(problem, feed, getattr(before, "schedule", None))
        return self if schedule is self.schedule else dataclasses.replace(self, schedule=schedule)

    def pooled(self, parts: Sequence[Any], sizes: Sequence[int]) -> Schedule | None:
        schedule = self.schedule.pooled([part.schedule for part in parts], sizes)
        return None if schedule is None else dataclasses.replace(self, schedule=schedule)

    @property
    def safe(self) -> float:
        return self.schedule.safe

    def rate(self, t: np.ndarray) -> np.ndarray:
        t = np.asarray(t)
        following = self.schedule.rate(np.maximum(t - self.steps, 0))  # while warming up, schedule(0)
        return following * np.minimum((t + 1) / self.steps, 1.0)

    def after_stall(self, factor: float) -> float | None:
        return self.schedule.after_stall(factor)


class Adaptive(Schedule):
    """A constant rate that is divided each time passes bring no progress.

    Training stops in place of the cut that would bring the rate below eta_min. What counts as no progress is the
    estimator's (`tol`, `n_iter_no_change`). scikit-learn's "adaptive" compares the rate before the cut with 1e-6, and
    so goes one cut further: ``Adaptive(eta0, eta_min=1e-6 / 5)`` stops where it does.

    Parameters
    ----------
    eta0 : float, default=0.01
        The rate at the start, greater than 0.
    factor : float, default=5.0
        What the rate is divided by, greater than 1.
    eta_min : float, default=1e-6
        The lowest rate worth training with, greater than 0.

    Examples
    --------
    >>> schedule = Adaptive(eta0=0.1, factor=10, eta_min=0.005)
    >>> schedule.rate(np.arange(3)), schedule.after_stall(1.0), schedule.after_stall(0.1)
    (0.1, 0.1, None)
    """

    eta0: float = 0.01
    factor: float = 5.0
    eta_min: float = 1e-6

    def __post_init__(self) -> None:
        require_positive(self, "eta0", "eta_min")
        require(
            is_real(self.factor) and self.factor > 1, self, "factor", self.factor, "must be a number greater than 1"
        )

    def rate(self, t: np.ndarray) -> float:
        return float(self.eta0)

    def after_stall(self, factor: float) -> float | None:
        reduced = factor / self.factor
        return None if self.eta0 * reduced < self.eta_min else reduced


class FunctionSchedule(Schedule):
    """The rates of a function of t: eta_t = function(t).

    The function is called with a float64 array of several t first. Where that raises or does not give an array of the
    same shape, it is called for one t at a time, as an int, at 0.1 microseconds an update and more. The schedule can be
    pickled if the function can: a function of a module or a `functools.partial`, not a lambda.

    Parameters
    ----------
    function : callable
        Of one argument, without side effects, as it may be called more than once for a t.

    Raises
    ------
    ValueError
        By `rate`, where the function returns a negative or no finite number. Its own errors pass through.

    Examples
    --------
    >>> FunctionSchedule(lambda t: 0.1 if t < 2 else 0.01).rate(np.arange(4))
    array([0.1 , 0.1 , 0.01, 0.01])
    """

    function: Callable[[Any], Any]

    def __post_init__(self) -> None:
        require(callable(self.function), self, "function", self.function, "must be callable, as function(t)")

    def rate(self, t: np.ndarray) -> np.ndarray:
        t = np.asarray(t)
        # At least two t, since functions of one number may take an array of one (with a warning, in older NumPy), and
        # floats, since powers of integer arrays overflow silently. Any error may mean that only numbers will do.
        points = np.resize(t.astype(float), max(t.size, 2))
        try:
            rates = np.asarray(self.function(points), dtype=float)
        except Exception:
            rates = None
        if rates is not None and rates.shape == points.shape:
            rates = rates[: t.size].reshape(t.shape)
        else:
            rates = np.array([self.function(i) for i in t.ravel().tolist()], dtype=float).reshape(t.shape)
        wrong = ~(np.isfinite(rates) & (rates >= 0))
        if wrong.any():
            raise ValueError(
                f"The learning rate function {self.function!r} must return finite numbers, 0 or greater: it gave "
                f"{rates[wrong][0]} for update t={t[wrong][0]}."
            )
        return rates
