"""The way of SVRG over the rows of a fit: points, and searches over what walks and gradients span."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .descent import Margins
from .design import Design
from .feed import Feed
from .subspace import Subspace
from .whitening import Whitening, suits

#: Steps of the past that are searched along.
KEPT = 5
#: Moves of scores below this share of their summands are not trusted; scores that are logarithms must stay below REACH.
CANCELLED, REACH = 1e-8, 300.0


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """Weights with all that is known there.

    Attributes
    ----------
    u : ndarray of shape (K, width + 1)
        Weights of the columns of the `Design`, and the intercept of the centred rows.
    scores, slopes, bends : ndarray of shape (n, K)
        The derivatives of the loss, times the weights of the rows.
    slope : ndarray of shape (K, width + 1)
        The gradient of the mean loss.
    objective : float
    """

    u: np.ndarray
    scores: np.ndarray
    slopes: np.ndarray
    bends: np.ndarray
    slope: np.ndarray
    objective: float


class Course:
    """Weights on their way to the minimum of the objective over the rows of a feed.

    Attributes
    ----------
    smooth : bool
        Whether the penalty is L2, without bounds; else weights keep their signs in a search, and zeros stay zero.
    strength : ndarray of shape (width + 1,)
        The second derivative of the penalty where it is smooth.
    """

    def __init__(self, problem: Any, coef: np.ndarray, intercept: np.ndarray, feed: Feed, past: Any):
        self.problem, self.K = problem, len(coef)
        self.design = design = Design(feed, problem.fit_intercept)
        self.margins = Margins(problem.loss, design.y, design.weight, self.K)
        self._room = feed.room
        self.alpha = design.split.inwards(np.full(design.split.n_features, problem.alpha))
        self.bounds = None if problem.bounds is None else np.ascontiguousarray(design.split.inwards(problem.bounds))
        one, two = (problem.penalty.value(w, 1.0) for w in (1.0, 2.0))
        self.smooth = problem.penalty.linear and two == 4.0 * one and problem.bounds is None
        self.strength = np.append((two - 2.0 * one) * self.alpha, 0.0)
        # Weights of columns without values go where the penalty wants them.
        self.others = np.where(np.asarray(problem.alpha) > 0, 0.0, coef)
        if problem.bounds is not None:
            self.others, coef = (np.clip(values, *problem.bounds) for values in (self.others, coef))
        w = design.split.inwards(coef)
        self.of_others = problem.penalty_value(design.split.outwards(np.zeros_like(w), self.others))
        u = np.column_stack([w, intercept + w @ design.mean])
        self.point = self._measure(u, self._products(u[None])[0])
        self._bend_of: tuple[Any, Any] = (None, None)
        self._dependent = self.smooth and suits(design)
        self._whitening: tuple[Any, Any] = (None, None)
        columns, steps = past
        ours: Any = design.split.columns
        same = np.array_equal(columns, ours) and all(step.shape == u.shape for step in steps)
        self.steps: list[np.ndarray] = list(steps) if same else []
        self.moves: list[np.ndarray] = self._products(np.stack(self.steps)) if self.steps and self.smooth else []

    def past(self) -> tuple[Any, tuple[np.ndarray, ...]]:
        """The steps of the last passes, with the features that they are for; None for all."""
        return self.design.split.columns, tuple(self.steps)

    def weights(self) -> tuple[np.ndarray, np.ndarray, Any]:
        """Raw weights (K, d), intercepts (K,), and the means (d,) of the features that are subtracted."""
        design, w = self.design, self.point.u[:, :-1]
        mean = design.split.outwards(design.mean)
        return design.split.outwards(w, self.others), self.point.u[:, -1] - w @ design.mean, mean

    # ---- points ------------------------------------------------------------------------------------------------------

    def _products(self, steps: np.ndarray) -> list[np.ndarray]:
        """What each of the steps (m, K, width + 1) adds to the scores (n, K)."""
        K, flat = self.K, steps.reshape(-1, steps.shape[2])
        products = self.design.products(flat[:, :-1])
        moves = [products] if len(steps) == 1 else [self._room(self.design.n, K) for _ in steps]
        for at, _ in self.margins.runs():
            for i, move in enumerate(moves):
                own = slice(i * K, (i + 1) * K)
                move[at] = products[at, own] + flat[own, -1]
        return moves

    def _sum(self, scores: np.ndarray, move: np.ndarray) -> np.ndarray:
        """Scores after a move."""
        total = self._room(*scores.shape)
        for at, _ in self.margins.runs():
            np.add(scores[at], move[at], out=total[at])
        return total

    def _measure(self, u: np.ndarray, scores: np.ndarray) -> Point:
        """The point of these weights."""
        totals, weight = np.zeros(self.margins.n_systems), self.design.weight
        slopes, bends = (self._room(*scores.shape) for _ in range(2))
        for at, margins in self.margins.runs():
            values, slopes[at], bends[at] = margins.derivatives(scores[at], 0.0)
            totals += values
            if self.problem.loss.joint:  # whose bends are shares s times row weights; the Hessian has s (1 - s)
                bends[at] *= 1.0 - (bends[at] if weight is None else bends[at] / weight[at, None])
        slope = np.column_stack([self.design.sums(slopes), slopes.sum(axis=0)]) / self.margins.mass
        return Point(u, scores, slopes, bends, slope, self._objective(totals, scores, u))

    def _bend(self, point: Point | None = None) -> np.ndarray:
        """The diagonal of the Hessian of the mean loss at a point, (K, width + 1), if not another at the present."""
        point = point or self.point
        if self._bend_of[0] is not point:
            bends = point.bends
            bend = np.column_stack([self.design.square_sums(bends), bends.sum(axis=0)]) / self.margins.mass
            self._bend_of = point, bend
        return self._bend_of[1]

    def _objective(self, totals: np.ndarray, scores: np.ndarray, u: np.ndarray) -> float:
        """The objective at these scores and weights; infinite where `Margins` does not give the losses themselves."""
        from ..kernels.dense import total_penalty

        if self.problem.loss.link == "log" and not (scores.min() >= -REACH and scores.max() <= REACH):
            return np.inf
        loss = float(totals.sum()) / self.margins.mass
        if self.problem.penalty.free:
            return loss
        w = np.ascontiguousarray(u[:, :-1])
        return loss + self.of_others + float(total_penalty(self.problem.penalty, self.alpha, w))

    def _go(self, u: np.ndarray, scores: np.ndarray) -> bool:
        """Go to these weights if the objective is lower there; whether it is."""
        point = self._measure(u, scores)
        lower = point.objective < self.point.objective
        if lower:
            self.point = point
        return lower

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
            return gain * max(1.0, whitening.bend / max(float(point.bends.mean()), 1e-300))
        bend = self._bend()
        bend = np.maximum(bend, 1e-6 * np.append(self.design.square, 1.0) * bend[:, -1:])
        w, slope, of_w = (np.ascontiguousarray(values[:, :-1]) for values in (point.u, point.slope, bend))
        gain = float(decrement(self.problem.penalty, w, slope, of_w, self.alpha, self.bounds))
        if self.problem.fit_intercept:
            gain += float((0.5 * point.slope[:, -1] ** 2 / np.maximum(bend[:, -1], 1e-300)).sum())
        return gain

    # ---- scales ------------------------------------------------------------------------------------------------------

    def scale(self, lift: float) -> tuple[np.ndarray, np.ndarray]:
        """The steps of all weights (width + 1,), and how often rows are to be visited (n,), 1 in the mean.

        Both follow the curvatures of the losses at the point, raised to their bound by the share `lift`: they change
        on the way. Each row is visited half as often as all others, and half in proportion to what it makes steps
        short by.
        """
        loss, design, point = self.problem.loss, self.design, self.point
        # The matrix diag(s) - s s' is at most twice the largest element of its diagonal.
        factor = 2.0 if loss.joint else 1.0
        bound = loss.max_curvature
        if not np.isfinite(bound):
            bound = factor * sum(float(point.bends[at].max(axis=1).sum()) for at, _ in self.margins.runs()) / design.n
        bend = factor * self._bend().max(axis=0)
        bend = bend + lift * np.maximum(bound * np.append(design.square, 1.0) - bend, 0.0)
        total = bend + self.strength
        usable = (total > 0) & np.isfinite(total)
        steps = np.where(usable, 1.0 / np.where(usable, total, 1.0), 0.0)
        often, total = design.norms(steps[:-1]), 0.0
        for at, margins in self.margins.runs():
            bends = factor * point.bends[at].max(axis=1) / margins.weight
            often[at] = (bends + lift * np.maximum(bound - bends, 0.0)) * (steps[-1] + often[at])
            total += float(np.sum(margins.weight * often[at]))
        mean, longest = total / design.n, 0.0
        for at, _ in self.margins.runs():
            norms = often[at].copy()
            often[at] = 0.5 + 0.5 * norms / mean if mean > 0 else 1.0
            longest = max(longest, float((norms / often[at]).max()))
        longest += (self.strength * steps).max()
        if not self.problem.fit_intercept:
            steps[-1] = 0.0
        return steps / longest if longest > 0 else steps, often

    def whiten(self, at: np.ndarray | None) -> np.ndarray | None:
        """Whiten columns that depend on each other, with the curvatures at the weights `at` or else at the point.

        Returns the weights, or None if the columns are left as they are.
        """
        if not self._dependent:
            return None
        point = self.point if at is None else None
        at = self.point.u if at is None else at
        if at is not self._whitening[0]:
            point = point or self._measure(at, self._products(at[None])[0])
            whitening = Whitening.of(
                self.design, point.bends, self._bend(point), self.strength, self.problem.fit_intercept
            )
            self._dependent, self._whitening = whitening is not None, (at, whitening)
        return at if self._dependent else None

    # ---- searches ----------------------------------------------------------------------------------------------------

    def follow(self, ends: list[np.ndarray]) -> bool:
        """Search over the steps to where a walk led; whether the end of it is lower than the point."""
        begin = self.point
        steps = np.stack(ends) - begin.u
        if not np.isfinite(steps).all():
            return False
        moves = self._products(steps)
        scores = self._sum(begin.scores, moves[-1])
        totals = (margins.total(scores[at]) for at, margins in self.margins.runs())
        objective = self._objective(sum(totals, np.zeros(self.margins.n_systems)), scores, ends[-1])
        good = objective < begin.objective
        if self.smooth:
            self._search(steps, moves)
        elif good and self._go(ends[-1], scores):
            self._search_face(steps)
        return good

    def descend(self, step: np.ndarray) -> None:
        """Search along the gradient, each weight with its step."""
        if self.smooth:
            steps = -step * (self.point.slope + self.strength * self.point.u)[None]
            self._search(steps, self._products(steps))
        else:
            self._search_face(-step * (self.point.slope + self._pull())[None])

    def descend_whitened(self) -> None:
        """Search along the gradient in whitened coordinates."""
        steps = self._whitening[1].step(self.point.slope + self.strength * self.point.u)[None]
        self._search(steps, self._products(steps))

    def _search(self, steps: np.ndarray, moves: list[np.ndarray]) -> None:
        """Go to the minimum over the span of steps (m, K, width + 1), steps of the past and the intercept."""
        point = self.point
        space = self._span(steps, moves, self.strength * point.u, (self.steps, self.moves))
        if space is None:
            return
        a = space.minimise(point.scores)
        step, move = space.step(a), space.move(a)
        # Directions have size 1: of a step much shorter than their coefficients, most digits have cancelled.
        size, parts = _size(move), np.abs(a).sum()
        here = CANCELLED * parts < size < np.inf
        if here and self._go(point.u + step, self._sum(point.scores, move)) and size > 1e-4 * parts:
            move /= size
            self.steps, self.moves = [step / size, *self.steps][:KEPT], [move, *self.moves][:KEPT]

    def _span(self, steps: Any, moves: list[np.ndarray], pull: np.ndarray, past: tuple[list, list]) -> Subspace | None:
        """The subspace of these directions, those of the past and the intercept; None if nothing moves."""
        steps, moves = list(steps), list(moves)
        if self.problem.fit_intercept:
            alone = np.zeros_like(self.point.u)
            alone[:, -1] = steps[0][:, -1] if self.problem.loss.joint else 1.0
            steps.append(alone)
            moves.append(self._room(*moves[0].shape))
            moves[-1][...] = alone[:, -1]
        sizes = [_size(move) for move in moves]
        # Where products nearly cancel, as along offsets that are not subtracted, little is left but rounding.
        spread = np.sqrt(np.append(self.design.square, 1.0))
        used = [i for i, size in enumerate(sizes) if CANCELLED * (abs(steps[i]) @ spread).max() < size < np.inf]
        if not used:
            return None
        all_steps = [steps[i] / sizes[i] for i in used] + past[0]
        for i in used:
            moves[i] /= sizes[i]
        all_moves = [moves[i] for i in used] + past[1]
        return Subspace(self.margins, np.stack(all_steps), all_moves, pull, self.strength, self._room)

    def _search_face(self, steps: np.ndarray) -> None:
        """The same where zeros stay zero, and weights at bounds there; what would change its sign ends at zero."""
        point = self.point
        w = point.u[:, :-1]
        face = np.ones(point.u.shape, bool)
        face[:, :-1] = w != 0
        if self.bounds is not None:
            face[:, :-1] &= (w > self.bounds[0]) & (w < self.bounds[1])
        steps = np.concatenate([steps, self.steps[:2]]) * face if self.steps else steps * face
        space = self._span(steps, self._products(steps), self._pull() * face, ([], []))
        if space is None:
            return
        u = point.u + space.step(space.minimise(point.scores))
        u[:, :-1][u[:, :-1] * w < 0] = 0.0
        if self.bounds is not None:
            u[:, :-1] = np.clip(u[:, :-1], *self.bounds)
        if np.isfinite(u).all() and self._go(u, self._sum(point.scores, self._products((u - point.u)[None])[0])):
            self.steps = [u - point.u, *self.steps][:KEPT]

    def _pull(self) -> np.ndarray:
        """The derivative of the penalty at the weights that are not zero."""
        from ..kernels.svrg import pulls

        result = np.zeros_like(self.point.u)
        result[:, :-1] = pulls(self.problem.penalty, np.ascontiguousarray(self.point.u[:, :-1]), self.alpha)
        return result


def _size(move: np.ndarray) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.vdot(move, move) / move.size))
