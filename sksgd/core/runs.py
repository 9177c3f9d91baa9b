"""Whether the rows of a stream come sorted by target, which misleads all rules that see a row once."""

from __future__ import annotations

import dataclasses

import numpy as np

#: A stream is called sorted when this share of the changes between neighbours is missing to the rest, of so many.
SHARE, ENOUGH = 0.05, 50.0


@dataclasses.dataclass(frozen=True, eq=False)
class Runs:
    """Rows of a stream, by the first output: how many of each kind, and how often neighbours are of two kinds.

    Kinds are the classes or, where targets are numbers, those above and below the mean of the first block.

    Attributes
    ----------
    centre : float or None
        That mean; None for classes.
    kinds, counts : ndarray
    changes : int
    last : float
        The kind of the last row.
    """

    centre: float | None
    kinds: np.ndarray
    counts: np.ndarray
    changes: int
    last: float

    @classmethod
    def begin(cls, y: np.ndarray, classes: bool) -> Runs:
        """Before the first rows, of targets `y` (n,)."""
        return cls(None if classes else float(np.mean(y)), np.empty(0), np.empty(0, np.int64), 0, np.nan)

    def extend(self, y: np.ndarray) -> Runs:
        """With the next rows."""
        kinds = y if self.centre is None else (y > self.centre).astype(np.float64)
        both, inverse = np.unique(np.concatenate([self.kinds, kinds]), return_inverse=True)
        counts = np.bincount(inverse, minlength=len(both))
        counts[inverse[: len(self.kinds)]] += self.counts - 1
        changes = int(np.count_nonzero(kinds[1:] != kinds[:-1])) + int(len(self.counts) > 0 and kinds[0] != self.last)
        return Runs(self.centre, both, counts, self.changes + changes, float(kinds[-1]))

    @property
    def sorted(self) -> bool:
        """Whether there are far fewer changes than in a random order of the same rows."""
        n = self.counts.sum()
        expected = (n - 1) * (1.0 - np.sum((self.counts / max(n, 1)) ** 2))
        return bool(expected >= ENOUGH and self.changes < SHARE * expected)
