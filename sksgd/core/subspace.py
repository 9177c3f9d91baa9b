"""The minimum of an objective over a few directions, found on the scores of the rows alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from .descent import Margins, search
from .quadratic import solve


class Subspace:
    """Directions in which weights may move, with what each adds to the scores.

    Every system has its own coefficients: every output, or one set for all outputs where the loss is joint.

    Parameters
    ----------
    margins : Margins
    steps : ndarray of shape (m, K, width)
        The directions.
    moves : ndarray of shape (m, n, K)
        What they add to the scores.
    pull, strength : ndarray of shape (K, width) and (width,)
        First and second derivatives of the penalty, which is quadratic along the directions.
    """

    def __init__(self, margins: Margins, steps: np.ndarray, moves: np.ndarray, pull: np.ndarray, strength: np.ndarray):
        m, self.S = len(steps), margins.n_systems
        self.margins, self.shape, self.scores_shape = margins, pull.shape, moves.shape[1:]
        self.steps = steps.reshape(m, self.S, -1).transpose(1, 0, 2)
        # (S, m, N): N = n K where the outputs share their coefficients.
        self.moves = moves.reshape(1, m, -1) if self.S == 1 else np.ascontiguousarray(moves.transpose(2, 0, 1))
        # Of the penalty times the mass, in the coefficients.
        strength = np.tile(strength, self.steps.shape[2] // max(len(strength), 1))
        self.first = margins.mass * np.matmul(self.steps, pull.reshape(self.S, -1, 1))[:, :, 0]
        self.second = margins.mass * np.matmul(self.steps * strength, self.steps.transpose(0, 2, 1))

    def step(self, a: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) add to the weights (K, width)."""
        return np.matmul(a[:, None], self.steps)[:, 0].reshape(self.shape)

    def move(self, a: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) add to the scores (n, K)."""
        flat = np.matmul(a[:, None], self.moves)[:, 0]
        return flat.reshape(self.scores_shape) if self.S == 1 else np.ascontiguousarray(flat.T)

    def _flat(self, values: np.ndarray) -> np.ndarray:
        """(n, K) as (S, N)."""
        return values.reshape(1, -1) if self.S == 1 else values.T

    def _gram(self, bends: np.ndarray) -> np.ndarray:
        """The matrices (S, m, m) of the losses."""
        half = self.moves * np.sqrt(self._flat(bends))[:, None]
        gram = np.stack([part @ part.T for part in half])  # in half the time of another product
        if self.margins.loss.joint:
            # A row's matrix is diag(s) - s s' for the shares s of the outputs; bends are those times its weight.
            mass = bends.sum(axis=1)
            mean = (self.moves.reshape(-1, *bends.shape) * bends).sum(axis=2)
            gram -= (mean / np.where(mass > 0, mass, 1.0)) @ mean.T
        return gram

    def _penalty(self, a: np.ndarray) -> np.ndarray:
        """What the penalties of the systems gain, times the mass."""
        return (a * (self.first + 0.5 * np.matmul(self.second, a[:, :, None])[:, :, 0])).sum(axis=1)

    def minimise(self, scores: np.ndarray, rounds: int = 8) -> np.ndarray:
        """The coefficients (S, m) of the minimum, from `scores` (n, K), by Newton steps.

        As many as it takes until one gains little beside another; the next would gain next to nothing.
        """
        margins, lift, most = self.margins, 0.0, 0.0
        a = np.zeros(self.first.shape)
        for _ in range(1 if margins.loss.quadratic else rounds):
            totals, slopes, bends = margins.derivatives(scores, lift)
            right = np.matmul(self.moves, self._flat(slopes)[:, :, None])[:, :, 0]
            right += self.first + np.matmul(self.second, a[:, :, None])[:, :, 0]
            s = -solve(self._gram(bends) + self.second, np.zeros(a.shape[1]), right)
            before, fall, move = totals + self._penalty(a), -(right * s).sum(axis=1), self.move(s)

            def value(t: Any, a: Any = a, s: Any = s, scores: Any = scores, move: Any = move) -> np.ndarray:
                return margins.total(scores + t * move) + self._penalty(a + t[:, None] * s)

            t = np.ones(self.S) if margins.loss.quadratic else search(value, before, fall, 0.5 * fall)
            a, scores, most = a + t[:, None] * s, scores + t * move, max(most, fall.sum())
            if not fall.sum() > max(0.03 * most, 1e-15 * np.abs(before).sum()):
                break
            lift = 1.0 if (t < 0.3).any() else 0.1 * lift
        return a
