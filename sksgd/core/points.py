"""Points on the way of SVRG: the objective with its derivatives at some weights, by sums over the rows alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .design import Moments
from .feed import Feed
from .split import Split
from .walk import Terms


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """Weights with all that is known there.

    Attributes
    ----------
    u : ndarray of shape (K, width + 1)
        Weights of the columns in the order of the `Split`, and the intercept of the centred rows.
    scores, measured : Any
        With the rows: scores (n, K), and the `Measured` derivatives of the losses.
    slope : ndarray of shape (K, width + 1)
        The gradient of the mean loss.
    bend : float
        The sum of all curvatures.
    objective : float
    size : float
        The root of the mean square of the move of the scores that led there.
    """

    u: np.ndarray
    scores: Any
    measured: Any
    slope: np.ndarray
    bend: float
    objective: float
    size: float


class Points:
    """The objective over the rows of a feed, and the weights that are the present ones.

    What there is for each row stays with the rows: here it is only handed on, from one method of `CourseRows` to
    another.

    Attributes
    ----------
    n : int
        Rows.
    smooth : bool
        Whether the penalty is L2, without bounds; else weights keep their signs in a search, and zeros stay zero.
    strength : ndarray of shape (width + 1,)
        The second derivative of the penalty where it is smooth.
    """

    def __init__(self, problem: Any, coef: np.ndarray, intercept: np.ndarray, feed: Feed, past: Any):
        self.problem, self.K, self.n, self.in_memory = problem, len(coef), len(feed), feed.in_memory
        self.split = split = Split.of(feed, empty=False)
        rows = feed.course_rows(split)
        self.moments = Moments.of(rows, split, problem.fit_intercept, feed.dtype)
        self.alpha = split.inwards(np.full(split.n_features, problem.alpha))
        self.bounds = None if problem.bounds is None else np.ascontiguousarray(split.inwards(problem.bounds))
        one, two = (problem.penalty.value(w, 1.0) for w in (1.0, 2.0))
        self.smooth = problem.penalty.linear and two == 4.0 * one and problem.bounds is None
        self.strength = np.append((two - 2.0 * one) * self.alpha, 0.0)
        penalty = None if self.smooth else problem.penalty
        terms = Terms(problem.loss, penalty, self.alpha, self.bounds, self.strength, self.K)
        self.rows = rows.placed(self.moments, terms)
        self._whitening: tuple[Any, Any] = (None, None)
        self.start(coef, intercept, past)

    def start(self, coef: np.ndarray, intercept: np.ndarray, past: Any) -> None:
        """Begin at raw weights (K, d) and intercepts (K,), with the steps of the `past`; nothing else counts."""
        split, problem = self.split, self.problem
        # Weights of columns without values go where the penalty wants them.
        self.others = np.where(np.asarray(problem.alpha) > 0, 0.0, coef)
        if problem.bounds is not None:
            self.others, coef = (np.clip(values, *problem.bounds) for values in (self.others, coef))
        w = split.inwards(coef)
        self.of_others = problem.penalty_value(split.outwards(np.zeros_like(w), self.others))
        u = np.column_stack([w, intercept + w @ self.moments.mean])
        self.point = self._measure(u, self._scores(u))
        self._bend_of: tuple[Any, Any] = (None, None)
        self._dependent: bool | None = None
        columns, steps = past
        ours: Any = split.columns
        same = np.array_equal(columns, ours) and all(step.shape == u.shape for step in steps)
        self.steps: list[np.ndarray] = list(steps) if same else []
        #: What each adds to the scores, with the rows, times a size.
        self.moves: list[tuple[Any, float]] = []
        if self.steps and self.smooth:
            moves = self.rows.moves(np.stack(self.steps))
            self.moves = [(self.rows.pick(moves, i), 1.0) for i in range(len(self.steps))]

    def past(self) -> tuple[Any, tuple[np.ndarray, ...]]:
        """The steps of the last passes, with the features that they are for; None for all."""
        return self.split.columns, tuple(self.steps)

    def weights(self) -> tuple[np.ndarray, np.ndarray, Any]:
        """Raw weights (K, d), intercepts (K,), and the means (d,) of the features that are subtracted."""
        split, mean, w = self.split, self.moments.mean, self.point.u[:, :-1]
        return split.outwards(w, self.others), self.point.u[:, -1] - w @ mean, split.outwards(mean)

    # ---- points ------------------------------------------------------------------------------------------------------

    def _scores(self, u: np.ndarray) -> Any:
        return self.rows.pick(self.rows.moves(u[None]), 0)

    def _measure(self, u: np.ndarray, scores: Any, move: Any = None) -> Point:
        """The point of these weights, to which a move led."""
        measured = self.rows.measure(scores, move)
        totals, slope, bend, beyond, square, self.mass = self.rows.sums(measured)
        size = np.nan if square is None else self._size(square)
        objective = self._objective(totals, beyond, u)
        return Point(u, scores, measured, slope / self.mass, bend, objective, size)

    def _size(self, square: Any) -> Any:
        """The root of the mean square of moves, from the sum of their squares."""
        return np.sqrt(square / (self.n * self.K))

    def _bend(self, point: Point | None = None) -> tuple[np.ndarray, float]:
        """At a point, or at the present, the diagonal of the Hessian of the mean loss, (K, width + 1).

        And the mean over the rows of their largest curvature, where the loss has no bound to it.
        """
        point = point or self.point
        if self._bend_of[0] is not point:
            diagonals, largest = self.rows.bend(point.measured)
            self._bend_of = point, (diagonals / self.mass, largest / self.n)
        return self._bend_of[1]

    def _mean_bend(self, point: Point) -> float:
        return point.bend / (self.n * self.K)

    def _objective(self, totals: np.ndarray, beyond: int, u: np.ndarray) -> float:
        """The objective from the sums of the losses, at these weights; infinite where scores are out of reach."""
        from ..kernels.dense import total_penalty

        if beyond:
            return np.inf
        loss = float(totals.sum()) / self.mass
        if self.problem.penalty.free:
            return loss
        w = np.ascontiguousarray(u[:, :-1])
        return loss + self.of_others + float(total_penalty(self.problem.penalty, self.alpha, w))

    def _go(self, point: Point) -> bool:
        """Go to a point if the objective is lower there; whether it is."""
        lower = point.objective < self.point.objective
        if lower:
            self.point = point
        return lower

    def least_excess(self) -> float:
        """What is to be thought left at least: where dense rows are fewer than columns, as much as there may be.

        Along what no row sees only the penalty bends, which no walk finds. With L2 the excess is at most half of the
        sum of the squares of the gradient over the strengths, at the best intercept.
        """
        if not self.smooth or self.n >= self.split.width or self.split.n_dense < self.split.width:
            return 0.0
        slope, strength = (self.point.slope + self.strength * self.point.u)[:, :-1], self.strength[:-1]
        most = self.point.objective if self.problem.loss.link != "log" else np.inf  # others cost nothing at least
        return min(0.5 * float((slope**2 / strength).sum()), most) if (strength > 0).all() else 0.0

    def decrement(self) -> float:
        """What the objective would fall by if every weight went to its minimum, and none knew of the others.

        In whitened coordinates, if there are; more, by as much as curvatures have become less since.
        """
        from ..kernels.svrg import decrement

        point = self.point
        whitening = self._whitening[1]
        if whitening is not None:
            slope = point.slope + self.strength * point.u
            gain = -0.5 * float((slope * whitening.step(slope)).sum())
            return gain * max(1.0, whitening.bend / max(self._mean_bend(point), 1e-300))
        bend = self._bend()[0]
        bend = np.maximum(bend, 1e-6 * np.append(self.moments.square, 1.0) * bend[:, -1:])
        w, slope, of_w = (np.ascontiguousarray(values[:, :-1]) for values in (point.u, point.slope, bend))
        gain = float(decrement(self.problem.penalty, w, slope, of_w, self.alpha, self.bounds))
        if self.problem.fit_intercept:
            gain += float((0.5 * point.slope[:, -1] ** 2 / np.maximum(bend[:, -1], 1e-300)).sum())
        return gain
