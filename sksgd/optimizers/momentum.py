"""Optimizers with one rate for all weights: plain gradient descent, and momentum."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..base import Optimizer
from ..checks import require_fraction
from ..functions import exp

__all__ = ["SGD", "Momentum", "Nesterov"]


def finite_log(x: float) -> float:
    """log(x), and a large negative number, whose product with 0 is 0, for x = 0."""
    return math.log(max(x, 1e-300))


class SGD(Optimizer):
    """Stochastic gradient descent: w -= eta g.

    Parameters
    ----------
    clip_value, clip_norm : float, default=inf
        Bounds on the absolute value of each coordinate of the gradient and, after that, on its Euclidean norm.

    Examples
    --------
    >>> from sksgd.optimizers import SGD
    >>> SGD().coord(2.0, 1.0, (), (0.1,))
    (0.8, ())
    """

    plain: ClassVar[bool] = True
    idle: ClassVar[str] = "still"
    usual_rate: ClassVar[float | None] = None

    def coord(self, g: float, w: float, slots: tuple, begun: tuple) -> tuple[float, tuple]:
        return w - begun[0] * g, slots


class Momentum(Optimizer):
    """Heavy ball: v = beta v - eta g; w += v.

    torch.optim.SGD keeps m = beta m + g and sets w -= eta m: the same while eta is constant; when eta drops, its whole
    velocity drops at once, ours fades out.

    Under an L2 penalty v shrinks by the same factor as w, so that idle weights glide in closed form; under other
    penalties v does not shrink, and an update on CSR data costs O(n_features).

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        beta. A constant gradient moves the weight by eta/(1 - beta) per update.

    References
    ----------
    Polyak (1964), Some methods of speeding up the convergence of iteration methods.

    Examples
    --------
    >>> from sksgd.optimizers import Momentum
    >>> Momentum(0.5).coord(2.0, 1.0, (-0.2,), (0.1, 0.5, 0.0))
    (0.7, (-0.30000000000000004,))
    """

    momentum: float = 0.9

    n_slots: ClassVar[int] = 1
    idle: ClassVar[str] = "glides"
    fades: ClassVar[bool] = True
    usual_rate: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_fraction(self, "momentum")

    @property
    def ratio(self) -> float:  # type: ignore[override]
        return self.momentum

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        return eta, self.momentum, finite_log(self.momentum)

    def coord(self, g: float, w: float, slots: tuple, begun: tuple) -> tuple[float, tuple]:
        v = begun[1] * slots[0] - begun[0] * g
        return w + v, (v,)

    def step(self, t: Any, eta: Any, l2: float) -> Any:
        # With f = 1/(1 + x) the factor on w and v, l2 w = -g rests where x^2 + (1 - beta - eta l2) x = eta l2; x = l2
        # step.
        b = 1 - self.momentum - eta * l2
        return 2 * eta / (b + np.sqrt(b * b + 4 * eta * l2))

    def glide(self, w: float, slots: tuple, k: float, begun: tuple) -> tuple[float, tuple]:
        # v beta + v beta^2 + ... + v beta^k
        left = exp(k * begun[2])
        v = slots[0]
        return w + v * begun[1] * (1 - left) / (1 - begun[1]), (v * left,)


class Nesterov(Momentum):
    """Nesterov momentum in the form of torch.optim: v = beta v - eta g; w += beta v - eta g.

    The gradient is taken at the point the weights stand at, which is already the looked-ahead one. Otherwise as
    `Momentum`.

    References
    ----------
    Nesterov (1983); Sutskever, Martens, Dahl, Hinton (2013), On the importance of initialization and momentum in deep
    learning, whose velocity is the same and whose weights are ours before the last look-ahead.

    Examples
    --------
    >>> from sksgd.optimizers import Nesterov
    >>> Nesterov(0.5).coord(2.0, 1.0, (0.0,), (0.1, 0.5, 0.0))
    (0.7, (-0.2,))
    """

    def coord(self, g: float, w: float, slots: tuple, begun: tuple) -> tuple[float, tuple]:
        v = begun[1] * slots[0] - begun[0] * g
        return w + (begun[1] * v - begun[0] * g), (v,)

    def step(self, t: Any, eta: Any, l2: float) -> Any:
        b = 1 - self.momentum - eta * l2 * (1 + self.momentum)
        return 2 * eta / (b + np.sqrt(b * b + 4 * eta * l2))

    def glide(self, w: float, slots: tuple, k: float, begun: tuple) -> tuple[float, tuple]:
        left = exp(k * begun[2])
        v = slots[0]
        return w + v * begun[1] * begun[1] * (1 - left) / (1 - begun[1]), (v * left,)
