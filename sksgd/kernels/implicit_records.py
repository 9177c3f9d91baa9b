"""CSR columns in implicit SGD, of which what a row does not touch waits in records; see `track`."""

from __future__ import annotations

import numpy as np

from ..track import (
    ALPHAS,
    AVERAGED,
    BEFORE,
    BEND,
    HEAD,
    HELD_SUM,
    HELD_W,
    IDLE,
    MASS,
    MISSED,
    N_HELD,
    SCALES,
    SQUARE,
    TIME,
    VALUES,
    WHEN,
)
from .implicit_columns import inverse, most
from .intrinsics import flat, get, put
from .jit import helper, kernel, reordered
from .response import rest
from .rows import span
from .update import clip, item


@helper
def touch(rule, others, r, records, outputs, sums, running, own, bend, held, scores, means):
    """Bring the records of a CSR row up to date; adds the row to scores, and returns its squared length.

    Numbers of a kind are copied to `held` side by side, so that loops over them vectorise.
    """
    z, size, K, room = flat(records), records.shape[1], len(scores), len(held) // N_HELD
    now, mass = sums[TIME], 0.5 * sums[AVERAGED] * (sums[AVERAGED] + 1.0)
    per_mass, per_bend, per_sum = 1.0 / sums[MASS], 1.0 / bend, 1.0 / max(mass, 1.0)
    start, n = span(others, r)
    for c in range(n):
        x, j = get(others.data, start + c) * 1.0, np.int64(get(others.indices, start + c))
        at, square = j * size, own * x * x
        if running:
            put(z, at + SQUARE, get(z, at + SQUARE) + square)
        wide = (get(z, at + SQUARE) + rule.caution * square) * per_mass
        put(held, VALUES * room + c, x)
        put(held, SCALES * room + c, wide + item(rule.ridge, j) * per_bend)
        put(held, IDLE * room + c, now - get(z, at + WHEN))
        put(held, MISSED * room + c, mass - get(z, at + BEFORE))
        put(held, ALPHAS * room + c, item(rule.alpha, j))
        put(z, at + WHEN, now)
        put(z, at + BEFORE, mass)
    q = measure(held, room, n)
    for k in range(K):
        for c in range(n):
            p = np.int64(get(others.indices, start + c)) * size + HEAD + 2 * k
            put(held, HELD_W * room + c, get(z, p))
            put(held, HELD_SUM * room + c, get(z, p + 1))
        p, a = pay(rule.pen, held, room, n, 1.0 / outputs[BEND, k])
        scores[k] += p
        means[k] += a * per_sum
        for c in range(n):
            p = np.int64(get(others.indices, start + c)) * size + HEAD + 2 * k
            put(z, p, get(held, HELD_W * room + c))
            put(z, p + 1, get(held, HELD_SUM * room + c))
    return q


@reordered
def measure(held, room, n):
    """Turn variances into scales, and return the squared length of the row."""
    q = 0.0
    for c in range(n):
        scale, x = inverse(get(held, SCALES * room + c), 0.0, 0.0), get(held, VALUES * room + c)
        put(held, SCALES * room + c, scale)
        q += scale * x * x
    return q


@reordered
def pay(pen, held, room, n, per_bend):
    """Bring weights and sums of one output up to date, and return their products with the row."""
    p, a = 0.0, 0.0
    for c in range(n):
        time = get(held, IDLE * room + c) * get(held, SCALES * room + c) * per_bend
        w, between = rest(pen, get(held, HELD_W * room + c), time, get(held, ALPHAS * room + c))
        total = get(held, HELD_SUM * room + c) + get(held, MISSED * room + c) * between
        put(held, HELD_W * room + c, w)
        put(held, HELD_SUM * room + c, total)
        p += w * get(held, VALUES * room + c)
        a += total * get(held, VALUES * room + c)
    return p, a


@helper
def move_touched(rule, others, r, records, held, steps):
    """Move the weights of a CSR row."""
    z, size, room = flat(records), records.shape[1], len(held) // N_HELD
    start, n = span(others, r)
    for c in range(n):
        j, x = np.int64(get(others.indices, start + c)), get(held, SCALES * room + c) * get(held, VALUES * room + c)
        for k in range(len(steps)):
            p = j * size + HEAD + 2 * k
            put(z, p, clip(get(z, p) - steps[k] * x, rule.bounds, j))


@kernel
def settle(rule, first, track):
    """Bring all records from column `first` on up to date."""
    z, outputs, sums = flat(track.records), track.outputs, track.sums
    d, size = track.records.shape
    K, mass = outputs.shape[1], 0.5 * sums[AVERAGED] * (sums[AVERAGED] + 1.0)
    bend = most(outputs, K)
    for j in range(first, d):
        at = j * size
        scale = inverse(get(z, at + SQUARE) / sums[MASS], item(rule.ridge, j) / bend, 0.0)
        for k in range(K):
            p, time = at + HEAD + 2 * k, (sums[TIME] - get(z, at + WHEN)) * scale / outputs[BEND, k]
            w, between = rest(rule.pen, get(z, p), time, item(rule.alpha, j))
            put(z, p, w)
            put(z, p + 1, get(z, p + 1) + (mass - get(z, at + BEFORE)) * between)
        put(z, at + WHEN, sums[TIME])
        put(z, at + BEFORE, mass)
