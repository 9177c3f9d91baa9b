"""The way of SVRG over the rows of a fit: gradients, walks, and the search for the best point of what they span."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batches import Block
from .descent import Margins, constants
from .design import Design
from .subspace import Subspace

#: Steps of earlier passes that are searched along.
KEPT = 5
import os
FACTOR=float(os.environ.get("FACTOR","1")); DROP=float(os.environ.get("DROP",".5"))


class Course:
    """Weights on their way to the minimum of the objective, with their scores and gradients.

    Parameters
    ----------
    problem : Problem
    memory : Memory
        Where to start.
    block : Block

    Attributes
    ----------
    u : ndarray of shape (K, width + 1)
        The weights of the columns of the `Design`, and the intercept of the centred rows.
    """

    def __init__(self, problem: Any, memory: Any, block: Block):
        self.problem, self.K = problem, len(memory.coef)
        self.design = design = Design(block, problem.fit_intercept)
        self.margins = Margins(problem.loss, design.y, design.weight, self.K)
        self.alpha = design.inwards(np.full(design.n_features, problem.alpha))
        self.bounds = None if problem.bounds is None else np.ascontiguousarray(design.inwards(problem.bounds))
        unit, two = (problem.penalty.value(w, 1.0) for w in (1.0, 2.0))
        self.smooth = problem.penalty.linear and two == 4.0 * unit and problem.bounds is None
        #: Of the part of the penalty that is quadratic.
        self.strength = np.append((two - 2.0 * unit) * self.alpha, 0.0)
        self._start(memory)

    def _start(self, memory: Any) -> None:
        problem, design = self.problem, self.design
        coef, intercept = memory.coef, memory.intercept
        if problem.fit_intercept and memory.blank:
            intercept = constants(problem.loss, design.y, design.weight, self.K)
        # Weights of empty columns go where the penalty wants them.
        self.others = np.where(np.asarray(problem.alpha) > 0, 0.0, coef)
        if problem.bounds is not None:
            self.others, coef = (np.clip(values, *problem.bounds) for values in (self.others, coef))
        w = design.inwards(coef)
        self.u = np.column_stack([w, intercept + w @ design.mean])
        self.of_others = problem.penalty_value(design.outwards(np.zeros_like(w), self.others))
        self.scores = design.products(w - 0.0) + self.u[:, -1]
        self.steps, self.moves = [], []
        self.at = (memory.coef, memory.intercept)
        self._measure()

    def is_at(self, memory: Any) -> bool:
        """Whether this is where the memory stands."""
        return self.at[0] is memory.coef and self.at[1] is memory.intercept

    def _measure(self) -> None:
        """The objective at the weights, and its derivatives."""
        totals, slopes, bends = self.margins.derivatives(self.scores, 0.0)
        mass = self.margins.mass
        self.objective = float(totals.sum()) / mass + self._penalty(self.u)
        first, second = self.design.sums(slopes, bends)
        self.slope = np.column_stack([first, slopes.sum(axis=0)]) / mass
        self.bend = np.column_stack([second, bends.sum(axis=0)]) / mass
        self.slopes, self.bends = slopes, bends
        if self.design.weight is not None:
            self.slopes, self.bends = slopes / self.design.weight[:, None], bends / self.design.weight[:, None]

    def _penalty(self, u: np.ndarray) -> float:
        from ..kernels.dense import total_penalty

        penalty = self.problem.penalty
        if penalty.free:
            return 0.0
        return self.of_others + float(total_penalty(penalty, self.alpha, np.ascontiguousarray(u[:, :-1])))

    def _scale(self, lift: float) -> tuple[np.ndarray, np.ndarray, float]:
        """The steps of columns and intercept, and how often rows are to be visited, at the curvature of the weights.

        By the share `lift` that is taken to be what it may become.
        """
        loss, design = self.problem.loss, self.design
        share = 1.0 if design.weight is None else design.weight
        bends = self.bends.max(axis=1)
        mean = float((share * bends).mean())
        bound = loss.max_curvature if np.isfinite(loss.max_curvature) else max(mean, 1e-300)
        if loss.joint:
            bends = np.minimum(bends * 2, bound)
            mean = float((share * bends).mean())
        square = np.append(design.square, 1.0)
        bend = self.bend.max(axis=0) if not loss.joint else mean * square
        bend = bend + lift * np.maximum(bound * square - bend, 0.0)
        bends = bends + lift * np.maximum(bound - bends, 0.0)
        total = bend + self.strength
        metric = np.where((total > 0) & np.isfinite(total), 1.0 / np.where(total > 0, total, 1.0), 0.0)
        norms = bends * (metric[-1] + design.norms(metric[:-1]))
        often = 0.5 + 0.5 * norms / (share * norms).mean()
        L = (norms / often).max() + (self.strength * metric).max()
        return metric * (FACTOR if not loss.quadratic else 1.0) / L, often

    # ---- one pass ----------------------------------------------------------------------------------------------------

    def outer(self, memory: Any, order: np.ndarray) -> None:
        step, often = self._scale(memory.lift)
        walk = self._walk(memory.rate * step, 1.0 / often, self._visits(order, often))
        before = self.objective
        steps = np.stack([point - self.u for point in walk])
        memory.steps += len(order)
        if np.isfinite(steps).all():
            self._search(memory, steps)
        else:
            memory.rate *= 0.25
            memory.lift=1.0
        self._conclude(memory, before)

    def _visits(self, order: np.ndarray, often: np.ndarray) -> np.ndarray:
        """Rows in a random order, each about as often as it is to be visited."""
        rng = np.random.Generator(np.random.SFC64(order[:16]))
        often = often if self.design.weight is None else often * self.design.weight
        edges = np.floor(np.cumsum(often[order]) + rng.random())
        visits = np.repeat(order, np.diff(edges, prepend=0.0).astype(np.int64))
        rng.shuffle(visits)
        return visits

    def _walk(self, step: np.ndarray, factor: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, ...]:
        """Corrected steps along rows; the mean of all points, and the last."""
        from ..kernels.svrg import EXTRA, Columns, Work, inner_loop

        design, K = self.design, self.K
        n_dense = design.dense.shape[1]
        step, of_intercept = step[:-1], step[-1] if self.problem.fit_intercept else 0.0
        pull = step * self.strength[:-1]
        keep = pull / (1.0 + pull) if self.smooth else np.ascontiguousarray(self.alpha)
        drag = step * self.slope[:, :-1]
        if self.smooth:
            drag *= 1.0 - keep
        w = self.u[:, :-1]
        part = slice(0, n_dense)
        columns = Columns(
            design.dense,
            design.mean[part],
            step[part],
            keep[part],
            w[:, part].copy(),
            np.zeros((K, n_dense)),
            np.ascontiguousarray(drag[:, part]),
        )
        rest = slice(n_dense, None)
        records = np.zeros((design.width - n_dense, 3 * K + EXTRA))
        records[:, :K], records[:, 2 * K : 3 * K] = w[:, rest].T, drag[:, rest].T
        records[:, 3 * K + 1], records[:, 3 * K + 2] = step[rest], keep[rest]
        records[:, 3 * K + 3] = np.log1p(-keep[rest]) if self.smooth else 0.0
        bias = np.stack([self.u[:, -1], np.zeros(K), of_intercept * self.slope[:, -1]])
        work = Work(design.y, order, self.slopes, factor)
        penalty = None if self.smooth else self.problem.penalty
        inner_loop(
            self.problem.loss, penalty, work, columns, design.rows, records, bias, of_intercept, self.bounds
        )
        last = np.column_stack([columns.w, records[:, :K].T, bias[0]])
        mean = np.column_stack([columns.total, records[:, K : 2 * K].T, bias[1]]) / max(len(order), 1)
        return (mean, last) if self.smooth else (last,)

    def _products(self, steps: np.ndarray) -> np.ndarray:
        """What steps (m, K, width + 1) add to the scores: (m, n, K)."""
        flat = steps.reshape(-1, steps.shape[2])
        products = self.design.products(flat[:, :-1]) + flat[:, -1]
        return products.reshape(len(products), len(steps), self.K).transpose(1, 0, 2)

    def _search(self, memory: Any, steps: np.ndarray) -> None:
        moves = self._products(steps)
        last = self.u + steps[-1]
        total = self.margins.total(np.ascontiguousarray(self.scores + moves[-1]))
        at_last = float(total.sum()) / self.margins.mass + self._penalty(last)
        good = at_last < self.objective
        if good:
            memory.rate = min(1.0, 1.5 * memory.rate)
            memory.lift *= DROP
        else:
            memory.lift = min(1.0, 4*memory.lift+.01)
            memory.rate *= 0.5 if memory.lift==1.0 or self.problem.loss.quadratic else 1.0
        if not self.smooth:
            if good:
                self._go(steps[-1], moves[-1])
            return
        steps, moves = [*steps, *self.steps], [*moves, *self.moves]
        sizes = [np.sqrt(np.mean(move * move)) for move in moves]
        used = [i for i, size in enumerate(sizes) if size > 0 and np.isfinite(size)]
        if not used:
            return
        space = Subspace(
            self.margins,
            np.stack([steps[i] / sizes[i] for i in used]),
            np.stack([moves[i] / sizes[i] for i in used]),
            self.strength,
        )
        a = space.minimise(self.scores, self.u)
        step, move = space.step(a, self.u), space.change(a, self.scores)
        self.steps, self.moves = [step, *self.steps][:KEPT], [move, *self.moves][:KEPT]
        self._go(step, move)

    def _go(self, step: np.ndarray, move: np.ndarray) -> None:
        before = (self.u, self.scores, self.objective, self.slope, self.bend, self.slopes, self.bends)
        self.u, self.scores = self.u + step, np.ascontiguousarray(self.scores + move)
        self._measure()
        if not self.objective <= before[2]:
            self.u, self.scores, self.objective, self.slope, self.bend, self.slopes, self.bends = before

    def _conclude(self, memory: Any, before: float) -> None:
        """Put down what was reached, and estimate how far it is from the minimum."""
        from ..kernels.svrg import decrement

        design, problem = self.design, self.problem
        w = self.u[:, :-1]
        coef = design.outwards(w, self.others)
        memory.coef, memory.intercept = coef, self.u[:, -1] - w @ design.mean
        self.at = (memory.coef, memory.intercept)
        bend = np.maximum(self.bend, 1e-6 * np.append(design.square, 1.0) * self.bend[:, -1:])
        gain = float(
            decrement(
                problem.penalty,
                np.ascontiguousarray(w),
                np.ascontiguousarray(self.slope[:, :-1]),
                np.ascontiguousarray(bend[:, :-1]),
                self.alpha,
                self.bounds,
            )
        )
        if problem.fit_intercept:
            gain += float(np.sum(0.5 * self.slope[:, -1] ** 2 / np.maximum(bend[:, -1], 1e-300)))
        fall = before - self.objective
        ratio = min(fall / memory.fall, 0.97) if memory.fall > 0 else 0.5
        doubt = max(gain, fall * ratio / (1.0 - ratio))
        memory.excess = max(doubt, memory.doubt if np.isfinite(memory.doubt) else fall)
        memory.stuck = max(fall, memory.fall if np.isfinite(memory.fall) else np.inf) <= 1e-15 * abs(self.objective)
        memory.fall, memory.doubt, memory.objective = fall, doubt, self.objective
