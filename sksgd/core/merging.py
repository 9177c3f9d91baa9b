"""States that went on from the same one, over different rows, made one again."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..debt import STARTED, nothing_owed
from .problem import Problem
from .state import State

#: How an entry of two states becomes one, given the shares in (0, 1) of what both have seen.
Rule = Callable[[Any, Any, float, float], Any]


def _mean(a: Any, b: Any, of_a: float, of_b: float) -> Any:
    if isinstance(a, float):
        return a if a == b else of_a * a + of_b * b
    return (of_a * a.astype(np.float64) + of_b * b.astype(np.float64)).astype(a.dtype)


def _by(operation: Callable[[Any, Any], Any]) -> Rule:
    return lambda a, b, of_a, of_b: operation(a, b)


def _same(a: Any, b: Any, of_a: float, of_b: float) -> Any:
    return a


#: Of every entry of a `State` how two of them merge. Slots and averages are lines. Counts of updates tell how long each
#: has gathered these, hence the larger; those of rows tell what both have seen together.
RULES: dict[str, Rule] = {
    "lines": _mean,
    "bias": _mean,
    "mass": _mean,
    "step_sum": _mean,
    "running": _mean,
    "t": _by(max),
    "n_passes": _by(max),
    "n_samples_seen": _by(operator.add),
    "finite": _by(operator.and_),
    # Decided before the states parted.
    "seed": _same,
    "factor": _same,
    "position": _same,
    "averaged": _same,
    "alone": _same,
    # Nothing of these is left in states that can be merged.
    "idle": _same,
    "debt": _same,
    "memory": _same,
    "runs": _same,
    # Of the state that has done more updates.
    "last_line": _same,
    "_read": lambda a, b, of_a, of_b: None,
}


def mergeable(problem: Problem, state: State) -> State:
    """A copy that owes nothing and has counted no rows: what a share of the rows begins with, or ends as."""
    if state.memory is not None:
        raise ValueError("The memory of a block optimizer cannot be averaged: add up its sums over rows instead.")
    state = state.copy()
    state.convert(problem, None)
    state.debt = nothing_owed(state.debt[STARTED])
    return state


def merge(a: State, b: State, mass_a: float, mass_b: float) -> State:
    """The state of both, which owe nothing: weights, slots and averages are means weighted by the two masses.

    Parameters
    ----------
    a, b : State
        Both went on from the same state; `n_samples_seen` counts what was seen since.
    mass_a, mass_b : float
        The sums of the weights of these rows, not both 0.
    """
    if b.t > a.t:
        a, b, mass_a, mass_b = b, a, mass_b, mass_a
    of_a = mass_a / (mass_a + mass_b)
    merged, entries = a.copy(), (a.__dict__, b.__dict__)
    for name, rule in RULES.items():
        setattr(merged, name, rule(entries[0][name], entries[1][name], of_a, 1.0 - of_a))
    return merged
