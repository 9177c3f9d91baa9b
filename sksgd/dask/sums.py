"""Sums over a worker's rows: losses, and the derivatives that Newton's method wants. These are tasks."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from dask.sizeof import sizeof

from ..base import Loss
from ..core import descent
from ..core.batches import Block
from ..core.quadratic import Coordinates
from ..core.rows import Rows
from ..core.sweeps import Sweep


def add(*parts: Any) -> Any:
    """The sum of numbers, arrays or tuples of such; None where all are."""
    return functools.reduce(_both, parts)


def _both(a: Any, b: Any) -> Any:
    if isinstance(a, tuple):
        return tuple(map(_both, a, b))
    return None if a is None else a + b


def own(value: Any) -> Any:
    """The same numbers in arrays that belong to nobody else, and are not read-only."""
    if isinstance(value, tuple):
        return tuple(map(own, value))
    return value.copy() if isinstance(value, np.ndarray) else value


def counts(block: Block) -> np.ndarray:
    """See `Feed.counts`."""
    return block.counts()


def total_loss(loss: Loss, block: Block, weights: tuple[np.ndarray, np.ndarray]) -> float:
    """The weighted sum of the losses at weights (K, d) and (K,)."""
    return block.total_loss(loss, *weights)


def constant_loss(loss: Loss, block: Block, intercept: np.ndarray) -> tuple[float, float]:
    """The weighted sum of the losses of a model without features, and of the weights."""
    return block.constant_loss(loss, intercept) * block.total_weight, block.total_weight


def tally(loss: Loss, block: Block, n_outputs: int) -> tuple[np.ndarray, float]:
    """See `sksgd.core.descent.tally`."""
    return descent.tally(loss, block.targets.y, block.targets.weight, n_outputs)


def some_targets(block: Block, step: int) -> Rows:
    """Every so many-th row present, without features."""
    return block.targets.take(slice(None, None, step))


def some_rows(block: Block, step: int) -> Rows:
    """Every so many-th row present."""
    return block.rows_at(np.arange(0, len(block), step))


def random_rows(block: Block, share: float) -> Rows:
    """About this share of the rows, drawn at random."""
    return block.sample(lambda: None, math.ceil(share * len(block)))


# ---- sweeps ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)
class Lens:
    """Through what a sweep sees rows: the loss, coordinates, the number of outputs, widths of kinks or None, a span."""

    loss: Loss
    coordinates: Coordinates
    n_outputs: int
    widths: Any = None
    span: float = 1.0

    def on(self, block: Block) -> Sweep:
        """The sweep over these rows."""
        sweep = Sweep(self.loss, self.coordinates, block, self.n_outputs)
        if self.widths is not None:
            sweep.smooth(self.widths, self.span)
        return sweep


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """Totals, gradient, matrices, surplus and reach of a `Sweep` at some weights; the scores there, which stay."""

    sums: tuple[Any, ...]
    scores: np.ndarray


@sizeof.register(Measured)
def _of_measured(measured: Measured) -> int:
    return measured.scores.nbytes + sizeof(measured.sums)


def measure(lens: Lens, block: Block, u: np.ndarray, lift: float, grams: bool | None) -> Measured:
    """See `Sweep.measure`."""
    sweep = lens.on(block)
    sums = sweep.measure(u, lift, grams)
    return Measured((*sums, sweep.surplus, sweep.reach), sweep.scores)


def sums_of(measured: Measured) -> tuple[Any, ...]:
    """What may leave the worker."""
    return measured.sums


def along(lens: Lens, block: Block, before: Measured, after: Measured, t: np.ndarray) -> np.ndarray:
    """See `Sweep.along`."""
    sweep = lens.on(block)
    sweep.scores = before.scores
    sweep.hold()
    sweep.scores = after.scores
    return sweep.along(t)


def sizes(lens: Lens, block: Block, measured: Measured) -> np.ndarray:
    """See `Sweep.sizes`."""
    sweep = lens.on(block)
    sweep.scores = measured.scores
    return sweep.sizes()
