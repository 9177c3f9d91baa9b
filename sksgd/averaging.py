"""Averages of the iterates, which estimate the minimum better than the last iterate does.

All have the form w_bar += rho_t (w_t - w_bar), where w_t are the weights after update t; t counts updates from 0,
whatever the batch size. An average with explicit weights c_s >= 0 has rho_t = c_t / (c_0 + ... + c_t). Weights are pure
numbers; only their ratios matter. A parameter out of its range raises `InvalidParameterError`, a `ValueError`.

`rho` gives the same numbers however the updates are split into calls. It hands the sum of weights (`mass`) on unchanged
where it has no use for it.

>>> resolve_averaging(True)
PolyakRuppert(start=0)
>>> PolyakRuppert().rho(np.arange(4), 0.1, 0.0)[0]
array([1.        , 0.5       , 0.33333333, 0.25      ])
"""

from __future__ import annotations

import math
import numbers
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from .base import Averaging, Horizon
from .checks import is_real, require, require_not_negative

__all__ = [
    "AVERAGINGS",
    "ExponentialAverage",
    "PolyakRuppert",
    "PolynomialDecay",
    "RateWeighted",
    "Tail",
    "resolve_averaging",
]


class PolyakRuppert(Averaging):
    """The plain mean of w_start, w_{start + 1}, ...: rho_t = 1 for t <= start, else 1 / (t - start + 1).

    Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992). scikit-learn's ``average=k``
    is ``start=k - 1``, as it counts updates from 1.

    Parameters
    ----------
    start : int, default=0
        The update after which the first weights enter the mean, 0 or greater.

    Examples
    --------
    >>> PolyakRuppert(start=2).rho(np.arange(5), 0.1, 0.0)[0]
    array([1.        , 1.        , 1.        , 0.5       , 0.33333333])
    """

    start: int = 0

    def __post_init__(self) -> None:
        start: Any = self.start
        valid = not isinstance(start, bool) and isinstance(start, numbers.Integral) and int(start) >= 0
        require(valid, self, "start", start, "counts updates and must be an integer, 0 or greater")

    def rho(self, t: np.ndarray, eta: np.ndarray | float, mass: float) -> tuple[np.ndarray, float]:
        return 1.0 / np.maximum(t - self.start + 1, 1), mass


class RateWeighted(Averaging):
    """The mean weighted by the learning rates: rho_t = eta_t / (eta_0 + ... + eta_t).

    Nemirovski et al., "Robust stochastic approximation approach to stochastic programming" (2009), who pair eta_t with
    the weights before update t; ours, like all averages here, takes those after it. With a constant rate it is
    `PolyakRuppert`. Updates of rate 0 have no weight; while there were no others, rho_t = 1.

    Examples
    --------
    >>> rho, mass = RateWeighted().rho(np.arange(3), np.array([1.0, 0.5, 0.25]), 0.0)
    >>> rho, mass
    (array([1.        , 0.33333333, 0.14285714]), 1.75)
    """

    def rho(self, t: np.ndarray, eta: np.ndarray | float, mass: float) -> tuple[np.ndarray, float]:
        rates = np.broadcast_to(np.asarray(eta, dtype=float), np.shape(t))
        # The sum so far comes first, so that additions have the same order however the updates are split into calls.
        sums = np.cumsum(np.concatenate(([mass], rates)))
        rho = np.ones(len(rates))
        np.divide(rates, sums[1:], out=rho, where=sums[1:] > 0)
        return rho, float(sums[-1])


class Tail(Averaging):
    """The plain mean over the last passes only, which forgets the start altogether.

    It begins at a whole pass: of p passes the last ceil(fraction p) count. Until then the average is the last iterate,
    also where training stops early. Rakhlin, Shamir and Sridharan, "Making gradient descent optimal for strongly convex
    stochastic optimization" (2012), who call it suffix averaging, cut at any update instead.

    Parameters
    ----------
    fraction : float, default=0.5
        The part of the passes that counts, in (0, 1].

    Raises
    ------
    ValueError
        By `bind` where the number of updates to come is unknown, as in `partial_fit`; by `rho` before `bind`.

    Examples
    --------
    >>> from sksgd.base import Loss
    >>> Tail(0.5).bind(Horizon(updates=50, updates_per_pass=10, alpha=0.0, loss=Loss()))
    PolyakRuppert(start=20)
    """

    needs_horizon: ClassVar[bool] = True

    fraction: float = 0.5

    def __post_init__(self) -> None:
        valid = is_real(self.fraction) and 0 < self.fraction <= 1
        require(valid, self, "fraction", self.fraction, "must be in (0, 1], a fraction of the passes")

    def bind(self, horizon: Horizon) -> Averaging:
        if horizon.updates is None or horizon.updates_per_pass is None:
            raise ValueError(
                "The averaging Tail covers the last passes of the training, but the number of updates to come is "
                "unknown. Call fit, which knows it, or use PolyakRuppert(start=...) or PolynomialDecay()."
            )
        passes = horizon.updates // horizon.updates_per_pass
        counted = max(1, math.ceil(self.fraction * passes - 1e-9))  # 0.1 * 30 is a little more than 3 in floats
        return PolyakRuppert(start=max(passes - counted, 0) * horizon.updates_per_pass)

    def rho(self, t: np.ndarray, eta: np.ndarray | float, mass: float) -> tuple[np.ndarray, float]:
        raise ValueError("Tail() knows when it starts only after bind(horizon), which gives it the number of updates.")


class PolynomialDecay(Averaging):
    """A mean that forgets the start gradually and needs no horizon: rho_t = (gamma + 1) / (t + gamma + 1).

    The weight of w_t grows like t^gamma. Shamir and Zhang, "Stochastic gradient descent for non-smooth optimization"
    (2013), with their t, which starts at 1, counted from 0.

    Parameters
    ----------
    gamma : float, default=3.0
        0 or greater; 0 is the plain mean. Greater values forget sooner.

    Examples
    --------
    >>> PolynomialDecay(gamma=1.0).rho(np.arange(4), 0.1, 0.0)[0]
    array([1.        , 0.66666667, 0.5       , 0.4       ])
    """

    gamma: float = 3.0

    def __post_init__(self) -> None:
        require_not_negative(self, "gamma")

    def rho(self, t: np.ndarray, eta: np.ndarray | float, mass: float) -> tuple[np.ndarray, float]:
        return (self.gamma + 1.0) / (t + (self.gamma + 1.0)), mass


class ExponentialAverage(Averaging):
    """A mean over about the last 1 / (1 - decay) updates: rho_t = (1 - decay) / (1 - decay^(t + 1)).

    The weight of w_t is decay^(-t). The denominator is Adam's correction of the bias at the start (Kingma and Ba,
    2015): without it the first iterate would weigh too much. Programs differ: torch's EMA helpers leave it out.

    Parameters
    ----------
    decay : float, default=0.999
        In (0, 1).

    Examples
    --------
    >>> ExponentialAverage(decay=0.5).rho(np.arange(3), 0.1, 0.0)[0]
    array([1.        , 0.66666667, 0.57142857])
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        valid = is_real(self.decay) and 0 < self.decay < 1
        require(valid, self, "decay", self.decay, "must be between 0 and 1, both excluded")

    def rho(self, t: np.ndarray, eta: np.ndarray | float, mass: float) -> tuple[np.ndarray, float]:
        return (1.0 - self.decay) / (1.0 - float(self.decay) ** (t + 1.0)), mass


#: The averaging rules that can be given by name.
AVERAGINGS: dict[str, type[Averaging]] = {
    "polyak_ruppert": PolyakRuppert,
    "rate_weighted": RateWeighted,
    "tail": Tail,
    "polynomial_decay": PolynomialDecay,
    "exponential": ExponentialAverage,
}


def resolve_averaging(value: Any, name: str = "average") -> Averaging | None:
    """The averaging rule meant by a parameter, or None for no averaging.

    Parameters
    ----------
    value : Averaging, bool, int, str or None
        An averaging rule passes through. None and False (or 0) mean none, True (or 1) means ``PolyakRuppert()``, an
        integer k > 1 ``PolyakRuppert(start=k)``, a string is looked up in `AVERAGINGS`.
    name : str, default="average"
        The name of the parameter, for the error message.

    Raises
    ------
    InvalidParameterError
        For anything else.

    Examples
    --------
    >>> resolve_averaging(100), resolve_averaging("tail")
    (PolyakRuppert(start=100), Tail(fraction=0.5))
    """
    if value is None or isinstance(value, Averaging):
        return value
    if isinstance(value, str) and value in AVERAGINGS:
        return AVERAGINGS[value]()
    if isinstance(value, (bool, np.bool_, numbers.Integral)) and int(value) >= 0:
        k = int(value)
        return PolyakRuppert(start=k if k > 1 else 0) if k else None
    raise InvalidParameterError(
        f"The {name!r} parameter must be a bool, None, an integer 0 or greater, an Averaging or one of "
        f"{sorted(AVERAGINGS)}. Got {value!r} instead."
    )
