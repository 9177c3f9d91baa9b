"""Implicit SGD in coordinates that are found on the way, averaged: for streams, wide and sparse data, and kinks."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..base import BlockOptimizer
from ..core.batches import Block
from ..core.descent import Margins, constants
from ..core.split import Split
from ..core.sweeps import Rows

__all__ = ["ImplicitSGD"]

#: Rows of a stream that wait until the columns are split.
FIRST = 100
#: Steps begin to fall after so many times the mean squared length of a row; with sparse columns.
PACE, SPARSE_PACE, POWER = 10.0, 5.0, 2 / 3
#: In a stream, the squared values that a sparse column is thought to have had beside those that it had.
CAUTION = 30.0
#: How far the objective is above its minimum, over what it fell by in the latter half of the passes: measured.
LEFT = 2.0


class ImplicitSGD(BlockOptimizer):
    """TODO."""

    def refusal(self, problem: Any, n_features: int, n_outputs: int) -> str:
        return ""

    def start(self, problem: Any, coef: np.ndarray, intercept: np.ndarray) -> Memory:
        return Memory(np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64))

    def weights(self, problem: Any, memory: Memory, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        memory = copy.copy(memory)
        self._settle(problem, memory)
        if memory.best is None and memory.track is None:
            return memory.coef.astype(dtype), memory.intercept
        return outwards(*(memory.best or self._in_stream(problem, memory)), dtype)

    def _in_stream(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The average, or constants where these were better lately on rows not yet known."""
        from ..kernels import implicit as kernels

        (coef, intercept, centre), outputs = self._average(problem, memory), memory.track.outputs
        recent = outputs[[kernels.RECENT, kernels.RECENT_FLAT]]
        if problem.loss.joint:
            recent = np.tile(recent.sum(axis=1, keepdims=True), len(coef))
        worse = ~(recent[0] <= recent[1]) & memory.blank & (not memory.explicit)
        return np.where(worse[:, None], 0.0, coef), np.where(worse, outputs[kernels.MEAN_FLAT], intercept), centre

    # ---- a stream ----------------------------------------------------------------------------------------------------

    def learn(self, problem: Any, memory: Memory, block: Any) -> None:
        rows = Rows(block.X, block.y, block.weight)
        memory.pending = (*memory.pending, rows.take(slice(None) if block.present is None else block.present))
        memory.waiting += len(block)
        memory.best, memory.gap = None, np.nan
        if memory.track is None and memory.waiting >= FIRST:
            rows = join(memory.pending)
            self._open(problem, memory, rows.take(slice(0, FIRST)))
            memory.pending, memory.waiting = (rows.take(slice(FIRST, None)),), memory.waiting - FIRST
        # Weights are copied before they change, which is not done for a few rows of many columns.
        values = sum(n_values(part.X) for part in memory.pending)
        if memory.track is not None and 8 * values >= memory.coef.size:
            self._settle(problem, memory)
        if memory.waiting:
            memory.pending = (*memory.pending[:-1], copy.deepcopy(memory.pending[-1]))

    def _settle(self, problem: Any, memory: Memory) -> None:
        """Learn the rows that wait."""
        if not memory.waiting:
            return
        rows, memory.pending, memory.waiting = join(memory.pending), (), 0
        if memory.track is None:
            self._open(problem, memory, rows)
        else:
            parts, order = self._parts(memory, rows.X), np.arange(len(rows), dtype=np.int32)
            self._walk(problem, memory, parts, rows, order, running=True, judging=True, caution=CAUTION)

    def _open(self, problem: Any, memory: Memory, rows: Rows) -> None:
        """Find columns, moments and constants by these rows, then learn them."""
        order = np.arange(len(rows), dtype=np.int32)
        parts = self._survey(problem, memory, rows, order)
        self._walk(problem, memory, parts, rows, order, judging=True, caution=CAUTION)

    def _survey(self, problem: Any, memory: Memory, rows: Rows, order: np.ndarray) -> Any:
        """Split the columns and find their moments by these rows; begin at the given weights, or at constants.

        Returns the parts of all rows.
        """
        from ..kernels import implicit as kernels

        coef, intercept, (K, d) = memory.coef, memory.intercept, memory.coef.shape
        memory.split = split = Split.of(rows.X)
        m, sample = split.n_dense, Rows(None, rows.y, rows.weight).take(order)
        if problem.fit_intercept and memory.blank:
            intercept = constants(problem.loss, sample.y, sample.weight, K)
        outputs, sums = np.zeros((kernels.N_LINES, K)), np.zeros(kernels.N_SUMS)
        self._bend(problem, memory, sample.take(slice(None, None, max(1, len(sample) // 1000))), intercept, outputs)
        records = np.zeros((d if m < d else 0, kernels.HEAD + 2 * K))
        track = kernels.Track(np.zeros(m), np.zeros(m), np.zeros(m), np.zeros((2, K, m)), records, outputs, sums)
        parts = self._parts(memory, rows.X)
        weight = 1.0 if rows.weight is None else rows.weight
        kernels.moments(self._rule(problem, memory), *parts, order, weight, track)
        inner = split.inwards(coef)
        track.weights[:] = inner[:, :m]
        for k in range(K if m < d else 0):
            records[:, kernels.HEAD + 2 * k] = inner[k]
        outputs[kernels.FLAT] = outputs[kernels.MEAN_FLAT] = intercept
        outputs[kernels.BIAS] = outputs[kernels.MEAN_BIAS] = intercept + inner[:, :m] @ track.mean
        memory.track = track
        return parts

    @staticmethod
    def _bend(problem: Any, memory: Memory, rows: Rows, constant: np.ndarray, outputs: np.ndarray) -> None:
        """The curvature of each output at a constant score, with what it is found from."""
        from ..kernels import implicit as kernels

        loss = problem.loss
        known = np.isfinite(loss.max_curvature)
        outputs[kernels.BEND] = loss.max_curvature if known else 1.0
        if loss.joint or loss.quadratic or (known and loss.link != "identity"):
            return
        for k, p in enumerate(constant):
            margins = Margins(loss, rows.y[:, k : k + 1], rows.weight, 1)
            totals, slopes, bends = margins.derivatives(np.full((len(rows), 1), p), 0.0)
            if loss.link != "identity":
                outputs[kernels.SLOPE, k] = outputs[kernels.BEND, k] = max(bends.sum() / margins.mass, 1e-100)
                continue
            value, slope = totals[0] / margins.mass, (slopes**2).sum() / margins.mass
            outputs[kernels.LOSS, k], outputs[kernels.SLOPE, k] = value, slope
            if value > 0 and slope > 0:
                outputs[kernels.BEND, k] = min(loss.max_curvature, 0.5 * slope / value)
        # What a constant cannot improve, such as the perceptron's loss, would not start by steps that look ahead.
        memory.explicit = not loss.smooth and not outputs[kernels.LOSS].any()

    @staticmethod
    def _rule(problem: Any, memory: Memory, caution: float = 0.0) -> Any:
        from ..kernels.implicit import Rule

        pen, split = problem.penalty, memory.split
        alpha = np.asarray(problem.alpha, dtype=np.float64)
        ridge = np.array([pen.value(2.0, a) - 2.0 * pen.value(1.0, a) for a in np.ravel(alpha).tolist()])
        return Rule(
            loss=problem.loss,
            pen=pen,
            alpha=split.inwards(alpha) if alpha.ndim else float(alpha),
            ridge=split.inwards(ridge) if alpha.ndim else float(ridge[0]),
            bounds=None if problem.bounds is None else np.ascontiguousarray(split.inwards(problem.bounds)),
            intercept=problem.fit_intercept,
            explicit=memory.explicit,
            pace=PACE if split.n_dense == split.n_features else SPARSE_PACE,
            power=POWER,
            caution=caution,
        )

    @staticmethod
    def _parts(memory: Memory, X: Any) -> Any:
        """The rows as the kernels want them."""
        dense, others = memory.split.parts(X)
        nothing = np.empty((X.shape[0], 0))
        return Block(dense, nothing).rows.X, None if others is None else Block(others, nothing).rows

    def _walk(
        self,
        problem: Any,
        memory: Memory,
        parts: Any,
        rows: Rows,
        order: np.ndarray,
        running: bool = False,
        judging: bool = False,
        caution: float = 0.0,
    ) -> None:
        """Learn rows in this order."""
        from ..kernels import implicit as kernels
        from ..kernels.dense import Work

        memory.track = track = kernels.Track(*(values.copy() for values in memory.track))
        rule, weight = self._rule(problem, memory, caution), 1.0 if rows.weight is None else rows.weight
        work = Work(np.ascontiguousarray(rows.y), order, weight)
        done = kernels.walk(rule, *parts, work, 0, len(order), running, judging, track)
        memory.finite = memory.finite and done == len(order) and all(np.isfinite(values).all() for values in track)
        memory.steps += len(order)

    def _average(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The averaged weights (K, d), the intercepts (K,) of columns less `centre`, and that (d,)."""
        from ..kernels import implicit as kernels

        weights, records = self._now(problem, memory)
        averaged, split = memory.track.sums[kernels.AVERAGED], memory.split
        coef = np.hstack([weights[1], records[1] / max(0.5 * averaged * (averaged + 1.0), 1.0)])
        if problem.penalty.sparse:
            coef[np.hstack([weights[0], records[0]]) == 0] = 0.0
        return split.outwards(coef), memory.track.outputs[kernels.MEAN_BIAS], self._centre(memory)

    def _iterate(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of the last iterate."""
        from ..kernels import implicit as kernels

        weights, records = self._now(problem, memory)
        coef = memory.split.outwards(np.hstack([weights[0], records[0]]))
        return coef, memory.track.outputs[kernels.BIAS], self._centre(memory)

    def _now(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray]:
        """Weights and averages of the dense columns, (2, K, m), and of the others, these as sums, (2, K, d - m)."""
        from ..kernels import implicit as kernels

        (_, K, m), track = memory.track.weights.shape, memory.track
        records = track.records.copy()
        kernels.settle(self._rule(problem, memory), m, track._replace(records=records))
        return track.weights, records[m:, kernels.HEAD :].reshape(-1, K, 2).transpose(2, 1, 0)

    @staticmethod
    def _centre(memory: Memory) -> np.ndarray:
        """What is taken off every column."""
        centre = np.zeros(memory.split.n_features)
        centre[: memory.split.n_dense] = memory.track.mean
        return memory.split.outwards(centre)

    # ---- passes over the same rows -----------------------------------------------------------------------------------

    def improve(
        self, problem: Any, memory: Memory, block: Any, order: Callable[[], np.ndarray], enough: Callable[[], bool]
    ) -> None:
        from ..kernels import implicit as kernels

        rows, n, mark = Rows(block.X, block.y, block.weight), len(block), fingerprint(problem, block)
        present = np.arange(n, dtype=np.int32) if block.present is None else block.present
        if memory.mark != mark:
            self._set_out(problem, memory, block)
        memory.mark = mark
        if memory.track is None or memory.track.sums[kernels.COUNT] != n:
            parts = self._survey(problem, memory, rows, present)
        else:
            parts = self._parts(memory, rows.X)
            if memory.ahead:
                self._restart(problem, memory)
        self._walk(problem, memory, parts, rows, present[order()])
        self._choose(problem, memory, block)

    def _set_out(self, problem: Any, memory: Memory, block: Any) -> None:
        """The best weights so far, on rows that are new: those at hand, or constants."""
        from ..kernels import implicit as kernels

        coef, intercept = self.weights(problem, memory, np.float64)
        if memory.track is not None and memory.track.sums[kernels.COUNT] != len(block):
            memory.coef, memory.intercept, memory.track = coef, intercept, None
        nothing, sample = np.zeros(memory.coef.shape), Rows(None, block.y, block.weight)
        if block.present is not None:
            sample = sample.take(block.present)
        flat = constants(problem.loss, sample.y, sample.weight, len(nothing)) if problem.fit_intercept else 0 * intercept
        lowest = problem.mean_loss(block.featureless, nothing[:, :0], flat)
        memory.pending, memory.waiting = (), 0
        memory.best, memory.objective = (nothing, flat, nothing[0]), lowest
        if coef.any() or intercept.any():
            objective = problem.objective(block, coef, intercept)
            if objective < lowest:
                memory.best, memory.objective = (coef, intercept, nothing[0]), objective
        memory.curve = (memory.objective,)

    def _choose(self, problem: Any, memory: Memory, block: Any) -> None:
        """Keep the best weights, and estimate how far they are from the minimum."""
        if not memory.finite:
            memory.objective = np.nan
            return
        found = self._average(problem, memory), self._iterate(problem, memory)
        average, iterate = (problem.objective(block, *outwards(*each, np.float64)) for each in found)
        memory.ahead = iterate < average
        for each, objective in zip(found, (average, iterate), strict=True):
            if objective < memory.objective or (memory.explicit and each is found[0]):
                memory.best, memory.objective = each, objective
        memory.curve = (*memory.curve, average)
        recent = memory.curve[(len(memory.curve) - 1) // 2 :]
        memory.excess = LEFT * (max(recent) - memory.objective)
        memory.stuck = len(recent) > 8 and memory.excess <= 1e-13 * abs(memory.objective)

    def _restart(self, problem: Any, memory: Memory) -> None:
        """Begin the average anew."""
        from ..kernels import implicit as kernels

        memory.track = track = kernels.Track(*(values.copy() for values in memory.track))
        kernels.settle(self._rule(problem, memory), memory.split.n_dense, track)
        track.sums[kernels.AVERAGED] = 0.0
        track.records[:, kernels.BEFORE] = 0.0
        track.records[:, kernels.HEAD + 1 :: 2] = 0.0


def outwards(coef: np.ndarray, intercept: np.ndarray, centre: np.ndarray, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coef (K, d) in this type, and the intercepts that suit the rounded coef."""
    largest = np.finfo(dtype).max
    coef = np.ascontiguousarray(np.clip(coef, -largest, largest).astype(dtype))
    return coef, intercept - coef.astype(np.float64) @ centre


def fingerprint(problem: Any, block: Any) -> tuple[Any, ...]:
    """What tells a fit from another: objectives of the same are comparable."""
    size, weights = float(np.abs(block.y).sum()), block.total_weight
    first = float(block.X[:1].sum()) if block.X.shape[0] else 0.0
    return block.X.shape, len(block), size, weights, first, problem.penalty, np.asarray(problem.alpha).tobytes()


def join(parts: tuple[Rows, ...]) -> Rows:
    """All rows of these parts, sparse if any are."""
    if len(parts) == 1:
        return parts[0]
    stack = sp.vstack if any(sp.issparse(part.X) for part in parts) else np.concatenate
    X = stack([sp.csr_array(part.X) if stack is sp.vstack else part.X for part in parts])
    weights = [np.ones(len(part)) if part.weight is None else part.weight for part in parts]
    weight = None if all(part.weight is None for part in parts) else np.concatenate(weights)
    return Rows(X, np.concatenate([part.y for part in parts]), weight)


def n_values(X: Any) -> int:
    """How many values are stored."""
    return X.nnz if sp.issparse(X) else X.size


@dataclasses.dataclass
class Memory:
    """What `ImplicitSGD` knows; arrays are replaced, never written to."""

    coef: np.ndarray
    intercept: np.ndarray
    split: Any = None
    track: Any = None
    pending: tuple[Rows, ...] = ()
    waiting: int = 0
    best: Any = None
    explicit: bool = False
    mark: Any = None
    curve: tuple[float, ...] = ()
    ahead: bool = False
    steps: int = 0
    finite: bool = True
    objective: float = np.nan
    excess: float = np.nan
    gap: float = np.nan
    stuck: bool = False

    @property
    def blank(self) -> bool:
        """Whether the start is at zero."""
        return not (self.coef.any() or self.intercept.any())
