"""`Sampler`: the order of the rows in a pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from .component import Component

__all__ = ["Sampler"]


class Sampler(Component):
    """The order of the rows in a pass.

    ``order(n, seed, number, norms)`` returns the positions of the rows for pass `number` (from 0), an integer array of
    length `n`, and None or a factor for the weight of every visited row. The same arguments give the same order.

    Examples
    --------
    >>> class Backwards(Sampler):
    ...     def order(self, n, seed, number, norms=None):
    ...         return np.arange(n)[::-1].copy(), None
    >>> Backwards().order(4, seed=0, number=0)[0]
    array([3, 2, 1, 0])
    """

    #: Whether `norms`, the squared Euclidean norms of the rows (plus 1 for an intercept), are wanted.
    needs_norms: ClassVar[bool] = False
    #: Whether a pass may visit rows several times and others not at all, which rows that are read from a source cannot.
    repeats: ClassVar[bool] = False

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        raise NotImplementedError(f"{type(self).__name__} must define order(n, seed, number, norms)")

    def orders(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The orders of pass `number` and those that follow."""
        while True:
            yield self.order(n, seed, number, norms)
            number += 1
