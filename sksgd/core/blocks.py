"""Training by optimizers that work on blocks of rows: a pass, and the loop over passes with its estimate of the gap."""

from __future__ import annotations

from typing import Any

import numpy as np

from .batches import Block
from .feed import Feed
from .loop import Loop
from .problem import Problem
from .state import State

#: Estimates of the gap are trusted up to this factor.
SAFETY = 5.0


def learn(problem: Problem, state: State, block: Block) -> bool:
    """See the rows of a block of a stream once, in their order; whether all numbers stayed finite.

    `State.running` is their mean loss before they were learned.
    """
    if not len(block):
        return True
    before = state.memory.progressive
    with np.errstate(all="ignore"):  # what overflows is told of once
        problem.optimizer.learn(problem, state.memory, block)
        losses, mass = np.subtract(state.memory.progressive, before)
        state.running = float(losses / mass)
    _count(state, block)
    return state.memory.finite


def _count(state: State, feed: Feed) -> None:
    state.touch()
    state.t = state.memory.steps
    state.n_passes += 1
    state.n_samples_seen += len(feed)


class BlockLoop(Loop):
    """Passes until the objective is within `tol` of its minimum, by the optimizer's own estimate, or cannot be lowered.

    The gap is relative to the objective or, where that is near 0 or negative, to what is gained over the best model
    without features. With held-out data, training also stops when the loss on them does not fall any more.
    """

    harmless = ()

    def __init__(self, *head: Any, validation: Feed | None):
        super().__init__(*head)
        self.validation, self.held_out = validation, validation is not None
        loss, K = self.problem.loss, self.state.n_outputs
        intercept = self.feed.constants(loss, K) if self.problem.fit_intercept else np.zeros(K)
        #: The objective of the best model without features.
        self.constant = float(self.feed.constant_loss(loss, intercept))

    def one_pass(self) -> bool:
        memory, order = self.state.memory, lambda: next(self.orders)[0]
        with np.errstate(all="ignore"):
            self.problem.optimizer.improve(self.problem, memory, self.feed, order, self.enough)
        _count(self.state, self.feed)
        memory.gap = float(max(memory.excess, 0.0) / self.scale(memory.objective))
        return bool(np.isfinite(memory.objective))

    def enough(self) -> bool:
        """Whether the gap is within `tol`."""
        tol, memory = self.progress.tol, self.state.memory
        return tol is not None and SAFETY * memory.excess <= tol * self.scale(memory.objective)

    def scale(self, objective: float) -> float:
        """What the gap is relative to."""
        gained = max(self.constant - objective, 1e-9 * abs(objective), 1e-300)
        return max(objective, (1e-6 if objective > 0 else 1.0) * gained)

    def measure(self) -> tuple[float, float] | None:
        objective = self.state.memory.objective
        if self.validation is None:
            return objective, objective
        return objective, self.problem.mean_loss(self.validation, *self.state.weights(self.problem))

    def resting(self) -> State:
        """As after the last whole pass: no optimizer need be able to go on from the middle of one."""
        return (self.last if self.midway else self.state).copy()

    def fall_back(self) -> State:
        return self.best

    def ended(self) -> str:
        if self.enough():
            return "the objective is within tol of its minimum, by the estimate in optimality_gap_"
        if self.progress.tol is not None and self.state.memory.stuck:
            return "no step lowers the objective any further in floating-point numbers"
        # Where constants cost nothing, as with the perceptron's loss, the minimum is not what one is after.
        return super().ended() if self.held_out or self.constant == 0.0 else ""
