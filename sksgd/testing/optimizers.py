"""The check of an optimizer."""

from __future__ import annotations

import math

import numpy as np

from ..base import Optimizer
from ..penalties import L2, NoPenalty
from .shared import call, check_runs, check_value, close, make_problem, require


def check_optimizer(optimizer: Optimizer) -> None:
    """Check an optimizer: shapes, the promise of `idle`, its resting point, compiled against Python, CSR against dense.

    Parameters
    ----------
    optimizer : Optimizer

    Raises
    ------
    AssertionError
        Naming what is wrong.

    Examples
    --------
    >>> from sksgd.base import Optimizer
    >>> class Slower(Optimizer):
    ...     idle = "still"
    ...     def coord(self, g, w, slots, begun):
    ...         return w - begun[0] * g, slots
    >>> check_optimizer(Slower())
    """
    check_value(optimizer, Optimizer)
    idles = ("still", "glides", "renews", "moves")
    require(optimizer.idle in idles, f"idle is {optimizer.idle!r}, not one of {idles}")
    begun = _check_begin(optimizer)
    slots = tuple(float(s) for s in np.broadcast_arrays(0.3, *optimizer.start(np.array(0.3)))[1:])
    require(len(slots) == optimizer.n_slots, f"start gives {len(slots)} slots, but n_slots is {optimizer.n_slots}")
    w = 0.3
    for t, g in enumerate([0.7, -0.2, 1.1, 0.4]):
        w, slots = call(optimizer.coord, g, w, slots, begun[t])
        require(
            len(slots) == optimizer.n_slots, f"coord returns {len(slots)} slots, but n_slots is {optimizer.n_slots}"
        )
        require(all(map(math.isfinite, (w, *slots))), f"coord returns {w}, {slots} at t={t}: not finite")
        _check_idle(optimizer, w, slots, begun[t])
    if not optimizer.penalty_first and not optimizer.cumulative:
        _check_step(optimizer)
    for penalty in (L2(), NoPenalty()):
        check_runs(make_problem(optimizer=optimizer, penalty=penalty), dense=not penalty.free)


def _check_begin(optimizer: Optimizer) -> list[tuple[float, ...]]:
    """What `begin` makes for updates 0, 1, ..., as the kernels read it."""
    t, eta = np.arange(4), np.array([0.1, 0.05, 0.2, 0.1])
    columns = optimizer.begin(t, eta)
    require(isinstance(columns, tuple), "begin does not return a tuple")
    lines = list(zip(*(np.broadcast_to(c, 4).tolist() for c in columns), strict=True))
    for i in range(4):
        for alone, together in zip(optimizer.begin(t[i : i + 1], eta[i : i + 1]), lines[i], strict=True):
            close(
                float(np.ravel(alone)[0]), together, f"begin for t={i} depends on the other updates of the call", 1e-12
            )
    return lines


def _check_idle(optimizer: Optimizer, w: float, slots: tuple, begun: tuple) -> None:
    name = type(optimizer).__name__
    moved, after = optimizer.coord(0.0, w, slots, begun)
    if optimizer.idle == "still":
        require(moved == w, f'{name} is idle="still", but coord with g=0 moves a weight from {w} to {moved}')
    if optimizer.idle == "renews":
        other, slots_of_other = optimizer.coord(0.0, w + 1.0, slots, begun)
        same = (other, *slots_of_other) == (moved, *after) and after == slots
        require(same, f'{name} is idle="renews", but with g=0 its result depends on the weight or its slots change')
    if optimizer.idle not in ("still", "glides"):
        return
    if not optimizer.fades:
        require((moved, *after) == (w, *slots), f"{name} has fades=False, but coord with g=0 changes weight or slots")
    moved, after = w, slots
    for k in range(1, 6):
        moved, after = optimizer.coord(0.0, moved, after, begun)
        glided, slots_glided = optimizer.glide(w, slots, float(k), begun)
        for found, wanted in zip((glided, *slots_glided), (moved, *after), strict=True):
            close(found, wanted, f"glide over k={k} differs from {k} calls of coord with g=0", 1e-10)
    if optimizer.ratio is not None:
        end, first = optimizer.glide(w, slots, math.inf, begun)[0], optimizer.glide(w, slots, 1.0, begun)[0]
        close(
            end - first, optimizer.ratio * (end - w), "ratio is not what an idle update leaves of the way to go", 1e-10
        )


def _check_step(optimizer: Optimizer) -> None:
    """That with an L2 penalty of 0.5, as the kernels apply it, a loss of (w - 1)^2 + 0.3 w rests at 1.7/2.5."""
    together = optimizer.idle == "glides" and not optimizer.scaled
    total, l2 = 20000, 0.5
    t = np.arange(total)
    eta = 0.1 * 0.5 ** (t // 1000)
    columns = (*optimizer.begin(t, eta), optimizer.step(t, eta, l2 if together else 0.0))
    w, slots = 0.0, tuple(float(s) for s in optimizer.start(np.zeros(())))
    for *begun, step in zip(*(np.broadcast_to(c, total).tolist() for c in columns), strict=True):
        w, slots = optimizer.coord(2 * (w - 1) + 0.3, w, slots, tuple(begun))
        factor = 1 / (1 + l2 * step * (optimizer.scale(slots, tuple(begun)) if optimizer.scaled else 1.0))
        w, slots = w * factor, tuple(s * factor for s in slots) if together else slots
    message = "with an L2 penalty it does not rest at the minimum of the objective: see step and scale"
    close(w, 1.7 / 2.5, message, 1e-3)  # where rates fall, velocities lag behind
