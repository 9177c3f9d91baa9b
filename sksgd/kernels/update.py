"""One weight in one update: the optimizer's move and the penalty, in the form that the pair of classes calls for.

Each function has a Python body, which is what ``kernel.py_func`` runs, and an overload that picks the same variant by
type, so that a kernel contains only the one it needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from ..base import Penalty
from ..functions import exp
from .intrinsics import get, put, scaled
from .jit import overload, reordered
from .scalars import log

# ---- the move of one weight ------------------------------------------------------------------------------------------


def move(opt: Any, pen: Any, g: float, w: float, slots: tuple, begun: tuple, step: float, a: float, alpha: Any) -> Any:
    """The weight and slots after an update with gradient `g`.

    `a` is the penalty's amount where all weights share it, and then `alpha` is None; else the penalty acts on this
    weight with its `alpha` and its own multiple of `step`.
    """
    return _variant(type(opt), type(pen), alpha is None)(opt, pen, g, w, slots, begun, step, a, alpha)


def _variant(opt: Any, pen: Any, shared: bool) -> Any:
    if shared and (opt.penalty_first or pen.first):
        return _shrink_then_move
    if shared and opt.idle == "glides" and pen.linear and not pen.free:
        return _move_then_shrink_all
    if shared:
        return _move_then_shrink
    if drifts(opt, pen):
        return _move_while_drifting
    return _prox_then_move if opt.penalty_first or pen.first else _move_then_prox


def drifts(opt: Any, pen: Any) -> bool:
    """Whether a penalty that differs from weight to weight is to act in the form that composes."""
    return opt.idle == "still" and not opt.fades and pen.drift is not Penalty.drift


def _move_then_shrink(opt, pen, g, w, slots, begun, step, a, alpha):
    w, slots = opt.coord(g, w, slots, begun)
    return pen.shrink(w, a), slots


def _shrink_then_move(opt, pen, g, w, slots, begun, step, a, alpha):
    return opt.coord(g, pen.shrink(w, a), slots, begun)


def _move_then_shrink_all(opt, pen, g, w, slots, begun, step, a, alpha):
    # Slots shrink with the weight: k idle updates are then a glide of the unshrunk pair times one common factor.
    w, slots = opt.coord(g, w, slots, begun)
    return pen.shrink(w, a), scaled(slots, a)


def _move_then_prox(opt, pen, g, w, slots, begun, step, a, alpha):
    w, slots = opt.coord(g, w, slots, begun)
    return pen.prox(w, step * opt.scale(slots, begun), alpha), slots


def _prox_then_move(opt, pen, g, w, slots, begun, step, a, alpha):
    return opt.coord(g, pen.prox(w, step * opt.scale(slots, begun), alpha), slots, begun)


def _move_while_drifting(opt, pen, g, w, slots, begun, step, a, alpha):
    moved, slots = opt.coord(g, w, slots, begun)
    return pen.drift(w, moved - w, step * opt.scale(slots, begun), alpha), slots


@overload(move)
def _(opt: Any, pen: Any, g: Any, w: Any, slots: Any, begun: Any, step: Any, a: Any, alpha: Any) -> Any:
    return _variant(opt.cls, pen.cls, isinstance(alpha, types.NoneType))


# ---- per-feature alpha and bounds: None, one number or an array ------------------------------------------------------


def item(values: Any, j: Any) -> Any:
    """values[j] of an array, else the value itself."""
    return values[j] if isinstance(values, np.ndarray) else values


@overload(item)
def _(values: Any, j: Any) -> Any:
    if isinstance(values, types.Array):
        return lambda values, j: get(values, j)
    return lambda values, j: values


def clip(w: float, bounds: Any, j: Any) -> float:
    """`w` projected to the bounds of feature j: None or an array of shape (2, d)."""
    return w if bounds is None else min(max(w, bounds[0, j]), bounds[1, j])


@overload(clip)
def _(w: Any, bounds: Any, j: Any) -> Any:
    if isinstance(bounds, types.NoneType):
        return lambda w, bounds, j: w
    return lambda w, bounds, j: min(max(w, bounds[0, j]), bounds[1, j])


# ---- the loss over the outputs of one row ----------------------------------------------------------------------------


def log_sum_exp(loss: Any, scores: Any, at: int, K: int) -> float:
    """log sum exp of the K scores from `at` on for a joint loss, else 0."""
    return _log_sum_exp(loss, scores, at, K) if loss.joint else 0.0


@reordered
def _log_sum_exp(loss, scores, at, K):
    top = get(scores, at)
    for k in range(1, K):
        top = max(top, get(scores, at + k))
    total = 0.0
    for k in range(K):
        total += exp(get(scores, at + k) - top)
    return top + log(total)


def log_sum_exps(loss: Any, scores: Any, norms: Any, n: int) -> None:
    """The same of n rows into `norms`: those of one output stand together, n from the next."""
    if loss.joint:
        _log_sum_exps(loss, scores, norms, n)


def _log_sum_exps(loss, scores, norms, n):
    tops = np.empty(n)
    for i in range(n):
        put(tops, i, get(scores, i))
        put(norms, i, 0.0)
    for at in range(n, len(scores), n):
        for i in range(n):
            put(tops, i, max(get(tops, i), get(scores, at + i)))
    for at in range(0, len(scores), n):
        for i in range(n):
            put(norms, i, get(norms, i) + exp(get(scores, at + i) - get(tops, i)))
    for i in range(n):
        put(norms, i, get(tops, i) + log(get(norms, i)))


def _nothing(loss, scores, norms, n):
    return None


@overload(log_sum_exps)
def _(loss: Any, scores: Any, norms: Any, n: Any) -> Any:
    return _log_sum_exps if loss.cls.joint else _nothing


def _zero(loss, scores, at, K):
    return 0.0


@overload(log_sum_exp)
def _(loss: Any, scores: Any, at: Any, K: Any) -> Any:
    return (lambda loss, scores, at, K: _log_sum_exp(loss, scores, at, K)) if loss.cls.joint else _zero


def target_of(loss: Any, y: Any, i: int, k: int) -> float:
    """The target of output k of row i; a joint loss has class numbers in ``y[:, 0]``."""
    return get(y, i) if loss.joint else get(y, i * y.shape[1] + k)


@overload(target_of)
def _(loss: Any, y: Any, i: Any, k: Any) -> Any:
    if loss.cls.joint:
        return lambda loss, y, i, k: get(y, i)
    return lambda loss, y, i, k: get(y, i * y.shape[1] + k)


def value_of(loss: Any, p: float, target: float, k: int, norm: float) -> float:
    """The loss of output k, or its share in a joint loss."""
    return (_joint_value if loss.joint else _value)(loss, p, target, k, norm)


def _value(loss, p, target, k, norm):
    return loss.value(p, target)


def _joint_value(loss, p, target, k, norm):
    return loss.value(p, 1.0 if target == k else 0.0, norm)


def gradient_of(loss: Any, p: float, target: float, k: int, norm: float) -> float:
    """Its derivative in `p`."""
    return (_joint_gradient if loss.joint else _gradient)(loss, p, target, k, norm)


def _gradient(loss, p, target, k, norm):
    return loss.gradient(p, target)


def _joint_gradient(loss, p, target, k, norm):
    return loss.gradient(p, 1.0 if target == k else 0.0, norm)


@overload(value_of)
def _(loss: Any, p: Any, target: Any, k: Any, norm: Any) -> Any:
    return _joint_value if loss.cls.joint else _value


@overload(gradient_of)
def _(loss: Any, p: Any, target: Any, k: Any, norm: Any) -> Any:
    return _joint_gradient if loss.cls.joint else _gradient
