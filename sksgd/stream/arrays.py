"""Arrays in memory or in files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import InvalidParameterError

from ..checks import require
from .reading import Reading, checked_frame, row_bytes
from .source import Source

__all__ = ["NumpySource"]


class NumpySource(Source):
    """Arrays, or `.npy` files that are read a block at a time. Parts are ranges of rows, of a block each.

    Parameters
    ----------
    X : array, sparse matrix, memory map, or path of a ``.npy`` file, of shape (n, n_features)
        Arrays and sparse matrices in memory are not copied if they are in C order, float64 or float32, or CSR.
    y : array, memory map, or path of a ``.npy`` file, of shape (n,) or (n, K), or None
        Targets; None where rows are for predictions only.
    sample_weight : array, memory map, or path of a ``.npy`` file, of shape (n,), default=None
        Row weights.
    **options : dict
        `memory_limit`, `block_rows`, `buffer_rows`, `classes`, `on_bad_block`: see `Source`.

    Notes
    -----
    Give paths rather than memory maps where the source is to be pickled: of a map, NumPy pickles all data.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from sksgd.stream import NumpySource
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "X.npy")
    ...     np.save(file, np.arange(6.0).reshape(3, 2))
    ...     source = NumpySource(file, [0, 1, 1], block_rows=2)
    ...     for part in range(source.n_parts):
    ...         X, y, sample_weight = next(source.read(part))
    ...         print(source.name(part).split(", ")[1], X.tolist(), y)
    rows 0 to 2 [[0.0, 1.0], [2.0, 3.0]] [0 1]
    rows 2 to 3 [[4.0, 5.0]] [1]
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any = None, **options: Any):
        super().__init__(**options)
        self.X, self.y, self.sample_weight = (_kept(values) for values in (X, y, sample_weight))
        shapes = {name: self._shape(name) for name in ("X", "y", "sample_weight")}
        require(len(shapes["X"] or ()) == 2, self, "X", shapes["X"], "must have shape (n, n_features)")
        require(len(shapes["y"] or (0,)) in (1, 2), self, "y", shapes["y"], "must have shape (n,) or (n, K)")
        assert shapes["X"] is not None
        self._n, self._d = shapes["X"]
        for name, shape in shapes.items():
            if shape is not None:
                require(shape[0] == self._n, self, name, shape, f"must have as many rows as X, {self._n}")
        if not self._n:
            raise ValueError(f"{self!r} has no rows.")
        #: Rows of a part; other options later do not change what a part is.
        self._part_rows = self.rows_of_size(self.row_bytes)

    def _shape(self, name: str) -> tuple[int, ...] | None:
        values = self._opened(name)
        return None if values is None else tuple(values.shape)

    def _opened(self, name: str) -> Any:
        """An array as it is; of a file, a memory map."""
        values = getattr(self, name)
        if not isinstance(values, str):
            return values
        what = (
            f"The {name!r} parameter of NumpySource must be an array or the path of a .npy file with numbers. Got "
            f"{values!r} instead: "
        )
        try:
            opened = np.load(values, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InvalidParameterError(f"{what}{error}") from error
        if not hasattr(opened, "shape"):
            raise InvalidParameterError(
                f"{what}it holds several arrays. Save each as a .npy file of its own, or pass np.load(path)[key]."
            )
        return opened

    @property
    def n_parts(self) -> int:  # type: ignore[override]
        """How many parts there are."""
        return -(-self._n // self._part_rows)

    @property
    def n_features(self) -> int:
        """The number of columns of X."""
        return self._d

    @property
    def row_bytes(self) -> float:  # type: ignore[override]
        """About how many bytes a row takes in memory."""
        return row_bytes(self._opened("X"))

    def _rows(self, part: int) -> slice:
        start = part * self._part_rows
        return slice(start, min(start + self._part_rows, self._n))

    def name(self, part: int) -> str:
        rows = self._rows(part)
        place = f"rows {rows.start} to {rows.stop}"
        return f"{self.X}, {place}" if isinstance(self.X, str) else place

    def n_rows(self, part: int) -> int:
        rows = self._rows(part)
        return rows.stop - rows.start

    @property
    def labelled(self) -> bool:  # type: ignore[override]
        """Whether there are targets."""
        return self.y is not None

    def blocks(self, part: int) -> Iterator[Any]:
        rows = self._rows(part)
        yield self._slice("X", rows), self._slice("y", rows), self._slice("sample_weight", rows)

    def targets(self, part: int) -> Iterator[Any]:
        rows = self._rows(part)
        yield self._slice("y", rows), self._slice("sample_weight", rows)

    def frames(self, part: int) -> Iterator[Any]:
        return Reading(self, part, self.blocks(self._known(part)), checked_frame)

    def _slice(self, name: str, rows: slice) -> Any:
        values = self._opened(name)
        if values is None:
            return None
        # A copy of a map, so that it is read here and now, and its pages can go.
        return np.array(values[rows]) if isinstance(values, np.memmap) else values[rows]


def _kept(values: Any) -> Any:
    """A path as a string, a sparse matrix as CSR, others as an array."""
    if values is None or isinstance(values, np.ndarray):
        return values
    if isinstance(values, (str, os.PathLike)):
        return os.fspath(values)
    return values.tocsr() if sp.issparse(values) else np.asarray(values)
