"""What is printed, and warned of."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning

from . import loop
from .batches import Block
from .problem import Problem
from .runs import Runs
from .state import State


class Reports:
    """A mixin for estimators."""

    learning_rate: Any
    _problem_: Problem

    def _print(self, outcome: loop.Outcome) -> None:
        """One line per pass."""
        if outcome.diverged:
            print(f"pass {outcome.passes}: {outcome.reason}")
            return
        line = f"pass {len(outcome.loss_curve)}: objective {outcome.loss_curve[-1]:.6g}"
        if outcome.validation_curve:
            line += f", validation loss {outcome.validation_curve[-1]:.6g}"
        print(line)

    def _divergence(self, problem: Problem, where: str) -> str:
        if problem.optimizer.blockwise:
            return (
                f"Training left the range of floating-point numbers in {where}. Scale the features (for example with "
                "StandardScaler) or the targets."
            )
        rate = problem.schedule if self.learning_rate is None else self.learning_rate
        return (
            f"Training diverged with learning_rate={rate!r} in {where}. Lower the learning rate, scale the features "
            "(for example with StandardScaler) or use an optimizer with a rate per weight, such as 'adagrad'."
        )

    def _warn(self, outcome: loop.Outcome) -> None:
        if outcome.diverged:
            where = f"pass {outcome.passes}; the weights are those of the best finite pass"
            warnings.warn(self._divergence(self._problem_, where), ConvergenceWarning, stacklevel=6)
        elif not outcome.converged:
            warnings.warn(
                f"{outcome.reason} before the {'validation loss' if outcome.validation_curve else 'objective'} "
                "settled. Increase max_iter, or tol to accept a less exact minimum.",
                ConvergenceWarning,
                stacklevel=6,
            )

    def _look_at_order(self, problem: Problem, state: State, block: Block) -> None:
        """Warn, once, of a stream that comes sorted by target, unless the order of its rows makes no difference."""
        if not len(block) or (problem.optimizer.blockwise and problem.loss.quadratic):
            return
        y = block.y[:, 0] if block.present is None else block.y[block.present, 0]
        before = state.runs or Runs.begin(y, is_classifier(self))
        state.runs = before.extend(y)
        if state.runs.sorted and not before.sorted:
            warnings.warn(
                f"Of {state.runs.counts.sum()} rows given to partial_fit only {state.runs.changes} have another target "
                "than the row before: they seem to be sorted by target, which misleads every rule that sees a row "
                "once. Shuffle the rows, at least within large blocks, or call fit.",
                UserWarning,
                stacklevel=5,
            )
