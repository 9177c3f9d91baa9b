"""Curves of a training: objective, held-out loss, gap, rate."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

from ..core.stopping import Progress
from .style import PALE, STRONG, Display, count_passes, finish, look, named

UNITS = {"pass": "passes over the data", "update": "updates", "sample": "samples seen"}
QUANTITIES = {
    "loss": ("Training curve", "objective (mean loss + penalty)"),
    "validation": ("Validation curve", "mean loss on held-out rows"),
    "gap": ("Gap to the minimum", "objective minus minimum"),
    "rate": ("Learning rate", "learning rate"),
}
QUANTITIES_OF_RESULTS = QUANTITIES | {
    "loss": ("Value on the way", "value of the function"),
    "gap": ("Gap to the minimum", "value minus minimum"),
}


class Curve(NamedTuple):
    """Points of a curve; `average` has its values for averages of iterates, or is None."""

    x: np.ndarray
    y: np.ndarray
    average: np.ndarray | None = None


class TrainingCurveDisplay(Display):
    """How training went, for one or several estimators or results of `sksgd.minimize`.

    Parameters
    ----------
    curves : dict of str to (x, y) or (x, y, average)
        Arrays of shape (m,): positions and values by name; `average`, drawn thinner, has the values of averages.
    quantity : {"loss", "validation", "gap", "rate"}, default="loss"
        What the values are.
    unit : {"pass", "update", "sample"}, default="pass"
        What the positions are.
    labels : tuple of 2 str, default=None
        Title and label of the vertical axis; None: those of the quantity.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sksgd import LogisticClassifier
    >>> from sksgd.plot import TrainingCurveDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> models = {
    ...     name: LogisticClassifier(optimizer=name, learning_rate=0.01, max_iter=10, tol=None).fit(scale(X), y)
    ...     for name in ("sgd", "adam")
    ... }
    >>> display = TrainingCurveDisplay.from_estimators(models)
    >>> [len(line.get_xdata()) for line in display.lines_]
    [10, 10]
    """

    def __init__(
        self,
        *,
        curves: dict[str, Any],
        quantity: str = "loss",
        unit: str = "pass",
        labels: tuple[str, str] | None = None,
    ):
        self.curves = {name: Curve(*curve) for name, curve in curves.items()}
        self.quantity, self.unit, self.labels = quantity, unit, labels or QUANTITIES[quantity]

    @classmethod
    @validate_params(
        {"quantity": [StrOptions(set(QUANTITIES))], "unit": [StrOptions(set(UNITS))]},
        prefer_skip_nested_validation=True,
    )
    def from_estimators(
        cls, estimators: Any, *, quantity: str = "loss", unit: str = "pass", minimum: float | None = None,
        ax: Any = None, logx: bool = False, logy: bool | None = None,
    ) -> Self:  # fmt: skip
        """Draw the curves of fitted estimators.

        Parameters
        ----------
        estimators : dict of str to estimator, or list of estimators
            `LinearRegressor`, `LogisticClassifier`, drop-in classes with a recorded loss curve, or pipelines that end
            with one.
        quantity : {"loss", "validation", "gap", "rate"}, default="loss"
            The objective after every pass (`loss_curve_`), the loss on held-out rows (`validation_curve_`), the
            objective minus `minimum`, or the learning rate of the pass's first update.
        unit : {"pass", "update", "sample"}, default="pass"
            The unit of the horizontal axis.
        minimum : float, default=None
            The minimum of the objective, for the gap; None: the lowest value of all curves, whose point is left out.
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.
        logx : bool, default=False
            Whether the horizontal axis is logarithmic.
        logy : bool, default=None
            Whether the vertical one is; None: for gaps and rates.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        found = {
            name: _curve(_last_step(estimator), name, quantity, unit)
            for name, estimator in named(estimators, lambda e: type(_last_step(e)).__name__).items()
        }
        return cls._from(found, quantity, unit, minimum, QUANTITIES).plot(ax, logx=logx, logy=logy)

    @classmethod
    def from_estimator(cls, estimator: Any, **params: Any) -> Self:
        """Draw the curve of one estimator; the parameters are those of `from_estimators`.

        Parameters
        ----------
        estimator : estimator
        **params
            Further parameters of `from_estimators`.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        return cls.from_estimators([estimator], **params)

    @classmethod
    @validate_params(
        {"quantity": [StrOptions({"loss", "gap", "rate"})], "unit": [StrOptions({"update", "sample"})]},
        prefer_skip_nested_validation=True,
    )
    def from_results(
        cls, results: Any, *, quantity: str = "loss", unit: str = "update", minimum: float | None = None,
        ax: Any = None, logx: bool = False, logy: bool | None = None,
    ) -> Self:  # fmt: skip
        """Draw the curves of results of `sksgd.minimize`, which need a trajectory.

        Parameters
        ----------
        results : dict of str to OptimizeResult, or list of OptimizeResult
        quantity : {"loss", "gap", "rate"}, default="loss"
            The function, the function minus `minimum`, or the learning rate.
        unit : {"update", "sample"}, default="update"
            The unit of the horizontal axis.
        minimum, ax, logx, logy
            As for `from_estimators`.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        found = {
            name: _curve_of_result(result, name, quantity, unit)
            for name, result in named(results, lambda r: "result").items()
        }
        return cls._from(found, quantity, unit, minimum, QUANTITIES_OF_RESULTS).plot(ax, logx=logx, logy=logy)

    @classmethod
    def from_result(cls, result: Any, **params: Any) -> Self:
        """Draw the curve of one result; the parameters are those of `from_results`.

        Parameters
        ----------
        result : OptimizeResult
        **params
            Further parameters of `from_results`.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        return cls.from_results([result], **params)

    @classmethod
    def _from(
        cls, curves: dict[str, Curve], quantity: str, unit: str, minimum: float | None, labels: dict[str, Any]
    ) -> Self:
        if quantity == "gap":
            values = [y for curve in curves.values() for y in (curve.y, curve.average) if y is not None]
            lowest = min(float(np.nanmin(y)) for y in values) if minimum is None else minimum
            curves = {
                name: Curve(c.x, c.y - lowest, None if c.average is None else c.average - lowest)
                for name, c in curves.items()
            }
        return cls(curves=curves, quantity=quantity, unit=unit, labels=labels[quantity])

    def plot(self, ax: Any = None, *, logx: bool = False, logy: bool | None = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.
        logx : bool, default=False
            Whether the horizontal axis is logarithmic.
        logy : bool, default=None
            Whether the vertical one is; None: for gaps and rates.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        self._log = logx, self.quantity in ("gap", "rate") if logy is None else logy
        return self._plot(ax)

    def _draw(self, ax: Any) -> None:
        self.lines_: list[Any] = []
        steps = {"drawstyle": "steps-post"} if self.quantity == "rate" else {}
        for i, (name, curve) in enumerate(self.curves.items()):
            self._add(ax, curve.x, curve.y, label=name, **look(i), **({} if curve.average is None else PALE), **steps)
            if curve.average is not None:
                self._add(ax, curve.x, curve.average, label=f"{name}, average", **look(i), **STRONG)
        for axis, log in zip("xy", self._log, strict=True):
            if log:
                getattr(ax, f"set_{axis}scale")("log")
        if self.unit == "pass" and not self._log[0]:
            count_passes(ax)
        title, ylabel = self.labels
        finish(ax, f"{title}s" if len(self.curves) > 1 and title.endswith("curve") else title, UNITS[self.unit], ylabel)

    def _add(self, ax: Any, x: np.ndarray, y: np.ndarray, **style: Any) -> None:
        shown = (x > 0 if self._log[0] else np.isfinite(x)) & (y > 0 if self._log[1] else np.isfinite(y))
        dots = {"marker": "o"} if shown.sum() <= 2 else {}  # one point would not be seen as a line
        self.lines_ += ax.plot(x[shown], y[shown], **style, **dots)


def _last_step(estimator: Any) -> Any:
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def _curve(estimator: Any, name: str, quantity: str, unit: str) -> Curve:
    attribute = "validation_curve_" if quantity == "validation" else "loss_curve_"
    values = getattr(estimator, attribute, None)
    if not values:
        remedy = "Fit with early_stopping=True, or with X_val and y_val." if quantity == "validation" else "Call fit."
        raise ValueError(f"{name!r} has no {attribute}. {remedy}")
    if np.ndim(values[0]):
        raise ValueError(f"{name!r} has a {attribute} for each class, which are no curve of one model.")
    if not hasattr(estimator, "_weights") and (quantity in ("validation", "rate") or unit == "sample"):
        raise ValueError(
            f"{name!r} is a {type(estimator).__name__}, of which the loss and the gap over passes or updates can be "
            f"drawn. Got quantity={quantity!r} and unit={unit!r}."
        )
    passes = np.arange(1, len(values) + 1)
    if unit == "sample":
        passes = passes * (estimator.n_samples_seen_ // estimator.n_iter_)
    elif unit == "update":
        passes = passes * (int(estimator.t_) // estimator.n_iter_)
    if quantity == "rate" and estimator._problem_.optimizer.blockwise:
        raise ValueError(f"{name!r} has no learning rate: {estimator._problem_.optimizer!r} finds its own steps.")
    return Curve(passes, _rates(estimator, len(values)) if quantity == "rate" else np.asarray(values, dtype=float))


def _rates(estimator: Any, n: int) -> np.ndarray:
    """The rate of the first update of every pass; a fall after passes without progress follows from the curve."""
    schedule, factor, factors = estimator._problem_.schedule, 1.0, []
    progress = Progress(estimator.tol, estimator.n_iter_no_change)
    for value in estimator.validation_curve_ or estimator.loss_curve_:
        factors.append(factor)
        progress.update(value)
        if progress.stopped:
            factor = schedule.after_stall(factor) or factor
            progress.restart()
    starts = np.arange(n) * (estimator.t_ // estimator.n_iter_)
    return np.broadcast_to(schedule.rate(starts), (n,)) * np.array(factors)


def _curve_of_result(result: Any, name: str, quantity: str, unit: str) -> Curve:
    way = result.get("trajectory")
    if way is None:
        raise ValueError(f"{name!r} has no trajectory. Call minimize with trajectory=True.")
    x = way.nit if unit == "update" else way.n_samples_seen
    return Curve(x, way.learning_rate) if quantity == "rate" else Curve(x, way.fun, way.average_fun)
