"""All that changes during training, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..debt import STARTED, nothing_owed
from .problem import Problem


class State:
    """Weights, slots, average and counters: what a later call resumes, a pickle stores.

    Weights live in one of two layouts: `lines` of shape (C, K, d), C = 1 + n_slots + averaged, or, beside CSR rows, of
    shape (d, K C [+ 1]), one record per feature. With an idle strategy, weights may owe updates (see
    `sksgd.debt`). Reading never changes the state: `weights` settles a copy.

    Attributes
    ----------
    lines : ndarray of the dtype of the data
    bias : ndarray of shape (C, K), float64
        Intercepts with slots and average.
    debt : ndarray
        What all weights owe.
    idle : Idle or None
    t : int
        Updates so far.
    position : int
        Buffers of a stream of rows that were visited in the present pass, where it is not over.
    n_passes, n_samples_seen : int
        Passes (calls of `partial_fit`) and rows visited so far.
    seed : int
        With the number of the pass it decides the order of the rows.
    factor : float
        What an adaptive schedule multiplies all rates by.
    mass, step_sum : float
        Sums of the weights of the average and of the penalty's steps or tolls, for the rules that need them.
    running : float
        The mean over the rows of the last pass of the loss, and the penalty, as met on the way.
    alone : bool
        Whether there is one output, and it is not part of a larger state.
    finite : bool
        Whether all predictions of the last pass were finite.
    last_line : ndarray or None
        The table's line of the last update.
    runs : Runs or None
        What is known of the order of the targets of a stream.
    memory : object or None
        What a `BlockOptimizer` knows, weights included; `lines` and `bias` then stay 0.
    """

    def __init__(self, problem: Problem, n_outputs: int, n_features: int, dtype: Any, seed: int):
        self.averaged = problem.averaging is not None
        n_lines = 1 + problem.optimizer.n_slots + problem.penalty.truncates + self.averaged
        self.lines = np.zeros((n_lines, n_outputs, n_features), dtype)
        self.bias = np.zeros((len(self.lines), n_outputs))
        self.idle: Any = None
        self.debt = nothing_owed()
        self.t = self.position = self.n_passes = self.n_samples_seen = 0
        self.seed = seed
        self.factor, self.mass, self.step_sum, self.running = 1.0, 0.0, 0.0, 0.0
        self.finite, self.alone = True, n_outputs == 1
        self.last_line: np.ndarray | None = None
        self.memory: Any = None
        self.runs: Any = None
        self._read: Any = None

    @property
    def n_outputs(self) -> int:
        return self.bias.shape[1]

    @property
    def n_features(self) -> int:
        return self.lines.shape[-1] if self.lines.ndim == 3 else len(self.lines)

    def start(self, problem: Problem, coef: np.ndarray, intercept: np.ndarray) -> None:
        """Set the weights to begin with: coef (K, d), intercept (K,)."""
        if problem.optimizer.blockwise:
            self.memory = problem.optimizer.start(problem, coef, intercept)
            return
        if problem.bounds is not None:
            coef = np.clip(coef, *problem.bounds)
        for values, weights in ((self.lines, coef), (self.bias, intercept)):
            values[0] = weights
            for m, slot in enumerate(problem.optimizer.start(values[0].copy())):
                values[1 + m] = slot
            if self.averaged:
                values[-1] = values[0]

    def copy(self) -> State:
        """A copy that no change of the other reaches."""
        other = copy.copy(self)
        other.lines, other.bias, other.debt = self.lines.copy(), self.bias.copy(), self.debt.copy()
        other.memory = copy.copy(self.memory)
        return other

    def columns(self, outputs: slice) -> State:
        """The state of some of the outputs, on its own."""
        other = copy.copy(self)
        other.bias, other.debt = self.bias[:, outputs].copy(), self.debt.copy()
        if self.lines.ndim == 3:
            other.lines = self.lines[:, outputs].copy()
        else:
            C, K = self.bias.shape
            first, last, _ = outputs.indices(K)
            clocks = self.lines[:, K * C :]
            other.lines = np.hstack([self.lines[:, first * C : last * C], clocks])
        return other

    def join(self, parts: list[State]) -> None:
        """Become what the states of all outputs are together, after the same updates."""
        alone, lines = self.alone, [part.lines for part in parts]
        bias = np.hstack([part.bias for part in parts])
        if lines[0].ndim == 3:
            together = np.concatenate(lines, axis=1)
        else:
            of_outputs = [part.lines[:, : part.bias.size] for part in parts]
            together = np.hstack([*of_outputs, lines[0][:, parts[0].bias.size :]])
        self.adopt(parts[0])
        self.lines, self.bias, self.alone = together, bias, alone

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
        if self._read is None and self.memory is not None:
            coef, intercept = problem.optimizer.weights(problem, self.memory, self.lines.dtype)
            self._read = coef + 0, intercept
        if self._read is None:
            lines = self._now(problem)
            coef = np.ascontiguousarray(lines[-1 if self.averaged else 0]) + 0  # no negative zeros
            if self.averaged and problem.penalty.sparse:
                coef[lines[0] == 0] = 0
            self._read = coef, self.bias[-1 if self.averaged else 0].copy()
        return self._read

    def convert(self, problem: Problem, idle: Any, records: bool = False) -> None:
        """Change to the strategy `idle` and the layout that goes with it."""
        if idle == self.idle and records == (self.lines.ndim == 2):
            return
        lines = self._now(problem)
        started = self.averaged and self.t > 0
        self.idle, self.debt = idle, nothing_owed(started)
        if idle is not None and self.averaged and not started:
            lines = np.concatenate([lines[:-1], np.zeros_like(lines[-1:])])
        if not records:
            self.lines = np.ascontiguousarray(lines)
            return
        C, K, d = lines.shape
        self.lines = np.zeros((d, K * C + idle.owes), lines.dtype)
        self.lines[:, : K * C] = lines.transpose(2, 1, 0).reshape(d, K * C)

    def settle(self, problem: Problem) -> None:
        """Pay what the records owe, in place."""
        self.lines = self._settled(problem)
        self.debt = nothing_owed(self.debt[STARTED])

    def settled_lines(self, problem: Problem) -> np.ndarray:
        """A copy of the lines (C, K, d) with nothing owed, in which an average that has not begun is as it was."""
        return self._as_lines(self._settled(problem))

    def _settled(self, problem: Problem) -> np.ndarray:
        settled = self.lines.copy()
        if self.idle is None:
            return settled
        if not self.idle.owes:
            lines, (scale, _, mass, keep, started, *_) = self._as_lines(settled), self.debt
            if self.averaged and started:
                lines[-1] = keep * (mass * lines[0] + lines[-1])
            lines[0] *= scale
        elif self.last_line is not None:
            from ..kernels.lazy import settle

            table = self.last_line.reshape(1, -1)
            settle(problem.moves, self.idle, settled, table, 0, self.n_outputs, self.debt.copy(), self.averaged)
        return settled

    def _now(self, problem: Problem) -> np.ndarray:
        """What the lines (C, K, d) are once nothing is owed."""
        if self.idle is None:
            return self.lines
        lines = self._as_lines(self._settled(problem))
        if self.averaged and not self.debt[STARTED]:  # no average yet: it is the weight
            lines = np.concatenate([lines[:-1], lines[:1]])
        return lines

    def _as_lines(self, values: np.ndarray) -> np.ndarray:
        """Lines or records seen as lines (C, K, d)."""
        if values.ndim == 3:
            return values
        C, K = self.bias.shape
        return values[:, : K * C].reshape(-1, K, C).transpose(2, 1, 0)

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
        saved.memory = copy.copy(self.memory)
        values = original.copy() if features is None else original[features]

        def restore() -> None:
            if features is None:
                saved.lines = values
            else:
                original[features] = values
                saved.lines = original
            self.adopt(saved)

        return restore
