"""Training on a cluster: from distributed data to the loop that trains in memory, too."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from distributed import Client, Future
from sklearn.base import clone, is_classifier

from ..core.estimator import BaseLinearSGD
from ..core.feed import Feed
from ..core.supply import Supply
from . import shares
from .cluster import Cluster
from .feed import ClusterFeed
from .partitions import Collection, Held, collect, hold

STRATEGIES = ("local", "sync")


def train(
    client: Client | None,
    model: Any,
    data: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    validation: tuple[Any, ...] | None = None,
    strategy: str = "local",
    sync_every: int | None = None,
) -> Any:
    """Fit a model to rows on the workers of a Dask cluster, where they stay.

    The objective, the loop over passes, stopping and callbacks are those of `fit`. Every worker has one block of rows,
    made of its partitions; between workers go weights, gradients and sums.

    With ``optimizer="auto"``, "newton" or "svrg" the workers add up losses, gradients and curvatures, and the result is
    that of `fit` in memory to the same tolerance, whatever the number of workers. For SVRG every worker also walks over
    its own rows from the common weights, with the gradient of all rows; the mean of where they end is searched along.
    On one worker the model of SVRG is bitwise that of `fit` in memory, for 20 passes. `strategy` is for optimizers with
    a rate:

    - "local": every worker does the updates of a pass over its own rows, then weights, slots and averages become means,
      weighted by the weights of the rows. On one worker the model is bitwise that of `fit` in memory. ``t_`` counts the
      updates of the worker with the most rows; schedules are given t times the updates of a pass in memory over that,
      so that rates fall pass by pass as in memory.
      Rates of `Auto` are multiplied by the latter, too, up to the highest that is safe on the rows.
    - "sync": every update takes the mean gradient over a batch of all rows, each worker over those that it has. Rows
      are numbered worker by worker, in the order of their first partitions, and come in the order that `sampling` gives
      all of them: the model is that of `fit` in memory to rounding, whatever the number of workers. Every update waits
      for all workers: batches should be large.

    Tasks change nothing that they are given. If a worker is lost, Dask makes again what it had, elsewhere, and the
    model is as without the loss.

    Parameters
    ----------
    client : distributed.Client or None
        None takes the current one.
    model : LinearRegressor or LogisticClassifier
        Is not changed.
    data : dask array, dask data frame, list of delayed or futures, or source
        X as a dask array of shape (n_samples, n_features) with dense or CSR blocks, or as a data frame; or partitions
        (X, y) or (X, y, sample_weight), delayed or as futures; or a `sksgd.stream.Source`, split by its parts.
        Partitions that are in memory (`client.persist`) are used where they are, others are made on the workers in
        ranges of equal size. Each worker holds the rows of all its partitions during the call.
    y : dask array or series, default=None
        Targets; None where they are in `data`.
    sample_weight : dask array or series, default=None
        As of `fit`.
    validation : tuple, default=None
        (data, y[, sample_weight]) as above: held-out rows, which then decide when to stop.
    strategy : {"local", "sync"}, default="local"
    sync_every : int or None, default=None
        With "local", the most updates of a worker between two averages; None: a pass.

    Returns
    -------
    model : LinearRegressor or LogisticClassifier
        A fitted clone, with attributes in plain NumPy, and `communication_`: what it took.

    Raises
    ------
    ValueError
        For data, parameters and optimizers that cannot be trained on so. Implicit SGD trains in memory only.
    RuntimeError
        Where the scheduler is lost, the client closed, or there are no workers.
    Exception
        What a partition raises, at once.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sksgd import LogisticClassifier
    >>> from sksgd.dask import train
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
    ...     chunks = da.from_array(X, chunks=(100, -1)), da.from_array(y, chunks=100)
    ...     model = train(client, LogisticClassifier(), *chunks)
    >>> bool(abs(model.coef_ - LogisticClassifier().fit(X, y).coef_).max() < 0.01)
    True
    """
    if not isinstance(model, BaseLinearSGD):
        raise TypeError(
            f"model must be a LinearRegressor or LogisticClassifier of sksgd. Got {type(model).__name__} instead."
        )
    return fit(client, clone(model), data, y, sample_weight, validation, strategy, sync_every)


def fit(
    client: Client | None,
    model: Any,
    data: Any,
    y: Any,
    sample_weight: Any,
    validation: tuple[Any, ...] | None,
    strategy: str,
    sync_every: int | None,
    init: dict[str, Any] | None = None,
) -> Any:
    """`train` without a clone: `model` goes on if it has `warm_start`."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {list(STRATEGIES)}. Got {strategy!r} instead.")
    whole = isinstance(sync_every, int | np.integer) and not isinstance(sync_every, bool)
    if sync_every is not None and not (whole and sync_every >= 1 and strategy == "local"):
        raise ValueError(
            f"sync_every must be None or, with strategy='local', an integer of at least 1. Got {sync_every!r} with "
            f"strategy={strategy!r}."
        )
    cluster = Cluster(client)

    def supply(data: Any, y: Any = None, sample_weight: Any = None) -> Partitions:
        return Partitions(cluster, (data, y, sample_weight), strategy, sync_every)

    held_out = {} if validation is None else {"X_val": supply(*validation)}
    return model.fit(supply(data, y, sample_weight), None, **held_out, **(init or {}))


@dataclasses.dataclass(eq=False)
class Partitions(Supply):
    """Distributed data in the place of `X` in `fit`."""

    cluster: Cluster
    data: tuple[Any, Any, Any]
    strategy: str
    sync_every: int | None

    def feeds(
        self, estimator: Any, resumed: bool, split: bool, random_state: np.random.RandomState
    ) -> tuple[Feed, Feed | None]:
        estimator.communication_ = self.cluster.communication  # callbacks may watch it
        held, dtype, sparse = self._prepare(estimator, estimator._state.lines.dtype if resumed else None, not resumed)
        kind = (dtype, sparse, self.strategy, self.sync_every)
        if not split or not sum(map(len, held)):
            return ClusterFeed(self.cluster, held, *kind), None
        train, out = self._split(estimator, held, random_state)
        return ClusterFeed(self.cluster, train, *kind), ClusterFeed(self.cluster, out, *kind)

    def held_out(self, estimator: Any, dtype: Any) -> Feed:
        held, dtype, sparse = self._prepare(estimator, dtype, False, trained_on=False)
        return ClusterFeed(self.cluster, held, dtype, sparse, self.strategy, self.sync_every)

    def _prepare(
        self, estimator: Any, dtype: Any, first: bool, trained_on: bool = True
    ) -> tuple[list[Held], Any, bool]:
        """The rows of every worker as one coded block; the dtype of all, and whether they are sparse."""
        cluster, parts = self.cluster, collect(*self.data)
        with cluster.watched():
            coder = shares.bare(estimator)
            gathered = self._gather(coder, dtype, parts)
            found = [about for _, about in gathered]
            if trained_on and not isinstance(parts, Collection):
                estimator.n_bad_blocks_ = sum(about.n_bad_blocks for about in found)
            dtype = _agree(estimator, found, dtype, first, parts, trained_on)
            coder = shares.bare(estimator)
            coded = [cluster.submit(shares.code, coder, dtype, share) for share, about in gathered if about.n]
            held = hold(cluster, coded)
        return held, dtype, next(about.sparse for about in found if about.n)

    def _gather(self, coder: Any, dtype: Any, parts: Any) -> list[tuple[Future, shares.Description]]:
        """The rows of every worker, not coded yet, and what these are."""
        cluster, workers = self.cluster, self.cluster.workers()
        asked: list[Future] = []
        if isinstance(parts, Collection):
            made = parts.made(cluster)
            for numbers in parts.shares(cluster, made):
                asked.append(cluster.submit(shares.gather, coder, dtype, numbers, [made[i] for i in numbers]))
        else:
            for of_one in np.array_split(np.arange(parts.n_parts), min(len(workers), parts.n_parts)):
                asked.append(cluster.submit(shares.read, coder, dtype, parts.take(of_one.tolist())))
        found = cluster.client.gather([cluster.submit(shares.describe, coder, share) for share in asked])
        return list(zip(asked, found, strict=True))

    def _split(
        self, estimator: Any, held: list[Held], random_state: np.random.RandomState
    ) -> tuple[list[Held], list[Held]]:
        """Rows held out on every worker; the first draws as `fit` does in memory."""
        cluster, coder = self.cluster, shares.bare(estimator)
        with cluster.watched():
            seeds = [random_state, *(np.random.RandomState(seed) for seed in range(1, len(held)))]
            both = [cluster.submit(shares.split, coder, one.block, seed) for one, seed in zip(held, seeds, strict=True)]
            random_state.set_state(cluster.submit(shares.part, both[0], 2).result().get_state())
            train, out = (hold(cluster, [cluster.submit(shares.part, pair, i) for pair in both]) for i in (0, 1))
        if not any(len(one) for one in out):
            raise ValueError(
                f"validation_fraction={estimator.validation_fraction} leaves too few rows on every worker. Change "
                "validation_fraction, pass rows to validate on, or set early_stopping=False."
            )
        return train, out


def _agree(
    estimator: Any, found: list[shares.Description], dtype: Any, first: bool, parts: Any, trained_on: bool
) -> Any:
    """Let the estimator know features and targets, from what was found on all workers; the dtype of all rows."""
    found = [about for about in found if about.n]
    if not found:
        raise ValueError("The data have no rows: every partition is empty.")
    shares.require_alike([(*about.example, about.names) for about in found])
    dtype = np.result_type(*(about.dtype for about in found)) if dtype is None else dtype
    X, y = found[0].example
    names = found[0].names if parts.feature_names is None else parts.feature_names
    if names is not None:
        import pandas as pd

        X = pd.DataFrame(X, columns=list(names))
    estimator._validate(X, y, None, None if first else dtype)
    if is_classifier(estimator):
        labels = np.concatenate([about.labels for about in found])
        counts = np.concatenate([about.counts for about in found])
        estimator._check_targets(labels, first, parts.classes)
        if trained_on:
            estimator._count_targets(estimator._encode(labels), counts, running=False)
    else:
        for about in found:
            estimator._check_targets(about.example[1], first and about is found[0])
    return dtype
