"""The minimum of an objective over a few directions, found on the scores of the rows alone."""

from __future__ import annotations

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
    strength : ndarray of shape (width,)
        Of the L2 penalty.
    """

    def __init__(self, margins: Margins, steps: np.ndarray, moves: np.ndarray, strength: np.ndarray):
        m, self.S = len(steps), margins.n_systems
        self.margins, self.strength = margins, strength
        self.steps = self._by_system(steps)
        # (S, m, N): N = n K where the outputs share their coefficients.
        self.moves = moves.reshape(1, m, -1) if self.S == 1 else np.ascontiguousarray(moves.transpose(2, 0, 1))

    def _by_system(self, steps: np.ndarray) -> np.ndarray:
        """(m, K, width) as (S, m, M)."""
        m = len(steps)
        return steps.reshape(m, self.S, -1).transpose(1, 0, 2)

    def _scores(self, flat: np.ndarray, like: np.ndarray) -> np.ndarray:
        """What (S, N) is in the form of scores (n, K)."""
        return flat.reshape(like.shape) if self.S == 1 else np.ascontiguousarray(flat.T)

    def _flat(self, values: np.ndarray) -> np.ndarray:
        """(n, K) as (S, N)."""
        return values.reshape(1, -1) if self.S == 1 else values.T

    def change(self, a: np.ndarray, like: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) add to the scores."""
        return self._scores(np.matmul(a[:, None], self.moves)[:, 0], like)

    def step(self, a: np.ndarray, like: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) add to the weights (K, width)."""
        return np.matmul(a[:, None], self.steps)[:, 0].reshape(like.shape)

    def _gram(self, bends: np.ndarray) -> np.ndarray:
        """The matrices (S, m, m) of the losses."""
        gram = np.matmul(self.moves * self._flat(bends)[:, None], self.moves.transpose(0, 2, 1))
        if self.margins.loss.joint:
            # Row by row the matrix is diag(s) - s s' for the shares s; bends are those times the row's weight.
            mass = bends.sum(axis=1)
            mean = (self.moves.reshape(-1, *bends.shape) * bends).sum(axis=2)
            gram -= (mean / np.where(mass > 0, mass, 1.0)) @ mean.T
        return gram

    def minimise(self, scores: np.ndarray, w: np.ndarray, rounds: int = 8) -> np.ndarray:
        """The coefficients (S, m) of the minimum, for losses at `scores` (n, K) and weights `w` (K, width)."""
        margins, mass = self.margins, self.margins.mass
        w = w.reshape(self.S, -1)
        strength = mass * np.tile(self.strength, w.shape[1] // max(len(self.strength), 1))
        pulled = self.steps * strength
        first, second = np.matmul(pulled, w[:, :, None])[:, :, 0], np.matmul(pulled, self.steps.transpose(0, 2, 1))
        a, lift, most = np.zeros(first.shape), 0.0, 0.0

        def value(a: np.ndarray, at: np.ndarray) -> np.ndarray:
            """The objective times the mass, less what the penalty is at the start."""
            return margins.total(at) + (a * (first + 0.5 * np.matmul(a[:, None], second)[:, 0])).sum(axis=1)

        for _ in range(1 if margins.loss.quadratic else rounds):
            totals, slopes, bends = margins.derivatives(scores, lift)
            before = totals + (a * (first + 0.5 * np.matmul(a[:, None], second)[:, 0])).sum(axis=1)
            right = np.matmul(self.moves, self._flat(slopes)[:, :, None])[:, :, 0]
            right += first + np.matmul(a[:, None], second)[:, 0]
            s = -solve(self._gram(bends) + second, np.zeros(second.shape[1]), right)
            fall = -(right * s).sum(axis=1)
            moved = self.change(s, scores)
            t = search(lambda t, a=a, s=s, at=scores, by=moved: value(a + t[:, None] * s, at + t * by), before, fall)
            a, scores = a + t[:, None] * s, scores + t * moved
            most = max(most, fall.sum())
            if not fall.sum() > max(1e-3 * most, 1e-15 * np.abs(before).sum()):
                break
            lift = 1.0 if (t < 0.3).any() else 0.1 * lift
        return a
