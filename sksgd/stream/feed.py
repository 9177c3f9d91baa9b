"""Rows that are read from a source in every pass."""

from __future__ import annotations

import contextlib
import itertools
import math
import operator
from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..base import Loss, Sampler
from ..core import pass_
from ..core.batches import Block
from ..core.errors import BlockError
from ..core.feed import Feed, Order, no_watch
from ..core.problem import Problem
from ..core.rows import Rows, join
from ..core.state import State
from ..sampling import seed_of
from .ahead import ahead
from .buffer import Buffers, Ends, finite
from .source import Source
from .spill import SOME, chosen, room
from .survey import Survey, alike, fitting, numbered

#: The share of the memory limit that the shuffling buffer takes; another one is filled meanwhile.
BUFFER = 4
#: Parts that a glimpse is taken of.
GLIMPSES = 8

#: The blocks of a buffer in order: their parts, and their numbers in them.
Group = list[tuple[int, int]]


class StreamFeed(Feed):
    """The rows of a source, in their own order for sums, and shuffled in a buffer for passes.

    In a pass, parts come in the order that the sampler gives them, and so do the rows of a buffer, which is filled with
    whole blocks; a mini-batch ends where the buffer does (Xu et al., "In-database machine learning with CorgiPile",
    2022).

    Parameters
    ----------
    source : Source
    survey : Survey
    weight : ndarray of shape (n,) or None
        The weights of all rows, as training is to take them.
    kept : ndarray of bool, shape (n,), or None
        The rows that are present; None for all.
    """

    def __init__(self, source: Source, survey: Survey, weight: np.ndarray | None, kept: np.ndarray | None = None):
        if weight is not None and not (positive := weight > 0).all():
            kept = positive if kept is None else kept & positive
        self.source, self.survey, self._mask = source, survey, kept
        self._name = repr(source)  # once, as it may be long
        self.shape, self.dtype, self.sparse = survey.shape, survey.dtype, survey.sparse
        #: No rows, but of the kind that they are.
        self._like: Any = sp.csr_array(self.shape) if self.sparse else np.empty((0, self.shape[1]))
        self.targets = Rows(None, self._present(survey.y), None if weight is None else self._present(weight))
        self.total_weight = float(len(self) if self.targets.weight is None else self.targets.weight.sum())
        #: Of each part the numbers of the blocks with rows that are present: where they begin among all rows, and the
        #: places of those that are present.
        self._blocks: list[dict[int, tuple[int, slice]]] = []
        self._find_blocks()
        self._buffers = Buffers(max(self._buffer_rows, self._longest), self._like, self.dtype)
        self.width, self._watching = max(1.0, survey.width), False

    def _find_blocks(self) -> None:
        first = present = 0
        for lengths in self.survey.lengths:
            self._blocks.append({})
            for number, length in enumerate(lengths):
                rows = slice(first, first + max(length, 0))
                n = rows.stop - first if self._mask is None else int(np.count_nonzero(self._mask[rows]))
                if n:
                    self._blocks[-1][number] = first, slice(present, present + n)
                first, present = rows.stop, present + n

    def _present(self, values: np.ndarray) -> np.ndarray:
        """Those of the rows present."""
        return values if self._mask is None else chosen(values, self._mask, self.source.memory_bytes)

    def __len__(self) -> int:
        return len(self.targets)

    def in_memory_if_small(self) -> Feed:
        """The rows as a block, where they would all fit the buffer."""
        if not 0 < len(self) <= self._buffer_rows:
            return self
        X = self._stack([block.X for block in self.blocks()])
        return Block(X, self.targets.y, self.targets.weight, source=self._name)

    def _stack(self, parts: list[Any]) -> Any:
        return sp.vstack(parts, format="csr") if self.sparse else np.concatenate(parts)

    def normalise(self) -> None:
        """Scale the weights to mean 1 over the rows present."""
        if self.targets.weight is not None:
            self.targets.weight[:] *= len(self) / self.total_weight  # in place, as they may be in a file
            self.total_weight = float(len(self))

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _read(self, part: int, wanted: Collection[int]) -> Iterator[tuple[slice, Any]]:
        """Some blocks of a part: where their rows are among those present, and these rows."""
        return (self._checked(*block) for block in self._raw(part, wanted))

    def _raw(self, part: int, wanted: Collection[int]) -> Iterator[tuple[int, int, Any]]:
        """The part, the number and the rows of some blocks, as they are read."""
        if not wanted:
            return
        source, last, n = self.source, max(wanted), 0
        for number, block in numbered(source.read(part)):
            n = number + 1
            if number not in wanted:
                continue
            if isinstance(block, BlockError):
                raise block
            yield part, number, block[0]
            if number == last:
                return
        raise BlockError(
            f"it has {n} blocks, but had {len(self.survey.lengths[part])} when it was read before. A source must give "
            "the same blocks each time.",
            source.name(part),
        )

    def _checked(self, part: int, number: int, X: Any, check: Any = fitting) -> tuple[slice, Any]:
        """Where the rows of a block are among those present, and these rows."""
        X, length = check(X, self._like, self.dtype, self.source, part, number), self.survey.lengths[part][number]
        if X.shape[0] != length:
            raise BlockError(
                f"it has {X.shape[0]} rows, but had {length} when it was read before. A source must give the same "
                "blocks each time.",
                self.source.name(part),
                number,
            )
        first, places = self._blocks[part][number]
        if self._mask is not None and X.shape[0] > places.stop - places.start:
            X = X[np.flatnonzero(self._mask[first : first + X.shape[0]])]
        return places, X

    def _block(self, X: Any, places: Any) -> Block:
        rows = self.targets.take(places)
        block = Block(X, rows.y, rows.weight, source=self._name, offset=int(places[0]))
        block.at = places
        return block

    def blocks(self) -> Iterator[Block]:
        def read() -> Iterator[tuple[int, int, Any]]:
            for part, wanted in enumerate(self._blocks):
                yield from self._raw(part, wanted)

        # Rows are checked here, as reading is what takes longest.
        for raw in ahead(read):
            places, X = self._checked(*raw)
            with self._watch() as done:
                yield self._block(X, np.arange(places.start, places.stop))
                done()

    # ---- passes ------------------------------------------------------------------------------------------------------

    def orders(self, sampler: Sampler, state: State) -> Iterator[Order]:
        if sampler.repeats:
            raise ValueError(
                f"sampling={sampler!r} visits rows several times in a pass, which rows that are read from a source "
                "cannot be. Use sampling='reshuffle', 'shuffle_once' or 'sequential', or a source whose rows fit "
                "buffer_rows."
            )
        return (((sampler, state.seed, number), None) for number in itertools.count(state.n_passes))

    def _groups(self, order: Any) -> list[Group]:
        """The buffers of a pass, of equal numbers of blocks."""
        sampler, seed, number = order
        parts = sampler.order(self.source.n_parts, seed, number)[0].tolist()
        blocks = [(part, block) for part in parts for block in self._blocks[part]]
        return [blocks[first : first + self._blocks_each] for first in range(0, len(blocks), self._blocks_each)]

    @property
    def _blocks_each(self) -> int:
        """Of a buffer, however long the blocks are: the number of buffers is to be the same in every order."""
        return max(1, self._buffer_rows // self._longest)

    @property
    def _longest(self) -> int:
        """The most rows of a block."""
        return max(max(lengths, default=0) for lengths in self.survey.lengths)

    @property
    def _buffer_rows(self) -> int:
        if self.source.buffer_rows is not None:
            return self.source.buffer_rows
        return max(1, int(self.source.memory_bytes / (BUFFER * self.survey.row_bytes)))

    def visits(
        self, order: Any, factor: np.ndarray | None = None, first: int = 0, last: int | None = None
    ) -> Iterator[tuple[Block, np.ndarray, Any]]:
        """The buffers of a pass, or those in a range of numbers; before an error, what was read until then.

        A block is good until the next one is asked for, as its memory is used again.
        """
        sampler, seed, number = order
        for index, filled in enumerate(ahead(lambda: self._fill(self._groups(order)[first:last])), first):
            X, places, failed = finite(*filled, self.source)
            if len(places):
                yield self._block(X, places), *sampler.order(len(places), seed_of(seed, index), number)
            if failed is not None:
                raise failed

    def _fill(self, groups: list[Group]) -> Iterator[tuple[Any, np.ndarray, Ends]]:
        """The rows of each buffer, finite or not, their places, and where each block ends."""
        # A part that goes on in the next buffer is read on, not again.
        parts = itertools.groupby(itertools.chain(*groups), operator.itemgetter(0))
        raw = (block for part, own in parts for block in self._raw(part, {number for _, number in own}))
        blocks = ((*self._checked(*block, check=alike), block[:2]) for block in raw)
        return self._buffers.filled(map(len, groups), blocks)

    def one_pass(self, problem: Problem, state: State, order: Order) -> bool:
        if problem.batch_size is None:
            return pass_.whole(problem, state, self.visits(*order))
        for visit in self.visits(*order, first=state.position):
            with self._watch() as done:
                if not pass_.run(problem, state, *visit):
                    return False
                state.position += 1
                if done():
                    break
        state.position = 0
        return True

    def n_subtasks(self, problem: Problem) -> int | None:
        if problem.optimizer.blockwise or problem.batch_size is None:
            return None
        return math.ceil(sum(map(len, self._blocks)) / self._blocks_each)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        self._watching = True
        try:
            yield
        finally:
            self._watching = False

    def _watch(self) -> contextlib.AbstractContextManager[Callable[[], bool]]:
        return self.watch() if self._watching else no_watch()

    # ---- some rows, and sums -----------------------------------------------------------------------------------------

    def rows_at(self, places: np.ndarray) -> Rows:
        wanted, found, first = np.unique(places), [], 0
        for block in self.blocks():
            low, high = np.searchsorted(wanted, (first, first + len(block)))
            if low < high:
                found.append(block.X[wanted[low:high] - first])
            first += len(block)
        rows = self.targets.take(places)
        return Rows(self._stack(found)[np.searchsorted(wanted, places)], rows.y, rows.weight)

    def sample(self, order: Callable[[], Any], n: int) -> Rows:
        """The first rows of the first buffer."""
        block, rows, _ = next(self.visits(order(), last=1))
        return block.rows_at(rows[:n])

    def glimpse(self, n: int) -> Rows:
        """Rows of the first blocks of some parts."""
        parts = [part for part, blocks in enumerate(self._blocks) if blocks]
        parts = parts[:: max(1, len(parts) // GLIMPSES)]
        found = []
        for part in parts:
            for places, X in self._read(part, {min(self._blocks[part])}):
                step = max(1, X.shape[0] * len(parts) // n)
                own = self.targets.take(np.arange(places.start, places.stop, step))
                found.append(Rows(X[::step], own.y, own.weight))
        return join(found)

    @property
    def squares(self) -> np.ndarray:  # type: ignore[override]
        """Squared norms of the rows present, read anew."""
        found, first = self.room(len(self)), 0
        for block in self.blocks():
            found[first : first + len(block)] = block.squares
            first += len(block)
        return found

    def _mean_loss_of(self, loss: Loss, intercept: np.ndarray) -> float:
        total, none = 0.0, np.empty((len(intercept), 0), self.dtype)
        for first in range(0, len(self), SOME):
            rows = self.targets.take(slice(first, first + SOME))
            empty: Any = np.empty((len(rows), 0), self.dtype)
            X = sp.csr_array(empty) if self.sparse else empty
            total += Block(X, rows.y, rows.weight).total_loss(loss, none, intercept)
        return total / self.total_weight

    def room(self, *shape: int) -> np.ndarray:
        return room(shape, self.source.memory_bytes)
