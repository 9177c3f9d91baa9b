"""Passes over a worker's rows, and what becomes of several. These are tasks: what they are given does not change."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
from dask.sizeof import sizeof

from ..base import Sampler, Schedule
from ..core import merging, pass_
from ..core.arrays import as_weights
from ..core.batches import Block
from ..core.problem import Problem
from ..core.state import State

#: Places in an order from which to which, out of how many equal parts.
Stretch = tuple[int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
    """A state, and since the pass began the rows that were visited; what they weighed in the last round.

    After a prediction that is not finite nothing more is done.
    """

    state: State
    rows: int = 0
    mass: float = 0.0
    finite: bool = True


@dataclasses.dataclass(frozen=True, eq=False)
class Gradient:
    """Sums of the gradients of so many rows: (K, d) for the weights, (K,) for the intercepts."""

    of_weights: Any
    of_intercepts: Any
    rows: int
    finite: bool = True


@sizeof.register(Trained)
def _of_trained(trained: Trained) -> int:
    return sizeof(trained.state)


@sizeof.register(Gradient)
def _of_gradient(gradient: Gradient) -> int:
    return gradient.of_weights.nbytes + gradient.of_intercepts.nbytes


def order(block: Block, sampler: Sampler, seed: int, number: int) -> tuple[np.ndarray, Any]:
    """The order of the rows in pass `number`, and factors of their weights or None."""
    norms = block.norms if sampler.needs_norms else None
    return next(sampler.orders(len(block), seed, number, norms))


def deal(block: Block, sampler: Sampler, seed: int, number: int, firsts: list[int]) -> tuple[Any, ...]:
    """What an order of all rows has of the rows of each worker, those from one of `firsts` to the next.

    That is their order, factors or None, and the places of both in the order of all. Where norms are needed there is
    one worker, whose block it is. One worker deals, since what takes long is memory that all cores of a machine share.
    """
    norms = block.norms if sampler.needs_norms else None
    everyone, factor = next(sampler.orders(firsts[-1], seed, number, norms))
    return tuple(
        (rows, None if factor is None else factor[at], at)
        for rows, at in _dealt(everyone, np.arange(len(everyone), dtype=everyone.dtype), firsts)
    )


def _dealt(rows: np.ndarray, at: np.ndarray, firsts: list[int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows in each range, numbered from its first, and their places; by halves, which is faster than sorting."""
    if len(firsts) == 2:
        return [(rows - rows.dtype.type(firsts[0]), at)]
    middle = len(firsts) // 2
    low, found = rows < firsts[middle], []
    for part, edges in ((low, firsts[: middle + 1]), (~low, firsts[middle:])):
        own = np.flatnonzero(part)
        found += _dealt(rows[own], at[own], edges)
    return found


def hand(dealt: tuple[Any, ...], number: int) -> Any:
    """What worker `number` is dealt."""
    return dealt[number]


def receive(block: Block, dealt: Any) -> Any:
    """What the worker of a block is dealt, there."""
    return dealt


def places(visits: tuple[np.ndarray, Any]) -> np.ndarray:
    """An order without the factors."""
    return visits[0]


def meet(problem: Problem, block: Block, before: Schedule | None) -> Schedule:
    """The schedule for these rows, after those which `before` has met."""
    return problem.schedule.meet(problem, block, before)


# ---- every worker by itself ------------------------------------------------------------------------------------------


def train(
    problem: Problem,
    start: Trained,
    block: Block,
    visits: tuple[np.ndarray, Any],
    stretch: Stretch,
    number: int,
    of: int,
) -> Trained:
    """The updates of a stretch of the order on worker `number` of so many.

    The rows of earlier rounds count on the first. With more than one the state ends as one that can be merged.
    """
    if not start.finite:
        return start
    state, (rows, factor), part = start.state.copy(), visits, slice(*stretch)
    rows, factor = rows[part], None if factor is None else factor[part]
    state.n_samples_seen = 0
    finite = pass_.run(problem, state, block, rows, factor)
    weight = block.visit(rows, None)[1]
    mass = float(len(rows)) if isinstance(weight, float) else float(weight.sum())
    state = state if of == 1 else merging.mergeable(problem, state)
    return Trained(state, (0 if number else start.rows) + len(rows), mass, finite)


def merge(*parts: Trained) -> Trained:
    """The state of all; those which saw nothing do not count."""

    def both(a: Trained, b: Trained) -> Trained:
        rows, mass, finite = a.rows + b.rows, a.mass + b.mass, a.finite and b.finite
        if not (a.mass and b.mass):
            return Trained((a if a.mass or not b.mass else b).state, rows, mass, finite)
        return Trained(merging.merge(a.state, b.state, a.mass, b.mass), rows, mass, finite)

    return functools.reduce(both, parts)


# ---- all workers in every update -------------------------------------------------------------------------------------


def gradient(problem: Problem, start: Trained, block: Block, visits: tuple[Any, ...], stretch: Stretch) -> Gradient:
    """The sums of the gradients of a stretch of the order of all rows, at the weights of a state that has lines."""
    from ..kernels.dense import Work

    state, (rows, factor, at) = start.state, visits
    part = slice(*np.searchsorted(at, stretch).tolist())
    sums, slopes = np.zeros_like(state.lines[0]), np.zeros(state.n_outputs)
    if not start.finite:
        return Gradient(sums, slopes, 0, False)
    state = state.copy()  # kernels are compiled for arrays that are not read-only
    rows, weight = block.visit(rows[part], None if factor is None else factor[part])
    work = Work(block.y, rows, as_weights(weight))
    finite = pass_.add_gradients(problem, state, block, work, 0, len(rows), sums, slopes)
    return Gradient(sums, slopes, len(rows), finite)


def add(*parts: Gradient) -> Gradient:
    """The sum of all."""
    return Gradient(
        functools.reduce(np.add, [part.of_weights for part in parts]),
        functools.reduce(np.add, [part.of_intercepts for part in parts]),
        sum(part.rows for part in parts),
        all(part.finite for part in parts),
    )


def update(problem: Problem, start: Trained, *parts: Gradient) -> Trained:
    """The state after an update with the mean gradient; as it was where there were no rows."""
    total = add(*parts)
    if not total.finite:
        return dataclasses.replace(start, finite=False)
    if not total.rows:
        return start
    state = start.state.copy()
    state.touch()
    # Which are cleared: sums of one part are its own.
    pass_.update(problem, state, 1.0 / total.rows, total.of_weights.copy(), total.of_intercepts.copy())
    return Trained(state, start.rows + total.rows)
