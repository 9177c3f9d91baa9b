"""Streaming Newton: second-order steps on blocks of rows, for dense problems of few features."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..base import BlockOptimizer
from ..core.newton_memory import Memory
from ..core.newton_passes import improve
from ..core.newton_stream import settle, stream
from ..core.rows import Rows

__all__ = ["Newton"]

#: Unknowns of a system beyond which its matrix is too large to be worth it.
LARGEST = 4000


class Newton(BlockOptimizer):
    """Newton's method by blocks of rows: no rate, the same result whatever the scale of features and targets.

    About the present weights a block b is replaced by its quadratic model, of matrix A_b = sum s_i l''_i x_i x_i' and
    gradient g_b = sum s_i l'_i x_i. Models of blocks add up, and the weights go to the minimum of all models and the
    penalty, or less far where the true loss of the block says so. Blocks grow with the number of rows seen. One pass
    over squared errors gives the exact minimum, one over another loss comes near it. A further pass of `fit` is a
    Newton step on all rows, with a line search, and up to eight steps with the same matrix, updated by their secants
    (BFGS): they read the rows again, but cost only O(d) a row.

    Any convex penalty that has a proximal step and any bounds are allowed: the minimum of a model is found by
    coordinate descent and by exact steps of all weights that are neither at a kink nor at a bound. Zeros are exact.

    Kinks of a loss are smoothed: it is replaced by its envelope, min over q of loss(q) + (q - p)^2/(2 width), and the
    width is lowered as soon as it is what keeps the objective from its minimum. Reported is the true objective, and its
    gap contains what smoothing costs. A stream takes true losses and gradients, and curvatures of ever narrower
    envelopes.

    A row costs O(d^2), and a block O(d^3) beside; with several outputs so for each, but once for squared errors. For K
    classes K d takes the place of d.
    Memory is O(d^2), or O(K d^2) for several outputs unless the loss is joint or quadratic, beside the rows that wait
    in `partial_fit`. CSR rows are made dense, some at a time.

    In `partial_fit` rows are taken in the order in which they come, and the result does not depend on how they are cut
    into calls: rows short of a block wait, and count in all that is read. Weights of rows are relative to their mean so
    far, which makes a call of `partial_fit` on all rows state the problem that `fit` solves. Rows sorted by target
    mislead a stream.

    d (K d for K classes) may be at most 4000. `learning_rate`, `batch_size`, `sampling` and `average` have no meaning
    here and are refused.

    References
    ----------
    Ollivier (2018), Online natural gradient as a Kalman filter, Electron. J. Statist. 12.
    Bercu, Godichon, Portier (2020), An efficient stochastic Newton algorithm for parameter estimation in logistic
    regressions, SIAM J. Control Optim. 58.
    Lee, Sun, Saunders (2014), Proximal Newton-type methods for minimizing composite functions, SIAM J. Optim. 24.
    Madsen, Nielsen (1993), A finite smoothing algorithm for linear l1 estimation, SIAM J. Optim. 3.
    Chen, Liu, Zhang (2019), Quantile regression under memory constraint, Ann. Statist. 47.

    Examples
    --------
    >>> import numpy as np
    >>> from sksgd import LinearRegressor
    >>> X = np.array([[1.0], [1e3], [1e6]])
    >>> model = LinearRegressor(optimizer="newton", alpha=0).fit(X, [5.0, 2003.0, 2000003.0])
    >>> model.coef_.round(6), model.n_iter_
    (array([2.]), 1)
    """

    by_sums: ClassVar[bool] = True

    def refusal(self, problem: Any, n_features: int, n_outputs: int) -> str:
        unknowns = (n_features + problem.fit_intercept) * (n_outputs if problem.loss.joint else 1)
        if problem.loss.joint and not problem.loss.smooth:
            return f"loss={problem.loss!r} has kinks and is joint. Use a smooth loss or optimizer='adagrad'."
        if n_outputs * unknowns**2 > LARGEST**2 and not (problem.loss.quadratic or problem.loss.joint):
            return (
                f"n_features={n_features} and {n_outputs} outputs make matrices of {n_outputs * unknowns**2} numbers, "
                f"more than {LARGEST**2}. Fit fewer targets at a time, or use optimizer='adagrad'."
            )
        if unknowns > LARGEST:
            return (
                f"X with n_features={n_features} makes {unknowns} unknowns that depend on each other, more than "
                f"{LARGEST}. Use optimizer='adagrad'."
            )
        return ""

    def start(self, problem: Any, coef: np.ndarray, intercept: np.ndarray) -> Memory:
        coef = np.asarray(coef, dtype=np.float64)
        if problem.bounds is not None:
            coef = np.clip(coef, *problem.bounds)
        return Memory(coef, np.asarray(intercept, dtype=np.float64))

    def weights(self, problem: Any, memory: Memory, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        memory = copy.copy(memory)
        settle(problem, memory)
        if memory.coordinates is None:
            return memory.coef.astype(dtype), memory.intercept
        return memory.coordinates.outwards(memory.u, dtype, problem.bounds)

    def learn(self, problem: Any, memory: Memory, block: Any) -> None:
        order = np.arange(block.X.shape[0]) if block.present is None else block.present
        stream(problem, memory, Rows(block.X, block.y, block.weight), order, foretell=True)
        memory.gap = 0.0 if problem.loss.quadratic else np.nan

    def improve(
        self, problem: Any, memory: Memory, feed: Any, order: Callable[[], Any], enough: Callable[[], bool]
    ) -> None:
        improve(problem, memory, feed, order, enough)
