"""A fitted model as a function of its weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.batches import Block


def objective_of(model: Any, X: Any, y: Any) -> Callable[[np.ndarray, np.ndarray], float]:
    """The objective of a fitted flagship estimator on data, of coef (K, d) and intercept (K,)."""
    problem = model._problem_
    X, y, _ = model._validate(X, y, None, model._state.lines.dtype)
    coded = model._encode(y)
    block = Block(X, coded, model._target_weights(coded, None))
    block.normalise()
    return lambda coef, intercept: problem.objective(block, coef, intercept)
