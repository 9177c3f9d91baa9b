"""Sources made of other sources."""

from __future__ import annotations

from .source import Source


class Wrapped(Source):
    """The rows of another `source`, some or changed, with its targets."""

    source: Source

    @property
    def labelled(self) -> bool:  # type: ignore[override]
        """Whether there are targets."""
        return self.source.labelled

    def unlabelled(self) -> Source:
        other = self.replace()
        other.source = self.source.unlabelled()
        return other
