"""The function to minimise, as the user gave it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.optimize import approx_fprime
from sklearn.utils._param_validation import InvalidParameterError

from ..base import Sampler


class Objective:
    """`fun` and its gradient at points of shape (d,), and how often they were called.

    With `n_samples` it is a mean over samples: both take an array of their numbers after the point, and give the mean
    over these. Points are handed out as copies, for a kernel writes to the vector of weights in place.
    """

    def __init__(self, fun: Callable, jac: Any, args: Any, n_samples: int | None):
        self.fun, self.jac, self.n_samples = fun, jac, n_samples
        self.args = args if isinstance(args, tuple) else (args,)
        self.all: tuple[np.ndarray, ...] = () if n_samples is None else (np.arange(n_samples),)
        self.nfev = self.njev = 0

    def value(self, x: np.ndarray) -> float:
        """The function at a point, over all samples."""
        return self._value(x, *self.all)

    def _value(self, x: np.ndarray, *rows: np.ndarray) -> float:
        self.nfev += 1
        value = self.fun(x.copy(), *rows, *self.args)
        value = np.asarray(value[0] if self.jac is True else value)
        if value.size != 1:
            raise ValueError(f"fun must return one number. It gave an array of shape {value.shape}.")
        return float(value.reshape(()))

    def gradient(self, x: np.ndarray, *rows: np.ndarray) -> np.ndarray:
        """The gradient at a point, of the samples with these numbers if it is a mean over samples."""
        if not callable(self.jac) and self.jac is not True:
            return approx_fprime(x.astype(float), self._value, np.sqrt(np.finfo(float).eps), *rows)
        self.njev += 1
        jac = self.jac if callable(self.jac) else self._second
        gradient = np.asarray(jac(x.copy(), *rows, *self.args))
        if gradient.size != x.size:
            raise ValueError(f"The gradient must have the shape of x0, {x.shape}. Its shape is {gradient.shape}.")
        return gradient.reshape(x.shape)

    def _second(self, *args: Any) -> Any:
        self.nfev += 1
        return self.fun(*args)[1]


def passes(
    n_samples: int | None, batch_size: int | str, sampler: Sampler, seed: int
) -> tuple[Iterator[tuple[np.ndarray, ...]], int]:
    """The batches of all updates, as tuples of what follows the point in calls, and how many make a pass."""
    if n_samples is None:
        return itertools.repeat(()), 1
    if sampler.needs_norms:
        raise InvalidParameterError(
            f"{sampler!r} needs the norms of rows, and the samples of a function have none. Choose another sampling, "
            "such as 'with_replacement'."
        )
    size = n_samples if batch_size == "full" else min(int(batch_size), n_samples)
    return _batches(n_samples, size, sampler, seed), -(-n_samples // size)


def _batches(n: int, size: int, sampler: Sampler, seed: int) -> Iterator[tuple[np.ndarray, ...]]:
    for order, factors in sampler.orders(n, seed, 0):
        if factors is not None:
            raise ValueError(f"{sampler!r} gives weights to samples, which a function's mean over a batch cannot take.")
        for first in range(0, n, size):
            yield (order[first : first + size],)
