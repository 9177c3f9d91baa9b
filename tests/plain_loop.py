"""The NumPy loop that plain SGD with one output is held against."""

from __future__ import annotations

import numpy as np


class Loop:
    """Weights, and all that changes with them.

    `trace` is the average of a weight that is 1 now and only shrank: what is truncated counts in the average as if
    it had been missing from all iterates so far, or since the scale was paid. A `dense` row visits all weights.
    """

    def __init__(self, problem, coef, intercept, dense):
        self.problem, self.w, self.b, self.dense = problem, coef.copy(), intercept, dense
        self.mean, self.mean_b, self.paid = coef.copy(), intercept, np.zeros_like(coef)
        self.t, self.toll, self.trace, self.scale, self.squares, self.sizes = 0, 0.0, 1.0, 1.0, 0.0, 0.0

    def one_pass(self, X, y, weight, order):
        """The updates of a pass; returns the mean of the running objective."""
        met = [self.visit(X[r], y[r, 0], weight[r]) for r in order]
        return np.mean(met)

    def visit(self, x, y, weight):
        problem, (pen, alpha) = self.problem, (self.problem.penalty, self.problem.alpha)
        p, square = float(x @ self.w) + self.b, float(x @ x)
        cost = pen.cost(self.squares, self.sizes, alpha) if problem.tally and problem.tally_penalty else 0.0
        if problem.sample_step.skips and square == 0:
            return problem.loss.value(p, y) + cost
        t = np.array([self.t])
        rate = float(np.ravel(problem.schedule.rate(t))[0])
        step = weight * problem.sample_step.update(problem.loss, p, y, rate, square)
        met = problem.loss.value(p, y) + cost
        if pen.first:
            self.shrink(float(pen.amount(rate, alpha)))
        self.w = self.w + step * x
        visited = np.flatnonzero(x != 0) if not self.dense else np.arange(len(x))
        if step:
            self.squares, self.sizes = np.sum(self.w[visited] ** 2), np.sum(np.abs(self.w[visited]))
        if pen.truncates:
            self.toll += pen.toll(rate, alpha)
            self.truncate(visited)
        if not pen.first:
            self.shrink(float(pen.amount(rate, alpha)))
        self.b += problem.intercept_decay * step * problem.fit_intercept
        if problem.averaging is not None:
            rho = float(problem.averaging.rho(t, rate, 0.0)[0][0])
            self.mean, self.mean_b = self.mean + rho * (self.w - self.mean), self.mean_b + rho * (self.b - self.mean_b)
            self.trace += rho * (1 - self.trace)
        self.t += 1
        return met

    def shrink(self, amount):
        self.w, self.squares, self.sizes = self.w * amount, self.squares * amount**2, self.sizes * amount
        self.scale *= amount
        paid = self.problem.scale_limit is not None and self.scale < self.problem.scale_limit
        self.trace, self.scale = (0.0, 1.0) if paid else (self.trace / amount, self.scale)

    def truncate(self, visited):
        z, paid = self.w[visited], self.paid[visited]
        after = np.sign(z) * np.maximum(0.0, np.abs(z) - (self.toll + np.sign(z) * paid))
        self.w[visited] = after
        self.paid[visited] += after - z
        self.mean[visited] += self.trace * (after - z)
