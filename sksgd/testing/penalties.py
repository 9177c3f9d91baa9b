"""The check of a penalty."""

from __future__ import annotations

import math

import numpy as np

from ..base import Penalty
from .shared import WEIGHTS, check_runs, check_value, close, make_problem, require, slope


def check_penalty(penalty: Penalty) -> None:
    """Check a penalty: its proximal step, the closed forms if it has them, compiled against Python, CSR against dense.

    Parameters
    ----------
    penalty : Penalty

    Raises
    ------
    AssertionError
        Naming what is wrong.

    Examples
    --------
    >>> from sksgd.base import Penalty
    >>> class TowardsOne(Penalty):
    ...     def value(self, w, alpha):
    ...         return alpha * ((w - 1) ** 2 - 1) / 2
    ...     def prox(self, w, step, alpha):
    ...         return (w + alpha * step) / (1 + alpha * step)
    >>> check_penalty(TowardsOne())
    """
    check_value(penalty, Penalty)
    require(penalty.group in ("", "sum", "product"), f'group is {penalty.group!r}, not "sum", "product" or ""')
    require(not penalty.linear or penalty.group == "product", 'linear=True needs group="product"')
    kind = type(penalty)
    zeros = 0
    for w in WEIGHTS.tolist():
        close(penalty.value(w, 0.0), 0.0, f"value({w}, alpha=0) is not 0", 1e-12)
        if penalty.free:
            require(
                penalty.value(w, 0.7) == 0.0 and penalty.prox(w, 0.5, 0.7) == w, "free=True, yet it costs something"
            )
        for step, alpha in ((0.1, 0.3), (1.5, 0.7), (4.0, 0.3), (0.5, 0.0)):
            u = penalty.prox(w, step, alpha)
            zeros += bool(u == 0 and w != 0)
            _check_prox(penalty, w, step, alpha, u)
            if penalty.group:
                _check_shrink(penalty, w, step, alpha, u)
            if kind.drift is not Penalty.drift:
                _check_drift(penalty, w, step, alpha)
            if penalty.group == "sum" and kind.size is not Penalty.size:
                _check_size(penalty, w, step, alpha)
    require(penalty.sparse or not zeros, "prox sets weights to exactly zero: sparse must be True")
    require(zeros > 0 or not penalty.sparse, "sparse=True, but prox sets no weight to exactly zero")
    _check_compiled_penalty(penalty)


def _check_prox(penalty: Penalty, w: float, step: float, alpha: float, u: float) -> None:
    def objective(u: float) -> float:
        return penalty.value(u, alpha) + (u - w) ** 2 / (2 * step)

    others = [*np.linspace(-4, 4, 801).tolist(), *(u + s * 10.0**-k for k in range(1, 7) for s in (-1, 1))]
    best = min(others, key=objective)
    require(
        objective(u) <= objective(best) + 1e-11 * (1 + abs(objective(best))),
        f"prox({w}, {step}, {alpha}) = {u} is no minimum: u = {best} gives a lower value + (u - w)^2/(2 step)",
    )


def _check_shrink(penalty: Penalty, w: float, step: float, alpha: float, u: float) -> None:
    first, second = (float(a) for a in np.broadcast_to(penalty.amount(np.array([step, 0.7]), alpha), 2))
    close(penalty.shrink(w, first), u, f"shrink({w}, amount({step}, {alpha})) is not prox", 1e-10)
    both = first * second if penalty.group == "product" else first + second
    twice = penalty.shrink(penalty.shrink(w, first), second)
    message = f"shrinking {w} by {first}, then by {second}, is not shrinking by their {penalty.group}"
    close(penalty.shrink(w, both), twice, message, 1e-10)
    if penalty.linear:
        close(penalty.shrink(w, first), w * first, f"linear=True, but shrink({w}, {first}) is not their product", 1e-12)


def _check_drift(penalty: Penalty, w: float, time: float, alpha: float) -> None:
    once = penalty.drift(w, 0.0, time + 0.7, alpha)
    twice = penalty.drift(penalty.drift(w, 0.0, time, alpha), 0.0, 0.7, alpha)
    close(once, twice, f"drift of {w} over {time}, then 0.7, is not one over their sum", 1e-10)
    close(penalty.drift(w, 0.4, time, 0.0), w + 0.4, f"drift({w}, 0.4, {time}, alpha=0) is not w + move", 1e-10)
    if abs(w) > 0.01:
        move = time * slope(lambda u: penalty.value(u, alpha), w)
        close(penalty.prox(w + move, time, alpha), w, "prox does not rest where the slopes cancel", 1e-6)
        close(penalty.drift(w, move, time, alpha), w, f"drift of {w} does not rest where prox does", 1e-6)


def _check_size(penalty: Penalty, w: float, step: float, alpha: float) -> None:
    for total in (0.0, 0.6):
        c0, c1, life = penalty.size(w, total)
        b = float(penalty.amount(step, alpha))
        expected = c0 + c1 * float(penalty.trace(np.array([total + b]))[0]) if b < life else 0.0
        message = f"size({w}, {total}) with trace does not give the absolute weight after a further amount {b}"
        close(expected, abs(penalty.shrink(w, b)), message, 1e-10)


def _check_compiled_penalty(penalty: Penalty) -> None:
    alphas = np.linspace(0.0, 0.7, len(WEIGHTS))
    for alpha in (0.3, alphas):
        problem = make_problem(penalty=penalty, alpha=alpha)
        each = np.broadcast_to(alpha, WEIGHTS.shape).tolist()
        total = math.fsum(penalty.value(w, a) for w, a in zip(WEIGHTS.tolist(), each, strict=True))
        close(problem.penalty_value(WEIGHTS[None, :]), total, "compiled value differs from Python", 1e-10)
        check_runs(problem)
