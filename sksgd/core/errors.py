"""What is raised for a block that cannot be used."""

from __future__ import annotations

from typing import Any

__all__ = ["BlockError"]


class BlockError(ValueError):
    """A block of a source cannot be used.

    Parameters
    ----------
    reason : str
        What is wrong, and the remedy.
    where : str
        The name of the part: a file, a row group, a range of rows.
    block : int or None
        The number of the block, as the reader of the source counts.
    column : str or None
        The name of the column, where one is at fault.

    Examples
    --------
    >>> from sksgd.stream import BlockError
    >>> print(BlockError("strings where numbers were expected.", "train/3.parquet, row group 0", column="age"))
    train/3.parquet, row group 0, column 'age': strings where numbers were expected.
    """

    def __init__(self, reason: str, where: str = "", block: int | None = None, column: str | None = None):
        super().__init__(reason, where, block, column)
        self.reason, self.where, self.block, self.column = reason, where, block, column

    def __str__(self) -> str:
        place: list[Any] = [self.where] if self.where else []
        place += [] if self.block is None else [f"block {self.block}"]
        place += [] if self.column is None else [f"column {self.column!r}"]
        return f"{', '.join(place)}: {self.reason}" if place else self.reason
