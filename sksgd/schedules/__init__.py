"""Learning rates: how far update t moves.

Common to all: `t` counts updates from 0, whatever the batch size; it goes on counting over passes and calls of
`partial_fit`. A rate is what multiplies the gradient of the mean loss, hence in units of weight per unit of gradient.
`rate` takes an integer array (a single integer works too) and gives an array of float64 of the same shape, or one float
where the rate never changes. Rates are finite and not negative. A parameter out of its range raises
`InvalidParameterError`, which is a `ValueError`, on construction.

Schedules that end with the training have `total`, the number of updates over which they run. None means all updates of
`fit`, which `bind` then fills in; where their number is unknown, as in `partial_fit`, give it yourself. After `total`
updates the rate stays at its final value.

Wherever a schedule is expected, `resolve_schedule` also takes a number, a name in `SCHEDULES` or a function of t:

>>> import numpy as np
>>> from sksgd.schedules import resolve_schedule
>>> resolve_schedule(0.1)
Constant(eta0=0.1)
>>> resolve_schedule("inverse_sqrt").rate(np.array([0, 3, 99]))
array([0.01 , 0.005, 0.001])
"""

from __future__ import annotations

import dataclasses
from typing import Any

from sklearn.utils._param_validation import InvalidParameterError

from ..base import Schedule
from ..checks import is_real
from .auto import Auto
from .decay import Constant, Exponential, InverseScaling, InverseSqrt, Optimal, PiecewiseConstant, Polynomial, Step
from .horizon import Cosine, LinearToZero, OneCycle
from .other import Adaptive, Cyclic, FunctionSchedule, Warmup

__all__ = [
    "SCHEDULES",
    "Adaptive",
    "Auto",
    "Constant",
    "Cosine",
    "Cyclic",
    "Exponential",
    "FunctionSchedule",
    "InverseScaling",
    "InverseSqrt",
    "LinearToZero",
    "OneCycle",
    "Optimal",
    "PiecewiseConstant",
    "Polynomial",
    "Step",
    "Warmup",
    "resolve_schedule",
]

#: The schedules that can be given by name.
SCHEDULES: dict[str, type[Schedule]] = {
    "auto": Auto,
    "constant": Constant,
    "piecewise_constant": PiecewiseConstant,
    "exponential": Exponential,
    "polynomial": Polynomial,
    "invscaling": InverseScaling,
    "inverse_sqrt": InverseSqrt,
    "optimal": Optimal,
    "step": Step,
    "cosine": Cosine,
    "linear": LinearToZero,
    "one_cycle": OneCycle,
    "cyclic": Cyclic,
    "warmup": Warmup,
    "adaptive": Adaptive,
}


def resolve_schedule(value: Any, name: str = "learning_rate") -> Schedule:
    """The schedule meant by a parameter.

    Parameters
    ----------
    value : Schedule, float, str or callable
        A schedule passes through; a number greater than 0 is `Constant`, a name is looked up in `SCHEDULES`, any other
        callable is `FunctionSchedule`.
    name : str, default="learning_rate"
        The name of the parameter, for the error message.

    Raises
    ------
    InvalidParameterError
        For anything else, and for the name of a schedule that cannot do without parameters.

    Examples
    --------
    >>> resolve_schedule("cosine")
    Cosine(eta0=0.01, eta_min=0.0, total=None)
    """
    if isinstance(value, Schedule):
        return value
    if is_real(value) and value > 0:
        return Constant(float(value))
    known = value in SCHEDULES if isinstance(value, str) else isinstance(value, type) and issubclass(value, Schedule)
    if known:
        kind = SCHEDULES[value] if isinstance(value, str) else value
        needed = [
            f.name
            for f in dataclasses.fields(kind)
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        if isinstance(value, str) and not needed:
            return kind()
        call = f"{kind.__name__}({', '.join(f'{field}=...' for field in needed)})"
        raise InvalidParameterError(f"The {name!r} parameter must be given as an instance here, {call}. Got {value!r}.")
    if callable(value):
        return FunctionSchedule(value)
    raise InvalidParameterError(
        f"The {name!r} parameter must be a number greater than 0, a Schedule, a function of the update t or one of "
        f"{sorted(SCHEDULES)}. Got {value!r} instead."
    )
