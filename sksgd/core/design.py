"""The rows of a fit as first-order steps want them: dense columns centred, sparse ones not, empty ones left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from .batches import Block, unlocked
from .rows import Rows
from .split import Split
from .sweeps import PIECE

#: A variance is rounding if it is below the square of this times the mean; digits that may cancel in sums.
NOISE, CANCELLED = 1e-12, 1e3


class Design:
    """Rows whose weights are positive, and the moments of their columns.

    Vectors over columns have the dense columns first, then the sparse columns that have a value in some row.

    Parameters
    ----------
    block : Block
    centre : bool
        Whether to subtract the means of the dense columns.

    Attributes
    ----------
    split : Split
        The order of the columns.
    n : int
    dense : ndarray of shape (n, n_dense)
        Not centred.
    rows : CSR or None
        The sparse columns for the kernels.
    y, weight : ndarray
        Targets, and weights of mean 1 or None.
    mean, square : ndarray of shape (width,)
        The means that are subtracted, 0 for sparse columns, and the mean squares of what is left.
    """

    def __init__(self, block: Block, centre: bool):
        rows = Rows(block.X, block.y, block.weight)
        rows = rows if block.present is None else rows.take(block.present)
        X, y, weight = rows.X, rows.y, rows.weight
        self.n, self.y, self.weight = X.shape[0], y, None if weight is None else weight / weight.mean()
        self.split = Split.of(block, empty=False)
        dense, self._sparse = self.split.parts(X)
        self.dense, self.rows = unlocked(dense), None
        if self._sparse is not None:
            self.rows = Block(self._sparse, y).rows
            arrays = (np.square(self._sparse.data, dtype=np.float64), self._sparse.indices, self._sparse.indptr)
            self._squares = sp.csr_array(arrays, shape=self._sparse.shape)
        self._find_moments(centre)

    def _find_moments(self, centre: bool) -> None:
        n_dense = self.split.n_dense
        self.mean, self._direct = np.zeros(self.split.width), False
        share = np.full((self.n, 1), 1.0 / self.n) if self.weight is None else self.weight[:, None] / self.n
        if centre:
            means = sum((share[part, 0] @ Z for part, Z in self._pieces()), np.zeros(n_dense))
            self.mean[:n_dense] = np.where(np.isfinite(means), means, 0.0)
        self.square = self.square_sums(share)[0]
        self.square[self.square <= (NOISE * self.mean) ** 2] = 0.0
        # Products of rows that are not centred, and then of their means, lose no digits that matter.
        near = np.abs(self.mean) <= CANCELLED * np.sqrt(self.square)
        self._direct = self.dense.dtype == np.float64 and bool(near.all())

    def _pieces(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Some rows at a time: their places, and their dense columns, centred, in memory that is used again."""
        n_dense = self.split.n_dense
        size = max(256, PIECE // max(n_dense, 1))
        room = np.empty((min(size, self.n), n_dense))
        for first in range(0, self.n if n_dense else 0, size):
            part = slice(first, min(first + size, self.n))
            yield part, np.subtract(self.dense[part], self.mean[:n_dense], out=room[: part.stop - first])

    def products(self, w: np.ndarray) -> np.ndarray:
        """Rows times weights (m, width): (n, m)."""
        n_dense = self.split.n_dense
        result, ours = np.zeros((self.n, len(w))), w[:, :n_dense]
        if self._direct:
            _multiply(self.dense, ours, result)
            result -= ours @ self.mean[:n_dense]
        else:
            for part, Z in self._pieces():
                _multiply(Z, ours, result[part])
        if self._sparse is not None:
            result += self._sparse @ np.ascontiguousarray(w.T)
        return result

    def norms(self, scale: np.ndarray) -> np.ndarray:
        """The squared norms of the rows in the metric diag(scale)."""
        result = np.zeros(self.n)
        for part, Z in self._pieces():
            Z *= Z
            result[part] = Z @ scale[: self.split.n_dense]
        if self._sparse is not None:
            result += self._squares @ scale
        return result

    def sums(self, slopes: np.ndarray) -> np.ndarray:
        """The sums of the rows times slopes (n, K): (K, width)."""
        n_dense = self.split.n_dense
        result = np.zeros((slopes.shape[1], self.split.width))
        if self._sparse is not None:
            result += (self._sparse.T @ slopes).T
        if self._direct:
            _multiply(self.dense.T, slopes.T, result[:, :n_dense].T)
            result[:, :n_dense] -= np.outer(slopes.sum(axis=0), self.mean[:n_dense])
        else:
            for part, Z in self._pieces():
                result[:, :n_dense] += slopes[part].T @ Z
        return result

    def square_sums(self, bends: np.ndarray) -> np.ndarray:
        """The sums of their squares times bends (n, K): (K, width)."""
        n_dense = self.split.n_dense
        result = np.zeros((bends.shape[1], self.split.width))
        if self._sparse is not None:
            result += (self._squares.T @ bends).T
        for part, Z in self._pieces():
            Z *= Z
            result[:, :n_dense] += bends[part].T @ Z
        return result


def _multiply(Z: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
    """Z w' into `out`; vector by vector where there are few, which BLAS is faster at."""
    if len(w) > 2:
        np.matmul(Z, w.T, out=out)
        return
    for k, vector in enumerate(w):
        out[:, k] = Z @ vector
