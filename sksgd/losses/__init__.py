"""Losses: what one prediction costs.

Below, `p` is the raw prediction, `y` the coded target and r = p - y. Unless a class says otherwise: the link is the
identity, y is any finite number, taken as given (coding "value"), the loss is convex in p, nothing is dropped.

On the boundary between two pieces of a loss, `value`, `gradient` and `curvature` come from the same piece, the one that
scikit-learn takes. At a kink the gradient is therefore 0 for `EpsilonInsensitive`, that of p y below the threshold for
`Hinge` and `Perceptron`, and that of p below y for `Quantile`. The curvature of a piecewise linear loss is 0.
"""

from __future__ import annotations

from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from ..base import Loss
from .classification import Hinge, LogLoss, ModifiedHuber, Multinomial, Perceptron, SquaredHinge
from .deviance import Gamma, Poisson, Tweedie
from .regression import EpsilonInsensitive, Huber, Quantile, SquaredEpsilonInsensitive, SquaredError

__all__ = [
    "LOSSES",
    "EpsilonInsensitive",
    "Gamma",
    "Hinge",
    "Huber",
    "LogLoss",
    "ModifiedHuber",
    "Multinomial",
    "Perceptron",
    "Poisson",
    "Quantile",
    "SquaredEpsilonInsensitive",
    "SquaredError",
    "SquaredHinge",
    "Tweedie",
    "resolve_loss",
]

LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "huber": Huber,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
    "quantile": Quantile,
    "poisson": Poisson,
    "gamma": Gamma,
    "tweedie": Tweedie,
    "log_loss": LogLoss,
    "multinomial": Multinomial,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "perceptron": Perceptron,
    "modified_huber": ModifiedHuber,
}


def resolve_loss(loss: str | Loss, **fields: Any) -> Loss:
    """The loss of a name in `LOSSES`, or the loss given, with these fields changed.

    >>> from sksgd.losses import resolve_loss
    >>> resolve_loss("huber", epsilon=2.0)
    Huber(epsilon=2.0)
    """
    if isinstance(loss, str) and loss in LOSSES:
        loss = LOSSES[loss]()
    if not isinstance(loss, Loss):
        raise InvalidParameterError(
            f"The 'loss' parameter must be a Loss or one of {list(LOSSES)}. Got {loss!r} instead."
        )
    return loss.replace(**fields)  # type: ignore[return-value]
