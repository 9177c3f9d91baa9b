"""Losses of residuals; `sksgd.losses`, which exports them too, states the conventions."""

from __future__ import annotations

from typing import ClassVar

from ..base import Loss
from ..checks import require, require_not_negative

__all__ = [
    "EpsilonInsensitive",
    "Huber",
    "Quantile",
    "SquaredEpsilonInsensitive",
    "SquaredError",
]


class SquaredError(Loss):
    """Half the squared residual: r^2/2, for the mean of y. No kinks.

    Examples
    --------
    >>> from sksgd.losses import SquaredError
    >>> SquaredError().value(3.0, 1.0)
    2.0
    """

    max_curvature: ClassVar[float] = 1.0
    quadratic: ClassVar[bool] = True

    def value(self, p: float, y: float) -> float:
        return 0.5 * (p - y) * (p - y)

    def gradient(self, p: float, y: float) -> float:
        return p - y

    def curvature(self, p: float, y: float) -> float:
        return 1.0


class Huber(Loss):
    """Squared near the target, linear far from it: r^2/2 if abs(r) <= epsilon, else epsilon abs(r) - epsilon^2/2.

    The curvature jumps from 1 to 0 beyond abs(r) = epsilon. Source: Huber (1964), Robust estimation of a location
    parameter, Ann. Math. Statist. 35. No scale is estimated, unlike in scikit-learn's `HuberRegressor`.

    Parameters
    ----------
    epsilon : float, default=1.35
        Where the linear part begins, in the units of y; at least 0.

    Examples
    --------
    >>> from sksgd.losses import Huber
    >>> Huber(epsilon=1.0).gradient(3.0, 0.0)
    1.0
    """

    max_curvature: ClassVar[float] = 1.0
    epsilon: float = 1.35

    def __post_init__(self) -> None:
        require_not_negative(self, "epsilon")

    @property
    def max_gradient(self) -> float:  # type: ignore[override]
        return self.epsilon

    def value(self, p: float, y: float) -> float:
        size = abs(p - y)
        return 0.5 * size * size if size <= self.epsilon else self.epsilon * (size - 0.5 * self.epsilon)

    def gradient(self, p: float, y: float) -> float:
        if abs(p - y) <= self.epsilon:
            return p - y
        return self.epsilon if p > y else -self.epsilon

    def curvature(self, p: float, y: float) -> float:
        return 1.0 if abs(p - y) <= self.epsilon else 0.0


class EpsilonInsensitive(Loss):
    """The residual beyond a tube: max(0, abs(r) - epsilon), for the median of y and support vector regression.

    Kinks at abs(r) = epsilon, where the gradient is 0.

    Source: Vapnik (1995), The nature of statistical learning theory.

    Parameters
    ----------
    epsilon : float, default=0.1
        Half the width of the tube, in the units of y; at least 0 (the absolute error).

    Examples
    --------
    >>> from sksgd.losses import EpsilonInsensitive
    >>> EpsilonInsensitive(epsilon=0.5).value(3.0, 1.0)
    1.5
    """

    smooth: ClassVar[bool] = False
    max_gradient: ClassVar[float] = 1.0
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        require_not_negative(self, "epsilon")

    def value(self, p: float, y: float) -> float:
        excess = abs(p - y) - self.epsilon
        return max(excess, 0.0)

    def gradient(self, p: float, y: float) -> float:
        if p - y > self.epsilon:
            return 1.0
        return -1.0 if y - p > self.epsilon else 0.0

    def curvature(self, p: float, y: float) -> float:
        return 0.0

    def prox(self, p: float, y: float, step: float) -> float:
        if abs(p - y) <= self.epsilon:
            return p
        size = max(abs(p - y) - step, self.epsilon)
        return y + size if p > y else y - size


class SquaredEpsilonInsensitive(Loss):
    """The squared residual beyond a tube: max(0, abs(r) - epsilon)^2, without a factor 1/2.

    The curvature jumps from 0 to 2 beyond abs(r) = epsilon. Source: Ho and Lin (2012), Large-scale linear support
    vector regression, JMLR 13.

    Parameters
    ----------
    epsilon : float, default=0.1
        Half the width of the tube, in the units of y; at least 0.

    Examples
    --------
    >>> from sksgd.losses import SquaredEpsilonInsensitive
    >>> SquaredEpsilonInsensitive(epsilon=0.5).gradient(3.0, 1.0)
    3.0
    """

    max_curvature: ClassVar[float] = 2.0
    epsilon: float = 0.1

    def __post_init__(self) -> None:
        require_not_negative(self, "epsilon")

    def value(self, p: float, y: float) -> float:
        excess = abs(p - y) - self.epsilon
        return excess * max(excess, 0.0)

    def gradient(self, p: float, y: float) -> float:
        if p - y > self.epsilon:
            return 2.0 * (p - y - self.epsilon)
        return -2.0 * (y - p - self.epsilon) if y - p > self.epsilon else 0.0

    def curvature(self, p: float, y: float) -> float:
        return 2.0 if abs(p - y) > self.epsilon else 0.0


class Quantile(Loss):
    """The pinball loss: quantile (y - p) if p <= y, else (1 - quantile)(p - y), for a quantile of y.

    A kink at p = y, where the gradient is -quantile. Source: Koenker and Bassett (1978), Regression quantiles,
    Econometrica 46.

    Parameters
    ----------
    quantile : float, default=0.5
        The level, strictly between 0 and 1. At 0.5 the loss is half the absolute error.

    Examples
    --------
    >>> from sksgd.losses import Quantile
    >>> Quantile(quantile=0.75).value(1.0, 3.0), Quantile(quantile=0.75).value(3.0, 1.0)
    (1.5, 0.5)
    """

    smooth: ClassVar[bool] = False
    quantile: float = 0.5

    def __post_init__(self) -> None:
        require(0 < self.quantile < 1, self, "quantile", self.quantile, "must lie strictly between 0 and 1")

    @property
    def max_gradient(self) -> float:  # type: ignore[override]
        return max(self.quantile, 1.0 - self.quantile)

    def value(self, p: float, y: float) -> float:
        return self.quantile * (y - p) if p <= y else (1.0 - self.quantile) * (p - y)

    def gradient(self, p: float, y: float) -> float:
        return -self.quantile if p <= y else 1.0 - self.quantile

    def curvature(self, p: float, y: float) -> float:
        return 0.0

    def prox(self, p: float, y: float, step: float) -> float:
        above, below = p - (1.0 - self.quantile) * step, p + self.quantile * step
        return above if above > y else min(below, y)
