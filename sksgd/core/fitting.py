"""One call of `fit`: what callbacks are told, and what it takes to go on in another process."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from . import loop
from .feed import Feed
from .problem import Problem
from .state import State


@dataclasses.dataclass(frozen=True, eq=False)
class Unfinished:
    """A fit that is not done.

    Parameters
    ----------
    parameters : str
        What tells the estimator's parameters from others; empty where no callback keeps fits that are not done.
    random_state : RandomState or None
        As it was before the fit; None likewise.
    mark : tuple
        What tells the rows from others, `Feed.mark`; empty likewise.
    curves : list of list of float
        The curves of calls before.
    problem : Problem
    loop : dict
        See `Loop.unfinished`.
    """

    parameters: str
    random_state: Any
    mark: tuple[Any, ...]
    curves: list[list[float]]
    problem: Problem
    loop: dict[str, Any]

    def check(self, feed: Feed) -> None:
        """Raise where the rows are others."""
        if feed.mark != self.mark:
            raise ValueError(
                "The file of a checkpoint belongs to an unfinished fit of the same parameters to other data: its rows, "
                f"targets or weights add up to {self.mark}, these to {feed.mark}. Remove the file to begin anew, or "
                "give Checkpoint another path."
            )


class Fit:
    """One call of `fit`.

    Parameters
    ----------
    model : estimator
    context : CallbackContext
        Of the task of the call.
    given : tuple
        X, y, and what callbacks call metadata.
    feed : Feed
    unfinished : Unfinished
        The same fit as it begins, or goes on.
    """

    def __init__(self, model: Any, context: Any, given: tuple[Any, Any, Any], feed: Feed, unfinished: Unfinished):
        self.model, self.context, self.feed, self.begin = model, context, feed, unfinished
        self.X, self.y, self.metadata = given
        self.state: State = unfinished.loop["state"]
        self.outcome: loop.Outcome = unfinished.loop["outcome"]
        self.loop: Any = None

    def run(self, kind: Any, orders: Any, held_out: Feed | None, max_iter: int) -> None:
        """Train until it is done."""
        problem, goes_on = self.begin.problem, self.begin.loop
        if self.model._keepers:
            self.feed.renewal = 1  # so that what is taken up has the same bits
        head = (problem, self.state, self.feed, orders, goes_on["progress"], self._task, self.outcome)
        self.loop = kind(*head, validation=held_out)
        self.loop.take_up(goes_on)
        try:
            self.loop.run(max_iter)
        finally:
            self.loop = None  # which refers back to this
            self.feed.release()

    def attributes(self, state: State | None = None) -> dict[str, Any]:
        """The attributes of the model as it is now, or with another state."""
        outcome, curves = self.outcome, self.begin.curves
        return {
            **self.model._fitted(self.begin.problem, self.state.copy() if state is None else state),
            "loss_curve_": curves[0] + outcome.loss_curve,
            "validation_curve_": curves[1] + outcome.validation_curve,
            "stop_reason_": outcome.reason,
        }

    def _unfinished(self) -> dict[str, Any]:
        """The attributes of a model that is not done, which knows how to go on if somebody keeps it."""
        if not self.model._keepers:
            return self.attributes(self.loop.resting())
        now = self.loop.unfinished()
        return {**self.attributes(now["state"]), "_unfinished": dataclasses.replace(self.begin, loop=now)}

    @contextlib.contextmanager
    def _task(self) -> Iterator[loop.Finish]:
        """A pass as a task of callbacks; its blocks are tasks of it."""
        of_pass = self.context.subcontext(task_name="pass", max_subtasks=self.feed.n_subtasks(self.begin.problem))
        told = {"metadata": self.metadata, "reconstruction_attributes": self._unfinished}

        @contextlib.contextmanager
        def one_block() -> Iterator[Callable[[], bool]]:
            with self.model._task(of_pass.subcontext(task_name="block"), self.X, self.y) as end:
                yield lambda: end(**told)

        with self.model._task(of_pass, self.X, self.y) as end:

            def finish(outcome: loop.Outcome, state: State) -> bool:
                if self.model.verbose:
                    self.model._print(outcome)
                return end(**told)

            self.feed.watch = one_block
            yield finish
