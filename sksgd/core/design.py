"""The rows of a fit as first-order steps want them: dense columns centred, sparse ones not, empty ones left out."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from .arrays import unlocked
from .batches import Block
from .feed import Feed
from .split import Split

#: Numbers that are centred at a time, which stay in the second cache.
PIECE = 1 << 16
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


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """The moments of the columns over all rows; vectors have the order of a `Split`.

    Parameters
    ----------
    mean, square : ndarray of shape (width,)
        The means that are subtracted, 0 for sparse columns, and the mean squares of what is left.
    direct : bool
        Whether products of rows that are not centred, and then of their means, lose no digits that matter.
    """

    mean: np.ndarray
    square: np.ndarray
    direct: bool

    @classmethod
    def of(cls, rows: Any, split: Split, centre: bool, dtype: Any) -> Self:
        """From the sums `means` and `squares` of a `Design`; `centre`: subtract the means of dense columns."""
        mean = np.zeros(split.width)
        if centre:
            means = rows.means()
            mean[: split.n_dense] = np.where(np.isfinite(means), means, 0.0)
        square = np.array(rows.squares(mean))
        square[square <= (NOISE * mean) ** 2] = 0.0
        near = np.abs(mean) <= CANCELLED * np.sqrt(square)
        return cls(mean, square, dtype == np.float64 and bool(near.all()))


class Design:
    """The rows present in a feed, some or all of a fit; the columns not centred before `placed` says how.

    Vectors over columns have the dense columns first, then the sparse columns that have a value in some row.

    Parameters
    ----------
    feed : Feed
    split : Split
        The order of the columns.
    n_all, mean_weight : int, float
        The number of all rows of the fit, and the mean of their weights.

    Attributes
    ----------
    n : int
    y, weight : ndarray
        Targets, and weights, 1 in the mean over all rows, or None.
    mean, square : ndarray of shape (width,)
        See `Moments`.
    """

    def __init__(self, feed: Feed, split: Split, n_all: int, mean_weight: float):
        self.feed, self.split, targets = feed, split, feed.targets
        self.n, self.y, weight = len(feed), targets.y, targets.weight
        self.weight = None if weight is None else weight / mean_weight
        self.n_all, self.mean_weight = n_all, mean_weight
        self.mean = self.square = np.zeros(split.width)
        self._direct = False
        #: Rows in memory, split once.
        self._held = list(self._parts()) if feed.in_memory else []

    @classmethod
    def of(cls, feed: Feed, centre: bool) -> Self:
        """All rows of a fit."""
        design = cls(feed, Split.of(feed, empty=False), len(feed), feed.total_weight / max(len(feed), 1))
        return design.placed(Moments.of(design, design.split, centre, feed.dtype))

    def placed(self, moments: Moments) -> Self:
        """The same rows, centred."""
        other = copy.copy(self)
        other.mean, other.square, other._direct = moments.mean, moments.square, moments.direct
        return other

    # ---- rows --------------------------------------------------------------------------------------------------------

    def parts(self) -> Iterator[Part]:
        """The rows in their own order."""
        return iter(self._held) if self._held else self._parts()

    def _parts(self) -> Iterator[Part]:
        first = 0
        for block in self.feed.blocks():
            X = block.X if block.present is None else block.X[block.present]
            at = slice(first, first + len(block))
            yield Part(at, X, self.y[at], self.split)
            first += len(block)

    def visits(self, order: Any) -> Iterator[tuple[Part, np.ndarray]]:
        """All rows in an order of the feed, part by part: those of the part in their order."""
        for block, rows, _ in self.feed.visits(order):
            if self._held:
                yield self._held[0], rows
            else:
                yield Part(block.at, block.X, block.y, self.split), rows

    @property
    def moments(self) -> Moments:
        """What `placed` was given."""
        return Moments(self.mean, self.square, self._direct)

    @property
    def nbytes(self) -> int:
        """The memory of what is held beside the rows as they came."""
        sparse = [part.sparse for part in self._held if part.sparse is not None]
        dense = sum(part.dense.nbytes for part in self._held) if self.feed.sparse else 0
        return dense + sum(X.data.nbytes + X.indices.nbytes for X in sparse)

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

    def _share(self) -> np.ndarray:
        """The share (n, 1) of each row in means over all rows."""
        if self.weight is None:
            return np.full((self.n, 1), 1.0 / self.n_all)
        return self.weight[:, None] / self.n_all

    def means(self) -> np.ndarray:
        """These rows' part of the means of the dense columns."""
        means, share = np.zeros(self.split.n_dense), self._share()
        for part in self.parts():
            own = share[part.at, 0]
            for piece, Z in self._pieces(part):
                means += own[piece] @ Z
        return means

    def squares(self, mean: np.ndarray) -> np.ndarray:
        """These rows' part of the mean squares (width,) of the columns less these means."""
        return self.placed(Moments(mean, mean, False)).square_sums(self._share())[0]

    # ---- sums over the rows -----------------------------------------------------------------------------------------

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
