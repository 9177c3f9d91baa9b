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
    """

    s: np.ndarray
    fall: np.ndarray
    gain: np.ndarray


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

    def inside(self, w: np.ndarray) -> np.ndarray:
        terms = self._spread(w)
        return np.where(np.isnan(w), w, np.clip(w, terms.low * terms.scale, terms.high * terms.scale))

    def minimise(self, grams: np.ndarray, slope: np.ndarray, w: np.ndarray, extra: float = 0.0) -> Step:
        """By coordinate descent, and exact steps for all weights that are neither at a kink nor at a bound."""
        terms, begin, u, bent = self._spread(w), self.inside(w), w.copy(), w.copy()
        for k in range(len(w)):
            model = _Model(self.penalty, terms, grams[k % len(grams)], extra, w[k], slope[k])
            u[k] = model.minimum(begin[k])
            bent[k] = model.gradient(u[k]) - slope[k]
        s = u - w
        fall = self.value(begin) - self.value(u) - (slope * s).sum(axis=1)
        return Step(s, np.maximum(fall, 0.0), np.maximum(fall - 0.5 * (s * bent).sum(axis=1), 0.0))

    def _spread(self, w: np.ndarray) -> Terms:
        """For all outputs of a system what is known of one."""
        mass, *arrays, kink = self._terms
        scale, alpha, low, high = (np.tile(values, w.shape[1] // len(values)) for values in arrays)
        return Terms(mass, scale, alpha, low, high, kink)


class _Model:
    """A quadratic of one system with this gradient at `w`, and a penalty."""

    def __init__(self, penalty: Any, terms: Terms, gram: np.ndarray, extra: float, w: np.ndarray, slope: np.ndarray):
        self.penalty, self.terms, self.gram, self.extra = penalty, terms, np.ascontiguousarray(gram), extra
        self.w, self.slope = w, slope

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
