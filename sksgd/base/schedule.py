"""What every update is given: its rate, by a `Schedule`, and its weight in the average, by an `Averaging`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from .component import Component
from .loss import Loss

__all__ = ["Averaging", "Horizon", "Schedule"]


@dataclasses.dataclass(frozen=True)
class Horizon:
    """What `Schedule.bind` and `Averaging.bind` may ask of the problem.

    `updates` is the number of updates to come in all, ``max_iter`` passes of `updates_per_pass`: None when unknown.
    """

    updates: int | None
    updates_per_pass: int | None
    alpha: float | np.ndarray
    loss: Loss


class Schedule(Component):
    """The learning rate of the t-th update, t = 0, 1, ...

    ``rate(t)`` takes an int64 array and returns an array of the same shape, or one float where the rate is constant.

    Examples
    --------
    >>> class Halving(Schedule):
    ...     eta0: float = 1.0
    ...     every: int = 100
    ...     def rate(self, t):
    ...         return self.eta0 * 0.5 ** (t // self.every)
    >>> Halving().rate(np.array([0, 99, 100, 250]))
    array([1.  , 1.  , 0.5 , 0.25])
    """

    #: Whether the number of updates to come must be known: refused in `partial_fit`.
    needs_horizon: ClassVar[bool] = False

    def bind(self, horizon: Horizon) -> Schedule:
        """The schedule for this problem: itself unless it depends on `alpha`, the loss or the horizon."""
        return self

    def meet(self, problem: Any, feed: Any, before: Schedule | None) -> Schedule:
        """The schedule for these rows, on which a call is about to train: itself unless it depends on the data.

        What `sksgd.core.feed.Feed` says of them is there: their number, targets, squared norms and some of them.
        `before` is what it returned in the call that this one goes on from, None if it goes on from none.
        """
        return self

    def pooled(self, parts: Sequence[Schedule], sizes: Sequence[int]) -> Schedule | None:
        """What `meet` gives for the rows of all parts, of what it gave for each; None if that cannot be said.

        `parts` begins with the schedule itself; `sizes` are their numbers of rows.
        """
        return None

    def rate(self, t: np.ndarray) -> np.ndarray | float:
        raise NotImplementedError(f"{type(self).__name__} must define rate(t)")

    @property
    def safe(self) -> float:
        """The highest rate that is known to do no harm on the rows it has met; 0 where none is known."""
        return 0.0

    def after_stall(self, factor: float) -> float | None:
        """The factor on all further rates once passes bring no progress; None means that training should stop."""
        return None


class Averaging(Component):
    """The weights of the average of iterates, as ``w_bar += rho_t (w_t - w_bar)`` after update t.

    ``rho(t, eta, mass)`` takes the update numbers, their rates and the sum of weights so far; it returns the array of
    rho_t and the new sum. rho_t = 1 up to the update at which averaging starts.

    Examples
    --------
    >>> class Recent(Averaging):
    ...     def rho(self, t, eta, mass):
    ...         return np.maximum(0.01, 1.0 / (t + 1)), mass
    >>> Recent().rho(np.array([0, 1, 999]), 0.1, 0.0)[0]
    array([1.  , 0.5 , 0.01])
    """

    needs_horizon: ClassVar[bool] = False

    def bind(self, horizon: Horizon) -> Averaging:
        return self

    def rho(self, t: np.ndarray, eta: np.ndarray | float, mass: float) -> tuple[np.ndarray, float]:
        raise NotImplementedError(f"{type(self).__name__} must define rho(t, eta, mass)")
