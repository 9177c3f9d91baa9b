"""The walk of SVRG: corrected steps along single rows, from a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .design import Design

if TYPE_CHECKING:
    from .course import Course


def visits(design: Design, order: np.ndarray, often: np.ndarray) -> np.ndarray:
    """Rows in a random order, each about as often as it is to be visited, times its weight."""
    rng = np.random.Generator(np.random.SFC64(order[:16]))
    often = often if design.weight is None else often * design.weight
    edges = np.floor(np.cumsum(often[order]) + rng.random())
    visits = np.repeat(order, np.diff(edges, prepend=0.0).astype(np.int64))
    rng.shuffle(visits)
    return visits


def walk(course: Course, step: np.ndarray, often: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """From the point of the course along rows by corrected steps; where it ends and, before it if smooth, the mean."""
    from ..kernels.svrg import EXTRA, Columns, Work, inner_loop

    design, point, K = course.design, course.point, course.K
    dense = slice(0, design.split.n_dense)
    pull = step[:-1] * course.strength[:-1]
    keep = pull / (1.0 + pull) if course.smooth else course.alpha
    drag = step * point.slope
    if course.smooth:
        drag[:, :-1] *= 1.0 - keep
    ours = (design.mean[dense], step[dense], keep[dense], point.u[:, dense].copy(), np.zeros((K, dense.stop)))
    columns = Columns(design.dense, *ours, np.ascontiguousarray(drag[:, dense]))
    records = np.zeros((0 if design.rows is None else design.split.width, 3 * K + EXTRA))
    if design.rows is not None:
        records[:, :K], records[:, 2 * K : 3 * K] = point.u[:, :-1].T, drag[:, :-1].T
        records[:, 3 * K + 1], records[:, 3 * K + 2] = step[:-1], keep
        if course.smooth:
            records[:, 3 * K + 3] = np.log1p(-keep)
    bias = np.stack([point.u[:, -1], np.zeros(K), drag[:, -1]])
    penalty = None if course.smooth else course.problem.penalty
    slopes = point.slopes if design.weight is None else point.slopes / design.weight[:, None]
    work = Work(design.y, order, slopes, 1.0 / often)
    inner_loop(course.problem.loss, penalty, work, columns, design.rows, records, bias, step[-1], course.bounds)
    end = np.column_stack([columns.w, records[dense.stop :, :K].T, bias[0]])
    if not course.smooth:
        return [end]
    total = np.column_stack([columns.total, records[dense.stop :, K : 2 * K].T, bias[1]])
    return [total / max(len(order), 1), end]
