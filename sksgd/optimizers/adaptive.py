"""Optimizers with a rate for every weight, which its gradients decide."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..base import Optimizer
from ..checks import require_fraction, require_positive
from ..functions import exp
from .momentum import finite_log

__all__ = ["AdaGrad", "Adam", "AdamW", "FTRLProximal", "RMSProp"]


def _power(x: float, k: Any) -> Any:
    """x^k for x in [0, 1) and k > 0; NumPy's exp is several times faster than its power."""
    return np.exp(finite_log(x) * k)


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
        require_positive(self, "eps")

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
        require_fraction(self, "rho")
        require_positive(self, "eps")

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        return eta, self.rho, 1 - self.rho, self.eps, finite_log(self.rho)

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
        require_fraction(self, "beta1", "beta2")
        require_positive(self, "eps")

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
        require_positive(self, "beta")

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
