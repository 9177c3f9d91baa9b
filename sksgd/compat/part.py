"""The training of one output by scikit-learn's rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import blocks, loop
from ..core.batches import Block
from ..core.problem import Problem
from ..core.state import State


@dataclasses.dataclass
class Part:
    """The training of one output: what goes in, and what comes out.

    `rows` makes the block when it is wanted, lest the targets of many classes be held together.
    `check_finite` raises unless rows are finite; `average` and `average_intercept` are those so far. `train` are the
    numbers of the rows to train on, None for all, and `score` measures a model of coefficients and intercept on
    held-out rows. Once `abandoned`, training ends with the pass.
    """

    rows: Callable[[], Block]
    check_finite: Callable[[Any], None]
    coef: np.ndarray
    intercept: float
    average: np.ndarray | None
    average_intercept: float
    seed: int
    train: np.ndarray | None = None
    score: Callable[[np.ndarray, float], float] | None = None
    outcome: loop.Outcome = dataclasses.field(default_factory=loop.Outcome)
    state: State | None = None
    abandoned: bool = False

    def report(self, problem: Problem) -> None:
        """Print the lines of `verbose` for the last pass."""
        outcome, state = self.outcome, self.state
        assert state is not None
        coef = state.lines[0] if state.lines.ndim == 3 else state.lines[:, 0]
        intercept = state.bias[0, 0]
        if state.memory is not None:
            coef, (intercept,) = state.weights(problem)
        line = f"-- Epoch {outcome.passes}\nNNZs: {np.count_nonzero(coef)}, Bias: {intercept:.6f}, T: {state.t}"
        if outcome.loss_curve:
            line += f", Objective: {outcome.loss_curve[-1]:.6f}"
        if outcome.validation_curve:
            line += f", Validation score: {-outcome.validation_curve[-1]:.6f}"
        print(line)


class RunningLoop(loop.Loop):
    """scikit-learn's passes: the objective is what was met on the way, or a score on held-out rows is to rise."""

    held_out_words = "score on held-out rows rose"
    feed: Block

    def __init__(self, *head: Any, part: Part):
        super().__init__(*head)
        self.held_out = part.score is not None
        self.score, self.check_finite, self.part = part.score, part.check_finite, part

    def _pass(self) -> bool:
        return super()._pass() or self.part.abandoned

    def measure(self) -> tuple[float, float] | None:
        if not self.state.finite:
            self.check_finite(self.feed.X)
        if not self.state.is_finite(None):
            return None
        problem, state = self.problem, self.state
        objective = state.running if problem.tally else problem.objective(self.feed, *state.weights(problem))
        if self.score is None:
            return objective, objective
        coef, intercept = state.weights(problem)
        return objective, -self.score(coef[0], float(intercept[0]))


class RatelessLoop(blocks.BlockLoop):
    """Passes of an optimizer that finds its own steps, with a score on held-out rows that is to rise."""

    held_out_words = RunningLoop.held_out_words

    def __init__(self, *head: Any, part: Part):
        super().__init__(*head, validation=None)
        self.held_out, self.part = part.score is not None, part

    def _pass(self) -> bool:
        return super()._pass() or self.part.abandoned

    def measure(self) -> tuple[float, float] | None:
        objective = self.state.memory.objective
        if self.part.score is None:
            return objective, objective
        coef, intercept = self.state.weights(self.problem)
        return objective, -self.part.score(coef[0], float(intercept[0]))


class StreamLoop(RunningLoop):
    """One call of `partial_fit` with an optimizer that finds its own steps."""

    def one_pass(self) -> bool:
        return blocks.learn(self.problem, self.state, self.feed)

    def measure(self) -> tuple[float, float] | None:
        return (self.state.running, self.state.running) if self.state.memory.finite else None
