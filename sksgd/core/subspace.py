"""The minimum of an objective over a few directions, found on the scores of the rows alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    moves : sequence of m ndarrays of shape (n, K)
        What they add to the scores.
    pull, strength : ndarray of shape (K, width) and (width,)
        First and second derivatives of the penalty, which is quadratic along the directions.
    room : callable
        Gives an array of a shape for numbers of all rows.
    """

    def __init__(
        self,
        margins: Margins,
        steps: np.ndarray,
        moves: Sequence[np.ndarray],
        pull: np.ndarray,
        strength: np.ndarray,
        room: Callable[..., np.ndarray] = lambda *shape: np.empty(shape),
    ):
        m, self.S = len(steps), margins.n_systems
        self.margins, self.moves, self.shape, self.room = margins, moves, pull.shape, room
        self.steps = steps.reshape(m, self.S, -1).transpose(1, 0, 2)
        # Of the penalty times the mass, in the coefficients.
        strength = np.tile(strength, self.steps.shape[2] // max(len(strength), 1))
        self.first = margins.mass * np.matmul(self.steps, pull.reshape(self.S, -1, 1))[:, :, 0]
        self.second = margins.mass * np.matmul(self.steps * strength, self.steps.transpose(0, 2, 1))

    def step(self, a: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) add to the weights (K, width)."""
        return np.matmul(a[:, None], self.steps)[:, 0].reshape(self.shape)

    def move(self, a: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) add to the scores (n, K)."""
        return self._move(a, self.room(*self.moves[0].shape))

    def _move(self, a: np.ndarray, out: np.ndarray) -> np.ndarray:
        for part, _ in self.margins.runs():
            flat = np.matmul(a[:, None], self._moves(part))[:, 0]
            out[part] = flat.reshape(out[part].shape) if self.S == 1 else flat.T
        return out

    def _moves(self, part: slice) -> np.ndarray:
        """Those of some rows, (S, m, N): N = n K where the outputs share their coefficients."""
        moves = np.stack([move[part] for move in self.moves])
        return moves.reshape(1, len(moves), -1) if self.S == 1 else np.ascontiguousarray(moves.transpose(2, 0, 1))

    def _flat(self, values: np.ndarray) -> np.ndarray:
        """(n, K) as (S, N)."""
        return values.reshape(1, -1) if self.S == 1 else values.T

    def _gram(self, moves: np.ndarray, bends: np.ndarray) -> np.ndarray:
        """The matrices (S, m, m) of the losses of some rows."""
        half = moves * np.sqrt(self._flat(bends))[:, None]
        gram = np.stack([part @ part.T for part in half])  # in half the time of another product
        if self.margins.loss.joint:
            # A row's matrix is diag(s) - s s' for the shares s of the outputs; bends are those times its weight.
            mass = bends.sum(axis=1)
            mean = (moves.reshape(-1, *bends.shape) * bends).sum(axis=2)
            gram -= (mean / np.where(mass > 0, mass, 1.0)) @ mean.T
        return gram

    def _penalty(self, a: np.ndarray) -> np.ndarray:
        """What the penalties of the systems gain, times the mass."""
        return (a * (self.first + 0.5 * np.matmul(self.second, a[:, :, None])[:, :, 0])).sum(axis=1)

    def _derivatives(self, scores: np.ndarray, lift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Totals (S,), gradients (S, m) and matrices (S, m, m) of the losses."""
        S, m = self.first.shape
        totals, right, gram = np.zeros(S), np.zeros((S, m)), np.zeros((S, m, m))
        for part, margins in self.margins.runs():
            values, slopes, bends = margins.derivatives(scores[part], lift)
            moves = self._moves(part)
            totals += values
            right += np.matmul(moves, self._flat(slopes)[:, :, None])[:, :, 0]
            gram += self._gram(moves, bends)
        return totals, right, gram

    def minimise(self, begin: np.ndarray, rounds: int = 8) -> np.ndarray:
        """The coefficients (S, m) of the minimum, from scores (n, K), by Newton steps.

        As many as it takes until one gains little beside another; the next would gain next to nothing.
        """
        margins, lift, most = self.margins, 0.0, 0.0
        a = np.zeros(self.first.shape)
        scores, move = (self.room(*begin.shape) for _ in range(2))
        scores[...] = begin
        for _ in range(1 if margins.loss.quadratic else rounds):
            totals, right, gram = self._derivatives(scores, lift)
            right += self.first + np.matmul(self.second, a[:, :, None])[:, :, 0]
            s = -solve(gram + self.second, np.zeros(a.shape[1]), right)
            before, fall = totals + self._penalty(a), -(right * s).sum(axis=1)
            if margins.loss.quadratic:
                return a + s

            self._move(s, move)

            def value(t: Any, a: Any = a, s: Any = s) -> np.ndarray:
                along = (some.total(scores[at] + t * move[at]) for at, some in margins.runs())
                return sum(along, np.zeros(self.S)) + self._penalty(a + t[:, None] * s)

            t = search(value, before, fall, 0.5 * fall)
            a, most = a + t[:, None] * s, max(most, fall.sum())
            if not fall.sum() > max(0.03 * most, 1e-15 * np.abs(before).sum()):
                break
            for at, _ in margins.runs():
                scores[at] += t * move[at]
            lift = 1.0 if (t < 0.3).any() else 0.1 * lift
        return a
