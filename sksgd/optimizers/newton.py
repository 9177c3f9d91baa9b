"""Streaming Newton: second-order steps on blocks of rows, for dense problems of few features."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import BlockOptimizer
from ..core.descent import Margins, Past, constants, descend, search
from ..core.quadratic import Coordinates, gram_of, solve, spread
from ..core.sweeps import Rows, Sweep

__all__ = ["Newton"]

#: Unknowns of a system beyond which its matrix is too large to be worth it.
LARGEST = 4000
#: Rows from which on a fit begins with a stream; Newton steps on the first block of one.
MANY, ROUNDS = 1000, 8
#: The prior of a stream in rows of the first block; how far it raises the shares of improbable classes.
PRIOR, SHARE = 0.4, 0.1
#: Unknowns from which on one more step with the same matrix costs little beside it; the most such steps.
CHORD, MOST_CHORDS = 25, 4


class Newton(BlockOptimizer):
    """Newton's method by blocks of rows: no rate, the same result whatever the scale of features and targets.

    About the present weights a block b is replaced by its quadratic model, of matrix A_b = sum s_i l''_i x_i x_i' and
    gradient g_b = sum s_i l'_i x_i. Models of blocks add up, and the weights go to the minimum of all models and the
    penalty, or less far where the true loss of the block says so. Blocks grow with the number of rows seen. One pass
    over squared errors gives the exact minimum, one over another loss comes near it; further passes of `fit` are Newton
    steps on all rows, with a line search, and up to four more with the same matrix where that is large.

    A row costs O(d^2), and a block O(d^3) beside; with several outputs so for each, but once for squared errors. For K
    classes K d takes the place of d.
    Memory is O(d^2), or O(K d^2) for several outputs unless the loss is joint or quadratic, beside the rows that wait
    in `partial_fit`. CSR rows are made dense, some at a time.

    In `partial_fit` rows are taken in the order in which they come, and the result does not depend on how they are cut
    into calls: rows short of a block wait, and count in all that is read. Weights of rows are relative to their mean so
    far, which makes a call of `partial_fit` on all rows state the problem that `fit` solves. Rows sorted by target
    mislead a stream.

    Losses must be smooth, penalties quadratic, bounds absent, d (K d for K classes) at most 4000. `learning_rate`,
    `batch_size`, `sampling` and `average` have no meaning here and are refused.

    References
    ----------
    Ollivier (2018), Online natural gradient as a Kalman filter, Electron. J. Statist. 12.
    Bercu, Godichon, Portier (2020), An efficient stochastic Newton algorithm for parameter estimation in logistic
    regressions, SIAM J. Control Optim. 58.

    Examples
    --------
    >>> import numpy as np
    >>> from sksgd import LinearRegressor
    >>> X = np.array([[1.0], [1e3], [1e6]])
    >>> model = LinearRegressor(optimizer="newton", alpha=0).fit(X, [5.0, 2003.0, 2000003.0])
    >>> model.coef_.round(6), model.n_iter_
    (array([2.]), 1)
    """

    def refusal(self, problem: Any, n_features: int, n_outputs: int) -> str:
        unknowns = (n_features + problem.fit_intercept) * (n_outputs if problem.loss.joint else 1)
        if not problem.loss.smooth:
            return (
                f"loss={problem.loss!r} has kinks, where there is no curvature. Use a smooth loss, such as 'huber', or "
                "optimizer='adagrad'."
            )
        if not problem.penalty.linear or problem.penalty.value(2.0, 1.0) != 4.0 * problem.penalty.value(1.0, 1.0):
            return f"penalty={problem.penalty!r} is not quadratic. Use penalty='l2' or optimizer='adagrad'."
        if problem.bounds is not None:
            return "it has no bounds. Leave out bounds and positive=True, or use optimizer='sgd' or 'adagrad'."
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
        return Memory(np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64))

    def weights(self, problem: Any, memory: Memory, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        memory = copy.copy(memory)
        self._settle(problem, memory)
        if memory.coordinates is None:
            return memory.coef.astype(dtype), memory.intercept
        return memory.coordinates.outwards(memory.u, dtype)

    # ---- a stream ----------------------------------------------------------------------------------------------------

    def learn(self, problem: Any, memory: Memory, block: Any) -> None:
        order = np.arange(block.X.shape[0]) if block.present is None else block.present
        self._stream(problem, memory, Rows(block.X, block.y, block.weight), order)
        memory.gap = 0.0 if problem.loss.quadratic else np.nan

    def _stream(self, problem: Any, memory: Memory, rows: Rows, order: np.ndarray, growth: float = 0.1) -> None:
        """Take in rows in this order; those short of a block, which is `growth` times all rows so far, wait."""
        done = 0
        while (missing := self._block_size(problem, memory, growth) - memory.waiting) <= len(order) - done:
            own = rows.take(order[done : done + missing])
            self._step(problem, memory, Rows.join((*memory.pending, own)))
            memory.pending, memory.waiting = (), 0
            done += missing
        if done < len(order):
            memory.pending = (*memory.pending, rows.take(order[done:]))
            memory.waiting += len(order) - done

    def _settle(self, problem: Any, memory: Memory) -> None:
        """Take in the rows that wait, and go to the minimum of the model if it is the objective."""
        if memory.pending:
            self._step(problem, memory, Rows.join(memory.pending))
            memory.pending, memory.waiting = (), 0
        if problem.loss.quadratic and memory.n_rows:
            ridge = memory.mass * self._ridge(problem, memory)
            step = -solve(memory.grams, ridge, memory.slope + ridge * memory.u)
            memory.slope, memory.u = memory.slope + step @ memory.grams[0], memory.u + step

    @staticmethod
    def _block_size(problem: Any, memory: Memory, growth: float) -> int:
        """How many rows the next block has."""
        width = memory.coef.shape[1] + problem.fit_intercept
        if memory.n_rows == 0:
            return max(32, 8 * width)
        return int(min(max(32, 10 * growth * width, growth * memory.n_rows), max(4096, 4 * width)))

    def _step(self, problem: Any, memory: Memory, rows: Rows) -> None:
        """Learn from one block."""
        if memory.coordinates is None:
            self._open(problem, memory, rows)
        first, margins = memory.n_rows == 0, Margins(problem.loss, rows.y, rows.weight, len(memory.u))
        Z = memory.coordinates.rows(rows.X)
        memory.n_rows, memory.mass = memory.n_rows + len(rows), memory.mass + margins.mass
        memory.steps += 1
        if problem.loss.quadratic:
            _, slopes, bends = margins.derivatives(Z @ memory.u.T, 0.0)
            memory.grams = memory.grams + gram_of(problem.loss)(Z, bends)
            memory.slope = memory.slope + slopes.T @ Z
            return
        if first:
            memory.prior = PRIOR * float(margins.derivatives(Z @ memory.u.T, 1.0)[2].mean())
        past = Past(memory.grams, memory.slope, memory.prior, memory.origin)
        lift = SHARE if problem.loss.joint and not first else 1.0
        head = (margins, Z, memory.u, past, memory.mass * self._ridge(problem, memory))
        memory.u, memory.grams, memory.slope = descend(*head, lift=lift, rounds=ROUNDS if first else 1)

    def _open(self, problem: Any, memory: Memory, rows: Rows) -> None:
        """Fix the coordinates by these rows, and begin at the given weights or, without any, at constants."""
        coef, intercept = memory.coef, memory.intercept
        if problem.fit_intercept and memory.blank:
            intercept = constants(problem.loss, rows.y, rows.weight, len(coef))
        memory.coordinates = Coordinates.of(rows.X, problem.fit_intercept)
        memory.u = memory.coordinates.inwards(coef, intercept)
        memory.origin = memory.u.reshape((1, -1) if problem.loss.joint else memory.u.shape)
        memory.slope = np.zeros_like(memory.origin)

    @staticmethod
    def _ridge(problem: Any, memory: Memory) -> np.ndarray:
        """The strengths of the penalty in the coordinates of the memory."""
        strengths = [2.0 * problem.penalty.value(1.0, float(alpha)) for alpha in np.ravel(problem.alpha)]
        return memory.coordinates.penalty(np.broadcast_to(strengths, memory.coef.shape[1]))

    # ---- passes over the same rows -----------------------------------------------------------------------------------

    def improve(
        self, problem: Any, memory: Memory, block: Any, order: Callable[[], np.ndarray], enough: Callable[[], bool]
    ) -> None:
        self._settle(problem, memory)
        rows, n = Rows(block.X, block.y, block.weight), len(block)
        present = np.arange(n) if block.present is None else block.present
        new = memory.coordinates is None
        if new:
            self._open(problem, memory, rows.take(present[:: max(1, n // 1000)]))
        sweep, width = Sweep(problem.loss, memory.coordinates, rows, block.present, len(memory.u)), memory.u.shape[1]
        if new and memory.blank and not problem.loss.quadratic and n >= max(MANY, 32 * width):
            self._begin(problem, memory, sweep, rows, present[order()])
        else:
            self._newton_step(problem, memory, sweep)
        # More steps with the same matrices, as long as they gain: where there are many unknowns they cost little.
        for _ in range(min(MOST_CHORDS, 1 + memory.slope.shape[1] // CHORD)):
            before = memory.decrement
            if enough():
                break
            memory.doubt *= self._move(problem, memory, sweep)[2]
            if not memory.decrement < 0.5 * before:
                break

    def _begin(self, problem: Any, memory: Memory, sweep: Sweep, rows: Rows, order: np.ndarray) -> None:
        """A stream of some rows, then a step on all of them; of all rows, if they are not many."""
        start, n, some = memory.u, len(order), max(len(order) // 16, 30 * memory.slope.shape[1], 2048)
        some = some if 2 * some <= n else n
        self._stream(problem, memory, rows, order[:some], growth=1.0)
        self._settle(problem, memory)
        constant = sweep.margins.total(np.tile(sweep.coordinates.outwards(start, np.float64)[1], (n, 1))).sum()
        if some < n or not self._assess(problem, memory, sweep).sum() <= constant:
            part = Sweep(problem.loss, memory.coordinates, rows, order[:some], len(start))
            self._newton_step(problem, memory, sweep, (start, constant), part)

    def _newton_step(self, problem: Any, memory: Memory, sweep: Sweep, rival: Any = None, part: Any = None) -> None:
        """A step with the matrices of the present weights, or of the `rival`, if its sum of losses is lower.

        The matrices are those of a `part` of the rows, if given.
        """
        lift, stale = memory.lift, memory.decrement
        whole = part is None or part.n == sweep.n
        memory.totals, memory.slope, memory.grams = sweep.measure(memory.u, lift, grams=whole)
        if rival is not None and not memory.totals.sum() <= rival[1]:
            memory.u, whole = rival[0], True
            memory.totals, memory.slope, memory.grams = sweep.measure(memory.u, lift)
        if not whole:
            memory.grams = part.measure(memory.u, lift)[2] * (sweep.margins.mass / part.margins.mass)
        memory.mass, memory.n_rows, memory.prior = sweep.margins.mass, sweep.n, 0.0
        if not memory.finite:
            memory.objective = np.nan
            return
        t, fall, surplus = self._move(problem, memory, sweep)
        if lift == 0 and np.isfinite(stale):
            # How much too small the last decrement was, since its matrices were those of other weights.
            surplus = max(surplus, min(fall.sum() / memory.mass / max(stale, 1e-300), 100.0))
        memory.doubt = surplus
        memory.stuck = bool((t == 0).all() and lift == 1.0) or fall.sum() <= 1e-14 * memory.mass * abs(memory.objective)
        memory.lift = 1.0 if (t < 0.3).any() else (0.1 * lift if lift > 0.01 else 0.0)

    def _move(self, problem: Any, memory: Memory, sweep: Sweep) -> tuple[np.ndarray, np.ndarray, float]:
        """A step with a line search: its lengths, the slopes at its start, and the surplus in what was gained.

        The surplus is the factor, at least 1, by which the objective fell further than the quadratic model promised:
        by about as much the matrices are too large at the new weights, and decrements with them too small.
        """
        slope = memory.slope
        ridge = spread(memory.mass * self._ridge(problem, memory), slope)
        u = memory.u.reshape(slope.shape)
        right = slope + ridge * u
        s = -solve(memory.grams, ridge, right)
        if problem.loss.joint:  # which does not see what moves the scores of all classes alike
            s = (s.reshape(memory.u.shape) - s.reshape(memory.u.shape).mean(axis=0)).reshape(s.shape)
        fall, before = -(right * s).sum(axis=1), memory.totals + 0.5 * (ridge * u * u).sum(axis=1)
        t = np.ones(len(s)) if problem.loss.quadratic else self._lengths(sweep, u, s, ridge, before, fall)
        memory.u = memory.u + (t[:, None] * s).reshape(memory.u.shape)
        memory.steps += 1
        if problem.loss.quadratic and 0.5 * fall.sum() < (1 - 1e-6) * before.sum():
            # The model is the objective: no need to look at the rows again, unless too many digits would cancel.
            u = memory.u.reshape(slope.shape)
            memory.slope = slope + s @ memory.grams[0]
            memory.totals = before - 0.5 * fall - 0.5 * (ridge * u * u).sum(axis=1)
            self._weigh(problem, memory)
            return t, fall, 1.0
        self._assess(problem, memory, sweep)
        gained, promised = before.sum() - memory.objective * memory.mass, 0.5 * fall.sum()
        rounding = 1e-12 * abs(memory.objective) * memory.mass
        return t, fall, float(np.clip(gained / promised, 1.0, 100.0)) if promised > rounding else 1.0

    @staticmethod
    def _lengths(sweep: Sweep, u: np.ndarray, s: np.ndarray, ridge: np.ndarray, before: Any, fall: Any) -> np.ndarray:
        """How far to go along `s` from `u`."""
        scores, moves = sweep.scores.copy(), sweep.along(s.reshape(sweep.K, -1))

        def value(t: np.ndarray) -> np.ndarray:
            """The objective times the mass, for the step lengths `t`."""
            return sweep.margins.total(scores + t * moves) + 0.5 * (ridge * (u + t[:, None] * s) ** 2).sum(axis=1)

        return search(value, before, fall)

    def _assess(self, problem: Any, memory: Memory, sweep: Sweep) -> np.ndarray:
        """Measure the losses and their gradient on all rows."""
        memory.totals, memory.slope, _ = sweep.measure(memory.u, grams=False)
        self._weigh(problem, memory)
        return memory.totals

    def _weigh(self, problem: Any, memory: Memory) -> None:
        """The objective, and the Newton decrement with the last matrices."""
        u, mass = memory.u.reshape(memory.slope.shape), memory.mass
        ridge = spread(mass * self._ridge(problem, memory), memory.slope)
        right = memory.slope + ridge * u
        memory.decrement = max(float((right * solve(memory.grams, ridge, right)).sum()) / mass, 0.0)
        memory.objective = float(memory.totals.sum() + 0.5 * (ridge * u * u).sum()) / mass


@dataclasses.dataclass
class Memory:
    """What `Newton` knows; arrays are replaced, never written to.

    Attributes
    ----------
    coef, intercept : ndarray of shape (K, d) and (K,)
        The weights at the start.
    coordinates : Coordinates or None
        None before the first block.
    u : ndarray of shape (K, width)
        The weights in these coordinates.
    grams, slope : ndarray
        The quadratic model of the losses seen: its matrices, and its gradient at `u`.
    totals : ndarray of shape (S,)
        The losses at `u` where they were last measured, of each system.
    prior : float, origin : ndarray
        In a stream, a weak pull towards the start, lest few rows throw the weights far.
    mass : float, n_rows : int
        The sum of the row weights in the model, and the number of rows.
    pending : tuple of Rows, waiting : int
        Rows short of a block, and their number.
    lift : float
        How far curvatures are raised to safe ones in the next Newton step.
    steps : int
    objective, decrement : float
        At `u`: twice what the objective would fall by to the minimum of the last quadratic model.
    doubt : float
        The factor by which that is thought to be too small.
    gap : float
        The excess relative to what `tol` is relative to.
    stuck : bool
        Whether no step lowers the objective any more.
    """

    coef: np.ndarray
    intercept: np.ndarray
    coordinates: Any = None
    u: Any = None
    grams: Any = 0.0
    slope: Any = 0.0
    totals: Any = np.nan
    prior: float = 0.0
    origin: Any = 0.0
    mass: float = 0.0
    n_rows: int = 0
    pending: tuple[Rows, ...] = ()
    waiting: int = 0
    lift: float = 0.0
    steps: int = 0
    objective: float = np.nan
    decrement: float = np.nan
    doubt: float = 1.0
    gap: float = np.nan
    stuck: bool = False

    @property
    def finite(self) -> bool:
        """Whether all that was learned is finite."""
        return self.u is None or all(np.isfinite(values).all() for values in (self.u, self.slope, self.grams))

    @property
    def excess(self) -> float:
        """By how much the objective is estimated to be above its minimum."""
        return 0.5 * self.doubt * self.decrement

    @property
    def blank(self) -> bool:
        """Whether the start is at zero."""
        return not (self.coef.any() or self.intercept.any())
