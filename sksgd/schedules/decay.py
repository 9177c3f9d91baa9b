"""Schedules that are formulas in t."""

from __future__ import annotations

import math

import numpy as np

from ..base import Horizon, Schedule
from ..checks import is_real, require, require_count, require_not_negative, require_positive

__all__ = [
    "Constant",
    "Exponential",
    "InverseScaling",
    "InverseSqrt",
    "Optimal",
    "PiecewiseConstant",
    "Polynomial",
    "Step",
]


class Constant(Schedule):
    """The same rate for every update: eta_t = eta0.

    Parameters
    ----------
    eta0 : float, default=0.01
        The rate, greater than 0.

    Examples
    --------
    >>> Constant(0.1).rate(np.arange(1000))
    0.1
    """

    eta0: float = 0.01

    def __post_init__(self) -> None:
        require_positive(self, "eta0")

    def rate(self, t: np.ndarray) -> float:
        return float(self.eta0)


class PiecewiseConstant(Schedule):
    """A staircase: eta_t = values[i] for boundaries[i - 1] <= t < boundaries[i].

    Parameters
    ----------
    boundaries : sequence of float
        The updates (not passes) at which the rate changes, strictly increasing and greater than 0.
    values : sequence of float
        The rates, one more than boundaries, none negative. Both are stored as tuples.

    Examples
    --------
    >>> PiecewiseConstant(boundaries=(2, 4), values=(1.0, 0.1, 0.01)).rate(np.arange(6))
    array([1.  , 1.  , 0.1 , 0.1 , 0.01, 0.01])
    """

    boundaries: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("boundaries", "values"):  # lists and arrays become tuples, so that the schedule can be hashed
            object.__setattr__(self, name, tuple(np.ravel(getattr(self, name)).tolist()))
        ends, values = self.boundaries, self.values
        increasing = all(map(is_real, ends)) and all(low < high for low, high in zip((0, *ends), ends, strict=False))
        require(increasing, self, "boundaries", ends, "must be strictly increasing numbers greater than 0")
        valid = all(is_real(value) and value >= 0 for value in values)
        require(valid, self, "values", values, "must be finite numbers, 0 or greater")
        fits = len(values) == len(ends) + 1
        require(fits, self, "values", values, f"must have {len(ends) + 1} entries, one more than boundaries")

    def rate(self, t: np.ndarray) -> np.ndarray:
        return np.asarray(self.values, dtype=float)[np.searchsorted(self.boundaries, t, side="right")]


class Exponential(Schedule):
    """Exponential decay: eta_t = eta0 exp(-decay t).

    Parameters
    ----------
    eta0 : float
        The rate of update 0, greater than 0.
    decay : float
        The relative decrease per update, 0 or greater: the rate halves every log(2)/decay updates.

    Examples
    --------
    >>> Exponential(eta0=0.1, decay=math.log(2) / 10).rate(np.array([0, 10, 20])).round(6)
    array([0.1  , 0.05 , 0.025])
    """

    eta0: float
    decay: float

    def __post_init__(self) -> None:
        require_positive(self, "eta0")
        require_not_negative(self, "decay")

    def rate(self, t: np.ndarray) -> np.ndarray:
        return self.eta0 * np.exp(-self.decay * t)


class Polynomial(Schedule):
    """Polynomial decay: eta_t = eta0 (beta t + 1)^(-power).

    With ``power=1`` the rate of Bottou, "Stochastic gradient descent tricks" (2012), where beta = eta0 alpha. Not the
    polynomial that falls to zero at the horizon, which other programs give this name; see `LinearToZero` for that.

    Parameters
    ----------
    eta0 : float
        The rate of update 0, greater than 0.
    beta : float
        How soon the decay sets in, in 1/updates, 0 or greater.
    power : float
        The exponent, 0 or greater. Convergence theory asks for more than 1/2 and at most 1.

    Examples
    --------
    >>> Polynomial(eta0=0.1, beta=0.5, power=1.0).rate(np.array([0, 2, 18]))
    array([0.1 , 0.05, 0.01])
    """

    eta0: float
    beta: float
    power: float

    def __post_init__(self) -> None:
        require_positive(self, "eta0")
        require_not_negative(self, "beta", "power")

    def rate(self, t: np.ndarray) -> np.ndarray:
        return self.eta0 * (self.beta * t + 1.0) ** -float(self.power)


class InverseScaling(Schedule):
    """scikit-learn's "invscaling": eta_t = eta0 / (t + 1)^power_t.

    The same rates: scikit-learn counts updates from 1.

    Parameters
    ----------
    eta0 : float, default=0.01
        The rate of update 0, greater than 0.
    power_t : float, default=0.25
        The exponent, 0 or greater.

    Examples
    --------
    >>> InverseScaling(eta0=0.1).rate(np.array([0, 15]))
    array([0.1 , 0.05])
    """

    eta0: float = 0.01
    power_t: float = 0.25

    def __post_init__(self) -> None:
        require_positive(self, "eta0")
        require_not_negative(self, "power_t")

    def rate(self, t: np.ndarray) -> np.ndarray:
        return self.eta0 / (t + 1.0) ** float(self.power_t)


class InverseSqrt(Schedule):
    """The rate of regret bounds for convex losses: eta_t = eta0 / sqrt(t + 1) (Zinkevich, 2003).

    Parameters
    ----------
    eta0 : float, default=0.01
        The rate of update 0, greater than 0.

    Examples
    --------
    >>> InverseSqrt(eta0=1.0).rate(np.array([0, 3, 99]))
    array([1. , 0.5, 0.1])
    """

    eta0: float = 0.01

    def __post_init__(self) -> None:
        require_positive(self, "eta0")

    def rate(self, t: np.ndarray) -> np.ndarray:
        return self.eta0 / np.sqrt(t + 1.0)


class Optimal(Schedule):
    """scikit-learn's "optimal": eta_t = 1 / (alpha (t0 + t)), the rate for a strongly convex objective.

    It has no parameters. alpha is the estimator's; t0 = 1 / (alpha eta_0) follows Bottou's heuristic, by which the
    first step is as long as a typical weight w = alpha^(-1/4): eta_0 = w / max(1, slope), slope being the derivative of
    the loss at p = -w for y = 1.

    Bottou's svmsgd takes minus the derivative there. In scikit-learn it keeps its sign and is negative for every loss,
    so that eta_0 = w always. Ours is scikit-learn's form, to the last bit.

    Raises
    ------
    ValueError
        By `bind`, unless alpha (its mean over features) is greater than 0; by `rate` before `bind`.

    Examples
    --------
    >>> from sksgd.base import Loss
    >>> class Squared(Loss):
    ...     def gradient(self, p, y):
    ...         return p - y
    >>> problem = Horizon(updates=None, updates_per_pass=None, alpha=0.0001, loss=Squared())
    >>> Optimal().bind(problem).rate(np.array([0, 9000])).round(6)
    array([10.,  1.])
    """

    def bind(self, horizon: Horizon) -> Schedule:
        alpha, loss = float(np.mean(horizon.alpha)), horizon.loss
        if not (is_real(alpha) and alpha > 0):
            raise ValueError(
                f"The learning rate Optimal() is 1/(alpha (t0 + t)), so alpha must be above 0. Got {horizon.alpha!r} "
                "instead. Set alpha > 0 or choose another learning_rate, such as 'invscaling'."
            )
        typical = math.sqrt(1.0 / math.sqrt(alpha))
        # The gradient of a joint loss in one of its scores is a difference of probabilities, hence at most 1.
        slope = 1.0 if loss.joint else float(loss.gradient(-typical, 1.0))
        return _BoundOptimal(alpha, 1.0 / (typical / max(1.0, slope) * alpha))

    def rate(self, t: np.ndarray) -> np.ndarray:
        raise ValueError("Optimal() knows its rates only after bind(horizon), which gives it alpha and the loss.")


class _BoundOptimal(Schedule):
    alpha: float
    t0: float

    def rate(self, t: np.ndarray) -> np.ndarray:
        # (t0 + (t + 1)) - 1, because scikit-learn, whose t starts at 1, rounds in this order.
        return 1.0 / (self.alpha * (self.t0 + (t + 1.0) - 1.0))


class Step(Schedule):
    """A rate cut at regular intervals: eta_t = eta0 gamma^(t // step_size).

    Parameters
    ----------
    eta0 : float
        The rate of the first step_size updates, greater than 0.
    step_size : int
        The number of updates between two cuts.
    gamma : float, default=0.1
        The factor of a cut, in (0, 1].

    Examples
    --------
    >>> Step(eta0=1.0, step_size=2, gamma=0.5).rate(np.arange(6))
    array([1.  , 1.  , 0.5 , 0.5 , 0.25, 0.25])
    """

    eta0: float
    step_size: int
    gamma: float = 0.1

    def __post_init__(self) -> None:
        require_positive(self, "eta0")
        require_count(self, "step_size")
        require(is_real(self.gamma) and 0 < self.gamma <= 1, self, "gamma", self.gamma, "must be in (0, 1]")

    def rate(self, t: np.ndarray) -> np.ndarray:
        return self.eta0 * float(self.gamma) ** (t // self.step_size)
