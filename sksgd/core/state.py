"""All that changes during training, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from .problem import Problem


class State:
    """Weights, slots, average and counters: what a later call resumes, a pickle stores.

    Weights live in one of two layouts. Without an idle strategy, `lines` has shape (C, K, d), C = 1 + n_slots +
    averaged. With one, it has shape (d, K C [+ 1]): one record per feature, which may owe updates to its weights (see
    `sksgd.kernels.lazy`). Reading never changes the state: `weights` settles a copy.

    Attributes
    ----------
    lines : ndarray of the dtype of the data
    bias : ndarray of shape (C, K), float64
        Intercepts with slots and average.
    debt : ndarray
        What all records owe.
    idle : Idle or None
    t : int
        Updates so far.
    n_passes, n_samples_seen : int
        Passes (calls of `partial_fit`) and rows visited so far.
    seed : int
        With the number of the pass it decides the order of the rows.
    factor : float
        What an adaptive schedule multiplies all rates by.
    mass, step_sum : float
        Sums of the weights of the average and of the penalty's steps, for the rules that need them.
    last_line : ndarray or None
        The table's line of the last update.
    """

    def __init__(self, problem: Problem, n_outputs: int, n_features: int, dtype: Any, seed: int):
        self.averaged = problem.averaging is not None
        self.lines = np.zeros((1 + problem.optimizer.n_slots + self.averaged, n_outputs, n_features), dtype)
        self.bias = np.zeros((len(self.lines), n_outputs))
        self.idle: Any = None
        self.debt = np.array([1.0, 0.0, 0.0, 1.0, 0.0])
        self.t = self.n_passes = self.n_samples_seen = 0
        self.seed = seed
        self.factor, self.mass, self.step_sum = 1.0, 0.0, 0.0
        self.last_line: np.ndarray | None = None
        self._read: Any = None

    @property
    def n_outputs(self) -> int:
        return self.bias.shape[1]

    @property
    def n_features(self) -> int:
        return self.lines.shape[-1] if self.idle is None else len(self.lines)

    def start(self, problem: Problem, coef: np.ndarray, intercept: np.ndarray) -> None:
        """Set the weights to begin with: coef (K, d), intercept (K,)."""
        if problem.bounds is not None:
            coef = np.clip(coef, *problem.bounds)
        for values, weights in ((self.lines, coef), (self.bias, intercept)):
            values[0] = weights
            for m, slot in enumerate(problem.optimizer.start(values[0].copy())):
                values[1 + m] = slot
            if self.averaged:
                values[-1] = values[0]

    def copy(self) -> State:
        """A copy that shares nothing."""
        other = copy.copy(self)
        other.lines, other.bias, other.debt = self.lines.copy(), self.bias.copy(), self.debt.copy()
        return other

    def adopt(self, other: State) -> None:
        """Become `other`, which must not be used any more."""
        self.__dict__ = other.__dict__

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_read": None}

    def touch(self) -> None:
        """To be called after every change."""
        self._read = None

    def weights(self, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
        """The weights (K, d) and intercepts (K,) of the model: averaged if there is an average.

        Under a sparse penalty an average is zero where the last iterate is, which keeps the zeros exact.
        """
        if self._read is None:
            lines = self.lines if self.idle is None else _as_lines(self._settled(problem), self)
            coef = np.ascontiguousarray(lines[-1 if self.averaged else 0]) + 0  # no negative zeros
            if self.averaged and problem.penalty.sparse:
                coef[lines[0] == 0] = 0
            self._read = coef, self.bias[-1 if self.averaged else 0].copy()
        return self._read

    def convert(self, problem: Problem, idle: Any) -> None:
        """Change to the layout that the strategy `idle` wants."""
        if idle == self.idle:
            return
        lines = self.lines if self.idle is None else _as_lines(self._settled(problem), self)
        self.idle = idle
        started = 1.0 if self.averaged and self.t > 0 else 0.0
        self.debt = np.array([1.0, 0.0, 0.0, 1.0, started])
        if idle is None:
            self.lines = np.ascontiguousarray(lines)
            return
        C, K, d = lines.shape
        self.lines = np.zeros((d, K * C + idle.owes), lines.dtype)
        if self.averaged and not started:
            lines = np.concatenate([lines[:-1], np.zeros_like(lines[-1:])])
        self.lines[:, : K * C] = lines.transpose(2, 1, 0).reshape(d, K * C)

    def settle(self, problem: Problem) -> None:
        """Pay what the records owe, in place."""
        self.lines = self._settled(problem)
        self.debt[:4] = 1.0, 0.0, 0.0, 1.0

    def _settled(self, problem: Problem) -> np.ndarray:
        from ..kernels.lazy import settle

        records = self.lines.copy()
        if self.last_line is not None:
            table = self.last_line.reshape(1, -1)
            settle(problem.model, self.idle, records, table, 0, self.n_outputs, self.debt.copy(), self.averaged)
        return records

    def within_reach(self, X: Any) -> np.ndarray | None:
        """The only features whose records rows `X` can change, where that is worth knowing."""
        if self.idle is None or not sp.issparse(X) or 4 * X.nnz > X.shape[1]:
            return None
        return np.unique(X.indices)

    def is_finite(self, features: np.ndarray | None) -> bool:
        """Whether the records of these features, None for all, and the intercepts are finite."""
        records = self.lines if features is None else self.lines[features]
        return bool(np.isfinite(records).all() and np.isfinite(self.bias).all())

    def savepoint(self, features: np.ndarray | None) -> Callable[[], None]:
        """A function that takes back all changes; `features` are the only records that will change, if known."""
        if self.idle is not None and self.idle.tabled:
            features = None  # a call ends with all records settled
        saved = copy.copy(self)
        saved.bias, saved.debt, original = self.bias.copy(), self.debt.copy(), self.lines
        values = original.copy() if features is None else original[features]

        def restore() -> None:
            if features is None:
                saved.lines = values
            else:
                original[features] = values
                saved.lines = original
            self.adopt(saved)

        return restore


def _as_lines(records: np.ndarray, state: State) -> np.ndarray:
    """Settled records as lines (C, K, d)."""
    C, K = state.bias.shape
    lines = records[:, : K * C].reshape(-1, K, C).transpose(2, 1, 0)
    if state.averaged and not state.debt[-1]:  # no average yet: it is the weight
        lines = np.concatenate([lines[:-1], lines[:1]])
    return lines
