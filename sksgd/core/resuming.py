"""From one call to the next: the state to begin with, or to go on from."""

from __future__ import annotations

from typing import Any

import numpy as np

from .feed import Feed
from .parameters import ProblemParameters
from .problem import Problem
from .state import State


class Resuming(ProblemParameters):
    """A mixin for estimators with a `_state` and the `_problem_` it belongs to."""

    _state: State
    _problem_: Problem

    def _new_state(self, problem: Problem, feed: Feed, random_state: np.random.RandomState) -> State:
        d = feed.shape[1]
        state = State(problem, self._n_outputs, d, feed.dtype, int(random_state.randint(np.iinfo(np.int32).max)))
        zeros = np.zeros((self._n_outputs, d), feed.dtype)
        state.start(problem, zeros, np.zeros(self._n_outputs))
        return state

    def _goes_on(self, optimizer: Any) -> bool:
        """Whether this optimizer and averaging are those of the state, so that its slots and t go on."""
        before = self._problem_
        same_averaging = (self._component("average") is None) == (before.averaging is None)
        # What a block optimizer knows of the rows is in terms of their loss.
        same_loss = (self._loss(), self.fit_intercept) == (before.loss, before.fit_intercept)
        return optimizer == before.optimizer and same_averaging and (same_loss or not before.optimizer.blockwise)

    def _meet(self, problem: Problem, feed: Feed, before: Problem | None) -> Problem:
        """The problem with a schedule that knows the rows, and those of the problem `before` if training goes on."""
        return problem.meet(feed, before if before is not None and self._goes_on(problem.optimizer) else None)

    def _resume(self, problem: Problem) -> State:
        """The state to go on with; one at the same weights, counting from 0, where optimizer or averaging is new."""
        state, before = self._state, self._problem_
        if self._goes_on(problem.optimizer):
            if not _same_debts(problem, before):
                state = state.copy()
                state.convert(before, None)
                if problem.bounds is not None:
                    for line in (0, -1 if state.averaged else 0):
                        state.lines[line] = np.clip(state.lines[line], *problem.bounds)
                state.touch()
            return state
        fresh = State(problem, state.n_outputs, state.n_features, state.lines.dtype, state.seed)
        fresh.start(problem, *state.weights(before))
        fresh.n_passes, fresh.n_samples_seen = state.n_passes, state.n_samples_seen
        return fresh

    def _initialise(self, problem: Problem, state: State, init: tuple[Any, Any]) -> None:
        """Start at the user's `coef_init` and `intercept_init`."""
        if init[0] is None and init[1] is None:
            return
        if init[1] is not None and not self.fit_intercept:
            raise ValueError("intercept_init needs fit_intercept=True.")
        state.convert(problem, None)
        starts = []
        for name, values, now in zip(("coef_init", "intercept_init"), init, state.weights(problem), strict=True):
            values = now if values is None else np.asarray(values, dtype=np.float64)
            if values.size != now.size or not np.isfinite(values).all():
                raise ValueError(f"{name} must be finite and of shape {now.shape}. Got {values!r} instead.")
            starts.append(values.reshape(now.shape))
        state.start(problem, *starts)
        state.touch()


def _same_debts(problem: Problem, before: Problem) -> bool:
    """Whether idle weights may go on owing what they owe: the rules by which they pay are the same."""
    arrays: list[tuple[Any, Any]] = [(problem.alpha, before.alpha), (problem.bounds, before.bounds)]
    same = (problem.idle, problem.penalty) == (before.idle, before.penalty)
    return same and all(np.array_equal(new, old) for new, old in arrays)
