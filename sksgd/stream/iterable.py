"""Blocks that come from an iterable."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..checks import require
from ..core.errors import BlockError
from .columns import choose, named
from .reading import Reading, checked_frame, column_names, is_narrow
from .source import Source
from .survey import numbered

__all__ = ["IterableSource"]


class IterableSource(Source):
    r"""Any iterable of blocks that can be run through again, as one part.

    Parameters
    ----------
    make : callable or iterable
        A function without arguments that returns a new iterator for each pass, or an object such as a list, of which
        each loop begins anew. Items are ``(X, y)`` or ``(X, y, sample_weight)``, or, with `target`, data frames; y is
        None, or the column of the targets may be missing, where rows are for predictions only. Where
        X are data frames, columns are those of the first, in whatever order they come. Blocks larger than `block_rows`
        are cut; otherwise they stay as they come.
    target : str or list of str, default=None
        The column of the targets, where items are data frames (of pandas, or with a method ``to_pandas``); a list, of
        any length, for targets of shape (n, K).
    weight : str, default=None
        The column of the row weights.
    features : list of str, default=None
        The columns of X; None for all others, in the order of the first frame.
    **options : dict
        `memory_limit`, `block_rows`, `buffer_rows`, `classes`, `on_bad_block`: see `Source`.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sksgd.stream import IterableSource
    >>> def squares():
    ...     for i in range(3):
    ...         yield np.array([[float(i)]]), np.array([i**2])
    >>> [int(y[0]) for X, y, sample_weight in IterableSource(squares).read(0)]
    [0, 1, 4]

    Chunks of pandas:

    >>> text = "a,b,y\n1,2,0\n3,4,1\n5,6,0\n"
    >>> source = IterableSource(lambda: pd.read_csv(io.StringIO(text), chunksize=2), target="y")
    >>> [X.tolist() for X, y, sample_weight in source.read(0)]
    [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]
    """

    _reads_labels = True

    def __init__(
        self,
        make: Callable[[], Iterable[Any]] | Iterable[Any],
        *,
        target: str | list[str] | None = None,
        weight: str | None = None,
        features: list[str] | None = None,
        **options: Any,
    ):
        super().__init__(**options)
        self.make, self.target, self.weight, self.features = make, target, weight, features
        right = callable(make) or hasattr(make, "__iter__") or hasattr(make, "__getitem__")
        require(right, self, "make", make, "must be a function that returns an iterator, or an iterable")
        if not callable(make):
            again = iter(make) is not make
            what = "can be run through only once, but each pass needs it; pass a function that returns a new one"
            require(again, self, "make", make, what)
        if target is None:
            for name in ("weight", "features"):
                value = getattr(self, name)
                require(value is None, self, name, value, "names columns, which takes data frames: name target too")

    @functools.cached_property
    def feature_names(self) -> list[str] | None:  # type: ignore[override]
        """The columns of X, those of the first frame, which is read for it."""
        if self.features is not None:
            return list(self.features)
        for _, block in numbered(self.frames(0)):
            if not isinstance(block, BlockError):
                return column_names(block[0])
            if self.on_bad_block == "raise":
                raise block
        return None

    def _features_of(self, frame: Any) -> list[str]:
        """The columns of X in a data frame, all of which must be there, as must the labels if they are read."""
        names, labels = list(frame.columns), (self.target, self.weight)
        if self._reads_labels:
            return choose(self, names, *labels, self.features)[1]
        return choose(self, names, None, None, self.features, [name for one in labels for name in named(one)])[1]

    @property
    def n_features(self) -> int | None:
        """The number of columns of X, where `features` tell."""
        return None if self.features is None else len(self.features)

    def unlabelled(self) -> IterableSource:
        source = self.replace()
        source._reads_labels = False
        return source

    def name(self, part: int) -> str:
        return "the iterable"

    def blocks(self, part: int) -> Iterator[Any]:
        return self._items() if self.target is None else map(_FromFrame(self, _numbers), self._items())

    def targets(self, part: int) -> Iterator[Any]:
        return map(operator.itemgetter(1, 2), self.frames(part))

    def frames(self, part: int) -> Iterator[Any]:
        if self.target is None:
            return Reading(self, part, self._items(), checked_frame)
        return Reading(self, part, map(_FromFrame(self, lambda frame: frame), self._items()), checked_frame)

    def _items(self) -> Iterator[Any]:
        none = True
        for item in self.make() if callable(self.make) else self.make:
            none = False
            yield item
        if none:
            raise BlockError(
                "there is no block. Where there was one in an earlier pass, 'make' returns the same iterator every "
                "time; it must return a new one."
            )


class _FromFrame:
    """From data frames to blocks."""

    def __init__(self, source: IterableSource, rows_of: Callable[[Any], Any]):
        self.source, self.rows_of = source, rows_of
        self.features: list[str] | None = None

    def __call__(self, item: Any) -> Any:
        frame, source = _pandas(item), self.source
        target, weight = (source.target, source.weight) if source._reads_labels else (None, None)
        if self.features is None:
            self.features = source._features_of(frame)
        for name in [*self.features, *named(target), *named(weight)]:
            if name not in frame.columns:
                raise BlockError("the column is missing.", column=name)
        if target is None:
            return self.rows_of(frame[self.features]), None
        complete = [_complete(frame, name) for name in named(target)]
        y = complete[0] if isinstance(target, str) else np.column_stack(complete)
        return self.rows_of(frame[self.features]), y, None if weight is None else _complete(frame, weight)


def _pandas(item: Any) -> Any:
    frame = item.to_pandas() if hasattr(item, "to_pandas") else item
    if not hasattr(frame, "columns"):
        raise BlockError(f"with target=..., blocks must be data frames, not a {type(item).__name__}.")
    return frame


def _numbers(frame: Any) -> np.ndarray:
    for name, dtype in frame.dtypes.items():
        if dtype.kind not in "biuf":
            raise BlockError(
                f"the type is {dtype}, and a linear model needs numbers. Encode the column by "
                "source.transform(transformer), or leave it out by features=[...].",
                column=name,
            )
    narrow = all(is_narrow(dtype) for dtype in frame.dtypes)
    return frame.to_numpy(dtype=np.float32 if narrow else np.float64, na_value=np.nan)


def _complete(frame: Any, name: str) -> np.ndarray:
    missing = int(frame[name].isna().sum())
    if missing:
        raise BlockError(
            f"{missing} of {len(frame)} values are missing. Rows without a target or weight cannot be learned: leave "
            "them out.",
            column=name,
        )
    return frame[name].to_numpy()
