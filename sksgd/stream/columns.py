"""Which columns of a table are what: target, weight, features; and what their types allow."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from ..core.errors import BlockError
from .optional import load
from .reading import TEXT_BYTES

__all__ = ["Columns", "choose", "is_numeric"]


def choose(
    owner: object,
    names: list[str],
    target: Any,
    weight: str | None,
    features: list[str] | None,
    aside: Collection[str] = (),
) -> tuple[list[str], list[str]]:
    """Names of target and feature columns, all of which must be there; features None: all others but those `aside`."""
    targets = named(target)
    rest = [name for name in names if name not in {*targets, weight, *aside}]
    chosen = rest if features is None else list(features)
    asked = {"target": targets, "weight": [] if weight is None else [weight], "features": chosen}
    for parameter, wanted in asked.items():
        for name in wanted:
            if names.count(name) != 1:
                how = "is not there" if name not in names else "is there more than once"
                raise InvalidParameterError(
                    f"The {parameter!r} parameter of {type(owner).__name__} names the column {name!r}, which {how}. "
                    f"The columns are {_some(names)}."
                )
    twice = [name for name in chosen if name in targets or name == weight or chosen.count(name) > 1]
    if twice or not chosen or (target is not None and not targets):
        what = f"{twice[0]!r} would be used twice" if twice else "there must be a target and a feature"
        raise InvalidParameterError(
            f"The columns of {type(owner).__name__} do not fit: {what}. Got target={target!r}, weight={weight!r}, "
            f"features={features!r}; the columns are {_some(names)}."
        )
    return targets, chosen


def named(columns: str | list[str] | None) -> list[str]:
    """Columns as a list: one of them, several or none."""
    return [columns] if isinstance(columns, str) else list(columns or [])


class Columns:
    """The columns of a schema of pyarrow's that a source reads.

    Parameters
    ----------
    owner : Source
        For messages.
    schema : pyarrow.Schema
        That of the first file.
    target : str, list of str, or None
    weight : str or None
    features : list of str or None
        None: all others, except the index of a data frame.
    """

    def __init__(self, owner: object, schema: Any, target: Any, weight: str | None, features: list[str] | None):
        self.targets, self.features = choose(owner, schema.names, target, weight, features, _index(schema))
        self.several, self.weight = not isinstance(target, str), weight
        self.types = {name: schema.field(name).type for name in self.all}
        #: The schema with types that hold the values of all files; a filter may ask for columns that are not read.
        self.schema = schema
        self.narrow = all(is_narrow(self.types[name]) for name in self.features)
        for name in self.labels:
            text = name != weight and is_text(self.types[name])
            if not (text or is_numeric(self.types[name])):
                raise InvalidParameterError(
                    f"{type(owner).__name__} cannot take column {name!r} as target or weight: its type is "
                    f"{self.types[name]}. Numbers are needed, or for labels strings or booleans."
                )

    def unlabelled(self) -> Columns:
        """The features alone."""
        other = copy.copy(self)
        other.targets, other.weight = [], None
        return other

    @property
    def labels(self) -> list[str]:
        """The columns of targets and weights."""
        return [*self.targets] if self.weight is None else [*self.targets, self.weight]

    @property
    def all(self) -> list[str]:
        """All columns to be read."""
        return [*self.features, *self.labels]

    @property
    def dtype(self) -> type:
        """Of X: float32 if all features of all files are that."""
        return np.float32 if self.narrow else np.float64

    @property
    def row_bytes(self) -> float:
        """About how many bytes a row takes in memory."""
        size = np.dtype(self.dtype).itemsize
        return float(sum(size if is_numeric(self.types[name]) else TEXT_BYTES for name in self.features))

    def meet(self, schema: Any, types: bool = True) -> BlockError | None:
        """Hold the schema of a file against the first; what is wrong with it, if anything."""
        for name in self.all:
            if name not in schema.names:
                columns = _some(schema.names)
                return BlockError(f"the column is missing. The columns here are {columns}.", column=name)
            if not types:
                continue
            first, here = self.types[name], schema.field(name).type
            if is_numeric(first) != is_numeric(here) or is_text(first) != is_text(here):
                return BlockError(f"the type is {here} here, but {first} in the first file.", column=name)
        if types:
            self.narrow = self.narrow and all(is_narrow(schema.field(name).type) for name in self.features)
            if not schema.equals(self.schema):
                self.schema = _joined(self.schema, schema)
        return None

    def require_numbers(self) -> None:
        """Raise unless X can be made without a transformer."""
        for name in self.features:
            if not is_numeric(self.types[name]):
                raise ValueError(
                    f"Column {name!r} has type {self.types[name]}, and a linear model needs numbers. Encode it by "
                    "source.transform(transformer), or leave it out by features=[...]."
                )


def is_numeric(type_: Any) -> bool:
    """Whether values become floats: numbers, booleans, and columns of missing values."""
    types = load("pyarrow", "ArrowSource").types
    checks = (types.is_floating, types.is_integer, types.is_boolean, types.is_decimal, types.is_null)
    return any(check(type_) for check in checks)


def is_text(type_: Any) -> bool:
    """Whether values are strings, encoded by a dictionary or not."""
    types = load("pyarrow", "ArrowSource").types
    if types.is_dictionary(type_):
        return is_text(type_.value_type)
    return any(check(type_) for check in (types.is_string, types.is_large_string, types.is_string_view))


def is_narrow(type_: Any) -> bool:
    """Whether float32 holds the values as exactly as they were stored."""
    types = load("pyarrow", "ArrowSource").types
    return types.is_float32(type_) or types.is_float16(type_)


def _joined(first: Any, second: Any) -> Any:
    """The first schema with types of numbers that hold those of the second, too."""
    types = dict(zip(second.names, second.types, strict=True))
    fields = [field.with_type(_common(field.type, types.get(field.name, field.type))) for field in first]
    return load("pyarrow", "ArrowSource").schema(fields)


def _common(first: Any, second: Any) -> Any:
    """The type of numbers of two types together, as NumPy has it; else the first."""
    if first == second or not (is_numeric(first) and is_numeric(second)):
        return first
    pa = load("pyarrow", "ArrowSource")
    plain = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean)
    kinds = [kind.to_pandas_dtype() if any(is_(kind) for is_ in plain) else np.float64 for kind in (first, second)]
    return pa.from_numpy_dtype(np.promote_types(*kinds))


def _index(schema: Any) -> list[str]:
    """The columns in which pandas and dask keep the index of a data frame."""
    about = schema.pandas_metadata or {}
    return [name for name in about.get("index_columns", []) if isinstance(name, str)]


def _some(names: list[str]) -> str:
    return str(names) if len(names) <= 20 else f"{str(names[:20])[:-1]}, ... ({len(names)} in all)]"
