"""What SVRG asks of rows on workers: the methods of `CourseRows`, called on all of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from dask.sizeof import sizeof

from ..core.course_rows import CourseRows, Measured, Walked
from ..core.design import Moments
from ..core.split import Split
from . import rounds, sums
from .cluster import Cluster

if TYPE_CHECKING:
    from distributed import Future

    from .feed import ClusterFeed

#: Bytes of arguments from which on they are sent once, and not with every task.
LARGE = 1 << 12


class Kept:
    """Values that stay on the workers, one for each block."""

    def __init__(self, values: Sequence[Future]):
        self.values = values
        #: Whether what they cost is a part of the cost of something else.
        self.counted = False


class ClusterRows:
    """`CourseRows` on every worker: what stays is `Kept`, what is summed comes to the client as a sum.

    Tasks make new values and change none. What a method needs travels with its name; so there is nothing here that
    knows of SVRG but for the rows.
    """

    def __init__(self, cluster: Cluster, rows: Kept):
        self.cluster, self.rows = cluster, rows

    @classmethod
    def of(cls, feed: ClusterFeed, split: Split) -> Self:
        """The rows of a feed."""
        cluster, given = feed.cluster, feed.cluster.give((split, len(feed), feed.total_weight / len(feed)))
        return cls(cluster, Kept([cluster.measured(begin, one.block, given) for one in feed.held]))

    def placed(self, moments: Moments, terms: Any) -> Self:
        """See `CourseRows`."""
        given, carries = self.cluster.give((moments, terms)), self._carried([self.rows])
        rows = [self.cluster.measured(place, one, given, carries=carries) for one in self.rows.values]
        return type(self)(self.cluster, Kept(rows))

    def walk(self, *arguments: Any) -> Walked:
        """See `CourseRows`; the last argument is an order of a `ClusterFeed`."""
        places = [self.cluster.measured(rounds.places, order, carries=(0,)) for order in arguments[-1]]
        return self._call("walk", "summed", *arguments[:-1], Kept(places))

    def __getattr__(self, name: str) -> Any:
        return functools.partial(self._call, name, getattr(CourseRows, name).answer)

    def _call(self, name: str, answer: str, *arguments: Any) -> Any:
        """Call a method on all workers."""
        cluster, kept = self.cluster, [argument for argument in arguments if isinstance(argument, Kept)]
        given: Any = tuple(Kept if isinstance(argument, Kept) else argument for argument in arguments)
        if sizeof(given) > LARGE:
            given = cluster.give(given)
        carries = tuple(2 + i for i in self._carried([self.rows, *kept]))
        columns = zip(self.rows.values, *(one.values for one in kept), strict=True)
        if answer == "stays":
            with cluster.watched():
                return Kept([cluster.measured(call, name, given, *own, carries=carries, name=name) for own in columns])
        with cluster.round():
            parts = [cluster.measured(call, name, given, *own, carries=carries, name=name) for own in columns]
            return sums.own(cluster.get(cluster.tree(sums.add, parts)))

    @staticmethod
    def _carried(values: list[Kept]) -> tuple[int, ...]:
        """The places of those whose costs nobody has counted yet."""
        places = tuple(i for i, value in enumerate(values) if not value.counted)
        for value in values:
            value.counted = True
        return places


# ---- tasks -----------------------------------------------------------------------------------------------------------


def begin(block: Any, given: tuple[Any, ...]) -> CourseRows:
    """The rows of a block."""
    return CourseRows(block, *given)


def place(rows: CourseRows, given: tuple[Any, Any]) -> CourseRows:
    """See `CourseRows.placed`."""
    return rows.placed(*given)


def call(name: str, given: tuple[Any, ...], rows: CourseRows, *kept: Any) -> Any:
    """What a method gives for arguments, some of which are here already."""
    here = iter(kept)
    return getattr(rows, name)(*(next(here) if argument is Kept else argument for argument in given))


@sizeof.register(CourseRows)
def _of_rows(rows: CourseRows) -> int:
    return sizeof(rows.design.feed) + rows.design.nbytes


@sizeof.register(Measured)
def _of_measured(measured: Measured) -> int:
    return measured.slopes.nbytes + measured.bends.nbytes + sizeof(measured.sums)


@sizeof.register(Walked)
def _of_walked(walked: Walked) -> int:
    return walked.ends.nbytes
