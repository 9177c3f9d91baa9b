"""The random numbers that scikit-learn draws for the order of rows."""

from __future__ import annotations

import functools
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

MAX_INT = np.iinfo(np.int32).max


def seed_after(random_state: Any) -> int:
    """The second of two draws: scikit-learn makes one for a data set that it then only shuffles."""
    if isinstance(random_state, Integral):
        return _seed_after(int(random_state))
    rng = check_random_state(random_state)
    rng.randint(1, MAX_INT)
    return int(rng.randint(MAX_INT))


@functools.lru_cache(maxsize=256)
def _seed_after(seed: int) -> int:
    # A generator takes 60 microseconds to set up.
    return seed_after(np.random.RandomState(seed))


def seed_before(random_state: Any) -> int:
    """The first of the two draws, which is the one for the order of rows in the regressor."""
    if isinstance(random_state, Integral):
        return _seed_before(int(random_state))
    rng = check_random_state(random_state)
    seed = int(rng.randint(0, MAX_INT))
    rng.randint(1, MAX_INT)
    return seed


@functools.lru_cache(maxsize=256)
def _seed_before(seed: int) -> int:
    return seed_before(np.random.RandomState(seed))
