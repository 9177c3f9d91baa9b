"""How near to the optimum fits get that nobody tuned, in how many passes, and in what time.

    python examples/benchmarks/untuned.py [--data DIR] [--time]

Every set is fitted raw and standardised, with alpha 1e-4 and 1e-6. The optimum is that of the stated objective: mean
loss + alpha/2 ||w||^2 in the coordinates of the data, intercept free. Gaps are relative to it. With ``--data DIR`` the
sets come from ``DIR/datasets.py`` (names, variants, prepare, load) and the optima from ``DIR/reference.json``; without
it they are those that come with scikit-learn, and synthetic ones of many scales, offsets, correlations and tails, whose
optima are found here, by Newton's method in standardised coordinates.

``--time`` compares the time of whole fits to gaps of 1e-3 and 1e-6 with that of scikit-learn's exact solvers, each with
the largest of its tolerances that gets there.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import importlib
import json
import pathlib
import statistics
import sys
import time
import warnings
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, logsumexp, softmax
from sklearn import datasets, linear_model
from sklearn.preprocessing import StandardScaler

from sksgd import LinearRegressor, LogisticClassifier

ALPHAS, LARGEST = (1e-4, 1e-6), 4000
TOLERANCES = [10.0**-k for k in range(1, 11)]


class Case(NamedTuple):
    """Data of one fit: "regression", or a classification with labels 0, 1, ..."""

    name: str
    task: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    optima: dict

    @property
    def dense(self):
        return not sp.issparse(self.X)


# ---- data ------------------------------------------------------------------------------------------------------------

FAMILIES = {  # n, d, powers of ten of the scales, offsets in standard deviations, correlation, tails
    "tiny": (190, 20, (-2, 2), 3.0, 0.0, "normal"),
    "clean": (25_000, 20, (0, 0), 0.0, 0.0, "normal"),
    "scales": (60_000, 40, (-3, 3), 5.0, 0.0, "normal"),
    "offsets": (60_000, 30, (-1, 2), 100.0, 0.0, "normal"),
    "correlated": (60_000, 50, (-1, 3), 2.0, 0.95, "normal"),
    "heavy": (60_000, 30, (-2, 2), 0.0, 0.0, "t"),
    "imbalanced": (120_000, 30, (-2, 2), 2.0, 0.0, "normal"),
    "separable": (60_000, 30, (-2, 2), 2.0, 0.0, "normal"),
    "wide": (12_000, 200, (-1, 1), 2.0, 0.0, "normal"),
}


def synthetic(family, task, seed=0):
    """Rows of a family, and targets of a task."""
    n, d, (low, high), offset, correlation, tails = FAMILIES[family]
    rng = np.random.default_rng([seed, list(FAMILIES).index(family)])
    Z = rng.standard_normal((n, d)) if tails == "normal" else rng.standard_t(2.2, (n, d))
    for j in range(1, d):
        Z[:, j] = correlation * Z[:, j - 1] + np.sqrt(1 - correlation**2) * Z[:, j]
    signal = Z @ rng.standard_normal(d)
    signal = (signal - np.median(signal)) / np.subtract(*np.percentile(signal, [84, 16])) * 2
    X = (Z + offset * rng.standard_normal(d)) * 10.0 ** rng.uniform(low, high, d)
    if task == "regression":
        return X, 1000 * (3 + signal + 0.5 * rng.standard_normal(n))
    if family == "separable":
        keep = np.abs(signal - 0.3) > 0.1
        return X[keep], (signal[keep] > 0.3).astype(int)
    return X, (rng.random(n) < expit(2 * signal + (-6.2 if family == "imbalanced" else 0.5))).astype(int)


def bundled():
    """Cases from scikit-learn and of the families, four fifths of the rows for training."""
    loaders = {name: getattr(datasets, f"load_{name}") for name in ("breast_cancer", "digits", "wine", "diabetes")}
    sets = {name: (*load(return_X_y=True), name == "diabetes") for name, load in loaders.items()}
    for family in FAMILIES:
        for task in ("regression", "classification"):
            if (family, task) not in (("imbalanced", "regression"), ("separable", "regression")):
                sets[f"{family}, {task}"] = (*synthetic(family, task), task == "regression")
    for name, (X, y, numbers) in sets.items():
        order = np.random.default_rng(0).permutation(len(y))
        X, y, cut = X[order], y[order], len(y) * 4 // 5
        for variant in ("raw", "standardised"):
            train, test = X[:cut], X[cut:]
            if variant == "standardised":
                scaler = StandardScaler().fit(train)
                train, test = scaler.transform(train), scaler.transform(test)
            task = "regression" if numbers else "classification"
            yield Case(f"{name}, {variant}", task, train, y[:cut], test, y[cut:], {})


def stored(folder):
    """Cases of a folder."""
    sys.path.insert(0, str(folder))
    loader, reference = importlib.import_module("datasets"), json.loads((folder / "reference.json").read_text())
    for name in loader.names():
        task = "regression" if loader.load(name)["task"] == "regression" else "classification"
        for variant in loader.variants(name):
            optima = {
                a: reference[name][variant]["optimum"][key]["objective"]
                for a, key in zip(ALPHAS, ("0.0001", "1e-06"), strict=True)
            }
            X, y, X_test, y_test = loader.prepare(name, variant)
            order = np.random.default_rng(0).permutation(len(y))  # for streams; fits shuffle by themselves
            yield Case(f"{name}, {variant}", task, X[order], y[order], X_test, y_test, optima)


# ---- the objective and its minimum -----------------------------------------------------------------------------------


def mean_loss(task, y, scores):
    """The mean loss of scores (n, K)."""
    if task == "regression":
        return float(0.5 * np.mean((scores[:, 0] - y) ** 2))
    scores = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
    return float(np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]))


def objective(case, coef, intercept, alpha, test=False):
    """The objective or, on the test rows, the loss."""
    X, y = (case.X_test, case.y_test) if test else (case.X, case.y)
    coef = np.atleast_2d(coef)
    value = mean_loss(case.task, y, np.asarray(X @ coef.T) + intercept)
    return value if test else value + 0.5 * alpha * float(np.sum(coef**2))


def optimum(case, alpha):
    """The least objective, by Newton's method with all of the curvature, or from the reference."""
    if alpha in case.optima:
        return case.optima[alpha]
    n, d = case.X.shape
    K = 1 if case.task == "regression" else len(np.unique(case.y))
    K = 1 if K == 2 else K
    size = np.sqrt(case.X.var(axis=0) + alpha)
    Z = np.column_stack([(case.X - case.X.mean(axis=0)) / size, np.ones(n)])
    ridge = np.tile(np.append(alpha / size**2, 0.0), K)
    truth = case.y[:, None] if K == 1 else np.eye(K)[case.y]
    u = np.zeros(K * (d + 1))

    def value(u):
        return mean_loss(case.task, case.y, Z @ u.reshape(K, -1).T) + 0.5 * ridge @ u**2

    for _ in range(200):
        scores = Z @ u.reshape(K, -1).T
        mean = scores if case.task == "regression" else expit(scores) if K == 1 else softmax(scores, axis=1)
        gradient = ((mean - truth).T @ Z / n).ravel() + ridge * u
        H = np.zeros((K, d + 1, K, d + 1))
        for k in range(K):
            for m in range(K):
                bend = np.ones(n) if case.task == "regression" else mean[:, k] * ((k == m) - mean[:, m])
                H[k, :, m, :] = (Z * bend[:, None]).T @ Z / n
        H = H.reshape(u.size, u.size) + np.diag(ridge + 1e-14)
        step = np.linalg.lstsq(H, gradient, rcond=1e-15)[0]
        t, now = 1.0, value(u)
        while value(u - t * step) > now - 0.1 * t * gradient @ step and t > 1e-8:
            t /= 2
        if gradient @ step < 1e-15 * now or t <= 1e-8:
            break
        u = u - t * step
    return value(u)


# ---- ours ------------------------------------------------------------------------------------------------------------


def model(case, **params):
    kind = LinearRegressor if case.task == "regression" else LogisticClassifier
    return kind(optimizer="newton", random_state=0, **params)


def unknowns(case):
    """How many unknowns depend on each other."""
    classes = 0 if case.task == "regression" else len(np.unique(case.y))
    return (case.X.shape[1] + 1) * (classes if classes > 2 else 1)


class Run(NamedTuple):
    """What one case gave."""

    name: str
    n: int
    dense: bool
    gap: float  # of the default fit
    estimate: float
    exact: float  # of the fit with tol=1e-7
    passes: int  # to 0.1%; 99 where it was not reached
    stream: float  # held-out loss after one pass of partial_fit over that of the exact fit, less 1
    ridge: float  # greatest difference of predictions to the exact ones after a pass, relative


def run(case, alpha):
    """All fits of a case."""
    best = optimum(case, alpha)
    default, exact = (
        model(case, alpha=alpha).fit(case.X, case.y),
        model(case, alpha=alpha, tol=1e-7).fit(case.X, case.y),
    )
    gaps = [objective(case, m.coef_, m.intercept_, alpha) / best - 1 for m in (default, exact)]
    near = [i for i, value in enumerate(exact.loss_curve_, 1) if value <= best * (1 + 1e-3)]
    classes = {} if case.task == "regression" else {"classes": np.unique(case.y)}
    stream = model(case, alpha=alpha).partial_fit(case.X, case.y, **classes)
    held_out = [objective(case, m.coef_, m.intercept_, alpha, test=True) for m in (stream, exact)]
    ridge = 0.0
    if case.task == "regression" and case.dense:
        theirs = linear_model.Ridge(alpha=alpha * len(case.y), solver="cholesky").fit(case.X, case.y).predict(case.X)
        ridge = float(np.abs(stream.predict(case.X) - theirs).max() / np.abs(theirs).max())
    passes = near[0] if near else 99
    head = (f"{case.name}, {alpha:g}", len(case.y), case.dense, gaps[0], default.optimality_gap_, gaps[1], passes)
    return Run(*head, held_out[0] / held_out[1] - 1, ridge)


def share(runs, met):
    """A percentage in words."""
    return f"{100 * sum(map(met, runs)) / len(runs):.0f}% of {len(runs)}" if runs else "-"


def summary(runs):
    """Lines of the table: what, at least, reached."""
    large, dense = [r for r in runs if r.dense and r.n >= 1000], [r for r in runs if r.dense]
    streams, squares = [r for r in runs if r.n >= 20_000], [r for r in runs if r.ridge]
    return [
        ("within 1% of the optimum, dense, n >= 1000", "100%", share(large, lambda r: r.gap <= 1e-2)),
        ("within 1% of the optimum, all", "95%", share(runs, lambda r: r.gap <= 1e-2)),
        ("within 0.1%", "90%", share(runs, lambda r: r.gap <= 1e-3)),
        ("within 1e-6 with tol=1e-7, dense", "90%", share(dense, lambda r: r.exact <= 1e-6)),
        ("3 passes or fewer to 0.1%, dense", "80%", share(dense, lambda r: r.passes <= 3)),
        ("10 passes or fewer to 0.1%, dense", "98%", share(dense, lambda r: r.passes <= 10)),
        (
            "one pass of partial_fit, n >= 20,000: held-out loss within 1%",
            "90%",
            share(streams, lambda r: r.stream <= 1e-2),
        ),
        ("squared error, one pass: ridge to 1e-8", "100%", share(squares, lambda r: r.ridge <= 1e-8)),
        ("true gap <= tol when it says converged", "95%", share(runs, lambda r: r.gap <= 1e-4 and r.exact <= 1e-7)),
    ]


# ---- time ------------------------------------------------------------------------------------------------------------


def solvers(case, alpha):
    """scikit-learn's estimators for the same objective, as functions of their tolerance."""
    n = len(case.y)
    if case.task == "regression":
        return {
            s: lambda tol, s=s: linear_model.Ridge(alpha=alpha * n, solver=s, tol=tol) for s in ("auto", "svd", "lsqr")
        }
    names = ("lbfgs", "newton-cholesky", "newton-cg", "sag")
    names = names if case.X.std() < 10 else names[:2]  # the others take for ever on raw data
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
        if not found:  # none gets there
            continue
        name, (_, make, tol) = min(found.items(), key=lambda item: item[1][0])
        mine = model(case, alpha=alpha, tol=target)
        mine.fit(case.X, case.y)  # compiles
        rounds = [
            (seconds(mine.fit, case.X, case.y)[0], seconds(make(tol).fit, case.X, case.y)[0]) for _ in range(repeat)
        ]
        gap = objective(case, mine.coef_, mine.intercept_, alpha) / best - 1
        ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
        yield target, gap, ours, theirs, name, statistics.median(b / a for a, b in rounds)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, help="a folder with datasets.py and reference.json")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--time", action="store_true", help="compare times instead of gaps")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of timing (default: 5)")
    parser.add_argument("--verbose", action="store_true", help="a line for every fit")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = [c for c in (stored(arguments.data) if arguments.data else bundled()) if arguments.only in c.name]
    refused = [case.name for case in cases if unknowns(case) > LARGEST]
    cases = [case for case in cases if case.name not in refused]
    if refused:
        print("left out, too many features:", "; ".join(refused))
    if arguments.time:
        print("| case | gap at most | gap | sksgd, s | scikit-learn's fastest, s | solver | times as fast |")
        print("|---|---|---|---|---|---|---|")
        for case in cases:
            if case.dense and len(case.y) >= 20_000:
                for target, gap, ours, theirs, name, ratio in compare(case, 1e-4, arguments.repeat):
                    row = (case.name, f"{target:g}", f"{gap:.0e}", f"{ours:.3f}", f"{theirs:.3f}", name, f"{ratio:.2f}")
                    print("|", " | ".join(row), "|", flush=True)
        return
    runs = []
    for case in cases:
        for alpha in ALPHAS:
            runs.append(run(case, alpha))
            if arguments.verbose:
                r = runs[-1]
                first = f"{r.name}: gap {r.gap:.0e}, {r.estimate:.0e} estimated; with tol=1e-7 {r.exact:.0e}; "
                print(first + f"{r.passes} passes; stream {r.stream:+.4f}; ridge {r.ridge:.0e}", flush=True)
    print("| | at least | reached |\n|---|---|---|")
    for row in summary(runs):
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    main()
