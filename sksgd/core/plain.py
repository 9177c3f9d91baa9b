"""One pass of plain SGD with one output, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .problem import Problem
from .state import State

if TYPE_CHECKING:
    from .batches import Block

#: Rows in a call of the kernel: their table is to stay in the second cache.
ROWS = 1 << 14


def run(problem: Problem, state: State, block: Block, order: np.ndarray, weight: Any) -> bool:
    """Update the state with the rows in the given order; False once a prediction is not finite."""
    from ..kernels.dense import Work
    from ..kernels.plain import plain_rows

    state.convert(problem, problem.idle, sp.issparse(block.X))
    head = (problem.loss, problem.sample_step, problem.penalty, problem.rules, block.rows, Work(block.y, order, weight))
    flags = (1 if state.averaged else None, 1 if problem.tally else None)
    tail = (state.lines, state.bias, state.debt, *flags)
    running, finite, n = 0.0, True, len(order)
    for first in range(0, n, ROWS):
        last = min(first + ROWS, n)
        table = _table(problem, state, last - first)
        stop, passed, met = plain_rows(*head, first, last, table, int(table.shape[1] > 1), *tail)
        finite = finite and stop == last
        if not (finite or problem.carry_on):
            return False
        updates, running = last - first - passed, running + met
        state.t += updates
        if problem.penalty.truncates and updates:
            state.step_sum = table[-1, min(updates, table.shape[1]) - 1]
    state.running, state.finite = running / n, finite
    return True


def _table(problem: Problem, state: State, updates: int) -> np.ndarray:
    """The columns of so many updates, those that are needed; of one, if they are all alike."""
    t = np.arange(state.t, state.t + updates)
    eta = problem.schedule.rate(t) * state.factor
    columns = [eta, problem.penalty.amount(eta, problem.alpha)]
    if problem.averaging is not None:
        rho, state.mass = problem.averaging.rho(t, eta, state.mass)
        columns.append(rho)
    if problem.penalty.truncates:
        tolls = np.broadcast_to(problem.penalty.toll(eta, problem.alpha), t.shape)
        columns.append(np.cumsum(np.concatenate(([state.step_sum], tolls)))[1:])
    table = np.empty((len(columns), max(np.size(column) for column in columns)))
    for row, column in zip(table, columns, strict=True):
        row[:] = column
    return table
