"""Updates that visit every weight: dense rows one by one, and batches of dense or CSR rows.

State is one array of shape (1 + n_slots + averaged, K, d): weights, slots, average, for K outputs and d features,
beside float64 intercepts of shape (1 + n_slots + averaged, K). A table holds one line per update: what the
optimizer's `begin` returned, the effective step, the amount of the penalty, rho. Where all lines would be equal it has
one, and `stride` is 0. Targets have shape (n, K), or (n, 1) for a joint loss. Weights of rows follow the order,
and are an array of one where all are alike.

A kernel stops before the first update that would use a prediction that is not finite, and returns the number it did.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .groups import GROUP, add_group, predict_group, room, weights_of
from .intrinsics import begun_at, borrowed, flat, get, prefetch, put, put_slots, slots_at
from .jit import helper, kernel, reordered
from .rows import AHEAD, CLOSE, LONG, dense_ahead, dense_dot, dense_soon, n_rows, visited
from .update import clip, gradient_of, item, log_sum_exp, log_sum_exps, move, target_of, value_of


class Model(NamedTuple):
    """The components; `alpha` is None where all weights share the amount in the table, `bounds` None or (2, d)."""

    loss: Any
    opt: Any
    pen: Any
    alpha: Any
    bounds: Any


@helper
def moves(model):
    """The components without the loss: what moves weights is compiled once for all losses."""
    return Model(None, model.opt, model.pen, model.alpha, model.bounds)


class Work(NamedTuple):
    """Targets, the order of the rows, and their weights in that order, or an array of one for all."""

    y: np.ndarray
    order: np.ndarray
    weight: Any  # for plain SGD the number 1.0 if there are none: a load would show where a row takes 9 nanoseconds


@kernel
def dense_rows(model, rows, work, first, last, many, table, stride, state, bias, averaged, intercept):
    """Update with each of the rows ``order[first:last]`` by itself. `many`: None for one output, else how many."""
    K = 1 if many is None else many
    loss, opt, rest = model.loss, model.opt, moves(model)
    rows, work = borrowed(rows), borrowed(work)
    w, b, lines = flat(state), flat(bias), flat(table)
    (y, order, weight), X = work, rows.X
    (n_lines, _, d), width = state.shape, table.shape[1]
    alike = len(weight) - 1
    scores, slopes, products = np.empty(K), np.empty(K), np.empty(K)
    for k in range(K):
        products[k] = dense_dot(X, visited(order, first), w, k * d)
    for i in range(first, last):
        r, later = visited(order, i), visited(order, min(i + 1, last - 1))
        ahead = visited(order, min(i + AHEAD, last - 1))
        prefetch(y, ahead * y.shape[1])
        if many is None and d <= LONG:
            dense_soon(X, visited(order, min(i + CLOSE, last - 1)))
        total = 0.0
        for k in range(K):
            scores[k] = products[k] + b[k]
            total += scores[k]
        if not math.isfinite(total):
            return i - first
        at = stride * (i - first) * width
        begun, step, a = begun_at(opt, lines, at, w), lines[at + width - 3], w.dtype.type(lines[at + width - 2])
        norm, own = log_sum_exp(loss, scores, 0, K), get(weight, min(i, alike))
        for k in range(K):
            slopes[k] = own * gradient_of(loss, scores[k], target_of(loss, y, r, k), k, norm)
        move_along(rest, X, r, later, ahead, w, slopes, begun, step, a, products)
        if intercept:
            move_intercepts(opt, slopes, b, K, begun_at(opt, lines, at, b))
        if averaged:
            rho = lines[at + width - 1]
            average(w, (n_lines - 1) * K * d, K * d, w.dtype.type(rho))
            average(b, (n_lines - 1) * K, K, rho)
    return last - first


@helper
def move_along(model, X, r, later, ahead, w, slopes, begun, step, a, products):
    """Move all weights along row r, and set `products` to those of row `later`, while row `ahead` is prefetched.

    A long row is prefetched a strip at a time, lest the requests queue up. The numbers of strips are counted here, for
    around a range with an unknown step, which may raise, Numba counts references to arrays.
    """
    d, K = X.shape[1], len(slopes)
    size, n_strips = (LONG, d // LONG + 1) if d > LONG else (d, 1)
    for k in range(K):
        slope, p = w.dtype.type(get(slopes, k)), 0.0
        for m in range(n_strips):
            start, stop = m * size, min((m + 1) * size, d)
            dense_ahead(X, ahead, start, stop if k == 0 else start)
            p += move_strip(model, X, r, later, start, stop, w, k * d, K * d, slope, begun, step, a)
        put(products, k, p)


@helper
def move_strip(model, X, r, later, start, stop, w, at, stride, slope, begun, step, a):
    """Move the weights of some columns along row r, and return what they give for row `later`.

    That is a pass over the weights less. Nanoseconds a row with momentum, d = 100, in cache: 100 without, 79 with.
    """
    p, d = 0.0, X.shape[1]
    for j in range(start, stop):
        q = at + j
        slots = slots_at(model.opt, w, q + stride, stride)
        g = slope * get(X, r * d + j)
        moved, slots = move(model.opt, model.pen, g, get(w, q), slots, begun, step, a, item(model.alpha, j))
        z = w.dtype.type(clip(moved, model.bounds, j))
        put(w, q, z)
        put_slots(model.opt, w, q + stride, stride, slots)
        p = plus(p, z * get(X, later * d + j))
    return p


@reordered
def plus(a, b):
    """a + b where sums of it may be reordered, so that a loop vectorises in which nothing else may be."""
    return a + b


@kernel
def batches(model, rows, work, first, last, size, table, stride, state, bias, averaged, intercept):
    """Update with batches of `size` of the rows ``order[first:last]``, the last one of what is left."""
    _, K, d = state.shape
    gradient, slopes, group = np.zeros((K, d), state.dtype), np.zeros(K), room(work.y, work.weight, K)
    rest = moves(model)
    done = 0
    for start in range(first, last, size):
        stop = min(start + size, last)
        if not add_up(model.loss, rows, work, start, stop, last, state, bias, gradient, slopes, group):
            return done
        apply(rest, 1.0 / (stop - start), gradient, slopes, table, stride * done, state, bias, averaged, intercept)
        done += 1
    return done


@kernel
def accumulate(loss, rows, work, first, last, state, bias, gradient, slopes):
    """Add the gradients of rows ``order[first:last]`` to `gradient` (K, d) and `slopes` (K,); False if not finite."""
    return add_up(
        loss, rows, work, first, last, last, state, bias, gradient, slopes, room(work.y, work.weight, len(slopes))
    )


@helper
def add_up(loss, rows, work, first, last, end, state, bias, gradient, slopes, group):
    """`accumulate` in the room for a group of rows; those before the position `end` are prefetched."""
    y, order, weight = work
    scores, norms, targets, own = group
    for start in range(first, last, GROUP):
        stop = min(start + GROUP, last)
        predict(rows, y, order, start, stop, end, state, flat(bias), group)
        log_sum_exps(loss, scores, norms, GROUP)
        if not math.isfinite(sum_up(scores)):
            return False
        weights_of(weight, start, stop, own)
        for k in range(len(slopes)):
            at, of = k * GROUP, min(k, y.shape[1] - 1) * GROUP
            for i in range(stop - start):
                slope = gradient_of(loss, get(scores, at + i), get(targets, of + i), k, get(norms, i))
                put(scores, at + i, get(own, i) * slope)
            scores[at + stop - start : at + GROUP] = 0.0
            slopes[k] += sum_up(scores[at : at + GROUP])
        add_group(rows, order, start, stop, scores, flat(gradient))
    return True


@helper
def predict(rows, y, order, first, last, end, w, b, group):
    """Fill predictions and targets of a group with the rows at positions `first` to `last` of an order.

    What follows them is to be ignored, and is finite if they are: a sum over all tells.
    """
    scores, _, targets, _ = group
    scores[:] = 0.0
    predict_group(rows, y, order, first, last, end, flat(w), w.shape[-1], b, scores)
    for k in range(y.shape[1]):
        for i in range(last - first):
            put(targets, k * GROUP + i, get(y, visited(order, first + i) * y.shape[1] + k))


@kernel
def apply(model, factor, gradient, slopes, table, line, state, bias, averaged, intercept):
    """One update with `factor` times the accumulated gradient, which is cleared. The model has no loss."""
    _, opt, pen, alpha, bounds = model
    n_lines, K, d = state.shape
    w, b, grad = flat(state), flat(bias), flat(gradient)
    lines, at = flat(table), line * table.shape[1]
    begun = begun_at(opt, lines, at, w)
    step, amount, rho = (
        lines[at + table.shape[1] - 3],
        lines[at + table.shape[1] - 2],
        lines[at + table.shape[1] - 1],
    )
    a = w.dtype.type(amount)
    kept = shorten(opt, factor, grad, slopes, intercept)
    scale, limit = w.dtype.type(kept * factor), w.dtype.type(kept * opt.clip_value)
    for k in range(K):
        for j in range(d):
            q = k * d + j
            g = min(max(scale * get(grad, q), -limit), limit)
            put(grad, q, 0.0)
            moved, slots = move(
                opt, pen, g, get(w, q), slots_at(opt, w, q + K * d, K * d), begun, step, a, item(alpha, j)
            )
            put(w, q, clip(moved, bounds, j))
            put_slots(opt, w, q + K * d, K * d, slots)
    for k in range(K):
        slopes[k] = min(max(scale * slopes[k], -limit), limit)
    if intercept:
        move_intercepts(opt, slopes, b, K, begun_at(opt, lines, at, b))
    slopes[:] = 0
    if averaged:
        average(w, (n_lines - 1) * K * d, K * d, w.dtype.type(rho))
        average(b, (n_lines - 1) * K, K, rho)


@helper
def shorten(opt, factor, gradient, slopes, intercept):
    """What the gradient, clipped by value, is multiplied by so that its norm is at most `clip_norm`."""
    if math.isinf(opt.clip_norm):
        return 1.0
    total = 0.0
    for g in gradient:
        total += min(abs(factor * g), opt.clip_value) ** 2
    if intercept:
        for g in slopes:
            total += min(abs(factor * g), opt.clip_value) ** 2
    return min(1.0, opt.clip_norm / math.sqrt(total)) if total > 0.0 else 1.0


@helper
def move_intercepts(opt, slopes, b, K, begun):
    """Move the intercepts as weights of a feature that is always 1, without penalty and bounds."""
    for k in range(K):
        moved, slots = opt.coord(get(slopes, k), get(b, k), slots_at(opt, b, K + k, K), begun)
        put(b, k, moved)
        put_slots(opt, b, K + k, K, slots)


@helper
def average(w, at, size, rho):
    """w[at : at + size] += rho (w[:size] - w[at : at + size])."""
    for q in range(size):
        put(w, at + q, get(w, at + q) + rho * (get(w, q) - get(w, at + q)))


@kernel
def total_loss(loss, rows, y, weight, coef, intercept):
    """Sum of weight times loss over all rows, for coef (K, d) and intercept (K,)."""
    K, n = len(intercept), n_rows(rows)
    rows, y = borrowed(rows), borrowed(y)
    group = room(y, weight, K)
    scores, norms, targets, own = group
    total = 0.0
    for first in range(0, n, GROUP):
        last = min(first + GROUP, n)
        predict(rows, y, None, first, last, n, coef, intercept, group)
        weights_of(weight, first, last, own)
        log_sum_exps(loss, scores, norms, GROUP)
        for k in range(K):
            at, of = k * GROUP, min(k, y.shape[1] - 1) * GROUP
            for i in range(last - first):
                value = value_of(loss, get(scores, at + i), get(targets, of + i), k, get(norms, i))
                put(scores, at + i, get(own, i) * value)
            scores[at + last - first : at + GROUP] = 0.0
        total += sum_up(scores)
    return total


@reordered
def sum_up(values):
    """The sum of an array, in whatever order vectorises."""
    total = 0.0
    for v in values:
        total += v
    return total


@kernel
def total_penalty(pen, alpha, coef):
    """Sum of the penalty over all weights."""
    total = 0.0
    for k in range(coef.shape[0]):
        for j in range(coef.shape[1]):
            total += pen.value(coef[k, j], item(alpha, j))
    return total
