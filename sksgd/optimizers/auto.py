"""Which optimizer suits a problem: what ``optimizer="auto"`` stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import BlockOptimizer, Component
from .coordinate import SGD, AdaGrad
from .newton import Newton

__all__ = ["Choice", "choose"]

#: Unknowns that depend on each other up to which a matrix of them is cheaper than many passes; the same with classes.
FEW, FEW_JOINT = 250, 650


class Choice(Component):
    """An optimizer, the reason for it, and whether it was `asked` for by name.

    Examples
    --------
    >>> from sksgd import LinearRegressor
    >>> model = LinearRegressor().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    >>> model.optimizer_.optimizer
    Newton()
    >>> print(model.optimizer_)
    Newton(): 2 unknowns that depend on each other are few enough for exact steps
    """

    optimizer: Any
    reason: str
    asked: bool = False

    def __str__(self) -> str:
        return f"{self.optimizer!r}: {self.reason}"


def choose(problem: Any, n_features: int, n_outputs: int) -> Choice:
    """The optimizer for a problem, see `sksgd.core.problem.Problem`.

    It depends on the features, outputs, loss, penalty and bounds alone, so that all calls of `partial_fit` agree,
    however a stream is cut into them.
    """
    joint = n_outputs if problem.loss.joint else 1
    unknowns, most = (n_features + problem.fit_intercept) * joint, FEW_JOINT if problem.loss.joint else FEW
    depend = f"{unknowns} unknowns that depend on each other are"
    candidates: list[tuple[BlockOptimizer, str]] = []
    if unknowns <= most:
        candidates.append((Newton(), f"{depend} few enough for exact steps"))
    refusals = []
    for optimizer, reason in candidates:
        refusal = optimizer.refusal(problem, n_features, n_outputs)
        if not refusal:
            return Choice(optimizer, "; ".join([reason, *refusals]))
        refusals.append(f"{optimizer!r} refused: {refusal.partition('. ')[0]}")
    return Choice(usual(problem.loss), "; ".join(["no optimizer without a rate suits it", *refusals]))


def usual(loss: Any) -> Any:
    """The optimizer with a rate whose steps follow the scale of the targets, if it is safe for a loss."""
    return SGD() if loss.link == "identity" and not loss.joint and np.isfinite(loss.max_curvature) else AdaGrad()
