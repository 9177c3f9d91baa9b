"""Losses of classes; `sksgd.losses`, which exports them too, states the conventions."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..base import Loss
from ..checks import require_not_negative
from ..functions import exp, log1pexp

__all__ = ["Hinge", "LogLoss", "ModifiedHuber", "Multinomial", "Perceptron", "SquaredHinge"]


class LogLoss(Loss):
    """Minus the log-likelihood of two classes: log(1 + e^p) - y p. Link: logit. Coding "unit": y in [0, 1]. No kinks.

    y between 0 and 1 is a probability (a soft label). Dropped, and 0 for y in {0, 1}: y log y + (1 - y) log(1 - y).
    Source: Cox (1958), The regression analysis of binary sequences, J. R. Stat. Soc. B 20.

    Examples
    --------
    >>> from sksgd.losses import LogLoss
    >>> LogLoss().gradient(0.0, 1.0)
    -0.5
    """

    link: ClassVar[str] = "logit"
    coding: ClassVar[str] = "unit"
    domain: ClassVar[str] = "numbers from 0 to 1"
    max_curvature: ClassVar[float] = 0.25
    max_gradient: ClassVar[float] = 1.0

    # e^-|p| cannot overflow, and for y of 0 or 1 nothing cancels: the tails keep all their digits.

    def value(self, p: float, y: float) -> float:
        return log1pexp(-abs(p)) + (max(p, 0.0) - y * p)

    def gradient(self, p: float, y: float) -> float:
        z = exp(-abs(p))
        return (1.0 - y - y * z if p > 0.0 else (1.0 - y) * z - y) / (1.0 + z)

    def curvature(self, p: float, y: float) -> float:
        z = exp(-abs(p))
        return z / ((1.0 + z) * (1.0 + z))

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        return (y >= 0) & (y <= 1)


class Multinomial(Loss):
    """Minus the log-likelihood of several classes: norm - p of the true class, norm = log sum exp of all scores.

    A joint loss: the hooks are called for each score p, with y = 1 for the score of the true class and y = 0 for the
    others, and the costs add up. Link: logit (softmax). Coding "index": targets are class numbers. No kinks, nothing
    dropped. `curvature` is the diagonal of the Hessian, `max_curvature` bounds the whole Hessian.
    Source: Böhning (1992), Multinomial logistic regression algorithm, Ann. Inst. Statist. Math. 44.

    Examples
    --------
    >>> from sksgd.losses import Multinomial
    >>> import math
    >>> Multinomial().gradient(0.0, 1.0, math.log(4.0))
    -0.75
    """

    link: ClassVar[str] = "logit"
    coding: ClassVar[str] = "index"
    domain: ClassVar[str] = "class numbers 0, 1, 2, ..."
    joint: ClassVar[bool] = True
    max_curvature: ClassVar[float] = 0.5
    max_gradient: ClassVar[float] = 1.0

    def value(self, p: float, y: float, norm: float) -> float:  # type: ignore[override]
        return y * (norm - p)

    def gradient(self, p: float, y: float, norm: float) -> float:  # type: ignore[override]
        return exp(p - norm) - y

    def curvature(self, p: float, y: float, norm: float) -> float:  # type: ignore[override]
        return exp(p - norm) * (1.0 - exp(p - norm))

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        return np.isfinite(y) & (y >= 0) & (y == np.floor(y))


class _Margin(Loss):
    """A loss of the margin p y of a class y, which is -1 or 1."""

    coding: ClassVar[str] = "sign"
    domain: ClassVar[str] = "-1 and 1"

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        return np.abs(y) == 1


class Hinge(_Margin):
    """What the margin falls short of the threshold: max(0, threshold - p y). Coding "sign": y in {-1, 1}.

    A kink at p y = threshold, where the gradient is -y. Source: Cortes and Vapnik (1995), Support-vector networks,
    Machine Learning 20.

    Parameters
    ----------
    threshold : float, default=1.0
        The margin from which on a prediction costs nothing; at least 0.

    Examples
    --------
    >>> from sksgd.losses import Hinge
    >>> Hinge().value(0.25, 1.0), Hinge().value(0.25, -1.0)
    (0.75, 1.25)
    """

    smooth: ClassVar[bool] = False
    max_gradient: ClassVar[float] = 1.0
    threshold: float = 1.0

    def __post_init__(self) -> None:
        require_not_negative(self, "threshold")

    def value(self, p: float, y: float) -> float:
        return self.threshold - p * y if p * y <= self.threshold else 0.0

    def gradient(self, p: float, y: float) -> float:
        return -y if p * y <= self.threshold else 0.0

    def curvature(self, p: float, y: float) -> float:
        return 0.0

    def prox(self, p: float, y: float, step: float) -> float:
        return y * min(p * y + step, max(p * y, self.threshold))


class SquaredHinge(_Margin):
    """The squared hinge, max(0, threshold - p y)^2, without a factor 1/2. Coding "sign": y in {-1, 1}.

    The curvature jumps from 2 to 0 at p y = threshold. Source: Chang, Hsieh and Lin (2008), Coordinate descent method
    for large-scale L2-loss linear support vector machines, JMLR 9.

    Parameters
    ----------
    threshold : float, default=1.0
        The margin from which on a prediction costs nothing; at least 0.

    Examples
    --------
    >>> from sksgd.losses import SquaredHinge
    >>> SquaredHinge().gradient(0.25, 1.0)
    -1.5
    """

    max_curvature: ClassVar[float] = 2.0
    threshold: float = 1.0

    def __post_init__(self) -> None:
        require_not_negative(self, "threshold")

    def value(self, p: float, y: float) -> float:
        short = self.threshold - p * y
        return short * short if short > 0.0 else 0.0

    def gradient(self, p: float, y: float) -> float:
        short = self.threshold - p * y
        return -2.0 * y * short if short > 0.0 else 0.0

    def curvature(self, p: float, y: float) -> float:
        return 2.0 if p * y < self.threshold else 0.0


class Perceptron(_Margin):
    """The hinge with threshold 0: max(0, -p y). Coding "sign": y in {-1, 1}.

    A kink at p = 0, where the gradient is -y, without which training from zero weights would never start.
    Source: Rosenblatt (1958), The perceptron, Psychological Review 65.

    Examples
    --------
    >>> from sksgd.losses import Perceptron
    >>> Perceptron().value(0.0, 1.0), Perceptron().gradient(0.0, 1.0)
    (0.0, -1.0)
    """

    smooth: ClassVar[bool] = False
    max_gradient: ClassVar[float] = 1.0

    def value(self, p: float, y: float) -> float:
        return max(0.0, -p * y)

    def gradient(self, p: float, y: float) -> float:
        return -y if p * y <= 0.0 else 0.0

    def curvature(self, p: float, y: float) -> float:
        return 0.0

    def prox(self, p: float, y: float, step: float) -> float:
        return y * min(p * y + step, max(p * y, 0.0))


class ModifiedHuber(_Margin):
    """The squared hinge made linear for p y < -1: 0 if p y >= 1, (1 - p y)^2 if p y >= -1, else -4 p y.

    Coding "sign": y in {-1, 1}. The curvature is 2 for -1 <= p y < 1, else 0. Source: Zhang (2004), Solving large scale
    linear prediction problems using stochastic gradient descent algorithms, ICML.

    Examples
    --------
    >>> from sksgd.losses import ModifiedHuber
    >>> ModifiedHuber().value(0.0, 1.0), ModifiedHuber().value(-2.0, 1.0)
    (1.0, 8.0)
    """

    max_curvature: ClassVar[float] = 2.0
    max_gradient: ClassVar[float] = 4.0

    def value(self, p: float, y: float) -> float:
        z = p * y
        if z >= 1.0:
            return 0.0
        return (1.0 - z) * (1.0 - z) if z >= -1.0 else -4.0 * z

    def gradient(self, p: float, y: float) -> float:
        z = p * y
        if z >= 1.0:
            return 0.0
        return -2.0 * y * (1.0 - z) if z >= -1.0 else -4.0 * y

    def curvature(self, p: float, y: float) -> float:
        return 2.0 if -1.0 <= p * y < 1.0 else 0.0
