"""The rows of a fit in the form that first-order steps want: dense columns centred, sparse ones not, empty ones away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .batches import Block, unlocked
from .split import Split
from .sweeps import KEPT, PIECE

#: A variance is rounding if it is below the square of this times the mean.
NOISE = 1e-12


class Design:
    """Rows whose weights are positive, and the moments of their columns.

    Vectors over columns have the dense columns first, then the sparse columns that have a value in some row: `inwards`
    and `outwards` change from and to the order of the features.

    Parameters
    ----------
    block : Block
    centre : bool
        Whether to subtract the means of the dense columns.

    Attributes
    ----------
    n, width : int
        The numbers of rows and columns.
    dense : ndarray of shape (n, n_dense)
    sparse : CSR array of shape (n, width - n_dense), or None
    y, weight : ndarray
        Targets, and weights of mean 1 or None.
    mean, square : ndarray of shape (width,)
        The means that are subtracted, 0 for sparse columns, and the mean squares of what is left.
    """

    def __init__(self, block: Block, centre: bool):
        X, y, weight = block.X, block.y, block.weight
        if block.present is not None:
            X, y, weight = X[block.present], y[block.present], weight[block.present]
        split = Split.of(X)
        self.n, self.n_features = X.shape
        dense, self.sparse = split.parts(X)
        self.dense = unlocked(dense)
        self.y, self.weight = y, None if weight is None else weight / weight.mean()
        self.columns = split.columns
        if self.sparse is not None:
            self._leave_out_empty(split)
        self.width = self.dense.shape[1] + (0 if self.sparse is None else self.sparse.shape[1])
        self._find_moments(centre)
        #: The sparse columns for the kernels, or None.
        self.rows = None if self.sparse is None else Block(self.sparse, y, None).rows

    def _leave_out_empty(self, split: Split) -> None:
        d, n_dense = split.n_features, split.n_dense
        used = np.zeros(d, bool)
        used[self.sparse.indices] = True
        kept = np.flatnonzero(used)
        place = np.empty(d, self.sparse.indices.dtype)
        place[kept] = np.arange(len(kept))
        arrays = (self.sparse.data, place[self.sparse.indices], self.sparse.indptr)
        self.sparse = type(self.sparse)(arrays, shape=(self.n, len(kept)))
        kept = np.concatenate([np.arange(n_dense), kept])
        self.columns = kept if split.columns is None else split.columns[kept]

    def _find_moments(self, centre: bool) -> None:
        n_dense = self.dense.shape[1]
        self.mean, self.square = np.zeros(self.width), np.zeros(self.width)
        self._keep, self._kept = False, []
        share = np.full(self.n, 1.0 / self.n) if self.weight is None else self.weight / self.n
        if centre:
            means = sum((share[part] @ Z for part, Z in self._pieces()), np.zeros(n_dense))
            self.mean[:n_dense] = np.where(np.isfinite(means), means, 0.0)
        self._keep = self.n * n_dense <= KEPT
        self.square[:n_dense] = sum((share[part] @ (Z * Z) for part, Z in self._pieces()), np.zeros(n_dense))
        self.square[self.square <= (NOISE * self.mean) ** 2] = 0.0
        if self.sparse is not None:
            self._squares = self.sparse.multiply(self.sparse).tocsr()
            self.square[n_dense:] = self._squares.T @ share

    def _pieces(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Some rows at a time: their places, and their dense columns, centred; kept where that takes little."""
        n_dense = self.dense.shape[1]
        size = max(256, PIECE // max(n_dense, 1))
        for i, first in enumerate(range(0, self.n if n_dense else 0, size)):
            part = slice(first, min(first + size, self.n))
            if i < len(self._kept):
                yield part, self._kept[i]
                continue
            Z = self.dense[part] - self.mean[:n_dense]
            if self._keep:
                self._kept.append(Z)
            yield part, Z

    def inwards(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n_features) of the columns."""
        return values if self.columns is None else values[..., self.columns]

    def outwards(self, values: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Values (..., n_features) of the features: `others` where a column is empty."""
        if self.columns is None:
            return values
        result = others.copy()
        result[..., self.columns] = values
        return result

    def products(self, w: np.ndarray) -> np.ndarray:
        """Rows times weights (m, width): (n, m)."""
        n_dense = self.dense.shape[1]
        result = np.zeros((self.n, len(w)))
        for part, Z in self._pieces():
            np.matmul(Z, w[:, :n_dense].T, out=result[part])
        if self.sparse is not None:
            result += self.sparse @ np.ascontiguousarray(w[:, n_dense:].T)
        return result

    def norms(self, scale: np.ndarray) -> np.ndarray:
        """The squared norms of the rows in the metric diag(scale)."""
        n_dense = self.dense.shape[1]
        result = np.zeros(self.n)
        for part, Z in self._pieces():
            result[part] = (Z * Z) @ scale[:n_dense]
        if self.sparse is not None:
            result += self._squares @ scale[n_dense:]
        return result

    def sums(self, slopes: np.ndarray) -> np.ndarray:
        """The sums of the rows times slopes (n, K): (K, width)."""
        n_dense = self.dense.shape[1]
        result = np.zeros((slopes.shape[1], self.width))
        for part, Z in self._pieces():
            result[:, :n_dense] += slopes[part].T @ Z
        if self.sparse is not None:
            result[:, n_dense:] = (self.sparse.T @ slopes).T
        return result

    def square_sums(self, bends: np.ndarray) -> np.ndarray:
        """The sums of their squares times bends (n, K): (K, width)."""
        n_dense = self.dense.shape[1]
        result = np.zeros((bends.shape[1], self.width))
        for part, Z in self._pieces():
            result[:, :n_dense] += bends[part].T @ (Z * Z)
        if self.sparse is not None:
            result[:, n_dense:] = (self._squares.T @ bends).T
        return result
