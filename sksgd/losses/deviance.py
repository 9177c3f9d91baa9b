"""Losses of means: deviances with a log link; `sksgd.losses`, which exports them too, states the conventions."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ..base import Loss
from ..checks import require
from ..functions import exp

__all__ = ["Gamma", "Poisson", "Tweedie"]


class Poisson(Loss):
    """Half the Poisson deviance: e^p - y p, for counts and rates y >= 0. Link: log. No kinks.

    Dropped: y log y - y. Source: McCullagh and Nelder (1989), Generalized linear models.

    Examples
    --------
    >>> from sksgd.losses import Poisson
    >>> Poisson().gradient(0.0, 3.0)
    -2.0
    """

    link: ClassVar[str] = "log"
    domain: ClassVar[str] = "finite numbers y >= 0"

    def value(self, p: float, y: float) -> float:
        return exp(p) - y * p

    def gradient(self, p: float, y: float) -> float:
        return exp(p) - y

    def curvature(self, p: float, y: float) -> float:
        return exp(p)

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        return np.isfinite(y) & (y >= 0)


class Gamma(Loss):
    """Half the Gamma deviance: p + y e^-p, for amounts y > 0. Link: log. No kinks.

    Dropped: -log y - 1. Source: McCullagh and Nelder (1989), Generalized linear models.

    Examples
    --------
    >>> from sksgd.losses import Gamma
    >>> Gamma().gradient(0.0, 3.0)
    -2.0
    """

    link: ClassVar[str] = "log"
    domain: ClassVar[str] = "finite numbers y > 0"

    def value(self, p: float, y: float) -> float:
        return p + y * exp(-p)

    def gradient(self, p: float, y: float) -> float:
        return 1.0 - y * exp(-p)

    def curvature(self, p: float, y: float) -> float:
        return y * exp(-p)

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        return np.isfinite(y) & (y > 0)


class Tweedie(Loss):
    """Half the Tweedie deviance: m^(2-power)/(2-power) - y m^(1-power)/(1-power) with m = e^p. Link: log. No kinks.

    `Poisson` at power 1, `Gamma` at power 2. Valid y: any number for power <= 0, y >= 0 for 1 <= power < 2, y > 0 from
    power 2 on. Convex in p for 1 <= power <= 2 only. Dropped: max(y, 0)^(2-power)/((1-power)(2-power)), at powers 1 and
    2 what `Poisson` and `Gamma` drop, so values at different powers do not compare. Form and domains are those of
    scikit-learn's `HalfTweedieLoss`, which at power 0 keeps y^2/2. Source: Jorgensen (1987), Exponential dispersion
    models, J. R. Stat. Soc. B 49.

    Parameters
    ----------
    power : float, default=1.5
        The variance of y is proportional to mean^power; at most 0 or at least 1.

    Examples
    --------
    >>> from sksgd.losses import Tweedie
    >>> Tweedie(power=1.5).value(0.0, 1.0)
    4.0
    """

    link: ClassVar[str] = "log"
    domain: ClassVar[str] = "finite numbers, y >= 0 for 1 <= power < 2, y > 0 for power >= 2"
    power: float = 1.5

    def __post_init__(self) -> None:
        valid = -math.inf < self.power <= 0 or 1 <= self.power < math.inf
        require(valid, self, "power", self.power, "must be at most 0 or at least 1")

    def value(self, p: float, y: float) -> float:
        if self.power == 1.0:
            return exp(p) - y * p
        if self.power == 2.0:
            return p + y * exp(-p)
        a, b = 1.0 - self.power, 2.0 - self.power
        return exp(b * p) / b - y * exp(a * p) / a

    def gradient(self, p: float, y: float) -> float:
        return exp((2.0 - self.power) * p) - y * exp((1.0 - self.power) * p)

    def curvature(self, p: float, y: float) -> float:
        a, b = 1.0 - self.power, 2.0 - self.power
        return b * exp(b * p) - a * y * exp(a * p)

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        if self.power <= 0:
            return np.isfinite(y)
        return np.isfinite(y) & ((y >= 0) if self.power < 2 else (y > 0))
