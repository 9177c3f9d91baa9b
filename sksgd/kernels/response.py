"""How far a row moves its score, how curvatures are learned on the way, and how idle weights rest: by class.

As in `update`, each function has a Python body and an overload that picks the same variant by type.
"""

from __future__ import annotations

import math
from typing import Any

from ..track import BEND, LOSS, SLOPE
from .jit import overload
from .update import gradient_of


def rest(pen: Any, w: float, time: float, alpha: float) -> tuple[float, float]:
    """An idle weight after some time under the penalty, and its mean over that time."""
    return _resting(type(pen))(pen, w, time, alpha)


def _resting(pen: Any) -> Any:
    return _free if pen.free else (_linear if pen.linear else _other)


def _free(pen, w, time, alpha):
    return w, w


def _linear(pen, w, time, alpha):
    # A move that is spread evenly over the time leaves what w would be on average.
    return pen.drift(w, 0.0, time, alpha), pen.drift(0.0, w, time, alpha)


def _other(pen, w, time, alpha):
    end = pen.drift(w, 0.0, time, alpha)
    return end, (w + 4.0 * pen.drift(w, 0.0, 0.5 * time, alpha) + end) / 6.0


def response(loss: Any, p: float, y: float, k: int, norm: float, reach: float, share: float, explicit: bool) -> float:
    """The gradient that a row moves weights by, `share` times that at the score the move leads to, p - reach u."""
    return (_bounded if loss.joint else _proximal)(loss, p, y, k, norm, reach, share, explicit)


def _bounded(loss, p, y, k, norm, reach, share, explicit):
    return share * gradient_of(loss, p, y, k, norm) / max(1.0, reach * share * loss.max_curvature)


def _proximal(loss, p, y, k, norm, reach, share, explicit):
    # u = share l'(p - reach u): the right side falls in u, so the solution lies between 0 and the gradient at p. At a
    # kink halving ends where p - reach u is the kink.
    g = share * loss.gradient(p, y)
    u = g / (1.0 + reach * share * max(loss.curvature(p, y), 0.0))
    if explicit or g == 0.0:
        return g
    low, high, before = min(0.0, g), max(0.0, g), abs(g)
    for _ in range(100):
        excess = u - share * loss.gradient(p - reach * u, y)
        if abs(excess) <= 1e-12 * abs(g):
            break
        low, high = (low, u) if excess > 0.0 else (u, high)
        if high - low <= 1e-12 * abs(g):
            break
        last = u
        u -= excess / (1.0 + reach * share * max(loss.curvature(p - reach * u, y), 0.0))
        if not low < u < high or abs(u - last) > 0.5 * before:
            u = 0.5 * (low + high)
        before = abs(u - last)
    return u


def adapt(loss: Any, outputs: Any, k: int, p: float, later: float, y: float, rho: float) -> None:
    """Let the curvature of output k learn from a score and what it became."""
    _adapter(type(loss))(loss, outputs, k, p, later, y, rho)


def _adapter(loss: Any) -> Any:
    if loss.joint or loss.quadratic:
        return _known
    if loss.link == "identity":
        return _chord
    return _known if math.isfinite(loss.max_curvature) else _mean_curvature


def _known(loss, outputs, k, p, later, y, rho):
    return None


def _chord(loss, outputs, k, p, later, y, rho):
    # Of c r^2/2 the squared gradient is 2 c times the value; of other losses this is the curvature at the scale of the
    # errors, which a kink does not have and a linear part does not show.
    g = loss.gradient(p, y)
    outputs[LOSS, k] += rho * (loss.value(p, y) - outputs[LOSS, k])
    outputs[SLOPE, k] += rho * (g * g - outputs[SLOPE, k])
    if outputs[LOSS, k] > 0.0 and outputs[SLOPE, k] > 0.0:
        outputs[BEND, k] = min(loss.max_curvature, 0.5 * outputs[SLOPE, k] / outputs[LOSS, k])


def _mean_curvature(loss, outputs, k, p, later, y, rho):
    outputs[SLOPE, k] += rho * (loss.curvature(later, y) - outputs[SLOPE, k])
    outputs[BEND, k] = max(outputs[SLOPE, k], 1e-100)


@overload(rest)
def _(pen: Any, w: Any, time: Any, alpha: Any) -> Any:
    return _resting(pen.cls)


@overload(response)
def _(loss: Any, p: Any, y: Any, k: Any, norm: Any, reach: Any, share: Any, explicit: Any) -> Any:
    return _bounded if loss.cls.joint else _proximal


@overload(adapt)
def _(loss: Any, outputs: Any, k: Any, p: Any, later: Any, y: Any, rho: Any) -> Any:
    return _adapter(loss.cls)
