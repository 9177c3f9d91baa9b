"""Sample steps: how far one row moves the weights along itself."""

from __future__ import annotations

from .base import Loss, SampleStep

__all__ = ["Gradient"]


class Gradient(SampleStep):
    """The step of gradient descent: u = -eta g, g being the slope of the loss.

    Examples
    --------
    >>> from sksgd.losses import SquaredError
    >>> Gradient().update(SquaredError(), 3.0, 1.0, 0.1, 0.0)
    -0.2
    """

    def update(self, loss: Loss, p: float, y: float, eta: float, square: float) -> float:
        return -eta * loss.gradient(p, y)
