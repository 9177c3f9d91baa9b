"""Standardised, implicit, averaged SGD: rows one by one, in coordinates that are found on the way; see `track`."""

from __future__ import annotations

import math

import numpy as np

from ..functions import exp
from ..track import (
    ALPHAS,
    AVERAGED,
    BEFORE,
    BEND,
    BIAS,
    COUNT,
    FLAT,
    HEAD,
    HELD_SUM,
    HELD_W,
    IDLE,
    LEARNED,
    MASS,
    MEAN_BIAS,
    MEAN_FLAT,
    MISSED,
    N_HELD,
    RECENT,
    RECENT_FLAT,
    ROOM,
    SCALES,
    SEEN,
    SQUARE,
    SQUARES,
    STEPS,
    TIME,
    VALUES,
    WHEN,
    Rule,
)
from .dense import sum_up
from .intrinsics import borrowed, flat, get, prefetch, put
from .jit import helper, kernel, reordered
from .records import longest
from .response import adapt, response, rest
from .rows import AHEAD, CLOSE, LONG, dense_ahead, dense_soon, records_ahead, span, visited
from .scalars import log
from .update import clip, item, log_sum_exp, target_of, value_of


@kernel
def walk(rule, X, others, work, first, last, running, judging, track):
    """Learn the rows ``order[first:last]``; returns how many.

    `running`: whether they enter the moments; `judging`: whether losses on them are noted before they are learned.
    Rows are their dense columns `X` (n, m), and the `others` as CSR or None.
    It stops before the first row of which a prediction is not finite.
    """
    X, (y, order, weight) = borrowed(X), borrowed(work)
    mean, spread, scale, weights, records, outputs, sums = borrowed(track)
    (_, K, m), alike = weights.shape, len(weight) - 1
    w, away = flat(weights), np.zeros(m + 2 * ROOM)[ROOM : ROOM + m]
    scores, means, steps = np.zeros(K), np.zeros(K), np.zeros(K)
    held = np.zeros(N_HELD)
    how, about = moves(rule), (rule.intercept, rule.explicit, rule.pace, rule.power)
    if others is not None:
        held = np.zeros(N_HELD * longest(others, order, first, last))
    if not running:
        rescale(rule.ridge, mean, spread, scale, most(outputs, K))
    for i in range(first, last):
        r = visited(order, i)
        ahead(X, others, y, order, i, last, records)
        own, rate = get(weight, min(r, alike)), 0.0
        if running:
            sums[COUNT] += 1.0
            sums[MASS] += own
            rate = own / sums[MASS]
        share, shift = own * sums[COUNT] / sums[MASS], rate if rule.intercept else 0.0
        bend = most(outputs, K)
        q = 1.0 if rule.intercept else 0.0
        q += look(rule.ridge, X, r, mean, spread, scale, away, running, rate, shift, bend)
        for k in range(K):
            p, a = product(w, k * m, away), product(w, (K + k) * m, away)
            scores[k], means[k] = outputs[BIAS, k] + p, outputs[MEAN_BIAS, k] + a
            outputs[BIAS, k] += shift * p
            outputs[MEAN_BIAS, k] += shift * a
        if others is not None:
            q += touch(how, others, r, records, outputs, sums, running, own, bend, held, scores, means)
        if not math.isfinite(sum_up(scores) + q):
            return i - first
        q = max(q, 1e-300)
        sums[SQUARES] += q
        sums[LEARNED] += own if judging else 0.0
        usual = sums[SQUARES] / (sums[STEPS] + 1.0)
        step = exp(-rule.power * log(1.0 + sums[STEPS] / (rule.pace * usual))) / usual
        respond(rule.loss, rule.explicit, y, r, share, step, q, scores, steps, outputs, sums[STEPS])
        if judging:
            judge(rule.loss, about, y, r, own, share, sums[STEPS], means, scores, outputs)
        sums[STEPS] += 1.0
        sums[AVERAGED] += 1.0
        sums[TIME] += step
        rho = 2.0 / (sums[AVERAGED] + 1.0)
        for k in range(K):
            time = step / outputs[BEND, k]
            move(how, w, k, K, m, away, scale, (1.0 - shift) * steps[k], time, rho)
            if rule.intercept:
                outputs[BIAS, k] -= steps[k]
            outputs[MEAN_BIAS, k] += rho * (outputs[BIAS, k] - outputs[MEAN_BIAS, k])
        if others is not None:
            move_touched(how, others, r, records, held, steps)
    return last - first


@helper
def moves(rule):
    """The rule without its loss: what moves weights is compiled once for all losses."""
    return Rule(
        None, rule.pen, rule.alpha, rule.ridge, rule.bounds, rule.intercept, rule.explicit, rule.pace, rule.power,
        rule.caution,
    )  # fmt: skip


@helper
def ahead(X, others, y, order, i, last, records):
    """Prefetch rows after position i, and their records."""
    later = visited(order, min(i + AHEAD, last - 1))
    prefetch(y, later * y.shape[1])
    if X.shape[1] <= LONG:
        dense_soon(X, visited(order, min(i + CLOSE, last - 1)))
    else:
        dense_ahead(X, later, 0, X.shape[1])
    if others is not None:
        records_ahead(others, y, flat(records), records.shape[1], order, i, last)


@helper
def most(outputs, K):
    """The largest curvature."""
    bend = outputs[BEND, 0]
    for k in range(1, K):
        bend = max(bend, outputs[BEND, k])
    return bend


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
def judge(loss, about, y, r, own, share, t, means, scores, outputs):
    """Note the losses of the average, and of one without features, on a row that they do not know yet.

    The latter then learns it. `scores` are overwritten.
    """
    (intercept, explicit, pace, power), K, rho = about, len(means), 2.0 / (t + 2.0)
    norm = log_sum_exp(loss, means, 0, K)
    for k in range(K):
        value = value_of(loss, means[k], target_of(loss, y, r, k), k, norm)
        outputs[SEEN, k] += own * value
        outputs[RECENT, k] += min(rho * share, 1.0) * (value - outputs[RECENT, k])
        scores[k] = outputs[MEAN_FLAT, k]
    norm = log_sum_exp(loss, scores, 0, K)
    for k in range(K):
        value = value_of(loss, scores[k], target_of(loss, y, r, k), k, norm)
        outputs[RECENT_FLAT, k] += min(rho * share, 1.0) * (value - outputs[RECENT_FLAT, k])
        scores[k] = outputs[FLAT, k]
    if intercept:
        norm, step = log_sum_exp(loss, scores, 0, K), exp(-power * log(1.0 + t / pace))
        for k in range(K):
            eta = step / outputs[BEND, k]
            u = response(loss, scores[k], target_of(loss, y, r, k), k, norm, eta, share, explicit)
            outputs[FLAT, k] -= eta * u
            outputs[MEAN_FLAT, k] += rho * (outputs[FLAT, k] - outputs[MEAN_FLAT, k])


@helper
def respond(loss, explicit, y, r, share, step, q, scores, steps, outputs, t):
    """The moves `steps` of the scores' gradients, implicit ones; curvatures learn from them."""
    norm = log_sum_exp(loss, scores, 0, len(scores))
    for k in range(len(scores)):
        target, eta = target_of(loss, y, r, k), step / outputs[BEND, k]
        slope = response(loss, scores[k], target, k, norm, eta * q, share, explicit)
        if not explicit:
            adapt(loss, outputs, k, scores[k], scores[k] - eta * q * slope, target, min(2.0 * share / (t + 101.0), 1.0))
        steps[k] = eta * slope


@helper
def move(rule, w, k, K, m, away, scale, step, time, rho):
    """Move the weights of output k on dense columns, and their average."""
    for j in range(m):
        p, d = k * m + j, get(scale, j)
        moved = rule.pen.prox(get(w, p) - step * d * get(away, j), time * d, item(rule.alpha, j))
        moved = clip(moved, rule.bounds, j)
        put(w, p, moved)
        put(w, K * m + p, get(w, K * m + p) + rho * (moved - get(w, K * m + p)))


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


@kernel
def moments(ridge, intercept, X, others, order, weight, track):
    """Take rows into the moments without learning them."""
    mean, spread, scale, _, records, outputs, sums = track
    z, size, m = flat(records), records.shape[1], X.shape[1]
    away = np.zeros(m + 2 * ROOM)[ROOM : ROOM + m]
    bend, alike = most(outputs, outputs.shape[1]), len(weight) - 1
    for i in range(len(order)):
        r = visited(order, i)
        own = get(weight, min(r, alike))
        sums[COUNT] += 1.0
        sums[MASS] += own
        rate = own / sums[MASS]
        look(ridge, X, r, mean, spread, scale, away, True, rate, rate if intercept else 0.0, bend)
        if others is not None:
            start, n = span(others, r)
            for c in range(start, start + n):
                at, x = np.int64(get(others.indices, c)) * size + SQUARE, get(others.data, c) * 1.0
                put(z, at, get(z, at) + own * x * x)
