"""The learning rate range test: the objective while the rate grows."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import _num_samples

from .model import objective_of

__all__ = ["RangeTest", "learning_rate_range_test"]

#: Rows on which the objective is measured, where there are more; points of the median that smooths it.
MEASURED, SMOOTH = 5000, 5


@dataclasses.dataclass(frozen=True, eq=False)
class RangeTest:
    """What a range test found.

    Attributes
    ----------
    rates, losses : ndarray of shape (m,)
        Learning rates, and the objective after the updates with rates up to them.
    start : float
        The objective before the first update.
    divergence : float
        The rate at which training diverged: the objective was not finite or more than twice that at the start; inf if
        it never did.
    suggestion : float
        A tenth of the rate at which the objective, smoothed by a median of five points, was lowest.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from sksgd import LinearRegressor
    >>> from sksgd.insight import learning_rate_range_test
    >>> X, y = load_diabetes(return_X_y=True)
    >>> test = learning_rate_range_test(LinearRegressor(optimizer="sgd", random_state=0), scale(X), y, eta_max=0.01)
    >>> len(test.rates), test.divergence
    (100, inf)
    """

    rates: np.ndarray
    losses: np.ndarray
    start: float
    divergence: float
    suggestion: float

    def plot(self, ax: Any = None) -> Any:
        """Draw the objective over the rate, which needs matplotlib.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None: in a new figure.

        Returns
        -------
        display : sksgd.plot.RangeTestDisplay
        """
        from ..plot import RangeTestDisplay

        return RangeTestDisplay.from_result(self, ax=ax)


def learning_rate_range_test(
    estimator: Any, X: Any, y: Any, *, eta_min: float = 1e-6, eta_max: float = 100.0, n_rates: int = 100
) -> RangeTest:
    """Train while the learning rate grows exponentially, and see where the objective falls and where it diverges.

    It is one pass over shuffled rows, or as many as `n_rates` updates take, and ends early where training diverges. A
    rate that grows meets stability's limit later than a constant one would, so a rate to train with is well below that
    of the lowest objective: the suggestion is a tenth of it.

    Parameters
    ----------
    estimator : LinearRegressor or LogisticClassifier
        It is cloned; all its parameters count but `learning_rate` and `average`.
    X, y : array-like
        Training data, scaled as they will be in training.
    eta_min, eta_max : float, default=1e-6 and 100.0
        The first and the last rate.
    n_rates : int, default=100
        The number of points; between two there may be many updates.

    Returns
    -------
    result : RangeTest
        With the suggested rate, and a method `plot`.

    Raises
    ------
    ValueError
        For an optimizer without a rate, as "newton", and where training diverged before there were points enough to
        tell.

    References
    ----------
    Smith (2017), Cyclical learning rates for training neural networks.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from sksgd import LogisticClassifier
    >>> from sksgd.insight import learning_rate_range_test
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> test = learning_rate_range_test(LogisticClassifier(optimizer="sgd", random_state=0), scale(X), y)
    >>> 0.003 < test.suggestion < 0.1 < test.divergence
    True
    """
    if not (0 < eta_min < eta_max < math.inf and n_rates >= 2 * SMOOTH):
        raise InvalidParameterError(
            f"There must be 0 < eta_min < eta_max and at least {2 * SMOOTH} rates. Got eta_min={eta_min!r}, "
            f"eta_max={eta_max!r}, n_rates={n_rates!r}."
        )
    n, random_state = _num_samples(X), check_random_state(estimator.random_state)
    batch_size = n if estimator.batch_size == "full" else min(estimator.batch_size, n)
    per_point = max(1, -(-n // (batch_size * n_rates)))
    growth = math.log(eta_max / eta_min) / (per_point * n_rates - 1)

    def rate(t: Any) -> Any:
        return eta_min * np.exp(growth * t)

    model = clone(estimator).set_params(learning_rate=rate, average=None)
    optimizer = model._component("optimizer")
    if optimizer is None or optimizer.blockwise:
        raise ValueError(f"optimizer={estimator.optimizer!r} finds its own steps: there is no rate to test.")
    known = {"classes": np.unique(y)} if is_classifier(model) else {}
    measured = _take(X, y, random_state.permutation(n)[:MEASURED])
    rates, losses, start, divergence = [], [], math.nan, math.inf
    for k, rows in enumerate(_chunks(n, per_point * batch_size, n_rates, random_state), 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # divergence is what is looked for
            model.partial_fit(*_take(X, y, rows), **known)
        if k == 1:
            objective = objective_of(model, *measured)
            start = objective(*(np.zeros_like(weights) for weights in model._weights()))
        rates.append(float(rate(k * per_point - 1)))
        losses.append(math.inf if model.stop_reason_.startswith("diverged") else objective(*model._weights()))
        if not losses[-1] <= 2 * start:
            divergence = rates[-1]
            break
    finite = np.isfinite(losses)
    if finite.sum() < SMOOTH:
        raise ValueError(
            f"Training diverged at once, with rates from eta_min={eta_min!r} on. Lower eta_min, or scale the features."
        )
    found = np.array(rates)[finite], np.array(losses)[finite]
    return RangeTest(*found, start, divergence, float(found[0][np.argmin(_smooth(found[1]))]) / 10)


def _take(X: Any, y: Any, rows: np.ndarray) -> tuple[Any, Any]:
    return _safe_indexing(X, rows), _safe_indexing(y, rows)


def _chunks(n: int, size: int, number: int, random_state: np.random.RandomState) -> Iterator[np.ndarray]:
    """So many pieces of the rows in random order, which begins anew when all were visited."""
    order = np.empty(0, dtype=np.int64)
    for _ in range(number):
        while len(order) < size:
            order = np.concatenate([order, random_state.permutation(n)])
        yield order[:size]
        order = order[size:]


def _smooth(values: np.ndarray) -> np.ndarray:
    padded = np.pad(values, SMOOTH // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, SMOOTH), axis=1)
