"""Rows on a worker: its partitions checked and put together, then coded as one block. These are tasks."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from dask.sizeof import sizeof
from sklearn.base import is_classifier

from ..core.batches import Block
from ..core.errors import BlockError
from ..core.targets import distinct
from ..stream.survey import fitting, numbered

if TYPE_CHECKING:
    from ..stream import Source


@dataclasses.dataclass(frozen=True, eq=False)
class Share:
    """Checked rows with targets as they came; X is None where there are no rows."""

    X: Any
    y: Any
    weight: np.ndarray | None
    names: Any = None
    n_bad_blocks: int = 0


@sizeof.register(Share)
def _of_share(share: Share) -> int:
    return sizeof(share.X) + sizeof(share.y) + sizeof(share.weight)


@dataclasses.dataclass(frozen=True, eq=False)
class Description:
    """What has to be known of a share before the rows can be coded.

    Attributes
    ----------
    n : int
        Rows, absent ones included.
    shape : tuple of int or None
        Of a row of targets.
    example : tuple or None
        A row, and for targets that are numbers its target.
    labels, counts : ndarray or None
        Classes, and the sums of the row weights of each.
    n_bad_blocks : int
        Of a source, that were left out.
    """

    n: int
    dtype: Any = None
    sparse: bool = False
    weighted: bool = False
    names: Any = None
    example: Any = None
    labels: Any = None
    counts: Any = None
    n_bad_blocks: int = 0


def bare(estimator: Any) -> Any:
    """What of an estimator the checking and coding of rows needs: parameters, classes and shapes."""
    known = {*estimator.get_params(deep=False), "classes_", "_class_counts", "_target_shape"}
    other = object.__new__(type(estimator))
    other.__dict__.update({key: value for key, value in estimator.__dict__.items() if key in known})
    return other


def together(*columns: Any) -> tuple[Any, ...]:
    """A partition of several columns."""
    return columns


def gather(estimator: Any, dtype: Any, numbers: list[int], parts: list[Any]) -> Share:
    """The rows of partitions (X, y[, sample_weight]), which are named by their numbers in errors.

    `dtype` is that of earlier data, None for the first.
    """
    checked = []
    for number, part in zip(numbers, parts, strict=True):
        if (rows := _check(estimator, dtype, f"partition {number}", part)) is not None:
            checked.append(rows)
    return _join(checked)


def read(estimator: Any, dtype: Any, source: Source) -> Share:
    """The rows of a source, without the bad blocks that it allows; `dtype` as of `gather`."""
    checker, n_bad_blocks = bare(estimator), 0
    checked: list[Share] = []
    for part in range(source.n_parts):
        for number, block in numbered(source.read(part)):
            try:
                if isinstance(block, BlockError):
                    raise block
                X, y, weight = block
                like, kind = checked[0].X if checked else X, X.dtype if dtype is None else dtype
                X = fitting(X, like, kind, source, part, number)
                y, weight = _targets(checker, dtype is None, not checked, source.classes, y, weight)
            except ValueError as error:
                if source.on_bad_block == "skip":
                    n_bad_blocks += 1
                    continue
                if isinstance(error, BlockError):
                    raise
                raise BlockError(str(error), source.name(part), number) from error
            checked.append(Share(X, y, weight))
    return dataclasses.replace(_join(checked), n_bad_blocks=n_bad_blocks)


def _targets(checker: Any, new: bool, first: bool, classes: Any, y: Any, weight: Any) -> tuple[Any, Any]:
    """Targets and weights of a block, the first or not; of a new model all classes may not be known yet."""
    y, weight = checker._checked(y, weight)
    if new and classes is None and is_classifier(checker):
        checker._labels(y)
    else:
        checker._check_targets(y, new and first, classes)
    return y, weight


def _check(estimator: Any, dtype: Any, name: str, part: Any) -> Share | None:
    """A partition as scikit-learn checks it; None without rows."""
    if not isinstance(part, tuple | list) or len(part) not in (2, 3):
        raise TypeError(f"{name} must be (X, y) or (X, y, sample_weight). Got {type(part).__name__} instead.")
    X, y, weight = part if len(part) == 3 else (*part, None)
    if np.shape(X)[:1] == (0,) and len(y) == 0:
        return None
    checker = bare(estimator)
    try:
        X, y, weight = checker._validate(X, y, weight, None)
        if not is_classifier(estimator):
            checker._check_targets(y, True)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error
    X = X if dtype is None else X.astype(dtype, copy=False)
    return Share(X, y, weight, getattr(checker, "feature_names_in_", None))


def _join(parts: list[Share]) -> Share:
    if not parts:
        return Share(None, None, None)
    first = parts[0]
    if len(parts) == 1:
        return first
    require_alike([(part.X, part.y, part.names) for part in parts])
    X = [part.X for part in parts]
    together = sp.vstack(X, format="csr") if sp.issparse(first.X) else np.concatenate(X)
    weights: Any = None
    if any(part.weight is not None for part in parts):
        weights = np.concatenate([np.ones(len(part.y)) if part.weight is None else part.weight for part in parts])
    return Share(together, np.concatenate([part.y for part in parts]), weights, first.names)


def require_alike(rows: list[tuple[Any, Any, Any]]) -> None:
    """Raise unless rows (X, y, feature names) can be put together; names may be None."""
    kinds = {
        (sp.issparse(X), X.shape[1], None if names is None else tuple(names), y.shape[1:], isinstance(y.flat[0], str))
        for X, y, names in rows
    }
    if len(kinds) > 1:
        raise ValueError(
            "The partitions do not fit together: (sparse, n_features, feature names, shape of a target, whether it is "
            f"a string) are {sorted(kinds, key=str)}."
        )


def describe(estimator: Any, share: Share) -> Description:
    """What the others have to know of a share."""
    if share.X is None:
        return Description(0, n_bad_blocks=share.n_bad_blocks)
    labels = counts = None
    if is_classifier(estimator):
        labels = distinct(share.y)
        counts = np.bincount(np.searchsorted(labels, share.y), weights=share.weight, minlength=len(labels))
    row = share.X[:1], share.y[:1]
    about = (share.X.dtype, sp.issparse(share.X), share.weight is not None, share.names)
    return Description(share.X.shape[0], *about, row, labels, counts, share.n_bad_blocks)


def code(estimator: Any, dtype: Any, share: Share) -> Block:
    """The rows as a block; `estimator` knows the classes by now."""
    coded = estimator._encode(share.y)
    return Block(share.X.astype(dtype, copy=False), coded, estimator._target_weights(coded, share.weight))


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the client has to know of a block."""

    n: int
    n_rows: int
    n_features: int
    stored: int
    total_weight: float
    weighted: bool


def facts(block: Block) -> Facts:
    """Those of a block."""
    stored = block.X.nnz if sp.issparse(block.X) else block.X.size
    return Facts(len(block), *block.shape, stored, block.total_weight, block.weight is not None)


def scaled(block: Block, factor: float) -> Block:
    """The block with its weights times a factor."""
    other, weight = copy.copy(block), block.weight
    other.weight = np.full(block.shape[0], factor) if weight is None else weight * factor
    return other


def split(estimator: Any, block: Block, random_state: Any) -> tuple[Block, Block, Any]:
    """Rows to train on, rows held out, none where there are too few, and the generator as it then is."""
    random_state = copy.deepcopy(random_state)
    try:
        return (*estimator._split(block, random_state), random_state)
    except ValueError:
        return block, block.take(np.empty(0, np.intp)), random_state


def part(parts: tuple[Any, ...], i: int) -> Any:
    """One of several results."""
    return parts[i]
