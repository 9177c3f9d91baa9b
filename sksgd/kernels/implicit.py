"""Standardised, implicit, averaged SGD: rows one by one, in coordinates that are found on the way; see `track`."""

from __future__ import annotations

import math

import numpy as np

from ..functions import exp
from ..track import (
    AVERAGED,
    BEND,
    BIAS,
    COUNT,
    FLAT,
    LEARNED,
    MASS,
    MEAN_BIAS,
    MEAN_FLAT,
    N_HELD,
    RECENT,
    RECENT_FLAT,
    ROOM,
    SEEN,
    SQUARE,
    SQUARES,
    STEPS,
    TIME,
    Rule,
)
from .dense import sum_up
from .implicit_columns import look, most, move, product, rescale
from .implicit_records import move_touched, touch
from .intrinsics import borrowed, flat, get, prefetch, put
from .jit import helper, kernel
from .records import longest
from .response import adapt, response
from .rows import AHEAD, CLOSE, LONG, dense_ahead, dense_soon, records_ahead, span, visited
from .scalars import log
from .update import log_sum_exp, target_of, value_of


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
