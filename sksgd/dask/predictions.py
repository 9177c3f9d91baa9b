"""Predictions and scores of rows on a cluster, partition by partition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.array as da
import numpy as np
from sklearn.utils import column_or_1d

from ..core.deviance import deviance_sums
from .partitions import aligned


def lazily(method: Callable[[Any], np.ndarray], X: Any, width: int | None, dtype: Any) -> da.Array:
    """What a method of a fitted model says of every row: an array of shape (n,) or (n, width), not computed yet."""
    empty = np.empty(0 if width is None else (0, width), dtype)
    if hasattr(X, "chunks"):
        X = X.rechunk({1: -1})
        kind = {"drop_axis": 1} if width is None else {"chunks": (X.chunks[0], (width,))}
        return X.map_blocks(predicted, method, empty, dtype=dtype, meta=empty, **kind)
    task = dask.delayed(predicted, pure=True)
    parts = [da.from_delayed(task(part, method, empty), (np.nan, *empty.shape[1:]), dtype) for part in X.to_delayed()]
    return da.concatenate(parts, allow_unknown_chunksizes=True)


def predicted(X: Any, method: Callable[[Any], np.ndarray], empty: np.ndarray) -> np.ndarray:
    """Predictions of a partition, which may be empty."""
    return method(X) if X.shape[0] else empty


def _sum(compute: Callable[[list[Any]], list[Any]], function: Callable[..., Any], parts: Any, *tail: Any) -> Any:
    """The sum over partitions of what a function makes of each, and of the tail."""
    task = dask.delayed(function, pure=False)
    return np.sum(compute([task(part, *tail) for part in parts]), axis=0)


def accuracy(model: Any, compute: Any, X: Any, y: Any, weight: Any) -> float:
    """The share of rows whose class is predicted."""
    right, mass = _sum(compute, _hits, aligned(X, y, weight), model)
    return float(right / mass)


def _hits(part: Any, model: Any) -> np.ndarray:
    X, y, weight = _unpacked(part)
    y = column_or_1d(y)
    right = model.predict(X) == y if len(y) else np.empty(0)
    return np.array([weight @ right, weight.sum()])


def explained(model: Any, compute: Any, X: Any, y: Any, weight: Any) -> float:
    """R2 or, for a loss with a link, D2: see `LinearRegressor.score`."""
    parts = aligned(X, y, weight)
    sums = _sum(compute, _moments, parts, model._n_outputs)
    means = sums[1:] / sums[0]
    unexplained, total = _sum(compute, _deviances, parts, model, means)
    shares = np.where(total > 0, 1.0 - unexplained / np.where(total > 0, total, 1.0), unexplained <= 0)
    return float(shares.mean())


def _moments(part: Any, n_outputs: int) -> np.ndarray:
    _, y, weight = _unpacked(part)
    y = y.astype(np.float64).reshape(-1, n_outputs)
    return np.array([weight.sum(), *(weight @ y)])


def _deviances(part: Any, model: Any, means: np.ndarray) -> np.ndarray:
    """What the model leaves unexplained of each output, and what a constant does: (2, K)."""
    X, y, weight = _unpacked(part)
    y = y.astype(np.float64).reshape(-1, len(means))
    if not len(y):
        return np.zeros((2, len(means)))
    if model._fitted_loss().link != "identity":
        model._check_domain(model._problem_.loss, y)
        return deviance_sums(model._problem_, model._scores(X), y, weight, means)
    predicted = model.predict(X).reshape(y.shape)
    return np.stack([weight @ (y - predicted) ** 2, weight @ (y - means) ** 2])


def _unpacked(part: tuple[Any, ...]) -> tuple[Any, np.ndarray, np.ndarray]:
    """X, y and weights, 1 where there are none."""
    X, y, *weight = part
    y = np.asarray(y)
    return X, y, np.asarray(weight[0], dtype=np.float64) if weight else np.ones(len(y))
