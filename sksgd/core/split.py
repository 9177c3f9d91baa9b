"""Columns split into dense ones, which can be centred, and sparse ones, which must not be."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

#: The share of rows in which a column of a sparse matrix must have a value to be taken as dense.
DENSE = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """An order of the columns in which the dense ones come first.

    All columns of an array are dense; of CSR rows those with values in more than a quarter of the rows.

    Parameters
    ----------
    n_features, n_dense : int
    columns : ndarray of shape (n_features,) or None
        The columns in that order; None where it is their own.
    """

    n_features: int
    n_dense: int
    columns: np.ndarray | None

    @classmethod
    def of(cls, X: Any) -> Self:
        """The split that suits these rows."""
        n, d = X.shape
        if not sp.issparse(X):
            return cls(d, d, None)
        dense = np.bincount(X.indices, minlength=d) > DENSE * n
        n_dense = int(dense.sum())
        moves = 0 < n_dense < d
        return cls(d, n_dense, np.argsort(~dense, kind="stable") if moves else None)

    def parts(self, X: Any) -> tuple[np.ndarray, Any]:
        """The dense columns (n, n_dense), and the others as CSR of shape (n, n_features) or None if there are none.

        Indices of the others are places in the order: they begin at `n_dense`.
        """
        if self.n_dense == self.n_features:
            return np.ascontiguousarray(X.toarray() if sp.issparse(X) else X), None
        X = sp.csr_array(X)
        if self.columns is None:
            return np.empty((X.shape[0], 0), X.dtype), X
        place = np.empty(self.n_features, X.indices.dtype)
        place[self.columns] = np.arange(self.n_features)
        indices, rows = place[X.indices], np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        of_dense = indices < self.n_dense
        dense = np.zeros((X.shape[0], self.n_dense), X.dtype)
        dense[rows[of_dense], indices[of_dense]] = X.data[of_dense]
        begins = np.concatenate([[0], np.cumsum(~of_dense)]).astype(X.indptr.dtype)[X.indptr]
        return dense, sp.csr_array((X.data[~of_dense], indices[~of_dense], begins), shape=X.shape)

    def inwards(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n_features) of the columns, in the order."""
        return values if self.columns is None else values[..., self.columns]

    def outwards(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n_features) in the order, column by column again."""
        if self.columns is None:
            return values
        result = np.empty_like(values)
        result[..., self.columns] = values
        return result
