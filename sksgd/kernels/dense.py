"""Updates that visit every weight: dense rows one by one, and batches of dense or CSR rows.

State is one array of shape (1 + n_slots + averaged, K, d): weights, slots, average, for K outputs and d features,
beside float64 intercepts of shape (1 + n_slots + averaged, K). A table holds one line per update: what the
optimizer's `begin` returned, the effective step, the amount of the penalty, rho. Where all lines would be equal it has
one, and `stride` is 0. Targets have shape (n, K), or (n, 1) for a joint loss; weights of rows follow the order, and are
1.0 if there are none.

A kernel stops before the first update that would use a prediction that is not finite, and returns the number it did.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .intrinsics import begun_at, get, prefetch, put, put_slots, slots_at
from .jit import OPTIONS, helper, kernel
from .rows import AHEAD, LONG, dense_ahead, dense_dot, dense_dot_ahead, n_rows, row_add, row_ahead, row_dot
from .update import clip, gradient_of, item, log_sum_exp, move, value_of


class Model(NamedTuple):
    """The components; `alpha` is None where all weights share the amount in the table, `bounds` None or (2, d)."""

    loss: Any
    opt: Any
    pen: Any
    alpha: Any
    bounds: Any


class Work(NamedTuple):
    """Targets, the order of the rows, and their weights in that order or 1.0."""

    y: np.ndarray
    order: np.ndarray
    weight: Any


@kernel
def dense_rows(model, rows, work, first, last, many, table, stride, state, bias, averaged, intercept):
    """Update with each of the rows ``order[first:last]`` by itself. `many`: None for one output, else how many."""
    K = 1 if many is None else many
    loss, opt, pen, alpha, bounds = model
    y, order, weight = work
    X = rows.X
    n_lines, _, d = state.shape
    w, b = state.reshape(-1), bias.reshape(-1)
    lines, width = table.reshape(-1), table.shape[1]
    scores, slopes = np.empty(K), np.empty(K)
    for i in range(first, last):
        r, ahead = order[i], order[min(i + AHEAD, last - 1)]
        prefetch(y, ahead * y.shape[1])
        scores[0] = dense_dot_ahead(X, r, w, 0, ahead) + b[0]
        total = scores[0]
        for k in range(1, K):
            scores[k] = dense_dot(X, r, w, k * d) + b[k]
            total += scores[k]
        if not math.isfinite(total):
            return i - first
        if d <= LONG:
            dense_ahead(X, ahead, d // 2, d)
        norm = log_sum_exp(loss, scores, 0, K)
        for k in range(K):
            slopes[k] = item(weight, i) * gradient_of(loss, scores[k], y, r, k, norm)
        at = stride * (i - first) * width
        begun = begun_at(opt, lines, at, w)
        step, amount, rho = lines[at + width - 3], lines[at + width - 2], lines[at + width - 1]
        a = w.dtype.type(amount)
        for k in range(K):
            g = w.dtype.type(slopes[k])
            for j in range(d):
                q = k * d + j
                moved, slots = move(
                    opt,
                    pen,
                    g * get(X, r * d + j),
                    get(w, q),
                    slots_at(opt, w, q + K * d, K * d),
                    begun,
                    step,
                    a,
                    item(alpha, j),
                )
                put(w, q, clip(moved, bounds, j))
                put_slots(opt, w, q + K * d, K * d, slots)
        if intercept:
            move_intercepts(opt, slopes, b, K, begun_at(opt, lines, at, b))
        if averaged:
            average(w, (n_lines - 1) * K * d, K * d, w.dtype.type(rho))
            average(b, (n_lines - 1) * K, K, rho)
    return last - first


@kernel
def batches(model, rows, work, first, last, size, table, stride, state, bias, averaged, intercept):
    """Update with batches of `size` of the rows ``order[first:last]``, the last one of what is left."""
    _, K, d = state.shape
    gradient, slopes = np.zeros((K, d), state.dtype), np.zeros(K)
    done = 0
    for start in range(first, last, size):
        stop = min(start + size, last)
        if not accumulate(model.loss, rows, work, start, stop, state, bias, gradient, slopes):
            return done
        apply(model, 1.0 / (stop - start), gradient, slopes, table, stride * done, state, bias, averaged, intercept)
        done += 1
    return done


@kernel
def accumulate(loss, rows, work, first, last, state, bias, gradient, slopes):
    """Add the gradients of rows ``order[first:last]`` to `gradient` (K, d) and `slopes` (K,); False if not finite."""
    y, order, weight = work
    _, K, d = state.shape
    w, b, out = state.reshape(-1), bias.reshape(-1), gradient.reshape(-1)
    scores = np.empty(K)
    for i in range(first, last):
        r, ahead = order[i], order[min(i + AHEAD, last - 1)]
        prefetch(y, ahead * y.shape[1])
        row_ahead(rows, ahead)
        total = 0.0
        for k in range(K):
            scores[k] = row_dot(rows, r, w, k * d) + b[k]
            total += scores[k]
        if not math.isfinite(total):
            return False
        norm = log_sum_exp(loss, scores, 0, K)
        for k in range(K):
            slope = item(weight, i) * gradient_of(loss, scores[k], y, r, k, norm)
            slopes[k] += slope
            row_add(rows, r, slope, out, k * d)
    return True


@kernel
def apply(model, factor, gradient, slopes, table, line, state, bias, averaged, intercept):
    """One update with `factor` times the accumulated gradient, which is cleared."""
    _, opt, pen, alpha, bounds = model
    n_lines, K, d = state.shape
    w, b, grad = state.reshape(-1), bias.reshape(-1), gradient.reshape(-1)
    lines, at = table.reshape(-1), line * table.shape[1]
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


# Rows whose losses are computed together, so that the exponentials in them vectorise.
GROUP = 256


@kernel
def total_loss(loss, rows, many, y, weight, coef, intercept):
    """Sum of weight times loss over all rows, for coef (K, d) and intercept (K,); `many` as in `dense_rows`."""
    K = 1 if many is None else many
    d = coef.shape[1]
    w, n = coef.reshape(-1), n_rows(rows)
    scores, norms, values = np.empty(GROUP * K), np.zeros(GROUP), np.zeros(GROUP)
    total = 0.0
    for first in range(0, n, GROUP):
        size = min(GROUP, n - first)
        for k in range(K):
            for i in range(size):
                put(scores, i * K + k, row_dot(rows, first + i, w, k * d) + intercept[k])
        for i in range(size):
            put(values, i, 0.0)
            put(norms, i, log_sum_exp(loss, scores, i * K, K))
        for k in range(K):
            for i in range(size):
                value = value_of(loss, get(scores, i * K + k), y, first + i, k, get(norms, i))
                put(values, i, get(values, i) + item(weight, first + i) * value)
        total += sum_up(values[:size])
    return total


@njit(**OPTIONS | {"fastmath": OPTIONS["fastmath"] | {"reassoc"}})
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
