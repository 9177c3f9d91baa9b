"""Rates for workers that do fewer updates than a fit in memory."""

from __future__ import annotations

import numpy as np

from ..base import Schedule


class Paced(Schedule):
    """The rates of a pass in memory for workers which do fewer updates each: `pace` times fewer.

    A mean over workers comes as far as one of them; so rates are `pace` times higher, where they stay safe.
    """

    schedule: Schedule
    pace: float

    def rate(self, t: np.ndarray) -> np.ndarray | float:
        eta = self.schedule.rate(np.floor(t * self.pace).astype(np.int64))
        return np.minimum(self.pace * eta, np.maximum(eta, self.schedule.safe))

    def after_stall(self, factor: float) -> float | None:
        return self.schedule.after_stall(factor)
