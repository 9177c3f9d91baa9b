"""Penalties: what one weight costs, as a value, a proximal step and, for idle weights, a flow.

The proximal step of size s maps w to ``argmin_u alpha r(u) + (u - w)^2 / (2 s)``. Proximal steps of the penalties below
compose into one of the same form, whatever their sizes (`amount`, `shrink`), so k steps of an untouched weight cost no
more than one.

Where every weight has a step of its own, that does not help, since the sizes cannot be factored out. `drift` then
follows ``w' = -alpha r'(w) + move/s`` for the time s, whose resting point is the same and which composes for any sizes.
`alpha` belongs to the estimator.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from .base import Component, Penalty
from .checks import require
from .functions import exp, expm1_ratio

__all__ = ["L1", "L2", "PENALTIES", "ElasticNet", "NoPenalty", "resolve_penalty"]


class NoPenalty(Penalty):
    """r(w) = 0.

    Examples
    --------
    >>> from sksgd.penalties import NoPenalty
    >>> NoPenalty().value(3.0, 0.1)
    0.0
    """

    group: ClassVar[str] = "product"
    linear: ClassVar[bool] = True
    free: ClassVar[bool] = True

    def value(self, w: float, alpha: float) -> float:
        return 0.0

    def prox(self, w: float, step: float, alpha: float) -> float:
        return w

    def amount(self, step: Any, alpha: float) -> Any:
        return 1.0

    def cost(self, squares: float, sizes: float, alpha: float) -> float:
        return 0.0


class L2(Penalty):
    """r(w) = w^2 / 2, the ridge penalty.

    A proximal step divides: w / (1 + alpha s). scikit-learn's SGD multiplies by (1 - alpha s) instead, which agrees to
    first order and changes sign once alpha s > 1.

    Examples
    --------
    >>> from sksgd.penalties import L2
    >>> penalty = L2()
    >>> penalty.value(3.0, 0.1)
    0.45...
    >>> penalty.prox(3.0, 5.0, 0.1)
    2.0
    """

    group: ClassVar[str] = "product"
    linear: ClassVar[bool] = True

    def value(self, w: float, alpha: float) -> float:
        return 0.5 * alpha * w * w

    def prox(self, w: float, step: float, alpha: float) -> float:
        return w / (1.0 + alpha * step)

    def amount(self, step: Any, alpha: float) -> Any:
        return 1.0 / (1.0 + alpha * step)

    def shrink(self, w: float, a: float) -> float:
        return w * a

    def drift(self, w: float, move: float, time: float, alpha: float) -> float:
        x = alpha * time
        return w * exp(-x) + move * expm1_ratio(-x)


class L1(Penalty):
    """r(w) = abs(w), the lasso penalty: weights become exactly zero.

    A proximal step is soft thresholding: sign(w) max(abs(w) - alpha s, 0).

    References
    ----------
    Duchi, Singer (2009), Efficient online and batch learning using forward backward splitting.

    Examples
    --------
    >>> from sksgd.penalties import L1
    >>> penalty = L1()
    >>> penalty.prox(-3.0, 5.0, 0.1), penalty.prox(0.25, 5.0, 0.1)
    (-2.5, 0.0)
    """

    group: ClassVar[str] = "sum"
    sparse: ClassVar[bool] = True

    def value(self, w: float, alpha: float) -> float:
        return alpha * abs(w)

    def prox(self, w: float, step: float, alpha: float) -> float:
        size = abs(w) - min(abs(w), alpha * step)
        return size if w > 0 else -size

    def amount(self, step: Any, alpha: float) -> Any:
        return alpha * step

    def shrink(self, w: float, a: float) -> float:
        # Not max(abs(w) - a, 0.0): a literal would promote float32.
        size = abs(w) - min(abs(w), a)
        return size if w > 0 else -size

    def drift(self, w: float, move: float, time: float, alpha: float) -> float:
        return self.prox(w + move, time, alpha)

    def trace(self, total: Any) -> Any:
        return total

    def size(self, w: float, total: float) -> tuple[float, float, float]:
        return abs(w) + total, -1.0, abs(w)


class ElasticNet(Penalty):
    """r(w) = l1_ratio abs(w) + (1 - l1_ratio) w^2 / 2.

    With l1 = alpha l1_ratio and l2 = alpha (1 - l1_ratio) a proximal step is sign(w) max(abs(w) - l1 s, 0) / (1 + l2
    s). While w is not zero it multiplies abs(w) + l1/l2 by 1/(1 + l2 s) = e^(-a), so amounts a = log(1 + l2 s) add up.

    Parameters
    ----------
    l1_ratio : float in (0, 1), default=0.15
        Use `L2` for 0 and `L1` for 1.

    References
    ----------
    Zou, Hastie (2005), Regularization and variable selection via the elastic net.

    Examples
    --------
    >>> from sksgd.penalties import ElasticNet
    >>> penalty = ElasticNet(l1_ratio=0.5)
    >>> penalty.prox(3.0, 5.0, 0.1)
    2.2
    """

    l1_ratio: float = 0.15

    group: ClassVar[str] = "sum"
    sparse: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require(0 < self.l1_ratio < 1, self, "l1_ratio", self.l1_ratio, "must lie between 0 (use L2) and 1 (use L1)")

    def value(self, w: float, alpha: float) -> float:
        return alpha * (self.l1_ratio * abs(w) + 0.5 * (1.0 - self.l1_ratio) * w * w)

    def prox(self, w: float, step: float, alpha: float) -> float:
        size = abs(w) - min(abs(w), alpha * self.l1_ratio * step)
        size = size / (1.0 + alpha * (1.0 - self.l1_ratio) * step)
        return size if w > 0 else -size

    def amount(self, step: Any, alpha: float) -> Any:
        return np.log1p(alpha * (1.0 - self.l1_ratio) * step)

    def shrink(self, w: float, a: float) -> float:
        # 1 - e^(-a) by the ratio, or a small amount would drown in rounding.
        lost = a * expm1_ratio(-a)
        size = abs(w) - min(abs(w), (abs(w) + self.l1_ratio / (1.0 - self.l1_ratio)) * lost)
        return size if w > 0 else -size

    def drift(self, w: float, move: float, time: float, alpha: float) -> float:
        x = alpha * (1.0 - self.l1_ratio) * time
        ratio = expm1_ratio(-x)
        lost = x * ratio
        u = w * (1.0 - lost) + move * ratio
        size = abs(u) - min(abs(u), self.l1_ratio / (1.0 - self.l1_ratio) * lost)
        return size if u > 0 else -size

    def trace(self, total: Any) -> Any:
        return np.exp(-total)

    def size(self, w: float, total: float) -> tuple[float, float, float]:
        rest = self.l1_ratio / (1.0 - self.l1_ratio)
        return -rest, (abs(w) + rest) * exp(total), math.log1p(abs(w) / rest)


PENALTIES: dict[str, type[Penalty]] = {"l2": L2, "l1": L1, "elasticnet": ElasticNet}


def resolve_penalty(penalty: str | Penalty | None, l1_ratio: float) -> Penalty:
    """The penalty a user means by None, a name or an instance; `l1_ratio` serves "elasticnet" only.

    Examples
    --------
    >>> resolve_penalty("elasticnet", l1_ratio=0.5)
    ElasticNet(l1_ratio=0.5)
    """
    if penalty is None:
        return NoPenalty()
    if isinstance(penalty, Component):
        return penalty
    if penalty == "elasticnet" and 0 < l1_ratio < 1:
        return ElasticNet(l1_ratio)
    if penalty == "elasticnet":
        return L1() if np.isclose(l1_ratio, 1.0, rtol=0, atol=0) else L2()
    return PENALTIES[penalty]()
