"""From tables of pyarrow to arrays and data frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..core.errors import BlockError
from .columns import Columns, is_numeric, is_text
from .optional import load


def regrouped(batches: Iterable[Any], rows: int) -> Iterator[Any]:
    """Record batches of any size as batches of `rows` rows; the last has what is left."""
    waiting: list[Any] = []
    n = 0
    for batch in batches:
        start = 0
        while n + batch.num_rows - start >= rows:
            piece = batch.slice(start, rows - n)
            waiting.append(piece)
            yield _joined(waiting)
            start, n, waiting = start + piece.num_rows, 0, []
        if start < batch.num_rows:
            waiting.append(batch.slice(start))
            n += batch.num_rows - start
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[Any]) -> Any:
    """Record batches as one; those that are one already are not copied."""
    if len(batches) == 1:
        return batches[0]
    pa = load("pyarrow", "ArrowSource")
    (batch,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return batch


def matrix(batch: Any, columns: Columns) -> np.ndarray:
    """The features of a record batch, C-ordered; missing values are NaN."""
    pa = load("pyarrow", "ArrowSource")
    wanted = pa.from_numpy_dtype(columns.dtype)
    arrays = [_as_type(batch.column(name), wanted, name) for name in columns.features]
    numbers = pa.RecordBatch.from_arrays(arrays, names=columns.features)
    # Without the GIL. As fast as filling an array column by column, and faster from hundreds of columns on.
    return numbers.to_tensor(null_to_nan=True, row_major=True).to_numpy()


def labels(batch: Any, columns: Columns) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Targets and weights of a record batch; None without targets."""
    if not columns.targets:
        return None, None
    targets = [_complete(batch, name) for name in columns.targets]
    y = np.column_stack(targets) if columns.several else targets[0]
    if columns.weight is None:
        return y, None
    return y, _complete(batch, columns.weight).astype(np.float64)


def frame(batch: Any, columns: Columns) -> Any:
    """The features of a record batch as a data frame; numbers are numbers in every batch, whichever are missing."""
    load("pandas", "A transformer of named columns")
    pa = load("pyarrow", "ArrowSource")
    arrays = [batch.column(name) for name in columns.features]
    for i, (name, array) in enumerate(zip(columns.features, arrays, strict=True)):
        if is_numeric(array.type) and not (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
            arrays[i] = _as_type(array, pa.float64(), name)  # else objects of decimals, or of booleans and None
    # Without what pandas wrote of its types, which may be others in other files, and of its index.
    return pa.RecordBatch.from_arrays(arrays, names=columns.features).to_pandas()


def _as_type(array: Any, wanted: Any, name: str) -> Any:
    if array.type == wanted:
        return array
    pa = load("pyarrow", "ArrowSource")
    try:
        return array.cast(wanted, safe=False)
    except pa.ArrowException as error:
        raise BlockError(f"values of type {array.type} cannot become numbers: {error}", column=name) from error


def _complete(batch: Any, name: str) -> np.ndarray:
    """A column without missing values as an array: numbers, booleans, or strings as objects."""
    pa = load("pyarrow", "ArrowSource")
    array = batch.column(name)
    if array.null_count:
        rows = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))
        raise BlockError(
            f"{len(rows)} of {len(array)} values are missing, the first in row {rows[0]} of the block. Rows without "
            f"target or weight cannot be learned: leave them out by filter=pyarrow.dataset.field({name!r}).is_valid().",
            column=name,
        )
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_decimal(array.type):
        array = array.cast(pa.float64())
    values = array.to_numpy(zero_copy_only=False)
    return values.astype(object) if is_text(array.type) else values
