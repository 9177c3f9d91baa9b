"""Distributed data as training takes them: partitions, and where they are."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from dask.base import is_dask_collection
from dask.delayed import Delayed, delayed
from distributed import Future, as_completed

from ..stream.intake import require_labelled
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
    """Partitions (X, y) or (X, y, sample_weight), each a delayed value or a future."""

    #: What only a source can tell before it is read.
    feature_names = classes = None

    def __init__(self, parts: list[Any]):
        self.parts = parts

    def made(self, cluster: Cluster) -> list[Future]:
        """The partitions as futures, once all are in memory, wherever that is.

        Raises what a partition raises, at once.
        """
        new = iter(cluster.client.compute([part for part in self.parts if not isinstance(part, Future)]))
        futures = [part if isinstance(part, Future) else next(new) for part in self.parts]
        for future in as_completed(set(futures)):
            if future.status != "finished":
                self._tell(future, futures)
        return futures

    @staticmethod
    def _tell(failed: Future, futures: list[Future]) -> None:
        number = next(i for i, future in enumerate(futures) if future.key == failed.key)
        try:
            failed.result()
        except Exception as error:
            error.add_note(f"Raised by partition {number} of the data.")
            raise

    @staticmethod
    def shares(cluster: Cluster, futures: list[Future]) -> list[list[int]]:
        """The numbers of the partitions that each worker has, in the order of the first."""
        where = cluster.client.who_has(futures)
        found: dict[str, list[int]] = {}
        for i, future in enumerate(futures):
            found.setdefault(min(where.get(future.key) or ("",)), []).append(i)
        return sorted(found.values())


def is_distributed(X: Any) -> bool:
    """Whether X is a dask array or data frame."""
    return is_dask_collection(X) and not isinstance(X, Delayed)


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
        require_labelled(data)
        return data
    if isinstance(data, list | tuple) and data and all(isinstance(part, Delayed | Future) for part in data):
        _refuse_targets(y, sample_weight, "delayed partitions are (X, y) or (X, y, sample_weight)")
        return Collection(list(data))
    if not is_distributed(data):
        raise TypeError(
            "data must be a dask array or data frame, a list of delayed (X, y), or a source of blocks. Got "
            f"{type(data).__name__} instead: for rows in memory use the estimator's own fit."
        )
    return Collection(aligned(data, y, sample_weight))


def _refuse_targets(y: Any, sample_weight: Any, reason: str) -> None:
    if y is not None or sample_weight is not None:
        raise ValueError(f"y and sample_weight must be None here: {reason}.")


def aligned(X: Any, y: Any, sample_weight: Any) -> list[Delayed]:
    """Columns cut into the same rows: a tuple of all of them for each partition."""
    if y is None:
        raise ValueError("y must be given beside a dask array or data frame.")
    columns = {"X": X, "y": y} | ({} if sample_weight is None else {"sample_weight": sample_weight})
    for name, values in columns.items():
        if not is_distributed(values):
            raise TypeError(
                f"{name} must be a dask collection as X is. Got {type(values).__name__} instead: wrap it by "
                "dask.array.from_array with the chunks of X."
            )
    rows = _rows_of(columns["X"])
    cut: list[Any] = []
    for name, values in columns.items():
        if hasattr(values, "chunks") and values.ndim > 1 and len(values.chunks[1]) > 1:
            values = values.rechunk({1: -1})
        own = _rows_of(values)
        if rows is not None and own is not None and own != rows:
            if sum(own) != sum(rows):
                raise ValueError(f"X has {sum(rows)} rows, but {name} has {sum(own)}.")
            values = values.rechunk({0: rows})
        cut.append(values)
    counts = {name: values.npartitions for name, values in zip(columns, cut, strict=True)}
    if len(set(counts.values())) > 1:
        raise ValueError(f"The numbers of partitions must be equal. Got {counts}: repartition to the same divisions.")
    return _together(cut)


def _together(columns: list[Any]) -> list[Delayed]:
    """Partitions of columns of the same rows.

    All are optimised together or not at all. One by one, Dask would load what they have in common once for each, and
    might cut it differently.
    """
    if all(hasattr(values, "divisions") for values in columns):
        import dask.dataframe as dd

        as_given = {"meta": (None, "object"), "enforce_metadata": False, "align_dataframes": False}
        return dd.map_partitions(shares.together, *columns, **as_given).to_delayed()
    parts = [np.ravel(values.to_delayed(optimize_graph=False)) for values in columns]
    return [delayed(shares.together, pure=False)(*row) for row in zip(*parts, strict=True)]


def _rows_of(values: Any) -> tuple[int, ...] | None:
    """The rows of each chunk where they are known."""
    rows = tuple(values.chunks[0]) if hasattr(values, "chunks") else None
    return None if rows is None or any(math.isnan(n) for n in rows) else rows
