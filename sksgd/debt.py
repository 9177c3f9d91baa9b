"""What all weights owe, in a few numbers, so that an update need not visit every weight.

- scale: a linear penalty shrinks every weight by the same factor in every update. Weights are stored over the scale.
- clock: what the strategy counts (see `sksgd.kernels.idle`); a record whose own clock is behind has to catch up before
  it is read.
- mass, keep: the average after update T is keep * (mass * weight + its average entry), where mass is the sum over
  updates t of rho_t scale_t / keep_t, and keep_t the product of (1 - rho_s) for s <= t. A weight that changes by delta
  in update t takes mass_{t-1} * delta off its entry, since earlier iterates had not changed yet (Bottou's two vectors).
- started: 0 while every rho so far was 1, that is while the average is the weight itself and its entries are 0.
- squares, sizes: the sums of the squares and of the sizes of the weights last visited, as they are stored: what the
  running objective of `sksgd.kernels.plain` knows of the penalty.
"""

from __future__ import annotations

import numpy as np

DEBT = ("scale", "clock", "mass", "keep", "started", "squares", "sizes")
SCALE, CLOCK, MASS, KEEP, STARTED, SQUARES, SIZES = range(len(DEBT))


def nothing_owed(started: float = 0.0) -> np.ndarray:
    """The debt of weights that are what is stored."""
    return np.array([1.0, 0.0, 0.0, 1.0, started, 0.0, 0.0])
