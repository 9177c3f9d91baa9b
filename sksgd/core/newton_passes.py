"""Newton's method on rows in memory: steps on all of them, with a line search and an estimate of what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import Loss
from .batches import Block
from .descent import search
from .feed import Feed
from .newton_memory import Memory
from .newton_stream import settle, stream
from .penalised import Tangent, penalised
from .quadratic import rescaled, secant
from .sweeps import Sweep

#: Rows from which on a fit begins with a stream.
MANY = 1000
#: Secant steps after that of Newton in a pass: one, and one more for each so many unknowns, up to the most.
SECANT, MOST_SECANTS = 10, 8
#: A fit begins with a part of the rows, so many for each unknown and at least the least, unless they are most of all.
PER_UNKNOWN, LEAST, SHARE = 30, 4096, 16
#: Rows for each unknown below which few are at their kinks: then steps look only so near, a share of the width, and the
#: estimate is a certain bound.
THIN, NEAR = 20, 0.01
#: The first smoothing of kinks, relative to the size of losses; what it is multiplied by, once it is what is left.
ROUND, NARROWER = 0.1, 0.3


def improve(problem: Any, memory: Memory, feed: Feed, order: Callable[[], Any], enough: Callable[[], bool]) -> None:
    """One pass over all rows; see `sksgd.base.BlockOptimizer`."""
    settle(problem, memory)
    new = memory.coordinates is None
    if new:
        memory.open(problem, feed.glimpse(1000), feed.constants)
    sweep, width = feed.sweep(problem.loss, memory.coordinates, len(memory.u)), memory.u.shape[1]
    terms = penalised(problem, memory.coordinates, sweep.mass)
    if new and memory.blank and not problem.loss.quadratic and len(feed) >= max(MANY, 32 * width):
        _begin(problem, memory, sweep, terms, feed, order)
    else:
        _newton_step(problem.loss, memory, sweep, terms)
    # More steps, with matrices that learn from each, as long as they gain: cheap where there are many unknowns. At
    # kinks there is nothing to learn.
    fall = np.inf
    for _ in range(problem.loss.smooth * min(MOST_SECANTS, 1 + memory.slope.shape[1] // SECANT)):
        before = memory.objective
        if enough():
            break
        surplus = _move(problem.loss, memory, sweep, terms, near=True)[2]
        memory.doubt = np.sqrt(memory.doubt) * surplus  # old doubts fade
        last, fall = fall, before - memory.objective
        if not fall > 0 or 0.95 * last <= fall <= 2.0 * last:
            break


def _begin(problem: Any, memory: Memory, sweep: Sweep, terms: Any, feed: Feed, order: Callable[[], Any]) -> None:
    """A stream of some rows, then a step on all of them; of all rows, if they are not many."""
    start, n, some = memory.u, len(feed), max(len(feed) // SHARE, PER_UNKNOWN * memory.slope.shape[1], LEAST)
    rows = feed.sample(order, some if 2 * some <= n else n)
    stream(problem, memory, rows, np.random.default_rng(0).permutation(len(rows)), growth=1.0)
    settle(problem, memory)
    if start[:, : memory.coef.shape[1]].any():  # for the bounds
        constant = sweep.measure(start, grams=False)[0].sum()
    else:
        constant = sweep.mass * feed.constant_loss(problem.loss, sweep.coordinates.outwards(start, np.float64)[1])
    smooth, part = problem.loss.smooth, None
    if len(rows) < n or not smooth or not _assess(problem.loss, memory, sweep, terms).sum() <= constant:
        if len(rows) < n and smooth:
            part = Block(rows.X, rows.y, rows.weight).sweep(problem.loss, memory.coordinates, len(start))
        _newton_step(problem.loss, memory, sweep, terms, (start, constant), part)


def _newton_step(
    loss: Loss, memory: Memory, sweep: Sweep, terms: Any, rival: Any = None, part: Sweep | None = None
) -> None:
    """A step with the matrices of the present weights, or of the `rival`, if its sum of losses is lower.

    The matrices are those of a `part` of the rows, if given.
    """
    if not loss.smooth and memory.smoothing is None and rival is None:
        memory.lift = 1.0  # constants are no place for curvatures of kinks
    lift, stale = memory.lift, memory.decrement
    memory.mass, memory.n_rows, memory.prior = sweep.mass, sweep.n, 0.0
    _measure(loss, memory, sweep, terms, lift, grams=None if part is not None else True)
    if rival is not None and not (memory.totals + sweep.surplus[0]).sum() <= rival[1]:
        memory.u, memory.smoothing, part = rival[0], None, None
        _measure(loss, memory, sweep, terms, lift)
    if part is not None:
        # What is rare may be missing in a part: the diagonals are those of all rows.
        known = part.measure(memory.u, lift)[2] * (sweep.mass / part.mass)
        missing = np.maximum(memory.grams - np.diagonal(known, axis1=1, axis2=2), 0.0)
        memory.grams = known + missing[:, :, None] * np.eye(known.shape[1])
    if not memory.finite:
        memory.objective = np.nan
        return
    t, fall, surplus = _move(loss, memory, sweep, terms)
    if lift == 0 and np.isfinite(stale) and loss.smooth:
        # How much too small the last decrement was, since its matrices were those of other weights.
        surplus = max(surplus, min(float(fall.sum()) / memory.mass / max(stale, 1e-300), 100.0))
    memory.doubt = surplus
    least = max(1e-14 * memory.mass * abs(memory.objective), 1e-250)
    memory.stuck = bool((t == 0).all() and lift == 1.0) or fall.sum() <= least
    memory.stuck &= bool(np.sum(memory.slack) <= least)
    short = 0.1 if loss.smooth else 0.3
    memory.lift = 1.0 if (t < short).any() else (0.1 * lift if lift > 0.01 else 0.0)


def _measure(loss: Loss, memory: Memory, sweep: Sweep, terms: Any, lift: float, grams: bool | None = True) -> None:
    """The quadratic model of all losses at the present weights, or at the nearest ones within the bounds."""
    memory.enter(terms)
    if not loss.smooth:
        _smooth(memory, sweep)
    memory.totals, memory.slope, memory.grams = sweep.measure(memory.u, lift, grams)


def _smooth(memory: Memory, sweep: Sweep) -> None:
    """Choose how far to smooth kinks: less and less, as soon as it is all that is left to gain."""
    if memory.smoothing is None:
        sweep.measure(memory.u, grams=False)
        memory.smoothing = ROUND * sweep.natural_smoothing()
    else:
        done = memory.left <= memory.slack
        memory.smoothing = np.where(done, NARROWER, 1.0) * memory.smoothing
        memory.left = np.where(done, 0.0, memory.left)
    sweep.smooth(memory.smoothing, NEAR if _thin(memory, sweep) else 1.0)


def _move(
    loss: Loss, memory: Memory, sweep: Sweep, terms: Any, near: bool = False
) -> tuple[np.ndarray, np.ndarray, float]:
    """A step with a line search: its lengths, the slopes at its start, and the surplus in what was gained.

    The surplus is the factor, at least 1, by which the objective fell further than the quadratic model promised:
    by about as much the matrices are too large at the new weights, and decrements with them too small. Diagonals are
    not looked at again where a step is thought to lead `near`, and is not made longer or shorter.
    """
    slope, left = memory.slope, memory.left
    w = memory.u.reshape(slope.shape)
    s, fall, gain, _ = terms.minimise(memory.grams, slope, w)
    if loss.joint:  # which does not see what moves the scores of all classes alike
        moves = s.reshape(memory.u.shape)
        s = (moves - np.where(terms.loose, moves.mean(axis=0), 0.0)).reshape(s.shape)
    before = memory.totals + terms.value(w)
    memory.steps += 1
    if loss.quadratic and gain.sum() < (1 - 1e-6) * before.sum():
        # The model is the objective: no need to look at the rows again, unless too many digits would cancel.
        memory.u = memory.u + s.reshape(memory.u.shape)
        memory.slope = slope + s @ memory.grams[0]
        memory.totals = before - gain - terms.value(memory.u.reshape(slope.shape))
        _weigh(loss, memory, sweep, terms)
        return np.ones(len(s)), fall, 1.0
    start, t = memory.u, np.ones(len(s))
    sweep.hold()
    bent = loss.smooth and not loss.quadratic
    memory.u = start + s.reshape(start.shape)
    memory.totals, memory.slope, diagonals = sweep.measure(memory.u, grams=None if bent and not near else False)
    if not loss.quadratic:
        t = search(lambda t: sweep.along(t) + terms.value(w + t[:, None] * s), before, fall, gain)
        if (t != 1).any():
            memory.u = start + (t[:, None] * s).reshape(start.shape)
            memory.totals, memory.slope, diagonals = sweep.measure(memory.u, grams=None if bent else False)
        if bent:
            memory.grams = secant(memory.grams, t[:, None] * s, memory.slope - slope)
            memory.diagonals = memory.diagonals if near and (t == 1).all() else diagonals
    _weigh(loss, memory, sweep, terms)
    if not loss.smooth:
        gained = before - memory.totals - terms.value(memory.u.reshape(slope.shape))
        _doubt(memory, sweep, terms, gained, t * fall - t * t * (fall - gain), t == 0, left)
        return t, fall, 1.0
    gained, promised = before.sum() - memory.objective * memory.mass, gain.sum()
    rounding = 1e-12 * abs(memory.objective) * memory.mass
    return t, fall, float(np.clip(gained / promised, 1.0, 100.0)) if promised > rounding else 1.0


def _doubt(memory: Memory, sweep: Sweep, terms: Any, gained: Any, promised: Any, stays: Any, left: Any) -> None:
    """With kinks, what the model said wrongly of a step may be wrong once more.

    Raised curvatures say too little: then at least all is left that was `left` before, less what was gained. Where even
    a safe step found nothing to gain, nothing is thought to be left but what the smoothing costs.
    """
    memory.left = np.maximum(memory.left, np.abs(gained - promised))
    if memory.lift == 1.0:
        memory.left = np.where(stays, 0.0, memory.left)
    above = memory.left if memory.lift <= 0.01 else np.where(stays, memory.left, np.maximum(memory.left, left - gained))
    if _thin(memory, sweep):
        # What bends is mostly the penalty, of which what is left to gain by a step knows little.
        limit = _limit(memory, sweep, terms)
        above, memory.left = (np.where(np.isfinite(limit), limit, values) for values in (above, memory.left))
    memory.decrement = 2.0 * float((above + np.sqrt(2.0 * above * sweep.surplus[2])).sum()) / memory.mass


def _thin(memory: Memory, sweep: Sweep) -> bool:
    return sweep.n < THIN * memory.u.shape[1]


def _limit(memory: Memory, sweep: Sweep, terms: Any) -> np.ndarray:
    """By how much at most the smoothed objective is above its minimum, times the mass; infinite where nobody knows."""
    bends = np.diagonal(memory.grams, axis1=1, axis2=2)
    model = Tangent(memory.totals, sweep.surplus[0] - sweep.surplus[1], memory.slope, bends, memory.coef.shape[1])
    return terms.limit(model, memory.u.reshape(memory.slope.shape))


def _assess(loss: Loss, memory: Memory, sweep: Sweep, terms: Any) -> np.ndarray:
    """Measure the losses and their gradient on all rows."""
    memory.totals, memory.slope, memory.diagonals = sweep.measure(memory.u, grams=None)
    _weigh(loss, memory, sweep, terms)
    return memory.totals


def _growth(s: np.ndarray, grams: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """By what factor (S,) a way may gain more than the model says of it, as curvatures change where scores do.

    A weight that changes a score by `far` may change curvatures by e^far, and its gain by 2 (e^far - far - 1)/far^2.
    """
    far = np.clip(np.abs(s) * np.tile(reach, s.shape[1] // len(reach)), 1e-3, 10.0)
    parts = s * s * np.diagonal(grams, axis1=1, axis2=2)
    parts /= np.maximum(parts.sum(axis=1, keepdims=True), 1e-300)
    return np.maximum((parts * (2.0 * (np.expm1(far) - far) / far**2)).sum(axis=1), 1.0)


def _weigh(loss: Loss, memory: Memory, sweep: Sweep, terms: Any) -> None:
    """The objective, and the Newton decrement with the last matrices.

    They are those of other weights: what has become flat since is told by the diagonals.
    """
    w, grams = memory.u.reshape(memory.slope.shape), memory.grams
    if loss.smooth and not loss.quadratic:
        grams = rescaled(grams, memory.diagonals, memory.u.shape[1])
    way = terms.minimise(grams, memory.slope, w)
    memory.left = way.gain
    if not way.done and loss.smooth and not loss.joint and loss.link != "log":
        limit = _limit(memory, sweep, terms)
        memory.left = np.where(np.isfinite(limit), np.minimum(limit, memory.totals + terms.value(w)), way.gain)
    if loss.link != "identity":
        most = np.maximum(memory.left, memory.totals + terms.value(w))
        memory.left = np.minimum(memory.left * _growth(way.s, grams, sweep.reach.sizes), most)
    memory.slack = np.maximum(sweep.surplus[1], 0.0)
    memory.decrement = 2.0 * float(memory.left.sum()) / memory.mass
    losses = memory.totals + sweep.surplus[0]
    memory.objective = float((losses + terms.value(w)).sum()) / memory.mass
