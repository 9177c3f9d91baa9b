"""The penalty and the bounds beside a quadratic model: what they cost, and the minimum of all together.

A system of unknowns w (S, M) stands in coordinates, as in `sksgd.core.quadratic`; the losses are sums over rows, and so
is the penalty here: `mass` times that of the objective.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .quadratic import JITTER, Coordinates, solve

#: Sweeps of coordinate descent between exact steps: twice as many after each that kinks and bounds cut short.
SWEEPS, MOST_SWEEPS = 3, 100
#: How often the two alternate at most, and halvings of an exact step.
ROUNDS, HALVES = 30, 20


class Step(NamedTuple):
    """The way `s` (S, M) to the minimum of a model, and what it says of each system (S,).

    `fall` is at least by how much the model falls per unit of the way in the beginning; `gain`, by how much in all.
    `done` says whether the minimum was found, or the way is only a part of that.
    """

    s: np.ndarray
    fall: np.ndarray
    gain: np.ndarray
    done: bool = True


class Tangent(NamedTuple):
    """What is known of losses at weights w: their sums `totals` and, smoothed, gradients `slope` and `bends`.

    `totals` (S,) are those of the smoothed losses, too. `squares` (S,) are half of the widths times the squared slopes
    of the rows: by so much the dual of the true losses is more than that of the smoothed ones where their slopes are.
    `bends` (S, M) are the diagonals of the Hessians. There are so many `features` before the intercept.
    """

    totals: np.ndarray
    squares: np.ndarray
    slope: np.ndarray
    bends: np.ndarray
    features: int


class Ridge:
    """A penalty of half of `diagonal` (width,) times the squares of the unknowns."""

    def __init__(self, diagonal: np.ndarray):
        self.diagonal = diagonal
        #: Which unknowns of one output may be moved in all outputs alike without raising the penalty at its minimum.
        self.loose: Any = True

    def value(self, w: np.ndarray) -> np.ndarray:
        """The penalty of each system, infinite out of bounds."""
        return 0.5 * (self._spread(w) * w * w).sum(axis=1)

    def inside(self, w: np.ndarray) -> np.ndarray:
        """The nearest weights within the bounds."""
        return w

    def limit(self, model: Tangent, w: np.ndarray) -> np.ndarray:
        """By how much at most the losses and the penalty are above their minimum at `w`, (S,): infinite if unknown.

        As the penalty bends at least so much: half the squares of the gradient over the strengths. What has none, the
        intercept, is thought to bend as the losses do.
        """
        if not (self.diagonal[: model.features] > 0).all():
            return np.full(len(w), np.inf)
        ridge = self._spread(w)
        bends = np.where(ridge > 0, ridge, model.bends)
        return (0.5 * (model.slope + ridge * w) ** 2 / np.maximum(bends, 1e-300)).sum(axis=1)

    def minimise(self, grams: np.ndarray, slope: np.ndarray, w: np.ndarray, extra: float = 0.0) -> Step:
        """The way from `w` to the minimum of ``slope s + s (gram + extra) s / 2 + value(w + s)``."""
        ridge = self._spread(w)
        right = slope + ridge * w
        s = -solve(grams, ridge + extra, right)
        fall = -(right * s).sum(axis=1)
        fall[~s.any(axis=1) & right.any(axis=1)] = np.inf  # there was no solution
        return Step(s, fall, 0.5 * fall)

    def _spread(self, w: np.ndarray) -> np.ndarray:
        K = w.shape[1] // len(self.diagonal)
        return self.diagonal if K == 1 else np.tile(self.diagonal, K)


class Terms(NamedTuple):
    """What `sksgd.kernels.coordinate_descent` is to know; arrays of shape (M,), where raw weights are w / scale.

    `kink` says whether the penalty has one at 0.
    """

    mass: float
    scale: np.ndarray
    alpha: np.ndarray
    low: np.ndarray
    high: np.ndarray
    kink: bool


class Proximal:
    """Any convex penalty that has a proximal step, and bounds; both are of raw weights. For methods see `Ridge`."""

    def __init__(self, penalty: Any, alpha: Any, bounds: np.ndarray | None, coordinates: Coordinates, mass: float):
        self.penalty = penalty
        d, columns = len(coordinates.mean), np.zeros((4, coordinates.width))
        columns[0], columns[2], columns[3] = 1.0, -np.inf, np.inf  # also those of the intercept
        columns[0, :d], columns[1, :d] = coordinates.scale, alpha
        if bounds is not None:
            columns[2:, :d] = bounds
        scale, strengths, low, high = columns
        self._terms = Terms(mass, scale, strengths, low, high, penalty.sparse)
        self.loose = (strengths == 0) & np.isinf(low) & np.isinf(high)

    def value(self, w: np.ndarray) -> np.ndarray:
        from ..kernels.dense import total_penalty

        mass, scale, alpha, low, high, _ = self._spread(w)
        raw = w / scale
        slack = 1e-12 * np.abs(raw)  # for what rounds
        outside = ((raw < low - slack) | (raw > high + slack)).any(axis=1)
        costs = np.array([mass * total_penalty(self.penalty, alpha, row[None]) for row in raw])
        return np.where(outside, np.inf, costs)

    def limit(self, model: Tangent, w: np.ndarray) -> np.ndarray:
        """The duality gap, where the penalty is kink |w| + ridge w^2/2 without bounds, and no loss is negative.

        The slopes of the losses are a point of the dual problem; without a ridge, times what brings every gradient
        within its kink. That of the intercept is to be 0: what is gained by that is added as in `Ridge`.
        """
        features, bounds = model.features, np.array([self._terms.low, self._terms.high])
        kink, ridge = self._shape(features)
        if not ((kink + ridge > 0).all() and np.isinf(bounds).all()):
            return np.full(len(w), np.inf)
        size, last = np.abs(model.slope[:, :features]), slice(features, None)
        share = np.ones(len(w))
        if not (ridge > 0).all():
            share = np.minimum((kink / np.maximum(size, 1e-300)).min(axis=1), 1.0)
        over = np.maximum(share[:, None] * size - kink, 0.0)
        conjugate = (0.5 * over**2 / np.where(ridge > 0, ridge, 1.0)).sum(axis=1)
        tangent = (model.slope * w)[:, :features].sum(axis=1)
        # Their costs are the smoothed ones, and more, which is told of beside.
        dual = share * (model.totals + model.squares - tangent) - model.squares - conjugate
        rest = (0.5 * model.slope[:, last] ** 2 / np.maximum(model.bends[:, last], 1e-300)).sum(axis=1)
        return np.maximum(model.totals + self.value(w) - dual, 0.0) + rest

    def _shape(self, features: int) -> np.ndarray:
        """The kinks and ridges (2, features) of the penalty in these coordinates; NaN if it is of another form."""
        mass, scale, alpha, _, _, _ = self._terms
        found = np.zeros((2, features))
        for strength in np.unique(alpha[:features]):
            one, two, three = (self.penalty.value(size, float(strength)) for size in (1.0, 2.0, 3.0))
            ridge = two - 2.0 * one
            kink = one - 0.5 * ridge
            same = ridge >= 0 and abs(three - 3.0 * kink - 4.5 * ridge) <= 1e-12 * three
            found[:, alpha[:features] == strength] = [[kink], [ridge]] if same else np.nan
        return mass * found / [scale[:features], scale[:features] ** 2]

    def inside(self, w: np.ndarray) -> np.ndarray:
        terms = self._spread(w)
        return np.where(np.isnan(w), w, np.clip(w, terms.low * terms.scale, terms.high * terms.scale))

    def minimise(self, grams: np.ndarray, slope: np.ndarray, w: np.ndarray, extra: float = 0.0) -> Step:
        """By coordinate descent, and exact steps for all weights that are neither at a kink nor at a bound."""
        terms, begin, u, bent, done = self._spread(w), self.inside(w), w.copy(), w.copy(), True
        for k in range(len(w)):
            model = _Model(self.penalty, terms, grams[k % len(grams)], extra, w[k], slope[k])
            u[k] = model.minimum(begin[k])
            done &= model.done
            bent[k] = model.gradient(u[k]) - slope[k]
        s = u - w
        fall = self.value(begin) - self.value(u) - (slope * s).sum(axis=1)
        return Step(s, np.maximum(fall, 0.0), np.maximum(fall - 0.5 * (s * bent).sum(axis=1), 0.0), done)

    def _spread(self, w: np.ndarray) -> Terms:
        """For all outputs of a system what is known of one."""
        mass, *arrays, kink = self._terms
        scale, alpha, low, high = (np.tile(values, w.shape[1] // len(values)) for values in arrays)
        return Terms(mass, scale, alpha, low, high, kink)


class _Model:
    """A quadratic of one system with this gradient at `w`, and a penalty."""

    def __init__(self, penalty: Any, terms: Terms, gram: np.ndarray, extra: float, w: np.ndarray, slope: np.ndarray):
        self.penalty, self.terms, self.gram, self.extra = penalty, terms, np.ascontiguousarray(gram), extra
        self.w, self.slope, self.done = w, slope, True

    def gradient(self, u: np.ndarray) -> np.ndarray:
        """That of the quadratic."""
        s = u - self.w
        return self.slope + self.gram @ s + self.extra * s

    def minimum(self, u: np.ndarray) -> np.ndarray:
        """Where the whole is least, searched for from `u`."""
        from ..kernels.coordinate_descent import descend_by_coordinates, room

        bends = np.diagonal(self.gram) + self.extra
        if not (np.isfinite(self.slope).all() and np.isfinite(bends).all()):
            return u
        bends = np.maximum(bends, JITTER * (bends.max() or 1.0))
        pulls, curves, free = room(len(u))
        u, before, bent, there, sweeps = u.copy(), free, curves, False, SWEEPS + len(u) // 25
        for _ in range(ROUNDS):
            head = (self.penalty, self.gram, bends, self.terms, u, self.gradient(u), sweeps)
            moved = descend_by_coordinates(*head, pulls, curves, free)
            same = there and np.array_equal(free, before) and (np.abs(curves - bent) <= 1e-6 * (bends + bent)).all()
            if same or moved <= 1e-28 * bends @ (u * u):
                break  # all others stayed where they were, and for these there was nothing left to do
            before, bent = free.copy(), curves.copy()
            u, there = self._leap(u, np.flatnonzero(free), pulls, curves)
            sweeps = sweeps if there else min(2 * sweeps, MOST_SWEEPS)
        else:
            self.done = False
        return u

    def _leap(self, u: np.ndarray, at: np.ndarray, pulls: np.ndarray, curves: np.ndarray) -> tuple[np.ndarray, bool]:
        """Move the unknowns `at` to their minimum, or part of the way; whether there is nothing left to gain by it."""
        if not len(at):
            return u, True
        from ..kernels.dense import total_penalty

        mass, scale, alpha, low, high, kink = self.terms
        slope, inner, now = self.gradient(u)[at], self.gram[np.ix_(at, at)], u[at]
        step = -solve(inner[None], curves[at] + self.extra, (slope + pulls[at])[None])[0]
        low, high, scale, alpha = low[at] * scale[at], high[at] * scale[at], scale[at], alpha[at]
        if kink:
            low = np.where((alpha > 0) & (now > 0), np.maximum(low, 0.0), low)
            high = np.where((alpha > 0) & (now < 0), np.minimum(high, 0.0), high)
        cost = total_penalty(self.penalty, alpha, (now / scale)[None])
        with np.errstate(divide="ignore", invalid="ignore"):
            ways = (np.where(step > 0, high, low) - now) / step
        # Where the model is flat a step has no end: then try how far the last of them gets to its limit, and less.
        last = float(np.max(ways, where=np.isfinite(ways), initial=0.0)) or 1.0
        for tried in range(HALVES):
            aim = np.clip(now + step, low, high)
            move = aim - now
            change = slope @ move + 0.5 * move @ (inner @ move + self.extra * move)
            if change + mass * (total_penalty(self.penalty, alpha, (aim / scale)[None]) - cost) < 0:
                u = u.copy()
                u[at] = aim
                return u, tried == 0 and bool((aim == now + step).all())
            step = (0.5 if tried else min(last, 0.5)) * step
        return u, False


def penalised(problem: Any, coordinates: Coordinates, mass: float) -> Ridge | Proximal:
    """The penalty and the bounds of a problem, for rows of this total weight."""
    bounds = problem.bounds if problem.bounds is not None and np.isfinite(problem.bounds).any() else None
    if bounds is not None or not is_quadratic(problem.penalty):
        return Proximal(problem.penalty, problem.alpha, bounds, coordinates, mass)
    strengths = [2.0 * problem.penalty.value(1.0, float(alpha)) for alpha in np.ravel(problem.alpha)]
    return Ridge(mass * coordinates.penalty(np.broadcast_to(strengths, len(coordinates.mean))))


def is_quadratic(penalty: Any) -> bool:
    """Whether a penalty is a multiple of the square of the weight."""
    return penalty.linear and penalty.value(2.0, 1.0) == 4.0 * penalty.value(1.0, 1.0)
