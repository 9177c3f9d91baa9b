"""The walk of SVRG: corrected steps along single rows, from a point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .course import Course


def walk(course: Course, step: np.ndarray, often: np.ndarray, order: Any) -> list[np.ndarray]:
    """From the point of the course along rows by corrected steps; where it ends and, before it if smooth, the mean.

    A row comes `often` (n,), times its weight, in all that share a part of the order.
    """
    from ..kernels.svrg import EXTRA, Columns, Work, inner_loop

    design, point, K, taken = course.design, course.point, course.K, 0
    dense = slice(0, design.split.n_dense)
    pull = step[:-1] * course.strength[:-1]
    keep = pull / (1.0 + pull) if course.smooth else course.alpha
    drag = step * point.slope
    if course.smooth:
        drag[:, :-1] *= 1.0 - keep
    w, total = point.u[:, dense].copy(), np.zeros((K, dense.stop))
    ours = (design.mean[dense], step[dense], keep[dense], w, total, np.ascontiguousarray(drag[:, dense]))
    records = np.zeros((0 if design.all_dense else design.split.width, 3 * K + EXTRA))
    if len(records):
        records[:, :K], records[:, 2 * K : 3 * K] = point.u[:, :-1].T, drag[:, :-1].T
        records[:, 3 * K + 1], records[:, 3 * K + 2] = step[:-1], keep
        if course.smooth:
            records[:, 3 * K + 3] = np.log1p(-keep)
    bias = np.stack([point.u[:, -1], np.zeros(K), drag[:, -1]])
    penalty = None if course.smooth else course.problem.penalty
    for part, rows in design.visits(order):
        slopes, times = point.slopes[part.at], often[part.at]
        visits = _visits(rows, times if design.weight is None else times * design.weight[part.at])
        if design.weight is not None:
            slopes = slopes / design.weight[part.at, None]
        work = Work(part.y, visits, slopes, 1.0 / times)
        records[:, 3 * K] = 0.0  # all that is owed was paid
        head = (course.problem.loss, penalty, work, Columns(part.dense, *ours), part.rows)
        inner_loop(*head, records, bias, step[-1], course.bounds)
        taken += len(visits)
    end = np.column_stack([w, records[dense.stop :, :K].T, bias[0]])
    if not course.smooth:
        return [end]
    return [np.column_stack([total, records[dense.stop :, K : 2 * K].T, bias[1]]) / max(taken, 1), end]


def _visits(order: np.ndarray, often: np.ndarray) -> np.ndarray:
    """Rows in a random order, each about as often as it is to be visited."""
    rng = np.random.Generator(np.random.SFC64(order[:16]))
    edges = np.floor(np.cumsum(often[order]) + rng.random())
    visits = np.repeat(order, np.diff(edges, prepend=0.0).astype(np.int64))
    rng.shuffle(visits)
    return visits
