"""Ways over the contours of a function of two variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from ..insight.coefficients import CoefficientRecorder
from ..insight.model import objective_of
from .style import GREY, PALE, STRONG, Display, finish, look, named

#: Points a side of the grid on which the function is evaluated, and lines of equal height.
GRID, LEVELS = 80, 12

FIRST: dict[str, Any] = {"marker": "o", "markersize": 7, "markerfacecolor": "white"}
LAST: dict[str, Any] = {"marker": "*", "markersize": 13, "markeredgecolor": "white"}
LAST_AVERAGE: dict[str, Any] = {"marker": "D", "markersize": 7, "markeredgecolor": "white"}


class Path(NamedTuple):
    """Points of a way, (m, 2), and of its averages or None."""

    x: np.ndarray
    average: np.ndarray | None = None


class TrajectoryDisplay(Display):
    """One or several ways over the contours of a function.

    Contours have equal areas between them. A circle is the first point of a way, a star the last one, small dots are
    iterates, unless they are very many; a thick line with a diamond at its end is the running average.

    Parameters
    ----------
    fun : callable
        The function of an array of shape (2,).
    paths : dict of str to (x, average)
        Arrays of shape (m, 2) by name, the second one possibly None.
    labels : tuple of 2 str, default=("x1", "x2")
        Names of the variables.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    contours_ : matplotlib QuadContourSet
    lines_ : list of matplotlib Line2D
        For each way its line, and that of its average if there is one.

    Examples
    --------
    >>> import numpy as np
    >>> from sksgd import minimize
    >>> from sksgd.plot import TrajectoryDisplay
    >>> fun, jac = lambda x: x[0] ** 2 + 2 * x[1] ** 2, lambda x: np.array([2 * x[0], 4 * x[1]])
    >>> results = {
    ...     name: minimize(fun, [-5.0, -2.0], jac=jac, optimizer=name, learning_rate=0.1, max_iter=20, trajectory=True)
    ...     for name in ("sgd", "momentum")
    ... }
    >>> display = TrajectoryDisplay.from_results(results, fun)
    >>> [line.get_label() for line in display.lines_]
    ['sgd', 'momentum']
    """

    _size = (6.4, 4.8)

    def __init__(self, *, fun: Callable, paths: dict[str, Any], labels: Sequence[str] = ("x1", "x2")):
        self.fun, self.labels = fun, (labels[0], labels[1])
        self.paths = {name: Path(*path) for name, path in paths.items()}

    @classmethod
    def from_results(cls, results: Any, fun: Callable, *, ax: Any = None, xlim: Any = None, ylim: Any = None) -> Self:
        """Draw the ways of results of `sksgd.minimize` in two variables, which need a trajectory.

        Parameters
        ----------
        results : dict of str to OptimizeResult, or list of OptimizeResult
        fun : callable
            The function of x, whose contours are drawn.
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.
        xlim, ylim : pair of float, default=None
            The part of the plane to show; None: what holds all ways.

        Returns
        -------
        display : TrajectoryDisplay
        """
        paths = {}
        for name, result in named(results, lambda r: "result").items():
            way = result.get("trajectory")
            if way is None or way.x.shape[1] != 2:
                raise ValueError(f"{name!r} has no trajectory in two variables. Call minimize with trajectory=True.")
            paths[name] = Path(way.x, way.average)
        return cls(fun=fun, paths=paths).plot(ax, xlim=xlim, ylim=ylim)

    @classmethod
    def from_result(cls, result: Any, fun: Callable, **params: Any) -> Self:
        """Draw the way of one result; the parameters are those of `from_results`.

        Parameters
        ----------
        result : OptimizeResult
        fun : callable
        **params
            Further parameters of `from_results`.

        Returns
        -------
        display : TrajectoryDisplay
        """
        return cls.from_results([result], fun, **params)

    @classmethod
    def from_recorder(
        cls, recorder: CoefficientRecorder, X: Any, y: Any, *, features: tuple[int, int] = (0, 1), output: int = 0,
        feature_names: Any = None, ax: Any = None, xlim: Any = None, ylim: Any = None,
    ) -> Self:  # fmt: skip
        """Draw the way of two coefficients of a model, pass by pass, over the objective.

        All other coefficients have the values at which they ended.

        Parameters
        ----------
        recorder : CoefficientRecorder
            After the fit of a `LinearRegressor` or `LogisticClassifier`.
        X, y : array-like
            The data of the objective, as for `fit`.
        features : pair of int, default=(0, 1)
            The two features.
        output : int, default=0
            The target or class whose coefficients are shown.
        feature_names : sequence of str, default=None
            Names of all features; None: the columns of the data frame the model was fitted to, else x0, x1, ...
        ax, xlim, ylim
            As for `from_results`.

        Returns
        -------
        display : TrajectoryDisplay
        """
        model, pair = recorder.estimator_, list(features)
        if not hasattr(model, "_weights"):
            raise ValueError(f"{model!r} has no objective to draw. Use LinearRegressor or LogisticClassifier.")
        total, (coef, intercept) = objective_of(model, X, y), model._weights()

        def objective(pair_of_weights: np.ndarray) -> float:
            moved = coef.copy()
            moved[output, pair] = pair_of_weights
            return total(moved, intercept)

        names = getattr(model, "feature_names_in_", None) if feature_names is None else feature_names
        labels = [f"x{j}" if names is None else str(names[j]) for j in pair]
        path = Path(recorder.coef_path_[:, output][:, pair])
        display = cls(fun=objective, paths={"coefficients": path}, labels=[f"coefficient of {name}" for name in labels])
        return display.plot(ax, xlim=xlim, ylim=ylim)

    def plot(self, ax: Any = None, *, xlim: Any = None, ylim: Any = None) -> Self:
        """Draw contours and ways.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.
        xlim, ylim : pair of float, default=None
            The part of the plane to show; None: what holds all ways.

        Returns
        -------
        display : TrajectoryDisplay
        """
        self._limits = xlim, ylim
        return self._plot(ax)

    def _draw(self, ax: Any) -> None:
        points = np.vstack([p for path in self.paths.values() for p in path if p is not None])
        limits = [_margins(points[:, k]) if given is None else given for k, given in enumerate(self._limits)]
        self._contours(ax, *limits)
        self.lines_: list[Any] = []
        for i, (name, path) in enumerate(self.paths.items()):
            color = look(i)["color"]
            style = {"linewidth": 1.2} if path.average is None else PALE
            dots = {"marker": "o", "markersize": 2.5} if len(path.x) <= 200 else {}
            (line,) = ax.plot(*path.x.T, color=color, label=name, zorder=3, **style, **dots)
            self.lines_.append(line)
            if path.average is not None:
                (line,) = ax.plot(*path.average.T, color=color, label=f"{name}, average", zorder=4, **STRONG)
                self.lines_.append(line)
                ax.plot(*path.average[-1], color=color, zorder=7, **LAST_AVERAGE)
            ax.plot(*path.x[0], color=color, zorder=5, **FIRST)
            ax.plot(*path.x[-1], color=color, zorder=6, **LAST)
        averages = any(path.average is not None for path in self.paths.values())
        for marker, name in ((FIRST, "first point"), (LAST, "last point"), (LAST_AVERAGE, "last average")):
            if averages or marker is not LAST_AVERAGE:
                ax.plot([], [], color=GREY, linestyle="none", label=name, **marker)
        ax.set(xlim=limits[0], ylim=limits[1])
        finish(ax, "Path" if len(self.paths) == 1 else "Paths", *self.labels)
        ax.grid(False)

    def _contours(self, ax: Any, xlim: Any, ylim: Any) -> None:
        x, y = (np.linspace(low, high, GRID) for low, high in (xlim, ylim))
        with np.errstate(over="ignore"):
            values = np.array([[float(np.squeeze(self.fun(np.array([u, v])))) for u in x] for v in y])
        levels = np.unique(np.quantile(values[np.isfinite(values)], np.linspace(0.01, 0.97, LEVELS)))
        self.contours_ = ax.contour(x, y, values, levels=levels, colors=GREY, linewidths=0.6, zorder=1)


def _margins(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 0.12 * (high - low) or 1.0
    return low - margin, high + margin
