"""What Newton's method by blocks knows between calls, and the model it begins with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from .descent import apply
from .penalised import Proximal, Ridge, penalised
from .quadratic import Coordinates
from .rows import Rows


@dataclasses.dataclass
class Memory:
    """What `sksgd.optimizers.Newton` knows; arrays are replaced, never written to.

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
    diagonals : ndarray of shape (S, M)
        Those of the matrices near the present weights, where the matrices are of others.
    totals : ndarray of shape (S,)
        The losses at `u` where they were last measured, of each system.
    prior : float, origin : ndarray
        In a stream, a weak pull towards the start, lest few rows throw the weights far.
    mass : float, n_rows : int
        The sum of the row weights in the model, and the number of rows.
    pending : tuple of Rows, waiting : int
        Rows short of a block, and their number.
    ahead : ndarray of shape (K, width) or None
        The weights after the last block, where rows to come were measured with them.
    progressive : tuple of float
        Sums over the rows of streams of the losses before they were learned, and of the row weights.
    lift : float
        How far curvatures are raised to safe ones in the next Newton step.
    steps : int
    objective, decrement : float
        At `u`: twice what the objective would fall by to the minimum of the last quadratic model.
    doubt : float
        The factor by which that is thought to be too small.
    smoothing : ndarray of shape (K,) or None
        The widths by which kinks of the loss are smoothed; None before the first step.
    slack : ndarray of shape (S,), left : ndarray of shape (S,)
        With kinks, and times the mass: what smoothing adds to the excess at most, and what the decrement does.
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
    diagonals: Any = 0.0
    totals: Any = np.nan
    prior: float = 0.0
    origin: Any = 0.0
    mass: float = 0.0
    n_rows: int = 0
    pending: tuple[Rows, ...] = ()
    waiting: int = 0
    ahead: Any = None
    progressive: tuple[float, float] = (0.0, 0.0)
    lift: float = 0.0
    steps: int = 0
    objective: float = np.nan
    decrement: float = np.nan
    doubt: float = 1.0
    smoothing: Any = None
    slack: Any = 0.0
    left: Any = 0.0
    gap: float = np.nan
    stuck: bool = False

    def enter(self, terms: Any) -> None:
        """Come within the bounds, which may be new."""
        w = self.u.reshape(self.slope.shape)
        inside = terms.inside(w)
        if (inside != w).any():
            move = inside - w
            self.u, self.slope = inside.reshape(self.u.shape), self.slope + apply(self.grams, move)

    @property
    def finite(self) -> bool:
        """Whether all that was learned is finite."""
        return self.u is None or all(np.isfinite(values).all() for values in (self.u, self.slope, self.grams))

    @property
    def excess(self) -> float:
        """By how much the objective is estimated to be above its minimum."""
        return float(0.5 * self.doubt * self.decrement + np.sum(self.slack) / self.mass)

    @property
    def blank(self) -> bool:
        """Whether the start is at zero."""
        return not (self.coef.any() or self.intercept.any())

    def open(self, problem: Any, rows: Rows, flat: Callable[[Any, int], np.ndarray]) -> None:
        """Fix the coordinates by these rows, and begin at the given weights or, without any, at constants.

        `flat` gives these for a loss and a number of outputs.
        """
        coef, intercept = self.coef, self.intercept
        if problem.fit_intercept and self.blank:
            intercept = flat(problem.loss, len(coef))
        self.coordinates = Coordinates.of(rows.X, problem.fit_intercept)
        self.u = self.coordinates.inwards(coef, intercept)
        self.origin = self.u.reshape((1, -1) if problem.loss.joint else self.u.shape)
        self.slope = np.zeros_like(self.origin)

    def penalty(self, problem: Any) -> Ridge | Proximal:
        """The penalty and the bounds in these coordinates, for all rows in the model."""
        return penalised(problem, self.coordinates, self.mass)
