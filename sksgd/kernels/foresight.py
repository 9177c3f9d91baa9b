"""Which row's product with the weights plain SGD finds while it updates them, and the products with whole rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .intrinsics import get, prefetch
from .jit import exact, helper, overload, reordered
from .rows import (
    AHEAD,
    CLOSE,
    LONG,
    column,
    csr_dot,
    dense_ahead,
    dense_soon,
    kind_of,
    of_kind,
    place,
    records_ahead,
    value,
)


def foresees(rows: Any, pen: Any) -> bool:
    """Whether predictions are found two rows ahead: a constant to the compiler.

    The product of the row after next with the weights is then found while they move, and after the next step the
    prediction is that product plus the step times the product of both rows. So the loss, whose latency is the longest
    of all, does not wait for the update. On dense rows, where the product costs no pass over the weights of its own,
    unless the penalty truncates, after which the weights no longer move along the row.
    """
    return of_kind(type(rows), True, False) and not pen.truncates


@overload(foresees)
def _(rows: Any, pen: Any) -> Any:
    constant = of_kind(kind_of(rows), True, False) and not pen.cls.truncates
    return lambda rows, pen: constant


def look_ahead(rows: Any, y: Any, w: Any, C: int, order: Any, i: int, last: int) -> int:
    """Prefetch what later rows need, and return the number of the row that is prefetched during the update."""
    return of_kind(type(rows), _look_ahead_dense, _look_ahead_csr)(rows, y, w, C, order, i, last)


def _look_ahead_dense(rows, y, w, C, order, i, last):
    r, close = np.int64(get(order, min(i + AHEAD, last - 1))), np.int64(get(order, min(i + CLOSE, last - 1)))
    prefetch(y, r)
    if rows.X.shape[1] <= LONG:
        dense_ahead(rows.X, r, 0, rows.X.shape[1])
        dense_soon(rows.X, close)
    return close


def _look_ahead_csr(rows, y, w, C, order, i, last):
    records_ahead(rows, y, w, C, order, i, last)
    return np.int64(0)


def glance(rows: Any, w: Any, C: int, row: Any, before: Any) -> tuple[float, float]:
    """Products of a row with the weights, and, if it is dense, with the row `before` it."""
    return of_kind(type(rows), _glance_dense, _glance_csr)(rows, w, C, row, before)


@reordered
def _glance_dense(rows, w, C, row, before):
    p = g = 0.0
    for j in range(row[1]):
        x = get(rows.X, row[0] + j)
        p += x * get(w, j)
        g += x * get(rows.X, before[0] + j)
    return p, g


@helper
def _glance_csr(rows, w, C, row, before):
    return csr_dot(rows, row[0], row[1], w, 0, C), 0.0


@overload(look_ahead)
def _(rows: Any, y: Any, w: Any, C: Any, order: Any, i: Any, last: Any) -> Any:
    return of_kind(kind_of(rows), _look_ahead_dense, _look_ahead_csr)


@overload(glance)
def _(rows: Any, w: Any, C: Any, row: Any, before: Any) -> Any:
    kind = of_kind(kind_of(rows), _glance_dense, _glance_csr)
    return lambda rows, w, C, row, before: kind(rows, w, C, row, before)


@exact
def careful_dot(rows, w, C, d, row):
    """The product of a row with the weights, term by term, so that infinite terms of both signs are not a number."""
    start, n = row
    total = 0.0
    for k in range(n):
        product = value(rows, start + k) * get(w, place(rows, column(rows, start, k), 0, d, C))
        total += product
    return total


@exact
def add(a, b):
    """a + b, not fused with a product: an empty row may hang on the last bit of the intercept."""
    return a + b
