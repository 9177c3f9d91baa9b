"""`kernel`: njit with the project's options and an on-disk cache that may fail without harm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from numba import njit

# Without "nnan" and "ninf": a kernel must see infinities. Without "reassoc": sums keep their order.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "forceinline": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz", "arcp"},
}

# For sums whose order is free, so that they vectorise.
REORDER = OPTIONS | {"fastmath": OPTIONS["fastmath"] | {"reassoc"}}


def helper(function: Callable) -> Any:
    """A function that kernels inline; it is compiled and cached as a part of them."""
    return njit(**OPTIONS)(function)


def apart(function: Callable) -> Any:
    """A function that kernels call, and that compiles once for all of them; sums in it may be reordered.

    For long loops over arrays which do not depend on components. Inlined, they doubled the compile time of a kernel.
    """
    return njit(**REORDER | {"forceinline": False})(function)


def kernel(function: Callable) -> Any:
    """A function called from Python: compiled at the first call for given types, then cached on disk.

    Numba refuses to decorate where it finds no writable place for its cache, and raises after compilation when the
    place has become unwritable or full. Neither is a reason to fail: the kernel then lives as long as the process.
    """
    try:
        compiled = njit(cache=True, **OPTIONS)(function)
    except (RuntimeError, OSError):
        return njit(**OPTIONS)(function)
    if not hasattr(compiled, "py_func"):  # NUMBA_DISABLE_JIT
        return compiled
    cache = compiled._cache
    save = cache.save_overload

    def save_if_possible(*args: Any) -> None:
        with contextlib.suppress(OSError):
            save(*args)

    cache.save_overload = save_if_possible
    return compiled
