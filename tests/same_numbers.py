"""The grid on which the drop-in estimators must give scikit-learn's numbers, and the comparison in one of its cells.

Some cells amplify rounding: moving X, alpha and eta0 by one unit in the last place moves scikit-learn's own result by
0.1 and more. So "equal" is within a multiple of what such a nudge does, and a cell that amplifies too much is replaced
by another.

    python tests/same_numbers.py --cells 5000 --seed 0

prints cells that are not equal as calls, for a Python started in tests/ after `from same_numbers import Cell, compare`.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import SGDClassifier, SGDRegressor

Result = dict[str, Any]
FLOOR = {"float64": 1e-9, "float32": 1e-4}
FACTOR = 30.0  # ours rounds elsewhere, so it may differ by this many times the effect of a nudge
TAME = 1e-4  # cells that a nudge moves further are no evidence

REGRESSION = ("squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive")
CLASSIFICATION = ("hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", *REGRESSION)
LOSSES = {"regressor": REGRESSION, "binary": CLASSIFICATION, "multiclass": CLASSIFICATION}
PASSIVE = {"regressor": "epsilon_insensitive", "binary": "hinge", "multiclass": "hinge"}  # what pa1 and pa2 take

# The calls of a mode: "part" is partial_fit on the next third of the rows; "+" adds initial values to fit.
MODES = {
    "fit": ("fit",),
    "refit": ("fit", "fit"),
    "warm": ("fit", "fit"),
    "both inits": ("fit+coef+intercept",),
    "coef_init": ("fit+coef",),
    "intercept_init": ("fit+intercept",),
    "warm with inits": ("fit", "fit+coef+intercept"),
    "parts": ("part", "part", "part"),
    "fit, parts": ("fit", "part", "part"),
    "parts, warm": ("part", "part", "fit"),
}

# All choices. One that is repeated is drawn more often.
AXES: dict[str, tuple[Any, ...]] = {
    "kind": ("regressor", "binary", "multiclass"),
    "loss": ("hinge", "epsilon_insensitive", *CLASSIFICATION),
    "penalty": (None, "l2", "l1", "elasticnet"),
    "alpha": (*[0.0, 1e-6] * 2, *[1e-4, 1e-2] * 5, *[0.1] * 4, *[1.0] * 2, 100.0),
    "l1_ratio": (0.0, 0.15, 0.15, 0.5, 1.0, None),
    "learning_rate": ("constant", "optimal", "invscaling", "adaptive", *["pa1", "pa2"] * 2),
    "eta0": (0.001, *[0.01, 0.1] * 2, 0.5, 2.0),
    "power_t": (0.0, 0.25, 0.5, 1.0),
    "average": (False, True, 7, 50, 10_000),  # the last is never reached
    "shuffle": (True, True, False),
    "fit_intercept": (True, True, False),
    "layout": ("dense", "csr"),
    "dtype": ("float64", "float32"),
    "sample_weight": (None, "random", "zeros"),
    "class_weight": (None, "dict", "one", "balanced"),
    "epsilon": (0.0, 0.1, 0.5),
    "tol": (None, 0.0, 1e-3, 0.1),
    "max_iter": (1, 5, 20, 60, 120),
    "n_iter_no_change": (1, 2, 5),
    "mode": tuple(MODES),
    "random_state": ("int", "instance", "global"),
    "size": (*["usual"] * 14, "huge"),
}


class Kernel(NamedTuple):
    """What a kernel is compiled for; `passive` is "pa1", "pa2" or None."""

    loss: str
    penalty: str | None
    averaged: bool
    layout: str
    dtype: str
    weighted: bool
    passive: str | None = None


@dataclass(frozen=True)
class Cell:
    """One choice on every axis, the shape of the data and the seed of all that is random."""

    kind: str
    loss: str
    penalty: str | None
    alpha: float
    l1_ratio: float | None
    learning_rate: str
    eta0: float
    power_t: float
    average: bool | int
    shuffle: bool
    fit_intercept: bool
    layout: str
    dtype: str
    sample_weight: str | None
    class_weight: str | None
    epsilon: float
    tol: float | None
    max_iter: int
    n_iter_no_change: int
    mode: str
    random_state: str
    size: str
    n: int
    d: int
    seed: int

    @property
    def kernel(self) -> Kernel:
        weighted = (self.sample_weight, self.class_weight) != (None, None)
        passive = self.learning_rate if self.learning_rate in ("pa1", "pa2") else None
        averaged = self.average is not False
        return Kernel(self.loss, self.penalty, averaged, self.layout, self.dtype, weighted, passive)


def allowed(axis: str, value: Any, chosen: dict[str, Any]) -> bool:
    """Whether scikit-learn takes this value, and it tells something, given the axes before it."""
    match axis:
        case "loss":
            return value in LOSSES[chosen["kind"]]
        case "l1_ratio":
            return value is not None or chosen["penalty"] != "elasticnet"
        case "learning_rate" if value == "optimal":
            return chosen["alpha"] > 0
        case "learning_rate" if value in ("pa1", "pa2"):
            return chosen["loss"] == PASSIVE[chosen["kind"]]
        case "class_weight":
            return value is None or chosen["kind"] != "regressor"
        case "mode":
            return chosen["class_weight"] != "balanced" or "part" not in MODES[value]
        # Below, rounding adds up to more than a nudge of X shows, or decides when training stops.
        case "max_iter":
            return value <= 20 or chosen["dtype"] == "float64"
        case "tol":
            return value != 0 or chosen["dtype"] == "float64"
        case "size" if value == "huge":
            plain = chosen["tol"] is None and chosen["average"] in (False, 10_000)
            return chosen["learning_rate"] not in ("pa1", "pa2") and (plain or chosen["dtype"] == "float64")
    return True


def belongs(axis: str, value: Any, chosen: dict[str, Any], kernel: Kernel) -> bool:
    """Whether this value, with the axes before it, takes this kernel and no other."""
    match axis:
        case "loss" | "penalty" | "layout" | "dtype":
            return value == getattr(kernel, axis)
        case "average":
            return (value is not False) == kernel.averaged
        case "learning_rate":
            return kernel.passive == (value if value in ("pa1", "pa2") else None)
        case "sample_weight" | "class_weight" if not kernel.weighted:
            return value is None
        case "sample_weight":
            return value is not None or chosen["kind"] != "regressor"
        case "class_weight" if chosen["sample_weight"] is None:
            # "one" weighs no row of the other classes' models.
            return value is not None and (value != "one" or chosen["kind"] == "binary")
    return True


def draw(rng: np.random.Generator, kernels: Sequence[Kernel] = (), estimator: str | None = None) -> Cell:
    """A random cell: of one of these kernels if any are given, and of one estimator if it is named."""
    kinds = [kind for kind in AXES["kind"] if estimator in (None, estimator_name(kind))]
    chosen: dict[str, Any] = {"kind": pick(rng, kinds)}
    if kernels:
        losses, passive = LOSSES[chosen["kind"]], PASSIVE[chosen["kind"]]
        kernel = pick(rng, [k for k in kernels if k.loss in (losses if k.passive is None else (passive,))])
    for axis, values in list(AXES.items())[1:]:
        possible = [value for value in values if not kernels or belongs(axis, value, chosen, kernel)]
        chosen[axis] = pick(rng, [value for value in possible if allowed(axis, value, chosen)])
    n, d, seed = (int(rng.integers(*ends)) for ends in ((30, 121), (3, 9), (0, 2**31)))
    return Cell(**chosen, n=n, d=d, seed=seed)


def pick(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    """One of the values as it is: `rng.choice` would make it a NumPy scalar."""
    return values[rng.integers(len(values))]


def estimator_name(kind: str) -> str:
    return "SGDRegressor" if kind == "regressor" else "SGDClassifier"


@dataclass
class Data:
    """Rows, targets, row weights, the classes (None for a regressor), class weights and initial values."""

    X: Any
    y: np.ndarray
    weight: np.ndarray | None
    classes: np.ndarray | None
    class_weight: Any
    coef: np.ndarray
    intercept: np.ndarray


def data(cell: Cell) -> Data:
    rng = np.random.default_rng(cell.seed)
    n, d = cell.n, cell.d
    X = rng.normal(size=(n, d)) / math.sqrt(d)
    # Zeros: a row of them (pa1 skips it), and in CSR some that are stored (an l1 penalty sees those only).
    X[rng.integers(n)] = 0.0
    stored = rng.random((n, d)) < (0.3 if cell.layout == "csr" else 1.0)
    signal = np.where(stored, X, 0.0) @ rng.normal(size=d) * 2 + 0.3 * rng.normal(size=n) + 0.2
    X[rng.random((n, d)) < 0.1] = 0.0
    if cell.size == "huge":  # so that products overflow: near that point the order of a sum would matter
        X *= 1e200 if cell.dtype == "float64" else 1e25
    X = X.astype(cell.dtype)
    if cell.layout == "csr":
        rows, columns = (index.astype(np.int32) for index in np.nonzero(stored))  # it refuses others
        X = sp.csr_array((X[stored], (rows, columns)), shape=(n, d))
    outputs = {"regressor": 1, "binary": 2, "multiclass": 3 + cell.seed % 2}[cell.kind]
    y, classes = signal, None
    if outputs > 1:
        classes = np.array([0, 1]) if outputs == 2 else np.array(["ant", "bee", "cow", "dog"])[:outputs]
        labels = np.digitize(signal, np.quantile(signal, np.arange(1, outputs) / outputs))
        labels[rng.random(n) < 0.1] = 0  # noise, and one class is the largest
        y = classes[labels]
    rows = 1 if outputs <= 2 else outputs
    return Data(
        X=X,
        y=y,
        weight=row_weights(cell, rng),
        classes=classes,
        class_weight=class_weights(cell, classes),
        coef=rng.normal(size=(rows, d) if classes is not None else d),
        intercept=rng.normal(size=rows),
    )


def row_weights(cell: Cell, rng: np.random.Generator) -> np.ndarray | None:
    weight = rng.uniform(0.2, 2.0, cell.n)
    if cell.sample_weight == "zeros":
        weight *= rng.random(cell.n) < 0.7
    return None if cell.sample_weight is None else weight


def class_weights(cell: Cell, classes: np.ndarray | None) -> Any:
    """As the constructor takes them: "dict" weighs all classes, "one" only the last."""
    if classes is None or cell.class_weight in (None, "balanced"):
        return cell.class_weight
    weights = dict(zip(classes.tolist(), (0.5, 2.0, 1.5, 0.7), strict=False))
    return weights if cell.class_weight == "dict" else dict([weights.popitem()])


def train(cell: Cell, classifier: type, regressor: type, X: Any, given: Data) -> Result:
    """What these calls leave behind: the learned attributes, or the exception; and the warnings."""
    before = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(cell.seed % 2**31)  # noqa: NPY002
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model, result = make(cell, classifier, regressor, given), {}
            try:
                call(model, MODES[cell.mode], X, given)
            except Exception as error:
                result["error"] = f"{type(error).__name__}: {error}"
            else:
                result = {name: np.array(getattr(model, name)) for name in ("coef_", "intercept_", "t_", "n_iter_")}
                result["next random number"] = next_random(model.random_state)
        return {**result, "warnings": sorted({warning.category.__name__ for warning in caught})}
    finally:
        np.random.set_state(before)  # noqa: NPY002


def make(cell: Cell, classifier: type, regressor: type, given: Data) -> Any:
    names = "loss penalty alpha l1_ratio learning_rate eta0 power_t average shuffle fit_intercept epsilon tol max_iter"
    values: dict[str, Any] = {name: getattr(cell, name) for name in (*names.split(), "n_iter_no_change")}
    values["warm_start"] = "warm" in cell.mode
    values["random_state"] = {
        "int": cell.seed,
        "instance": np.random.RandomState(cell.seed),
        "global": None,
    }[cell.random_state]
    if cell.kind == "regressor":
        return regressor(**values)
    return classifier(**values, class_weight=given.class_weight)


def call(model: Any, steps: Sequence[str], X: Any, given: Data) -> None:
    parts = iter(np.array_split(np.arange(X.shape[0]), 3))
    for i, step in enumerate(steps):
        rows = next(parts) if step == "part" else np.arange(X.shape[0])
        weight = None if given.weight is None else given.weight[rows]
        options: dict[str, Any] = {"sample_weight": weight}
        if step == "part" and i == 0 and given.classes is not None:
            options["classes"] = given.classes
        # Copies, because scikit-learn writes into the arrays that it is given.
        if "coef" in step:
            options["coef_init"] = given.coef.copy()
        if "intercept" in step:
            options["intercept_init"] = given.intercept.copy()
        (model.partial_fit if step == "part" else model.fit)(X[rows], given.y[rows], **options)


def next_random(random_state: Any) -> int:
    """Tells whether the random numbers that fits share were drawn as often; an int is not shared."""
    if random_state is None:
        return int(np.random.randint(2**31 - 1))  # noqa: NPY002
    return 0 if isinstance(random_state, int) else int(random_state.randint(2**31 - 1))


def nudge(X: Any, seed: int) -> Any:
    """X with every value but zeros moved by one unit in the last place, up or down."""
    moved = X.copy()
    values = moved.data if sp.issparse(moved) else moved
    up = np.random.default_rng(seed).random(values.shape) < 0.5
    ends = np.where(up, np.inf, -np.inf).astype(values.dtype)
    values[...] = np.where(values == 0, values, np.nextafter(values, ends))
    return moved


def nudge_rates(cell: Cell, seed: int) -> Cell:
    """The cell with alpha and eta0 moved likewise: where all weights are 0, X has no effect."""
    end = (math.inf, 0.0)[seed % 2]
    return replace(
        cell, alpha=math.nextafter(cell.alpha, end if cell.alpha else 0.0), eta0=math.nextafter(cell.eta0, end)
    )


def difference(found: Result, wanted: Result) -> tuple[float, str]:
    """The largest difference of the coefficients and intercepts, or inf and what else is not the same."""
    for name in ("error", "warnings", "n_iter_", "t_", "next random number"):
        if found.get(name) != wanted.get(name):
            return math.inf, f"{name}: {found.get(name)}, not {wanted.get(name)}"
    if "error" in wanted:
        return 0.0, ""
    for name in ("coef_", "intercept_"):
        kinds = [f"{result[name].dtype}{result[name].shape}" for result in (found, wanted)]
        if kinds[0] != kinds[1]:
            return math.inf, f"{name}: {kinds[0]}, not {kinds[1]}"
    first, second = (np.append(result["coef_"], result["intercept_"]).astype(float) for result in (found, wanted))
    finite = np.isfinite(second)
    if not np.array_equal(np.where(finite, 0, first), np.where(finite, 0, second), equal_nan=True):
        return math.inf, "other values are not finite"
    scale = np.abs(second[finite]).max(initial=1.0)
    return float(np.abs(first[finite] - second[finite]).max(initial=0.0) / scale), ""


@dataclass(frozen=True)
class Record:
    """What a comparison found. `reason` is for differences that are not a matter of size."""

    cell: Cell
    verdict: str  # "equal", "unequal", or "replaced" if the cell is no evidence
    difference: float
    tolerance: float
    reason: str


@functools.cache
def expect(cell: Cell) -> tuple[Result, float]:
    """scikit-learn's result, and by how much a nudge moves it: the larger of two."""
    given = data(cell)
    pair = SGDClassifier, SGDRegressor
    wanted = train(cell, *pair, given.X, given)
    nudged = [train(nudge_rates(cell, seed), *pair, nudge(given.X, seed), given) for seed in (0, 1)]
    return wanted, max(difference(result, wanted)[0] for result in nudged)


def compare(cell: Cell, classifier: type | None = None, regressor: type | None = None) -> Record:
    """Compare these estimators (ours unless given) with scikit-learn's in one cell."""
    wanted, effect = expect(cell)
    tolerance = max(FLOOR[cell.dtype], FACTOR * effect)
    if effect > TAME:
        return Record(cell, "replaced", math.nan, tolerance, f"a nudge moves it by {effect:.1g}")
    if classifier is None or regressor is None:
        import sksgd

        classifier, regressor = sksgd.SGDClassifier, sksgd.SGDRegressor
    given = data(cell)
    size, reason = difference(train(cell, classifier, regressor, given.X, given), wanted)
    return Record(cell, "equal" if size <= tolerance else "unequal", size, tolerance, reason)


def evidence(count: int, seed: int, kernels: Sequence[Kernel] = ()) -> Iterator[Cell]:
    """This many tame cells; those that are not are drawn anew."""
    rng = np.random.default_rng(seed)
    while count > 0:
        cell = draw(rng, kernels)
        if expect(cell)[1] <= TAME:
            count -= 1
            yield cell


def describe(record: Record) -> str:
    """The cell as code to paste, and what is wrong with it."""
    size = f"differs by {record.difference:.2g}, allowed {record.tolerance:.2g}"
    return f"compare({record.cell})  # {record.reason or size}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cells", type=int, default=1000, help="how many to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--estimator", choices=["SGDClassifier", "SGDRegressor"], help="only this one")
    parser.add_argument("--self", action="store_true", help="compare scikit-learn with itself: bitwise")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    pair = (SGDClassifier, SGDRegressor) if options.self else (None, None)
    replaced = raising = unequal = 0
    start = time.perf_counter()
    for _ in range(options.cells):
        record = compare(draw(rng, estimator=options.estimator), *pair)
        if record.verdict == "replaced":
            replaced += 1
            continue
        raising += "error" in expect(record.cell)[0]
        if record.verdict == "unequal" or (options.self and record.difference > 0):
            unequal += 1
            print(describe(record))
    counts = f"{options.cells - replaced} cells of evidence ({raising} raise), {replaced} replaced, {unequal} unequal"
    print(f"{counts}; {time.perf_counter() - start:.0f} s")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
