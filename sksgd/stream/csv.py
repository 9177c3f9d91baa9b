"""CSV files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..core.errors import BlockError
from .arrow import ArrowSource
from .columns import Columns, is_numeric, named
from .optional import load
from .paths import files
from .source import Source

__all__ = ["CSVSource"]

_COLUMN = re.compile(r"In CSV column #(\d+): (.*)", re.DOTALL)


class CSVSource(ArrowSource):
    r"""CSV files, compressed or not. Each is a part and is read in constant memory.

    Types are those of the first rows of the first file that has any, except that all features with numbers are read as
    float64; booleans become 0 and 1.

    Parameters
    ----------
    path : str, path or list of these
        Files, folders (with all ``.csv`` files in them, also compressed as ``.csv.gz``), or patterns.
    target : str, list of str, or None
        The column of the targets; a list, of any length, for targets of shape (n, K); None where rows are for
        predictions only.
    weight : str, default=None
        The column of the row weights.
    features : list of str, default=None
        The columns of X; None for all others, in the order of the first file.
    filter : pyarrow.compute.Expression, default=None
        The rows to read; see `ArrowSource`.
    read_options, parse_options, convert_options : default=None
        `ReadOptions` (column names where there is no header, encoding, ...), `ParseOptions` (delimiter, quotes, bad
        lines, ...) and `ConvertOptions` (types, what stands for a missing value, ...) of `pyarrow.csv`.
    **options : dict
        `memory_limit`, `block_rows`, `buffer_rows`, `classes`, `on_bad_block`: see `Source`.

    Raises
    ------
    ImportError
        Without pyarrow, the extra ``stream``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from sksgd.stream import CSVSource
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "train.csv")
    ...     _ = file.write_text("a,b,y\n1,2.5,0\n3,4.5,1\n")
    ...     source = CSVSource(file, target="y", features=["b", "a"])
    ...     X, y, sample_weight = next(source.read(0))
    >>> X, y
    (array([[2.5, 1. ], [4.5, 3. ]]), array([0, 1]))
    """

    def __init__(
        self,
        path: Any,
        target: str | list[str] | None,
        *,
        weight: str | None = None,
        features: list[str] | None = None,
        filter: Any = None,
        read_options: Any = None,
        parse_options: Any = None,
        convert_options: Any = None,
        **options: Any,
    ):
        Source.__init__(self, **options)
        self.path, self.target, self.weight, self.features, self.filter = path, target, weight, features, filter
        self.read_options, self.parse_options, self.convert_options = read_options, parse_options, convert_options
        pa, ds = load("pyarrow", "CSVSource"), load("pyarrow.dataset", "CSVSource")
        scan = ds.CsvFragmentScanOptions(read_options=read_options, convert_options=convert_options)
        kind = ds.CsvFileFormat(parse_options=parse_options, default_fragment_scan_options=scan)
        found = files(path, (".csv", ".csv.gz", ".csv.bz2", ".csv.zst"), self)
        schemas = self._schemas(lambda file: ds.dataset([file], format=kind).schema, found)
        schema, labels = next(schemas), {*named(target), *named(weight)}
        while _is_unknown(schema, labels) and (later := next(schemas, None)) is not None:
            schema = pa.schema([_known(field, later) for field in schema])
        features = Columns(self, schema, target, weight, features).features
        given = getattr(convert_options, "column_types", {})
        # A column may begin with integers, or with missing values, and go on with fractions. Booleans become floats
        # later, as words that stand for them cannot be read as such.
        floats = {
            field.name
            for field in schema
            if field.name not in given and is_numeric(field.type) and not pa.types.is_boolean(field.type)
        }.intersection(features)
        fields = [field.with_type(pa.float64()) if field.name in floats else field for field in schema]
        self._plan(ds.dataset(found, format=kind, schema=pa.schema(fields)))

    def _batches(self, part: Any, names: list[str], rows: int) -> Iterator[Any]:
        try:
            yield from super()._batches(part, names, rows)
        except load("pyarrow", "CSVSource").ArrowInvalid as error:
            found = _COLUMN.search(str(error))
            if not found:
                raise
            columns = part.fragment.physical_schema.names
            reason = (
                f"{found[2]}. Types are those of the first rows of the first file; name others by convert_options="
                "pyarrow.csv.ConvertOptions(column_types={...})."
            )
            raise BlockError(reason, column=columns[int(found[1])]) from error


def _is_unknown(schema: Any, labels: set[str]) -> bool:
    """Whether the types of labels, or of all columns, cannot be told, as there is no value."""
    null = load("pyarrow", "CSVSource").types.is_null
    without = {field.name for field in schema if null(field.type)}
    return bool(without & labels) or len(without) == len(schema)


def _known(field: Any, later: Any) -> Any:
    """A field, with its type in a later file if it has none."""
    null = load("pyarrow", "CSVSource").types.is_null
    return later.field(field.name) if null(field.type) and field.name in later.names else field
