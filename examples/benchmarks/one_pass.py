"""One pass over the data: every optimizer of sksgd against the plain SGD of scikit-learn.

    python examples/benchmarks/one_pass.py --output docs/benchmarks/one_pass.md

Logistic regression on data made once. In every round scikit-learn's ``SGDClassifier(max_iter=1, tol=None)`` with its
L2 penalty, then ours are timed, in one process on one thread, so that a ratio compares neighbours in time. Two figures:

fit     ``LogisticClassifier(max_iter=1, tol=None).fit(X, y)``, which also measures the objective after the
        pass, and checks the data, as scikit-learn's does;
pass    the pass by itself, on the fitted state: order of the rows, table of rates, kernel. It is what one more pass of
        a long fit costs, the objective apart.

Compilation is not timed. Optimizers that would visit every weight in each update of a CSR matrix run in batches there.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import datetime
import fnmatch
import gc
import pathlib
import platform
import statistics
import time

import numba
import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.linear_model import SGDClassifier

import sksgd
from sksgd import LogisticClassifier
from sksgd.core import loop
from sksgd.core.batches import Block
from sksgd.sampling import Reshuffle

RATE, ALPHA, BATCH = 1e-3, 1e-6, 1000

METHODS = {
    "SGD": {"optimizer": "sgd"},
    "SGD, l1": {"optimizer": "sgd", "penalty": "l1"},
    "SGD, elasticnet": {"optimizer": "sgd", "penalty": "elasticnet"},
    "SGD, averaged": {"optimizer": "sgd", "average": True},
    "SGD, batches of 32": {"optimizer": "sgd", "batch_size": 32},
    "Momentum": {"optimizer": "momentum"},
    "Nesterov": {"optimizer": "nesterov"},
    "AdaGrad": {"optimizer": "adagrad"},
    "RMSProp": {"optimizer": "rmsprop"},
    "Adam": {"optimizer": "adam"},
    "AdamW": {"optimizer": "adamw"},
    "FTRL-proximal": {"optimizer": "ftrl"},
}


def dense(n, d, dtype):
    """Independent normal features."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=np.float32).astype(dtype)
    return X, labels(X, rng)


def text(n, d, dtype):
    """Rows like those of a text: some 70 features, the k-th most frequent one in proportion to 1/k, of unit norm."""
    rng = np.random.default_rng(0)
    draws = {50_000: 83, 1_000_000: 78}[d]
    ranks = np.minimum((float(d) ** rng.random((n, draws))).astype(np.int32), d) - 1
    names = rng.permutation(d).astype(np.int32)
    X = sp.csr_array(
        (np.ones(ranks.size, dtype), names[ranks.ravel()], np.arange(0, ranks.size + 1, draws, np.int32)), shape=(n, d)
    )
    X.sum_duplicates()  # and sorts
    X.data[:] = 1 + np.log(X.data)
    X.data /= np.repeat(np.sqrt(X.multiply(X).sum(axis=1)), np.diff(X.indptr)).astype(dtype)
    return X, labels(X, rng)


def labels(X, rng):
    """Classes 0 and 1 from a logistic model with some noise."""
    scores = X @ rng.standard_normal(X.shape[1])
    return (scores / scores.std() + rng.logistic(size=len(scores)) > 0).astype(np.int64)


CASES = {
    f"{kind.__name__}-{name}-{dtype.__name__}": (kind, n, d, dtype)
    for kind, name, n, d in (
        (dense, "400k-20", 400_000, 20),
        (dense, "300k-100", 300_000, 100),
        (dense, "40k-1000", 40_000, 1000),
        (text, "100k-50k", 100_000, 50_000),
        (text, "100k-1M", 100_000, 1_000_000),
    )
    for dtype in (np.float64, np.float32)
}


def estimator(X, y, options):
    """Ours with these options; in batches where each update would otherwise visit all weights of a sparse problem."""
    model = LogisticClassifier(
        alpha=ALPHA, learning_rate=RATE, max_iter=1, tol=None, random_state=0, **{"batch_size": 1, **options}
    )
    if sp.issparse(X):
        model.fit(X[:2], [0, 1])
        if model._problem_.idle is None:
            model.set_params(batch_size=BATCH)
    return model


def passes(model, X, y):
    """A function that runs one more pass of a fitted model, without anything around it."""
    problem, block, state = model._problem_, Block(X, y.reshape(-1, 1)), model._state.copy()

    def run():
        if not loop.one_pass(problem, state, block, Reshuffle()):
            raise RuntimeError("diverged: the figures would be of another computation")

    return run


def timed(work, *arguments):
    """Nanoseconds of a call, the garbage collector off."""
    gc.collect()
    gc.disable()
    start = time.perf_counter_ns()
    work(*arguments)
    elapsed = time.perf_counter_ns() - start
    gc.enable()
    return elapsed


def measure(name, repeat):
    """Markdown lines for a case: a heading and a table."""
    kind, n, d, dtype = CASES[name]
    X, y = kind(n, d, dtype)
    sparse = sp.issparse(X)
    units, unit = (X.nnz, "non-zero") if sparse else (n, "row")
    size = f"{n:,} rows x {d:,} features, {dtype.__name__}"
    if sparse:
        size += f", CSR, {X.nnz / n:.1f} non-zeros a row"
    lines = [
        f"\n## {'Text-like' if sparse else 'Dense'}: {size}\n",
        f"Nanoseconds per {unit}; ratios are scikit-learn's time over ours, median (least to most).\n",
        "| sksgd | scikit-learn SGD, l2 | fit | pass | fit: times as fast | pass: times as fast |",
        "|---|---|---|---|---|---|",
    ]
    theirs = SGDClassifier(
        loss="log_loss", alpha=ALPHA, learning_rate="constant", eta0=RATE, max_iter=1, tol=None, random_state=0
    )
    theirs.fit(X, y)
    for label, options in METHODS.items():
        model = estimator(X, y, options).fit(X, y)  # compiles
        one_more = passes(model, X, y)
        one_more()
        rounds = np.array([(timed(theirs.fit, X, y), timed(model.fit, X, y), timed(one_more)) for _ in range(repeat)])
        if model.batch_size != options.get("batch_size", 1):
            label += f", batches of {model.batch_size}"
        times = " | ".join(f"{value:.3g}" for value in np.median(rounds, axis=0) / units)
        ratios = " | ".join(spread(rounds[:, 0] / rounds[:, i]) for i in (1, 2))
        lines.append(f"| {label} | {times} | {ratios} |")
        print(name, lines[-1], flush=True)
    return lines


def spread(ratios):
    """Median, least and greatest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def machine():
    """Processor, cores and memory in words."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB of memory"
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores{memory}, {platform.system()}; one thread used"


def report(cases, repeat):
    """The page."""
    versions = {
        "sksgd": sksgd.__version__, "scikit-learn": sklearn.__version__, "NumPy": np.__version__,
        "Numba": numba.__version__, "Python": platform.python_version(),
    }  # fmt: skip
    lines = [
        "# One pass over the data\n",
        "One pass of logistic regression: row by row unless batches are named, in random order, constant rate, L2",
        "penalty unless another is named. Against one pass of scikit-learn's `SGDClassifier` (`max_iter=1, tol=None`,",
        "L2), timed in alternation in the same process. `fit` also measures the objective after the pass;",
        "`pass` is the pass by itself. Compilation is not timed. Written by `examples/benchmarks/one_pass.py`.\n",
        f"- Machine: {machine()}",
        f"- Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}",
        f"- Date: {datetime.date.today().isoformat()}; {repeat} rounds",
    ]
    for name in cases:
        lines += measure(name, repeat)
    return "\n".join(lines) + "\n"


def main():
    """Run the chosen cases, print, and write the page where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", nargs="*", default=["*"], help=f"names or patterns among: {', '.join(CASES)}")
    parser.add_argument("--repeat", type=int, default=7, help="rounds (default: 7)")
    parser.add_argument(
        "--output", type=pathlib.Path, help="where to write the page, such as docs/benchmarks/one_pass.md"
    )
    arguments = parser.parse_args()
    cases = [name for name in CASES if any(fnmatch.fnmatch(name, pattern) for pattern in arguments.cases)]
    if not cases:
        parser.error(f"no case matches {arguments.cases}; there are {', '.join(CASES)}")
    page = report(cases, arguments.repeat)
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(page)
        print(f"written: {arguments.output}")
    else:
        print(page)


if __name__ == "__main__":
    main()
