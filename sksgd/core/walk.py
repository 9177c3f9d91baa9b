"""The walk of SVRG: corrected steps along single rows, from a point."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..base import Loss, Penalty
from .design import Design


@dataclasses.dataclass(frozen=True, eq=False)
class Terms:
    """What there is beside the rows; arrays have the order of a `Split`.

    Parameters
    ----------
    loss : Loss
    penalty : Penalty or None
        None for L2 without bounds.
    alpha : ndarray of shape (width,)
    bounds : ndarray of shape (2, width) or None
    strength : ndarray of shape (width + 1,)
        The second derivative of the penalty where it is smooth.
    n_outputs : int
    """

    loss: Loss
    penalty: Penalty | None
    alpha: np.ndarray
    bounds: np.ndarray | None
    strength: np.ndarray
    n_outputs: int


def walk(
    design: Design,
    terms: Terms,
    slopes: np.ndarray,
    norms: np.ndarray,
    mean: float,
    u: np.ndarray,
    drag: np.ndarray,
    step: np.ndarray,
    order: Any,
) -> np.ndarray:
    """From weights `u` along the rows by corrected steps; where it ends and, before it if smooth, the mean.

    Each row is visited half as often as all others, and half in proportion to its norm over the mean of all; and that
    times its weight, in all that share a part of the order. `slopes` (n, K) are the derivatives of the losses at `u`,
    times the weights of the rows; `drag` is what the gradient of all rows moves the weights by in every step.
    """
    from ..kernels.svrg import EXTRA, Columns, Work, inner_loop

    K, taken, smooth, dense = terms.n_outputs, 0, terms.penalty is None, slice(0, design.split.n_dense)
    pull = step[:-1] * terms.strength[:-1]
    keep = pull / (1.0 + pull) if smooth else terms.alpha
    w, total = u[:, dense].copy(), np.zeros((K, dense.stop))
    ours = (design.mean[dense], step[dense], keep[dense], w, total, np.ascontiguousarray(drag[:, dense]))
    records = np.zeros((design.split.width if dense.stop < design.split.width else 0, 3 * K + EXTRA))
    if len(records):
        records[:, :K], records[:, 2 * K : 3 * K] = u[:, :-1].T, drag[:, :-1].T
        records[:, 3 * K + 1], records[:, 3 * K + 2] = step[:-1], keep
        if smooth:
            records[:, 3 * K + 3] = np.log1p(-keep)
    bias = np.stack([u[:, -1], np.zeros(K), drag[:, -1]])
    for part, rows in design.visits(order):
        own, lengths, weight = (
            slopes[part.at],
            norms[part.at],
            None if design.weight is None else design.weight[part.at],
        )
        times = 0.5 + 0.5 * lengths / mean if mean > 0 else np.ones(len(lengths))
        visits = _visits(rows, times if weight is None else times * weight)
        work = Work(part.y, visits, own if weight is None else own / weight[:, None], 1.0 / times)
        records[:, 3 * K] = 0.0  # all that is owed was paid
        head = (terms.loss, terms.penalty, work, Columns(part.dense, *ours), part.rows)
        inner_loop(*head, records, bias, step[-1], terms.bounds)
        taken += len(visits)
    end = np.column_stack([w, records[dense.stop :, :K].T, bias[0]])
    if not smooth:
        return end[None]
    total = np.column_stack([total, records[dense.stop :, K : 2 * K].T, bias[1]])
    return np.stack([total / taken if taken else u, end])


def _visits(order: np.ndarray, often: np.ndarray) -> np.ndarray:
    """Rows in a random order, each about as often as it is to be visited."""
    rng = np.random.Generator(np.random.SFC64(order[:16]))
    edges = np.floor(np.cumsum(often[order]) + rng.random())
    visits = np.repeat(order, np.diff(edges, prepend=0.0).astype(np.int64))
    rng.shuffle(visits)
    return visits
