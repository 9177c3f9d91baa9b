"""The minimum of an objective over a few directions, found on the scores of the rows alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import Loss
from .descent import Margins, search
from .mapping import stays, summed
from .quadratic import solve


class Scores:
    """The losses of some rows on the way along directions; what is found for each row is new and never written to.

    Where a direction adds `moves` to the scores, it is meant divided by its size, so that no copy need be made. Every
    system has its own coefficients: every output, or one set for all outputs where the loss is joint.

    Parameters
    ----------
    margins : Margins
    room : callable
        Gives an array of a shape for numbers of all rows.
    """

    def __init__(self, margins: Margins, room: Callable[..., np.ndarray] = lambda *shape: np.empty(shape)):
        self.margins, self.room, self.S = margins, room, margins.n_systems

    @stays
    def move(self, moves: Sequence[np.ndarray], sizes: np.ndarray, a: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) of the directions add to the scores (n, K)."""
        out = self.room(*moves[0].shape)
        for part, _ in self.margins.runs():
            flat = np.matmul(a[:, None], self._moves(moves, sizes, part))[:, 0]
            out[part] = flat.reshape(out[part].shape) if self.S == 1 else flat.T
        return out

    @stays
    def ahead(self, scores: np.ndarray, move: np.ndarray, t: Any = 1.0) -> np.ndarray:
        """Scores after a move, times t."""
        out = self.room(*scores.shape)
        for part, _ in self.margins.runs():
            np.add(scores[part], t * move[part], out=out[part])
        return out

    @summed
    def derivatives(
        self, scores: np.ndarray, moves: Sequence[np.ndarray], sizes: np.ndarray, lift: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Totals (S,), gradients (S, m) and matrices (S, m, m) of the losses in the coefficients."""
        m = len(moves)
        totals, right, gram = np.zeros(self.S), np.zeros((self.S, m)), np.zeros((self.S, m, m))
        for part, margins in self.margins.runs():
            values, slopes, bends = margins.derivatives(scores[part], lift)
            own = self._moves(moves, sizes, part)
            totals += values
            right += np.matmul(own, self._flat(slopes)[:, :, None])[:, :, 0]
            gram += self._gram(own, bends)
        return totals, right, gram

    @summed
    def along(self, scores: np.ndarray, move: np.ndarray, t: np.ndarray) -> np.ndarray:
        """The totals (S,) after a move, times a step length of each."""
        totals = (margins.total(scores[part] + t * move[part]) for part, margins in self.margins.runs())
        return sum(totals, np.zeros(self.S))

    def _moves(self, moves: Sequence[np.ndarray], sizes: np.ndarray, part: slice) -> np.ndarray:
        """Those of some rows, (S, m, N): N = n K where the outputs share their coefficients."""
        own = np.stack([move[part] for move in moves])
        own /= sizes[:, None, None]
        return own.reshape(1, len(own), -1) if self.S == 1 else np.ascontiguousarray(own.transpose(2, 0, 1))

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


class Subspace:
    """Directions in which weights may move.

    Parameters
    ----------
    rows : Scores
    loss : Loss
    mass : float
        The sum of the weights of all rows.
    steps : ndarray of shape (m, K, width)
        The directions.
    moves : sequence of m ndarrays of shape (n, K), with `rows`
        What they add to the scores, times `sizes`.
    sizes : ndarray of shape (m,)
    pull, strength : ndarray of shape (K, width) and (width,)
        First and second derivatives of the penalty, which is quadratic along the directions.
    """

    def __init__(
        self,
        rows: Any,
        loss: Loss,
        mass: float,
        steps: np.ndarray,
        moves: Any,
        sizes: np.ndarray,
        pull: np.ndarray,
        strength: np.ndarray,
    ):
        m, S = len(steps), 1 if loss.joint else len(pull)
        self.rows, self.loss, self.moves, self.sizes, self.shape = rows, loss, moves, sizes, pull.shape
        self.steps = steps.reshape(m, S, -1).transpose(1, 0, 2)
        # Of the penalty times the mass, in the coefficients.
        strength = np.tile(strength, self.steps.shape[2] // max(len(strength), 1))
        self.first = mass * np.matmul(self.steps, pull.reshape(S, -1, 1))[:, :, 0]
        self.second = mass * np.matmul(self.steps * strength, self.steps.transpose(0, 2, 1))

    def step(self, a: np.ndarray) -> np.ndarray:
        """What coefficients (S, m) add to the weights (K, width)."""
        return np.matmul(a[:, None], self.steps)[:, 0].reshape(self.shape)

    def move(self, a: np.ndarray) -> Any:
        """What coefficients (S, m) add to the scores (n, K)."""
        return self.rows.move(self.moves, self.sizes, a)

    def _penalty(self, a: np.ndarray) -> np.ndarray:
        """What the penalties of the systems gain, times the mass."""
        return (a * (self.first + 0.5 * np.matmul(self.second, a[:, :, None])[:, :, 0])).sum(axis=1)

    def minimise(self, scores: Any, rounds: int = 8) -> np.ndarray:
        """The coefficients (S, m) of the minimum, from scores (n, K), by Newton steps.

        As many as it takes until one gains little beside another; the next would gain next to nothing.
        """
        rows, quadratic, lift, most = self.rows, self.loss.quadratic, 0.0, 0.0
        a = np.zeros(self.first.shape)
        for _ in range(1 if quadratic else rounds):
            totals, right, gram = rows.derivatives(scores, self.moves, self.sizes, lift)
            right = right + (self.first + np.matmul(self.second, a[:, :, None])[:, :, 0])
            s = -solve(gram + self.second, np.zeros(a.shape[1]), right)
            before, fall = totals + self._penalty(a), -(right * s).sum(axis=1)
            if quadratic:
                return a + s
            move = self.move(s)

            def value(t: Any, a: Any = a, s: Any = s, scores: Any = scores, move: Any = move) -> np.ndarray:
                return rows.along(scores, move, t) + self._penalty(a + t[:, None] * s)

            t = search(value, before, fall, 0.5 * fall)
            a, most = a + t[:, None] * s, max(most, fall.sum())
            if not fall.sum() > max(0.03 * most, 1e-15 * np.abs(before).sum()):
                break
            scores = rows.ahead(scores, move, t)
            lift = 1.0 if (t < 0.3).any() else 0.1 * lift
        return a
