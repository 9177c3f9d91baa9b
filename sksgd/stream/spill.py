"""Numbers of all rows: in memory, or in a file without a name where they are too many."""

from __future__ import annotations

import math
import tempfile
from typing import Any

import numpy as np

#: The share of the memory limit that one such array may take.
SHARE = 16
#: Rows that are worked on at a time.
SOME = 1 << 16


def room(shape: tuple[int, ...], memory_limit: int, dtype: Any = np.float64) -> np.ndarray:
    """An array, not initialised; in a temporary file where it takes more than a sixteenth of the limit."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= memory_limit // SHARE:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="sksgd-") as file:
        file.truncate(size)
        return np.asarray(np.memmap(file, dtype, "r+", shape=shape))


def chosen(values: np.ndarray, mask: np.ndarray, memory_limit: int) -> np.ndarray:
    """The values where the mask is true, in such an array."""
    found, done = room((int(np.count_nonzero(mask)), *values.shape[1:]), memory_limit), 0
    for first in range(0, len(values), SOME):
        part = values[first : first + SOME][mask[first : first + SOME]]
        found[done : done + len(part)] = part
        done += len(part)
    return found


class Growing:
    """An array that is made by appending to it, of a length that nobody knows before."""

    def __init__(self, memory_limit: int):
        self.memory_limit, self.n = memory_limit, 0
        self._parts: list[np.ndarray] = []
        self._whole = np.empty(0)

    def append(self, values: np.ndarray) -> None:
        """Add float64 values of shape (m, ...)."""
        self._parts.append(values)
        self.n += len(values)
        held = sum(part.nbytes for part in self._parts)
        if held > self.memory_limit // (2 * SHARE):
            self._gather()

    def _gather(self) -> None:
        """Put all parts into one array, with room for as many again."""
        if not self._parts:
            return
        rest = self._parts[0].shape[1:]
        if len(self._whole) < self.n:
            grown = room((2 * self.n, *rest), self.memory_limit)
            done = self.n - sum(map(len, self._parts))
            grown[:done] = self._whole[:done] if done else 0.0
            self._whole = grown
        first = self.n - sum(map(len, self._parts))
        for part in self._parts:
            self._whole[first : first + len(part)] = part
            first += len(part)
        self._parts = []

    def array(self) -> np.ndarray:
        """All values."""
        self._gather()
        return self._whole[: self.n]
