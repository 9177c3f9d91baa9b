"""The inner loop of SVRG: steps on single rows whose gradients are corrected by those at a snapshot.

With the row's move done, a step ends with what is the same in every step: the mean gradient at the snapshot moves each
weight by its drag, and the penalty takes its proximal step. Dense columns do so at once. Sparse columns owe it while no
row touches them, and pay many of these steps as one; see `idle`.

Where there is no Penalty (None), it is L2 and stands in two numbers per weight: a step multiplies by 1 - e, then
subtracts the drag.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from ..base import Penalty
from ..functions import exp
from .intrinsics import borrowed, get, put
from .jit import helper, kernel, overload, reordered
from .rows import AHEAD, CLOSE, LONG, dense_ahead, dense_soon, records_ahead, span, visited
from .update import clip, gradient_of, item, log_sum_exp, target_of

#: Beside weights, their sums and drags for every output, a record has: the clock, the step, e or alpha, log(1 - e).
EXTRA = 4


class Work(NamedTuple):
    """Targets, the order of the rows; gradients (n, K) of the loss at the snapshot, and what multiplies a row's."""

    y: np.ndarray
    order: np.ndarray
    slopes: np.ndarray
    factor: np.ndarray


class Columns(NamedTuple):
    """Dense columns (n, m), their means and steps, and e or alpha; weights, sums of weights and drags (K, m)."""

    X: np.ndarray
    mean: np.ndarray
    step: np.ndarray
    keep: np.ndarray
    w: np.ndarray
    total: np.ndarray
    drag: np.ndarray


@kernel
def inner_loop(loss, pen, work, columns, rows, records, bias, step, bounds):
    """One step for every row of the order; `rows` are the sparse columns, or None, with a record for every column.

    Those of the dense columns, which come first, are not used.

    `bias` has three lines of K numbers: intercepts of the centred rows, their sums, their drags. The step of the
    intercepts is `step`. All sums are over the weights after each step.
    """
    y, order, slopes, factor = borrowed(work)
    columns = borrowed(columns)
    K, n = slopes.shape[1], len(order)
    z, d = records.reshape(-1), columns.X.shape[1]
    size = records.shape[1]
    scores, moves = np.empty(K), np.empty(K)
    for i in range(n):
        r = visited(order, i)
        if d > 0:
            dense_ahead(columns.X, visited(order, min(i + AHEAD, n - 1)), 0, min(d, LONG))
            if d <= LONG:
                dense_soon(columns.X, visited(order, min(i + CLOSE, n - 1)))
        for k in range(K):
            scores[k] = bias[0, k] + centred_dot(columns, r, k)
        if rows is not None:
            records_ahead(rows, y, z, size, order, i, n)
            add_sparse(pen, rows, r, z, size, i, scores, bounds)
        norm = log_sum_exp(loss, scores, 0, K)
        for k in range(K):
            slope = gradient_of(loss, scores[k], target_of(loss, y, r, k), k, norm)
            moves[k] = (slope - get(slopes, r * K + k)) * get(factor, r)
            move_dense(pen, columns, r, k, moves[k], bounds)
            bias[0, k] -= step * moves[k] + bias[2, k]
            bias[1, k] += bias[0, k]
        if rows is not None:
            move_sparse(rows, r, z, size, moves)
    if rows is not None:
        for j in range(d, len(records)):
            catch_up(pen, z, j * size, K, n, bounds, j)


@kernel
def decrement(pen, w, slope, bend, alpha, bounds):
    """By how much weights (K, d) would lower slope, half the bend times the square of the step, and the penalty.

    The weights in themselves, each to its minimum.
    """
    gain = 0.0
    for k in range(w.shape[0]):
        for j in range(w.shape[1]):
            h, g, now = bend[k, j], slope[k, j], w[k, j]
            if h > 0.0:
                a = item(alpha, j)
                then = clip(pen.prox(now - g / h, 1.0 / h, a), bounds, j)
                gain -= (g + 0.5 * h * (then - now)) * (then - now) + pen.value(then, a) - pen.value(now, a)
    return gain


@kernel
def pulls(pen, w, alpha):
    """The derivative of the penalty at weights (K, d), 0 where they are 0; exact where it is quadratic nearby."""
    result = np.zeros(w.shape)
    for k in range(w.shape[0]):
        for j in range(w.shape[1]):
            if w[k, j] != 0.0:
                high, low = 1.0625 * w[k, j], 0.9375 * w[k, j]
                a = item(alpha, j)
                result[k, j] = (pen.value(high, a) - pen.value(low, a)) / (high - low)
    return result


# ---- dense columns ---------------------------------------------------------------------------------------------------


@reordered
def centred_dot(columns, r, k):
    """Row r, centred, times the weights of output k."""
    d = columns.X.shape[1]
    p = 0.0
    for j in range(d):
        p += (get(columns.X, r * d + j) - get(columns.mean, j)) * get(columns.w, k * d + j)
    return p


@helper
def move_dense(pen, columns, r, k, move, bounds):
    """A step of all weights of output k."""
    X, mean, step, keep, w, total, drag = columns
    d = X.shape[1]
    for j in range(d):
        now = get(w, k * d + j) - move * get(step, j) * (get(X, r * d + j) - get(mean, j))
        now = rest(pen, now, get(drag, k * d + j), get(step, j), get(keep, j), bounds, j)
        put(w, k * d + j, now)
        put(total, k * d + j, get(total, k * d + j) + now)


# ---- sparse columns --------------------------------------------------------------------------------------------------


@helper
def add_sparse(pen, rows, r, z, size, i, scores, bounds):
    """Bring the weights of a row to step i, and add their products with the row to the scores."""
    start, length = span(rows, r)
    K = len(scores)
    for q in range(start, start + length):
        j = np.int64(get(rows.indices, q))
        catch_up(pen, z, j * size, K, i, bounds, j)
        for k in range(K):
            scores[k] += get(rows.data, q) * get(z, j * size + k)


@helper
def move_sparse(rows, r, z, size, moves):
    """What the row itself moves its weights."""
    start, length = span(rows, r)
    K = len(moves)
    for q in range(start, start + length):
        at = np.int64(get(rows.indices, q)) * size
        along = get(rows.data, q) * get(z, at + 3 * K + 1)
        for k in range(K):
            put(z, at + k, get(z, at + k) - moves[k] * along)


@helper
def catch_up(pen, z, at, K, clock, bounds, j):
    """Bring a record to this clock."""
    k = clock - get(z, at + 3 * K)
    if k > 0.0:
        step, keep, log = get(z, at + 3 * K + 1), get(z, at + 3 * K + 2), get(z, at + 3 * K + 3)
        for m in range(at, at + K):
            w, total = idle(pen, get(z, m), k, get(z, m + 2 * K), step, keep, log, bounds, j)
            put(z, m, w)
            put(z, m + K, get(z, m + K) + total)
        put(z, at + 3 * K, float(clock))


# ---- the rest of a step ----------------------------------------------------------------------------------------------


def rest(pen: Any, w: float, drag: float, step: float, keep: float, bounds: Any, j: int) -> float:
    """The weight after the drag and the penalty."""
    return (_scale if pen is None else _prox)(pen, w, drag, step, keep, bounds, j)


def _scale(pen, w, drag, step, keep, bounds, j):
    return w - (keep * w + drag)


def _prox(pen, w, drag, step, keep, bounds, j):
    return clip(pen.prox(w - drag, step, keep), bounds, j)


@overload(rest)
def _(pen: Any, w: Any, drag: Any, step: Any, keep: Any, bounds: Any, j: Any) -> Any:
    return _scale if isinstance(pen, types.NoneType) else _prox


def idle(pen: Any, w: float, k: float, drag: float, step: float, keep: float, log: float, bounds: Any, j: int) -> Any:
    """The weight after k such ends of steps, and the sum of what it was after each: 0 if there is a Penalty.

    By `Penalty.drift`, whose resting point is the same, where there is one; else by as many steps, until the weight
    rests.
    """
    return _variant(pen)(pen, w, k, drag, step, keep, log, bounds, j)


def _variant(pen: Any) -> Any:
    if pen is None:
        return _scale_all
    return _repeat if type(pen).drift is Penalty.drift else _drift


def _scale_all(pen, w, k, drag, step, keep, log, bounds, j):
    # With a = 1 - e: first = 1 + a + ... + a^(k-1), second = k + (k-1) a + ... + a^(k-1).
    if k * keep < 0.01:
        c2 = 0.5 * k * (k - 1.0)
        c3 = c2 * (k - 2.0) / 3.0
        c4 = c3 * (k - 3.0) / 4.0
        c5 = c4 * (k - 4.0) / 5.0
        first = k - keep * (c2 - keep * (c3 - keep * c4))
        second = (k + c2) - keep * ((c2 + c3) - keep * ((c3 + c4) - keep * (c4 + c5)))
    else:
        first = (1.0 - exp(k * log)) / keep
        second = (k - (1.0 - keep) * first) / keep
    return w - (keep * w + drag) * first, (1.0 - keep) * first * w - drag * second


def _drift(pen, w, k, drag, step, keep, log, bounds, j):
    return clip(pen.drift(w, -k * drag, k * step, keep), bounds, j), 0.0


def _repeat(pen, w, k, drag, step, keep, log, bounds, j):
    for _ in range(int(k)):
        before = w
        w = clip(pen.prox(w - drag, step, keep), bounds, j)
        if w == before:
            break
    return w, 0.0


@overload(idle)
def _(pen: Any, w: Any, k: Any, drag: Any, step: Any, keep: Any, log: Any, bounds: Any, j: Any) -> Any:
    if isinstance(pen, types.NoneType):
        return _scale_all
    return _repeat if pen.cls.drift is Penalty.drift else _drift
