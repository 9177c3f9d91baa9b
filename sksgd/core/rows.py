"""Rows in memory, with all that belongs to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows with coded targets, and weights or None."""

    X: Any
    y: np.ndarray
    weight: np.ndarray | None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Any) -> Rows:
        """Some of the rows."""
        X, weight = (None if values is None else values[rows] for values in (self.X, self.weight))
        return Rows(X, self.y[rows], weight)


def join(parts: Sequence[Rows]) -> Rows:
    """All rows of these parts, sparse if any are."""
    if len(parts) == 1:
        return parts[0]
    stack = sp.vstack if any(sp.issparse(part.X) for part in parts) else np.concatenate
    X = stack([sp.csr_array(part.X) if stack is sp.vstack else part.X for part in parts])
    weights = [np.ones(len(part)) if part.weight is None else part.weight for part in parts]
    weight = None if all(part.weight is None for part in parts) else np.concatenate(weights)
    return Rows(X, np.concatenate([part.y for part in parts]), weight)
