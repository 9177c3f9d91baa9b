"""Dense columns in implicit SGD: scales by the moments so far, rows in coordinates, and moves; see `track`."""

from __future__ import annotations

from ..track import BEND
from .intrinsics import get, put
from .jit import helper, reordered
from .update import clip, item


@helper
def rescale(ridge, mean, spread, scale, bend):
    """Set the scales of the dense columns by their moments."""
    for j in range(len(scale)):
        put(scale, j, inverse(get(spread, j), item(ridge, j) / bend, get(mean, j)))


@reordered
def look(ridge, X, r, mean, spread, scale, away, running, rate, shift, bend):
    """Put the dense columns of row r less their means into `away`; the squared length of the row in coordinates.

    If `running`, the row then enters the moments, of which its weight is the share `rate`.
    """
    m, q = X.shape[1], 0.0
    if not running:
        for j in range(m):
            x = get(X, r * m + j) - get(mean, j)
            put(away, j, x)
            q += get(scale, j) * x * x
        return q
    for j in range(m):
        x = get(X, r * m + j) - get(mean, j)
        centre = get(mean, j) + shift * x
        wide = (1.0 - rate) * get(spread, j) + rate * (1.0 - shift) * x * x
        put(away, j, x)
        put(mean, j, centre)
        put(spread, j, wide)
        put(scale, j, inverse(wide, item(ridge, j) / bend, centre))
        q += get(scale, j) * (1.0 - shift) * (1.0 - shift) * x * x
    return q


@helper
def inverse(wide, ridge, centre):
    """One over the variance of a column and what the penalty adds to it, 0 if it is constant up to rounding."""
    total = wide + ridge + 1e-26 * centre * centre
    return 1.0 / total if total > 1e-300 else 0.0


@reordered
def product(w, at, away):
    """w[at : at + m] times `away`."""
    p = 0.0
    for j in range(len(away)):
        p += get(w, at + j) * get(away, j)
    return p


@helper
def most(outputs, K):
    """The largest curvature."""
    bend = outputs[BEND, 0]
    for k in range(1, K):
        bend = max(bend, outputs[BEND, k])
    return bend


@helper
def move(rule, w, k, K, m, away, scale, step, time, rho):
    """Move the weights of output k on dense columns, and their average."""
    for j in range(m):
        p, d = k * m + j, get(scale, j)
        moved = rule.pen.prox(get(w, p) - step * d * get(away, j), time * d, item(rule.alpha, j))
        moved = clip(moved, rule.bounds, j)
        put(w, p, moved)
        put(w, K * m + p, get(w, K * m + p) + rho * (moved - get(w, K * m + p)))
