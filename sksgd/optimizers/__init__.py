"""Optimizers: how weights move, given gradients.

`Newton`, `SVRG` and `ImplicitSGD` find their own steps. The others move every weight by itself, given the gradient of
the mean loss over a batch. In their formulas g is the gradient in one weight, eta the rate of update t = 0, 1, ..., and
all slots start at zero. The penalty is no part of g: it acts as a proximal step after the move, of the size `step`
times `scale`, which is what makes the resting point the minimum of the stated objective. torch.optim adds
``weight_decay * w`` to g instead (but for AdamW); without a penalty the trajectories are the same.

On CSR data an update costs O(non-zeros) unless the class says otherwise; see the user guide on sparse data.
"""

from __future__ import annotations

from ..base import BlockOptimizer, Component, Optimizer
from .adaptive import AdaGrad, Adam, AdamW, FTRLProximal, RMSProp
from .implicit import ImplicitSGD
from .momentum import SGD, Momentum, Nesterov
from .newton import Newton
from .svrg import SVRG

__all__ = [
    "BLOCK_OPTIMIZERS",
    "OPTIMIZERS",
    "SGD",
    "SVRG",
    "AdaGrad",
    "Adam",
    "AdamW",
    "FTRLProximal",
    "ImplicitSGD",
    "Momentum",
    "Nesterov",
    "Newton",
    "RMSProp",
    "resolve_optimizer",
]

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

BLOCK_OPTIMIZERS: dict[str, type[BlockOptimizer]] = {"newton": Newton, "svrg": SVRG, "implicit": ImplicitSGD}


def resolve_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """The optimizer a user means by a name or an instance.

    Examples
    --------
    >>> resolve_optimizer("sgd")
    SGD(clip_value=inf, clip_norm=inf)
    """
    return optimizer if isinstance(optimizer, Component) else OPTIMIZERS[optimizer]()
