"""`sksgd.functions` for kernels: branch-free, so that loops around them vectorise (0.35 ns a value against 3 for libm).

The formulas are exact to a few units in the last place; where one is only good on a part of the line, both are computed
and one is selected.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .. import functions
from .jit import helper, overload


@intrinsic
def _as_bits(context: Any, x: Any) -> Any:
    return types.int64(types.float64), lambda ctx, builder, sig, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic
def _as_float(context: Any, x: Any) -> Any:
    return types.float64(types.int64), lambda ctx, builder, sig, args: builder.bitcast(args[0], ir.DoubleType())


@helper
def _exp(x):
    """e^x = 2^k e^r with abs(r) <= log(2)/2; k is read off the low bits after adding 1.5 2^52, e^r a polynomial."""
    y = min(max(x * 1.0, -708.0), 709.0)
    magic = 6755399441055744.0
    shifted = y * 1.4426950408889634 + magic
    k = shifted - magic
    r = y - k * 6.93147180369123816490e-01
    r = r - k * 1.90821492927058770002e-10
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + r) + r2 * (0.5 + r * (1 / 6.0))
    mid = (1 / 24.0 + r * (1 / 120.0)) + r2 * (1 / 720.0 + r * (1 / 5040.0))
    high = (1 / 40320.0 + r * (1 / 362880.0)) + r2 * (1 / 3628800.0 + r * (1 / 39916800.0) + r2 * (1 / 479001600.0))
    value = (low + r4 * (mid + r4 * high)) * _as_float((_as_bits(shifted) - _as_bits(magic) + 1023) << 52)
    return math.inf if x > 709.0 else (0.0 if x < -708.0 else value)


@helper
def _expit(x):
    return 1.0 / (1.0 + _exp(-x))


@helper
def _log1pexp(x):
    # log(1 + z) = 2 artanh(z / (2 + z)) for z = e^-abs(x) in [0, 1]: the series in s^2 <= 1/9 needs 16 terms.
    z = _exp(-abs(x))
    s = z / (2.0 + z)
    t = s * s
    series = 1 / 25.0 + t * (1 / 27.0 + t * (1 / 29.0 + t * (1 / 31.0 + t * (1 / 33.0))))
    series = 1 / 15.0 + t * (1 / 17.0 + t * (1 / 19.0 + t * (1 / 21.0 + t * (1 / 23.0 + t * series))))
    series = 1 / 5.0 + t * (1 / 7.0 + t * (1 / 9.0 + t * (1 / 11.0 + t * (1 / 13.0 + t * series))))
    return max(x, 0.0) + 2.0 * s * (1.0 + t * (1 / 3.0 + t * series))


@helper
def _expm1_ratio(x):
    series = 1.0 + x * (1 / 2.0 + x * (1 / 6.0 + x * (1 / 24.0 + x * (1 / 120.0 + x * (1 / 720.0 + x * (1 / 5040.0))))))
    small = abs(x) < 0.03
    return series if small else (_exp(x) - 1.0) / (1.0 if small else x)


def log(x: float) -> float:
    """log(x) of a finite number that is not tiny, for kernels only."""
    return math.log(x)


@helper
def _log(x):
    """x = 2^k m with m between sqrt(1/2) and sqrt(2); log(m) = 2 artanh(s) for s = (m - 1)/(m + 1), a series in s^2."""
    bits = _as_bits(x * 1.0)
    k = (bits - 0x3FE6A09E667F3BCD) >> 52
    m = _as_float(bits - (k << 52))
    s = (m - 1.0) / (m + 1.0)
    t = s * s
    high = 1 / 11.0 + t * (1 / 13.0 + t * (1 / 15.0 + t * (1 / 17.0 + t * (1 / 19.0 + t * (1 / 21.0)))))
    series = t * (1 / 3.0 + t * (1 / 5.0 + t * (1 / 7.0 + t * (1 / 9.0 + t * high))))
    return k * 6.93147180369123816490e-01 + (2.0 * s + (2.0 * s * series + k * 1.90821492927058770002e-10))


@overload(log)
def _(x: Any) -> Any:
    return lambda x: _log(x)


_IMPLEMENTATIONS = {"exp": _exp, "expit": _expit, "log1pexp": _log1pexp, "expm1_ratio": _expm1_ratio}

for _name in functions.__all__:

    def _typing(x: Any, _compiled: Any = _IMPLEMENTATIONS[_name]) -> Any:
        return lambda x: _compiled(x)

    overload(getattr(functions, _name))(_typing)
