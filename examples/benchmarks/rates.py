"""What rates from the data reach with the classic optimizers, against fixed rates, on raw and standardised rows.

    python examples/benchmarks/rates.py [--data DIR] [--only NAME] [--optimizers sgd momentum ...] [--batches 1 32 ...]

Every set is fitted with `max_iter` 100 and the usual `tol`, by every optimizer in every size of batch: with
``learning_rate="auto"``, and with fixed rates, the default before it: 0.003 for SGD and 0.001 for the others,
divided by 10 at stalls. The gap is that of the objective to its minimum, relative. A fit counts as diverged if it says
so, or if its objective ends above that of weights of 0. Sets and optima are those of `untuned.py`.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import pathlib
import time
import warnings

import numpy as np
from untuned import bundled, objective, optimum, stored

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.schedules import Adaptive

FIXED = {"sgd": 0.003, "momentum": 0.001, "nesterov": 0.001}
SIZES = ("1", "32", "256", "full")


def fit(case, optimizer, size, rate, alpha):
    """Relative gap (infinite where training diverged), passes and seconds of one fit."""
    kind = LinearRegressor if case.task == "regression" else LogisticClassifier
    batch_size = size if size == "full" else int(size)
    model = kind(optimizer=optimizer, batch_size=batch_size, learning_rate=rate, alpha=alpha, random_state=0)
    start = time.perf_counter()
    model.fit(case.X, case.y)
    took = time.perf_counter() - start
    end = objective(case, model.coef_, model.intercept_, alpha)
    zero = objective(case, 0 * model.coef_, 0 * model.intercept_, alpha)
    diverged = model.stop_reason_.startswith("diverged") or not end <= zero
    return np.inf if diverged else end / optimum(case, alpha) - 1, model.n_iter_, took


def main():
    """Print a line for every fit, then the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=pathlib.Path, help="a folder with datasets.py and reference.json")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--optimizers", nargs="+", default=list(FIXED), choices=list(FIXED))
    parser.add_argument("--batches", nargs="+", default=list(SIZES), help="sizes, or 'full' (default: 1 32 256 full)")
    parser.add_argument("--rates", nargs="+", default=["auto", "fixed"], choices=["auto", "fixed"])
    parser.add_argument("--alpha", type=float, default=1e-4)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    results = {}
    for case in stored(arguments.data) if arguments.data else bundled():
        if arguments.only not in case.name:
            continue
        variant = "raw" if case.name.endswith(", raw") else "standardised"
        for optimizer in arguments.optimizers:
            for size in arguments.batches:
                for rate in arguments.rates:
                    eta = FIXED[optimizer]
                    schedule = "auto" if rate == "auto" else Adaptive(eta, factor=10.0, eta_min=eta / 100)
                    gap, passes, took = fit(case, optimizer, size, schedule, arguments.alpha)
                    results.setdefault((variant, optimizer, size, rate), []).append(gap)
                    print(f"{case.name};{optimizer};{size};{rate};{gap:.2e};{passes};{took:.2f}", flush=True)
    print("\n| rows | optimizer | batch | rate | sets | diverged | within 1% | within 10% | median gap |")
    print("|---|---|---|---|---|---|---|---|---|")
    for key, gaps in results.items():
        counts = (len(gaps), np.isinf(gaps).sum(), np.sum(np.less(gaps, 0.01)), np.sum(np.less(gaps, 0.1)))
        print("|", " | ".join(map(str, (*key, *counts))), f"| {np.median(gaps):.1e} |")


if __name__ == "__main__":
    main()
