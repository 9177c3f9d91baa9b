"""SVRG with a search over a subspace: first-order steps for wide and sparse problems, without a rate to choose."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import BlockOptimizer
from ..core.course import Course

__all__ = ["SVRG"]


class SVRG(BlockOptimizer):
    """Steps on single rows, corrected by the gradient of all rows, and a search over the directions they found.

    A pass takes the gradient of all rows at the present weights, visits about as many rows as there are with steps
    whose gradients are corrected by those at the present weights, and minimises the objective exactly over the span of
    two points of that walk and the last five passes. It never raises the objective.
    """

    def refusal(self, problem: Any, n_features: int, n_outputs: int) -> str:
        if not problem.loss.smooth:
            return (
                f"loss={problem.loss!r} has kinks, where corrected gradients are none. Use a smooth loss, such as "
                "'huber', or optimizer='implicit'."
            )
        return ""

    def start(self, problem: Any, coef: np.ndarray, intercept: np.ndarray) -> Memory:
        return Memory(np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64))

    def weights(self, problem: Any, memory: Memory, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        largest = np.finfo(dtype).max
        return np.clip(memory.coef, -largest, largest).astype(dtype), memory.intercept

    def improve(
        self, problem: Any, memory: Memory, block: Any, order: Callable[[], np.ndarray], enough: Callable[[], bool]
    ) -> None:
        course = _courses.get(block)
        if course is None or not course.is_at(memory):
            _courses[block] = course = Course(problem, memory, block)
        course.outer(memory, order())


#: What the passes of a fit share, for as long as its rows are there.
_courses: weakref.WeakKeyDictionary[Any, Course] = weakref.WeakKeyDictionary()


@dataclasses.dataclass
class Memory:
    """What `SVRG` knows; arrays are replaced, never written to.

    Attributes
    ----------
    coef, intercept : ndarray of shape (K, d) and (K,)
    rate : float
        A factor of the steps, below 1 where they went too far.
    steps : int
    objective, excess : float
        And by how much it is estimated to be above its minimum.
    fall, doubt : float
        What the last pass lowered the objective by, and what it alone says of the excess.
    gap : float
        The excess relative to what `tol` is relative to.
    stuck : bool
        Whether no step lowers the objective any more.
    """

    coef: np.ndarray
    intercept: np.ndarray
    rate: float = 1.0
    lift: float = 1.0
    steps: int = 0
    objective: float = np.nan
    excess: float = np.nan
    fall: float = np.nan
    doubt: float = np.nan
    gap: float = np.nan
    stuck: bool = False

    @property
    def finite(self) -> bool:
        """Whether all that was learned is finite."""
        return bool(np.isfinite(self.coef).all() and np.isfinite(self.intercept).all())

    @property
    def blank(self) -> bool:
        """Whether the weights are zero."""
        return not (self.coef.any() or self.intercept.any())
