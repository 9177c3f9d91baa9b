"""The first look at a source: its blocks, and the targets of all rows."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite

from ..core.errors import BlockError
from .ahead import ahead
from .source import Source
from .spill import Growing

#: Checks targets and weights of a block, whose number among all blocks comes first, and codes the targets.
Check = Callable[[int, np.ndarray, "np.ndarray | None"], tuple[np.ndarray, "np.ndarray | None"]]


@dataclasses.dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a source before the first pass.

    Parameters
    ----------
    lengths : list of list of int
        The rows of every block of every part; -1 for blocks that are left out.
    y : ndarray of shape (n, K)
        Coded targets of all rows, in the order of the parts.
    weight : ndarray of shape (n,) or None
    shape : tuple of int
        Rows and features.
    dtype : dtype
    sparse : bool
    n_bad_blocks : int
    width, row_bytes : float
        Stored values of a row, and the bytes they take, as in the first block.
    """

    lengths: list[list[int]]
    y: np.ndarray
    weight: np.ndarray | None
    shape: tuple[int, int]
    dtype: np.dtype
    sparse: bool
    n_bad_blocks: int
    width: float
    row_bytes: float


def numbered(blocks: Iterator[Any], first: int = 0) -> Iterator[tuple[int, Any]]:
    """Blocks of a part with their numbers from 0 on; an error takes the place of a block, and knows its number."""
    number = first
    while True:
        try:
            block: Any = next(blocks)
        except StopIteration:
            return
        except BlockError as error:
            error.block = number
            block = error
        yield number, block
        number += 1


def labels(source: Source, check: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """All labels of a source, found in one scan of the targets; `check` gives the labels of a block."""
    found: list[np.ndarray] = []
    for part in range(source.n_parts):
        for number, block in numbered(source.read_targets(part)):
            try:
                if isinstance(block, BlockError):
                    raise block
                new = _told(check, block[0], source.name(part), number)
                if found and len({isinstance(some[0], str) for some in (new, found[0]) if len(some)}) > 1:
                    raise BlockError(
                        f"labels {new} are not of the type of those before, {found[0]}.", source.name(part), number
                    )
                found = [np.unique(np.concatenate([*found, new]))]
            except BlockError:
                if source.on_bad_block == "raise":
                    raise
    return found[0] if found else np.empty(0)


def survey(source: Source, check: Check, dtype: Any = None) -> Survey:
    """Read the targets of all blocks; the rows, too, where bad blocks are to be left out.

    `dtype` is that of the model, None for that of the first block.
    """
    limit, whole = source.memory_bytes, source.on_bad_block == "skip"
    y, weight, bad, unweighted = Growing(limit), Growing(limit), 0, True
    lengths: list[list[int]] = []
    first = _first(source)
    kind = first.dtype if dtype is None else np.dtype(dtype)
    counted = 0
    for part in range(source.n_parts):
        lengths.append([])
        reads = source.read if whole else source.read_targets
        for number, block in ahead(functools.partial(_read, reads, part)):
            try:
                if isinstance(block, BlockError):
                    raise block
                if whole:
                    fitting(block[0], first, kind, source, part, number)
                coded, of_rows = _told(check, counted, *block[-2:], source.name(part), number)
            except BlockError:
                if not whole:
                    raise
                bad += 1
                lengths[-1].append(-1)
                continue
            counted += 1
            lengths[-1].append(len(coded))
            y.append(coded)
            if of_rows is not None and unweighted:
                unweighted = False
                weight.append(np.ones(y.n - len(coded)))
            if not unweighted:
                weight.append(np.ones(len(coded)) if of_rows is None else of_rows)
    if not y.n:
        raise BlockError("there are no rows in it. Pass a source with at least one block of rows.", repr(source))
    weights = None if unweighted else weight.array()
    shape, width = (y.n, first.shape[1]), first.nnz / first.shape[0] if sp.issparse(first) else first.shape[1]
    # Of a sparse row, a value has an index, too.
    size = (width + 1) * (kind.itemsize + first.indices.itemsize) if sp.issparse(first) else width * kind.itemsize
    return Survey(lengths, y.array(), weights, shape, kind, sp.issparse(first), bad, float(width), float(size))


def _read(reads: Callable[[int], Iterator[Any]], part: int) -> Iterator[tuple[int, Any]]:
    return numbered(reads(part))


def fitting(X: Any, like: Any, dtype: np.dtype, source: Source, part: int, number: int) -> Any:
    """Rows of a block, which must be `like` others and finite, in this type."""
    X = alike(X, like, dtype, source, part, number)
    require_finite(X, source, part, number)
    return X


def alike(X: Any, like: Any, dtype: np.dtype, source: Source, part: int, number: int) -> Any:
    """Rows of a block, which must be `like` others, in this type."""
    if sp.issparse(X) != sp.issparse(like) or X.shape[1] != like.shape[1]:
        kinds = ["sparse" if sp.issparse(x) else "dense" for x in (X, like)]
        raise BlockError(
            f"X is {kinds[0]} with {X.shape[1]} features, where {like.shape[1]} {kinds[1]} ones are expected.",
            source.name(part),
            number,
        )
    with np.errstate(over="ignore"):
        return X.astype(dtype, copy=False)


def require_finite(X: Any, source: Source, part: int, number: int) -> None:
    """Raise where rows of a block are not finite."""
    try:
        assert_all_finite(X)
    except ValueError as error:
        values = X.data if sp.issparse(X) else X
        at = np.argwhere(~np.isfinite(values))[0][-1]
        column = X.indices[at] if sp.issparse(X) else at
        name = str(column) if source.feature_names is None else source.feature_names[column]
        reason = "X has NaN or infinity. Impute or remove these rows, or pass on_bad_block='skip' to the source."
        raise BlockError(reason, source.name(part), number, name) from error


def _told(check: Callable[..., Any], *arguments: Any) -> Any:
    """What a check returns; what it raises tells of the block, whose part and number are the last arguments."""
    *rest, where, number = arguments
    try:
        return check(*rest)
    except ValueError as error:
        raise BlockError(str(error), where, number) from error


def _first(source: Source) -> Any:
    """The rows of the first block that can be read."""
    for part in range(source.n_parts):
        for _, block in numbered(source.read(part)):
            if not isinstance(block, BlockError):
                return block[0]
            if source.on_bad_block == "raise":
                raise block
    raise BlockError("there are no rows in it. Pass a source with at least one block of rows.", repr(source))
