"""Arrays as the kernels want them, copied only where it must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp


class _Memory:
    """The memory of an array, without the mark of being read-only."""

    def __init__(self, array: np.ndarray):
        self.array = array  # which keeps it alive
        described = array.__array_interface__
        self.__array_interface__ = {**described, "data": (described["data"][0], False)}


def unlocked(array: np.ndarray) -> np.ndarray:
    """The same memory as an array that is not read-only: kernels do not write to rows, but would be compiled anew."""
    return array if array.flags.writeable else np.asarray(_Memory(array))


#: What all rows weigh where no weights are given.
_ONE = np.ones(1)


def as_weights(weight: Any) -> np.ndarray:
    """Row weights, None or 1.0 if there are none, as an array in any case, lest kernels be compiled for both.

    An array of one stands for any number of rows.
    """
    return weight if isinstance(weight, np.ndarray) else _ONE


def canonical(X: Any) -> Any:
    """`X` as the kernels want it: C-contiguous, or CSR without duplicates; copied only where it is neither."""
    if not sp.issparse(X):
        return np.ascontiguousarray(X)
    X = X.tocsr()
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
