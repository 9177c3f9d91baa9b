"""Where the rows of a fit are: what training asks of them, be they in memory, in files or on other machines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import pass_
from .descent import constants, link_of_means, tally
from .sweeps import Sweep

if TYPE_CHECKING:
    from ..base import Horizon, Loss, Sampler, Schedule
    from .batches import Block
    from .problem import Problem
    from .quadratic import Coordinates
    from .rows import Rows
    from .split import Split
    from .state import State

#: The rows of a pass in their order, and factors of their weights or None. An order is for the feed that gave it.
Order = tuple[Any, np.ndarray | None]
#: A context to work on a block in, which gives what to call after it: that says whether to stop.
Watch = Callable[[], contextlib.AbstractContextManager[Callable[[], bool]]]


@contextlib.contextmanager
def no_watch() -> Iterator[Callable[[], bool]]:
    """Nobody looks, and nobody asks to stop."""
    yield lambda: False


class Feed:
    """The rows of a fit: passes over them, and sums over all of them.

    Whoever trains knows rows only by this. Rows of weight zero count as absent, in `len` and everywhere.

    Attributes
    ----------
    shape : tuple of int
        Rows, absent ones included, and features.
    dtype : dtype
    sparse : bool
        Whether rows are CSR.
    targets : Rows
        Coded targets (n, K) and weights of the rows present, without the rows themselves.
    squares : ndarray of shape (n,)
        Squared norms of the rows present.
    total_weight : float
    width : float
        The mean number of stored values in a row.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    sparse: bool
    #: Whether the rows are in memory, in one block.
    in_memory: bool = False
    #: What an optimizer keeps of the rows from one pass to the next, and after how many passes it is to find that anew
    #: from nothing but its memory: 0 for never.
    kept: Any = None
    renewal: int = 0
    #: What `constants` and `constant_loss` found, and for what.
    _constants: Any = None
    _constant_loss: Any = None
    #: Told that a block is about to be worked on in a pass, it gives a context to do so in, and what to call after it.
    watch: Watch = staticmethod(no_watch)
    targets: Rows
    squares: np.ndarray
    total_weight: float
    width: float

    def __len__(self) -> int:
        """The number of rows present."""
        raise NotImplementedError

    @property
    def norms(self) -> np.ndarray:
        """Squared norms of the rows present, plus 1 for the intercept."""
        return 1.0 + self.squares

    # ---- what is different from feed to feed -------------------------------------------------------------------------

    def blocks(self) -> Iterator[Block]:
        """The rows in blocks, in their own order."""
        raise NotImplementedError

    def orders(self, sampler: Sampler, state: State) -> Iterator[Order]:
        """The orders of the coming passes."""
        raise NotImplementedError

    def visits(self, order: Any, factor: np.ndarray | None = None) -> Iterator[tuple[Block, np.ndarray, Any]]:
        """The blocks of a pass, each with the order in which its rows are visited, and factors of their weights."""
        raise NotImplementedError

    def rows_at(self, places: np.ndarray) -> Rows:
        """Some of the rows present."""
        raise NotImplementedError

    def sample(self, order: Callable[[], Any], n: int) -> Rows:
        """About so many rows from all over, drawn at random; where that is cheaper, the first of an `order()`."""
        raise NotImplementedError

    def glimpse(self, n: int) -> Rows:
        """About so many rows from all over, as cheap as they are to be had."""
        raise NotImplementedError

    def room(self, *shape: int) -> np.ndarray:
        """An array for numbers of all rows, not initialised."""
        return np.empty(shape)

    def updates(self, batch_size: int | None) -> int:
        """By how much a pass in batches of so many rows, None for all, moves on the number of updates of a state."""
        return 1 if batch_size is None else -(-len(self) // batch_size)

    def bind(self, schedule: Schedule, horizon: Horizon, batch_size: int | None) -> Schedule:
        """The schedule for the numbers that a state gives to updates; `horizon` is in these."""
        return schedule.bind(horizon)

    def meet(self, problem: Problem, before: Schedule | None) -> Schedule:
        """The schedule of the problem for these rows, see `sksgd.base.Schedule.meet`."""
        return problem.schedule.meet(problem, self, before)

    def n_subtasks(self, problem: Problem) -> int | None:
        """How many blocks a pass tells `watch` of, None where nobody knows."""
        return 0

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """A pass, in which `watch` is told of blocks."""
        yield

    def release(self) -> None:
        """Let go, after the last pass, of what may refer back to these rows and keep their files alive."""
        self.kept, self.watch = None, no_watch

    def normalise(self) -> None:
        """Scale the weights to mean 1 over the rows present."""
        raise NotImplementedError

    @property
    def mark(self) -> tuple[Any, ...]:
        """What tells these rows from others, as far as targets and weights can."""
        y, weight = self.targets.y, self.targets.weight
        return *self.shape, len(self), float(y.sum()), 0.0 if weight is None else float(np.square(weight).sum())

    # ---- passes ------------------------------------------------------------------------------------------------------

    def one_pass(self, problem: Problem, state: State, order: Order) -> bool:
        """Change the state by the updates of a pass; False once a prediction is not finite."""
        return all(pass_.run(problem, state, *visit) for visit in self.visits(*order))

    # ---- sums --------------------------------------------------------------------------------------------------------

    def counts(self) -> np.ndarray:
        """In how many of the rows present, which are CSR, each column has a value."""
        counts = np.zeros(self.shape[1], np.int64)
        for block in self.blocks():
            X = block.X if block.present is None else block.X[block.present]
            counts += np.bincount(X.indices, minlength=len(counts))
        return counts

    def total_loss(self, loss: Loss, coef: np.ndarray, intercept: np.ndarray) -> float:
        """The weighted sum of the losses at these weights, (K, d) and (K,)."""
        return sum(block.total_loss(loss, coef, intercept) for block in self.blocks())

    def constants(self, loss: Loss, n_outputs: int) -> np.ndarray:
        """The intercepts (K,) of the best model without features, found once."""
        if self._constants is None or self._constants[:2] != (loss, n_outputs):
            self._constants = loss, n_outputs, self._best_constants(loss, n_outputs)
        return self._constants[2]

    def _best_constants(self, loss: Loss, n_outputs: int) -> np.ndarray:
        if loss.link != "identity":
            # Few rows may have nearly all of the mean.
            scores = link_of_means(loss, *self._tally(loss, n_outputs))
            if np.isfinite(scores).all():
                return scores
        rows = self.some_targets(1000)
        return constants(loss, rows.y, rows.weight, n_outputs)

    def _tally(self, loss: Loss, n_outputs: int) -> tuple[np.ndarray, float]:
        return tally(loss, self.targets.y, self.targets.weight, n_outputs)

    def some_targets(self, n: int) -> Rows:
        """The targets and weights of about so many rows from all over."""
        return self.targets.take(slice(None, None, max(1, len(self) // n)))

    def constant_loss(self, loss: Loss, intercept: np.ndarray) -> float:
        """The weighted mean of the losses of a model without features; no features are read. The last is kept."""
        key = loss, intercept.tobytes()
        if self._constant_loss is None or self._constant_loss[0] != key:
            self._constant_loss = key, self._mean_loss_of(loss, intercept)
        return self._constant_loss[1]

    def _mean_loss_of(self, loss: Loss, intercept: np.ndarray) -> float:
        raise NotImplementedError

    def sweep(self, loss: Loss, coordinates: Coordinates, n_outputs: int) -> Sweep:
        """Passes that add up losses with their derivatives, in coordinates."""
        return Sweep(loss, coordinates, self, n_outputs)

    def course_rows(self, split: Split) -> Any:
        """What SVRG asks of the rows, see `sksgd.core.course_rows.CourseRows`."""
        from .course_rows import CourseRows

        return CourseRows(self, split, len(self), self.total_weight / max(len(self), 1))

    def pieces(self, size: int) -> Iterator[tuple[slice, Any]]:
        """At most so many rows at a time: their places among those present, and the rows."""
        first = 0
        for block in self.blocks():
            for part, X in block.pieces(size):
                yield slice(first + part.start, first + part.stop), X
            first += len(block)
