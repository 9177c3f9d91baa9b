"""Optimizers that move every weight by itself, given the gradient of the mean loss over a batch.

In the formulas g is the gradient in one weight, eta the rate of update t = 0, 1, ..., and all slots start at zero. The
penalty is no part of g: it acts as a proximal step after the move, of the size `step` times `scale`, which is what
makes the resting point the minimum of the stated objective. torch.optim adds ``weight_decay * w`` to g instead (but for
AdamW); without a penalty the trajectories are the same.

On CSR data an update costs O(non-zeros) unless the class says otherwise; see the user guide on sparse data.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..base import Component, Optimizer
from ..checks import require
from ..functions import exp

__all__ = ["OPTIMIZERS", "SGD", "AdaGrad", "Adam", "AdamW", "FTRLProximal", "Momentum", "Nesterov", "RMSProp"]


def _require_fraction(owner: Optimizer, name: str) -> None:
    value = getattr(owner, name)
    require(0 <= value < 1, owner, name, value, "must lie in [0, 1)")


def _log(x: float) -> float:
    """log(x), and a large negative number, whose product with 0 is 0, for x = 0."""
    return math.log(max(x, 1e-300))


def _power(x: float, k: Any) -> Any:
    """x^k for x in [0, 1) and k > 0; NumPy's exp is several times faster than its power."""
    return np.exp(_log(x) * k)


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
        _require_fraction(self, "momentum")

    @property
    def ratio(self) -> float:  # type: ignore[override]
        return self.momentum

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        return eta, self.momentum, _log(self.momentum)

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


class AdaGrad(Optimizer):
    """A rate per weight that falls with its gradients: G += g^2; w -= eta g / (sqrt(G) + eps).

    Parameters
    ----------
    eps : float > 0, default=1e-10

    References
    ----------
    Duchi, Hazan, Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization.

    Examples
    --------
    >>> from sksgd.optimizers import AdaGrad
    >>> w, (G,) = AdaGrad().coord(3.0, 1.0, (16.0,), (0.5, 0.0))
    >>> w, G
    (0.7, 25.0)
    """

    eps: float = 1e-10

    n_slots: ClassVar[int] = 1
    idle: ClassVar[str] = "still"
    scaled: ClassVar[bool] = True
    usual_rate: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.eps > 0, self, "eps", self.eps, "must be greater than 0")

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        return eta, self.eps

    def coord(self, g: float, w: float, slots: tuple, begun: tuple) -> tuple[float, tuple]:
        total = slots[0] + g * g
        return w - begun[0] * g / (math.sqrt(total) + begun[1]), (total,)

    def scale(self, slots: tuple, begun: tuple) -> float:
        return 1 / (math.sqrt(slots[0]) + begun[1])


class RMSProp(Optimizer):
    """A rate per weight from recent gradients: v = rho v + (1 - rho) g^2; w -= eta g / (sqrt(v) + eps).

    With a penalty an update on CSR data costs O(n_features), since the step of an idle weight grows as v fades.

    Parameters
    ----------
    rho : float in [0, 1), default=0.99
        torch.optim calls it alpha.
    eps : float > 0, default=1e-8

    References
    ----------
    Tieleman, Hinton (2012), Lecture 6.5 of Neural networks for machine learning.

    Examples
    --------
    >>> from sksgd.optimizers import RMSProp
    >>> w, (v,) = RMSProp(rho=0.5).coord(2.0, 1.0, (4.0,), (0.1, 0.5, 0.5, 0.0, 0.0))
    >>> w, v
    (0.9, 4.0)
    """

    rho: float = 0.99
    eps: float = 1e-8

    n_slots: ClassVar[int] = 1
    ratio: ClassVar[float] = 0.0
    idle: ClassVar[str] = "still"
    fades: ClassVar[bool] = True
    scaled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_fraction(self, "rho")
        require(self.eps > 0, self, "eps", self.eps, "must be greater than 0")

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        return eta, self.rho, 1 - self.rho, self.eps, _log(self.rho)

    def coord(self, g: float, w: float, slots: tuple, begun: tuple) -> tuple[float, tuple]:
        v = begun[1] * slots[0] + begun[2] * g * g
        return w - begun[0] * g / (math.sqrt(v) + begun[3]), (v,)

    def scale(self, slots: tuple, begun: tuple) -> float:
        return 1 / (math.sqrt(slots[0]) + begun[3])

    def glide(self, w: float, slots: tuple, k: float, begun: tuple) -> tuple[float, tuple]:
        return w, (slots[0] * exp(k * begun[4]),)


class Adam(Optimizer):
    """Momentum over RMSProp with both means unbiased.

    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2,
    w -= eta m / (1 - beta1^(t+1)) / (sqrt(v / (1 - beta2^(t+1))) + eps).

    The penalty acts on each weight with its own step, so the resting point is the minimum of the objective, which is
    not so for weight decay (`AdamW`). An update on CSR data costs O(n_features): prefer batches, or AdaGrad.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1), default=0.9 and 0.999
    eps : float > 0, default=1e-8

    References
    ----------
    Kingma, Ba (2015), Adam: a method for stochastic optimization.

    Examples
    --------
    >>> from sksgd.optimizers import Adam
    >>> adam = Adam()
    >>> w, slots = adam.coord(3.0, 1.0, (0.0, 0.0), adam.begin(0, 0.1))
    >>> print(f"{w:.6f}")
    0.900000
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8

    n_slots: ClassVar[int] = 2
    scaled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_fraction(self, "beta1")
        _require_fraction(self, "beta2")
        require(self.eps > 0, self, "eps", self.eps, "must be greater than 0")

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        root = np.sqrt(1 - _power(self.beta2, t + 1.0))
        rate = eta * root / (1 - _power(self.beta1, t + 1.0))
        return rate, self.eps * root, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2, root

    def coord(self, g: float, w: float, slots: tuple, begun: tuple) -> tuple[float, tuple]:
        m = begun[2] * slots[0] + begun[3] * g
        v = begun[4] * slots[1] + begun[5] * g * g
        return w - begun[0] * m / (math.sqrt(v) + begun[1]), (m, v)

    def scale(self, slots: tuple, begun: tuple) -> float:
        return begun[6] / (math.sqrt(slots[1]) + begun[1])


class AdamW(Adam):
    """Adam with decoupled weight decay: the penalty acts with the plain rate, before the move.

    Its resting point is therefore not the minimum of the objective: weights with small gradients shrink more. The decay
    is the proximal w / (1 + eta alpha); torch.optim.AdamW multiplies by 1 - eta weight_decay, which is the same for
    ``weight_decay = alpha / (1 + eta alpha)``.

    References
    ----------
    Loshchilov, Hutter (2019), Decoupled weight decay regularization.

    Examples
    --------
    >>> from sksgd.optimizers import AdamW
    >>> AdamW().replace(beta1=0.8)
    AdamW(clip_value=inf, clip_norm=inf, beta1=0.8, beta2=0.999, eps=1e-08)
    """

    scaled: ClassVar[bool] = False
    penalty_first: ClassVar[bool] = True

    def scale(self, slots: tuple, begun: tuple) -> float:
        return 1.0


class FTRLProximal(Optimizer):
    """Follow the regularised leader: the minimum of all gradients and penalties so far, plus proximal terms.

    z += eta g - (sqrt(n + g^2) - sqrt(n)) w, n += g^2, then w = prox(-z / (beta + sqrt(n))) with the step
    sum(eta) / (beta + sqrt(n)). For a constant eta these are the weights of McMahan et al. with their alpha = eta
    (their z is z/eta), and with L1 and L2 strengths that grow as t + 1: theirs are fixed, so that the penalty would
    fade. A changing eta weighs gradients and penalties alike.

    Averages on CSR data cost O(n_features) an update.

    Parameters
    ----------
    beta : float > 0, default=1.0

    References
    ----------
    McMahan et al. (2013), Ad click prediction: a view from the trenches.

    Examples
    --------
    >>> from sksgd.optimizers import FTRLProximal
    >>> w, (z, n) = FTRLProximal().coord(3.0, 0.0, (0.0, 0.0), (0.1, 1.0))
    >>> round(w, 6), round(z, 6), n
    (-0.075, 0.3, 9.0)
    """

    beta: float = 1.0

    n_slots: ClassVar[int] = 2
    idle: ClassVar[str] = "renews"
    scaled: ClassVar[bool] = True
    usual_rate: ClassVar[float] = 1.0
    cumulative: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.beta > 0, self, "beta", self.beta, "must be greater than 0")

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        return eta, self.beta

    def coord(self, g: float, w: float, slots: tuple, begun: tuple) -> tuple[float, tuple]:
        n = slots[1] + g * g
        root = math.sqrt(n)
        z = slots[0] + begun[0] * g - (root - math.sqrt(slots[1])) * w
        return -z / (begun[1] + root), (z, n)

    def scale(self, slots: tuple, begun: tuple) -> float:
        return 1 / (begun[1] + math.sqrt(slots[1]))

    def start(self, w: np.ndarray) -> tuple[Any, ...]:
        return -self.beta * w, 0.0


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "ftrl": FTRLProximal,
}


def resolve_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """The optimizer a user means by a name or an instance.

    Examples
    --------
    >>> resolve_optimizer("sgd")
    SGD(clip_value=inf, clip_norm=inf)
    """
    return optimizer if isinstance(optimizer, Component) else OPTIMIZERS[optimizer]()
