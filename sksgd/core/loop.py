"""The loop over passes: order, evaluation, stopping, callbacks, and what is left behind when something goes wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable

from ..base import Sampler
from . import pass_
from .batches import Block
from .problem import Problem
from .state import State
from .stopping import Progress


@dataclasses.dataclass
class Outcome:
    """What the loop leaves behind besides the state; `reason` says in words why it ended."""

    passes: int = 0
    loss_curve: list[float] = dataclasses.field(default_factory=list)
    validation_curve: list[float] = dataclasses.field(default_factory=list)
    reason: str = ""
    converged: bool = True
    diverged: bool = False


#: Told how a pass went, it says whether to stop.
Finish = Callable[[Outcome, State], bool]


def one_pass(problem: Problem, state: State, block: Block, sampler: Sampler) -> bool:
    """Visit every row of a block once, in the sampler's order; False once a prediction is not finite.

    Without rows there is no pass.
    """
    if len(block) == 0:
        return True
    norms = block.norms if sampler.needs_norms else None
    order, factor = sampler.order(len(block), state.seed, state.n_passes, norms)
    done = pass_.run(problem, state, block, order, factor)
    state.n_passes += 1
    return done


def fit(
    problem: Problem,
    state: State,
    block: Block,
    sampler: Sampler,
    progress: Progress,
    max_iter: int,
    validation: Block | None,
    task: Callable[[], contextlib.AbstractContextManager[Finish]],
    outcome: Outcome,
) -> None:
    """Run passes until one of the rules stops them.

    Each pass is a `task`, see `Finish`. The state ends as after the last pass; with `validation`, as after the pass
    that was best on it; after divergence, as after the best pass, or as before the first. Training diverged, too, where
    the objective ends above where it began by ten times that of weights of 0. After an interruption it is as after the
    last whole pass, and `outcome`, which is filled in on the way, tells of the passes before it.
    """
    first = last = best = state.copy()
    start, zero, lowest = first.weights(problem), problem.zero_objective(block, state.n_outputs), math.inf
    quantity = "objective" if validation is None else "validation loss"
    for _ in range(max_iter):
        outcome.passes += 1
        with task() as finish:
            try:
                finite = one_pass(problem, state, block, sampler)
                weights = state.weights(problem)
                objective = problem.objective(block, *weights) if finite else math.inf
                monitored = objective if validation is None else problem.mean_loss(validation, *weights)
            except BaseException:
                state.adopt(last)
                raise
            if not math.isfinite(objective):
                outcome.diverged, outcome.reason = True, "diverged: a prediction or the objective was not finite"
                state.adopt(best if lowest <= zero or lowest <= problem.objective(block, *start) else first)
                finish(outcome, state)
                break
            outcome.loss_curve.append(objective)
            if validation is not None:
                outcome.validation_curve.append(monitored)
            improved = progress.update(monitored)
            last = state.copy()
            if improved if validation is not None else objective <= lowest:
                best, lowest = last, objective
            asked_to_stop = finish(outcome, state)
        if asked_to_stop:
            outcome.reason = "a callback asked to stop"
            break
        if progress.stopped:
            factor = problem.schedule.after_stall(state.factor)
            if factor is None:
                outcome.reason = f"the {quantity} fell by no more than tol for {progress.patience} passes in a row"
                break
            state.factor = factor
            progress.restart()
    else:
        outcome.reason, outcome.converged = f"max_iter={max_iter} passes done", progress.tol is None
    if validation is not None:
        state.adopt(best)
    elif not outcome.diverged and outcome.loss_curve[-1] > 10 * abs(zero):
        begun = problem.objective(block, *start)
        if outcome.loss_curve[-1] > begun + 10 * abs(zero):
            outcome.diverged, outcome.reason = True, "diverged: the objective ended far above where it began"
            state.adopt(best if lowest <= begun else first)
