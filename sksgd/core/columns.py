"""Outputs trained in groups, on threads: kernels hold no lock of the interpreter."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from .problem import Problem
from .state import State

if TYPE_CHECKING:
    from .batches import Block


def groups(problem: Problem, n_outputs: int) -> list[slice]:
    """The outputs that share a thread: one group unless there is more than one job, and outputs are independent."""
    independent = n_outputs > 1 and not problem.loss.joint and not np.isfinite(problem.optimizer.clip_norm)
    n = min(effective_n_jobs(problem.n_jobs), n_outputs) if independent else 1
    edges = [n_outputs * i // n for i in range(n + 1)]
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def run_on_threads(
    run: Callable[[Problem, State, Block, np.ndarray, Any], bool],
    problem: Problem,
    state: State,
    block: Block,
    rows: np.ndarray,
    weight: Any,
    parts: list[slice],
) -> bool:
    """`run` for every group of outputs, over the same rows in the same order; whether all were finite."""
    states = [state.columns(part) for part in parts]
    blocks = [copy.copy(block) for _ in parts]
    for part, own in zip(parts, blocks, strict=True):
        own.y = np.ascontiguousarray(block.y[:, part])
    call = delayed(run)
    tasks = (call(problem, *pair, rows, weight) for pair in zip(states, blocks, strict=True))
    done = Parallel(n_jobs=len(parts), require="sharedmem")(tasks)
    state.join(states)
    return all(done)
