"""Distributed data as training takes them: partitions, and where they are."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from dask.base import is_dask_collection
from dask.delayed import Delayed
from distributed import Future, as_completed

from . import shares
from .cluster import Cluster


@dataclasses.dataclass(frozen=True)
class Held:
    """A block on a worker, and what the client knows of it."""

    block: Future
    facts: shares.Facts

    def __len__(self) -> int:
        return self.facts.n


def hold(cluster: Cluster, blocks: list[Future]) -> list[Held]:
    """What the client knows of blocks, of those that have rows if any have."""
    facts = cluster.client.gather([cluster.submit(shares.facts, block) for block in blocks])
    held = [Held(*pair) for pair in zip(blocks, facts, strict=True)]
    return [one for one in held if len(one)] or held[:1]


class Collection:
    """Partitions of dask arrays, data frames or single values, one tuple (X, y[, sample_weight]) each.

    Parameters
    ----------
    columns : list of list
        X, y and weights, each as a list of a delayed value or future for every partition; or one list of such tuples.
    """

    def __init__(self, columns: list[list[Any]]):
        self.columns = columns

    def made(self, cluster: Cluster) -> list[list[Future]]:
        """The columns as futures, once all are in memory, wherever that is.

        Raises what a partition raises, at once.
        """
        futures = []
        for column in self.columns:
            new = iter(cluster.client.compute([part for part in column if not isinstance(part, Future)]))
            futures.append([part if isinstance(part, Future) else next(new) for part in column])
        for future in as_completed({future for column in futures for future in column}):
            if future.status != "finished":
                self._tell(future, futures)
        return futures

    @staticmethod
    def _tell(failed: Future, futures: list[list[Future]]) -> None:
        numbers = [i for column in futures for i, future in enumerate(column) if future.key == failed.key]
        try:
            failed.result()
        except Exception as error:
            error.add_note(f"Raised by partition {numbers[0]} of the data.")
            raise

    @staticmethod
    def shares(cluster: Cluster, futures: list[list[Future]]) -> list[list[int]]:
        """The numbers of the partitions that each worker has, or has the first column of, in the order of the first."""
        where = cluster.client.who_has(futures[0])
        found: dict[str, list[int]] = {}
        for i, future in enumerate(futures[0]):
            found.setdefault(min(where.get(future.key) or ("",)), []).append(i)
        return sorted(found.values())


def collect(data: Any, y: Any, sample_weight: Any) -> Any:
    """The partitions of what a user has given.

    Raises
    ------
    TypeError
        For what is no distributed data.
    ValueError
        Where partitions of X and y do not match.
    """
    if callable(getattr(data, "read", None)) and hasattr(data, "n_parts"):
        _refuse_targets(y, sample_weight, "a source has its targets and weights in it")
        return data
    if isinstance(data, list | tuple) and data and all(isinstance(part, Delayed | Future) for part in data):
        _refuse_targets(y, sample_weight, "delayed partitions are (X, y) or (X, y, sample_weight)")
        return Collection([list(data)])
    if not is_dask_collection(data) or isinstance(data, Delayed):
        raise TypeError(
            "data must be a dask array or data frame, a list of delayed (X, y), or a source of blocks. Got "
            f"{type(data).__name__} instead: for rows in memory use the estimator's own fit."
        )
    if y is None:
        raise ValueError("y must be given beside a dask array or data frame.")
    columns = {"X": data, "y": y} | ({} if sample_weight is None else {"sample_weight": sample_weight})
    for name, values in columns.items():
        if not is_dask_collection(values):
            raise TypeError(
                f"{name} must be a dask collection as X is. Got {type(values).__name__} instead: wrap it by "
                "dask.array.from_array with the chunks of X."
            )
    return Collection(aligned(columns))


def _refuse_targets(y: Any, sample_weight: Any, reason: str) -> None:
    if y is not None or sample_weight is not None:
        raise ValueError(f"y and sample_weight must be None here: {reason}.")


def aligned(columns: dict[str, Any]) -> list[list[Delayed]]:
    """Columns cut into the same rows, each as a list of its partitions."""
    rows = _rows_of(columns["X"])
    parts: list[list[Any]] = []
    for name, values in columns.items():
        if hasattr(values, "chunks") and values.ndim > 1 and len(values.chunks[1]) > 1:
            values = values.rechunk({1: -1})
        own = _rows_of(values)
        if rows is not None and own is not None and own != rows:
            if sum(own) != sum(rows):
                raise ValueError(f"X has {sum(rows)} rows, but {name} has {sum(own)}.")
            values = values.rechunk({0: rows})
        delayed = values.to_delayed()
        parts.append(list(delayed.ravel()) if hasattr(delayed, "ravel") else list(delayed))
    counts = {name: len(part) for name, part in zip(columns, parts, strict=True)}
    if len(set(counts.values())) > 1:
        raise ValueError(f"The numbers of partitions must be equal. Got {counts}: repartition to the same divisions.")
    return parts


def _rows_of(values: Any) -> tuple[int, ...] | None:
    """The rows of each chunk where they are known."""
    rows = tuple(values.chunks[0]) if hasattr(values, "chunks") else None
    return None if rows is None or any(math.isnan(n) for n in rows) else rows
