"""Datasets of pyarrow's."""

from __future__ import annotations

import contextlib
import copy
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..checks import require
from ..core.errors import BlockError
from . import tables
from .columns import Columns
from .optional import load
from .reading import Reading, checked_frame
from .source import Source

__all__ = ["ArrowSource"]

#: Bytes read at a time of each column of a Parquet file; without a buffer, pyarrow reads a row group at once.
_BUFFER = 2**15


class _Part(NamedTuple):
    """A fragment of a dataset, or one row group of it; `fault` if it cannot be read."""

    fragment: Any
    row_group: int | None = None
    rows: int | None = None
    fault: BlockError | None = None


class ArrowSource(Source):
    """A dataset of pyarrow's: files of any format that it reads, partitioned, local or remote, filtered or not.

    Parts are the row groups of Parquet files, else the files or other fragments. A row group is decoded block by
    block, so that its size does not matter, except with a filter, which takes a whole one at a time.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
        As `pyarrow.dataset.dataset` makes it. Of tables in memory it cannot be pickled, nor sent to a worker.
    target : str, list of str, or None
        The column of the targets; a list, of any length, for targets of shape (n, K); None where rows are for
        predictions only. Values may be missing in features (NaN in X); here only for predictions.
    weight : str, default=None
        The column of the row weights.
    features : list of str, default=None
        The columns of X; None for all others, in the order of the dataset, except the index of a data frame.
        Numbers and booleans of any type become floats: float32 if all columns are that, else float64. Others need
        `transform`.
    filter : pyarrow.compute.Expression, default=None
        The rows to read, such as ``pyarrow.dataset.field("year") >= 2020``.
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
    >>> import pyarrow as pa
    >>> import pyarrow.dataset as ds
    >>> from sksgd.stream import ArrowSource
    >>> table = pa.table({"a": [1, 2, 3], "b": [0.5, None, 1.5], "y": ["no", "yes", "no"]})
    >>> source = ArrowSource(ds.dataset(table), target="y", filter=ds.field("b").is_valid())
    >>> X, y, sample_weight = next(source.read(0))
    >>> X
    array([[1. , 0.5],
           [3. , 1.5]])
    >>> y
    array(['no', 'no'], dtype=object)
    """

    def __init__(
        self,
        dataset: Any,
        target: str | list[str] | None,
        *,
        weight: str | None = None,
        features: list[str] | None = None,
        filter: Any = None,
        **options: Any,
    ):
        super().__init__(**options)
        load("pyarrow.dataset", type(self).__name__)
        right = hasattr(dataset, "get_fragments")
        require(right, self, "dataset", dataset, "must be a dataset, as pyarrow.dataset.dataset makes it")
        self.dataset, self.target, self.weight = dataset, target, weight
        self.features, self.filter = features, filter
        self._plan(dataset)

    def _plan(self, dataset: Any) -> None:
        """Find columns and parts."""
        self._columns = Columns(self, dataset.schema, self.target, self.weight, self.features)
        seen = [(fragment, *self._looked_at(fragment)) for fragment in dataset.get_fragments(filter=self.filter)]
        found = [part for of_one in seen for part in self._parts_of(*of_one)]
        faults = [part.fault for part in found if part.fault is not None]
        if faults and self.on_bad_block == "raise":
            raise faults[0]
        if not found:
            raise ValueError(f"{self!r} has no rows. Check the path and the filter.")
        self._parts = found

    def _schemas(self, schema_of: Callable[[str], Any], found: list[str]) -> Iterator[Any]:
        """The schemas of the files that can be read, one at least."""
        errors, none = (OSError, load("pyarrow", type(self).__name__).ArrowException), True
        for file in found:
            try:
                schema = schema_of(file)
            except errors as error:
                fault = BlockError(f"the file cannot be read: {error}", file)
                if self.on_bad_block == "raise" or (none and file == found[-1]):
                    raise fault from error
            else:
                none = False
                yield schema

    def _looked_at(self, fragment: Any) -> tuple[list[int], BlockError | None]:
        """The rows of each row group, where there are row groups, and what is wrong with the file, if anything."""
        if not hasattr(fragment, "split_by_row_group"):
            return [], None
        errors = (OSError, load("pyarrow", "ArrowSource").ArrowException)
        try:
            with _opened(fragment) as file:
                metadata, schema = file.metadata, file.schema_arrow
                sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
                fault = self._columns.meet(_with_keys(schema, fragment, self._columns.schema))
        except errors as error:
            fault, sizes = BlockError(f"the file cannot be read: {error}"), []
            fault.__cause__ = error
        if fault is not None:
            fault.where = _path(fragment)
        return sizes, fault

    def _parts_of(self, fragment: Any, sizes: list[int], fault: BlockError | None) -> list[_Part]:
        if fault is not None or not hasattr(fragment, "split_by_row_group"):
            return [_Part(fragment, fault=fault)]
        if self.filter is None:
            return [_Part(fragment, i, rows) for i, rows in enumerate(sizes) if rows]
        # Of another, as it keeps the metadata of its file.
        fresh = fragment.format.make_fragment(fragment.path, fragment.filesystem, fragment.partition_expression)
        kept = fresh.split_by_row_group(filter=self.filter, schema=self._columns.schema)
        return [_Part(fragment, group.row_groups[0].id) for group in kept]

    def __getstate__(self) -> dict[str, Any]:
        if not all(hasattr(part.fragment, "path") for part in self._parts):
            raise TypeError(
                f"{self!r} cannot be pickled or sent to a worker, as pyarrow cannot pickle datasets in memory. Write "
                "the data to files, or pass the tables to IterableSource([table, ...], target=...)."
            )
        return self.__dict__

    @property
    def n_parts(self) -> int:  # type: ignore[override]
        """How many parts there are."""
        return len(self._parts)

    @property
    def feature_names(self) -> list[str]:  # type: ignore[override]
        """The columns of X."""
        return self._columns.features

    @property
    def row_bytes(self) -> float:  # type: ignore[override]
        """About how many bytes a row takes in memory."""
        return self._columns.row_bytes

    def name(self, part: int) -> str:
        fragment, row_group, *_ = self._parts[part]
        path = _path(fragment) or f"fragment {part}"
        return path if row_group is None else f"{path}, row group {row_group}"

    def n_rows(self, part: int) -> int | None:
        return self._parts[part].rows

    @property
    def labelled(self) -> bool:  # type: ignore[override]
        """Whether there are targets."""
        return bool(self._columns.targets)

    def unlabelled(self) -> ArrowSource:
        source = self.replace()
        source._columns = self._columns.unlabelled()
        return source

    def blocks(self, part: int) -> Iterator[Any]:
        self._columns.require_numbers()
        return self._read(part, self._columns.all, functools.partial(_block, self._columns, tables.matrix))

    def frames(self, part: int) -> Iterator[Any]:
        block = functools.partial(_block, self._columns, tables.frame)
        return Reading(self, part, self._read(self._known(part), self._columns.all, block), checked_frame)

    def targets(self, part: int) -> Iterator[Any]:
        return self._read(part, self._columns.labels, functools.partial(tables.labels, columns=self._columns))

    def _read(self, part: int, names: list[str], convert: Callable[[Any], Any]) -> Iterator[Any]:
        """Blocks of a part; one whose values are bad does not end them, as a fault of the file does."""
        rows = self.rows_per_block
        assert rows is not None  # as row_bytes is known
        return map(convert, tables.regrouped(self._batches(self._parts[part], names, rows), rows))

    def _batches(self, part: _Part, names: list[str], rows: int) -> Iterator[Any]:
        if part.fault is not None:
            raise copy.copy(part.fault)  # whoever catches it adds to it
        if part.row_group is not None and self.filter is None:
            yield from _row_group(part, names, rows, self._columns.schema)
            return
        fragment, scan = part.fragment, {}
        if part.row_group is not None:
            ds = load("pyarrow.dataset", "ArrowSource")
            fragment = fragment.subset(row_group_ids=[part.row_group], schema=self._columns.schema)
            scan["fragment_scan_options"] = ds.ParquetFragmentScanOptions(
                use_buffered_stream=True, buffer_size=_BUFFER, pre_buffer=False
            )
        elif hasattr(fragment, "path"):
            here = _with_keys(fragment.physical_schema, fragment, self._columns.schema)
            fault = self._columns.meet(here, types=False)
            if fault is not None:
                raise fault
        yield from fragment.to_batches(
            schema=self._columns.schema,
            columns=names,
            filter=self.filter,
            batch_size=rows,
            batch_readahead=0,
            fragment_readahead=1,
            use_threads=False,
            **scan,
        )


def _block(columns: Columns, rows_of: Callable[[Any, Columns], Any], batch: Any) -> Any:
    return rows_of(batch, columns), *tables.labels(batch, columns)


def _path(fragment: Any) -> str:
    return getattr(fragment, "path", "")


@contextlib.contextmanager
def _opened(fragment: Any) -> Iterator[Any]:
    """A Parquet file, such that columns are read through small buffers."""
    parquet = load("pyarrow.parquet", "ArrowSource")
    with fragment.open() as file:
        yield parquet.ParquetFile(file, buffer_size=_BUFFER, pre_buffer=False)


def _keys(fragment: Any) -> dict[str, Any]:
    """Values that all rows of a file share, from the names of its directories."""
    return load("pyarrow.dataset", "ArrowSource").get_partition_keys(fragment.partition_expression)


def _with_keys(schema: Any, fragment: Any, known: Any) -> Any:
    """The schema of a file with the columns from the names of its directories, of the types that are known."""
    for name in _keys(fragment):
        if name in known.names and name not in schema.names:
            schema = schema.append(known.field(name))
    return schema


def _row_group(part: _Part, names: list[str], rows: int, schema: Any) -> Iterator[Any]:
    """Batches of a row group, decoded one by one."""
    pa = load("pyarrow", "ArrowSource")
    with _opened(part.fragment) as file:
        stored = set(file.schema_arrow.names)
        inside = [name for name in names if name in stored]
        keys = {name: value for name, value in _keys(part.fragment).items() if name in names and name not in stored}
        for batch in file.iter_batches(rows, [part.row_group], inside, use_threads=False):
            for name, value in keys.items():
                column = pa.repeat(pa.scalar(value, schema.field(name).type), batch.num_rows)
                batch = batch.append_column(name, column)
            yield batch
