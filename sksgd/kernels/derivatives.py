"""The loss of many rows with its derivatives in their scores, for optimizers that work on blocks of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions import exp
from .dense import sum_up
from .groups import GROUP, room_for_weights, weights_of
from .intrinsics import flat, get, put
from .jit import helper, kernel, overload
from .update import gradient_of, log_sum_exp, target_of, value_of


@kernel
def derivatives(loss, scores, y, weight, lift, identity, smoothing, span, totals, slopes, bends):
    """Row weights times the gradients and curvatures of the loss at `scores` (n, K), into `slopes` and `bends`.

    `totals` gets the sums of the losses, one per output or, where the loss is joint, one in all; only these are
    computed if `slopes` and `bends` have no rows. For `lift` and `identity` see `raised`. A loss with kinks is replaced
    by its envelope of the width `smoothing` (K,), min over q of loss(q) + (q - p)^2/(2 width), unless that is 0. How
    that bends is a difference of its slopes over the share `span` of the width to both sides.
    """
    n, K = scores.shape
    p = flat(scores)
    norms, values, own = np.zeros(GROUP), np.zeros(GROUP), room_for_weights(weight)
    totals[:] = 0.0
    for first in range(0, n, GROUP):
        size = min(GROUP, n - first)
        weights_of(weight, first, first + size, own)
        for i in range(size):
            put(norms, i, log_sum_exp(loss, p, (first + i) * K, K))
        for k in range(K):
            width = get(smoothing, k)
            # Two loops, as with a branch inside none would vectorise; values and slopes share their exponentials.
            if len(slopes) == 0:
                for i in range(size):
                    row, norm = first + i, get(norms, i)
                    score, w, target = get(p, row * K + k), get(own, i), target_of(loss, y, row, k)
                    put(values, i, w * cost_of(loss, score, target, k, norm, width))
            else:
                for i in range(size):
                    row, norm = first + i, get(norms, i)
                    score, w, target = get(p, row * K + k), get(own, i), target_of(loss, y, row, k)
                    put(values, i, w * cost_of(loss, score, target, k, norm, width))
                    slope, bend = bent(loss, score, target, k, norm, lift, identity, width, span)
                    put(slopes, row * K + k, w * slope)
                    put(bends, row * K + k, w * bend)
            totals[min(k, len(totals) - 1)] += sum_up(values[:size])


def cost_of(loss: Any, p: float, target: float, k: int, norm: float, width: float) -> float:
    """The loss of output k, or its envelope."""
    return (_cost if loss.smooth else _envelope)(loss, p, target, k, norm, width)


def _cost(loss, p, target, k, norm, width):
    return value_of(loss, p, target, k, norm)


def _envelope(loss, p, target, k, norm, width):
    if width == 0.0:
        return loss.value(p, target)
    q = loss.prox(p, target, width)
    return loss.value(q, target) + 0.5 * (q - p) * (q - p) / width


def bent(
    loss: Any, p: float, target: float, k: int, norm: float, lift: float, identity: bool, width: float, span: float
) -> Any:
    """The derivatives of that: the gradient, and the curvature or, where the loss is joint, the share e^(p - norm)."""
    return _bent_as(loss)(loss, p, target, k, norm, lift, identity, width, span)


def _bent_as(loss):
    if loss.joint:
        return _share
    return _bend if loss.smooth else _kinked


def _bend(loss, p, target, k, norm, lift, identity, width, span):
    slope = gradient_of(loss, p, target, k, norm)
    return slope, raised(max(loss.curvature(p, target), 0.0), p, target, slope, lift, identity, loss.max_curvature)


def _share(loss, p, target, k, norm, lift, identity, width, span):
    return gradient_of(loss, p, target, k, norm), exp(p - norm)


def _kinked(loss, p, target, k, norm, lift, identity, width, span):
    if width == 0.0:
        return loss.gradient(p, target), 0.0
    slope = (p - loss.prox(p, target, width)) / width
    step = span * width
    bend = 1.0 - (loss.prox(p + step, target, width) - loss.prox(p - step, target, width)) / (2.0 * step)
    return slope, raised(max(bend, 0.0) / width, p, target, slope, lift, identity, 1.0 / width)


@helper
def raised(bend: float, p: float, target: float, slope: float, lift: float, identity: bool, most: float) -> float:
    """`bend` moved, by `lift` from 0 to 1, towards a curvature that promises no step without end.

    That is the one of the chord from `p` to where the loss is least, at the target where the link is the `identity`;
    where scores are logarithms, that of a step of 2 (1 + abs(p)). It is at `most` that number.
    """
    reach = max(abs(p - target), 1e-8 * abs(p), 1e-100) if identity else 2.0 * (1.0 + abs(p))
    return bend + lift * max(min(abs(slope) / reach, most) - bend, 0.0)


@overload(cost_of)
def _(loss: Any, p: Any, target: Any, k: Any, norm: Any, width: Any) -> Any:
    return _cost if loss.cls.smooth else _envelope


@overload(bent)
def _(loss: Any, p: Any, target: Any, k: Any, norm: Any, lift: Any, identity: Any, width: Any, span: Any) -> Any:
    return _bent_as(loss.cls)
