"""Optimizers: how weights move, given gradients."""

from __future__ import annotations

from ..base import BlockOptimizer
from .coordinate import (
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    FTRLProximal,
    Momentum,
    Nesterov,
    RMSProp,
    resolve_optimizer,
)
from .implicit import ImplicitSGD
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

BLOCK_OPTIMIZERS: dict[str, type[BlockOptimizer]] = {"newton": Newton, "svrg": SVRG, "implicit": ImplicitSGD}
