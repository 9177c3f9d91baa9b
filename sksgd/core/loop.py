"""The loop over passes: order, evaluation, stopping, callbacks, and what is left behind when something goes wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

from .errors import BlockError
from .feed import Feed, Order
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


def one_pass(problem: Problem, state: State, feed: Feed, orders: Iterator[Order]) -> bool:
    """Visit the rows in the next order; False once a prediction is not finite.

    Without rows there is no pass.
    """
    if len(feed) == 0:
        return True
    done = feed.one_pass(problem, state, next(orders))
    state.n_passes += 1
    return done


class Loop:
    """Passes over the rows until one of the rules stops them.

    Each pass is a `task`, see `Finish`. The state ends as after the last pass; with held-out data, as after the pass
    that was best on them; after divergence, as `fall_back` says. After an interruption it is as after the last whole
    pass, and `outcome`, which is filled in on the way, tells of the passes before it.
    """

    #: Whether what is to fall is measured on held-out data, and what it is to do in words.
    held_out = False
    #: What leaves the state of a broken pass as after the last good block.
    harmless: tuple[type[BaseException], ...] = (BlockError,)
    held_out_words = "validation loss fell"
    #: What goes on with an unfinished fit, beside its state, outcome and progress.
    kept: tuple[str, ...] = ("first", "last", "best", "lowest", "midway")

    def __init__(
        self,
        problem: Problem,
        state: State,
        feed: Feed,
        orders: Iterator[Order],
        progress: Progress,
        task: Callable[[], contextlib.AbstractContextManager[Finish]],
        outcome: Outcome,
    ):
        self.problem, self.state, self.feed, self.orders = problem, state, feed, orders
        self.progress, self.task, self.outcome = progress, task, outcome
        self.first = self.last = self.best = state.copy()
        self.lowest = math.inf
        #: Whether a pass is under way.
        self.midway = False

    def measure(self) -> tuple[float, float] | None:
        """The objective and the quantity that is to fall, after a pass; None where training diverged."""
        raise NotImplementedError

    def fall_back(self) -> State:
        """The state to leave behind when training diverged."""
        return self.first

    def one_pass(self) -> bool:
        """Change the state by one pass; whether all was finite."""
        return one_pass(self.problem, self.state, self.feed, self.orders)

    def ended(self) -> str:
        """Why training is to end after this pass, if it is; else the rate may be lowered."""
        if not self.progress.stopped:
            return ""
        factor = self.problem.schedule.after_stall(self.state.factor)
        if factor is None:
            happened = self.held_out_words if self.held_out else "objective fell"
            return f"the {happened} by no more than tol for {self.progress.patience} passes in a row"
        self.state.factor = factor
        self.progress.restart()
        return ""

    def run(self, max_iter: int) -> None:
        """At most `max_iter` passes."""
        outcome = self.outcome
        # Taken up after a pass, it may be over already.
        outcome.reason = "" if self.midway or not outcome.passes else self.ended()
        while not outcome.reason and outcome.passes < max_iter:
            asked_to_stop = self._pass()
            if outcome.diverged:
                return
            outcome.reason = "a callback asked to stop" if asked_to_stop else self.ended()
        if not outcome.reason:
            outcome.reason, outcome.converged = f"max_iter={max_iter} passes done", self.progress.tol is None
        if self.held_out:
            self.state.adopt(self.best)

    def unfinished(self) -> dict[str, Any]:
        """What it takes to go on from here, in another process."""
        outcome = dataclasses.replace(self.outcome, passes=len(self.outcome.loss_curve))
        for name in ("loss_curve", "validation_curve"):
            setattr(outcome, name, list(getattr(outcome, name)))
        now = {"state": self.resting(), "outcome": outcome, "progress": dataclasses.replace(self.progress)}
        return now | {name: getattr(self, name) for name in self.kept}

    def resting(self) -> State:
        """A copy of the state from which the pass, or the next one, can go on."""
        return self.state.copy()

    def take_up(self, unfinished: dict[str, Any]) -> None:
        """Go on from there."""
        self.__dict__.update({name: unfinished[name] for name in self.kept if name in unfinished})

    def _pass(self) -> bool:
        """One pass; whether a callback asked to stop."""
        state, outcome = self.state, self.outcome
        outcome.passes += 1
        with self.task() as finish:
            self.midway = True
            try:
                with self.feed.watched():
                    finite = self.one_pass()
                measured = self.measure() if finite else None
            except self.harmless:
                raise
            except BaseException:
                state.adopt(self.last)
                raise
            self.midway = False
            if measured is None:
                outcome.diverged, outcome.reason = True, "diverged: a prediction or the objective was not finite"
                state.adopt(self.fall_back())
                return finish(outcome, state)
            objective, monitored = measured
            outcome.loss_curve.append(objective)
            if self.held_out:
                outcome.validation_curve.append(monitored)
            improved = self.progress.update(monitored)
            self.last = state.copy()
            if improved if self.held_out else objective <= self.lowest:
                self.best, self.lowest = self.last, objective
            return finish(outcome, state)


class MeasuredLoop(Loop):
    """Measures the objective after every pass, over all rows.

    After divergence the state is as after the best pass, or as before the first. Training diverged, too, where the
    objective ends above where it began by ten times that of weights of 0.
    """

    kept = (*Loop.kept, "start")

    def __init__(self, *head: Any, validation: Feed | None):
        super().__init__(*head)
        self.validation, self.held_out = validation, validation is not None
        self.start = self.first.weights(self.problem)
        self.zero = self.problem.zero_objective(self.feed, self.state.n_outputs)

    def measure(self) -> tuple[float, float] | None:
        weights = self.state.weights(self.problem)
        objective = self.problem.objective(self.feed, *weights)
        if self.validation is None:
            monitored = objective
        else:
            monitored = self.problem.mean_loss(self.validation, *weights)
        return (objective, monitored) if math.isfinite(objective) else None

    def fall_back(self) -> State:
        if self.held_out:
            return self.best
        safe = self.lowest <= self.zero or self.lowest <= self._begun
        return self.best if safe else self.first

    @property
    def _begun(self) -> float:
        return self.problem.objective(self.feed, *self.start)

    def run(self, max_iter: int) -> None:
        super().run(max_iter)
        outcome, enough = self.outcome, 10 * abs(self.zero)
        if self.held_out or outcome.diverged or outcome.loss_curve[-1] <= enough:
            return
        begun = self._begun
        if outcome.loss_curve[-1] > begun + enough:
            outcome.diverged, outcome.reason = True, "diverged: the objective ended far above where it began"
            self.state.adopt(self.best if self.lowest <= begun else self.first)
