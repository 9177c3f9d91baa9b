"""Rates from the data: as high as the rows allow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..base import Horizon, Loss, Schedule
from .other import Adaptive

__all__ = ["Auto"]

#: At most so many rows are looked at for the greatest eigenvalue, and so many targets for the curvature.
ROWS, TARGETS = 1024, 256


class Auto(Schedule):
    """The highest rate that the rows allow: eta_t = schedule(t) / (c S).

    c is the curvature of the loss, S what the rows multiply it by in a mean square: S = R/(b (1 - beta)) +
    (1 - 1/b) lambda for batches of b rows and momentum beta (0 without). R is the largest of the squared norms r_i =
    s_i ||x_i||^2, lambda the greatest eigenvalue of the mean of s_i x_i x_i'; s_i is the weight of a row, and an
    intercept counts as a feature of 1. With 2/(c S) mean squares begin to grow.

    Where gradients are bounded no row can do harm that later ones do not undo: R is then half the root mean square of
    all r_i, which differs much for heavy tails.

    c is `max_curvature` of the loss. Where that is infinite, it is twice `max_gradient` over the standard deviation of
    the targets; and where that is infinite too, the largest curvature and gradient (over the root mean square of
    prediction minus target, or 1 with a link) at the predictions 0 and constant mean.

    `fit` looks at all its rows. `partial_fit` looks at every block before it learns from it: the first decides, later
    ones may lower the rate but never raise it, so that it depends on the order of the blocks.

    Optimizers with a rate per weight have rates in the units of weights, which rows do not tell: for these eta_t is
    schedule(t) times the usual rate of the optimizer.

    Parameters
    ----------
    schedule : Schedule, float, str or callable, default=None
        What the rate is multiplied by, 1 being the highest that is safe. None is ``Adaptive(1, factor=10,
        eta_min=1e-3)``, with a factor of 2 where a pass has fewer than 2/(1 - beta) updates: with so few, momentum
        swings, and a stall says little.

    References
    ----------
    Needell, Srebro, Ward (2014), Stochastic gradient descent, weighted sampling, and the randomized Kaczmarz algorithm.
    Gower, Loizou, Qian, Sailanbayev, Shulgin, Richtárik (2019), SGD: general analysis and improved rates, whose
    expected smoothness is c S for b rows drawn with replacement.

    Examples
    --------
    >>> from sksgd import LinearRegressor
    >>> model = LinearRegressor(optimizer="sgd", learning_rate="auto", tol=None, max_iter=1)
    >>> model.fit([[1.0], [3.0]], [1.0, 2.0]).learning_rate_
    0.1
    """

    schedule: Any = None

    def __post_init__(self) -> None:
        from . import resolve_schedule  # which knows this class

        if self.schedule is not None:
            object.__setattr__(self, "schedule", resolve_schedule(self.schedule, name="schedule"))

    @property
    def needs_horizon(self) -> bool:  # type: ignore[override]
        return self.schedule is not None and self.schedule.needs_horizon

    def bind(self, horizon: Horizon) -> Schedule:
        return self if self.schedule is None else dataclasses.replace(self, schedule=self.schedule.bind(horizon))

    def meet(self, problem: Any, feed: Any, before: Schedule | None) -> Schedule:
        optimizer, stated = problem.optimizer, (problem.loss, problem.batch_size, problem.fit_intercept)
        if optimizer.usual_rate is not None:
            return _Measured(self.schedule or Adaptive(1.0, 10.0, 1e-2), optimizer.usual_rate)
        known = before if isinstance(before, _Measured) and before.stated == stated else _Measured()
        curvature, stretch = known.curvature, max(known.stretch, _stretch(problem, feed, known.stretch))
        # A small block tells little of how far targets spread, and where gradients are bounded nothing depends on it.
        if len(feed) and not (curvature and math.isfinite(problem.loss.max_gradient)):
            curvature = max(curvature, _curvature(problem.loss, feed))
        rate = _highest(curvature, stretch)
        per_pass = len(feed) / (problem.batch_size or max(len(feed), 1))
        factor = 10.0 if per_pass >= 2 * _gain(optimizer) else 2.0
        return _Measured(self.schedule or Adaptive(1.0, factor, 1e-3), rate, curvature, stretch, stated)

    def rate(self, t: np.ndarray) -> np.ndarray:
        raise ValueError("Auto() knows its rates only after meet(problem, feed, before), which shows it the rows.")


class _Measured(Schedule):
    """`Auto` for rows: a schedule times a rate, 1/(curvature stretch), of a problem with what is `stated`."""

    schedule: Schedule = Adaptive(1.0)
    highest: float = 0.0
    curvature: float = 0.0
    stretch: float = 0.0
    stated: Any = None

    @property
    def safe(self) -> float:
        return self.highest if self.curvature else 0.0

    def pooled(self, parts: Sequence[Any], sizes: Sequence[int]) -> Schedule:
        if self.stated is None:
            return self
        curvature, stretches = max(part.curvature for part in parts), np.array([part.stretch for part in parts])
        bounded = math.isfinite(self.stated[0].max_gradient)  # then the stretch is a root mean square
        stretch = float(np.sqrt(np.average(stretches**2, weights=sizes)) if bounded else stretches.max())
        rate = _highest(curvature, stretch)
        return dataclasses.replace(self, highest=rate, curvature=curvature, stretch=stretch)

    def rate(self, t: np.ndarray) -> np.ndarray | float:
        return self.highest * self.schedule.rate(t)

    def after_stall(self, factor: float) -> float | None:
        return self.schedule.after_stall(factor)


# ---- the loss --------------------------------------------------------------------------------------------------------


def _curvature(loss: Loss, feed: Any) -> float:
    """By how much the gradient of a row changes at most, or typically, over a change of its prediction."""
    if math.isfinite(loss.max_curvature):
        return loss.max_curvature
    if loss.joint:
        return 1.0
    y = np.sort(feed.targets.y.ravel())
    mean, free = float(y.mean()), loss.link == "identity" and loss.coding == "value"
    if math.isfinite(loss.max_gradient):
        spread = (float(y.std()) or abs(mean)) if free else 1.0
        return 2 * loss.max_gradient / (spread or 1.0) or 1.0
    sample = y[np.linspace(0, len(y) - 1, min(len(y), TARGETS)).astype(int)].tolist()
    constant = math.log(max(mean, 1e-30)) if loss.link == "log" else mean
    found = 0.0
    for p in (0.0, constant):
        unit = (float(np.sqrt(np.mean((y - p) ** 2))) or 1.0) if free else 1.0
        found = max(found, *(max(loss.curvature(p, v), abs(loss.gradient(p, v)) / unit) for v in sample))
    return found or 1.0


# ---- the rows --------------------------------------------------------------------------------------------------------


def _gain(optimizer: Any) -> float:
    """The move that a constant gradient brings in the long run, over that of SGD: 1/(1 - beta)."""
    return float(optimizer.step(0, 1.0, 0.0))


def _highest(curvature: float, stretch: float) -> float:
    return 1.0 / (curvature * stretch) if curvature * stretch > 0 else 1.0  # nothing but zeros: any will do


def _stretch(problem: Any, feed: Any, known: float) -> float:
    """S, on average over the batches of a pass, the last of which may be smaller; not found out if at most `known`."""
    n, squares, weight = len(feed), feed.squares + problem.fit_intercept, feed.targets.weight
    if weight is not None:
        squares = squares * weight
    largest = float(squares.max()) if n else 0.0
    if largest == 0:
        return 0.0
    if math.isfinite(problem.loss.max_gradient):
        single = 0.5 * largest * math.sqrt(np.mean((squares / largest) ** 2))
    else:
        single = largest
    size = min(problem.batch_size or n, n)
    full, rest = divmod(n, size)
    inverse = (full / size + (1.0 / rest if rest else 0.0)) / (full + (rest > 0))  # the mean of 1/b
    noise, mean = _gain(problem.optimizer) * single * inverse, float(squares.mean())
    if size == 1 or noise + (1 - inverse) * mean <= known:
        return noise
    return noise + (1 - inverse) * min(mean, _top_eigenvalue(feed, squares, problem.fit_intercept))


def _top_eigenvalue(feed: Any, squares: np.ndarray, intercept: bool) -> float:
    """The greatest eigenvalue of the mean of s_i x_i x_i', by powers of it times four vectors."""
    n, rng = len(squares), np.random.default_rng(0)
    chosen, odds = np.arange(n), np.ones(n)
    if n > ROWS:  # drawn so that rows count with their size: none that matters is missed
        chosen = rng.choice(n, ROWS, p=squares / squares.sum())
        odds = squares.mean() / squares[chosen]
    rows = feed.rows_at(chosen)
    X, scale = rows.X, (odds if rows.weight is None else odds * rows.weight)[:, None] / len(rows)
    if sp.issparse(X):  # the features that occur
        occurring, indices = np.unique(X.indices, return_inverse=True)
        X = type(X)((X.data, indices, X.indptr), shape=(len(rows), len(occurring)))
    V, found = rng.standard_normal((X.shape[1] + 1, 4)), 0.0
    for _ in range(10):
        V, _ = np.linalg.qr(V)
        Z = scale * (X @ V[:-1] + intercept * V[-1])
        following = np.vstack([X.T @ Z, intercept * Z.sum(axis=0)])
        before, found = found, float(np.linalg.eigvalsh(V.T @ following)[-1])
        if found <= 1.05 * before:
            break
        V = following
    return found
