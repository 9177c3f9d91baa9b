"""Standardised, implicit, averaged SGD from its formulas, row by row and weight by weight, for one output."""

import numpy as np
from scipy.optimize import brentq


def proximal(loss, p, y, reach, share):
    """The u between 0 and the gradient g at p for which u = share l'(p - reach u)."""
    g = share * loss.gradient(p, y)
    low, high = min(0.0, g), max(0.0, g)
    if g == 0 or share * loss.gradient(p - reach * g, y) == g:
        return g
    return brentq(lambda u: u - share * loss.gradient(p - reach * u, y), low, high, xtol=1e-15 * abs(g), rtol=1e-14)


class Loop:
    """Dense columns first, the last `n_sparse` taken as sparse; moments of `known` rows, or running ones."""

    def __init__(self, problem, n_sparse, bend, start, pace, caution):
        self.loss, self.pen, self.alpha = problem.loss, problem.penalty, problem.alpha
        self.intercept, self.pace, self.caution, self.bend = problem.fit_intercept, pace, caution, bend
        self.n_sparse, self.mass, self.count, self.rows, self.squares = n_sparse, 0.0, 0, 0, 0.0
        self.b, self.mean_b = start, 0.0

    def moments(self, x, s):
        """Weighted mean and variance, by sums over all rows so far."""
        if not self.count:
            d = len(x)
            self.sum, self.square, self.w, self.mean_w = np.zeros(d), np.zeros(d), np.zeros(d), np.zeros(d)
            self.seen, self.touched, self.time = [], np.zeros(d), 0.0
        self.seen.append((x, s))
        self.count += 1
        self.mass += s

    def standardise(self, x, s, caution):
        """Row less mean, and one over variance plus penalty."""
        rows, weight = np.array([r for r, _ in self.seen]), np.array([v for _, v in self.seen])
        dense = np.arange(len(x)) < len(x) - self.n_sparse
        mean = np.where(dense & self.intercept, weight @ rows / self.mass, 0.0)
        spread = weight @ (rows - mean) ** 2 / self.mass
        spread = np.where(dense, spread, spread + caution * s * x**2 / self.mass)
        ridge = np.broadcast_to(self.pen.value(2.0, self.alpha) - 2 * self.pen.value(1.0, self.alpha), len(x))
        return dense, mean, 1 / (spread + ridge / self.bend)

    def learn(self, x, y, s, running):
        """One row of weight s."""
        if running:
            self.moments(x, s)
        dense, mean, scale = self.standardise(x, s, self.caution)
        z, here = x - mean, dense | (x != 0)
        # Weights that wait are paid when they are touched, by the scale that their column has then.
        for j in np.flatnonzero(here & ~dense):
            time = scale[j] * (self.time - self.touched[j]) / self.bend
            self.w[j] = self.w[j] if self.pen.free else self.pen.drift(self.w[j], 0.0, time, self.alpha)
            self.touched[j] = self.time
        p = self.b + x @ np.where(here, self.w, 0.0)
        q = self.intercept + (scale * z**2)[here].sum()
        self.squares += q
        usual = self.squares / (self.rows + 1)
        step = (1 + self.rows / (self.pace * usual)) ** (-2 / 3) / usual
        u = proximal(self.loss, p, y, step / self.bend * q, s * self.count / self.mass)
        self.w = np.where(here, self.w - step / self.bend * u * scale * z, self.w)
        if self.intercept:
            # Raw intercepts: the mean is taken off what moved by the row.
            self.b -= step / self.bend * u * (1 - (scale * z * mean)[here].sum())
        for j in np.flatnonzero(dense):
            before = self.w[j]
            self.w[j] = self.pen.prox(before, step / self.bend * scale[j], self.alpha)
            self.b -= mean[j] * (self.w[j] - before)
        self.rows += 1
        self.time += step
        rho = 2 / (self.rows + 1)
        self.mean_w = self.mean_w + rho * (self.w - self.mean_w)
        self.mean_b += rho * (self.b - self.mean_b)
