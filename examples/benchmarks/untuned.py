"""How near to the optimum fits get that nobody tuned, in how many passes, and in what time.

    python examples/benchmarks/untuned.py [--data DIR] [--output docs/benchmarks/untuned.md]
    python examples/benchmarks/untuned.py --time [--data DIR] [--output docs/benchmarks/untuned_time.md]

Every set is fitted with default parameters, raw and standardised, with alpha 1e-4 and 1e-6 and three seeds. The optimum
is that of the stated objective: mean loss + alpha/2 ||w||^2 in the coordinates of the data, intercept free. Gaps are
relative to it. For the sets see `problems.py`: the bundled and synthetic ones always, those of the folder in a column
of their own. scikit-learn's SGD estimators, with their defaults, are fitted beside.

``--time`` compares the time of whole fits to gaps of 1e-3 and 1e-6 with that of scikit-learn's exact solvers, each with
the largest of its tolerances that gets there.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import pathlib
import statistics
import time
import warnings
from typing import NamedTuple

import numba
import numpy as np
import scipy.sparse as sp
import sklearn
from one_pass import machine
from problems import ALPHAS, drawn, minimum, objective, optimum, sets
from sklearn import linear_model

import sksgd
from sksgd import LinearRegressor, LogisticClassifier

SEEDS = 3
TOLERANCES = [10.0**-k for k in range(1, 11)]


def model(case, **params):
    return (LinearRegressor if case.task == "regression" else LogisticClassifier)(**params)


def theirs(case, alpha, seed):
    """scikit-learn's SGD with its defaults."""
    if case.task == "regression":
        return linear_model.SGDRegressor(alpha=alpha, random_state=seed)
    return linear_model.SGDClassifier("log_loss", alpha=alpha, random_state=seed)


# ---- gaps ------------------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """What one case gave."""

    name: str
    n: int
    d: int
    dense: bool
    optimizer: str
    gap: float  # of the default fit
    estimate: float
    exact: float  # of the fit with tol=1e-7
    claims: tuple[bool, bool]  # whether these say that they converged
    passes: int  # to 0.1%; 99 where it was not reached
    stream: float  # held-out loss after one pass of partial_fit over that of the exact fit, less 1
    ridge: (
        float  # greatest difference of predictions to the exact ones after a pass, relative; 0 where it means nothing
    )
    sgd: float  # gap of scikit-learn's SGD
    constant: float  # gap of the constant model


def run(case, alpha, seed):
    """All fits of a case."""
    best = optimum(case, alpha)
    fits = [model(case, alpha=alpha, random_state=seed, **more).fit(case.X, case.y) for more in ({}, {"tol": 1e-7})]
    default, exact = fits
    gaps = [objective(case, m.coef_, m.intercept_, alpha) / best - 1 for m in fits]
    claims = tuple(m.stop_reason_.startswith("the objective is within tol") for m in fits)
    near = [i for i, value in enumerate(exact.loss_curve_, 1) if value <= best * (1 + 1e-3)]
    stream, ridge = streamed(case, alpha, seed, exact)
    other = theirs(case, alpha, seed).fit(case.X, case.y)
    # scikit-learn has no multinomial SGD: one model for each class against the rest, read as scores of a softmax.
    sgd = objective(case, other.coef_, other.intercept_, alpha) / best - 1
    flat = model(case, alpha=alpha, tol=1e-9).fit(np.zeros((len(case.y), 1)), case.y)
    return Run(
        f"{case.name}, {alpha:g}, seed {seed}",
        *case.X.shape,
        case.dense,
        str(default.optimizer_.optimizer),
        gaps[0],
        default.optimality_gap_,
        gaps[1],
        claims,
        near[0] if near else 99,
        stream,
        ridge,
        sgd,
        flat.loss_curve_[-1] / best - 1,
    )


def streamed(case, alpha, seed, exact):
    """Held-out loss of a stream, and the difference of its predictions to Ridge's."""
    order = np.random.default_rng(seed).permutation(len(case.y))
    classes = {} if case.task == "regression" else {"classes": np.unique(case.y)}
    stream = model(case, alpha=alpha, random_state=seed).partial_fit(case.X[order], case.y[order], **classes)
    losses = [objective(case, m.coef_, m.intercept_, alpha, test=True) for m in (stream, exact)]
    ridge = 0.0
    if case.task == "regression" and case.dense:
        solver = linear_model.Ridge(alpha=alpha * len(case.y), solver="cholesky").fit(case.X, case.y)
        scores = solver.predict(case.X)
        ridge = float(np.abs(stream.predict(case.X) - scores).max() / np.abs(scores).max())
    return losses[0] / losses[1] - 1, ridge


def share(runs, met):
    """A percentage in words."""
    runs = list(runs)
    if not runs:
        return "-"
    percent = 100 * sum(map(met, runs)) / len(runs)
    return f"{percent:.{int(99 < percent < 100)}f}% of {len(runs)}"  # 100% are all


def summary(runs):
    """Lines of the table: what, at least, reached."""
    large, dense = [r for r in runs if r.dense and r.n >= 1000], [r for r in runs if r.dense]
    few = [r for r in dense if r.d <= 250]
    streams, squares = [r for r in runs if r.n >= 20_000], [r for r in few if r.ridge]
    claims = [pair for r in runs for pair in ((r.claims[0], r.gap, 1e-4), (r.claims[1], r.exact, 1e-7)) if pair[0]]
    return [
        ("within 1% of the optimum, dense, n >= 1000", "100%", share(large, lambda r: r.gap <= 1e-2)),
        ("within 1% of the optimum, all", "95%", share(runs, lambda r: r.gap <= 1e-2)),
        ("within 0.1%", "90%", share(runs, lambda r: r.gap <= 1e-3)),
        ("within 1e-6 with tol=1e-7, dense", "90%", share(dense, lambda r: r.exact <= 1e-6)),
        ("3 passes or fewer to 0.1%, dense, d <= 250", "80%", share(few, lambda r: r.passes <= 3)),
        ("10 passes or fewer to 0.1%, dense, d <= 250", "98%", share(few, lambda r: r.passes <= 10)),
        (
            "one pass of partial_fit, n >= 20,000: held-out loss within 1%",
            "90%",
            share(streams, lambda r: r.stream <= 0.01),
        ),
        ("squared error, dense, d <= 250, one pass: ridge to 1e-8", "100%", share(squares, lambda r: r.ridge <= 1e-8)),
        ("true gap <= tol where it says that it converged", "95%", share(claims, lambda c: c[1] <= c[2])),
        ("never worse than the constant model", "100%", share(runs, lambda r: r.gap <= r.constant + 1e-9)),
        ("scikit-learn's SGD within 1%, raw", "", share([r for r in runs if "raw" in r.name], lambda r: r.sgd <= 1e-2)),
        (
            "scikit-learn's SGD within 1%, standardised",
            "",
            share([r for r in runs if "raw" not in r.name], lambda r: r.sgd <= 1e-2),
        ),
        (
            "scikit-learn's SGD worse than the constant model, raw",
            "",
            share([r for r in runs if "raw" in r.name], lambda r: not r.sgd <= r.constant),
        ),
    ]


# ---- other units -----------------------------------------------------------------------------------------------------


def rescaled(case, seed):
    """By how much predictions change with features times 10^U(-3, 3), without a penalty; None without one optimum."""
    size = case.X.std(axis=0)
    Z = (case.X - case.X.mean(axis=0)) / np.where(size > 0, size, 1.0)
    if (size == 0).any() or np.linalg.svd(Z, compute_uv=False)[-1] < 1e-6 * np.sqrt(len(Z)):
        return None
    scale = 10.0 ** np.random.default_rng(seed).uniform(-3, 3, case.X.shape[1])
    plain, other = (model(case, alpha=0.0, tol=1e-12, random_state=seed, max_iter=200) for _ in range(2))
    ours, moved = (scores(m.fit(X, case.y), X) for m, X in ((plain, case.X), (other, case.X * scale)))
    return (
        None
        if np.abs(ours).max() > 40 and case.task != "regression"
        else np.abs(moved - ours).max() / np.abs(ours).max()
    )


def scores(fitted, X):
    return fitted.predict(X) if hasattr(fitted, "predict_proba") is False else fitted.decision_function(X)


def in_other_units(case, alpha, seed):
    """How much the score falls short of that of the optimum, with X times 10^4 and, for numbers, y/10^6 + 10^6."""
    y = case.y * 1e-6 + 1e6 if case.task == "regression" else case.y
    moved = case._replace(X=case.X * 1e4, y=y, optima={})
    fitted = model(moved, alpha=alpha, random_state=seed).fit(moved.X, y)
    best = minimum(moved, alpha)[1]
    if case.task == "regression":
        return 1 - np.mean((best[:, 0] - y) ** 2) / np.var(y) - fitted.score(moved.X, y)
    guess = best.argmax(axis=1) if best.shape[1] > 1 else (best[:, 0] > 0).astype(int)
    return np.mean(guess == y) - fitted.score(moved.X, y)


# ---- time ------------------------------------------------------------------------------------------------------------


def solvers(case, alpha):
    """scikit-learn's estimators for the same objective, as functions of their tolerance."""
    n = len(case.y)
    if case.task == "regression":
        names = ("sparse_cg", "lsqr", "sag") if sp.issparse(case.X) else ("cholesky", "svd", "lsqr")
        return {s: lambda tol, s=s: linear_model.Ridge(alpha=alpha * n, solver=s, tol=tol) for s in names}
    names = (
        ("lbfgs", "newton-cg", "saga", "liblinear")
        if sp.issparse(case.X)
        else ("lbfgs", "newton-cholesky", "newton-cg")
    )
    if len(np.unique(case.y)) > 2:
        names = tuple(name for name in names if name != "liblinear")
    make = linear_model.LogisticRegression
    return {s: lambda tol, s=s: make(C=1 / (alpha * n), solver=s, tol=tol, max_iter=500) for s in names}


def seconds(fit, *arguments):
    start = time.perf_counter()
    fitted = fit(*arguments)
    return time.perf_counter() - start, fitted


def compare(case, alpha, repeat):
    """Rows of the table of times: the gap aimed at, our time and the least of theirs."""
    best = optimum(case, alpha)
    for target in (1e-3, 1e-6):
        found = {}
        for name, make in solvers(case, alpha).items():
            for tol in TOLERANCES:
                took, fitted = seconds(make(tol).fit, case.X, case.y)
                if objective(case, fitted.coef_, fitted.intercept_, alpha) / best - 1 <= target:
                    found[name] = (took, make, tol)
                    break
                if took > 5:
                    break
        mine = model(case, alpha=alpha, tol=target)
        mine.fit(case.X, case.y)  # compiles
        if not found:  # none gets there
            yield target, objective(case, mine.coef_, mine.intercept_, alpha) / best - 1, np.nan, np.nan, "none", np.nan
            continue
        name, (_, make, tol) = min(found.items(), key=lambda item: item[1][0])
        rounds = [
            (seconds(mine.fit, case.X, case.y)[0], seconds(make(tol).fit, case.X, case.y)[0]) for _ in range(repeat)
        ]
        gap = objective(case, mine.coef_, mine.intercept_, alpha) / best - 1
        ours, others = (statistics.median(column) for column in zip(*rounds, strict=True))
        yield target, gap, ours, others, name, statistics.median(b / a for a, b in rounds)


# ---- tables ----------------------------------------------------------------------------------------------------------


def table(head, rows):
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def times(cases, repeat):
    """The table of times."""
    rows = []
    for case in cases:
        if len(case.y) >= 20_000 or not case.dense:
            for target, gap, ours, others, name, ratio in compare(case, 1e-4, repeat):
                row = (case.name, f"{target:g}", f"{gap:.0e}", f"{ours:.3f}", f"{others:.3f}", name, f"{ratio:.2f}")
                print(*row, flush=True)
                rows.append(row)
    return table(
        ("case", "gap at most", "gap", "sksgd, s", "scikit-learn's fastest, s", "solver", "times as fast"), rows
    )


def gaps(cases, verbose):
    """Lines of the table for some cases, the number of these, and all runs."""
    runs, changes, shortfalls, count = [], [], [], 0
    for case in cases:
        count += 1
        for alpha in ALPHAS:
            for seed in range(SEEDS):
                runs.append(run(case, alpha, seed))
                if verbose:
                    print(runs[-1], flush=True)
        if case.dense:
            changes.append(rescaled(case, 0))
            shortfalls.append(in_other_units(case, ALPHAS[0], 0))
            if verbose:
                print(f"{case.name}: rescaled {changes[-1]}, in other units {shortfalls[-1]}", flush=True)
    changes = [value for value in changes if value is not None]
    lines = [
        *summary(runs),
        (
            "features times 10^U(-3, 3), alpha=0: predictions change by less than 1e-6",
            "100%",
            share(changes, lambda v: v < 1e-6),
        ),
        (
            "X times 10^4, y/10^6 + 10^6: score of the optimum within 1e-3",
            "100%",
            share(shortfalls, lambda v: v <= 1e-3),
        ),
    ]
    return lines, count, runs


def page_of_gaps(folder, only, verbose):
    """The page, a column for the sets of the folder if there is one and one for the others; and all runs."""
    columns = {"stored sets": drawn(folder, only)} if folder else {}
    columns["bundled and synthetic"] = drawn(None, only)
    found = {name: gaps(cases, verbose) for name, cases in columns.items()}
    lines = [
        (what, least, *(column[i][2] for column, _, _ in found.values()))
        for i, (what, least, _) in enumerate(found["bundled and synthetic"][0])
    ]
    counts = " and ".join(f"{count} {name}" for name, (_, count, _) in found.items())
    head = ("default parameters", "at least", *found)
    return [GAPS.format(sets=counts, seeds=SEEDS), *table(head, lines)], {
        name: runs for name, (_, _, runs) in found.items()
    }


def draw(found, path):
    """Gaps of all runs as points, best to worst, a panel for each group of sets."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "untuned"
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(found), figsize=(7.5, 4), layout="constrained", sharey=True, squeeze=False)
    for axes, (name, runs) in zip(panels[0], found.items(), strict=True):
        raw, scaled = ([r for r in runs if ("raw" in r.name) is is_raw] for is_raw in (True, False))
        groups = {
            "scikit-learn's SGD, raw": [r.sgd for r in raw],
            "scikit-learn's SGD, standardised": [r.sgd for r in scaled],
            "sksgd, raw": [r.gap for r in raw],
            "sksgd, standardised": [r.gap for r in scaled],
        }
        for (label, values), colour, marker in zip(
            groups.items(), ("#d55e00", "#e69f00", "#0072b2", "#56b4e9"), "^vos", strict=True
        ):
            values = np.sort(np.clip(np.nan_to_num(values, nan=np.inf), 1e-10, 1e6))
            axes.semilogy(np.linspace(0, 100, len(values)), values, marker, color=colour, markersize=3, label=label)
        axes.axhline(1e-2, color="grey", linewidth=0.8)
        axes.annotate("1%", (0, 1e-2), xytext=(2, 3), textcoords="offset points", color="grey")
        axes.set(xlabel="share of runs, %", title=name)
    panels[0, 0].set_ylabel("objective over its minimum, less 1")
    panels[0, 0].legend(loc="lower right", frameon=False)
    figure.suptitle("Default fits: how far from the optimum")
    figure.savefig(path, metadata={"Date": None})


def main():
    """Print the tables, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, help="a folder with datasets.py and reference.json")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--time", action="store_true", help="compare times instead of gaps")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of timing (default: 5)")
    parser.add_argument("--verbose", action="store_true", help="a line for every fit")
    parser.add_argument("--output", type=pathlib.Path, help="write the table as a page; gaps with a figure beside it")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.time:
        page = [TIMES, *times(sets(arguments.data, arguments.only), arguments.repeat)]
    else:
        page, runs = page_of_gaps(arguments.data, arguments.only, arguments.verbose)
    print("\n".join(page))
    if arguments.output:
        if not arguments.time:
            figure = arguments.output.with_suffix(".svg")
            draw(runs, figure)
            page += ["", f"![Gaps of all runs]({figure.name})"]
        arguments.output.write_text("\n".join([*page, "", f"Measured on {machine()}; {versions()}.", ""]))


def versions():
    """Of what was measured."""
    modules = {"sksgd": sksgd, "scikit-learn": sklearn, "NumPy": np, "Numba": numba}
    return ", ".join(f"{name} {module.__version__}" for name, module in modules.items())


GAPS = """# Untuned

What default fits of `LinearRegressor` and `LogisticClassifier` reach, on raw and on standardised rows, against the
exact optimum of the objective they state: {sets} (raw and
standardised count as two), alpha 1e-4 and 1e-6, {seeds} seeds; in the figure gaps are cut at 1e-10 and 1e6. A pass
forms the matrix of second derivatives at most once; it may read the rows up to ten times. Written by
`examples/benchmarks/untuned.py`, which makes the synthetic sets by the rules in `families.py`.
"""
TIMES = """# Untuned: time

Whole default fits on one thread, in alternation, medians, alpha 1e-4; scikit-learn's solvers for the same objective
each with the largest tolerance that gets to the gap aimed at, ours with `tol` at that gap. Above 1, sksgd is faster.
Dense sets of at least 20,000 rows, and sparse ones. Written by `examples/benchmarks/untuned.py --time`.
"""


if __name__ == "__main__":
    main()
