"""The two kinds of rows, dense and CSR, behind the same four functions, so that a kernel over rows is written once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload

from .intrinsics import get, prefetch, put
from .jit import OPTIONS, helper

# Rows are read in an order the hardware cannot guess, so each is asked for AHEAD rows before its turn, into the second
# cache, and not all at once, lest the requests queue up: of a short row one half before the dot product and one before
# the update, of a row longer than LONG a strip between strips of the dot product. Nanoseconds a row without, and with:
# 94, 39 at d = 20; 161, 116 at d = 100; 1020, 560 at d = 1000. All at once: 39, 123, 735; into the first cache: 45,
# 140, 1060.
AHEAD, STRIP, LONG = 8, 64, 256

# Rows ahead whose pointers, non-zeros and records are prefetched; the last only for states beyond the second cache.
FAR, NEAR, SOON, FAR_AWAY = 8, 4, 2, 1 << 20


class Dense(NamedTuple):
    """A C-contiguous array of shape (n, d)."""

    X: np.ndarray


class CSR(NamedTuple):
    """The arrays of a CSR matrix with no duplicates in a row; `indices` unsigned, which saves a sign test per read."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray


@njit(**OPTIONS | {"fastmath": OPTIONS["fastmath"] | {"reassoc"}})
def dense_dot(X: Any, i: int, w: Any, at: int) -> float:
    """Row i times w[at : at + d]; the only sum that may be reordered, so that it vectorises.

    In float64 for float32 rows too: it takes no longer, and is exact where a sum of float32 loses two digits.
    """
    d = X.shape[1]
    p = 0.0
    for j in range(d):
        p += get(X, i * d + j) * get(w, at + j)
    return p


@helper
def dense_ahead(X: Any, i: int, first: int, last: int) -> None:
    """Prefetch columns `first` to `last` of row i."""
    d, step = X.shape[1], 64 // X.itemsize
    for j in range(first, last + step - 1, step):
        prefetch(X, i * d + j)


@njit(**OPTIONS | {"fastmath": OPTIONS["fastmath"] | {"reassoc"}})
def dense_dot_ahead(X: Any, i: int, w: Any, at: int, ahead: int) -> float:
    """As `dense_dot`, and prefetch row `ahead`: all of it if it is long, else the first half."""
    d, step = X.shape[1], 64 // X.itemsize
    if d <= LONG:
        dense_ahead(X, ahead, 0, d // 2)
        return dense_dot(X, i, w, at)
    strips = d // STRIP * STRIP
    p = 0.0
    for start in range(0, strips, STRIP):
        for j in range(start, start + STRIP, step):
            prefetch(X, ahead * d + j)
        for j in range(start, start + STRIP):
            p += get(X, i * d + j) * get(w, at + j)
    dense_ahead(X, ahead, strips, d)
    for j in range(strips, d):
        p += get(X, i * d + j) * get(w, at + j)
    return p


def row_dot(rows: Any, i: int, w: Any, at: int) -> float:
    """Row i times the part of the flat array `w` that starts at `at`."""
    return of_kind(type(rows), _row_dot_dense, _row_dot_csr)(rows, i, w, at)


def _row_dot_dense(rows, i, w, at):
    return dense_dot(rows.X, i, w, at)


def _row_dot_csr(rows, i, w, at):
    p = w.dtype.type(0)
    for q in range(rows.indptr[i], rows.indptr[i + 1]):
        p += rows.data[q] * get(w, at + np.int64(rows.indices[q]))
    return p


def row_add(rows: Any, i: int, g: float, out: Any, at: int) -> None:
    """Add g times row i to the part of the flat array `out` that starts at `at`."""
    of_kind(type(rows), _row_add_dense, _row_add_csr)(rows, i, g, out, at)


def _row_add_dense(rows, i, g, out, at):
    X, scale = rows.X, out.dtype.type(g)
    d = X.shape[1]
    for j in range(d):
        put(out, at + j, get(out, at + j) + scale * get(X, i * d + j))


def _row_add_csr(rows, i, g, out, at):
    scale = out.dtype.type(g)
    for q in range(rows.indptr[i], rows.indptr[i + 1]):
        p = at + np.int64(rows.indices[q])
        put(out, p, get(out, p) + scale * rows.data[q])


def row_ahead(rows: Any, i: int) -> None:
    """Prefetch row i."""
    of_kind(type(rows), _row_ahead_dense, _row_ahead_csr)(rows, i)


def _row_ahead_dense(rows, i):
    dense_ahead(rows.X, i, 0, rows.X.shape[1])


def _row_ahead_csr(rows, i):
    start, stop = np.int64(rows.indptr[i]), np.int64(rows.indptr[i + 1])
    for q in range(start, stop, 64 // rows.data.itemsize):
        prefetch(rows.data, q)
    for q in range(start, stop, 64 // rows.indices.itemsize):
        prefetch(rows.indices, q)


def span(rows: Any, i: int) -> tuple[int, int]:
    """Where the stored values of row i start, and how many they are."""
    return of_kind(type(rows), _span_dense, _span_csr)(rows, i)


def _span_dense(rows, i):
    d = rows.X.shape[1]
    return np.int64(i) * d, d


def _span_csr(rows, i):
    start = np.int64(rows.indptr[i])
    return start, np.int64(rows.indptr[i + 1]) - start


def value(rows: Any, q: int) -> float:
    """Stored value q."""
    return of_kind(type(rows), _value_dense, _value_csr)(rows, q)


def _value_dense(rows, q):
    return get(rows.X, q)


def _value_csr(rows, q):
    return get(rows.data, q)


def column(rows: Any, start: int, k: int) -> int:
    """The feature of the k-th value of the row from `start` on."""
    return of_kind(type(rows), _column_dense, _column_csr)(rows, start, k)


def _column_dense(rows, start, k):
    return k


def _column_csr(rows, start, k):
    return np.int64(get(rows.indices, start + k))


def place(rows: Any, j: int, m: int, d: int, C: int) -> int:
    """Where number m of the C numbers of weight j stands, counted flat.

    Beside dense rows numbers of a kind stand together, of shape (C, d), beside CSR rows those of a weight, (d, C).
    """
    return of_kind(type(rows), _place_dense, _place_csr)(rows, j, m, d, C)


def _place_dense(rows, j, m, d, C):
    return m * d + j


def _place_csr(rows, j, m, d, C):
    return j * C + m


@helper
def records_ahead(rows: Any, y: Any, z: Any, size: int, order: Any, i: int, last: int) -> None:
    """Prefetch what later CSR rows need: pointers and targets, then non-zeros, at last records where they are far."""
    far, near = order[min(i + FAR, last - 1)], order[min(i + NEAR, last - 1)]
    prefetch(rows.indptr, far)
    prefetch(y, far * y.shape[1])
    row_ahead(rows, near)
    if z.nbytes > FAR_AWAY:
        soon = order[min(i + SOON, last - 1)]
        for q in range(np.int64(rows.indptr[soon]), np.int64(rows.indptr[soon + 1])):
            prefetch(z, int(rows.indices[q]) * size)


def n_rows(rows: Any) -> int:
    """How many rows there are."""
    return of_kind(type(rows), _n_rows_dense, _n_rows_csr)(rows)


def _n_rows_dense(rows):
    return rows.X.shape[0]


def _n_rows_csr(rows):
    return rows.indptr.shape[0] - 1


def of_kind(kind: type, dense: Any, csr: Any) -> Any:
    return {Dense: dense, CSR: csr}[kind]


def kind_of(rows: types.NamedTuple) -> type:
    return rows.instance_class


@overload(row_dot, strict=False)
def _(rows: Any, i: Any, w: Any, at: Any) -> Any:
    return of_kind(kind_of(rows), _row_dot_dense, _row_dot_csr)


@overload(row_add, strict=False)
def _(rows: Any, i: Any, g: Any, out: Any, at: Any) -> Any:
    return of_kind(kind_of(rows), _row_add_dense, _row_add_csr)


@overload(row_ahead, strict=False)
def _(rows: Any, i: Any) -> Any:
    return of_kind(kind_of(rows), _row_ahead_dense, _row_ahead_csr)


@overload(span, strict=False)
def _(rows: Any, i: Any) -> Any:
    return of_kind(kind_of(rows), _span_dense, _span_csr)


@overload(value, strict=False)
def _(rows: Any, q: Any) -> Any:
    return of_kind(kind_of(rows), _value_dense, _value_csr)


@overload(column, strict=False)
def _(rows: Any, start: Any, k: Any) -> Any:
    return of_kind(kind_of(rows), _column_dense, _column_csr)


@overload(place, strict=False)
def _(rows: Any, j: Any, m: Any, d: Any, C: Any) -> Any:
    return of_kind(kind_of(rows), _place_dense, _place_csr)


@overload(n_rows, strict=False)
def _(rows: Any) -> Any:
    return of_kind(kind_of(rows), _n_rows_dense, _n_rows_csr)
