"""The rows of a fit as first-order steps want them: dense columns centred, sparse ones not, empty ones left out."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from .arrays import unlocked
from .batches import Block
from .feed import Feed
from .split import Split
from .sweeps import PIECE

#: A variance is rounding if it is below the square of this times the mean; digits that may cancel in sums.
NOISE, CANCELLED = 1e-12, 1e3


class Part:
    """Some of the rows.

    Attributes
    ----------
    at : slice or ndarray
        Their places among all rows.
    y : ndarray of shape (m, K)
    dense : ndarray of shape (m, n_dense)
        The dense columns, not centred.
    sparse : CSR array of shape (m, width) or None
        The others, at their places in the order of the columns.
    """

    def __init__(self, at: Any, X: Any, y: np.ndarray, split: Split):
        self.at, self.y = at, y
        dense, self.sparse = split.parts(X)
        self.dense = unlocked(dense)

    @functools.cached_property
    def rows(self) -> Any:
        """The sparse columns for the kernels, or None."""
        return None if self.sparse is None else Block(self.sparse, self.y).rows

    @functools.cached_property
    def squares(self) -> Any:
        """The sparse columns squared."""
        X = self.sparse
        return sp.csr_array((np.square(X.data, dtype=np.float64), X.indices, X.indptr), shape=X.shape)


class Design:
    """The rows present in a feed, and the moments of their columns.

    Vectors over columns have the dense columns first, then the sparse columns that have a value in some row.

    Parameters
    ----------
    feed : Feed
    centre : bool
        Whether to subtract the means of the dense columns.

    Attributes
    ----------
    split : Split
        The order of the columns.
    n : int
    y, weight : ndarray
        Targets, and weights of mean 1 or None.
    mean, square : ndarray of shape (width,)
        The means that are subtracted, 0 for sparse columns, and the mean squares of what is left.
    """

    def __init__(self, feed: Feed, centre: bool):
        self.feed, targets = feed, feed.targets
        self.n, self.y, weight = len(feed), targets.y, targets.weight
        self.weight = None if weight is None else weight / weight.mean()
        self.split = Split.of(feed, empty=False)
        self._held: list[Part] = []
        self._find_moments(centre)

    # ---- rows --------------------------------------------------------------------------------------------------------

    def parts(self) -> Iterator[Part]:
        """All rows in their own order; those in memory are split once."""
        if self._held:
            yield from self._held
            return
        first = 0
        for block in self.feed.blocks():
            X = block.X if block.present is None else block.X[block.present]
            at = slice(first, first + len(block))
            part = Part(at, X, self.y[at], self.split)
            if self.feed.in_memory:
                self._held.append(part)
            yield part
            first += len(block)

    def visits(self, order: Any) -> Iterator[tuple[Part, np.ndarray]]:
        """All rows in an order of the feed, part by part: those of the part in their order."""
        for block, rows, _ in self.feed.visits(order):
            if self._held:
                yield self._held[0], rows
            else:
                yield Part(block.at, block.X, block.y, self.split), rows

    @property
    def all_dense(self) -> bool:
        """Whether there are no sparse columns."""
        return self.split.n_dense == self.split.width

    def dense_at(self, places: np.ndarray) -> np.ndarray:
        """The dense columns of some rows, not centred."""
        return self.split.parts(self.feed.rows_at(places).X)[0]

    def _pieces(self, part: Part) -> Iterator[tuple[slice, np.ndarray]]:
        """Some rows of a part at a time: their places in it, and their dense columns, centred, in memory used again."""
        (n, n_dense), mean = part.dense.shape, self.mean[: self.split.n_dense]
        size = max(256, PIECE // max(n_dense, 1))
        room = np.empty((min(size, n), n_dense))
        for first in range(0, n if n_dense else 0, size):
            piece = slice(first, min(first + size, n))
            yield piece, np.subtract(part.dense[piece], mean, out=room[: piece.stop - first])

    # ---- moments -----------------------------------------------------------------------------------------------------

    def _find_moments(self, centre: bool) -> None:
        n_dense = self.split.n_dense
        self.mean, self._direct = np.zeros(self.split.width), False
        share = np.full((self.n, 1), 1.0 / self.n) if self.weight is None else self.weight[:, None] / self.n
        if centre:
            means = np.zeros(n_dense)
            for part in self.parts():
                own = share[part.at, 0]
                for piece, Z in self._pieces(part):
                    means += own[piece] @ Z
            self.mean[:n_dense] = np.where(np.isfinite(means), means, 0.0)
        self.square = self.square_sums(share)[0]
        self.square[self.square <= (NOISE * self.mean) ** 2] = 0.0
        # Products of rows that are not centred, and then of their means, lose no digits that matter.
        near = np.abs(self.mean) <= CANCELLED * np.sqrt(self.square)
        self._direct = self.feed.dtype == np.float64 and bool(near.all())

    # ---- sums over all rows ------------------------------------------------------------------------------------------

    def products(self, w: np.ndarray) -> np.ndarray:
        """Rows times weights (m, width): (n, m)."""
        n_dense, result = self.split.n_dense, self.feed.room(self.n, len(w))
        ours = w[:, :n_dense]
        for part in self.parts():
            own = result[part.at]
            own[...] = 0.0
            if self._direct:
                _multiply(part.dense, ours, own)
                own -= ours @ self.mean[:n_dense]
            else:
                for piece, Z in self._pieces(part):
                    _multiply(Z, ours, own[piece])
            if part.sparse is not None:
                own += part.sparse @ np.ascontiguousarray(w.T)
        return result

    def norms(self, scale: np.ndarray) -> np.ndarray:
        """The squared norms of the rows in the metric diag(scale)."""
        result = self.feed.room(self.n)
        for part in self.parts():
            own = result[part.at]
            own[...] = 0.0
            for piece, Z in self._pieces(part):
                Z *= Z
                own[piece] = Z @ scale[: self.split.n_dense]
            if part.sparse is not None:
                own += part.squares @ scale
        return result

    def sums(self, slopes: np.ndarray) -> np.ndarray:
        """The sums of the rows times slopes (n, K): (K, width)."""
        n_dense = self.split.n_dense
        result = np.zeros((slopes.shape[1], self.split.width))
        for part in self.parts():
            own = slopes[part.at]
            if part.sparse is not None:
                result += (part.sparse.T @ own).T
            if self._direct:
                products = np.empty((n_dense, len(result)))
                _multiply(part.dense.T, own.T, products)
                result[:, :n_dense] += products.T - np.outer(own.sum(axis=0), self.mean[:n_dense])
            else:
                for piece, Z in self._pieces(part):
                    result[:, :n_dense] += own[piece].T @ Z
        return result

    def square_sums(self, bends: np.ndarray) -> np.ndarray:
        """The sums of their squares times bends (n, K): (K, width)."""
        n_dense = self.split.n_dense
        result = np.zeros((bends.shape[1], self.split.width))
        for part in self.parts():
            own = bends[part.at]
            if part.sparse is not None:
                result += (part.squares.T @ own).T
            for piece, Z in self._pieces(part):
                Z *= Z
                result[:, :n_dense] += own[piece].T @ Z
        return result


def _multiply(Z: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
    """Z w' into `out`; vector by vector where there are few, which BLAS is faster at."""
    if len(w) > 2:
        np.matmul(Z, w.T, out=out)
        return
    for k, vector in enumerate(w):
        out[:, k] = Z @ vector
