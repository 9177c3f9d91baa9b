"""The loop of `minimize`: gradients from Python, updates by the kernel that trains models."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..base import Loss
from ..core.pass_ import count, table_of
from ..core.problem import Problem
from ..core.state import State
from .noise import Noise
from .objective import Objective

#: Updates whose rates and powers are tabulated at once.
TABLE = 1024

DONE, CONVERGED, STOPPED, DIVERGED = 0, 1, 2, 3


class NoLoss(Loss):
    """What stands in a `Problem` where gradients come from elsewhere."""

    def gradient(self, p: float, y: float) -> float:
        raise ValueError(
            "This learning rate follows from the loss of a model, which a function does not have. Choose another, such "
            "as 'inverse_sqrt'."
        )


class Descent:
    """Updates of one vector, which is the one line of weights of a `State`."""

    def __init__(
        self,
        problem: Problem,
        state: State,
        objective: Objective,
        batches: Iterator[tuple[np.ndarray, ...]],
        per_pass: int,
        noise: Callable[[np.ndarray], np.ndarray] | None,
        tol: float | None,
    ):
        self.problem, self.state, self.objective, self.batches = problem, state, objective, batches
        self.per_pass, self.noise, self.tol = per_pass, noise, tol
        self.nit = self.n_samples_seen = 0
        self._known: np.ndarray | None = None

    @property
    def iterate(self) -> np.ndarray:
        """A copy of the weights that move."""
        return self.state.lines[0, 0].copy()

    @property
    def x(self) -> np.ndarray:
        """The result as it is now, which would be the weights of a model: the average if there is one."""
        self.state.touch()
        return self.state.weights(self.problem)[0][0]

    def run(self, max_iter: int, observe: Callable[[], None]) -> int:
        """At most `max_iter` updates, each followed by `observe`, which may raise StopIteration; why they ended."""
        from ..kernels.dense import apply

        problem, state = self.problem, self.state
        moves, slopes = problem.moves, np.zeros(1)
        for first in range(0, max_iter, TABLE):
            updates = min(TABLE, max_iter - first)
            table = table_of(problem, state, updates)
            for line in range(updates):
                if self._at_rest():
                    return CONVERGED
                gradient = self._gradient()
                before = state.lines.copy()
                if np.isfinite(gradient).all():
                    at = line if len(table) > 1 else 0
                    apply(moves, 1.0, gradient, slopes, table, at, state.lines, state.bias, state.averaged, False)
                if not (np.isfinite(gradient).all() and np.isfinite(state.lines[0]).all()):
                    state.lines = before
                    return DIVERGED
                self.nit += 1
                try:
                    observe()
                except StopIteration:
                    return STOPPED
            count(problem, state, table, updates)
        return CONVERGED if self._at_rest() else DONE

    def _gradient(self) -> np.ndarray:
        """The gradient of the next batch with its noise, as the kernel takes it."""
        x, rows = self.iterate, next(self.batches)
        gradient = self.objective.gradient(x, *rows) if self._known is None else self._known
        self._known = None
        if self.noise is not None:
            gradient = gradient + self.noise(x)
        self.n_samples_seen += len(rows[0]) if rows else 1
        return np.array(gradient, dtype=x.dtype).reshape(1, -1)

    def _at_rest(self) -> bool:
        """Whether at the end of a pass the gradient over all samples, without noise, is small."""
        if self.tol is None or self.nit % self.per_pass:
            return False
        x, everything = self.iterate, self.objective.all
        gradient = self.objective.gradient(x, *everything)
        if not everything:
            self._known = gradient
        return self._residual(x, gradient) <= self.tol

    def _residual(self, x: np.ndarray, gradient: np.ndarray) -> float:
        """The largest move of a proximal step of size 1: of the gradient, where nothing else acts."""
        penalty, bounds = self.problem.penalty, self.problem.bounds
        target = x - gradient
        if not penalty.free:
            alpha = np.broadcast_to(self.problem.alpha, x.shape)
            target = np.array([penalty.prox(w, 1.0, a) for w, a in zip(target, alpha, strict=True)])
        if bounds is not None:
            target = np.clip(target, *bounds)
        return float(np.abs(x - target).max(initial=0.0))


def noise_of(noise: Noise | None, seed: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """Noise from a stream of its own, which no sampler uses."""
    if noise is None:
        return None
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])

    def draw(x: np.ndarray) -> np.ndarray:
        drawn = np.asarray(noise(rng, x))
        if drawn.shape not in {(), x.shape}:
            raise ValueError(f"noise must have the shape of x0, {x.shape}. Its shape is {drawn.shape}.")
        return drawn

    return draw
