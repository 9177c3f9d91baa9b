"""The shuffle of scikit-learn's SGD."""

from __future__ import annotations

from typing import Any

from .jit import kernel


@kernel
def xorshift_shuffle(order: Any, seed: int) -> None:
    """Shuffle in place: Fisher-Yates from the front, by Marsaglia's 32-bit xorshift, of which 31 bits are used."""
    state = seed if seed != 0 else 1
    n = len(order)
    for i in range(n - 1):
        state = (state ^ (state << 13)) & 0xFFFFFFFF
        state = state ^ (state >> 17)
        state = (state ^ (state << 5)) & 0xFFFFFFFF
        j = i + (state & 0x7FFFFFFF) % (n - i)
        order[i], order[j] = order[j], order[i]
