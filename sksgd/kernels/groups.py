"""Rows in groups: predictions and sums of gradients of many rows with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .intrinsics import get, prefetch, put
from .jit import APART, helper, overload, reordered
from .rows import AHEAD, csr_ahead, csr_dot, dense_dot, kind_of, of_kind, per_line, span, visited

# Rows whose losses are computed together, so that the exponentials in them vectorise; a multiple of 4.
GROUP = 32


def predict_group(
    rows: Any, y: Any, order: Any, first: int, last: int, end: int, w: Any, d: int, b: Any, out: Any
) -> None:
    """The predictions for the rows at positions `first` to `last` of an order.

    Those of output k stand in `out` from ``k * GROUP`` on, followed by some that are to be ignored. Rows before the
    position `end` are prefetched, with their targets.
    """
    of_kind(type(rows), _predict_group_dense, _predict_group_csr)(rows, y, order, first, last, end, w, d, b, out)


def _predict_group_dense(rows, y, order, first, last, end, w, d, b, out):
    X, K = rows.X, len(out) // GROUP
    # One output in the order of memory is as fast as memory, row by row: 34 ns at d = 100, and 50 by fours.
    one_by_one = last if order is None and K == 1 else first
    for i in range(first, one_by_one):
        put(out, i - first, dense_dot(X, i, w, 0))
    for i in range(one_by_one, last, 4):
        four_ahead(X, y, four_at(order, min(i + AHEAD, end - 1), end))
        four = four_at(order, i, last)
        for k in range(0, K - 1, 2):
            eight_dots(X, four, w, k * d, out, k * GROUP + i - first)
        if K % 2 == 1:
            four_dots(X, four, w, (K - 1) * d, out, (K - 1) * GROUP + i - first)
    for k in range(K):
        for q in range(k * GROUP, k * GROUP + last - first):
            put(out, q, get(out, q) + b[k])


def _predict_group_csr(rows, y, order, first, last, end, w, d, b, out):
    K = len(out) // GROUP
    for i in range(first, last):
        csr_ahead(rows, y, order, i, end)
        start, n = span(rows, visited(order, i))
        for k in range(K):
            put(out, k * GROUP + i - first, csr_dot(rows, start, n, w, k * d, 1) + b[k])


@helper
def room(y, weight, K):
    """Arrays for the predictions of a group of rows, their log-sum-exps, their targets and their weights."""
    return np.zeros(K * GROUP), np.zeros(GROUP), np.zeros(y.shape[1] * GROUP), room_for_weights(weight)


@helper
def room_for_weights(weight):
    """Room for the weights of a group, filled if they are an array of one, which stands for all rows."""
    own = np.empty(GROUP)
    for i in range(GROUP):
        put(own, i, get(weight, 0) if len(weight) == 1 else 0.0)
    return own


@helper
def weights_of(weight, first, last, own):
    """Put the weights of rows `first` to `last` into their room."""
    if len(weight) > 1:
        for i in range(last - first):
            put(own, i, get(weight, first + i))


@helper
def four_at(order, i, last):
    """Four rows from position i on, the last one repeated if there are fewer."""
    j, k, m = min(i + 1, last - 1), min(i + 2, last - 1), min(i + 3, last - 1)
    return visited(order, i), visited(order, j), visited(order, k), visited(order, m)


@helper
def four_ahead(X, y, four):
    """Prefetch four rows and their targets, in turn."""
    d, line = X.shape[1], per_line(X)
    for m in range(4):
        prefetch(y, four[m] * y.shape[1])
    for j in range(0, d + line - 1, line):
        for m in range(4):
            prefetch(X, four[m] * d + min(j, d - 1))


@reordered
def four_dots(X, four, w, at, out, to):
    """The products of four rows with w[at : at + d], whose loads they share, into out[to : to + 4]."""
    d = X.shape[1]
    r0, r1, r2, r3 = four[0] * d, four[1] * d, four[2] * d, four[3] * d
    p0 = p1 = p2 = p3 = 0.0
    for j in range(d):
        v = get(w, at + j)
        p0 += get(X, r0 + j) * v
        p1 += get(X, r1 + j) * v
        p2 += get(X, r2 + j) * v
        p3 += get(X, r3 + j) * v
    put(out, to, p0)
    put(out, to + 1, p1)
    put(out, to + 2, p2)
    put(out, to + 3, p3)


@reordered
def eight_dots(X, four, w, at, out, to):
    """The same for two outputs at once, which share the loads of the rows; those of the second come GROUP later."""
    d = X.shape[1]
    r0, r1, r2, r3 = four[0] * d, four[1] * d, four[2] * d, four[3] * d
    p0 = p1 = p2 = p3 = q0 = q1 = q2 = q3 = 0.0
    for j in range(d):
        v, u = get(w, at + j), get(w, at + d + j)
        x0, x1, x2, x3 = get(X, r0 + j), get(X, r1 + j), get(X, r2 + j), get(X, r3 + j)
        p0 += x0 * v
        p1 += x1 * v
        p2 += x2 * v
        p3 += x3 * v
        q0 += x0 * u
        q1 += x1 * u
        q2 += x2 * u
        q3 += x3 * u
    put(out, to, p0)
    put(out, to + 1, p1)
    put(out, to + 2, p2)
    put(out, to + 3, p3)
    put(out, to + GROUP, q0)
    put(out, to + GROUP + 1, q1)
    put(out, to + GROUP + 2, q2)
    put(out, to + GROUP + 3, q3)


def add_group(rows: Any, order: Any, first: int, last: int, slopes: Any, out: Any) -> None:
    """Add the rows at positions `first` to `last` of an order, times slopes that stand as in `predict_group`, to `out`.

    Slopes after the last one have to be 0 up to a multiple of four.
    """
    of_kind(type(rows), _add_group_dense, _add_group_csr)(rows, order, first, last, slopes, out)


def _add_group_dense(rows, order, first, last, slopes, out):
    K = len(slopes) // GROUP
    for i in range(first, last, 4):
        four = four_at(order, i, last)
        for k in range(K):
            add_four(rows.X, four, slopes, k * GROUP + i - first, out, k * rows.X.shape[1])


@helper
def add_four(X, four, slopes, q, out, at):
    """Add four rows times the slopes from `q` on to out[at : at + d], which is read and written once for them all."""
    d = X.shape[1]
    r0, r1, r2, r3 = four[0] * d, four[1] * d, four[2] * d, four[3] * d
    f0, f1 = out.dtype.type(get(slopes, q)), out.dtype.type(get(slopes, q + 1))
    f2, f3 = out.dtype.type(get(slopes, q + 2)), out.dtype.type(get(slopes, q + 3))
    for j in range(d):
        pair = f0 * get(X, r0 + j) + f1 * get(X, r1 + j)
        put(out, at + j, get(out, at + j) + (pair + (f2 * get(X, r2 + j) + f3 * get(X, r3 + j))))


def _add_group_csr(rows, order, first, last, slopes, out):
    K = len(slopes) // GROUP
    d = len(out) // K
    for i in range(first, last):
        start, n = span(rows, visited(order, i))
        for k in range(K):
            g = out.dtype.type(get(slopes, k * GROUP + i - first))
            for q in range(start, start + n):
                p = k * d + np.int64(get(rows.indices, q))
                put(out, p, get(out, p) + g * get(rows.data, q))


@overload(predict_group, APART)
def _(rows: Any, y: Any, order: Any, first: Any, last: Any, end: Any, w: Any, d: Any, b: Any, out: Any) -> Any:
    return of_kind(kind_of(rows), _predict_group_dense, _predict_group_csr)


@overload(add_group, APART)
def _(rows: Any, order: Any, first: Any, last: Any, slopes: Any, out: Any) -> Any:
    return of_kind(kind_of(rows), _add_group_dense, _add_group_csr)
