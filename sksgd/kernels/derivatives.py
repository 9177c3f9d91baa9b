"""The loss of many rows with its derivatives in their scores, for optimizers that work on blocks of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from ..functions import exp
from .dense import sum_up
from .groups import GROUP
from .intrinsics import get, put
from .jit import kernel
from .update import gradient_of, item, log_sum_exp, target_of, value_of


@kernel
def derivatives(loss, scores, y, weight, lift, identity, totals, slopes, bends):
    """Row weights times the gradients and curvatures of the loss at `scores` (n, K), into `slopes` and `bends`.

    `totals` gets the sums of the losses, one per output or, where the loss is joint, one in all; only these are
    computed if `slopes` and `bends` are None. For `lift` and `identity` see `bend_of`.
    """
    n, K = scores.shape
    p = scores.reshape(-1)
    norms, values = np.zeros(GROUP), np.zeros(GROUP)
    totals[:] = 0.0
    for first in range(0, n, GROUP):
        size = min(GROUP, n - first)
        for i in range(size):
            put(norms, i, log_sum_exp(loss, p, (first + i) * K, K))
        for k in range(K):
            for i in range(size):
                row, norm = first + i, get(norms, i)
                score, w = get(p, row * K + k), item(weight, row)
                target = target_of(loss, y, row, k)
                put(values, i, w * value_of(loss, score, target, k, norm))
                if slopes is not None:
                    slope = gradient_of(loss, score, target, k, norm)
                    put(slopes, row * K + k, w * slope)
                    put(bends, row * K + k, w * bend_of(loss, score, target, norm, slope, lift, identity))
            totals[min(k, len(totals) - 1)] += sum_up(values[:size])


def bend_of(loss: Any, p: float, target: float, norm: float, slope: float, lift: float, identity: bool) -> Any:
    """The curvature of an output; its share e^(p - norm) where the loss is joint.

    `lift`, from 0 to 1, moves it towards one that promises no step without end: that of the chord from `p` to where the
    loss is least, at `y` where the link is the `identity`; where scores are logarithms, that of a step of
    2 (1 + abs(p)).
    """
    return (_share if loss.joint else _bend)(loss, p, target, norm, slope, lift, identity)


def _bend(loss, p, target, norm, slope, lift, identity):
    bend = max(loss.curvature(p, target), 0.0)
    reach = max(abs(p - target), 1e-8 * abs(p), 1e-100) if identity else 2.0 * (1.0 + abs(p))
    return bend + lift * max(min(abs(slope) / reach, loss.max_curvature) - bend, 0.0)


def _share(loss, p, target, norm, slope, lift, identity):
    return exp(p - norm)


@overload(bend_of, strict=False)
def _(loss: Any, p: Any, target: Any, norm: Any, slope: Any, lift: Any, identity: Any) -> Any:
    return _share if loss.cls.joint else _bend
