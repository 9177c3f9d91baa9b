"""One pass of the coordinate optimizers over a block: tables of rates, and calls of the row kernels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..debt import KEEP, STARTED
from . import columns, plain
from .arrays import as_weights
from .problem import Problem
from .state import State

if TYPE_CHECKING:
    from .batches import Block

# A kernel call cannot be interrupted: it gets at most so many updates, and so many stored values (some 50 ms). On dense
# rows it gets fewer, so that their table stays in the second cache; on CSR rows some calls end by visiting all weights.
MAX_UPDATES, MAX_DENSE_UPDATES, MAX_VALUES = 1 << 16, 1 << 13, 1 << 25


def run(problem: Problem, state: State, block: Block, order: np.ndarray, factor: np.ndarray | None) -> bool:
    """Update the state with the rows of a block in the given order; False once a prediction is not finite."""
    rows, weight = block.visit(order, factor)
    if len(rows) == 0:
        return True
    state.touch()
    parts = columns.groups(problem, state.n_outputs)
    if len(parts) > 1:
        done = columns.run_on_threads(_run, problem, state, block, rows, weight, parts)
    else:
        done = _run(problem, state, block, rows, weight)
    state.n_samples_seen += len(rows) if done else 0
    return done


def whole(problem: Problem, state: State, visits: Iterable[tuple[Block, np.ndarray, Any]]) -> bool:
    """One update by the rows of all these blocks together; False where a prediction is not finite."""
    from ..kernels.dense import Work

    state.touch()
    state.convert(problem, None)
    gradient, slopes, n = np.zeros_like(state.lines[0]), np.zeros(state.n_outputs), 0
    for block, order, factor in visits:
        rows, weight = block.visit(order, factor)
        work = Work(block.y, rows, as_weights(weight))
        if not add_gradients(problem, state, block, work, 0, len(rows), gradient, slopes):
            return False
        n += len(rows)
    update(problem, state, 1.0 / n, gradient, slopes)
    state.n_samples_seen += n
    return True


def _run(problem: Problem, state: State, block: Block, rows: np.ndarray, weight: Any) -> bool:
    if problem.plain and state.alone:
        return plain.run(problem, state, block, rows, weight)
    size = len(rows) if problem.batch_size is None else min(problem.batch_size, len(rows))
    call = _Call(problem, state, block, rows, weight, size)
    return call.by_halves() if size * block.width * state.n_outputs > MAX_VALUES else call.by_chunks()


class _Call:
    def __init__(self, problem: Problem, state: State, block: Block, order: np.ndarray, weight: Any, size: int):
        from ..kernels.dense import Work

        self.problem, self.state, self.block, self.size, self.n = problem, state, block, size, len(order)
        self.rows, self.work = block.rows, Work(block.y, order, as_weights(weight))
        self.sparse = sp.issparse(block.X)
        most = MAX_UPDATES if self.sparse else min(MAX_UPDATES, MAX_DENSE_UPDATES)
        self.chunk = max(1, min(most, int(MAX_VALUES / (size * block.width * state.n_outputs)))) * size

    def by_chunks(self) -> bool:
        """Ranges of whole batches, each in one call of a kernel."""
        state, problem = self.state, self.problem
        idle = problem.idle if self.sparse else None
        state.convert(problem, idle, idle is not None)
        first = 0
        while first < self.n:
            last = min(first + self.chunk, self.n)
            updates = -(-(last - first) // self.size)
            done, finite = self._kernel(first, last, updates)
            if not finite:
                return False
            first = min(first + done * self.size, last)
        return True

    def _kernel(self, first: int, last: int, updates: int) -> tuple[int, bool]:
        """One call; how many updates were done, which may be fewer, and whether all predictions were finite."""
        from ..kernels import dense, lazy

        state, problem = self.state, self.problem
        mass, table = state.mass, table_of(problem, state, updates)
        single, many = self.size == 1 and not problem.clips, None if state.alone else state.n_outputs
        tail: tuple[Any, ...] = (state.averaged, problem.fit_intercept)
        head: tuple[Any, ...]
        if state.idle is None:
            stride, tail = int(len(table) > 1), (state.lines, state.bias, *tail)
            if single and not self.sparse:
                head = (problem.model, self.rows, self.work, first, last, many)
                done = dense.dense_rows(*head, table, stride, *tail)
            else:
                head = (problem.model, self.rows, self.work, first, last, self.size)
                done = dense.batches(*head, table, stride, *tail)
        else:
            lines, sums = table, None
            if state.idle.tabled:
                sums = Sums(problem, state, table, updates)
                lines, updates = sums.table, sums.updates
                last = min(last, first + updates * self.size)
            else:
                self._protect_averages(table)
                before = table[:1] if state.last_line is None else state.last_line.reshape(1, -1)
                if len(table) > 1 or not np.array_equal(before, table):
                    lines = np.empty((updates + 1, table.shape[1]))
                    lines[:1], lines[1:] = before, table
            stride, tail = int(len(lines) > 1), (state.lines, state.bias, state.debt, *tail)
            head = (problem.model, state.idle, self.rows, self.work, first, last, many)
            if single:
                done = lazy.lazy_rows(*head, lines, stride, *tail)
            else:
                done = lazy.lazy_batches(*head, self.size, lines, stride, *tail)
            if sums is not None:
                sums.settle(done)
        count(problem, state, table, done)
        if 0 < done < len(table) and problem.averaging is not None:
            t = np.arange(state.t - done, state.t)
            state.mass = problem.averaging.rho(t, problem.schedule.rate(t) * state.factor, mass)[1]
        finite = done == updates
        if state.idle is not None and lazy.overdue(state.debt, state.averaged):
            state.settle(problem)
            finite = True
        return done, finite

    def _protect_averages(self, table: np.ndarray) -> None:
        """An average that starts anew changes all records: leave those to which a savepoint may go back alone."""
        if self.state.averaged and self.state.debt[STARTED] > 0 and (table[:, -1] >= 1).any():
            self.state.lines = self.state.lines.copy()

    def by_halves(self) -> bool:
        """Batches too large for one call: gradients are added up range by range, then applied."""
        state, problem = self.state, self.problem
        state.convert(problem, None)
        gradient, slopes = np.zeros_like(state.lines[0]), np.zeros(state.n_outputs)
        for first in range(0, self.n, self.size):
            last = min(first + self.size, self.n)
            if not add_gradients(problem, state, self.block, self.work, first, last, gradient, slopes):
                return False
            update(problem, state, 1.0 / (last - first), gradient, slopes)
        return True


def add_gradients(
    problem: Problem, state: State, block: Block, work: Any, first: int, last: int, gradient: Any, slopes: Any
) -> bool:
    """Add the gradients of rows ``work.order[first:last]`` to those of weights (K, d) and intercepts (K,).

    False where a prediction is not finite. Nothing of the state changes; it must have lines.
    """
    from ..kernels.dense import accumulate

    part = max(1, int(MAX_VALUES / (block.width * state.n_outputs)))
    for low in range(first, last, part):
        high = min(low + part, last)
        if not accumulate(problem.loss, block.rows, work, low, high, state.lines, state.bias, gradient, slopes):
            return False
    return True


def update(problem: Problem, state: State, scale: float, gradient: np.ndarray, slopes: np.ndarray) -> None:
    """One update of a state that has lines, with `scale` times the gradients, which are cleared."""
    from ..kernels.dense import apply

    table = table_of(problem, state, 1)
    apply(
        problem.moves, scale, gradient, slopes, table, 0, state.lines, state.bias, state.averaged, problem.fit_intercept
    )
    count(problem, state, table, 1)


def table_of(problem: Problem, state: State, updates: int) -> np.ndarray:
    """One line per update: what `begin` returns, the penalty's step and amount, rho; one for all if they agree."""
    optimizer = problem.optimizer
    t = np.arange(state.t, state.t + updates)
    eta = problem.schedule.rate(t) * state.factor
    step = optimizer.step(t, eta, problem.l2)
    if optimizer.cumulative:
        step = state.step_sum + np.cumsum(np.broadcast_to(step, t.shape))
    amount = problem.penalty.amount(step, problem.alpha) if problem.shared else 0.0
    rho: Any = 0.0
    if problem.averaging is not None:
        rho, state.mass = problem.averaging.rho(t, eta, state.mass)
    columns = [*optimizer.begin(t, eta), step, amount, rho]
    n_lines = max(np.size(column) for column in columns)
    table = np.empty((n_lines, len(columns)))
    for i, column in enumerate(columns):
        table[:, i] = column
    return table


def count(problem: Problem, state: State, table: np.ndarray, done: int) -> None:
    """Take note of so many updates by the first lines of a table."""
    state.t += done
    if done:
        state.last_line = table[min(done, len(table)) - 1].copy()
        state.step_sum = state.last_line[-3] if problem.optimizer.cumulative else 0.0


class Sums:
    """A table for strategies that look sums over idle updates up; see `sksgd.kernels.lazy`.

    Lines are numbered by updates done, from 0. The average after update p is keep_p times the entry of a record once it
    has caught up, an entry being the sum of c_s w_s. Up to the last update with rho = 1 nothing is averaged.
    """

    def __init__(self, problem: Problem, state: State, table: np.ndarray, updates: int):
        self.problem, self.state = problem, state
        product = problem.penalty.group == "product"
        lines = np.broadcast_to(table, (updates, table.shape[1]))
        rho = lines[:, -1]
        ones = np.flatnonzero(rho >= 1)
        self.start = start = int(ones[-1]) + 1 if len(ones) else 0
        keep = np.ones(updates + 1)
        keep[start + 1 :] = np.cumprod(1 - rho[start:])
        amounts = np.append(1.0 if product else 0.0, lines[:, -2])
        # Nothing may leave the range in which sums are accurate; the rest is for the next call.
        spent = np.cumprod(amounts) if product else np.exp(-np.cumsum(amounts))
        within = (keep > 1e-20) & (spent > 1e-2)
        self.updates = max(1, int(np.argmin(np.append(within, False))) - 1)
        self.keep, amounts = keep[: self.updates + 1], amounts[: self.updates + 1]
        lines, c = lines[: self.updates], np.zeros(self.updates + 1)
        c[start + 1 :] = rho[start : self.updates] / self.keep[start + 1 :]
        C, K = state.bias.shape
        weights = np.arange(K) * C
        if start:
            c[start : start + 1] = 1.0
            state.lines[:, weights + C - 1] = 0
        elif not state.debt[STARTED]:
            state.lines[:, weights + C - 1] = state.lines[:, weights]
        begun, rest = lines[:, :-3], lines[:, -3:]
        sums = np.column_stack([*state.idle.columns(problem.optimizer, problem.penalty, amounts, c), c])
        self.table = np.column_stack([np.vstack([begun[:1], begun]), sums, np.vstack([rest[:1], rest])])

    def settle(self, done: int) -> None:
        """End the call after `done` updates."""
        from ..kernels.lazy import settle

        state = self.state
        state.debt[KEEP], state.debt[STARTED] = self.keep[done], float(done >= self.start)
        head = (self.problem.moves, state.idle, state.lines, self.table, done)
        settle(*head, state.n_outputs, state.debt, state.averaged)
