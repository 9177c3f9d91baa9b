"""What the checks share."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from joblib import wrap_non_picklable_objects
from sklearn.base import clone

from ..base import Component
from ..core import pass_
from ..core.batches import Block
from ..core.problem import Problem
from ..core.state import State
from ..losses import SquaredError
from ..optimizers import SGD
from ..penalties import NoPenalty
from ..schedules import Constant

WEIGHTS = np.array([-3.0, -1.3, -0.4, -1e-3, 0.0, 0.02, 0.7, 2.6])


def require(condition: bool, message: str) -> None:
    """Raise with this message unless the condition holds."""
    if not condition:
        raise AssertionError(message)


def close(found: float, wanted: float, message: str, rtol: float, size: float = 0.0) -> None:
    """Equal relative to 1, the size of the numbers, or `size`; NaN equals nothing."""
    if not abs(found - wanted) <= rtol * (1 + max(abs(wanted), size)):
        raise AssertionError(f"{message}: {found!r} against {wanted!r}")


def slope(function: Callable[[float], float], p: float) -> float:
    """The derivative from differences, to some nine digits: h^4 and rounding are both near 1e-12."""
    h = 1e-3
    near, far = function(p + h) - function(p - h), function(p + 2 * h) - function(p - 2 * h)
    smooth = (8 * near - far) / (12 * h)
    h = 1e-6
    rough = (function(p + h) - function(p - h)) / (2 * h)
    # Across a kink the wide differences are wrong, and the narrow ones are good to some six digits.
    return smooth if abs(smooth - rough) <= 1e-7 * (1 + abs(rough)) else rough


def call(hook: Callable[..., Any], *arguments: Any, remedy: str = "hooks must not raise") -> Any:
    """The result of a hook; an error of arithmetic fails the check."""
    try:
        return hook(*arguments)
    except (ArithmeticError, ValueError) as error:
        raise AssertionError(f"{hook.__name__}{arguments} raises {error!r}: {remedy}") from error


def check_value(component: Component, contract: type[Component]) -> None:
    """That a component is a value."""
    require(isinstance(component, contract), f"{component!r} is no instance of {contract.__name__}")
    try:
        # As joblib's workers do it, which works for classes of notebooks too.
        loaded = pickle.loads(pickle.dumps(wrap_non_picklable_objects(component, keep_wrapper=False)))
    except Exception as error:
        raise AssertionError(f"{component!r} cannot be pickled: {error!r}") from error
    for how, copy in {"pickled": loaded, "cloned": clone(component), "replaced": component.replace()}.items():
        require(copy == component and hash(copy) == hash(component), f"{component!r} when {how} is not equal to itself")
    for field in dataclasses.fields(component):  # type: ignore[arg-type]
        try:
            setattr(component, field.name, getattr(component, field.name))
        except dataclasses.FrozenInstanceError:
            continue
        raise AssertionError(f"the field {field.name} of {component!r} can be set: components are immutable")


def make_problem(**fields: Any) -> Problem:
    """Squared error, plain SGD with rate 0.1 and no penalty, but for these fields."""
    plain = {
        "loss": SquaredError(),
        "penalty": NoPenalty(),
        "alpha": 0.3,
        "optimizer": SGD(),
        "schedule": Constant(0.1),
    }
    others = {"averaging": None, "batch_size": 1, "bounds": None, "fit_intercept": True}
    return Problem(**{**plain, **others, **fields})


def check_runs(problem: Problem, dense: bool = True) -> None:
    """That kernels over dense and CSR rows do what the hooks do in Python."""
    rng = np.random.default_rng(0)
    n, d, K = 15, len(WEIGHTS), 2
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.4)
    y, weight, order = rng.normal(size=(n, K)), rng.uniform(0.5, 2.0, n), np.arange(n, dtype=np.int32)
    start = np.array([WEIGHTS, WEIGHTS[::-1]])
    expected = _run_hooks(problem, X, y, weight, start)
    for rows, layout in ((X, "dense"), (sp.csr_array(X), "CSR")):
        if layout == "dense" and not dense:
            continue
        state = State(problem, K, d, np.float64, 0)
        state.start(problem, start, np.zeros(K))
        require(
            pass_.run(problem, state, Block(rows, y, weight), order, None),
            f"{problem.optimizer!r} and {problem.penalty!r}: a prediction on {layout} rows was not finite",
        )
        worst = float(np.abs(state.weights(problem)[0] - expected).max())
        require(
            worst <= 1e-10 * (1 + float(np.abs(expected).max())),
            f"{problem.optimizer!r} with {problem.penalty!r}: compiled updates with {layout} rows differ from the "
            f"hooks in Python by {worst}",
        )


def _run_hooks(problem: Problem, X: np.ndarray, y: np.ndarray, weight: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The weights after one pass, row by row, by calls of the hooks in Python."""
    from ..kernels.update import move

    opt, pen = problem.optimizer, problem.penalty
    K, d = start.shape
    t = np.arange(len(X))
    eta = np.broadcast_to(problem.schedule.rate(t), t.shape)
    step = np.broadcast_to(opt.step(t, eta, problem.l2), t.shape)
    step = np.cumsum(step) if opt.cumulative else step
    amount = np.broadcast_to(pen.amount(step, problem.alpha) if problem.shared else 0.0, t.shape)
    lines = zip(*(np.broadcast_to(c, t.shape).tolist() for c in opt.begin(t, eta)), strict=True)
    alphas = [None] * d if problem.shared else np.broadcast_to(problem.alpha, d).tolist()

    def first(w: float) -> tuple[float, tuple]:
        return w, tuple(float(s) for s in opt.start(np.array(w)))

    w = [[first(float(v)) for v in row] for row in start]
    b = [first(0.0) for _ in range(K)]
    for i, begun in enumerate(lines):
        for k in range(K):
            p = sum(x * w[k][j][0] for j, x in enumerate(X[i].tolist())) + b[k][0]
            slope = float(weight[i]) * problem.loss.gradient(p, float(y[i, k]))
            for j, x in enumerate(X[i].tolist()):
                w[k][j] = move(opt, pen, slope * x, *w[k][j], begun, float(step[i]), float(amount[i]), alphas[j])
            b[k] = opt.coord(slope, *b[k], begun)
    return np.array([[v for v, _ in row] for row in w])
