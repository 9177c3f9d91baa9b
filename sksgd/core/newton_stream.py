"""Newton's method on a stream: a quadratic model per block of rows, and the minimum of all models together."""

from __future__ import annotations

from typing import Any

import numpy as np

from .descent import Kinked, Margins, Past, constants, descend
from .newton_memory import Memory
from .quadratic import gram_of
from .rows import Rows, join

#: Newton steps on the first block.
ROUNDS = 8
#: The prior of a stream in rows of the first block; how far it raises the shares of improbable classes.
PRIOR, SHARE = 0.4, 0.1
#: Kinks: how far they are smoothed in the first block, and the power of unknowns per row by which that falls later on.
NARROWER, NARROWING = (1.0, 0.3, 0.1), 0.4


def stream(
    problem: Any, memory: Memory, rows: Rows, order: np.ndarray, growth: float = 0.1, foretell: bool = False
) -> None:
    """Take in rows in this order; those short of a block, which is `growth` times all rows so far, wait.

    With `foretell`, their losses are added up before they are learned.
    """
    done = 0
    while (missing := _block_size(problem, memory, growth) - memory.waiting) <= len(order) - done:
        own = rows.take(order[done : done + missing])
        if foretell:
            _foretell(problem, memory, own)
        _step(problem, memory, join((*memory.pending, own)))
        memory.pending, memory.waiting = (), 0
        done += missing
    if done < len(order):
        memory.pending = (*memory.pending, rows.take(order[done:]))
        if foretell:
            _foretell(problem, memory, memory.pending[-1])
        memory.waiting += len(order) - done


def _foretell(problem: Any, memory: Memory, rows: Rows) -> None:
    """Add up the losses of rows at the weights after the last block, which know nothing of them."""
    margins = Margins(problem.loss, rows.y, rows.weight, len(memory.coef))
    if memory.coordinates is None:
        scores = np.asarray(rows.X @ memory.coef.T) + memory.intercept
    else:
        if memory.ahead is None:
            memory.ahead = memory.u
            if problem.loss.quadratic:
                memory.ahead = memory.u + memory.penalty(problem).minimise(memory.grams, memory.slope, memory.u).s
        scores = memory.coordinates.rows(rows.X) @ memory.ahead.T
    losses, mass = memory.progressive
    memory.progressive = losses + float(margins.total(scores).sum()), mass + margins.mass


def settle(problem: Any, memory: Memory) -> None:
    """Take in the rows that wait, and go to the minimum of the model if it is the objective."""
    if memory.pending:
        _step(problem, memory, join(memory.pending))
        memory.pending, memory.waiting = (), 0
    if problem.loss.quadratic and memory.n_rows:
        step = memory.penalty(problem).minimise(memory.grams, memory.slope, memory.u).s
        memory.slope, memory.u = memory.slope + step @ memory.grams[0], memory.u + step


def _block_size(problem: Any, memory: Memory, growth: float) -> int:
    """How many rows the next block has."""
    width = memory.coef.shape[1] + problem.fit_intercept
    if memory.n_rows == 0:
        return max(32, 8 * width)
    return int(min(max(32, 10 * growth * width, growth * memory.n_rows), max(4096, 4 * width)))


def _step(problem: Any, memory: Memory, rows: Rows) -> None:
    """Learn from one block."""
    if memory.coordinates is None:
        memory.open(problem, rows, lambda loss, K: constants(loss, rows.y, rows.weight, K))
    first, margins = memory.n_rows == 0, Margins(problem.loss, rows.y, rows.weight, len(memory.u))
    Z = memory.coordinates.rows(rows.X)
    memory.n_rows, memory.mass = memory.n_rows + len(rows), memory.mass + margins.mass
    memory.steps, memory.ahead = memory.steps + 1, None
    if problem.loss.quadratic:
        _, slopes, bends = margins.derivatives(Z @ memory.u.T, 0.0)
        memory.grams = memory.grams + gram_of(problem.loss)(Z, bends)
        memory.slope = memory.slope + slopes.T @ Z
        return
    terms = memory.penalty(problem)
    memory.enter(terms)
    if not problem.loss.smooth:
        margins = _kinked(memory, margins, Z)
    if first:
        memory.prior = PRIOR * float(margins.derivatives(Z @ memory.u.T, 1.0)[2].mean())
    past = Past(memory.grams, memory.slope, memory.prior, memory.origin)
    if first and not problem.loss.smooth:
        for narrower in NARROWER:
            rounded = margins.smoothed(narrower * margins.natural_smoothing(Z @ memory.u.T))
            memory.u, _, _ = descend(rounded, Z, memory.u, past, terms, rounds=ROUNDS)
        margins = _kinked(memory, margins, Z)
    rounds = ROUNDS if first and problem.loss.smooth else 1
    lift = SHARE if (problem.loss.joint or not problem.loss.smooth) and not first else 1.0
    memory.u, memory.grams, memory.slope = descend(margins, Z, memory.u, past, terms, lift=lift, rounds=rounds)


def _kinked(memory: Memory, margins: Margins, Z: np.ndarray) -> Kinked:
    """The losses of a block with curvatures from about the present weights, nearer and nearer ones."""
    narrower = (memory.slope.shape[1] / memory.n_rows) ** NARROWING
    smoothing = narrower * margins.natural_smoothing(Z @ memory.u.T)
    weight = margins.weight if isinstance(margins.weight, np.ndarray) else None
    return Kinked(margins.loss, margins.y, weight, len(smoothing), smoothing)
