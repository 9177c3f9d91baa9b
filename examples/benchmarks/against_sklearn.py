"""The drop-in classes of sksgd against those of scikit-learn, case by case, beside the speed each case has to reach.

    python examples/benchmarks/against_sklearn.py --output docs/benchmarks/against_sklearn.md

Whole calls are timed on one thread of one process, on data made once: `fit` of 5 passes without a stopping rule unless
the line says otherwise, ours and scikit-learn's in alternation, so that a ratio compares neighbours in time.
Compilation is not timed. Lines said to be equal check that both find the same, others that ours predicts as well: a
fast wrong answer is worthless.

The read floor is the time of reading the rows once per pass in random order, a few rows ahead, to no other end than
one dot product each: scikit-learn's time over it is about the most that a program of this access could reach here.
Predictions read in the order of memory; one-vs-rest at equal results reads ten times, each class in an order of its
own.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import datetime
import functools
import pathlib
import platform
import statistics
import warnings
from typing import Any, NamedTuple

import numba
import numpy as np
import sklearn
from one_pass import dense, machine, spread, text, timed
from sklearn import linear_model as theirs
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import sksgd as ours
from sksgd.kernels.intrinsics import get, prefetch, prefetch_soon

EQUAL = {np.float64: 1e-12, np.float32: 1e-4}  # greatest difference of equal results, relative to the greatest value
WORSE = 0.02  # accuracy that a line of other results may lose
AHEAD = (0, 4, 8, 16, 32)  # rows to prefetch ahead: the read floor is the best of these
COLUMNS = (
    "case", "sksgd, ns", "scikit-learn, ns", "times as fast", "at least", "reached",
    "read floor, ns", "at most", "difference, or accuracies",
)  # fmt: skip


class Case(NamedTuple):
    """A line: what is run on which data."""

    name: str
    at_least: float | None  # times as fast; None on an extra line
    data: tuple  # function, rows, features, dtype
    target: str  # see `problem`
    ours: Any
    theirs: Any
    work: str = "fit"  # the method timed
    calls: int = 1  # in one timing: more where one call is short
    reads: int = 1  # of the data in a pass, for the read floor; 0: no floor
    equal: bool = True


def case(name, at_least, data, *, target="two", extra=None, work="fit", calls=1, reads=1, **options):
    """A line of a drop-in class, the `extra` parameters for ours alone."""
    kind, n, d, dtype = data
    options = {"max_iter": 5, "tol": None, "random_state": 0, **options}
    if target == "numbers":
        options.setdefault("eta0", 0.1 / d)  # 0.01 is too much: the squared norm of a row is d
        class_ = "SGDRegressor"
    else:
        options.setdefault("loss", "log_loss")
        class_ = "SGDClassifier"
        if d == 1000:  # "optimal" is chaotic here: the order of a sum changes the coefficients by half
            options.update(learning_rate="constant", eta0=0.1 / d)
    jumps = options.get("loss") == "hinge" and dtype == np.float32  # the last bit of a score decides on an update
    size = f"{n // 1000}k" if n >= 1000 else n
    columns = f"{d // 1_000_000}M" if d >= 1_000_000 else f"{d // 1000}k" if d >= 10_000 else d
    return Case(
        f"{'dense' if kind is dense else 'CSR'} {size} x {columns} {np.dtype(dtype)}, {name}",
        at_least, data, target,
        getattr(ours, class_)(**options, **(extra or {})), getattr(theirs, class_)(**options),
        work, calls, reads if kind is dense else 0, not (extra or jumps),
    )  # fmt: skip


def dense_cases(f64=np.float64, f32=np.float32):
    """Plain passes over dense rows."""
    squared = {"target": "numbers"}
    for n, d in ((400_000, 20), (300_000, 100)):
        for dtype in (f64, f32):
            data = dense, n, d, dtype
            yield case("log loss", 9, data)
            yield case("squared loss", 9, data, **squared)
            yield case("hinge loss", 9, data, loss="hinge")
    yield case("log loss, tol=1e-3 (extra)", None, (dense, 300_000, 100, f64), tol=1e-3)
    yield case("log loss", 5, (dense, 40_000, 1000, f64))
    yield case("log loss", 9, (dense, 40_000, 1000, f32))
    yield case("in cache, log loss", 2.5, (dense, 20_000, 20, f64), calls=10)
    yield case("in cache, squared loss", 3, (dense, 20_000, 20, f64), calls=10, **squared)


def sparse_cases():
    """Plain passes over rows like those of a text."""
    for d, rows in (
        (50_000, {"l2": 3.5, "l1": 4.5, "elasticnet": 4.5, "averaged": 3}),
        (1_000_000, {"l2": 2.5, "l1": 3.5}),
    ):
        data = text, 100_000, d, np.float64
        for name, at_least in rows.items():
            options = {"average": True} if name == "averaged" else {"penalty": name}
            yield case(name, at_least, data, **options)
        if d == 50_000:
            yield case("l2, tol=1e-3 (extra)", None, data, tol=1e-3)


def other_cases():
    """Several classes, mini-batches and optimizers, the latter against scikit-learn's plain passes; short calls."""
    data = dense, 100_000, 100, np.float64
    one_vs_rest = case("10 classes one-vs-rest", 9, data, target="ten", reads=10)
    yield one_vs_rest
    two = case("10 classes, n_jobs=2 against ours on one thread", 1.5, data, target="ten", reads=0, n_jobs=2)
    yield two._replace(theirs=one_vs_rest.ours)
    multinomial = ours.LogisticClassifier(
        optimizer="sgd", learning_rate=1e-3, alpha=1e-4, max_iter=5, tol=None, random_state=0
    )
    name = one_vs_rest.name.replace("one-vs-rest", "multinomial (LogisticClassifier) against one-vs-rest")
    yield one_vs_rest._replace(name=name, at_least=18, ours=multinomial, reads=1, equal=False)
    data = dense, 300_000, 100, np.float64
    constant = {"learning_rate": "constant"}
    yield case("batches of 256", 8, data, extra={"batch_size": 256}, **constant, eta0=1e-2)
    yield case("momentum", 6, data, extra={"optimizer": "momentum"}, **constant, eta0=1e-4)
    yield case("adam", 3, data, extra={"optimizer": "adam"}, **constant, eta0=1e-3)
    data = text, 100_000, 50_000, np.float64
    yield case("momentum", 1.5, data, extra={"optimizer": "momentum"}, **constant, eta0=1e-2)
    data = dense, 20_000, 20, np.float64
    yield case("partial_fit of one row", 2.5, data, work="partial_fit", calls=300, reads=0)
    yield case("fit of one pass", 1.8, (dense, 100, 10, np.float64), max_iter=1, calls=300, reads=0)
    for n, d in ((400_000, 20), (300_000, 100), (40_000, 1000)):
        for work in ("predict", "decision_function", "predict_proba"):
            yield case(work, 2, (dense, n, d, np.float64), work=work, calls=5)


@functools.cache
def rows(kind, n, d, dtype):
    """The data of a case and two classes, made once."""
    return kind(n, d, dtype)


def problem(case, quick):
    """Rows and targets: "two" or "ten" classes, or "numbers", from a linear model with noise."""
    kind, n, d, dtype = case.data
    X, y = rows(kind, n // 10 if quick and n >= 10_000 else n, d, dtype)
    if case.target == "two":
        return X, y
    rng = np.random.default_rng(1)
    scores = X @ rng.standard_normal((d, 10 if case.target == "ten" else 1)) / np.sqrt(d)
    if case.target == "ten":
        return X, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return X, (scores[:, 0] + rng.standard_normal(len(scores))).astype(dtype)


@numba.njit(fastmath={"reassoc", "contract", "nsz"})
def read(X, order, w, ahead):
    """The least a pass does: read each row, here for its dot product with `w`, prefetching a few rows ahead.

    Into the second cache, and half as many rows ahead into the first.
    """
    n, d = len(order), X.shape[1]
    line = 64 // X.itemsize
    total = zero = w[0] - w[0]
    for i in range(n):
        row, later, soon = order[i] * d, order[min(i + ahead, n - 1)] * d, order[min(i + ahead // 2, n - 1)] * d
        if ahead:
            for j in range(0, d, line):
                prefetch(X, later + j)
                prefetch_soon(X, soon + j)
            prefetch(X, later + d - 1)
        product = zero  # in the precision of the data
        for j in range(d):
            product += get(X, row + j) * get(w, j)
        total += product
    return total


def floor(case, X, passes):
    """A function that returns the nanoseconds of so many passes which only read, or 0 where there is no such figure."""
    if not case.reads:
        return lambda: 0
    n, d = X.shape
    order, w = np.arange(n), np.ones(d, X.dtype)
    if case.work == "fit":
        np.random.default_rng(0).shuffle(order)
    read(X, order, w, 1)  # compiles

    def reads(ahead):
        for _ in range(passes):
            read(X, order, w, ahead)

    return lambda: min(timed(reads, ahead) for ahead in AHEAD) * case.reads


def run(case, model, X, y):
    """What is timed; it returns the last result."""
    method, arguments = getattr(model, case.work), (X, y) if case.work.endswith("fit") else (X,)
    for _ in range(case.calls):
        result = method(*arguments)
    return result


def check(case, X, y):
    """Whether the results of ours are as they should be, and the figures that say so."""
    models = case.ours, case.theirs
    if not case.equal:
        mine, other = (model.score(X, y) for model in models)
        return mine >= other - WORSE, f"{mine:.3f}, theirs {other:.3f}"
    if X.dtype == np.float32:  # both err; scikit-learn's scale of the weights drifts in float32
        exact = weights(clone(case.theirs).fit(X.astype(np.float64), y))
        mine, other = (np.abs(weights(model) - exact).max() / np.abs(exact).max() for model in models)
        return mine <= max(other, EQUAL[np.float32]), f"{mine:.1g} from float64, theirs {other:.1g}"
    if case.work.endswith("fit"):
        found, expected = map(weights, models)
    else:
        found, expected = (run(case, model, X, y) for model in models)
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    return difference <= EQUAL[np.float64], f"{difference:.1g}"


def weights(model):
    """Coefficients and intercepts in one array."""
    return np.append(model.coef_, model.intercept_)


def measure(case, rounds, quick):
    """The cells of a line, and whether it is as it should be: True, False, or None if there is nothing to reach."""
    X, y = problem(case, quick)
    models = case.ours, case.theirs
    for model in models:
        model.fit(X[:1000], y[:1000])
    if case.work != "fit":  # from the same model on: fits of so few rows may be chaotic
        case.ours.coef_, case.ours.intercept_ = case.theirs.coef_.copy(), case.theirs.intercept_.copy()
    if case.work == "partial_fit":
        X, y = X[:1], y[:1]
    passes = case.calls * (case.theirs.max_iter if case.work == "fit" else 1)
    reading = floor(case, X, passes)
    for model in models:
        run(case, model, X, y)  # compiles
    times = np.array([[*(timed(run, case, model, X, y) for model in models), reading()] for _ in range(rounds)])
    times = times / passes / X.shape[0]
    mine, other, least = times.T
    ratio = statistics.median(other / mine)
    right, difference = check(case, X, y)
    reached = None if right and case.at_least is None else right and ratio >= case.at_least
    nanoseconds = [f"{value:,.{1 if value < 100 else 0}f}" for value in np.median(times, axis=0)]
    return reached, [
        case.name, *nanoseconds[:2], spread(other / mine), f"{case.at_least or ''}",
        ("" if reached is None else "yes" if reached else "no") if right else "**WRONG**",
        *((nanoseconds[2], f"{statistics.median(other / least):.1f}") if case.reads else ("", "")), difference,
    ]  # fmt: skip


def report(cases, rounds, quick):
    """The page, its lines printed as they come."""
    widths = [max(len(case.name) for case in cases), *(max(len(title), 6) for title in COLUMNS[1:])]
    widths[3] = 22  # of a spread
    table = []

    def add(cells):
        table.append("| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |")
        print(table[-1], flush=True)

    add(COLUMNS)
    add(["-" * width for width in widths])
    reached = []
    for case in cases:
        verdict, cells = measure(case, rounds, quick)
        add(cells)
        reached += [] if verdict is None else [verdict]
    versions = {
        "sksgd": ours.__version__, "scikit-learn": sklearn.__version__, "NumPy": np.__version__,
        "Numba": numba.__version__, "Python": platform.python_version(),
    }  # fmt: skip
    summary = f"{sum(reached)} of {len(reached)} lines reach what they have to."
    print(summary)
    heading = [
        "# Against scikit-learn\n",
        *__doc__.partition("\n\n    python")[2].partition("\n\n")[2].splitlines(),
        "\nNanoseconds are per row and pass (in predictions per row), all classes together; ratios are scikit-learn's",
        "time over ours, median of the paired rounds (least to most). The difference is the greatest one of equal",
        f"results, relative to the greatest value; it may be {EQUAL[np.float64]:g}. In float32 both are compared with",
        f"scikit-learn's float64, and ours may be {EQUAL[np.float32]:g} or scikit-learn's own distance away.",
        "Written by `examples/benchmarks/against_sklearn.py`.\n",
        f"- Machine: {machine()}, two where a line says n_jobs=2",
        f"- Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}",
        f"- Date: {datetime.date.today().isoformat()}; {rounds} rounds" + "; a tenth of the rows (--quick)" * quick,
        f"- {summary}\n",
    ]
    return "\n".join(heading + table) + "\n"


def main():
    """Run the chosen cases, print, and write the page where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="run the cases whose names contain this")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each case (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows: a trial, not figures to keep")
    parser.add_argument("--output", type=pathlib.Path, help="where to write the page")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # of 5 passes with tol=1e-3
    cases = [*dense_cases(), *sparse_cases(), *other_cases()]
    chosen = [case for case in cases if arguments.only in case.name]
    if not chosen:
        parser.error(f"no case contains {arguments.only!r}; there are\n" + "\n".join(case.name for case in cases))
    page = report(chosen, arguments.rounds, arguments.quick)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(page)
        print(f"written: {arguments.output}")


if __name__ == "__main__":
    main()
