"""The options that every source has."""

from __future__ import annotations

import inspect
import numbers
import re
from typing import Any, Self

import numpy as np

from ..checks import require

__all__ = ["Options", "n_bytes"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)

#: The limit is divided into so many blocks: those in flight are far fewer, and reading one should not take long.
_BLOCKS = 32
#: Fewer rows would be read, checked and handed over at a cost above that of learning them.
_FEWEST_ROWS = 256
#: Items of a list that `repr` shows.
_SHOWN = 10


def n_bytes(size: Any) -> int | None:
    """Bytes of a number or of a string such as "1GB" or "512MiB"; None where it is neither."""
    if isinstance(size, str):
        found = _SIZE.fullmatch(size)
        if not found or (found[3] and not found[2]):
            return None
        units = _BINARY_UNITS if found[3] else _UNITS
        return int(float(found[1]) * units[found[2].lower()])
    return int(size) if _is_integer(size) else None


def _is_integer(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, numbers.Integral)


class Options:
    """Memory, block size, classes, bad blocks: see `Source`."""

    # On the class too, for a source whose __init__ does not call this one.
    memory_limit: int | str = "512MiB"
    block_rows: int | None = None
    buffer_rows: int | None = None
    classes: Any = None
    on_bad_block: str = "raise"
    #: Known before reading, or not.
    row_bytes: float | None = None

    def __init__(
        self,
        *,
        memory_limit: int | str = "512MiB",
        block_rows: int | None = None,
        buffer_rows: int | None = None,
        classes: Any = None,
        on_bad_block: str = "raise",
    ):
        self.memory_limit, self.block_rows, self.buffer_rows = memory_limit, block_rows, buffer_rows
        self.classes, self.on_bad_block = classes, on_bad_block
        self._check_options()

    def _check_options(self) -> None:
        limit = n_bytes(self.memory_limit)
        remedy = "must be a positive number of bytes, or a string such as '1GB' or '512MiB'"
        require(limit is not None and limit > 0, self, "memory_limit", self.memory_limit, remedy)
        for name in ("block_rows", "buffer_rows"):
            value = getattr(self, name)
            remedy = "must be a number of rows, 1 or greater, or None to derive it from memory_limit"
            require(value is None or (_is_integer(value) and value > 0), self, name, value, remedy)
        require(
            self.on_bad_block in ("raise", "skip"), self, "on_bad_block", self.on_bad_block, "must be 'raise' or 'skip'"
        )
        if self.classes is not None:
            labels = np.asarray(self.classes)
            valid = labels.ndim == 1 and len(labels) > 0 and len(np.unique(labels)) == len(labels)
            require(valid, self, "classes", self.classes, "must list every class label once, or be None")

    @property
    def options(self) -> dict[str, Any]:
        """The options by name, to hand on to another source."""
        return {name: getattr(self, name) for name in inspect.signature(Options).parameters}

    @property
    def memory_bytes(self) -> int:
        """`memory_limit` in bytes."""
        limit = n_bytes(self.memory_limit)
        assert limit is not None  # checked in __init__
        return limit

    def rows_of_size(self, row_bytes: float) -> int:
        """Rows of a block where a row takes so many bytes: `block_rows`, or a power of two that fits the limit."""
        if self.block_rows is not None:
            return int(self.block_rows)
        rows = int(self.memory_bytes / (_BLOCKS * max(row_bytes, 1.0)))
        return max(_FEWEST_ROWS, 1 << max(rows.bit_length() - 1, 0))

    @property
    def rows_per_block(self) -> int | None:
        """The most rows of a block; None where it takes a first block to tell."""
        if self.block_rows is None and self.row_bytes is None:
            return None
        return self.rows_of_size(self.row_bytes or 1.0)

    def replace(self, **options: Any) -> Self:
        """A copy with other options.

        Parameters
        ----------
        **options : dict
            Options of every source, by name.

        Returns
        -------
        source : Source
        """
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            raise TypeError(f"{type(self).__name__} has no options {unknown}. Choose from {sorted(self.options)}.")
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__ | options)
        new._check_options()
        return new

    def __repr__(self) -> str:
        shown = []
        parameters = inspect.signature(type(self)).parameters | inspect.signature(Options).parameters
        for name, parameter in parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            value, required = getattr(self, name, parameter.default), parameter.default is parameter.empty
            if required or (value is not parameter.default and _shown(value) != _shown(parameter.default)):
                shown.append(_shown(value) if required else f"{name}={_shown(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(value: Any) -> str:
    """A value for `repr`: data by their shape, long lists by their length."""
    shape, kind = getattr(value, "shape", None), type(value)
    without: Any = object.__repr__
    if shape is not None:
        return f"<{kind.__name__} of shape {tuple(shape)}>"
    if isinstance(value, (list, tuple)):
        if len(value) > _SHOWN:
            return f"<{kind.__name__} of {len(value)} items>"
        brackets = "[]" if isinstance(value, list) else "()"
        return ", ".join(map(_shown, value)).join(brackets)
    return f"<{kind.__name__}>" if kind.__repr__ is without else repr(value)
