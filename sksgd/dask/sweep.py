"""Newton's sweeps over rows on workers."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.descent import natural
from ..core.sweeps import Reach
from . import sums

if TYPE_CHECKING:
    from distributed import Future

    from .feed import ClusterFeed


class ClusterSweep:
    """What `sksgd.core.sweeps.Sweep` is for rows in memory; scores stay on the workers."""

    def __init__(self, feed: ClusterFeed, lens: sums.Lens):
        self.feed, self.lens, self.coordinates = feed, lens, lens.coordinates
        self.n, self.mass = len(feed), feed.total_weight
        self.n_systems = 1 if lens.loss.joint else lens.n_outputs
        self.surplus, self.reach = np.zeros((3, self.n_systems)), Reach(np.zeros(self.coordinates.width))
        self._asked = feed.cluster.give(lens)
        self._measured: list[Future] = []
        self._before: list[Future] = []
        self._totals: Any = None

    def _sum(self, function: Any, *tail: Any) -> Any:
        """The sum over the blocks of a function of the lens, the block, and what there is of each block."""
        cluster, columns = self.feed.cluster, zip(*tail, strict=True) if tail else itertools.repeat(())
        with cluster.round():
            parts = [
                cluster.measured(function, self._asked, one.block, *own)
                for one, own in zip(self.feed.held, columns, strict=False)
            ]
            return cluster.get(cluster.tree(sums.add, parts))

    def measure(self, u: np.ndarray, lift: float = 0.0, grams: bool | None = True) -> tuple[Any, Any, Any]:
        """See `sksgd.core.sweeps.Sweep`."""
        cluster, held = self.feed.cluster, self.feed.held
        with cluster.round():
            self._measured = [cluster.measured(sums.measure, self._asked, one.block, u, lift, grams) for one in held]
            parts = [
                cluster.measured(sums.sums_of, measured, carries=(0,))
                for measured, one in zip(self._measured, held, strict=True)
            ]
            totals, slope, matrices, self.surplus, reach = cluster.get(cluster.tree(sums.add, parts))
        self.reach, self._totals = self.reach + reach, totals.copy()
        return totals.copy(), slope.copy(), matrices

    def hold(self) -> None:
        """See `sksgd.core.sweeps.Sweep`."""
        self._before = self._measured

    def along(self, t: np.ndarray) -> np.ndarray:
        """See `sksgd.core.sweeps.Sweep`."""
        if (t == 1).all():
            return self._totals.copy()
        return self._sum(sums.along, self._before, self._measured, [t] * len(self._before))

    def smooth(self, widths: np.ndarray, span: float) -> None:
        """See `sksgd.core.sweeps.Sweep`."""
        self.lens = dataclasses.replace(self.lens, widths=widths, span=span)
        self._asked = self.feed.cluster.give(self.lens)

    def natural_smoothing(self) -> np.ndarray:
        """See `sksgd.core.sweeps.Sweep`."""
        return natural(self._sum(sums.sizes, self._measured))
