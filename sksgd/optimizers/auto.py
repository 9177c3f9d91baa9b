"""Which optimizer suits a problem: what ``optimizer="auto"`` stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import BlockOptimizer, Component, Optimizer
from ..core.implicit_track import is_explicit
from . import BLOCK_OPTIMIZERS, SGD, SVRG, AdaGrad, ImplicitSGD, Newton, resolve_optimizer

__all__ = ["Choice", "choose"]

#: Unknowns that depend on each other up to which a matrix of them is cheaper than many passes; for sparse rows; for
#: classes.
FEW, FEW_SPARSE, FEW_JOINT = 500, 250, 650


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


def choose(problem: Any, n_features: int, n_outputs: int, sparse: bool) -> Choice:
    """The optimizer for a problem, see `sksgd.core.problem.Problem`.

    It depends on the features, outputs, loss, penalty and bounds alone, and on whether rows are sparse, so that all
    calls of `partial_fit` agree, however a stream is cut into them.

    Examples
    --------
    >>> import numpy as np
    >>> from sksgd import LinearRegressor
    >>> model = LinearRegressor().fit(np.eye(3), [1.0, 2.0, 3.0])
    >>> choose(model._problem_, n_features=1000, n_outputs=1, sparse=True).optimizer
    SVRG()
    """
    joint = n_outputs if problem.loss.joint else 1
    unknowns = (n_features + problem.fit_intercept) * joint
    few = unknowns <= (FEW_JOINT if problem.loss.joint else FEW_SPARSE if sparse else FEW)
    depend = f"{unknowns} unknowns that depend on each other are {'' if few else 'not '}few enough for exact steps"
    candidates: tuple[BlockOptimizer, ...] = (*((Newton(),) if few else ()), SVRG(), ImplicitSGD())
    if is_explicit(problem.loss):
        depend, candidates = "the loss is least where nothing is learned", (ImplicitSGD(),)
    refusals: list[str] = []
    for optimizer in candidates:
        refusal = optimizer.refusal(problem, n_features, n_outputs)
        if not refusal:
            return Choice(optimizer, "; ".join([depend, *refusals]))
        refusals.append(f"{optimizer!r} refused: {refusal.partition('. ')[0]}")
    return Choice(usual(problem.loss), "; ".join([depend, *refusals]))


def resolve(optimizer: str | Optimizer | BlockOptimizer) -> Optimizer | BlockOptimizer | None:
    """The optimizer a user means by a name or an instance; None for "auto"."""
    if isinstance(optimizer, Component):
        return optimizer
    if optimizer == "auto":
        return None
    block = BLOCK_OPTIMIZERS.get(optimizer)
    return resolve_optimizer(optimizer) if block is None else block()


def usual(loss: Any) -> Any:
    """The optimizer with a rate whose steps follow the scale of the targets, if it is safe for a loss."""
    return SGD() if loss.link == "identity" and not loss.joint and np.isfinite(loss.max_curvature) else AdaGrad()
