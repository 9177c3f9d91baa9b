"""The check of a loss."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import Loss
from ..core import pass_
from ..core.batches import Block
from ..core.state import State
from ..schedules import Constant
from .shared import call, check_value, close, make_problem, require, slope


def check_loss(loss: Loss, y: Sequence[float] | None = None) -> None:
    """Check a loss: derivatives, no exceptions far out, domain, compiled against Python.

    Parameters
    ----------
    loss : Loss
    y : sequence of float, default=None
        Coded targets to try. Default: -1 and 1 for coding "sign", else some numbers in the domain. A loss with
        ``joint=True`` is tried with three scores.

    Raises
    ------
    AssertionError
        Naming what is wrong.

    Examples
    --------
    >>> import math
    >>> from sksgd.base import Loss
    >>> class LogCosh(Loss):
    ...     max_curvature = 1.0
    ...     def value(self, p, y):
    ...         return abs(p - y) + math.log1p(math.exp(-2 * abs(p - y))) - math.log(2)
    ...     def gradient(self, p, y):
    ...         return math.tanh(p - y)
    >>> check_loss(LogCosh())
    """
    check_value(loss, Loss)
    require(loss.link in ("identity", "log", "logit"), f'link is {loss.link!r}, not "identity", "log" or "logit"')
    codings = ("value", "unit", "sign", "index")
    require(loss.coding in codings, f"coding is {loss.coding!r}, not one of {codings}")
    if loss.joint:
        candidates = [0.0, 1.0, 2.0]
    elif y is None:
        candidates = [-1.0, 1.0] if loss.coding == "sign" else [-2.5, 0.0, 0.3, 1.0, 4.0]
        candidates = [v for v in candidates if loss.in_domain(np.array([v]))[0]]
        require(bool(candidates), "no target to try is in the domain: pass y")
    else:
        candidates = [float(v) for v in y]
    valid = np.asarray(loss.in_domain(np.array([*candidates, math.nan])))
    require(
        valid.shape == (len(candidates) + 1,) and bool(valid[:-1].all()),
        f"in_domain does not accept all of y={candidates}",
    )
    require(not bool(valid[-1]), "in_domain accepts NaN")
    (_check_joint_loss if loss.joint else _check_scalar_loss)(loss, candidates)


def _check_scalar_loss(loss: Loss, candidates: list[float]) -> None:
    points = [(p, y) for y in candidates for p in np.random.default_rng(0).uniform(-4, 4, 60).tolist()]
    has_curvature = hasattr(loss, "curvature")
    for p, y in points:
        derivative = slope(functools.partial(_first, loss.value, y), p)
        at = f"at p={p}, y={y}"
        close(loss.gradient(p, y), derivative, f"gradient {at} is not the derivative of value", 1e-6)
        bend = slope(functools.partial(_first, loss.gradient, y), p)
        if has_curvature:
            close(loss.curvature(p, y), bend, f"curvature {at} is not the derivative of gradient", 1e-6)
        require(bend <= loss.max_curvature * (1 + 1e-6) + 1e-6, f"the curvature {at}, {bend}, is above max_curvature")
        for step in () if loss.smooth else (0.1, 2.0):
            costs = [
                loss.value(q, y) + (q - p) ** 2 / (2 * step)
                for q in (loss.prox(p, y, step), Loss.prox(loss, p, y, step))
            ]
            require(costs[0] <= costs[1] + 1e-9 * (1 + abs(costs[1])), f"prox {at}, step={step} is not the minimum")
    for y in candidates:
        for p in (-1000.0, 1000.0):
            for hook in (loss.value, loss.gradient):
                call(hook, p, y, remedy="the functions of sksgd.functions do not raise where those of math do")
    _check_claims(loss, candidates)
    scores, targets = np.ascontiguousarray(np.array(points).T)
    values, gradients = _compiled_loss(loss, scores, targets[None, :])
    for k, (p, y) in enumerate(points):
        close(gradients[k], loss.gradient(p, y), f"compiled gradient at p={p}, y={y} differs from Python", 1e-10)
    total = math.fsum(loss.value(p, y) for p, y in points)
    size = math.fsum(abs(loss.value(p, y)) for p, y in points)
    close(values, total, "compiled value differs from Python", 1e-10, size)


def _check_claims(loss: Loss, candidates: list[float]) -> None:
    """That there are no kinks where `smooth` says so, and one curvature where `quadratic` does."""
    grid = np.linspace(-4, 4, 162).tolist()
    for y in candidates if loss.smooth else []:
        for left, right in itertools.pairwise(grid):
            a, b = left, right
            for _ in range(60):  # towards where the gradient changes most
                middle = (a + b) / 2
                change = loss.gradient(middle, y) - loss.gradient(a, y), loss.gradient(b, y) - loss.gradient(middle, y)
                a, b = (a, middle) if abs(change[0]) > abs(change[1]) else (middle, b)
            jump = abs(loss.gradient(b, y) - loss.gradient(a, y))
            require(
                jump <= 1e-6 * (1 + abs(loss.gradient(a, y))),
                f"the gradient jumps by {jump} at p={a}, y={y}: smooth must be False",
            )
    if loss.quadratic:
        bends = [loss.curvature(p, y) for y in candidates for p in grid]
        require(max(bends) - min(bends) <= 1e-9 * max(bends), "quadratic=True, but the curvature differs")


def _first(hook: Callable[[float, float], float], y: float, p: float) -> float:
    return hook(p, y)


def _check_joint_loss(loss: Any, candidates: list[float]) -> None:
    rng = np.random.default_rng(0)

    def value(scores: np.ndarray, truth: float) -> float:
        norm = float(np.logaddexp.reduce(scores))
        return sum(loss.value(float(p), float(k == truth), norm) for k, p in enumerate(scores))

    def one_score(k: int, scores: np.ndarray, truth: float, p: float) -> float:
        return value(np.where(np.arange(3) == k, p, scores), truth)

    for truth in candidates:
        for scores in rng.uniform(-3, 3, (10, 3)):
            norm = float(np.logaddexp.reduce(scores))
            total, gradients = _compiled_loss(loss, scores, np.array([[truth]]))
            close(total, value(scores, truth), f"compiled value at scores {scores} differs from Python", 1e-10)
            for k, p in enumerate(scores.tolist()):
                at = f"of output {k} at scores {scores}, y={truth}"
                derivative = slope(functools.partial(one_score, k, scores, truth), p)
                gradient = loss.gradient(p, float(k == truth), norm)
                close(gradient, derivative, f"gradient {at} is not the derivative of value", 1e-6)
                close(gradients[k], gradient, f"compiled gradient {at} differs from Python", 1e-10)


def _compiled_loss(loss: Loss, scores: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The sum of the values, and the gradients, at these raw predictions of the outputs of one row."""
    problem = make_problem(loss=loss, schedule=Constant(1.0), fit_intercept=False)
    state, block = State(problem, len(scores), 1, np.float64, 0), Block(np.ones((1, 1)), y, np.ones(1))
    zero = np.zeros((len(scores), 1))
    state.start(problem, zero, scores)
    finite = pass_.run(problem, state, block, np.zeros(1, np.int32), None)
    require(finite, "a kernel found a prediction that is not finite")
    return problem.mean_loss(block, zero, scores), -state.lines[0, :, 0]
