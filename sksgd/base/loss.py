"""`Loss`: what one prediction costs."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from .component import Component

__all__ = ["Loss"]


class Loss(Component):
    """What one prediction costs. `p` is the raw prediction, `y` the coded target, both scalars.

    ``value(p, y)`` is the cost, ``gradient(p, y)`` its derivative in `p` (at a kink, a subgradient), and
    ``curvature(p, y)`` the second derivative where it exists. Constants in `y` alone are dropped. `value` and
    `gradient` are enough; the optimizers that use the curvature take it from differences of gradients then.
    ``prox(p, y, step)`` is ``argmin_q value(q, y) + (q - p)^2/(2 step)``, by which they smooth kinks; without it, it is
    searched for.

    Examples
    --------
    >>> class Quartic(Loss):
    ...     def value(self, p, y):
    ...         return 0.25 * (p - y) ** 4
    ...     def gradient(self, p, y):
    ...         return (p - y) ** 3
    >>> round(Quartic().curvature(3.0, 1.0), 4)
    12.0
    """

    #: What maps `p` to a prediction: "identity", "log" (mean = exp p) or "logit" (mean = 1/(1 + exp -p)).
    link: ClassVar[str] = "identity"
    #: How targets are coded: "value" (as given), "unit" (0, 1), "sign" (-1, 1) or "index" (class number).
    coding: ClassVar[str] = "value"
    #: The domain of `y` in words, for the error message.
    domain: ClassVar[str] = "finite numbers"
    #: Whether the scores of all outputs enter one loss; then hooks take a third argument, log sum exp of the scores.
    joint: ClassVar[bool] = False
    #: The supremum of the second derivative in `p`: infinite where there is none.
    max_curvature: ClassVar[float] = math.inf
    #: The supremum of the size of the gradient: infinite where there is none.
    max_gradient: ClassVar[float] = math.inf
    #: Whether the gradient is continuous in `p`: False where there are kinks.
    smooth: ClassVar[bool] = True
    #: Whether the curvature is the same number for all `p` and `y`.
    quadratic: ClassVar[bool] = False

    def value(self, p: float, y: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define value(p, y)")

    def gradient(self, p: float, y: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define gradient(p, y)")

    def curvature(self, p: float, y: float) -> float:
        # The width follows p and p - y, which are all that tells the scale of the problem; 1e-4 with a link.
        width = 1e-4 * (min(1.0, abs(p) + abs(p - y)) + 1e-30)
        return (self.gradient(p + width, y) - self.gradient(p - width, y)) / (2.0 * width)

    def prox(self, p: float, y: float, step: float) -> float:
        # The minimum lies between these two, if the loss is convex, and kinks are no obstacle.
        first = self.gradient(p, y)
        near, far = p, p - step * first
        for _ in range(60):
            q = 0.5 * (near + far)
            if (q - p + step * self.gradient(q, y)) * first > 0.0:
                near = q
            else:
                far = q
        return 0.5 * (near + far)

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        """Which targets are valid, as a boolean array."""
        return np.isfinite(y)
