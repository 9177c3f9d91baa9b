"""Parquet files."""

from __future__ import annotations

import functools
import os
from typing import Any

from .arrow import ArrowSource
from .optional import load
from .paths import files
from .source import Source

__all__ = ["ParquetSource"]


class ParquetSource(ArrowSource):
    """Parquet files. Parts are row groups, and are decoded block by block whatever their size.

    Parameters
    ----------
    path : str, path or list of these
        Files, folders (with all ``.parquet`` files in them), or patterns such as ``"train/*.parquet"``. In a folder,
        directories named as in ``year=2020/`` add a column. For remote files, see `ArrowSource`.
    target : str, list of str, or None
        The column of the targets; a list, of any length, for targets of shape (n, K); None where rows are for
        predictions only.
    weight : str, default=None
        The column of the row weights.
    features : list of str, default=None
        The columns of X; None for all others, in the order of the first file, except the index of a
        data frame.
    filter : pyarrow.compute.Expression, default=None
        The rows to read; see `ArrowSource`.
    **options : dict
        `memory_limit`, `block_rows`, `buffer_rows`, `classes`, `on_bad_block`: see `Source`.

    Raises
    ------
    ImportError
        Without pyarrow, the extra ``stream``.
    BlockError
        Where a file is damaged or differs from the first in its columns. With ``on_bad_block="skip"`` not before it is
        read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import pyarrow as pa, pyarrow.parquet as pq
    >>> from sksgd.stream import ParquetSource
    >>> table = pa.table({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6], "y": [0, 1, 0]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pq.write_table(table, pathlib.Path(folder, "train.parquet"), row_group_size=2)
    ...     source = ParquetSource(folder, target="y")
    ...     for part in range(source.n_parts):
    ...         for X, y, sample_weight in source.read(part):
    ...             print(X.tolist(), y)
    [[1.0, 4.0], [2.0, 5.0]] [0 1]
    [[3.0, 6.0]] [0]
    """

    def __init__(
        self,
        path: Any,
        target: str | list[str] | None,
        *,
        weight: str | None = None,
        features: list[str] | None = None,
        filter: Any = None,
        **options: Any,
    ):
        Source.__init__(self, **options)
        self.path, self.target, self.weight, self.features, self.filter = path, target, weight, features, filter
        ds = load("pyarrow.dataset", "ParquetSource")
        found = files(path, (".parquet", ".parq", ".pq"), self)
        hive: dict[str, Any] = {}
        if isinstance(path, (str, os.PathLike)) and os.path.isdir(path):
            hive = {"partitioning": "hive", "partition_base_dir": os.fspath(path)}
        dataset = functools.partial(ds.dataset, format="parquet", **hive)
        # Of the first file in the list, with types for the names of directories that fit all of them.
        schema = next(self._schemas(lambda file: dataset([file, *found] if hive else [file]).schema, found))
        self._plan(dataset(found, schema=schema))
