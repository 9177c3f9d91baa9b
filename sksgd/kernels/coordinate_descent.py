"""Coordinate descent on a quadratic model with a penalty and bounds: one small kernel."""

from __future__ import annotations

import numpy as np

from .jit import kernel


@kernel
def descend_by_coordinates(penalty, gram, bends, terms, u, gradient, sweeps, pulls, curves, free):
    """Minimise a quadratic plus ``mass * penalty`` in one unknown after the other, some times over all of them.

    The quadratic has the matrix `gram`, with `bends` for its diagonal, and the `gradient` at `u`; both arrays go with
    the weights. An unknown is its raw weight times `scale`; see `sksgd.core.penalised.Terms`. Returned is the sum of
    the squares by which the last sweep moved them, in terms of the model.

    At the end `pulls` and `curves` hold the first two derivatives of the penalty, and `free` says where they exist.
    """
    mass, scale, alpha, low, high, kink = terms
    changed = 0.0
    for sweep in range(sweeps):
        changed = 0.0
        for j in range(len(u)):
            bend, unit = bends[j], scale[j]
            aim = u[j] - gradient[j] / bend
            raw, step = aim / unit, min(mass / (bend * unit * unit), 1e300)
            best = penalty.prox(raw, step, alpha[j]) if alpha[j] > 0 else raw
            kept = min(max(best, low[j]), high[j])
            move = kept * unit - u[j]
            if move != 0.0:
                u[j] = kept * unit
                for i in range(len(u)):
                    gradient[i] += move * gram[j, i]
                gradient[j] += move * (bend - gram[j, j])
                changed += bend * move * move
            if sweep < sweeps - 1:
                continue
            pulls[j], curves[j] = bend * (aim - u[j]), 0.0
            free[j] = kept == best and not (kink and alpha[j] > 0 and best == 0.0)
            if free[j] and alpha[j] > 0:
                width = 1e-2 * abs(best) if best != 0.0 else 1e-2 * abs(raw) + 1e-100
                further, nearer = penalty.prox(raw + width, step, alpha[j]), penalty.prox(raw - width, step, alpha[j])
                rate = (further - nearer) / (2.0 * width)
                free[j] = rate > 1e-12
                curves[j] = bend * max(1.0 / rate - 1.0, 0.0) if free[j] else 0.0
    return changed


def room(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arrays for what the kernel leaves behind: `pulls`, `curves` and `free`."""
    return np.empty(size), np.empty(size), np.empty(size, dtype=np.bool_)
