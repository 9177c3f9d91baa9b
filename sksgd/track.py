"""What implicit SGD knows of its way, as the kernels hold it.

Columns are split as in `sksgd.core.split`: dense ones stand in arrays, whose mean is taken off, and the others in CSR
rows, which are as they are. What a row does not touch of these waits: a record holds the mean square of a column, the
time and the mass of the average at which it was last touched, and for each output its weight and the sum of mass times
weight since the average began. Time is the sum of the steps, which differ from output to output by a factor only.

Intercepts are those of the centred columns. All numbers but those of the data are float64.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

# Places in `Track.sums`: updates, the sum of the squared lengths of their rows, rows and weights that the moments are
# of, the time, updates that the average is of, and the weights of the rows in `SEEN`.
STEPS, SQUARES, COUNT, MASS, TIME, AVERAGED, LEARNED, N_SUMS = range(8)
# Lines of `Track.outputs`: intercepts, their average, curvatures; recent means of the losses and of the squared
# gradients; sums of the losses that the average had on rows before it learned them; a model without features and its
# average; recent means of the losses of both averages on rows before they learned them.
BIAS, MEAN_BIAS, BEND, LOSS, SLOPE, SEEN, FLAT, MEAN_FLAT, RECENT, RECENT_FLAT, N_LINES = range(11)
# Numbers at the head of a record, before weight and sum of each output.
SQUARE, WHEN, BEFORE, HEAD = range(4)
# What is held of the values of a CSR row.
VALUES, SCALES, IDLE, MISSED, ALPHAS, HELD_W, HELD_SUM, N_HELD = range(8)
#: How many numbers lie between an array that kernels write to and the next one: two times four of the widest vectors.
ROOM = 64


class Rule(NamedTuple):
    """The components, `alpha` and its quadratic part `ridge` (numbers or (d,)), and bounds, None or (2, d).

    `pace` is what multiplies the mean squared length of a row to give the updates after which steps begin to fall,
    `power` how fast they do; `caution` widens columns of CSR rows that were seen a few times only.
    """

    loss: Any
    pen: Any
    alpha: Any
    ridge: Any
    bounds: Any
    intercept: bool
    explicit: bool
    pace: float
    power: float
    caution: float


class Track(NamedTuple):
    """Where the weights are: moments (m,), weights and averages (2, K, m), and the records of the other columns."""

    mean: np.ndarray
    spread: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    records: np.ndarray
    outputs: np.ndarray
    sums: np.ndarray


def zeros(*shape: int) -> np.ndarray:
    """Zeros with room around them.

    Compiled loops over arrays that are less than some vectors apart go number by number, which rounds otherwise. With
    room, the numbers do not depend on where memory happened to be free.
    """
    size = math.prod(shape)
    return np.zeros(size + 2 * ROOM)[ROOM : ROOM + size].reshape(shape)


def spaced(track: Track) -> Track:
    """A copy with room around its arrays."""
    copy = Track(*(zeros(*values.shape) for values in track))
    for own, values in zip(copy, track, strict=True):
        own[...] = values
    return copy
