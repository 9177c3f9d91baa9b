"""When to stop, and which weights to keep."""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass
class Progress:
    """Counts passes without progress of a quantity that is to fall.

    A pass makes progress if the quantity is below the best so far by more than ``tol`` times the size of that best.
    """

    tol: float | None
    patience: int
    best: float = math.inf
    stalled: int = 0

    def update(self, value: float) -> bool:
        """Take note of a pass; whether `value` is the lowest so far, the latest of equals."""
        if self.tol is not None:
            enough = self.best - value > self.tol * abs(self.best) if math.isfinite(self.best) else True
            self.stalled = 0 if enough else self.stalled + 1
        lowest = value <= self.best
        self.best = min(self.best, value)
        return lowest

    @property
    def stopped(self) -> bool:
        """Whether there was no progress for `patience` passes in a row."""
        return self.stalled >= self.patience

    def restart(self) -> None:
        """Forget the passes without progress, after the rate was lowered."""
        self.stalled = 0


@dataclasses.dataclass
class AbsoluteProgress(Progress):
    """scikit-learn's rule: a pass makes progress unless the quantity is above the best so far less `tol`."""

    def update(self, value: float) -> bool:
        if self.tol is not None:
            self.stalled = self.stalled + 1 if value > self.best - self.tol else 0
        lowest = not value > self.best  # what is not a number is no reason to go back
        self.best = value if value < self.best else self.best
        return lowest
