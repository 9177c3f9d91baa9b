"""The parts of scikit-learn's SGD that the core does not have, because it has something better."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ..base import Loss, Penalty, Sampler, SampleStep, Schedule

__all__ = [
    "ClippedGradient",
    "InversePower",
    "PassiveAggressive1",
    "PassiveAggressive2",
    "TruncatedGradient",
    "WeightDecay",
    "XorshiftShuffle",
]


class WeightDecay(Penalty):
    """alpha w^2/2 by multiplication: w (1 - alpha s) before the move, and 0 where alpha s > 1.

    `sksgd.penalties.L2` divides by 1 + alpha s after the move. Both rest at the same weights.

    Examples
    --------
    >>> WeightDecay().prox(3.0, 5.0, 0.1)
    1.5
    """

    group: ClassVar[str] = "product"
    linear: ClassVar[bool] = True
    first: ClassVar[bool] = True
    counts_squares: ClassVar[bool] = True

    def value(self, w: float, alpha: float) -> float:
        return 0.5 * alpha * w * w

    def prox(self, w: float, step: float, alpha: float) -> float:
        return w * max(0.0, 1.0 - alpha * step)

    def amount(self, step: Any, alpha: float) -> Any:
        return np.maximum(0.0, 1.0 - alpha * step)

    def shrink(self, w: float, a: float) -> float:
        return w * a

    def cost(self, squares: float, sizes: float, alpha: float) -> float:
        return 0.5 * alpha * squares


class TruncatedGradient(WeightDecay):
    """alpha (l1_ratio abs(w) + (1 - l1_ratio) w^2/2): decay before the move, and a cumulative L1 penalty after it.

    A weight owes l1_ratio alpha eta for every update since training began. Only updates that visit it make it pay, at
    most its own size; what it could not pay stays due. For plain SGD, row by row.

    Parameters
    ----------
    l1_ratio : float in [0, 1], default=0.15

    References
    ----------
    Tsuruoka, Tsujii and Ananiadou (2009), Stochastic gradient descent training for l1-regularized log-linear models
    with cumulative penalty.

    Examples
    --------
    >>> TruncatedGradient(l1_ratio=1.0).truncate(0.5, -0.1, 0.3)
    0.3
    """

    l1_ratio: float = 0.15

    truncates: ClassVar[bool] = True
    counts_sizes: ClassVar[bool] = True

    def value(self, w: float, alpha: float) -> float:
        return alpha * (self.l1_ratio * abs(w) + 0.5 * (1.0 - self.l1_ratio) * w * w)

    def amount(self, step: Any, alpha: float) -> Any:
        return np.maximum(0.0, 1.0 - (1.0 - self.l1_ratio) * step * alpha)

    def toll(self, step: Any, alpha: float) -> Any:
        return self.l1_ratio * step * alpha

    def truncate(self, w: float, paid: float, total: float) -> float:
        # `paid` is what was added to the weight, with its sign. No branches: which way they go is anyone's guess.
        size = max(abs(w) - (total + math.copysign(1.0, w) * paid), 0.0)
        return math.copysign(size if w != 0.0 else 0.0, w)

    def cost(self, squares: float, sizes: float, alpha: float) -> float:
        return alpha * ((1.0 - self.l1_ratio) * 0.5 * squares + self.l1_ratio * sizes)


class ClippedGradient(SampleStep):
    """u = -eta g, with the slope g of the loss clipped to [-1e12, 1e12].

    Examples
    --------
    >>> from sksgd.losses import SquaredError
    >>> ClippedGradient().update(SquaredError(), 3.0, 1.0, 0.1, 0.0)
    -0.2
    """

    def update(self, loss: Loss, p: float, y: float, eta: float, square: float) -> float:
        # In this order, what is not a number stays so.
        return -eta * min(max(loss.gradient(p, y), -1e12), 1e12)


class PassiveAggressive1(SampleStep):
    """PA-I: the step that makes the loss of the row 0, at most eta: u = -min(eta, loss / norm^2) g, abs(g) = 1.

    Rows of norm 0 are passed over. Crammer et al. (2006), Online passive-aggressive algorithms.

    Examples
    --------
    >>> from sksgd.losses import Hinge
    >>> PassiveAggressive1().update(Hinge(), 0.5, 1.0, 1.0, 4.0)
    0.125
    """

    needs_square: ClassVar[bool] = True
    skips: ClassVar[bool] = True

    def update(self, loss: Loss, p: float, y: float, eta: float, square: float) -> float:
        return -min(eta, loss.value(p, y) / square) * loss.gradient(p, y)


class PassiveAggressive2(SampleStep):
    """PA-II: u = -loss / (norm^2 + 1/(2 eta)) g, abs(g) = 1. See `PassiveAggressive1`.

    Examples
    --------
    >>> from sksgd.losses import Hinge
    >>> PassiveAggressive2().update(Hinge(), 0.5, 1.0, 1.0, 3.5)
    0.125
    """

    needs_square: ClassVar[bool] = True

    def update(self, loss: Loss, p: float, y: float, eta: float, square: float) -> float:
        return -loss.value(p, y) / (square + 0.5 / eta) * loss.gradient(p, y)


class InversePower(Schedule):
    """eta_t = eta0 / (t + 1)^power_t for any exponent: `InverseScaling` refuses those below 0, with which rates grow.

    Examples
    --------
    >>> InversePower(eta0=0.1, power_t=-0.5).rate(np.array([0, 3]))
    array([0.1, 0.2])
    """

    eta0: float
    power_t: float

    def rate(self, t: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.eta0 / (t + 1.0) ** float(self.power_t)


class XorshiftShuffle(Sampler):
    """scikit-learn's order of rows: in every pass the order of the pass before, shuffled by the same swaps.

    Examples
    --------
    >>> XorshiftShuffle().order(5, seed=1, number=0)[0]
    array([4, 2, 3, 0, 1], dtype=int32)
    """

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        return next(self.orders(n, seed, number, norms))

    def orders(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        from ..kernels.shuffle import xorshift_shuffle

        swaps: np.ndarray = np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)
        xorshift_shuffle(swaps, seed)
        order = swaps
        for _ in range(number):
            order = order.take(swaps)
        while True:
            yield order, None
            order = order.take(swaps)
