"""Optimizers: how weights move, given gradients."""

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

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "FTRLProximal",
    "Momentum",
    "Nesterov",
    "RMSProp",
    "resolve_optimizer",
]
