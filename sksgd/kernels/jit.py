"""Numba's decorators with the project's options; `kernel` has an on-disk cache that may fail without harm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numba.extending
from numba import njit

# Without "nnan" and "ninf": a kernel must see infinities. Without "reassoc": sums keep their order.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "forceinline": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp"},
}
REORDER = {"fastmath": OPTIONS["fastmath"] | {"reassoc"}}
# For long loops over arrays which do not depend on components. Inlined, they doubled the compile time of a kernel.
APART = REORDER | {"forceinline": False}

# What only kernels call needs no wrappers for calls from Python and from C. They took a fifth of the compile time.
UNWRAPPED = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def _inside(function: Callable, **options: Any) -> Any:
    """The function itself, which kernels may call; types of constants are their values, as `numba.njit` has it."""
    options = OPTIONS | UNWRAPPED | options
    numba.extending.overload(function, strict=False, prefer_literal=True, jit_options=options)(lambda *_: function)
    return function


def helper(function: Callable) -> Any:
    """A function that kernels inline; it is compiled and cached as a part of them. Python runs it as it is written."""
    return _inside(function)


def reordered(function: Callable) -> Any:
    """A helper with sums whose order is free, so that they vectorise."""
    return _inside(function, **REORDER)


def exact(function: Callable) -> Any:
    """A helper that computes what is written, operation by operation."""
    return _inside(function, fastmath=False)


def overload(function: Callable, options: dict[str, Any] | None = None) -> Any:
    """Numba's `overload`, without wrappers, and free to name arguments otherwise.

    With `options`, such as `REORDER`, the implementations are as helpers with these; else their arithmetic is Numba's.
    """
    own = {} if options is None else OPTIONS | options
    return numba.extending.overload(function, strict=False, jit_options=own | UNWRAPPED)


def kernel(function: Callable) -> Any:
    """A function called from Python: compiled at the first call for given types, then cached on disk.

    Numba refuses to decorate where it finds no writable place for its cache, and raises after compilation when the
    place has become unwritable or full. Neither is a reason to fail: the kernel then lives as long as the process.
    """
    options = OPTIONS | {"no_cfunc_wrapper": True}
    try:
        compiled = njit(cache=True, **options)(function)
    except (RuntimeError, OSError):
        return njit(**options)(function)
    if not hasattr(compiled, "py_func"):  # NUMBA_DISABLE_JIT
        return compiled
    cache = compiled._cache
    save = cache.save_overload

    def save_if_possible(*args: Any) -> None:
        with contextlib.suppress(OSError):
            save(*args)

    cache.save_overload = save_if_possible
    return compiled
