"""Columns split into dense ones, which can be centred, and sparse ones, which must not be."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import scipy.sparse as sp

from .arrays import unlocked

if TYPE_CHECKING:
    from .feed import Feed

#: The share of rows in which a column of a sparse matrix must have a value to be taken as dense.
DENSE = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """An order of the columns in which the dense ones come first.

    All columns of an array are dense; of CSR rows those with values in more than a quarter of the rows.

    Parameters
    ----------
    n_features, n_dense : int
    columns : ndarray of shape (width,) or None
        The columns in that order, perhaps without empty ones; None where it is their own.
    """

    n_features: int
    n_dense: int
    columns: np.ndarray | None

    @classmethod
    def of(cls, feed: Feed, empty: bool = True) -> Self:
        """The split that suits the rows, with or without the columns in which they have no values."""
        n, d = len(feed), feed.shape[1]
        if not feed.sparse:
            return cls(d, d, None)
        counts = feed.counts()
        dense = counts > DENSE * n
        n_dense, others = int(dense.sum()), ~dense if empty else (counts > 0) & ~dense
        if n_dense in (0, d) and (empty or (counts > 0).all()):
            return cls(d, n_dense, None)
        return cls(d, n_dense, np.concatenate([np.flatnonzero(dense), np.flatnonzero(others)]))

    @property
    def width(self) -> int:
        """The number of columns in the order."""
        return self.n_features if self.columns is None else len(self.columns)

    def parts(self, X: Any) -> tuple[np.ndarray, Any]:
        """The dense columns (n, n_dense), and the others as CSR of shape (n, width) or None if there are none.

        Indices of the others are places in the order: they begin at `n_dense`.
        """
        if self.n_dense == self.n_features:
            return np.ascontiguousarray(X.toarray() if sp.issparse(X) else X), None
        X, dense = sp.csr_array(X), np.zeros((X.shape[0], self.n_dense), X.dtype)
        if self.columns is None:
            return dense, X
        if self.width == self.n_dense:
            return np.ascontiguousarray(X[:, self.columns].toarray()), None
        from ..kernels.rows import part

        place = np.zeros(self.n_features, np.int64)
        place[self.columns] = np.arange(self.width)
        arrays = np.empty_like(X.data), np.empty_like(X.indices), np.zeros_like(X.indptr)
        n = part(unlocked(X.data), unlocked(X.indices), unlocked(X.indptr), place, dense, *arrays)
        return dense, sp.csr_array((arrays[0][:n], arrays[1][:n], arrays[2]), shape=(X.shape[0], self.width))

    def inwards(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n_features) of the columns, in the order."""
        return values if self.columns is None else values[..., self.columns]

    def outwards(self, values: np.ndarray, others: Any = 0.0) -> np.ndarray:
        """Values (..., width) in the order, column by column again: `others` where a column has none."""
        if self.columns is None:
            return values
        result = np.empty((*values.shape[:-1], self.n_features), values.dtype)
        result[...] = others
        result[..., self.columns] = values
        return result
