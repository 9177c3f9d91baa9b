"""What rates from the data reach with the classic optimizers, against fixed rates, on raw and standardised rows.

    python examples/benchmarks/rates.py [--data DIR] [--only NAME] [--write docs/benchmarks/rates.md]

Every set is fitted with `max_iter` 100 and the usual `tol`, by every optimizer in batches of several sizes: with
``learning_rate="auto"``, and with fixed rates, the default before it: 0.003 for SGD and 0.001 for the others, divided
by 10 at stalls. The gap is that of the objective to its minimum, relative. A fit counts as diverged if it says so, or
if its objective ends above that of weights of 0. Sets and optima are those of `problems.py`.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import datetime
import pathlib
import platform
import warnings

import numba
import numpy as np
import sklearn
from one_pass import machine
from problems import objective, optimum, sets

import sksgd
from sksgd import LinearRegressor, LogisticClassifier
from sksgd.schedules import Adaptive

FIXED = {"sgd": 0.003, "momentum": 0.001, "nesterov": 0.001}
SIZES = ("1", "32", "256", "full")
HEAD = """# Rates from the data

Gaps to the minimum of the objective, relative, of fits with at most 100 passes (`tol=1e-4`, `alpha={alpha:g}`): with
{{ref}}`learning_rate="auto" <auto>`, and with the fixed rates that were the default before it, 0.003 for SGD and 0.001
for momentum and Nesterov, divided by 10 at stalls. A fit diverged if it says so, or if its objective ended above that
of weights of 0. Raw rows differ in scale from column to column by up to nine powers of ten: one rate for all weights
then cannot come near the minimum, but should do no harm. Written by `examples/benchmarks/rates.py`.
"""


def gap(case, optimizer, size, rate, alpha):
    """The relative gap of one fit, infinite where training diverged."""
    kind = LinearRegressor if case.task == "regression" else LogisticClassifier
    eta, batch_size = FIXED[optimizer], size if size == "full" else int(size)
    schedule = "auto" if rate == "auto" else Adaptive(eta, factor=10.0, eta_min=eta / 100)
    model = kind(optimizer=optimizer, batch_size=batch_size, learning_rate=schedule, alpha=alpha, random_state=0)
    model.fit(case.X, case.y)
    end = objective(case, model.coef_, model.intercept_, alpha)
    zero = objective(case, 0 * model.coef_, 0 * model.intercept_, alpha)
    diverged = model.stop_reason_.startswith("diverged") or not end <= zero
    return np.inf if diverged else end / optimum(case, alpha) - 1


def report(gaps, alpha):
    """The page, of gaps by case, optimizer, size of the batch and rate."""
    versions = {"sksgd": sksgd, "scikit-learn": sklearn, "NumPy": np, "Numba": numba}
    python = f"Python {platform.python_version()}"
    lines = [
        HEAD.format(alpha=alpha),
        f"- Machine: {machine()}",
        f"- Versions: {', '.join(f'{name} {module.__version__}' for name, module in versions.items())}, {python}",
        f"- Date: {datetime.date.today().isoformat()}",
    ]
    names, optimizers, sizes, _ = (list(dict.fromkeys(column)) for column in zip(*gaps, strict=True))
    for rows in ("standardised", "raw"):
        chosen = [name for name in names if (rows == "raw") == name.endswith("raw")]
        if not chosen:
            continue
        lines += [f"\n## {len(chosen)} sets, {rows}\n", "How many diverged, and how many came within 1% and 10%.\n"]
        lines += [
            "| optimizer | batch | auto: diverged | 1% | 10% | median gap | fixed: diverged | 1% | 10% | median gap |"
        ]
        lines += ["|---" * 10 + "|"]
        for optimizer in optimizers:
            for size in sizes:
                cells = [optimizer, size]
                for rate in ("auto", "fixed"):
                    found = np.array([gaps[name, optimizer, size, rate] for name in chosen])
                    cells += [
                        np.isinf(found).sum(),
                        (found <= 0.01).sum(),
                        (found <= 0.1).sum(),
                        text(np.median(found)),
                    ]
                lines.append("| " + " | ".join(map(str, cells)) + " |")
        for optimizer in optimizers:
            lines += [f"\n`{optimizer}`, gap with auto (with the fixed rate), by size of the batch:\n"]
            lines += ["| set | " + " | ".join(sizes) + " |", "|---" * (1 + len(sizes)) + "|"]
            for name in chosen:
                pairs = [[text(gaps[name, optimizer, size, rate]) for rate in ("auto", "fixed")] for size in sizes]
                lines.append(f"| {name.partition(',')[0]} | " + " | ".join(f"{a} ({b})" for a, b in pairs) + " |")
    return "\n".join(lines) + "\n"


def text(value):
    """A gap in words."""
    return "diverged" if np.isinf(value) else f"{value:.1e}" if value < 0.01 else f"{value:.2g}"


def main():
    """Fit, tell of every fit, and print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, help="a folder with datasets.py and reference.json")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--optimizers", nargs="+", default=list(FIXED), choices=list(FIXED))
    parser.add_argument("--batches", nargs="+", default=list(SIZES), help="sizes, or 'full' (default: 1 32 256 full)")
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--write", type=pathlib.Path, help="the page to write")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    gaps = {}
    for case in sets(arguments.data, arguments.only):
        for optimizer in arguments.optimizers:
            for size in arguments.batches:
                for rate in ("auto", "fixed"):
                    found = gap(case, optimizer, size, rate, arguments.alpha)
                    gaps[case.name, optimizer, size, rate] = found
                    print(f"{case.name}; {optimizer}; {size}; {rate}: {text(found)}", flush=True)
    page = report(gaps, arguments.alpha)
    print(page)
    if arguments.write:
        arguments.write.write_text(page)


if __name__ == "__main__":
    main()
