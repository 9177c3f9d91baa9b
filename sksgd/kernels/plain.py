"""Plain SGD with one output, row by row: an update visits the weights of its row's values and no others.

What a linear penalty does to all weights alike is one factor, the scale, and an average is kept as Bottou's two
vectors; `debt` explains both. So the inner loop is z += c x, and an update without a step costs no more than its
prediction. Dense and CSR rows differ in where a weight stands (`place`) and in how the next prediction is found
(`foresee`). State is `lines` beside dense rows and `records` beside CSR rows.

The table has one column per update, or one for all: the rate, the penalty's amount, rho if there is an average, and the
sum of what a penalty takes if it truncates.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload

from ..debt import KEEP, MASS, SCALE, SIZES, SQUARES, STARTED
from .foresight import REORDER, add, careful_dot, foresee, look_ahead, next_prediction, whole_dot
from .intrinsics import get, put
from .jit import helper, kernel
from .rows import kind_of, of_kind, place, span, value
from .update import item


class Rules(NamedTuple):
    """What is to be done.

    `alpha` is that of the penalty in the running objective. The scale is paid where it falls below `limit`; moves of
    the intercept are multiplied by `intercept`. A prediction that is not finite ends the call unless it is to
    `carry_on`.
    """

    alpha: float
    limit: float
    intercept: float
    carry_on: bool


@kernel
def plain_rows(
    loss, sample_step, pen, rules, rows, work, first, last, table, stride, state, bias, debt, averaged, tally
):
    """Update with each of the rows ``order[first:last]`` by itself.

    `averaged` and `tally` are None or 1: whether there is an average, and whether to add up the running objective.
    The components come one by one, because a call costs 5 microseconds so, and 14 with a tuple of them.

    Returns the position of the first prediction that was not finite, else `last`; the number of rows passed over; and
    the sum over rows of the loss, and of the penalty of the weights that the update before had visited.
    """
    alpha, limit, intercept, carry_on = rules
    y, order, weight = work
    w, lines, width, C = state.reshape(-1), table.reshape(-1), table.shape[1], len(bias)
    d, b, mean = len(w) // C, bias[0, 0], bias[C - 1, 0]
    scale, mass, keep, started = debt[SCALE], debt[MASS], debt[KEEP], debt[STARTED]
    squares, sizes, cost = debt[SQUARES], debt[SIZES], 0.0
    margins = np.empty((2, 0 if tally is None else last - first))
    passed, stop = 0, last
    start, n = span(rows, order[first])
    p = whole_dot(rows, w, C, start, n, order[first]) * scale + b
    for i in range(first, last):
        if not math.isfinite(p):
            # The product of two rows may overflow where that of a row and the weights does not.
            p = w.dtype.type(careful_dot(rows, w, C, d, start, n) * scale) + b
            stop = stop if math.isfinite(p) else min(stop, i)
            if stop < last and not carry_on:
                break
        target = get(y, order[i])
        if tally is not None:
            put(margins, i - first, p)
            put(margins, last - 2 * first + i, target)
            cost += pen.cost(squares * scale * scale, sizes * scale, alpha)
        now, n_now = start, n
        start, n = span(rows, order[min(i + 1, last - 1)])
        ahead = look_ahead(rows, y, w, C, order, i, last)
        square = norm(rows, now, n_now) if sample_step.needs_square else 0.0
        if sample_step.skips and square == 0.0:
            p, passed = whole_dot(rows, w, C, start, n, ahead) * scale + b, passed + 1
            continue
        at = stride * (i - first - passed)
        amount, rho = get(lines, width + at), get(lines, 2 * width + at) if averaged is not None else 0.0
        if averaged is not None and started == 0.0 and rho < 1.0:
            mass, keep, started = scale, 1.0, 1.0
        if pen.first:
            scale *= amount
        if scale < limit or keep < 1e-20:
            pay(rows, w, C, d, scale, mass, keep, started, averaged)
            squares, sizes = squares * scale * scale, sizes * scale
            scale, mass, keep = 1.0, 0.0, 1.0
        inverse, rest = 1.0 / scale, 1.0 if pen.first else amount
        foreseen = foresee(rows, pen, w, start, now, n_now)
        step = item(weight, i) * sample_step.update(loss, p, target, get(lines, at), square)
        c = w.dtype.type(step * inverse)
        if step != 0.0 or pen.truncates:
            taken = get(lines, len(lines) - width + at)
            seen = touch(rows, pen, w, now, n_now, c, w.dtype.type(-mass), scale, taken, averaged)
            if step != 0.0:
                squares, sizes = seen
        p = next_prediction(rows, pen, w, C, start, n, foreseen, ahead, scale * rest, rest, step, b, intercept)
        b = add(b, intercept * step)
        scale *= rest
        if averaged is not None:
            mean += rho * (b - mean)
            if rho < 1.0:
                keep *= 1.0 - rho
                mass += rho * scale / keep
            elif started == 1.0:
                forget(rows, w, C, d)
                mass, keep, started = 0.0, 1.0, 0.0
    bias[0, 0] = b
    if averaged is not None:
        bias[C - 1, 0] = mean
    debt[SCALE], debt[MASS], debt[KEEP], debt[STARTED] = scale, mass, keep, started
    # A sum that nobody reads is not computed.
    if pen.counts_squares:
        debt[SQUARES] = squares
    if pen.counts_sizes:
        debt[SIZES] = sizes
    if tally is not None:
        cost += sum_losses(loss, margins)
    return stop, passed, cost


def touch(
    rows: Any, pen: Any, w: Any, start: int, n: int, c: float, mass: float, scale: float, taken: float, averaged: Any
) -> tuple[float, float]:
    """Add c times the row to the weights; return the sums of their squares and sizes before a penalty truncates them.

    What is truncated does not enter the average entries, so that the average follows it in full: scikit-learn's way.
    """
    kind = of_kind(type(rows), _touch_dense, _touch_csr)
    return kind(rows, pen, w, start, n, c, mass, scale, taken, averaged)


@njit(**REORDER)
def _touch_dense(rows, pen, w, start, n, c, mass, scale, taken, averaged):
    C, d = count(pen, averaged), rows.X.shape[1]
    inverse, squares, sizes = 1.0 / scale, w.dtype.type(0), w.dtype.type(0)
    for j in range(n):
        z = touch_one(pen, w, j, d, C, c * get(rows.X, start + j), mass, scale, inverse, taken, averaged)
        squares += z * z
        sizes += abs(z)
    return squares, sizes


@njit(**REORDER)
def _touch_csr(rows, pen, w, start, n, c, mass, scale, taken, averaged):
    C, inverse = count(pen, averaged), 1.0 / scale
    s0 = s1 = t0 = t1 = w.dtype.type(0)
    # Two sums each: additions wait for each other.
    for q in range(start, start + n // 2 * 2, 2):
        i, j = np.int64(get(rows.indices, q)) * C, np.int64(get(rows.indices, q + 1)) * C
        z = touch_one(pen, w, i, 1, C, c * get(rows.data, q), mass, scale, inverse, taken, averaged)
        s0 += z * z
        t0 += abs(z)
        z = touch_one(pen, w, j, 1, C, c * get(rows.data, q + 1), mass, scale, inverse, taken, averaged)
        s1 += z * z
        t1 += abs(z)
    if n % 2:
        q = start + n - 1
        i = np.int64(get(rows.indices, q)) * C
        z = touch_one(pen, w, i, 1, C, c * get(rows.data, q), mass, scale, inverse, taken, averaged)
        s0 += z * z
        t0 += abs(z)
    return s0 + s1, t0 + t1


@helper
def touch_one(pen, w, at, stride, C, move, mass, scale, inverse, taken, averaged):
    """Move the weight at `at`, whose other numbers follow at distance `stride`; return it, not yet truncated."""
    z = get(w, at) + move
    if averaged is not None:
        mean = at + (C - 1) * stride
        put(w, mean, get(w, mean) + mass * move)
    if pen.truncates:
        paid = get(w, at + stride)
        cut = w.dtype.type(pen.truncate(z * scale, paid, taken) * inverse)
        put(w, at + stride, paid + scale * (cut - z))
        put(w, at, cut)
    else:
        put(w, at, z)
    return z


@helper
def count(pen, averaged):
    """How many numbers a weight has."""
    return 1 + (1 if pen.truncates else 0) + (0 if averaged is None else 1)


@overload(touch, strict=False)
def _(rows: Any, pen: Any, w: Any, start: Any, n: Any, c: Any, mass: Any, scale: Any, taken: Any, averaged: Any) -> Any:
    kind = of_kind(kind_of(rows), _touch_dense, _touch_csr)
    return lambda rows, pen, w, start, n, c, mass, scale, taken, averaged: kind(
        rows, pen, w, start, n, c, mass, scale, taken, averaged
    )


@helper
def pay(rows, w, C, d, scale, mass, keep, started, averaged):
    """Multiply the scale out, and make average entries the average."""
    for j in range(d):
        at = place(rows, j, 0, d, C)
        if averaged is not None and started > 0.0:
            mean = place(rows, j, C - 1, d, C)
            put(w, mean, keep * (mass * get(w, at) + get(w, mean)))
        put(w, at, get(w, at) * scale)


@helper
def forget(rows, w, C, d):
    """Clear the average entries."""
    for j in range(d):
        put(w, place(rows, j, C - 1, d, C), 0.0)


@njit(**REORDER)
def norm(rows, start, n):
    """The squared norm of a row."""
    total = 0.0
    for q in range(start, start + n):
        total += value(rows, q) * value(rows, q)
    return total


@njit(**REORDER)
def sum_losses(loss, margins):
    """The sum of the losses of predictions, the first row, for targets, the second; predictions are overwritten."""
    n = margins.shape[1]
    for i in range(n):
        put(margins, i, loss.value(get(margins, i), get(margins, n + i)))
    total = 0.0
    for i in range(n):
        total += get(margins, i)
    return total
