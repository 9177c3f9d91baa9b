"""What takes the place of arrays in the calls of an estimator."""

from __future__ import annotations

from typing import Any

import numpy as np

from .feed import Feed


class Supply:
    """Rows with targets and weights that are not arrays: given to `fit` in the place of `X`, it makes the feeds.

    Whoever makes feeds lets the estimator know features and targets, or holds them against what it knows if it goes on.
    """

    def feeds(
        self, estimator: Any, resumed: bool, split: bool, random_state: np.random.RandomState
    ) -> tuple[Feed, Feed | None]:
        """Rows to train on, and rows to validate on if there are any: a part of them if they are to be `split`."""
        raise NotImplementedError

    def held_out(self, estimator: Any, dtype: Any) -> Feed:
        """All rows, to validate on."""
        raise NotImplementedError

    def scores(self, estimator: Any, coef: Any, intercept: np.ndarray) -> np.ndarray:
        """Raw predictions (n, K) for all rows."""
        raise NotImplementedError

    def truth(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Targets and weights of all rows."""
        raise NotImplementedError
