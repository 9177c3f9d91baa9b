"""An optimizer as a method of `scipy.optimize.minimize`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from scipy.optimize import OptimizeResult

from ..base import Optimizer
from .minimization import minimize


def descend(
    fun: Callable,
    x0: Any,
    args: Any = (),
    *,
    optimizer: Optimizer,
    hess: Any = None,
    hessp: Any = None,
    constraints: Any = (),
    maxiter: int | None = None,
    disp: bool = False,
    **params: Any,
) -> OptimizeResult:
    """`minimize` with the arguments that scipy hands to a method; `params` are its own, by name."""
    if constraints:
        raise ValueError(f"{optimizer!r} cannot handle constraints. Use bounds, or a method of scipy's, as 'SLSQP'.")
    if hess is not None or hessp is not None:
        warnings.warn(f"{optimizer!r} does not use Hessian information (hess, hessp).", RuntimeWarning, stacklevel=3)
    if maxiter is not None:
        params["max_iter"] = maxiter
    result = minimize(fun, x0, args, optimizer=optimizer, **params)
    if disp:
        print(f"{result.message}: fun {result.fun:.6g}, {result.nit} updates")
    return result
