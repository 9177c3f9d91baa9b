"""Implicit SGD in coordinates that are found on the way, averaged: for streams, wide and sparse data, and kinks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import track as at
from ..base import BlockOptimizer, Penalty
from ..core.arrays import as_weights
from ..core.batches import Block
from ..core.descent import Margins
from ..core.feed import Feed
from ..core.implicit_memory import Memory, n_values
from ..core.rows import Rows, join
from ..core.split import Split

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
    """Averaged SGD in standardised coordinates, with steps that look ahead: no rate, whatever the scale of features.

    The rows of `partial_fit` are learned one by one, in O(non-zeros), in coordinates of the moments so far; `fit` takes
    those of all rows. A row x of weight s, relative to the mean weight, moves the weights by

        u = s l'(p - eta q u),    w_j -= eta D_j u (x_j - m_j),    then the proximal step eta D_j of the penalty,

    where p is its score, D_j = 1/(variance_j + alpha_j/c), q = 1 + sum D_j (x_j - m_j)^2 and
    eta_t = (1 + t/(10 q'))^(-2/3)/(c q') with q' the mean of q. u is the gradient at where the step leads to, so that
    no step goes beyond the minimum of the row's loss, or its kink. c is the largest curvature of the loss. On the
    identity link it is at most the mean of l'^2 over twice that of l, a curvature at the scale of the errors, which
    losses with kinks have too; where there is no largest one, the mean of those met. The model is the average of the
    weights, that after update t with weight t.

    Sparse columns, those with values in up to a quarter of the first 100 rows (in `fit`, of all), are scaled by their
    mean square and not centred; in a stream, by one that counts 30 more rows like the present one. Their weights pay
    the penalty when they are touched. There 10 becomes 5.

    Each pass of `fit` goes on from the last. The average goes on too, unless the last weights had the lower objective.
    What is kept is the best after a pass of the averages and the last weights, and never worse than constants. The
    estimate in `optimality_gap_` is twice what the objective of the average fell by in the latter half of the passes.
    It is no bound: on 34 problems with kinks it was between 0.5 and 2.5 times the true gap in eight cases of ten.

    In `partial_fit` the first 100 rows wait, and then rows of few values beside the number of weights. They count in
    all that is read, and no result depends on how rows are cut into calls. Where a model without features did better
    lately on rows that were not yet known, the answer is that model. Rows sorted by target mislead a stream.

    On CSR data, penalties need `drift`, and bounds must contain 0. The loss of the perceptron is least at weights of 0:
    for such a loss u is the gradient at p, and the last average is kept. `learning_rate`, `batch_size`, `sampling` and
    `average` have no meaning here and are refused.

    References
    ----------
    Toulis, Airoldi (2017), Asymptotic and finite-sample properties of estimators based on stochastic gradients, Ann.
    Statist. 45.
    Bach, Moulines (2013), Non-strongly-convex smooth stochastic approximation with convergence rate O(1/n), NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from sksgd import LinearRegressor
    >>> X = np.random.default_rng(0).normal(size=(20000, 2)) * [1e-3, 1e3] + 50.0
    >>> y = X @ [3e3, 2e-3]
    >>> stream = LinearRegressor("quantile", optimizer="implicit", alpha=0).partial_fit(X, y)
    >>> bool(np.abs(stream.predict(X) - y).max() < 0.1)
    True
    """

    def start(self, problem: Any, coef: np.ndarray, intercept: np.ndarray) -> Memory:
        return Memory(np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64))

    def weights(self, problem: Any, memory: Memory, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        memory = copy.copy(memory)
        self._settle(problem, memory)
        if memory.best is None and memory.track is None:
            return memory.coef.astype(dtype), memory.intercept
        coef, intercept, centre = memory.best or self._in_stream(problem, memory)
        return outwards(coef, intercept, centre, dtype)

    def _in_stream(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The average, or constants where these were better lately on rows not yet known."""
        (coef, intercept, centre), outputs = self._average(problem, memory), memory.track.outputs
        recent = outputs[[at.RECENT, at.RECENT_FLAT]]
        if problem.loss.joint:
            recent = np.tile(recent.sum(axis=1, keepdims=True), len(coef))
        worse = ~(recent[0] <= recent[1]) & memory.blank & (not is_explicit(problem.loss))
        return (
            np.where(worse[:, None], nothing(problem, coef), coef),
            np.where(worse, outputs[at.MEAN_FLAT], intercept),
            centre,
        )

    # ---- a stream ----------------------------------------------------------------------------------------------------

    def learn(self, problem: Any, memory: Memory, block: Any) -> None:
        require_lazy(problem, block.sparse)
        memory.best, memory.gap = None, np.nan
        rows, order = Rows(block.X, block.y, block.weight), block.present
        if not memory.waiting and self._is_enough(memory, rows):
            order = np.arange(len(block), dtype=np.int32) if order is None else order
            self._go_on(problem, memory, block.parts(memory.split), rows, order)
            return
        memory.pending = (*memory.pending, copy.deepcopy(rows.take(slice(None) if order is None else order)))
        memory.waiting += len(block)
        if memory.track is None and memory.waiting >= FIRST:
            rows = join(memory.pending)
            self._open(problem, memory, rows.take(slice(0, FIRST)))
            memory.pending, memory.waiting = (rows.take(slice(FIRST, None)),), memory.waiting - FIRST
        if self._is_enough(memory, *memory.pending):
            self._settle(problem, memory)

    @staticmethod
    def _is_enough(memory: Memory, *parts: Rows) -> bool:
        """Whether rows need not wait: weights are copied before they change, which takes some rows to be worth it."""
        return memory.track is not None and 8 * sum(n_values(part.X) for part in parts) >= memory.coef.size

    def _settle(self, problem: Any, memory: Memory) -> None:
        """Learn the rows that wait."""
        if not memory.waiting:
            return
        rows, memory.pending, memory.waiting = join(memory.pending), (), 0
        if memory.track is None:
            self._open(problem, memory, rows)
        else:
            order = np.arange(len(rows), dtype=np.int32)
            self._go_on(problem, memory, Block(rows.X, rows.y).parts(memory.split), rows, order)

    def _go_on(self, problem: Any, memory: Memory, parts: Any, rows: Rows, order: np.ndarray) -> None:
        """Learn more rows of a stream."""
        self._walk(problem, memory, parts, rows, order, running=True, judging=True, caution=CAUTION)

    def _open(self, problem: Any, memory: Memory, rows: Rows) -> None:
        """Find columns, moments and constants by these rows, then learn them."""
        block, order = Block(rows.X, rows.y, rows.weight), np.arange(len(rows), dtype=np.int32)
        self._survey(problem, memory, block)
        self._walk(problem, memory, block.parts(memory.split), rows, order, judging=True, caution=CAUTION)

    def _survey(self, problem: Any, memory: Memory, feed: Feed) -> None:
        """Split the columns and find their moments by these rows; begin at the given weights, or at constants."""
        from ..kernels.implicit import moments

        coef, intercept, (K, d) = memory.coef, memory.intercept, memory.coef.shape
        memory.split = split = Split.of(feed)
        m, sample = split.n_dense, feed.targets
        if problem.fit_intercept and memory.blank:
            intercept = feed.constants(problem.loss, K)
        outputs = at.zeros(at.N_LINES, K)
        self._bend(problem, sample.take(slice(None, None, max(1, len(sample) // 1000))), intercept, outputs)
        records = at.zeros(d if m < d else 0, at.HEAD + 2 * K)
        track = at.Track(
            at.zeros(m), at.zeros(m), at.zeros(m), at.zeros(2, K, m), records, outputs, at.zeros(at.N_SUMS)
        )
        ridge = self._rule(problem, memory).ridge
        for block in feed.blocks():
            moments(ridge, problem.fit_intercept, *block.parts(split), block.places, as_weights(block.weight), track)
        inner = split.inwards(coef)
        track.weights[:] = inner[:, :m]
        for k in range(K if m < d else 0):
            records[:, at.HEAD + 2 * k] = inner[k]
        outputs[at.FLAT] = outputs[at.MEAN_FLAT] = intercept
        outputs[at.BIAS] = outputs[at.MEAN_BIAS] = intercept + inner[:, :m] @ track.mean
        memory.track = track

    @staticmethod
    def _bend(problem: Any, rows: Rows, constant: np.ndarray, outputs: np.ndarray) -> None:
        """The curvature of each output at a constant score, with what it is found from."""
        loss = problem.loss
        known = np.isfinite(loss.max_curvature)
        outputs[at.BEND] = loss.max_curvature if known else 1.0
        if loss.joint or loss.quadratic or (known and loss.link != "identity"):
            return
        for k, p in enumerate(constant):
            margins = Margins(loss, rows.y[:, k : k + 1], rows.weight, 1)
            totals, slopes, bends = margins.derivatives(np.full((len(rows), 1), p), 0.0)
            if loss.link != "identity":
                outputs[at.SLOPE, k] = outputs[at.BEND, k] = max(bends.sum() / margins.mass, 1e-100)
                continue
            value, slope = totals[0] / margins.mass, (slopes[:, 0] ** 2 / margins.weight).sum() / margins.mass
            outputs[at.LOSS, k], outputs[at.SLOPE, k] = value, slope
            if value > 0 and slope > 0:
                outputs[at.BEND, k] = min(loss.max_curvature, 0.5 * slope / value)

    @staticmethod
    def _rule(problem: Any, memory: Memory, caution: float = 0.0) -> Any:
        pen, split = problem.penalty, memory.split
        alpha = np.asarray(problem.alpha, dtype=np.float64)
        ridge = np.array([pen.value(2.0, a) - 2.0 * pen.value(1.0, a) for a in np.ravel(alpha).tolist()])
        return at.Rule(
            loss=problem.loss,
            pen=pen,
            alpha=split.inwards(alpha) if alpha.ndim else float(alpha),
            ridge=split.inwards(ridge) if alpha.ndim else float(ridge[0]),
            bounds=None if problem.bounds is None else np.ascontiguousarray(split.inwards(problem.bounds)),
            intercept=problem.fit_intercept,
            explicit=is_explicit(problem.loss),
            pace=PACE if split.n_dense == split.n_features else SPARSE_PACE,
            power=POWER,
            caution=caution,
        )

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
        ours: bool = False,
    ) -> None:
        """Learn rows in this order; the track is `ours` if nobody else has its arrays."""
        from ..kernels.dense import Work
        from ..kernels.implicit import walk

        if not ours:
            memory.track = at.Track(*(at.spaced(values) for values in memory.track))
        track, rule = memory.track, self._rule(problem, memory, caution)
        work = Work(np.ascontiguousarray(rows.y), order, as_weights(rows.weight))
        done = walk(rule, *parts, work, 0, len(order), running, judging, track)
        memory.finite = memory.finite and done == len(order) and all(np.isfinite(values).all() for values in track)
        memory.steps += len(order)

    def _average(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The averaged weights (K, d), the intercepts (K,) of columns less `centre`, and that (d,)."""
        weights, records = self._now(problem, memory)
        averaged, split = memory.track.sums[at.AVERAGED], memory.split
        coef = np.hstack([weights[1], records[1] / max(0.5 * averaged * (averaged + 1.0), 1.0)])
        if problem.penalty.sparse:
            coef[np.hstack([weights[0], records[0]]) == 0] = 0.0
        return split.outwards(coef), memory.track.outputs[at.MEAN_BIAS], self._centre(memory)

    def _iterate(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same of the last iterate."""
        weights, records = self._now(problem, memory)
        coef = memory.split.outwards(np.hstack([weights[0], records[0]]))
        return coef, memory.track.outputs[at.BIAS], self._centre(memory)

    def _now(self, problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray]:
        """Weights and averages of the dense columns, (2, K, m), and of the others, these as sums, (2, K, d - m)."""
        from ..kernels.implicit import settle

        (_, K, m), track = memory.track.weights.shape, memory.track
        if m == memory.split.n_features:
            return track.weights, np.empty((2, K, 0))
        records = track.records.copy()
        settle(self._rule(problem, memory)._replace(loss=None), m, track._replace(records=records))
        return track.weights, records[m:, at.HEAD :].reshape(-1, K, 2).transpose(2, 1, 0)

    @staticmethod
    def _centre(memory: Memory) -> np.ndarray:
        """What is taken off every column."""
        centre = np.zeros(memory.split.n_features)
        centre[: memory.split.n_dense] = memory.track.mean
        return memory.split.outwards(centre)

    # ---- passes over the same rows -----------------------------------------------------------------------------------

    def improve(
        self, problem: Any, memory: Memory, feed: Any, order: Callable[[], Any], enough: Callable[[], bool]
    ) -> None:
        require_lazy(problem, feed.sparse)
        mark = (*feed.mark, problem.penalty, np.asarray(problem.alpha).tobytes())
        if memory.mark != mark:
            self._set_out(problem, memory, feed)
        memory.mark = mark
        if memory.track is None or memory.track.sums[at.COUNT] != len(feed):
            self._survey(problem, memory, feed)
        elif memory.ahead:
            self._restart(problem, memory)
        ours = False
        for block, places, _ in feed.visits(order()):
            rows = Rows(block.X, block.y, block.weight)
            self._walk(problem, memory, block.parts(memory.split), rows, block.places[places], ours=ours)
            ours = True
        self._choose(problem, memory, feed)

    def _set_out(self, problem: Any, memory: Memory, feed: Feed) -> None:
        """The best weights so far, on rows that are new: those at hand, or constants."""
        coef, intercept = self.weights(problem, memory, np.float64)
        if memory.track is not None and memory.track.sums[at.COUNT] != len(feed):
            memory.coef, memory.intercept, memory.track = coef, intercept, None
        still, flat = nothing(problem, memory.coef), 0.0 * intercept
        if problem.fit_intercept:
            flat = feed.constants(problem.loss, len(flat))
        lowest = problem.objective(feed, still, flat)
        memory.pending, memory.waiting = (), 0
        memory.best, memory.objective = (still, flat, 0.0 * still[0]), lowest
        if coef.any() or intercept.any():
            objective = problem.objective(feed, coef, intercept)
            if objective < lowest:
                memory.best, memory.objective = (coef, intercept, 0.0 * still[0]), objective
        memory.curve = (memory.objective,)

    def _choose(self, problem: Any, memory: Memory, feed: Feed) -> None:
        """Keep the best weights, and estimate how far they are from the minimum."""
        if not memory.finite:
            memory.objective = np.nan
            return
        found = self._average(problem, memory), self._iterate(problem, memory)
        average, iterate = (problem.objective(feed, *outwards(*each, np.float64)) for each in found)
        memory.ahead = iterate < average
        for each, objective in zip(found, (average, iterate), strict=True):
            if objective < memory.objective or (is_explicit(problem.loss) and each is found[0]):
                memory.best, memory.objective = each, objective
        memory.curve = (*memory.curve, average)
        recent = memory.curve[(len(memory.curve) - 1) // 2 :]
        memory.excess = LEFT * (max(recent) - memory.objective)
        memory.stuck = len(recent) > 8 and memory.excess <= 1e-13 * abs(memory.objective)

    def _restart(self, problem: Any, memory: Memory) -> None:
        """Begin the average anew."""
        from ..kernels.implicit import settle

        memory.track = track = at.Track(*(at.spaced(values) for values in memory.track))
        if memory.split.n_dense < memory.split.n_features:
            settle(self._rule(problem, memory)._replace(loss=None), memory.split.n_dense, track)
        track.sums[at.AVERAGED] = 0.0
        track.records[:, at.BEFORE] = 0.0
        track.records[:, at.HEAD + 1 :: 2] = 0.0


def outwards(coef: np.ndarray, intercept: np.ndarray, centre: np.ndarray, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Coef (K, d) in this type, and the intercepts that suit the rounded coef."""
    largest = np.finfo(dtype).max
    coef = np.ascontiguousarray(np.clip(coef, -largest, largest).astype(dtype))
    return coef, intercept - coef.astype(np.float64) @ centre


def nothing(problem: Any, coef: np.ndarray) -> np.ndarray:
    """Weights of 0, or those nearest to it within the bounds."""
    still = np.zeros(coef.shape)
    return still if problem.bounds is None else np.clip(still, *problem.bounds)


def require_lazy(problem: Any, sparse: bool) -> None:
    """Refuse sparse rows where weights that a row does not touch would have to be visited."""
    pen, bounds = problem.penalty, problem.bounds
    if not sparse:
        return
    if bounds is not None and not ((bounds[0] <= 0).all() and (bounds[1] >= 0).all()):
        raise ValueError(
            "ImplicitSGD() cannot solve this problem: on sparse X, bounds must contain 0. Pass X.toarray() or use "
            "optimizer='sgd'."
        )
    if not pen.free and type(pen).drift is Penalty.drift:
        raise ValueError(
            f"ImplicitSGD() cannot solve this problem: penalty={pen!r} does not define drift(w, move, time, alpha), "
            "which sparse X needs. Pass X.toarray() or use optimizer='sgd'."
        )


def is_explicit(loss: Any) -> bool:
    """Whether scores of 0 cost nothing, as with the perceptron: steps that look ahead would never start."""
    return loss.coding == "sign" and loss.value(0.0, 1.0) == loss.value(0.0, -1.0) == 0.0
