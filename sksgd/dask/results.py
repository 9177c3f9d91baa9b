"""What tasks on workers return: a value, where it is, and what it cost."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from dask.sizeof import sizeof
from distributed import get_worker

from ..core.batches import Block
from ..core.state import State


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a value took: seconds in which rows were worked on, seconds of sums and averages, and bytes moved for it."""

    work: float = 0.0
    reduction: float = 0.0
    moved: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.work + other.work, self.reduction + other.reduction, self.moved + other.moved)


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """A value that never changes, the address of the worker that made it, and its cost."""

    value: Any
    where: str
    cost: Cost = dataclasses.field(default_factory=Cost)


def here() -> str:
    """The address of the worker that runs this task."""
    return str(get_worker().address)


def run(function: Callable[..., Any], reduces: bool, carries: tuple[int, ...], *arguments: Any) -> Result:
    """A task: `function` of the values of its arguments.

    Bytes count where an argument was made elsewhere. The costs of the arguments at the places `carries` are those of
    the result, too; every cost must reach the end on one way only.
    """
    begun, place = time.perf_counter(), here()
    cost, values = Cost(), []
    for i, argument in enumerate(arguments):
        if isinstance(argument, Result):
            cost += argument.cost if i in carries else Cost()
            cost += Cost(moved=sizeof(argument.value) if argument.where != place else 0)
            argument = argument.value
        values.append(argument)
    value = function(*values)
    seconds = time.perf_counter() - begun
    return Result(value, place, cost + (Cost(reduction=seconds) if reduces else Cost(work=seconds)))


def given(value: Any) -> Result:
    """A task that puts what came from the client on a worker, as something that can be made again."""
    return Result(value, "client")


# Dask moves and spills values by their size, which it does not see through objects of ours.


@sizeof.register(Block)
def _of_block(block: Block) -> int:
    return sizeof(block.X) + block.y.nbytes + (0 if block.weight is None else block.weight.nbytes)


@sizeof.register(State)
def _of_state(state: State) -> int:
    return state.lines.nbytes + state.bias.nbytes


@sizeof.register(Result)
def _of_result(result: Result) -> int:
    return sizeof(result.value)
