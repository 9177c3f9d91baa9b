"""Files in the format of svmlight and libsvm."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_svmlight_file

from ..checks import require, require_count
from .paths import files
from .source import Source

__all__ = ["SVMLightSource"]

_SUFFIXES = (".svm", ".svmlight", ".libsvm", ".txt")
_COMPRESSED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}
#: A stored value is at least four characters of text (as in "1:1 "), 12 bytes in memory, and more while it is parsed.
_TEXT_SHARE = 128
#: All but the label of a line: what comes after it, and blanks before it.
_REST = re.compile(rb"(?m)^[ \t]+|[ \t#][^\n]*")


class _Part(NamedTuple):
    """The lines that begin in a range of bytes; all of them in a compressed file."""

    path: str
    start: int
    end: int | None


class SVMLightSource(Source):
    r"""Sparse rows in svmlight or libsvm files, parsed by scikit-learn. Parts are ranges of bytes, of a block each.

    A compressed file (``.gz``, ``.bz2``) cannot be entered in the middle, and is one part.

    Parameters
    ----------
    path : str, path or list of these
        Files, folders (with all files ending in ``.svm``, ``.svmlight``, ``.libsvm`` or ``.txt``, compressed or not),
        or patterns.
    n_features : int
        The number of columns, which the files do not tell.
    zero_based : bool, default=False
        Whether columns are counted from 0, else from 1. A file with column 0 is refused unless this is True.
    dtype : {"float64", "float32"}, default="float64"
        Of the values.
    **options : dict
        `memory_limit`, `block_rows`, `buffer_rows`, `classes`, `on_bad_block`: see `Source`.

    Notes
    -----
    Query ids (``qid:3``) are passed over; files with several labels a row are refused.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from sksgd.stream import SVMLightSource
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "train.svm")
    ...     _ = file.write_text("1 1:0.5 3:2\n-1 2:1\n")
    ...     X, y, sample_weight = next(SVMLightSource(file, n_features=3).read(0))
    >>> X.toarray(), y
    (array([[0.5, 0. , 2. ], [0. , 1. , 0. ]]), array([ 1., -1.]))
    """

    def __init__(self, path: Any, n_features: int, *, zero_based: bool = False, dtype: Any = "float64", **options: Any):
        super().__init__(**options)
        self.path, self._width, self.zero_based, self.dtype = path, n_features, zero_based, dtype
        require_count(self, "n_features")
        require(isinstance(zero_based, bool), self, "zero_based", zero_based, "must be True or False")
        require(np.dtype(dtype) in (np.float32, np.float64), self, "dtype", dtype, "must be 'float64' or 'float32'")
        found = files(path, (*_SUFFIXES, *(kind + end for kind in _SUFFIXES for end in _COMPRESSED)), self)
        self._parts = [part for file in found for part in self._ranges(file)]
        if not self._parts:
            raise ValueError(f"{self!r} has no rows: all its files are empty.")

    def _ranges(self, path: str) -> list[_Part]:
        size = os.path.getsize(path)
        if path.endswith(tuple(_COMPRESSED)):
            return [_Part(path, 0, None)]
        return [_Part(path, start, min(start + self._text, size)) for start in range(0, size, self._text)]

    @property
    def _text(self) -> int:
        """Bytes of text in a block."""
        return max(self.memory_bytes // _TEXT_SHARE, 1)

    @property
    def n_parts(self) -> int:  # type: ignore[override]
        """How many parts there are."""
        return len(self._parts)

    @property
    def n_features(self) -> int:
        """The number of columns of X."""
        return self._width

    @property
    def rows_per_block(self) -> int:
        """The most rows of a block."""
        return int(self.block_rows or self._text)

    def name(self, part: int) -> str:
        path, start, end = self._parts[part]
        return path if end is None else f"{path}, bytes {start} to {end}"

    def blocks(self, part: int) -> Iterator[Any]:
        return map(self._parsed, self._lines(self._parts[part]))

    def targets(self, part: int) -> Iterator[Any]:
        return ((self._parsed(_REST.sub(b"", text))[1], None) for text in self._lines(self._parts[part]))

    def _parsed(self, text: bytes) -> tuple[Any, np.ndarray]:
        X, y = load_svmlight_file(
            io.BytesIO(text), n_features=self._width, dtype=self.dtype, zero_based=self.zero_based
        )
        if len(X.data) <= np.iinfo(np.int32).max >= self._width:
            X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
        return X, y

    def _lines(self, part: _Part) -> Iterator[bytes]:
        """Whole lines, a block at a time.

        The `offset` of scikit-learn's reader is of no use: after a comment at the end of a range it reads a row of the
        next one.
        """
        path, start, end = part
        with _COMPRESSED.get(os.path.splitext(path)[1], open)(path, "rb") as file:
            if start:
                file.seek(start - 1)
                file.readline()
            while True:
                text = self._text if end is None else min(self._text, end - file.tell())
                if text <= 0:
                    return
                # `readlines` ends after the line with which it has more than the hint, and takes 0 for no hint.
                lines = file.readlines(text - 1) if text > 1 else [file.readline()]
                if not any(lines):
                    return
                yield b"".join(lines)
