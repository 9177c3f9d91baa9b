"""The objective over a growing learning rate."""

from __future__ import annotations

import math
from typing import Any, Self

from ..insight.range_test import RangeTest
from .style import COLORS, Display, finish


class RangeTestDisplay(Display):
    """A learning rate range test: the objective over the rate, with the suggestion and the rate of divergence.

    Parameters
    ----------
    result : RangeTest

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        The objective, then vertical lines at the suggestion and, if there was one, at the divergence.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from sksgd import LinearRegressor
    >>> from sksgd.insight import learning_rate_range_test
    >>> X, y = load_diabetes(return_X_y=True)
    >>> test = learning_rate_range_test(LinearRegressor(optimizer="sgd", random_state=0), scale(X), y)
    >>> display = test.plot()
    >>> display.ax_.get_xlabel()
    'learning rate'
    """

    def __init__(self, *, result: RangeTest):
        self.result = result

    @classmethod
    def from_result(cls, result: RangeTest, *, ax: Any = None) -> Self:
        """Draw what `sksgd.insight.learning_rate_range_test` gave.

        Parameters
        ----------
        result : RangeTest
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.

        Returns
        -------
        display : RangeTestDisplay
        """
        return cls(result=result).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the test.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.

        Returns
        -------
        display : RangeTestDisplay
        """
        return self._plot(ax)

    def _draw(self, ax: Any) -> None:
        test = self.result
        self.lines_: list[Any] = ax.plot(test.rates, test.losses, color=COLORS[0], label="objective")
        marks = [(test.suggestion, COLORS[2], "--", "suggested")]
        if math.isfinite(test.divergence):
            marks.append((test.divergence, COLORS[1], ":", "diverged"))
        for rate, color, dashes, name in marks:
            self.lines_.append(ax.axvline(rate, color=color, linestyle=dashes, label=f"{name}: {rate:.2g}"))
        ax.set_xscale("log")
        low = min(test.losses.min(), test.start)
        high = min(max(test.losses.max(), test.start), 1.5 * test.start)
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
        finish(ax, "Learning rate range test", "learning rate", "objective (mean loss + penalty)")
