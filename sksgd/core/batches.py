"""Blocks of rows: the one form in which data reach the loop, whatever they came from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..base import Loss, Sampler
from .arrays import as_weights, canonical, unlocked
from .feed import Feed, Order
from .rows import Rows
from .state import State


class Block(Feed):
    """Rows in memory with their targets and weights, ready for the kernels: the feed of one block.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n, d), float64 or float32
        Taken as it is where C-contiguous; else copied once.
    y : ndarray of shape (n, K) or, for a joint loss, (n, 1)
        Coded targets, float64.
    weight : ndarray of shape (n,) or None
        Row weights. Rows of weight zero count as absent.
    source : str, offset : int
        Where the rows come from: row i of the block is row ``offset + i`` of the source.
    as_given : bool
        Leave CSR rows as they are, duplicates and all, and count rows of weight zero as rows: for plain SGD only.
    """

    in_memory = True

    def __init__(
        self,
        X: Any,
        y: np.ndarray,
        weight: np.ndarray | None = None,
        source: str = "memory",
        offset: int = 0,
        as_given: bool = False,
    ):
        self.X, self.as_given = X if as_given else canonical(X), as_given
        self.y = unlocked(np.ascontiguousarray(y, dtype=np.float64))
        self.source, self.offset = source, offset
        #: The places of the rows among those present in the feed that they are a part of.
        self.at: Any = slice(None)
        self.present: np.ndarray | None = None
        if weight is not None and not as_given and (weight == 0).any():
            # In the integers of a sampler's order, or kernels would be compiled for others too.
            self.present = np.flatnonzero(weight).astype(np.int32 if len(weight) < 2**31 else np.int64, copy=False)
        self.weight = None if weight is None else unlocked(weight)
        self._split: Any = None
        self._parts: Any = None

    def __len__(self) -> int:
        """The number of rows present."""
        return self.X.shape[0] if self.present is None else len(self.present)

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        return self.X.shape

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.X.dtype

    @property
    def sparse(self) -> bool:  # type: ignore[override]
        return sp.issparse(self.X)

    @functools.cached_property
    def rows(self) -> Any:
        """The rows as a tuple of arrays, for the kernels."""
        from ..kernels.rows import CSR, Dense

        if not sp.issparse(self.X):
            return Dense(unlocked(self.X))
        # Few types, or kernels would be compiled for more.
        limit = np.iinfo(np.int32).max
        narrow = self.X.shape[1] <= limit
        indices = self.X.indices.astype(np.int32, copy=False) if narrow else self.X.indices
        indptr = self.X.indptr.astype(np.int32, copy=False) if len(self.X.data) <= limit else self.X.indptr
        indices = indices.view(np.uint32 if narrow else np.uint64)
        return CSR(unlocked(self.X.data), unlocked(indices), unlocked(indptr))

    def parts(self, split: Any) -> tuple[Any, Any]:
        """The dense columns (n, m) of a `Split`, and the others as a tuple of arrays or None, for the kernels."""
        if self._split is not split:
            dense, others = split.parts(self.X)
            rest = None if others is None else Block(others, self.y).rows
            self._split, self._parts = split, (unlocked(dense), rest)
        return self._parts

    @functools.cached_property
    def squares(self) -> np.ndarray:  # type: ignore[override]
        """Squared norms of the rows present."""
        if sp.issparse(self.X):
            squares = np.asarray(self.X.multiply(self.X).sum(axis=1)).reshape(-1)
        else:
            squares = np.einsum("ij,ij->i", self.X, self.X, dtype=np.float64)
        return squares if self.present is None else squares[self.present]

    @property
    def total_weight(self) -> float:  # type: ignore[override]
        """The sum of the row weights."""
        if self.weight is None:
            return float(len(self))
        # Without zeros in between, which would change how the sum is rounded.
        return float((self.weight if self.present is None else self.weight[self.present]).sum())

    @property
    def width(self) -> float:  # type: ignore[override]
        """The mean number of stored values in a row."""
        return max(1.0, self.X.nnz / max(1, self.X.shape[0]) if sp.issparse(self.X) else self.X.shape[1])

    @property
    def places(self) -> np.ndarray:
        """The numbers of the rows present."""
        n = self.X.shape[0]
        if self.present is not None:
            return self.present
        return np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)

    @property
    def targets(self) -> Rows:  # type: ignore[override]
        """Coded targets and weights of the rows present."""
        all_rows = Rows(None, self.y, self.weight)
        return all_rows if self.present is None else all_rows.take(self.present)

    def take(self, rows: np.ndarray) -> Block:
        """The block of some of the rows, by row number, in ascending order."""
        rows = np.sort(rows)
        weight = None if self.weight is None else self.weight[rows]
        return Block(self.X[rows], self.y[rows], weight, as_given=self.as_given)

    def normalise(self) -> None:
        """Scale the weights to mean 1 over the rows present."""
        if self.weight is not None:
            self.weight = self.weight * (len(self) / self.total_weight)

    def visit(self, order: np.ndarray, factor: np.ndarray | None) -> tuple[np.ndarray, Any]:
        """Row numbers and row weights (1.0 if there are none) for positions among the rows present."""
        # The kernels count on it, and a sampler of somebody's own may return a view with gaps.
        rows = np.ascontiguousarray(order) if self.present is None else self.present[order]
        weight: Any = 1.0 if self.weight is None else self.weight[rows]
        return rows, weight if factor is None else np.ascontiguousarray(weight * factor)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what can be found anew; arrays that come read-only out of a pickle are unlocked.
        return Block, (self.X, self.y, self.weight, self.source, self.offset, self.as_given)

    # ---- as a feed ---------------------------------------------------------------------------------------------------

    def blocks(self) -> Iterator[Block]:
        yield self

    def orders(self, sampler: Sampler, state: State) -> Iterator[Order]:
        norms = self.norms if sampler.needs_norms else None
        return sampler.orders(len(self), state.seed, state.n_passes, norms)

    def visits(self, order: Any, factor: np.ndarray | None = None) -> Iterator[tuple[Block, np.ndarray, Any]]:
        yield self, order, factor

    def rows_at(self, places: np.ndarray) -> Rows:
        return Rows(self.X, self.y, self.weight).take(places if self.present is None else self.present[places])

    def sample(self, order: Callable[[], Any], n: int) -> Rows:
        # One from each of n stretches: an order of all rows takes longer than what is done with the few.
        edges = np.linspace(0, len(self), n + 1).astype(np.int64)
        return self.rows_at(np.random.default_rng(0).integers(edges[:-1], edges[1:]))

    def glimpse(self, n: int) -> Rows:
        return self.rows_at(np.arange(0, len(self), max(1, len(self) // n)))

    def pieces(self, size: int) -> Iterator[tuple[slice, Any]]:
        for first in range(0, len(self), size):
            part = slice(first, min(first + size, len(self)))
            yield part, self.X[part if self.present is None else self.present[part]]

    def total_loss(self, loss: Loss, coef: np.ndarray, intercept: np.ndarray) -> float:
        from ..kernels.dense import total_loss

        return float(total_loss(loss, self.rows, self.y, as_weights(self.weight), coef, intercept))

    def _mean_loss_of(self, loss: Loss, intercept: np.ndarray) -> float:
        # The same rows without features, in arrays of the same types, for which no further kernel is compiled.
        X, shape = self.X, (self.X.shape[0], 0)
        none: Any = np.empty(shape, X.dtype)
        if sp.issparse(X):
            none = type(X)((X.data[:0], X.indices[:0], np.zeros_like(X.indptr)), shape=shape)
        rows = Block(none, self.y, self.weight)
        return rows.total_loss(loss, np.empty((len(intercept), 0), X.dtype), intercept) / rows.total_weight
