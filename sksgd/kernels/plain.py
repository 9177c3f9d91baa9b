"""Plain SGD with one output, row by row: an update visits the weights of its row's values and no others.

What a linear penalty does to all weights alike is one factor, the scale, and an average is kept as Bottou's two
vectors; `debt` explains both. So the inner loop is z += c x, and on CSR rows an update without a step costs no more
than its prediction. Dense and CSR rows differ in where a weight stands (`place`) and in how far ahead predictions are
found (`foresees`). State is `lines` beside dense rows and `records` beside CSR rows.

The table has one column per update, or one for all: the rate, the penalty's amount, rho if there is an average, and the
sum of what a penalty takes if it truncates.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..debt import KEEP, MASS, SCALE, SIZES, SQUARES, STARTED
from .foresight import add, careful_dot, foresees, glance, look_ahead
from .intrinsics import borrowed, flat, get, put
from .jit import REORDER, helper, kernel, overload, reordered
from .rows import LONG, csr_dot, dense_ahead, kind_of, of_kind, place, span, value
from .update import item

# Predictions whose losses are computed together, so that the exponentials in them vectorise.
MARGINS = 256


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
    The components come one by one, because a call costs 5 microseconds so, and 14 with a tuple of them. Returns the
    position of the first prediction that was not finite, else `last`; the number of rows passed over; and the sum over
    rows of the loss, and of the penalty of the weights that the update before had visited.
    """
    alpha, limit, intercept, carry_on = rules
    rows, work = borrowed(rows), borrowed(work)
    w, lines = flat(state), flat(table)
    (y, order, weight), width, C = work, table.shape[1], len(bias)
    d, b, mean = len(w) // C, bias[0, 0], bias[C - 1, 0]
    scale, mass, keep, started = debt[SCALE], debt[MASS], debt[KEEP], debt[STARTED]
    squares, sizes, cost = debt[SQUARES], debt[SIZES], 0.0
    margins, waiting = np.empty((2, MARGINS)), 0
    passed, stop, end, reach = 0, last, last - 1, 2 if foresees(rows, pen) else 1
    now, coming = span(rows, get(order, first)), span(rows, get(order, min(first + 1, end)))
    p = glance(rows, w, C, now, now)[0] * scale + b
    product, gram = glance(rows, w, C, coming, now)
    for i in range(first, last):
        if not math.isfinite(p):
            # The product of two rows may overflow where that of a row and the weights does not.
            p = w.dtype.type(careful_dot(rows, w, C, d, now) * scale) + b
            stop = stop if math.isfinite(p) else min(stop, i)
            if stop < last and not carry_on:
                break
        target = get(y, get(order, i))
        if tally is not None:
            waiting, lost = note(loss, margins, waiting, p, target)
            cost += lost + pen.cost(squares * scale * scale, sizes * scale, alpha)
        ahead = look_ahead(rows, y, w, C, order, i, last)
        later = span(rows, get(order, min(i + reach, end)))
        square = norm(rows, now) if sample_step.needs_square else 0.0
        if sample_step.skips and square == 0.0:
            fresh = glance(rows, w, C, later, coming)
            p, passed = (product if reach == 2 else fresh[0]) * scale + b, passed + 1
            product, gram = fresh
            now, coming = coming if reach == 2 else later, later
            continue
        at = stride * (i - first - passed)
        amount, rho = get(lines, width + at), get(lines, 2 * width + at) if averaged is not None else 0.0
        if averaged is not None and started == 0.0 and rho < 1.0:
            mass, keep, started = scale, 1.0, 1.0
        if pen.first:
            scale *= amount
        if scale < limit or (averaged is not None and keep < 1e-20):
            pay(rows, w, C, d, scale, mass, keep, started, averaged)
            squares, sizes, product = squares * scale * scale, sizes * scale, product * scale
            scale, mass, keep = 1.0, 0.0, 1.0
        rest = 1.0 if pen.first else amount
        step = item(weight, i) * sample_step.update(loss, p, target, get(lines, at), square)
        if reach == 2:
            p = (product * (scale * rest) + b) + step * (gram * rest + intercept)
        c, taken = w.dtype.type(step * (1.0 / scale)), get(lines, len(lines) - width + at)
        found = touch(rows, pen, w, C, now, coming, later, ahead, c, w.dtype.type(-mass), scale, taken, averaged)
        product, gram = found[0], found[1]
        if step != 0.0:
            squares, sizes = found[2], found[3]
        b, scale = add(b, intercept * step), scale * rest
        if reach == 1:
            p = product * scale + b
        if averaged is not None:
            mean += rho * (b - mean)
            mass, keep, started = go_on(rows, w, C, d, rho, scale, mass, keep, started)
        now, coming = coming if reach == 2 else later, later
    bias[0, 0] = b
    if averaged is not None:
        bias[C - 1, 0] = mean
    debt[SCALE], debt[MASS], debt[KEEP], debt[STARTED] = scale, mass, keep, started
    # A sum that nobody reads is not computed.
    if pen.counts_squares:
        debt[SQUARES] = squares
    if pen.counts_sizes:
        debt[SIZES] = sizes
    return stop, passed, cost + (sum_losses(loss, margins, waiting) if tally is not None else 0.0)


def touch(
    rows: Any,
    pen: Any,
    w: Any,
    C: int,
    now: Any,
    coming: Any,
    later: Any,
    ahead: int,
    c: float,
    mass: float,
    scale: float,
    taken: float,
    averaged: Any,
) -> tuple[float, float, float, float]:
    """Add c times the row `now` to the weights.

    Returns the product of the row `later` with them; that with the row before, `coming`, if the kernel foresees; and
    the sums of squares and sizes of the weights before a penalty truncates them. What is truncated does not enter the
    average entries, so that the average follows it in full: scikit-learn's way.
    """
    kind = of_kind(type(rows), _touch_dense, _touch_csr)
    return kind(rows, pen, w, C, now, coming, later, ahead, c, mass, scale, taken, averaged)


def _touch_dense(rows, pen, w, C, now, coming, later, ahead, c, mass, scale, taken, averaged):
    d = rows.X.shape[1]
    if d <= LONG:
        return touch_columns(rows, pen, w, C, now, coming, later, 0, d, c, mass, scale, taken, averaged)
    p = g = 0.0
    squares, sizes = w.dtype.type(0), w.dtype.type(0)
    for low in range(0, d, LONG):
        high = min(low + LONG, d)
        dense_ahead(rows.X, ahead, low, high)
        more = touch_columns(rows, pen, w, C, now, coming, later, low, high, c, mass, scale, taken, averaged)
        p, g = p + more[0], g + more[1]
        squares, sizes = squares + more[2], sizes + more[3]
    return p, g, squares, sizes


@reordered
def touch_columns(rows, pen, w, C, now, coming, later, low, high, c, mass, scale, taken, averaged):
    X, d = rows.X, rows.X.shape[1]
    inverse, squares, sizes = 1.0 / scale, w.dtype.type(0), w.dtype.type(0)
    p = g = 0.0
    for j in range(low, high):
        z, kept = touch_one(pen, w, j, d, C, c * get(X, now[0] + j), mass, scale, inverse, taken, averaged)
        x = get(X, later[0] + j)
        p += x * kept
        if foresees(rows, pen):
            g += x * get(X, coming[0] + j)
        squares += z * z
        sizes += abs(z)
    return p, g, squares, sizes


def _touch_csr(rows, pen, w, C, now, coming, later, ahead, c, mass, scale, taken, averaged):
    inverse = 1.0 / scale
    s0 = s1 = t0 = t1 = w.dtype.type(0)
    if c != 0.0 or pen.truncates:
        start, n = now
        # Two sums each: additions wait for each other.
        for q in range(start, start + n // 2 * 2, 2):
            i, j = np.int64(get(rows.indices, q)) * C, np.int64(get(rows.indices, q + 1)) * C
            z, _ = touch_one(pen, w, i, 1, C, c * get(rows.data, q), mass, scale, inverse, taken, averaged)
            s0 += z * z
            t0 += abs(z)
            z, _ = touch_one(pen, w, j, 1, C, c * get(rows.data, q + 1), mass, scale, inverse, taken, averaged)
            s1 += z * z
            t1 += abs(z)
        if n % 2:
            q = start + n - 1
            i = np.int64(get(rows.indices, q)) * C
            z, _ = touch_one(pen, w, i, 1, C, c * get(rows.data, q), mass, scale, inverse, taken, averaged)
            s0 += z * z
            t0 += abs(z)
    return csr_dot(rows, later[0], later[1], w, 0, C), 0.0, s0 + s1, t0 + t1


@helper
def touch_one(pen, w, at, stride, C, move, mass, scale, inverse, taken, averaged):
    """Move the weight at `at`, its other numbers `stride` apart; return it before it is truncated, and after."""
    z = get(w, at) + move
    if averaged is not None:
        mean = at + (C - 1) * stride
        put(w, mean, get(w, mean) + mass * move)
    if pen.truncates:
        paid = get(w, at + stride)
        cut = w.dtype.type(pen.truncate(z * scale, paid, taken) * inverse)
        put(w, at + stride, paid + scale * (cut - z))
        put(w, at, cut)
        return z, cut
    put(w, at, z)
    return z, z


@overload(touch, REORDER)
def _(
    rows: Any,
    pen: Any,
    w: Any,
    C: Any,
    now: Any,
    coming: Any,
    later: Any,
    ahead: Any,
    c: Any,
    mass: Any,
    scale: Any,
    taken: Any,
    averaged: Any,
) -> Any:
    return of_kind(kind_of(rows), _touch_dense, _touch_csr)


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
def go_on(rows, w, C, d, rho, scale, mass, keep, started):
    """Mass, keep and whether an average has started, after an update; one that starts anew is cleared."""
    if rho < 1.0:
        keep *= 1.0 - rho
        mass += rho * scale / keep
    elif started == 1.0:
        for j in range(d):
            put(w, place(rows, j, C - 1, d, C), 0.0)
        mass, keep, started = 0.0, 1.0, 0.0
    return mass, keep, started


@helper
def note(loss, margins, waiting, p, target):
    """Add to the predictions that wait for their loss: how many there are then, and the losses of those that went."""
    put(margins, waiting, p)
    put(margins, waiting + MARGINS, target)
    if waiting + 1 < MARGINS:
        return waiting + 1, 0.0
    return 0, sum_losses(loss, margins, MARGINS)


@reordered
def norm(rows, row):
    """The squared norm of a row."""
    start, n = row
    total = 0.0
    for q in range(start, start + n):
        total += value(rows, q) * value(rows, q)
    return total


@reordered
def sum_losses(loss, margins, n):
    """The sum of the losses of n predictions, the first row, for targets, the second; predictions are overwritten."""
    for i in range(n):
        put(margins, i, loss.value(get(margins, i), get(margins, MARGINS + i)))
    total = 0.0
    for i in range(n):
        total += get(margins, i)
    return total
