"""Rows on workers, as training asks for them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base import Horizon, Loss, Sampler, Schedule
from ..core.feed import Feed, Order
from ..core.problem import Problem
from ..core.quadratic import Coordinates
from ..core.rows import Rows
from ..core.split import Split
from ..core.state import State
from ..sampling import seed_of
from . import rounds, shares, sums
from .cluster import Cluster
from .course import ClusterRows
from .pace import Paced
from .partitions import Held, hold
from .sweep import ClusterSweep

if TYPE_CHECKING:
    from distributed import Future

#: Bytes of rows that may come to the client for a first look at them.
LOOK = 1 << 26
#: Updates after which the client looks whether all is well, so that no graph grows without end.
UPDATES = 64


class ClusterFeed(Feed):
    """Blocks on workers, one on each.

    Parameters
    ----------
    cluster : Cluster
    held : list of Held
        One at least.
    dtype, sparse
        As of `Feed`.
    strategy : {"local", "sync"}, sync_every : int or None
        See `sksgd.dask.train`.
    """

    #: What is lost is made again from how it was made: that must not grow without end.
    renewal = 20

    def __init__(
        self, cluster: Cluster, held: list[Held], dtype: Any, sparse: bool, strategy: str, sync_every: int | None
    ):
        self.cluster, self.dtype, self.sparse = cluster, dtype, sparse
        self.strategy, self.sync_every = strategy, sync_every
        self._given: tuple[Any, Any] = (None, None)
        self._take(held)
        cluster.communication.n_workers = max(len(held), cluster.communication.n_workers)

    def _take(self, held: list[Held]) -> None:
        facts = [one.facts for one in held]
        self.held, self._n = held, sum(fact.n for fact in facts)
        self.shape = sum(fact.n_rows for fact in facts), facts[0].n_features
        self.total_weight = math.fsum(fact.total_weight for fact in facts)
        self.width = max(1.0, sum(fact.stored for fact in facts) / max(self.shape[0], 1))

    def __len__(self) -> int:
        return self._n

    def normalise(self) -> None:
        if any(one.facts.weighted for one in self.held):
            factor = self._n / sum(one.facts.total_weight for one in self.held)
            with self.cluster.watched():
                scaled = [self.cluster.submit(shares.scaled, one.block, factor) for one in self.held]
                self._take(hold(self.cluster, scaled))

    @property
    def mark(self) -> tuple[Any, ...]:
        return *self.shape, self._n, self.total_weight

    # ---- looks -------------------------------------------------------------------------------------------------------

    def _each(self, function: Any, *arguments: Any) -> list[Future]:
        """A task for every block: `function(first argument, block, *others)`, or of the block alone."""
        head, tail = arguments[:1], arguments[1:]
        return [self.cluster.measured(function, *head, one.block, *tail) for one in self.held]

    def _sum(self, parts: list[Future]) -> Any:
        return self.cluster.get(self.cluster.tree(sums.add, parts))

    def _rows(self, parts: list[Future]) -> Rows:
        """Few rows of every worker, together on the client."""
        with self.cluster.round():
            found = [self.cluster.get(part) for part in parts]
        weight: Any = None
        if any(rows.weight is not None for rows in found):
            weight = np.concatenate([np.ones(len(rows)) if rows.weight is None else rows.weight for rows in found])
        X: Any = None
        if found[0].X is not None:
            stack = [rows.X for rows in found]
            X = sp.vstack(stack, format="csr") if self.sparse else np.concatenate(stack)
        return Rows(X, np.concatenate([rows.y for rows in found]), weight)

    def _few(self, n: int) -> int:
        return max(1, min(n, int(LOOK / (16 * self.width))))

    def sample(self, order: Callable[[], Any], n: int) -> Rows:
        share = min(1.0, self._few(n) / self._n)
        return self._rows([self.cluster.measured(sums.random_rows, one.block, share) for one in self.held])

    def glimpse(self, n: int) -> Rows:
        step = max(1, self._n // self._few(n))
        return self._rows([self.cluster.measured(sums.some_rows, o.block, step) for o in self.held])

    def some_targets(self, n: int) -> Rows:
        step = max(1, self._n // n)
        return self._rows([self.cluster.measured(sums.some_targets, one.block, step) for one in self.held])

    def _tally(self, loss: Loss, n_outputs: int) -> tuple[np.ndarray, float]:
        with self.cluster.round():
            return self._sum(self._each(sums.tally, loss, n_outputs))

    def _mean_loss_of(self, loss: Loss, intercept: np.ndarray) -> float:
        with self.cluster.round():
            total, mass = self._sum(self._each(sums.constant_loss, loss, intercept))
        return float(total / mass)

    def total_loss(self, loss: Loss, coef: np.ndarray, intercept: np.ndarray) -> float:
        with self.cluster.round():
            return float(self._sum(self._each(sums.total_loss, loss, self.cluster.give((coef, intercept)))))

    def sweep(self, loss: Loss, coordinates: Coordinates, n_outputs: int) -> Any:
        return ClusterSweep(self, sums.Lens(loss, coordinates, n_outputs))

    def counts(self) -> np.ndarray:
        with self.cluster.round():
            return self._sum([self.cluster.measured(sums.counts, one.block) for one in self.held])

    def course_rows(self, split: Split) -> Any:
        return ClusterRows.of(self, split)

    # ---- passes ------------------------------------------------------------------------------------------------------

    def updates(self, batch_size: int | None) -> int:
        if batch_size is None:
            return 1
        n = self._n if self.strategy == "sync" else max(map(len, self.held))
        return math.ceil(n / batch_size)

    def bind(self, schedule: Schedule, horizon: Horizon, batch_size: int | None) -> Schedule:
        ours, pace = horizon, 1.0
        if horizon.updates is not None and horizon.updates_per_pass is not None:
            in_memory = super().updates(batch_size)
            pace = in_memory / horizon.updates_per_pass
            ours = dataclasses.replace(horizon, updates=round(pace * horizon.updates), updates_per_pass=in_memory)
        return schedule.bind(horizon) if pace == 1.0 else Paced(schedule.bind(ours), pace)

    def meet(self, problem: Problem, before: Schedule | None) -> Schedule:
        self._check(problem)
        if isinstance(problem.schedule, Paced):
            schedule = dataclasses.replace(problem, schedule=problem.schedule.schedule)
            met = self.meet(schedule, before.schedule if isinstance(before, Paced) else before)
            return dataclasses.replace(problem.schedule, schedule=met)
        if type(problem.schedule).meet is Schedule.meet:
            return problem.schedule
        asked = self.cluster.give(problem)
        with self.cluster.round():
            parts = [self.cluster.measured(rounds.meet, asked, one.block, before) for one in self.held]
            found = [self.cluster.get(part) for part in parts]
        pooled = found[0] if len(found) == 1 else found[0].pooled(found, [len(one) for one in self.held])
        if pooled is not None:
            return pooled
        known: Any = found[0]
        with self.cluster.round():
            # One after the other, as the blocks of a stream: such a schedule only knows how to go on.
            for one in self.held[1:]:
                known = self.cluster.measured(rounds.meet, asked, one.block, known)
            return self.cluster.get(known)

    def _check(self, problem: Problem) -> None:
        """Refuse what cannot be trained from here, by name."""
        optimizer, size = problem.optimizer, problem.batch_size
        if optimizer.blockwise and not optimizer.by_sums:
            raise ValueError(
                f"{optimizer!r} (optimizer: {problem.choice.reason}) trains on rows in memory only. For rows on "
                "workers use optimizer='svrg' (smooth losses), 'newton' (up to 4000 unknowns), 'adagrad' or 'sgd'."
            )
        if not optimizer.blockwise and self.strategy == "sync" and size is not None and size < len(self.held):
            raise ValueError(
                f"batch_size={size} gives less than a row to each of {len(self.held)} workers, and strategy='sync' "
                f"waits for all of them in every update. Use batch_size='full', some {max(1, self._n // 100)} rows, or "
                "strategy='local'."
            )

    def orders(self, sampler: Sampler, state: State) -> Iterator[Order]:
        if self.strategy == "sync" and len(self.held) > 1 and sampler.needs_norms:
            raise ValueError(
                f"sampling={sampler!r} needs the norms of all rows, which no worker has with strategy='sync'. Use "
                "sampling='reshuffle' or strategy='local'."
            )
        order = self._of_all if self.strategy == "sync" else self._of_each
        return ((order(sampler, state.seed, number), None) for number in itertools.count(state.n_passes))

    def _of_each(self, sampler: Sampler, seed: int, number: int) -> list[Future]:
        """Every worker's own order."""
        return [
            self.cluster.measured(rounds.order, one.block, sampler, seed_of(seed, k), number)
            for k, one in enumerate(self.held)
        ]

    def _of_all(self, sampler: Sampler, seed: int, number: int) -> list[Future]:
        """The parts that workers have of the order of all rows."""
        firsts = [0, *itertools.accumulate(map(len, self.held))]
        dealt = self.cluster.measured(rounds.deal, self.held[0].block, sampler, seed, number, firsts)
        found = []
        for k, one in enumerate(self.held):
            own = self.cluster.measured(rounds.hand, dealt, k, carries=() if k else (0,))
            found.append(self.cluster.measured(rounds.receive, one.block, own, carries=(1,)))
        return found

    def one_pass(self, problem: Problem, state: State, order: Order) -> bool:
        visits, seen = order[0], state.n_samples_seen
        if self.strategy == "sync":
            state.convert(problem, None)
        task = self._together if self.strategy == "sync" else self._apart
        edges = self._edges(problem.batch_size)
        asked = self._give(problem)
        start = rounds.Trained(state)
        for first in range(0, len(edges) - 1, UPDATES):
            with self.cluster.round():
                at = self.cluster.give(dataclasses.replace(start, rows=0))
                for stretch in itertools.pairwise(edges[first : first + UPDATES + 1]):
                    at = task(asked, at, visits, *stretch)
                start = self.cluster.get(at)
            seen += start.rows
            if not start.finite:
                return False
        passes = state.n_passes
        state.adopt(start.state.copy())
        state.n_passes, state.n_samples_seen = passes, seen
        state.touch()
        return True

    def _give(self, problem: Problem) -> Future:
        """The problem on the cluster, put there once."""
        if self._given[0] is not problem:
            self._given = problem, self.cluster.give(problem)
        return self._given[1]

    def _edges(self, batch_size: int | None) -> list[list[int]]:
        """Up to which place in its order, or in that of all rows, each worker is after every round of a pass."""
        if self.strategy == "sync":
            size = self._n if batch_size is None else batch_size
            ends = [min(stop, self._n) for stop in range(0, self._n + size, size)]
            return [[end] * len(self.held) for end in ends]
        sizes = [len(one) if batch_size is None else batch_size for one in self.held]
        batches = [math.ceil(len(one) / size) for one, size in zip(self.held, sizes, strict=True)]
        parts = 1 if self.sync_every is None else math.ceil(max(batches) / self.sync_every)
        return [
            [min(size * (m * part // parts), len(one)) for one, size, m in zip(self.held, sizes, batches, strict=True)]
            for part in range(parts + 1)
        ]

    def _apart(self, problem: Future, start: Future, visits: Any, begins: list[int], ends: list[int]) -> Future:
        """Every worker by itself, then the mean of their states."""
        parts = [
            self.cluster.measured(
                rounds.train,
                *(problem, start, one.block, mine, (begin, end), k, len(self.held)),
                carries=(*((1,) if k == 0 else ()), *(() if begin else (3,))),
            )
            for k, (one, mine, begin, end) in enumerate(zip(self.held, visits, begins, ends, strict=True))
        ]
        return self.cluster.tree(rounds.merge, parts)

    def _together(self, problem: Future, start: Future, visits: Any, begins: list[int], ends: list[int]) -> Future:
        """One update by the gradients of all workers."""
        parts = [
            self.cluster.measured(
                rounds.gradient, problem, start, one.block, mine, (begin, end), carries=() if begin else (3,)
            )
            for one, mine, begin, end in zip(self.held, visits, begins, ends, strict=True)
        ]
        return self.cluster.reduced(rounds.update, problem, start, *self.cluster.bundle(rounds.add, parts))
