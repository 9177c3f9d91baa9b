"""Checks of the fields of components; errors name the parameter, its value and the remedy."""

from __future__ import annotations

import math
import numbers
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

__all__ = ["is_real", "require", "require_count", "require_fraction", "require_not_negative", "require_positive"]


def require(condition: bool, owner: object, name: str, value: object, remedy: str) -> None:
    """Raise `InvalidParameterError` naming the parameter, its value and the remedy unless `condition` holds."""
    if not condition:
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(owner).__name__} {remedy}. Got {value!r} instead."
        )


def is_real(value: Any) -> bool:
    """Whether a value is a finite number; a bool is none."""
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(value)


def require_positive(owner: object, *names: str) -> None:
    """Fields that must be finite numbers above 0."""
    for name in names:
        value = getattr(owner, name)
        require(is_real(value) and value > 0, owner, name, value, "must be a finite number greater than 0")


def require_not_negative(owner: object, *names: str) -> None:
    """Fields that must be finite numbers, 0 or above."""
    for name in names:
        value = getattr(owner, name)
        require(is_real(value) and value >= 0, owner, name, value, "must be a finite number, 0 or greater")


def require_fraction(owner: object, *names: str) -> None:
    """Fields that must be numbers in [0, 1)."""
    for name in names:
        value = getattr(owner, name)
        require(0 <= value < 1, owner, name, value, "must lie in [0, 1)")


def require_count(owner: object, name: str) -> None:
    """A field that counts from 1 on."""
    value = getattr(owner, name)
    valid = not isinstance(value, bool) and isinstance(value, numbers.Integral) and int(value) > 0
    require(valid, owner, name, value, "counts and must be an integer, 1 or greater")
