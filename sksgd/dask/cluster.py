"""The client's side: tasks on workers, trees of sums, and what rounds cost."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from distributed import Client, Future, get_client
from distributed.comm import CommClosedError

from .results import Cost, Result, given, run

#: How many values are added up by one task.
FAN = 4
#: Seconds to wait for the first worker.
PATIENCE = 30


@dataclasses.dataclass
class Communication:
    """What training on a cluster took.

    `work`, `reduction` and `waiting` are added up over the workers, so that together they are the number of workers
    times the seconds of all rounds.

    Attributes
    ----------
    n_workers : int
        That hold rows.
    rounds : int
        How often the client asked and was answered.
    bytes : int
        Moved between workers, and between them and the client; rows that had to move are not counted.
    seconds : float
        Of all rounds, as the client sees them.
    work : float
        Seconds in which rows were worked on.
    reduction : float
        Seconds of sums, averages and updates between them.
    waiting : float
        The rest: messages, the scheduler, and other workers that are not done yet.
    """

    n_workers: int = 0
    rounds: int = 0
    bytes: int = 0
    seconds: float = 0.0
    work: float = 0.0
    reduction: float = 0.0

    @property
    def waiting(self) -> float:
        """What the workers did not spend on work or reduction."""
        return self.n_workers * self.seconds - self.work - self.reduction

    def __repr__(self) -> str:
        shown = [f"{field.name}={getattr(self, field.name):.4g}" for field in dataclasses.fields(self)]
        return f"Communication({', '.join(shown)}, waiting={self.waiting:.4g})"


class Cluster:
    """Workers behind a client. All that tasks make is immutable, so that Dask can make again what is lost."""

    def __init__(self, client: Client | None):
        self.client = get_client() if client is None else client
        if self.client.status in ("closing", "closed"):
            raise RuntimeError(f"{self.client!r} is closed. Pass one that is connected, or None for the current one.")
        self.communication = Communication()

    def workers(self) -> list[str]:
        """The addresses of the workers, at least one."""
        with self.watched(), contextlib.suppress(TimeoutError):
            self.client.wait_for_workers(1, timeout=PATIENCE)
        found = sorted(self.client.nthreads())
        if not found:
            raise RuntimeError(f"{self.client!r} has no workers after {PATIENCE} s. Start some, then train.")
        return found

    # ---- tasks -------------------------------------------------------------------------------------------------------

    # No task is bound to a worker. Dask runs each where most of what it needs is, which is where its rows are; and
    # where these are lost, they are made again wherever there is room.

    def submit(self, function: Callable[..., Any], *arguments: Any, name: str = "") -> Future:
        """A task that is no function of its arguments alone, hence not to be shared with others of the same name."""
        # A group of its own: Dask takes many tasks of one group for roots, and places these without regard to rows.
        key = f"{name or function.__name__}-{uuid.uuid4().hex}", 0
        return self.client.submit(function, *arguments, key=key, pure=False)

    def measured(
        self, function: Callable[..., Any], *arguments: Any, carries: tuple[int, ...] = (), name: str = ""
    ) -> Future:
        """A task on rows that makes a `Result`."""
        return self.submit(run, function, False, carries, *arguments, name=name or function.__name__)

    def reduced(self, join: Callable[..., Any], *parts: Any) -> Future:
        """A task that makes one `Result` of others."""
        return self.submit(run, join, True, tuple(range(len(parts))), *parts, name=join.__name__)

    def tree(self, join: Callable[..., Any], parts: Sequence[Future]) -> Future:
        """The parts joined, some at a time, in their order; one part is what it is."""
        return self.bundle(join, parts, 1)[0]

    def bundle(self, join: Callable[..., Any], parts: Sequence[Future], most: int = FAN) -> Sequence[Future]:
        """The parts joined to no more than so many."""
        while len(parts) > most:
            groups = [parts[i : i + FAN] for i in range(0, len(parts), FAN)]
            parts = [self.reduced(join, *group) if len(group) > 1 else group[0] for group in groups]
        return parts

    def give(self, value: Any) -> Future:
        """A value from here, for tasks; not scattered, since Dask cannot make again what was scattered."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self.submit(given, value)

    # ---- answers -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def round(self) -> Iterator[None]:
        """What is asked and answered inside counts as one round."""
        begun = time.perf_counter()
        with self.watched():
            yield
        self.communication.rounds += 1
        self.communication.seconds += time.perf_counter() - begun

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Say so where the scheduler does not answer any more, or something is lost for good."""
        try:
            yield
        except (CancelledError, CommClosedError, OSError) as error:
            lost = getattr(error, "reason", "") == "scheduler-connection-lost" or isinstance(error, CommClosedError)
            if not lost and self.client.status == "running":
                if not isinstance(error, CancelledError):
                    raise
                raise RuntimeError(
                    "Something was lost with its worker, or cancelled, that Dask cannot make again. Give partitions "
                    "that it can make (from files, delayed, submitted), and no scattered ones."
                ) from error
            raise RuntimeError(
                f"The scheduler of {self.client!r} was lost. The model is as before the call; connect to a scheduler "
                "and train again."
            ) from error

    def get(self, future: Future) -> Any:
        """The value of a `Result`, whose cost is taken note of."""
        result: Result = future.result()
        self.spend(result.cost + Cost(moved=_size(result)))
        return result.value

    def spend(self, cost: Cost) -> None:
        """Take note of a cost."""
        ours = self.communication
        ours.work, ours.reduction = ours.work + cost.work, ours.reduction + cost.reduction
        ours.bytes += cost.moved


def _size(result: Result) -> int:
    from dask.sizeof import sizeof

    return int(sizeof(result.value))
