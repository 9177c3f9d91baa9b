"""The components that are compiled, one row each; tests run over these tables. The others are in components_plain."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sksgd import losses, optimizers, penalties
from sksgd.base import Loss, Optimizer, Penalty


class LossRow(NamedTuple):
    loss: Loss
    valid: list[float]
    invalid: list[float]
    #: Where the gradient or its slope jumps: values of p y for coding "sign", of p - y for the others.
    kinks: tuple[float, ...] = ()
    #: Whether the loss is convex in p.
    convex: bool = True


NAN, INF = float("nan"), float("inf")
REAL = [-3.0, 0.0, 0.5, 4.0]
SIGNS = [-1.0, 1.0]
NOT_FINITE = [NAN, INF, -INF]
NOT_SIGNS = [*NOT_FINITE, 0.0, 0.5, 2.0]

LOSS_ROWS = [
    LossRow(losses.SquaredError(), REAL, NOT_FINITE),
    LossRow(losses.Huber(), REAL, NOT_FINITE, kinks=(-1.35, 1.35)),
    LossRow(losses.Huber(epsilon=0.5), REAL, NOT_FINITE, kinks=(-0.5, 0.5)),
    LossRow(losses.EpsilonInsensitive(), REAL, NOT_FINITE, kinks=(-0.1, 0.1)),
    LossRow(losses.EpsilonInsensitive(epsilon=0.0), REAL, NOT_FINITE, kinks=(0.0,)),
    LossRow(losses.SquaredEpsilonInsensitive(), REAL, NOT_FINITE, kinks=(-0.1, 0.1)),
    LossRow(losses.SquaredEpsilonInsensitive(epsilon=0.5), REAL, NOT_FINITE, kinks=(-0.5, 0.5)),
    LossRow(losses.Quantile(), REAL, NOT_FINITE, kinks=(0.0,)),
    LossRow(losses.Quantile(quantile=0.9), REAL, NOT_FINITE, kinks=(0.0,)),
    LossRow(losses.Poisson(), [0.0, 0.5, 1.0, 7.0], [*NOT_FINITE, -1.0]),
    LossRow(losses.Gamma(), [0.25, 1.0, 7.0], [*NOT_FINITE, -1.0, 0.0]),
    LossRow(losses.Tweedie(), [0.0, 0.5, 7.0], [*NOT_FINITE, -1.0]),
    LossRow(losses.Tweedie(power=-1.0), REAL, NOT_FINITE, convex=False),
    LossRow(losses.Tweedie(power=0.0), REAL, NOT_FINITE, convex=False),
    LossRow(losses.Tweedie(power=1.0), [0.0, 0.5, 7.0], [*NOT_FINITE, -1.0]),
    LossRow(losses.Tweedie(power=2.0), [0.25, 1.0, 7.0], [*NOT_FINITE, -1.0, 0.0]),
    LossRow(losses.Tweedie(power=3.0), [0.25, 1.0, 7.0], [*NOT_FINITE, -1.0, 0.0], convex=False),
    LossRow(losses.LogLoss(), [0.0, 0.3, 1.0], [*NOT_FINITE, -0.1, 1.1]),
    LossRow(losses.Multinomial(), [0.0, 1.0, 5.0], [*NOT_FINITE, -1.0, 0.5]),
    LossRow(losses.Hinge(), SIGNS, NOT_SIGNS, kinks=(1.0,)),
    LossRow(losses.Hinge(threshold=0.5), SIGNS, NOT_SIGNS, kinks=(0.5,)),
    LossRow(losses.SquaredHinge(), SIGNS, NOT_SIGNS, kinks=(1.0,)),
    LossRow(losses.SquaredHinge(threshold=0.5), SIGNS, NOT_SIGNS, kinks=(0.5,)),
    LossRow(losses.Perceptron(), SIGNS, NOT_SIGNS, kinks=(0.0,)),
    LossRow(losses.ModifiedHuber(), SIGNS, NOT_SIGNS, kinks=(-1.0, 1.0)),
]


class PenaltyRow(NamedTuple):
    penalty: Penalty
    #: A number, or one per feature of runs.make_rows.
    alpha: Any


class OptimizerRow(NamedTuple):
    optimizer: Optimizer
    #: The penalty that is tested with an alpha per feature.
    per_feature: str


PENALTY_ROWS = {
    "none": PenaltyRow(penalties.NoPenalty(), 0.0),
    "l2": PenaltyRow(penalties.L2(), 0.3),
    "l1": PenaltyRow(penalties.L1(), 0.1),
    "elasticnet": PenaltyRow(penalties.ElasticNet(0.3), 0.2),
}
#: The fifth feature of runs.make_rows is the one without non-zeros.
ALPHAS = np.array([0.3, 0.0, 0.1, 2.0, 0.2, 0.05])

OPTIMIZER_ROWS = {
    "sgd": OptimizerRow(optimizers.SGD(), "elasticnet"),
    "momentum": OptimizerRow(optimizers.Momentum(0.8), "l1"),
    "nesterov": OptimizerRow(optimizers.Nesterov(0.7), "l2"),
    "adagrad": OptimizerRow(optimizers.AdaGrad(eps=0.1), "l2"),
    "rmsprop": OptimizerRow(optimizers.RMSProp(rho=0.8, eps=0.1), "elasticnet"),
    "adam": OptimizerRow(optimizers.Adam(beta1=0.8, beta2=0.95, eps=0.1), "l1"),
    "adamw": OptimizerRow(optimizers.AdamW(beta1=0.8, beta2=0.95, eps=0.1), "l2"),
    "ftrl": OptimizerRow(optimizers.FTRLProximal(beta=0.5), "elasticnet"),
}

#: Every optimizer with every penalty, the last one with an alpha per feature, as (optimizer, penalty, alpha).
PAIRS = {
    f"{name}, {kind}": (row.optimizer, *penalty)
    for name, row in OPTIMIZER_ROWS.items()
    for kind, penalty in [
        *PENALTY_ROWS.items(),
        (f"{row.per_feature} per feature", PenaltyRow(PENALTY_ROWS[row.per_feature].penalty, ALPHAS)),
    ]
}
