"""The track of implicit SGD: where it begins, how it goes on over rows, where it stands; see `sksgd.track`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import track as at
from .arrays import as_weights
from .descent import Margins
from .feed import Feed
from .implicit_memory import Memory
from .rows import Rows
from .split import Split

#: Steps begin to fall after so many times the mean squared length of a row; with sparse columns.
PACE, SPARSE_PACE, POWER = 10.0, 5.0, 2 / 3
#: In a stream, the squared values that a sparse column is thought to have had beside those that it had.
CAUTION = 30.0


def survey(problem: Any, memory: Memory, feed: Feed) -> None:
    """Split the columns and find their moments by these rows; begin at the given weights, or at constants."""
    from ..kernels.implicit import moments

    coef, intercept, (K, d) = memory.coef, memory.intercept, memory.coef.shape
    memory.split = split = Split.of(feed)
    m = split.n_dense
    if problem.fit_intercept and memory.blank:
        intercept = feed.constants(problem.loss, K)
    outputs = at.zeros(at.N_LINES, K)
    _bend(problem, feed.some_targets(1000), intercept, outputs)
    records = at.zeros(d if m < d else 0, at.HEAD + 2 * K)
    track = at.Track(at.zeros(m), at.zeros(m), at.zeros(m), at.zeros(2, K, m), records, outputs, at.zeros(at.N_SUMS))
    ridge = _rule(problem, memory).ridge
    for block in feed.blocks():
        moments(ridge, problem.fit_intercept, *block.parts(split), block.places, as_weights(block.weight), track)
    inner = split.inwards(coef)
    track.weights[:] = inner[:, :m]
    for k in range(K if m < d else 0):
        records[:, at.HEAD + 2 * k] = inner[k]
    outputs[at.FLAT] = outputs[at.MEAN_FLAT] = intercept
    outputs[at.BIAS] = outputs[at.MEAN_BIAS] = intercept + inner[:, :m] @ track.mean
    memory.track = track


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


def walk(
    problem: Any,
    memory: Memory,
    parts: Any,
    rows: Rows,
    order: np.ndarray,
    running: bool = False,
    streaming: bool = False,
    ours: bool = False,
) -> None:
    """Learn rows in this order.

    `running`: whether they enter the moments; `streaming`: whether they are met for the first time, so that losses on
    them are noted before; `ours`: whether nobody else has the arrays of the track.
    """
    from ..kernels import implicit as kernels
    from ..kernels.dense import Work

    if not ours:
        memory.track = at.spaced(memory.track)
    track, rule = memory.track, _rule(problem, memory, CAUTION if streaming else 0.0)
    work = Work(np.ascontiguousarray(rows.y), order, as_weights(rows.weight))
    done = kernels.walk(rule, *parts, work, 0, len(order), running, streaming, track)
    memory.finite = memory.finite and done == len(order) and all(np.isfinite(values).all() for values in track)
    memory.steps += len(order)


def averaged_weights(problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The averaged weights (K, d), the intercepts (K,) of columns less `centre`, and that (d,)."""
    weights, records = _now(problem, memory)
    averaged, split = memory.track.sums[at.AVERAGED], memory.split
    coef = np.hstack([weights[1], records[1] / max(0.5 * averaged * (averaged + 1.0), 1.0)])
    if problem.penalty.sparse:
        coef[np.hstack([weights[0], records[0]]) == 0] = 0.0
    return split.outwards(coef), memory.track.outputs[at.MEAN_BIAS], _centre(memory)


def last_weights(problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of the last iterate."""
    weights, records = _now(problem, memory)
    coef = memory.split.outwards(np.hstack([weights[0], records[0]]))
    return coef, memory.track.outputs[at.BIAS], _centre(memory)


def _now(problem: Any, memory: Memory) -> tuple[np.ndarray, np.ndarray]:
    """Weights and averages of the dense columns, (2, K, m), and of the others, these as sums, (2, K, d - m)."""
    (_, K, m), track = memory.track.weights.shape, memory.track
    if m == memory.split.n_features:
        return track.weights, np.empty((2, K, 0))
    records = track.records.copy()
    _settle(problem, memory, track._replace(records=records))
    return track.weights, records[m:, at.HEAD :].reshape(-1, K, 2).transpose(2, 1, 0)


def _settle(problem: Any, memory: Memory, track: at.Track) -> None:
    """Bring the records of a track up to date."""
    from ..kernels.implicit_records import settle

    settle(_rule(problem, memory)._replace(loss=None), memory.split.n_dense, track)


def _centre(memory: Memory) -> np.ndarray:
    """What is taken off every column."""
    centre = np.zeros(memory.split.n_features)
    centre[: memory.split.n_dense] = memory.track.mean
    return memory.split.outwards(centre)


def restart(problem: Any, memory: Memory) -> None:
    """Begin the average anew."""
    memory.track = track = at.spaced(memory.track)
    if memory.split.n_dense < memory.split.n_features:
        _settle(problem, memory, track)
    track.sums[at.AVERAGED] = 0.0
    track.records[:, at.BEFORE] = 0.0
    track.records[:, at.HEAD + 1 :: 2] = 0.0


def is_explicit(loss: Any) -> bool:
    """Whether scores of 0 cost nothing, as with the perceptron: steps that look ahead would never start."""
    return loss.coding == "sign" and loss.value(0.0, 1.0) == loss.value(0.0, -1.0) == 0.0
