"""Rows in memory, with all that belongs to them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .quadratic import dense


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows with coded targets, and weights or None."""

    X: Any
    y: np.ndarray
    weight: np.ndarray | None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Any) -> Rows:
        """Some of the rows."""
        X, weight = (None if values is None else values[rows] for values in (self.X, self.weight))
        return Rows(X, self.y[rows], weight)

    @classmethod
    def join(cls, parts: tuple[Rows, ...]) -> Rows:
        """All rows of these parts, in arrays."""
        weights = [np.ones(len(part)) if part.weight is None else part.weight for part in parts]
        weight = None if all(part.weight is None for part in parts) else np.concatenate(weights)
        X, y = ([getattr(part, name) for part in parts] for name in ("X", "y"))
        return cls(np.concatenate([dense(x) for x in X]), np.concatenate(y), weight)
