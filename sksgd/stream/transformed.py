"""Sources whose rows go through a transformer."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ..core.errors import BlockError
from .reading import row_bytes
from .source import Source
from .wrapped import Wrapped

#: So many rows of the first block tell how large rows become.
_SAMPLE = 256


class Transformed(Wrapped):
    """A source whose X goes through a transformer, block by block; made by `Source.transform`."""

    def __init__(self, source: Source, transformer: Any, columns: str | list[str] | None = None):
        super().__init__(**source.options)
        if not hasattr(transformer, "transform"):
            raise ValueError(f"{transformer!r} has no method 'transform'. Pass a transformer or a pipeline of them.")
        self.source, self.transformer, self.columns = source, transformer, columns
        steps = [step for _, step in getattr(transformer, "steps", [("", transformer)]) if hasattr(step, "fit")]
        for step in steps:
            _check_fitted(step, transformer)
        self._stateless = all(not get_tags(step).requires_fit for step in steps)

    @property
    def n_parts(self) -> int:  # type: ignore[override]
        """How many parts there are."""
        return self.source.n_parts

    @functools.cached_property
    def feature_names(self) -> list[str] | None:  # type: ignore[override]
        """The columns of X, where the transformer names them."""
        try:
            return [str(name) for name in self.transformer.get_feature_names_out()]
        except (AttributeError, NotFittedError, ValueError):
            return None

    @functools.cached_property
    def row_bytes(self) -> float | None:  # type: ignore[override]
        """About how many bytes a row takes in memory, before or after, whichever is more."""
        before = self.source.row_bytes
        for part in range(self.n_parts):
            for X in _good(self.source, part, skip=True):
                try:
                    after = row_bytes(self._transform(X[:_SAMPLE]))
                except Exception:  # reading will raise it again, and name the part
                    return before
                return max(after, before or 0.0)
        return before

    def name(self, part: int) -> str:
        return self.source.name(part)

    def n_rows(self, part: int) -> int | None:
        return self.source.n_rows(part)

    @property
    def _before(self) -> Source:
        """The source, in blocks that are no larger afterwards."""
        return self.source.replace(**self.options | {"block_rows": self.rows_per_block})

    def blocks(self, part: int) -> Iterator[Any]:
        return map(self._block, self._before.frames(part))

    def targets(self, part: int) -> Iterator[Any]:
        return self._before.read_targets(part)

    def _block(self, block: Any) -> Any:
        X, y, weight = block
        return self._transform(X), y, weight

    def _transform(self, X: Any) -> Any:
        X = _chosen(X, self.columns)
        if self._stateless:
            # The same as `transform`, except that scikit-learn does not warn of names that it did not see in fit.
            return _array(clone(self.transformer).fit_transform(X))
        if hasattr(self.transformer, "n_features_in_") and not hasattr(self.transformer, "feature_names_in_"):
            X = _array(X)  # for the same reason
        return _array(self.transformer.transform(X))


def fitted(source: Source, transformer: Any, columns: str | list[str] | None = None) -> Any:
    """See `Source.fitted`."""
    if not hasattr(transformer, "partial_fit"):
        raise ValueError(
            f"{transformer!r} has no method 'partial_fit', so it cannot be fitted in a pass over the source. Fit it on "
            "a sample, such as the first block: X, y, sample_weight = next(source.frames(0))."
        )
    transformer, learned = clone(transformer), False
    for part in range(source.n_parts):
        for X in _good(source, part, skip=source.on_bad_block == "skip"):
            transformer.partial_fit(_chosen(X, columns))
            learned = True
    if not learned:
        raise ValueError(f"{source!r} has no rows to fit {transformer!r} on.")
    return transformer


def _good(source: Source, part: int, skip: bool) -> Iterator[Any]:
    """X of the blocks that can be read."""
    blocks = source.frames(part)
    while True:
        try:
            X, *_ = next(blocks)
        except StopIteration:
            return
        except BlockError:
            if not skip:
                raise
        else:
            yield X


def _check_fitted(step: Any, transformer: Any) -> None:
    try:
        check_is_fitted(step)
    except NotFittedError as error:
        remedy = (
            "fitted = source.fitted(transformer), which takes one pass"
            if hasattr(transformer, "partial_fit")
            else "on a sample, such as the first block: X, y, sample_weight = next(source.frames(0))"
        )
        raise ValueError(f"{transformer!r} is not fitted yet. Fit it first: {remedy}.") from error


def _chosen(X: Any, columns: str | list[str] | None) -> Any:
    if columns is None:
        return X
    if not hasattr(X, "columns"):
        raise ValueError(f"columns={columns!r} name columns, but those of this source have no names.")
    missing = [name for name in ([columns] if isinstance(columns, str) else columns) if name not in X.columns]
    if missing:
        raise ValueError(f"columns={columns!r}: there is no column {missing[0]!r} among {list(X.columns)}.")
    return X[columns]


def _array(X: Any) -> Any:
    """A sparse matrix as it is, a data frame as an array."""
    return X.to_numpy() if hasattr(X, "to_numpy") else X
