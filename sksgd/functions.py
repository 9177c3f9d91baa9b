"""Scalar functions for use inside hooks: floats in, floats out, no exceptions, NaN in gives NaN out.

A hook may call these and the functions of `math`. They differ from `math` where that would raise or lose digits.

>>> from sksgd.functions import exp, log1pexp
>>> exp(1000.0), log1pexp(-40.0)
(inf, 4.248354255291589e-18)
"""

from __future__ import annotations

import math

__all__ = ["exp", "expit", "expm1_ratio", "log1pexp"]

#: The largest x for which e^x is a finite float64.
_EXP_MAX = math.log(1.7976931348623157e308)


def exp(x: float) -> float:
    """e^x, which is infinite where `math.exp` raises `OverflowError`.

    Examples
    --------
    >>> exp(0.0), exp(1000.0)
    (1.0, inf)
    """
    return math.inf if x > _EXP_MAX else math.exp(x)


def expit(x: float) -> float:
    """The logistic function 1/(1 + e^-x).

    Examples
    --------
    >>> expit(0.0), expit(-1000.0)
    (0.5, 0.0)
    """
    return 1.0 / (1.0 + exp(-x))


def log1pexp(x: float) -> float:
    """log(1 + e^x).

    Examples
    --------
    >>> round(log1pexp(0.0), 6), log1pexp(1000.0)
    (0.693147, 1000.0)
    """
    # Only ever e to a negative power: neither overflow for large x nor lost digits for small.
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def expm1_ratio(x: float) -> float:
    """(e^x - 1)/x, continued by 1 at x = 0.

    Examples
    --------
    >>> expm1_ratio(0.0), round(expm1_ratio(1.0), 6)
    (1.0, 1.718282)
    """
    if x > _EXP_MAX:
        return math.inf
    return math.expm1(x) / x if x != 0.0 else 1.0
