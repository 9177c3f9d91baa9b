"""Rows in memory, and passes over all of them in coordinates, some at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..base import Loss
from .descent import Margins
from .quadratic import Coordinates, dense, diagonals, gram_of

#: Numbers that are worked on at a time, which stay in the second cache.
PIECE = 1 << 16


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


class Sweep:
    """The rows of a block in coordinates.

    Attributes
    ----------
    margins : Margins
        The losses of the rows present.
    scores : ndarray of shape (n, K)
        Where `measure` looked last.
    surplus : ndarray of shape (3, S)
        What smoothing changes about the losses there, see `sksgd.core.descent.Margins.slack`.
    """

    def __init__(self, loss: Loss, coordinates: Coordinates, rows: Rows, present: np.ndarray | None, n_outputs: int):
        self.coordinates, self.X, self.present, self.K = coordinates, rows.X, present, n_outputs
        used = rows if present is None else Rows(None, rows.y, rows.weight).take(present)
        self.margins, self.n = Margins(loss, used.y, used.weight, n_outputs), len(used)
        self.scores, self.surplus = np.empty((self.n, n_outputs)), np.zeros((3, self.margins.n_systems))
        self.size = max(256, PIECE // (coordinates.width * (n_outputs if loss.joint else 1)))
        self._piece = np.empty((min(self.size, self.n), coordinates.width))

    def pieces(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Places of rows among those present, with the rows (m, width), which last until the next piece."""
        for first in range(0, self.n, self.size):
            part = slice(first, min(first + self.size, self.n))
            rows = part if self.present is None else self.present[part]
            yield part, self.coordinates.rows(self.X[rows], self._piece)

    def measure(self, u: np.ndarray, lift: float = 0.0, grams: bool | None = True) -> tuple[Any, Any, Any]:
        """Totals (S,), gradient (S, M) and, if wanted, matrices of the losses at the weights `u` (K, width).

        With ``grams=None`` only the diagonals (S, M) of the matrices.
        """
        gram = gram_of(self.margins.loss)
        totals, slope = np.zeros(self.margins.n_systems), np.zeros(u.shape)
        matrices: Any = 0.0
        surplus = np.zeros_like(self.surplus)
        for part, Z in self.pieces():
            np.matmul(Z, u.T, out=self.scores[part])
            margins = self.margins.take(part)
            values, slopes, bends = margins.derivatives(self.scores[part], lift)
            totals += values
            if not margins.loss.smooth:
                surplus += margins.slack(self.scores[part], values, slopes, bends)
            slope += slopes.T @ Z
            if grams:
                matrices = matrices + gram(Z, bends)
            elif grams is None:
                matrices = matrices + diagonals(margins.loss, Z, bends)
        self.surplus = surplus
        return totals, slope.reshape(len(totals), -1), matrices
