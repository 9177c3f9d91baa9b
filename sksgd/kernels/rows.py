"""The two kinds of rows, dense and CSR, behind the same functions, so that a kernel over rows is written once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types

from .intrinsics import get, prefetch, prefetch_soon, put
from .jit import helper, kernel, overload, reordered

# Rows are read in an order the hardware cannot guess, so each is asked for before its turn. A row of up to LONG comes
# into the second cache AHEAD rows before, and into the first CLOSE rows before; of a longer row, LONG columns at a time
# are asked for CLOSE rows before, between those of the update, lest the requests queue up. Plain SGD in nanoseconds a
# row without, and with: 66, 24 at d = 20; 182, 73 at d = 100, where the second cache alone gives 116; 830, 560 at
# d = 1000. Not into the first cache with several outputs, between whose rows more is read: ten classes take 333
# without, 373 with.
AHEAD, CLOSE, LONG = 16, 8, 256

# Rows ahead whose pointers, non-zeros and records are prefetched; the last only for states of over FAR_AWAY bytes.
# Non-zeros go into the first cache: a row of 70 takes 262 nanoseconds in plain SGD so, 288 from the second (minima).
FAR, NEAR, SOON, FAR_AWAY = 8, 4, 2, 1 << 21


class Dense(NamedTuple):
    """A C-contiguous array of shape (n, d)."""

    X: np.ndarray


class CSR(NamedTuple):
    """The arrays of a CSR matrix with no duplicates in a row; `indices` unsigned, which saves a sign test per read."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray


def per_line(array: Any) -> int:
    """How many elements of an array a cache line holds."""
    return 64 // array.itemsize


@overload(per_line)
def _(array: Any) -> Any:
    n = 512 // array.dtype.bitwidth  # a constant, for `itemsize` is read at run time, and dividing by it takes a while
    return lambda array: n


@reordered
def dense_dot(X: Any, i: int, w: Any, at: int) -> float:
    """Row i times w[at : at + d].

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
    d, step = X.shape[1], per_line(X)
    for j in range(first, last + step - 1 if last > first else first, step):
        prefetch(X, i * d + j)


@helper
def dense_soon(X: Any, i: int) -> None:
    """Prefetch row i into the first cache."""
    d, step = X.shape[1], per_line(X)
    for j in range(0, d + step - 1, step):
        prefetch_soon(X, i * d + min(j, d - 1))


def visited(order: Any, i: int) -> int:
    """The row at position i of an order, or row i if there is none."""
    return i if order is None else order[i]


@overload(visited)
def _(order: Any, i: Any) -> Any:
    if isinstance(order, types.NoneType):
        return lambda order, i: i
    return lambda order, i: np.int64(get(order, i))


@helper
def csr_dot(rows: Any, start: int, n: int, w: Any, at: int, size: int) -> float:
    """The n values from `start` on times the numbers of `w` at their features times `size`, plus `at`."""
    # Four sums: additions wait for each other, and LLVM's own gathering is slower than scalar loads.
    data, indices = rows.data, rows.indices
    p0 = p1 = p2 = p3 = 0.0
    whole = start + n // 4 * 4
    for q in range(start, whole, 4):
        p0 += get(data, q) * get(w, np.int64(get(indices, q)) * size + at)
        p1 += get(data, q + 1) * get(w, np.int64(get(indices, q + 1)) * size + at)
        p2 += get(data, q + 2) * get(w, np.int64(get(indices, q + 2)) * size + at)
        p3 += get(data, q + 3) * get(w, np.int64(get(indices, q + 3)) * size + at)
    for q in range(whole, start + n):
        p0 += get(data, q) * get(w, np.int64(get(indices, q)) * size + at)
    return (p0 + p1) + (p2 + p3)


@helper
def csr_ahead(rows: Any, y: Any, order: Any, i: int, last: int) -> None:
    """Prefetch what CSR rows after position i need: pointers and targets, then non-zeros."""
    far, near = visited(order, min(i + FAR, last - 1)), visited(order, min(i + NEAR, last - 1))
    prefetch(rows.indptr, far)
    prefetch(y, far * y.shape[1])
    start, stop = np.int64(get(rows.indptr, near)), np.int64(get(rows.indptr, near + 1))
    for q in range(start, stop, per_line(rows.data)):
        prefetch_soon(rows.data, q)
    for q in range(start, stop, per_line(rows.indices)):
        prefetch_soon(rows.indices, q)


def span(rows: Any, i: int) -> tuple[int, int]:
    """Where the stored values of row i start, and how many they are."""
    return of_kind(type(rows), _span_dense, _span_csr)(rows, i)


def _span_dense(rows, i):
    d = rows.X.shape[1]
    return np.int64(i) * d, d


def _span_csr(rows, i):
    start = np.int64(get(rows.indptr, i))
    return start, np.int64(get(rows.indptr, i + 1)) - start


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
    """`csr_ahead`, and records where they are far."""
    csr_ahead(rows, y, order, i, last)
    if z.nbytes > FAR_AWAY:
        soon = get(order, min(i + SOON, last - 1))
        for q in range(np.int64(get(rows.indptr, soon)), np.int64(get(rows.indptr, soon + 1))):
            prefetch(z, np.int64(get(rows.indices, q)) * size)


def n_rows(rows: Any) -> int:
    """How many rows there are."""
    return of_kind(type(rows), _n_rows_dense, _n_rows_csr)(rows)


def _n_rows_dense(rows):
    return rows.X.shape[0]


def _n_rows_csr(rows):
    return rows.indptr.shape[0] - 1


@kernel
def part(data, indices, indptr, place, dense, other_data, other_indices, other_indptr):
    """Values whose columns have a place among the first into `dense`, all others into the arrays of another CSR matrix.

    Returns how many the others are. `place` says for every column of the CSR matrix which it becomes.
    """
    n_dense, at = dense.shape[1], 0
    for i in range(len(indptr) - 1):
        for q in range(np.int64(get(indptr, i)), np.int64(get(indptr, i + 1))):
            j = get(place, np.int64(get(indices, q)))
            if j < n_dense:
                put(dense, i * n_dense + j, get(data, q))
            else:
                put(other_data, at, get(data, q))
                put(other_indices, at, j)
                at += 1
        put(other_indptr, i + 1, at)
    return at


def of_kind(kind: type, dense: Any, csr: Any) -> Any:
    return {Dense: dense, CSR: csr}[kind]


def kind_of(rows: types.NamedTuple) -> type:
    return rows.instance_class


@overload(span)
def _(rows: Any, i: Any) -> Any:
    return of_kind(kind_of(rows), _span_dense, _span_csr)


@overload(value)
def _(rows: Any, q: Any) -> Any:
    return of_kind(kind_of(rows), _value_dense, _value_csr)


@overload(column)
def _(rows: Any, start: Any, k: Any) -> Any:
    return of_kind(kind_of(rows), _column_dense, _column_csr)


@overload(place)
def _(rows: Any, j: Any, m: Any, d: Any, C: Any) -> Any:
    return of_kind(kind_of(rows), _place_dense, _place_csr)


@overload(n_rows)
def _(rows: Any) -> Any:
    return of_kind(kind_of(rows), _n_rows_dense, _n_rows_csr)
