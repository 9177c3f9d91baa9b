"""The score of losses with a link."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logit

from .batches import Block
from .problem import Problem


def d2_score(problem: Problem, scores: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    """Share of deviance explained, mean over targets; `scores` and `y` of shape (n, K)."""
    means = np.average(y, axis=0, weights=sample_weight)
    shares = [
        1 - unexplained / total if total > 0 else float(unexplained <= 0)
        for unexplained, total in deviance_sums(problem, scores, y, sample_weight, means).T
    ]
    return float(np.mean(shares))


def deviance_sums(
    problem: Problem, scores: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, means: np.ndarray
) -> np.ndarray:
    """The deviances of scores and of the means (K,), summed over the rows: (2, K)."""
    link: Any = {"log": _log, "logit": logit}[problem.loss.link]
    # Beyond 700 e^p overflows; there the loss is its limit to the last digit.
    best, null = np.clip(link(y), -700, 700), np.broadcast_to(link(means), y.shape)

    def total_loss(p: np.ndarray, k: int) -> float:
        rows = Block(np.ascontiguousarray(p[:, k : k + 1], dtype=np.float64), y[:, k : k + 1], sample_weight)
        return rows.total_loss(problem.loss, np.ones((1, 1)), np.zeros(1))

    sums = np.empty((2, y.shape[1]))
    for k in range(y.shape[1]):
        sums[:, k] = np.array([total_loss(scores, k), total_loss(null, k)]) - total_loss(best, k)
    return sums


def _log(mean: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(mean, np.finfo(np.float64).tiny))
