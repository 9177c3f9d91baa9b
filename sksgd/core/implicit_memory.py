"""What implicit SGD knows between calls, and the rows that wait to be learned."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse as sp

from .. import track as at
from .rows import Rows


@dataclasses.dataclass
class Memory:
    """What `sksgd.optimizers.ImplicitSGD` knows; arrays are replaced, never written to.

    Attributes
    ----------
    coef, intercept : ndarray of shape (K, d) and (K,)
        The weights at the start.
    split : Split or None, track : Track or None
        The order of the columns, and weights, averages and moments; None before the first rows are learned.
    pending : tuple of Rows, waiting : int
        Rows that wait, and their number.
    best : tuple or None
        The best weights of a fit, with the centre of the columns; None on a stream.
    mark : tuple
        What tells the fit from others: objectives of the same are comparable.
    curve : tuple of float
        The objective of the average after each pass of it, and that of the start.
    ahead : bool
        Whether the last weights were better than their average.
    steps : int
    finite : bool
    objective, excess : float
        And by how much it is estimated to be above its minimum.
    gap : float
        The excess relative to what `tol` is relative to.
    stuck : bool
        Whether no step lowers the objective any more.
    """

    coef: np.ndarray
    intercept: np.ndarray
    split: Any = None
    track: Any = None
    pending: tuple[Rows, ...] = ()
    waiting: int = 0
    best: Any = None
    mark: Any = None
    curve: tuple[float, ...] = ()
    ahead: bool = False
    steps: int = 0
    finite: bool = True
    objective: float = np.nan
    excess: float = np.nan
    gap: float = np.nan
    stuck: bool = False

    @property
    def progressive(self) -> tuple[float, float]:
        """The sums of the losses on the rows of a stream before they were learned, and of their weights."""
        if self.track is None:
            return 0.0, 0.0
        return float(self.track.outputs[at.SEEN].sum()), float(self.track.sums[at.LEARNED])

    @property
    def blank(self) -> bool:
        """Whether the start is at zero."""
        return not (self.coef.any() or self.intercept.any())


def n_values(X: Any) -> int:
    """How many values are stored."""
    return X.nnz if sp.issparse(X) else X.size
