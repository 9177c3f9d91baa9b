"""What SVRG asks of the rows: numbers of each row, which stay where the rows are, and sums over rows."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from ..base import Loss
from .descent import Margins
from .design import Design, Moments
from .feed import Feed
from .mapping import stays, summed
from .split import Split
from .subspace import Scores
from .walk import Terms, walk
from .whitening import SpanWhitening, angles, sampled_gram

#: Scores that are logarithms must stay below REACH.
REACH = 300.0
#: How far curvatures are raised for steps whitened by all rows, see `sksgd.kernels.derivatives.raised`.
LIFT = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """The derivatives (n, K) of the losses of rows, times their weights, and sums of these; see `CourseRows.sums`."""

    slopes: np.ndarray
    bends: np.ndarray
    sums: tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The weighted sum of the lengths of rows, and the largest."""

    total: float
    largest: float

    def __add__(self, other: Lengths) -> Lengths:
        return Lengths(self.total + other.total, max(self.largest, other.largest))


@dataclasses.dataclass(frozen=True, eq=False)
class Walked:
    """Where walks led in the mean, weighted by the weights of their rows; see `CourseRows.walk`."""

    ends: np.ndarray
    mass: float

    def __add__(self, other: Walked) -> Walked:
        mass = self.mass + other.mass
        return Walked((self.mass * self.ends + other.mass * other.ends) / mass, mass)


class CourseRows(Scores):
    """Rows with their moments, losses and derivatives; some or all of a fit.

    Before they are `placed` there are only the sums of `means` and `squares`.

    Parameters
    ----------
    feed, split, n_all, mean_weight
        See `Design`.
    """

    def __init__(self, feed: Feed, split: Split, n_all: int, mean_weight: float):
        self.design = Design(feed, split, n_all, mean_weight)
        self.terms: Any = None

    @property
    def loss(self) -> Loss:
        """What is summed."""
        return self.terms.loss

    @property
    def K(self) -> int:
        """The number of outputs."""
        return self.terms.n_outputs

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what can be found anew.
        design = self.design
        return _again, (design.feed, design.split, design.n_all, design.mean_weight, design.moments, self.terms)

    def placed(self, moments: Moments, terms: Terms) -> Self:
        """The same rows with all that has to be known of the fit."""
        other = copy.copy(self)
        design = other.design = self.design.placed(moments)
        other.terms = terms
        Scores.__init__(other, Margins(terms.loss, design.y, design.weight, terms.n_outputs), design.feed.room)
        return other

    @summed
    def means(self) -> np.ndarray:
        """See `Design.means`."""
        return self.design.means()

    @summed
    def squares(self, mean: np.ndarray) -> np.ndarray:
        """See `Design.squares`."""
        return self.design.squares(mean)

    # ---- points ------------------------------------------------------------------------------------------------------

    @stays
    def moves(self, steps: np.ndarray, constant: np.ndarray | None = None) -> list[np.ndarray]:
        """What each of the steps (m, K, width + 1) adds to the scores (n, K); then that of a constant (K,), if any."""
        K, flat = self.K, steps.reshape(-1, steps.shape[2])
        products = self.design.products(flat[:, :-1])
        moves = [products] if len(steps) == 1 else [self.room(self.design.n, K) for _ in steps]
        for at, _ in self.margins.runs():
            for i, move in enumerate(moves):
                own = slice(i * K, (i + 1) * K)
                move[at] = products[at, own] + flat[own, -1]
        if constant is not None:
            moves.append(self.room(self.design.n, K))
            moves[-1][...] = constant
        return moves

    @stays
    def pick(self, moves: Sequence[np.ndarray], i: int) -> np.ndarray:
        """One of them."""
        return moves[i]

    @stays
    def collect(self, moves: Sequence[np.ndarray], used: Sequence[int], *others: np.ndarray) -> list[np.ndarray]:
        """Some of them, and others."""
        return [*(moves[i] for i in used), *others]

    @summed
    def extents(self, moves: Sequence[np.ndarray], scores: np.ndarray | None = None) -> tuple[Any, Any, Any]:
        """The sums of the squares of moves (m,); of scores, if any, totals (S,) and whether they are out of reach."""
        squares = np.array([np.vdot(move, move) for move in moves])
        if scores is None:
            return squares, None, None
        totals = sum((margins.total(scores[at]) for at, margins in self.margins.runs()), np.zeros(self.S))
        return squares, totals, self._beyond(scores)

    def _beyond(self, scores: np.ndarray) -> int:
        """Whether `Margins` does not give the losses themselves at these scores."""
        return int(self.loss.link == "log" and not (scores.min() >= -REACH and scores.max() <= REACH))

    @stays
    def measure(self, scores: np.ndarray, move: np.ndarray | None = None) -> Measured:
        """Derivatives at scores, and the square of the move that led there, if one is given."""
        totals, weight = np.zeros(self.S), self.design.weight
        slopes, bends = (self.room(*scores.shape) for _ in range(2))
        for at, margins in self.margins.runs():
            values, slopes[at], bends[at] = margins.derivatives(scores[at], 0.0)
            totals += values
            self._to_diagonal(bends[at], weight if weight is None else weight[at])
        slope = np.column_stack([self.design.sums(slopes), slopes.sum(axis=0)])
        square = None if move is None else float(np.vdot(move, move))
        sums = (totals, slope, float(bends.sum()), self._beyond(scores), square, self.margins.mass)
        return Measured(slopes, bends, sums)

    def _to_diagonal(self, bends: np.ndarray, weight: np.ndarray | None) -> None:
        """Make shares s, times row weights, of a joint loss s (1 - s), the diagonal of its Hessian."""
        if self.loss.joint:
            bends *= 1.0 - (bends if weight is None else bends / weight[:, None])

    @summed
    def sums(self, at: Measured) -> tuple[Any, ...]:
        """Totals (S,) and gradient (K, width + 1) of the losses, the sum of their curvatures, and others.

        Whether scores are out of reach, the square of the move, and the sum of the row weights.
        """
        return at.sums

    @summed
    def bend(self, at: Measured) -> tuple[np.ndarray, float]:
        """The diagonals (K, width + 1) of the Hessian of the losses, and the sum of their largest in each row."""
        diagonals = np.column_stack([self.design.square_sums(at.bends), at.bends.sum(axis=0)])
        largest = 0.0
        if not np.isfinite(self.loss.max_curvature):
            largest = sum(float(at.bends[part].max(axis=1).sum()) for part, _ in self.margins.runs())
        return diagonals, largest

    # ---- walks -------------------------------------------------------------------------------------------------------

    @stays
    def norms(self, at: Measured, steps: np.ndarray, factor: float, bound: float, lift: float) -> np.ndarray:
        """The curvature of each row (n,) in the metric of the steps (width + 1,), raised to its bound by a share."""
        norms = self.design.norms(steps[:-1])
        for part, margins in self.margins.runs():
            bends = factor * at.bends[part].max(axis=1) / margins.weight
            norms[part] = (bends + lift * np.maximum(bound - bends, 0.0)) * (steps[-1] + norms[part])
        return norms

    @summed
    def lengths(self, norms: np.ndarray) -> Lengths:
        """Their weighted sum, and the largest."""
        total = 0.0
        for part, margins in self.margins.runs():
            total += float(np.sum(margins.weight * norms[part]))
        return Lengths(total, float(norms.max()))

    @summed
    def walk(
        self,
        at: Measured,
        norms: np.ndarray,
        mean: float,
        u: np.ndarray,
        drag: np.ndarray,
        step: np.ndarray,
        order: Any,
    ) -> Walked:
        """Where a walk leads in the mean; see `sksgd.core.walk.walk`."""
        ends = walk(self.design, self.terms, at.slopes, norms, mean, u, drag, step, order)
        return Walked(ends, self.margins.mass)

    # ---- whitening ---------------------------------------------------------------------------------------------------

    @summed
    def angles(self) -> tuple[float, int]:
        """See `sksgd.core.whitening.angles`."""
        return angles(self.design)

    @summed
    def sampled_gram(self, at: Measured, total: float, intercept: bool) -> tuple[np.ndarray, int]:
        """See `sksgd.core.whitening.sampled_gram`."""
        return sampled_gram(self.design, at.bends.mean(axis=1), total, intercept)

    def span(self, scores: np.ndarray, strength: np.ndarray, intercept: bool) -> SpanWhitening | None:
        """See `sksgd.core.whitening.SpanWhitening`; for rows in memory alone.

        Curvatures are raised a little where there are gradients, as those of outliers under Huber's loss: what has none
        belongs to the penalty alone.
        """
        bends = self.margins.derivatives(scores, 0.0 if self.loss.joint else LIFT)[2]
        self._to_diagonal(bends, self.design.weight)
        return SpanWhitening.of(self.design, bends.mean(axis=1), strength, intercept)


def _again(feed: Feed, split: Split, n_all: int, mean_weight: float, moments: Moments, terms: Any) -> CourseRows:
    rows = CourseRows(feed, split, n_all, mean_weight)
    return rows if terms is None else rows.placed(moments, terms)
