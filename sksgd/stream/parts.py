"""Some parts of a source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .source import Source
from .wrapped import Wrapped


class Parts(Wrapped):
    """Some parts of a source, in an order and with numbers of their own; made by `Source.take`."""

    def __init__(self, source: Source, parts: Sequence[int]):
        super().__init__(**source.options)
        self.source, self.parts = source, [source._known(int(part)) for part in parts]
        self.n_parts = len(self.parts)

    @property
    def _whole(self) -> Source:
        """The source, with the options of this one."""
        return self.source.replace(**self.options)

    @property
    def feature_names(self) -> list[str] | None:  # type: ignore[override]
        """The columns of X, if they have names."""
        return self.source.feature_names

    @property
    def n_features(self) -> int | None:
        """The number of columns of X, where it is known before reading."""
        return self.source.n_features

    @property
    def row_bytes(self) -> float | None:  # type: ignore[override]
        """About how many bytes a row takes in memory."""
        return self.source.row_bytes

    def name(self, part: int) -> str:
        return self.source.name(self.parts[part])

    def n_rows(self, part: int) -> int | None:
        return self.source.n_rows(self.parts[part])

    def blocks(self, part: int) -> Iterator[Any]:
        return self._whole.read(self.parts[part])

    def targets(self, part: int) -> Iterator[Any]:
        return self._whole.read_targets(self.parts[part])

    def frames(self, part: int) -> Iterator[Any]:
        return self._whole.frames(self.parts[self._known(part)])
