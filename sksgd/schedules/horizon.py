"""Schedules that end with the training."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from ..base import Horizon, Schedule
from ..checks import is_real, require, require_count, require_not_negative, require_positive

__all__ = ["Cosine", "LinearToZero", "OneCycle"]


class _ToHorizon(Schedule):
    """What schedules that end with the training share: how `total`, their number of updates, is found."""

    if TYPE_CHECKING:  # a field of each subclass, since fields of a base come first in its repr
        total: int | None

    @property
    def needs_horizon(self) -> bool:  # type: ignore[override]
        return self.total is None

    def __post_init__(self) -> None:
        if self.total is not None:
            require_count(self, "total")

    def bind(self, horizon: Horizon) -> Schedule:
        if self.total is not None:
            return self
        if horizon.updates is None:
            raise ValueError(self._unknown())
        return dataclasses.replace(self, total=int(horizon.updates))

    def _known_total(self) -> int:
        if self.total is None:
            raise ValueError(self._unknown())
        return self.total

    def _unknown(self) -> str:
        name = type(self).__name__
        return (
            f"The learning rate {name} ends with the training, but the number of updates to come is unknown. Call fit, "
            f"which knows it, give the number as {name}(..., total=1000), or choose a schedule without an end, such as "
            "'inverse_sqrt'."
        )


class Cosine(_ToHorizon):
    """Half a cosine from eta0 to eta_min: eta_t = eta_min + (eta0 - eta_min) (1 + cos(pi t / total)) / 2.

    Loshchilov and Hutter, "SGDR" (2017), one period without restarts; torch's CosineAnnealingLR up to total.

    Parameters
    ----------
    eta0 : float, default=0.01
        The rate of update 0, greater than 0.
    eta_min : float, default=0.0
        The rate after the last update, at most eta0.
    total : int, default=None
        The number of updates; None takes that of `fit`, and `bind` raises ValueError where it is unknown.

    Examples
    --------
    >>> Cosine(eta0=1.0, total=4).rate(np.arange(6)).round(3)
    array([1.   , 0.854, 0.5  , 0.146, 0.   , 0.   ])
    """

    eta0: float = 0.01
    eta_min: float = 0.0
    total: int | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "eta0")
        require_not_negative(self, "eta_min")
        require(self.eta_min <= self.eta0, self, "eta_min", self.eta_min, f"must be at most eta0={self.eta0!r}")

    def rate(self, t: np.ndarray) -> np.ndarray:
        done = np.minimum(t / self._known_total(), 1.0)
        return self.eta_min + 0.5 * (self.eta0 - self.eta_min) * (1.0 + np.cos(np.pi * done))


class LinearToZero(_ToHorizon):
    """A straight line to 0: eta_t = eta0 (1 - t / total).

    Defazio et al., "Optimal linear decay learning rate schedules and further refinements" (2023).

    Parameters
    ----------
    eta0 : float, default=0.01
        The rate of update 0, greater than 0.
    total : int, default=None
        The number of updates; None takes that of `fit`, and `bind` raises ValueError where it is unknown.

    Examples
    --------
    >>> LinearToZero(eta0=1.0, total=4).rate(np.arange(6))
    array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])
    """

    eta0: float = 0.01
    total: int | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive(self, "eta0")

    def rate(self, t: np.ndarray) -> np.ndarray:
        return self.eta0 * (1.0 - np.minimum(t / self._known_total(), 1.0))


class OneCycle(_ToHorizon):
    """Half a cosine up to eta_max, then half a cosine down to nearly nothing.

    Smith and Topin, "Super-convergence" (2018), in the form of torch's OneCycleLR with two phases: from start_factor
    eta_max at update 0 to eta_max at update warmup total - 1, then to end_factor start_factor eta_max at update
    total - 1. As in torch, end_factor refers to the rate at the start. The paper has straight lines instead of cosines.

    Parameters
    ----------
    eta_max : float, default=0.01
        The highest rate, greater than 0.
    start_factor : float, default=1/25
        The rate at the start as a fraction of eta_max, in (0, 1].
    end_factor : float, default=1e-4
        The rate at the end as a fraction of that at the start, in [0, 1].
    warmup : float, default=0.3
        The fraction of the updates during which the rate rises, in [0, 1).
    total : int, default=None
        The number of updates; None takes that of `fit`, and `bind` raises ValueError where it is unknown.

    Examples
    --------
    >>> OneCycle(eta_max=1.0, start_factor=0.1, end_factor=0.0, warmup=0.5, total=6).rate(np.arange(8)).round(3)
    array([0.1 , 0.55, 1.  , 0.75, 0.25, 0.  , 0.  , 0.  ])
    """

    eta_max: float = 0.01
    start_factor: float = 1 / 25
    end_factor: float = 1e-4
    warmup: float = 0.3
    total: int | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        start, end, warmup = self.start_factor, self.end_factor, self.warmup
        require_positive(self, "eta_max")
        require(is_real(start) and 0 < start <= 1, self, "start_factor", start, "must be in (0, 1]")
        require(is_real(end) and 0 <= end <= 1, self, "end_factor", end, "must be in [0, 1]")
        require(is_real(warmup) and 0 <= warmup < 1, self, "warmup", warmup, "must be in [0, 1), a part of the updates")

    def rate(self, t: np.ndarray) -> np.ndarray:
        total = self._known_total()
        start = self.eta_max * self.start_factor
        end = start * self.end_factor
        peak = self.warmup * total - 1.0
        rising = t < peak  # never where the warm-up is shorter than one update
        done = np.where(rising, t / max(peak, 1.0), np.minimum((t - peak) / (total - 1.0 - peak), 1.0))
        first = np.where(rising, start, self.eta_max)
        last = np.where(rising, self.eta_max, end)
        return last + 0.5 * (first - last) * (1.0 + np.cos(np.pi * done))
