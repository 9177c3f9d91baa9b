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


def canonical(X: Any) -> Any:
    """`X` as the kernels want it: C-contiguous, or CSR without duplicates; copied only where it is neither."""
    if not sp.issparse(X):
        return np.ascontiguousarray(X)
    X = X.tocsr()
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X
