"""Passes over all rows in coordinates, some at a time."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import Loss
from .descent import Margins, natural
from .quadratic import Coordinates, diagonals, gram_of

if TYPE_CHECKING:
    from .feed import Feed

#: Numbers that are worked on at a time: with fewer, calls cost more than sums.
PIECE = 1 << 18


@dataclasses.dataclass(frozen=True, eq=False)
class Reach:
    """The largest sizes (width,) of the features of some rows; those of all, where several are added."""

    sizes: np.ndarray

    def __add__(self, other: Reach) -> Reach:
        return Reach(np.maximum(self.sizes, other.sizes))


class Sweep:
    """The losses over the rows of a feed as a function of weights in coordinates: sums, and lines between two weights.

    Attributes
    ----------
    n : int
    mass : float
        The sum of the row weights.
    surplus : ndarray of shape (3, S)
        What smoothing changes about the losses where `measure` looked last, see `sksgd.core.descent.Margins.slack`.
    reach : Reach
        The largest sizes in the columns, in coordinates, once diagonals were asked for.
    """

    def __init__(self, loss: Loss, coordinates: Coordinates, feed: Feed, n_outputs: int):
        self.coordinates, self.feed, self.n = coordinates, feed, len(feed)
        targets = feed.targets
        self.margins = Margins(loss, targets.y, targets.weight, n_outputs)
        self.mass = self.margins.mass
        self.scores = feed.room(self.n, n_outputs)
        self._before: Any = None
        self._totals: Any = None
        self.surplus = np.zeros((3, self.margins.n_systems))
        self.reach = Reach(np.zeros(coordinates.width))
        self._size = max(256, PIECE // (coordinates.width * (n_outputs if loss.joint else 1)))
        self._piece = np.empty((min(self._size, self.n), coordinates.width))

    def measure(self, u: np.ndarray, lift: float = 0.0, grams: bool | None = True) -> tuple[Any, Any, Any]:
        """Totals (S,), gradient (S, M) and, if wanted, matrices of the losses at the weights `u` (K, width).

        With ``grams=None`` only the diagonals (S, M) of the matrices.
        """
        from ..kernels.standardise import raise_to_sizes

        gram = gram_of(self.margins.loss)
        totals, slope = np.zeros(self.margins.n_systems), np.zeros(u.shape)
        matrices: Any = 0.0
        surplus, flat = np.zeros_like(self.surplus), self.coordinates.constant(u)
        measured = grams is not None or self.reach.sizes.any()
        for part, X in self.feed.pieces(self._size):
            Z = self.coordinates.rows(X, self._piece)
            if not measured:
                raise_to_sizes(Z, self.reach.sizes)
            if flat is None:
                np.matmul(Z, u.T, out=self.scores[part])
            else:
                self.scores[part] = flat
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
        self.surplus, self._totals = surplus, totals.copy()
        return totals, slope.reshape(len(totals), -1), matrices

    def hold(self) -> None:
        """Let the weights where `measure` looked last be the begin of the line to where it looks next."""
        if self._before is None:
            self._before = self.feed.room(*self.scores.shape)
        self.scores, self._before = self._before, self.scores

    def along(self, t: np.ndarray) -> np.ndarray:
        """The totals (S,) on the line from the weights that are held to the last ones, for a step length of each.

        At its end they are known.
        """
        if (t == 1).all():
            return self._totals.copy()
        totals = (
            margins.total(self._before[part] + t * (self.scores[part] - self._before[part]))
            for part, margins in self.margins.runs()
        )
        return sum(totals, np.zeros(self.margins.n_systems))

    def smooth(self, widths: np.ndarray, span: float) -> None:
        """Smooth kinks by these widths (K,) from now on; for `span` see `sksgd.core.descent.Margins`."""
        self.margins = self.margins.smoothed(widths, span)

    def natural_smoothing(self) -> np.ndarray:
        """Widths (K,) in proportion to the losses where `measure` looked last, see `sksgd.core.descent.Margins`."""
        return natural(self.sizes())

    def sizes(self) -> np.ndarray:
        """The sums (2, K) of `sksgd.core.descent.Margins.sizes` there."""
        sizes = (margins.sizes(self.scores[part]) for part, margins in self.margins.runs())
        return sum(sizes, np.zeros((2, self.scores.shape[1])))
