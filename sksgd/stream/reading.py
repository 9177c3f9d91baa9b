"""From what a source yields to what it promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _get_feature_names

from ..core.errors import BlockError

if TYPE_CHECKING:
    from .source import Source

#: Bytes that a value takes which is not a number: a string of middling length, as a Python object.
TEXT_BYTES = 64


class Reading(Iterator[Any]):
    """The blocks of a part: checked, cut, never empty, and with errors that name the part."""

    def __init__(self, source: Source, part: int, blocks: Iterator[Any], check: Callable[[Any, Reading], Any]):
        self.source, self.part, self.blocks, self.check = source, part, blocks, check
        self.pieces: Iterator[Any] = iter(())
        self.n_features, self.rows = source.n_features, source.rows_per_block
        #: The columns of data frames: where they are not known before reading, those of the first.
        self.names = None if self.n_features is None else source.feature_names

    def __next__(self) -> Any:
        while True:
            for piece in self.pieces:
                return piece
            try:
                block = self.check(next(self.blocks), self)
            except (StopIteration, MemoryError):
                raise
            except BlockError as error:
                error.where = error.where or self.source.name(self.part)
                raise
            except Exception as error:
                reason = f"cannot be read: {type(error).__name__}: {error}"
                raise BlockError(reason, self.source.name(self.part)) from error
            self.pieces = self._cut(block)

    def _cut(self, block: tuple[Any, ...]) -> Iterator[Any]:
        n = block[0].shape[0]
        rows = self.rows or n
        if n <= rows:
            return iter([block] if n else [])
        parts = (slice(start, start + rows) for start in range(0, n, rows))
        return (tuple(None if array is None else array[part] for array in block) for part in parts)


def checked(block: Any, reading: Reading) -> tuple[Any, np.ndarray | None, np.ndarray | None]:
    """A block as `Source.read` promises it."""
    X, *rest = checked_frame(block, reading)
    return _matrix(X), *rest


def checked_frame(block: Any, reading: Reading) -> tuple[Any, np.ndarray | None, np.ndarray | None]:
    """A block as `Source.frames` promises it: X is 2-dimensional, and may hold anything."""
    if not isinstance(block, tuple) or len(block) not in (2, 3):
        raise BlockError(f"a block must be a tuple (X, y) or (X, y, sample_weight), not a {type(block).__name__}.")
    X, (y, weight) = block[0], (None, None) if block[1] is None else checked_targets(block[1:], reading)
    X = _in_order(X, reading) if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) != 2:
        raise BlockError(f"X must be 2-dimensional, (rows, features), but has shape {X.shape}.")
    n, d = X.shape
    if reading.n_features is None:
        reading.n_features = d
    if d != reading.n_features:
        raise BlockError(f"X has {d} columns, where {reading.n_features} are expected.")
    if y is not None and len(y) != n:
        raise BlockError(f"X has {n} rows, but y has {len(y)}.")
    if reading.rows is None and n:
        reading.rows = reading.source.rows_of_size(row_bytes(X))
    return X, y, weight


def _in_order(X: Any, reading: Reading) -> Any:
    """The columns of a data frame that are wanted, in their order; an array as it is."""
    names = column_names(X)
    if names is None:
        return X
    if reading.names is None:
        reading.names = names
    for name in reading.names:
        if name not in names:
            raise BlockError(f"the column is missing. The columns here are {names}.", column=name)
    return X if names == reading.names else X[reading.names]


def column_names(X: Any) -> list[str] | None:
    """The columns of a data frame, if it is one and they are strings."""
    names = _get_feature_names(X)
    return None if names is None else names.tolist()


def checked_targets(block: Any, reading: Reading) -> tuple[np.ndarray, np.ndarray | None]:
    """Targets and weights as `Source.read_targets` promises them."""
    if block[0] is None:
        raise BlockError("there are no targets: y is None. Only predictions can do without.")
    y, weight = np.asarray(block[0]), block[1] if len(block) > 1 else None
    if y.ndim not in (1, 2):
        raise BlockError(f"y must have shape (n,) or (n, n_outputs), not {y.shape}.")
    if weight is not None:
        weight = np.asarray(weight, dtype=np.float64)
        if weight.shape != y.shape[:1]:
            raise BlockError(f"sample_weight must have shape {y.shape[:1]}, as y has rows, not {weight.shape}.")
    return y, weight


def row_bytes(X: Any) -> float:
    """About the bytes of a row, the same for a data frame or array as for the matrix that it becomes."""
    n, d = X.shape
    dtypes = list(X.dtypes) if hasattr(X, "columns") else [X.dtype]
    size = 4 if all(is_narrow(dtype) for dtype in dtypes) else 8
    if sp.issparse(X):
        return X.nnz / max(n, 1) * (size + 4) + 8
    each = d // max(len(dtypes), 1)
    return float(sum(each * (size if dtype.kind in "biuf" else TEXT_BYTES) for dtype in dtypes))


def is_narrow(dtype: Any) -> bool:
    """Whether float32 holds values of a dtype of NumPy or pandas as exactly as they are."""
    dtype = getattr(dtype, "subtype", dtype)  # that of sparse columns
    return dtype.kind == "f" and dtype.itemsize <= 4


def _matrix(X: Any) -> Any:
    """C-ordered or CSR, float64 or float32."""
    if not sp.issparse(X):
        X = np.asarray(X)
    if X.dtype.kind not in "biuf":
        raise BlockError(f"X must hold numbers, but has dtype {X.dtype}.")
    dtype = np.float32 if is_narrow(X.dtype) else np.float64
    if sp.issparse(X):
        return X.tocsr().astype(dtype, copy=False)
    return np.ascontiguousarray(X, dtype=dtype)
