"""Memory in which blocks of rows are gathered, again and again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.errors import BlockError
from .source import Source
from .survey import require_finite

#: Up to which row of a buffer a block goes, and what it is called: its part and its number.
Ends = list[tuple[int, tuple[int, int]]]


class Buffer:
    """At most so many rows that come block by block, dense or CSR, copied into memory that stays.

    Arrays made anew for every filling would cost as much time as decoding the rows: the system hands out empty pages
    one by one.
    """

    def __init__(self, rows: int, like: Any, dtype: np.dtype):
        self.n, self.nnz, self.sparse, self.width = 0, 0, sp.issparse(like), like.shape[1]
        if self.sparse:
            self.data, self.indices = np.empty(0, dtype), np.empty(0, np.int32)
            self.indptr = np.zeros(rows + 1, np.int64)
        else:
            self.data = np.empty((rows, self.width), dtype)

    def clear(self) -> None:
        """Begin anew; rows handed out before are overwritten."""
        self.n = self.nnz = 0

    def add(self, X: Any) -> None:
        """Append rows, of the same kind and width."""
        n = self.n + X.shape[0]
        if self.sparse:
            nnz = self.nnz + X.nnz
            self.data, self.indices = (
                _grown(array, self.nnz, nnz, np.result_type(array, new))
                for array, new in ((self.data, X.data), (self.indices, X.indices))
            )
            self.data[self.nnz : nnz], self.indices[self.nnz : nnz] = X.data, X.indices
            self.indptr[self.n + 1 : n + 1] = X.indptr[1:].astype(np.int64) + self.nnz
            self.nnz = nnz
        else:
            self.data[self.n : n] = X
        self.n = n

    def rows(self) -> Any:
        """The rows in this memory: good until it is cleared."""
        if not self.sparse:
            return self.data[: self.n]
        # One type for both, or SciPy would copy.
        kind = np.int32 if self.nnz <= np.iinfo(np.int32).max and self.indices.dtype == np.int32 else np.int64
        indices, indptr = self.indices[: self.nnz], self.indptr[: self.n + 1]
        parts = self.data[: self.nnz], indices.astype(kind, copy=False), indptr.astype(kind)
        return sp.csr_array(parts, shape=(self.n, self.width))


class Buffers:
    """Two buffers in turn, as one is filled while the other is used."""

    def __init__(self, rows: int, like: Any, dtype: np.dtype):
        self.kind, self.spare = (rows, like, dtype), list[Buffer]()

    def filled(
        self, lengths: Iterable[int], blocks: Iterator[tuple[slice, Any, Any]]
    ) -> Iterator[tuple[Any, np.ndarray, Ends]]:
        """The rows of so many blocks at a time, their places, and where each block ends, with what it is called.

        Before an error, those that were read until then.
        """
        buffers, self.spare = self.spare or [Buffer(*self.kind), Buffer(*self.kind)], []  # nobody else gets them now
        try:
            for length, buffer in zip(lengths, itertools.cycle(buffers), strict=False):
                buffer.clear()
                places, ends, failed = [], [], None
                try:
                    for at, X, name in itertools.islice(blocks, length):
                        buffer.add(X)
                        places.append(np.arange(at.start, at.stop))
                        ends.append((buffer.n, name))
                except BlockError as error:
                    failed = error
                if places:
                    yield buffer.rows(), np.concatenate(places), ends
                if failed is not None:
                    raise failed
        finally:
            self.spare = buffers


def finite(X: Any, places: np.ndarray, ends: Ends, source: Source) -> tuple[Any, np.ndarray, BlockError | None]:
    """The rows of a buffer and their places; only those before the first block that is not finite, and its error."""
    with np.errstate(all="ignore"):
        if np.isfinite(X.sum()):
            return X, places, None
    start = 0
    for end, name in ends:
        try:
            require_finite(X[start:end], source, *name)
        except BlockError as error:
            return X[:start], places[:start], error
        start = end
    return X, places, None


def _grown(array: np.ndarray, used: int, size: int, dtype: Any) -> np.ndarray:
    """The array, or a larger one of the same values."""
    if size <= len(array) and array.dtype == dtype:
        return array
    larger = np.empty(max(size, 3 * len(array) // 2), dtype)
    larger[:used] = array[:used]
    return larger
