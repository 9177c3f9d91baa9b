"""Learning rates over updates."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ..base import Horizon, Loss
from ..losses import LogLoss
from ..schedules import resolve_schedule
from .style import Display, finish, look, named

#: Points of a curve; more are not seen.
POINTS = 2000


class ScheduleDisplay(Display):
    """The rates of one or several schedules.

    Parameters
    ----------
    t : ndarray of shape (m,)
        Numbers of updates.
    rates : dict of str to ndarray of shape (m,)
        The rates of these updates, by the names of the schedules.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> from sksgd.plot import ScheduleDisplay
    >>> from sksgd.schedules import Cosine, Exponential
    >>> display = ScheduleDisplay.from_schedules([Cosine(0.1), Exponential(0.1, decay=0.05)], n_updates=100)
    >>> [line.get_label() for line in display.lines_]
    ['Cosine', 'Exponential']
    """

    def __init__(self, *, t: np.ndarray, rates: dict[str, np.ndarray]):
        self.t, self.rates = t, rates

    @classmethod
    def from_schedules(
        cls, schedules: Any, n_updates: int, *, updates_per_pass: int | None = None, alpha: float = 1e-4,
        loss: Loss | None = None, ax: Any = None, log: bool = False,
    ) -> Self:  # fmt: skip
        """Draw schedules.

        Parameters
        ----------
        schedules : dict of str to schedule, or list of schedules
            A schedule is whatever estimators take as `learning_rate`.
        n_updates : int
            How many updates to show; the horizon of schedules that have one.
        updates_per_pass : int, default=None
            The updates of a pass; None: all are one pass.
        alpha : float, default=1e-4
            The strength of the penalty, for the schedule "optimal".
        loss : Loss, default=None
            The loss, for the schedule "optimal"; None is the log loss.
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.
        log : bool, default=False
            Whether rates are shown on a logarithmic axis.

        Returns
        -------
        display : ScheduleDisplay
        """
        horizon = Horizon(n_updates, updates_per_pass or n_updates, alpha, loss or LogLoss())
        t = np.unique(np.linspace(0, n_updates - 1, min(n_updates, POINTS)).round().astype(np.int64))
        rates = {
            name: np.broadcast_to(resolve_schedule(schedule).bind(horizon).rate(t), t.shape)
            for name, schedule in named(schedules, _name).items()
        }
        return cls(t=t, rates=rates).plot(ax, log=log)

    @classmethod
    def from_schedule(cls, schedule: Any, n_updates: int, **params: Any) -> Self:
        """Draw one schedule; the parameters are those of `from_schedules`.

        Parameters
        ----------
        schedule : Schedule, float, str or callable
        n_updates : int
        **params
            Further parameters of `from_schedules`.

        Returns
        -------
        display : ScheduleDisplay
        """
        return cls.from_schedules([schedule], n_updates, **params)

    def plot(self, ax: Any = None, *, log: bool = False) -> Self:
        """Draw the rates.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.
        log : bool, default=False
            Whether rates are shown on a logarithmic axis.

        Returns
        -------
        display : ScheduleDisplay
        """
        self._log = log
        return self._plot(ax)

    def _draw(self, ax: Any) -> None:
        self.lines_ = [
            ax.plot(self.t, rates, label=name, **look(i))[0] for i, (name, rates) in enumerate(self.rates.items())
        ]
        if self._log:
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=0.0)
        alone = next(iter(self.rates)) if len(self.rates) == 1 else "schedules"
        finish(ax, f"Learning rate: {alone}", "update t", "learning rate")


def _name(schedule: Any) -> str:
    return schedule if isinstance(schedule, str) else type(resolve_schedule(schedule)).__name__
