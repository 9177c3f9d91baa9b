"""The score of losses with a link."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import logit

from .batches import Block
from .problem import Problem


def d2_score(problem: Problem, scores: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    """Share of deviance explained, mean over targets; `scores` and `y` of shape (n, K)."""
    link: Any = {"log": _log, "logit": logit}[problem.loss.link]
    means = np.average(y, axis=0, weights=sample_weight)
    # Beyond 700 e^p overflows; there the loss is its limit to the last digit.
    best, null = np.clip(link(y), -700, 700), np.broadcast_to(link(means), y.shape)

    def mean_loss(p: np.ndarray, k: int) -> float:
        rows = Block(np.ascontiguousarray(p[:, k : k + 1], dtype=np.float64), y[:, k : k + 1], sample_weight)
        return problem.mean_loss(rows, np.ones((1, 1)), np.zeros(1))

    shares = []
    for k in range(y.shape[1]):
        least = mean_loss(best, k)
        unexplained, total = mean_loss(scores, k) - least, mean_loss(null, k) - least
        shares.append(1 - unexplained / total if total > 0 else float(unexplained <= 0))
    return float(np.mean(shares))


def _log(mean: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(mean, np.finfo(np.float64).tiny))
