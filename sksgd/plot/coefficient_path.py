"""Coefficients over passes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ..insight.coefficients import CoefficientRecorder
from .style import COLORS, GREY, Display, count_passes, finish, look


class CoefficientPathDisplay(Display):
    """The coefficients of one output over the passes of a fit.

    Parameters
    ----------
    path : ndarray of shape (n_passes, n_features)
        The coefficients after every pass.
    feature_names : sequence of str, default=None
        Names of the features; None: x0, x1, ...

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        In the order of the features.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sksgd import LinearRegressor
    >>> from sksgd.insight import CoefficientRecorder
    >>> from sksgd.plot import CoefficientPathDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> recorder = CoefficientRecorder()
    >>> model = LinearRegressor(optimizer="adagrad", max_iter=7, tol=None).set_callbacks(recorder).fit(X, y)
    >>> display = CoefficientPathDisplay.from_recorder(recorder)
    >>> display.feature_names[2]
    'bmi'
    """

    def __init__(self, *, path: np.ndarray, feature_names: Any = None):
        self.path = path
        names = [f"x{j}" for j in range(path.shape[1])] if feature_names is None else feature_names
        self.feature_names = [str(name) for name in names]

    @classmethod
    def from_recorder(
        cls, recorder: CoefficientRecorder, *, output: int = 0, feature_names: Any = None, n_named: int = 7,
        ax: Any = None,
    ) -> Self:  # fmt: skip
        """Draw what a recorder wrote down.

        Parameters
        ----------
        recorder : CoefficientRecorder
            After a fit.
        output : int, default=0
            The target or class whose coefficients are shown.
        feature_names : sequence of str, default=None
            None: the columns of the data frame the model was fitted to, else x0, x1, ...
        n_named : int, default=7
            So many coefficients, those that end largest, are coloured and named; the others are grey.
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.

        Returns
        -------
        display : CoefficientPathDisplay
        """
        path = recorder.coef_path_[:, output]
        names = getattr(recorder.estimator_, "feature_names_in_", None) if feature_names is None else feature_names
        return cls(path=path, feature_names=names).plot(ax, n_named=n_named)

    def plot(self, ax: Any = None, *, n_named: int = 7) -> Self:
        """Draw the coefficients.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.
        n_named : int, default=7
            So many coefficients, those that end largest, are coloured and named; the others are grey.

        Returns
        -------
        display : CoefficientPathDisplay
        """
        self._n_named = n_named
        return self._plot(ax)

    def _draw(self, ax: Any) -> None:
        passes, last = np.arange(1, len(self.path) + 1), self.path[-1]
        large = np.argsort(-np.abs(last), kind="stable")[: self._n_named]
        # From the highest end to the lowest, so that the legend has the order of the lines.
        order = {j: i for i, j in enumerate(large[np.argsort(-last[large], kind="stable")])}
        rest = [j for j in range(len(last)) if j not in order]
        lines = {}
        for n, j in enumerate(rest):
            label = "others" if n == 0 else None
            (lines[j],) = ax.plot(passes, self.path[:, j], color=GREY, linewidth=0.6, label=label, zorder=1)
        for j, i in order.items():
            (lines[j],) = ax.plot(passes, self.path[:, j], label=self.feature_names[j], **look(i))
        self.lines_ = [lines[j] for j in range(len(last))]
        ax.axhline(0.0, color=COLORS[-1], linewidth=0.6)
        count_passes(ax)
        finish(ax, "Coefficients over passes", "passes over the data", "coefficient", last=int(bool(rest)))
