"""Noise that is added to gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

#: Of a random generator and the point; the noise has the shape of the point.
Noise = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def resolve_noise(value: Any) -> Noise | None:
    """The noise a parameter means: a standard deviation, a distribution of `scipy.stats`, a function, or none."""
    if value is None:
        return None
    if hasattr(value, "rvs"):
        return lambda rng, x: value.rvs(size=x.shape, random_state=rng)
    if callable(value):
        return value
    deviation = np.asarray(value, dtype=float)
    if not (np.isfinite(deviation).all() and (deviation >= 0).all()):
        raise InvalidParameterError(
            "The 'noise' parameter must be standard deviations, 0 or greater, a frozen distribution of scipy.stats, a "
            f"function noise(rng, x) or None. Got {value!r} instead."
        )
    return lambda rng, x: deviation * rng.standard_normal(x.shape)
