"""The way of SVRG over the rows of a fit: where walks lead, and searches over what they span."""

from __future__ import annotations

from typing import Any

import numpy as np

from .points import Point, Points
from .subspace import Subspace
from .whitening import SpanWhitening, Whitening, suits, unknown

#: Steps of the past that are searched along.
KEPT = 5
#: Moves of scores below this share of their summands are not trusted.
CANCELLED = 1e-8


class Course(Points):
    """Weights on their way to the minimum of the objective."""

    # ---- walks -------------------------------------------------------------------------------------------------------

    def scale(self, lift: float) -> tuple[np.ndarray, tuple[Any, float]]:
        """The steps of all weights (width + 1,); the lengths of the rows (n,), with these, and their mean.

        Both follow the curvatures of the losses at the point, raised to their bound by the share `lift`: they change
        on the way. Each row is to be visited half as often as all others, and half in proportion to what it makes steps
        short by.
        """
        loss, square = self.problem.loss, np.append(self.moments.square, 1.0)
        # The matrix diag(s) - s s' is at most twice the largest element of its diagonal.
        factor, bound = 2.0 if loss.joint else 1.0, loss.max_curvature
        diagonals, largest = self._bend()
        if not np.isfinite(bound):
            bound = factor * largest
        bend = factor * diagonals.max(axis=0)
        bend = bend + lift * np.maximum(bound * square - bend, 0.0)
        total = bend + self.strength
        usable = (total > 0) & np.isfinite(total)
        steps = np.where(usable, 1.0 / np.where(usable, total, 1.0), 0.0)
        norms = self.rows.norms(self.point.measured, steps, factor, bound, lift)
        lengths = self.rows.lengths(norms)
        mean = lengths.total / self.n
        # The longer a row, the longer it is also over how often it is visited.
        longest = lengths.largest / (0.5 + 0.5 * lengths.largest / mean) if mean > 0 else lengths.largest
        longest += (self.strength * steps).max()
        if not self.problem.fit_intercept:
            steps[-1] = 0.0
        return steps / longest if longest > 0 else steps, (norms, mean)

    def walk(self, step: np.ndarray, lengths: tuple[Any, float], order: Any) -> list[np.ndarray]:
        """From the point along rows by corrected steps; where it ends and, if all is smooth, before it the mean.

        Rows in several places are walked along in each; then it is the mean of where these walks lead.
        """
        point, drag = self.point, step * self.point.slope
        if self.smooth:
            pull = step[:-1] * self.strength[:-1]
            drag[:, :-1] *= 1.0 - pull / (1.0 + pull)
        return list(self.rows.walk(point.measured, *lengths, point.u, drag, step, order).ends.copy())

    def whiten(self, at: np.ndarray | None) -> np.ndarray | None:
        """Whiten columns that depend on each other, with the curvatures at the weights `at` or else at the point.

        Returns the weights, or None if the columns are left as they are.
        """
        if self._dependent is None:
            self._dependent = self.smooth and suits(self.rows, self.split, self.n, self.in_memory)
        if not self._dependent:
            return None
        point = self.point if at is None else None
        at = self.point.u if at is None else at
        if at is not self._whitening[0]:
            whitening = self._whitening_at(point or self._measure(at, self._scores(at)))
            self._dependent, self._whitening = whitening is not None, (at, whitening)
        return at if self._dependent else None

    @property
    def spans(self) -> bool:
        """Whether columns are whitened by a matrix of rows times rows."""
        return self.in_memory and self.n < self.split.width

    def leave_unwhitened(self) -> None:
        """From now on."""
        self._dependent, self._whitening = False, (None, None)

    def _whitening_at(self, point: Point) -> Whitening | SpanWhitening | None:
        intercept, bend = self.problem.fit_intercept, self._mean_bend(point)
        if self.spans:
            return self.rows.span(point.scores, self.strength, intercept)
        matrix, n = self.rows.sampled_gram(point.measured, point.bend / self.K, intercept)
        rest = (self.moments.square, self._bend(point)[0], self.strength, intercept, bend)
        return Whitening.of(matrix, unknown(self.split.width, n, self.n), *rest)

    # ---- searches ----------------------------------------------------------------------------------------------------

    def follow(self, ends: list[np.ndarray]) -> bool:
        """Search over the steps to where a walk led; whether the end of it is lower than the point."""
        begin = self.point
        steps = np.stack(ends) - begin.u
        if not np.isfinite(steps).all():
            return False
        directions, moves = self._directions(steps)
        scores = self.rows.ahead(begin.scores, self.rows.pick(moves, len(steps) - 1))
        squares, totals, beyond = self.rows.extents(moves, scores)
        good = self._objective(totals, beyond, ends[-1]) < begin.objective
        if self.smooth:
            self._search(directions, moves, squares)
        elif good and self._go(self._measure(ends[-1], scores)):
            self._search_face(steps)
        return good

    def descend(self, step: np.ndarray) -> None:
        """Search along the gradient, each weight with its step."""
        if self.smooth:
            self._search_along(-step * (self.point.slope + self.strength * self.point.u))
        else:
            self._search_face(-step * (self.point.slope + self._pull())[None])

    def descend_whitened(self) -> None:
        """Search along the gradient in whitened coordinates."""
        self._search_along(self._whitening[1].step(self.point.slope + self.strength * self.point.u))

    def _directions(self, steps: np.ndarray) -> tuple[np.ndarray, Any]:
        """Steps (m, K, width + 1) and, if there is one, that of the intercept; what they add to the scores."""
        if not self.problem.fit_intercept:
            return steps, self.rows.moves(steps)
        alone = np.zeros_like(self.point.u)
        alone[:, -1] = steps[0][:, -1] if self.problem.loss.joint else 1.0
        return np.concatenate([steps, alone[None]]), self.rows.moves(steps, alone[:, -1])

    def _search_along(self, step: np.ndarray) -> None:
        """Search over a step, those of the past and the intercept."""
        steps, moves = self._directions(step[None])
        self._search(steps, moves, self.rows.extents(moves)[0])

    def _search(self, steps: np.ndarray, moves: Any, squares: np.ndarray) -> None:
        """Go to the minimum over the span of these steps and those of the past."""
        point = self.point
        space = self._span(steps, moves, squares, self.strength * point.u, self.steps, self.moves)
        if space is None:
            return
        a = space.minimise(point.scores)
        step, move = space.step(a), space.move(a)
        there = self._measure(point.u + step, self.rows.ahead(point.scores, move), move)
        # Directions have size 1: of a step much shorter than their coefficients, most digits have cancelled.
        size, parts = there.size, np.abs(a).sum()
        if CANCELLED * parts < size < np.inf and self._go(there) and size > 1e-4 * parts:
            self.steps, self.moves = [step / size, *self.steps][:KEPT], [(move, size), *self.moves][:KEPT]

    def _span(
        self, steps: np.ndarray, moves: Any, squares: np.ndarray, pull: np.ndarray, others: Any = (), their: Any = ()
    ) -> Subspace | None:
        """The subspace of these directions and others with their moves; None if nothing moves."""
        sizes = self._size(squares)
        # Where products nearly cancel, as along offsets that are not subtracted, little is left but rounding.
        least = CANCELLED * (np.abs(steps) @ np.sqrt(np.append(self.moments.square, 1.0))).max(axis=1)
        used = [i for i, size in enumerate(sizes) if least[i] < size < np.inf]
        if not used:
            return None
        all_steps = np.stack([*(steps[i] / sizes[i] for i in used), *others])
        all_moves = self.rows.collect(moves, used, *(move for move, _ in their))
        all_sizes = np.array([*sizes[used], *(size for _, size in their)])
        loss = self.problem.loss
        return Subspace(self.rows, loss, self.mass, all_steps, all_moves, all_sizes, pull, self.strength)

    def _search_face(self, steps: np.ndarray) -> None:
        """The same where zeros stay zero, and weights at bounds there; what would change its sign ends at zero."""
        point = self.point
        w = point.u[:, :-1]
        face = np.ones(point.u.shape, bool)
        face[:, :-1] = w != 0
        if self.bounds is not None:
            face[:, :-1] &= (w > self.bounds[0]) & (w < self.bounds[1])
        steps = np.concatenate([steps, self.steps[:2]]) * face if self.steps else steps * face
        steps, moves = self._directions(steps)
        space = self._span(steps, moves, self.rows.extents(moves)[0], self._pull() * face)
        if space is None:
            return
        u = point.u + space.step(space.minimise(point.scores))
        u[:, :-1][u[:, :-1] * w < 0] = 0.0
        if self.bounds is not None:
            u[:, :-1] = np.clip(u[:, :-1], *self.bounds)
        if np.isfinite(u).all() and self._go(
            self._measure(u, self.rows.ahead(point.scores, self._scores(u - point.u)))
        ):
            self.steps = [u - point.u, *self.steps][:KEPT]

    def _pull(self) -> np.ndarray:
        """The derivative of the penalty at the weights that are not zero."""
        from ..kernels.svrg import pulls

        result = np.zeros_like(self.point.u)
        result[:, :-1] = pulls(self.problem.penalty, np.ascontiguousarray(self.point.u[:, :-1]), self.alpha)
        return result
