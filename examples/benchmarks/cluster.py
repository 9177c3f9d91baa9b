"""What training on a cluster reaches and costs: quality, speed, a model of its cost, and a plan by it.

    python examples/benchmarks/cluster.py quality [--data DIR] [--only NAME] [--write docs/benchmarks/cluster.md]
    python examples/benchmarks/cluster.py speed [--rows 4000000] [--write ...]
    python examples/benchmarks/cluster.py cost [--write ...]
    python examples/benchmarks/cluster.py plan --rows 1e10 --features 100 --latency 0.5 --bandwidth 1.25e9

*quality*: the objective of every strategy with 1, 2, 4 and 8 workers against that of the same fit in memory after as
many passes, on the sets of `problems.py`. Workers are threads here, which changes nothing but the time.

*speed*: two worker processes against one and against the fit in memory, in turn; what a round costs beside the work.

*cost*: rounds with 1 to 8 worker processes, of several sizes; a model is fitted to some of them and held against the
others.

*plan*: by that model, how long a pass takes with up to thousands of workers, what to choose, and where it stops
getting faster.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import contextlib
import itertools
import json
import logging
import pathlib
import statistics
import time
import warnings

import dask.array as da
import numpy as np
from distributed import Client, wait
from problems import sets
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.dask import train
from sksgd.schedules import Auto, InverseSqrt, LinearToZero

WORKERS = (1, 2, 4, 8)
PASSES = 50
RATE = Auto(InverseSqrt(1.0))
#: Workers multiply rates by their number, up to the highest that is safe, which is 1 here.
FALLING = Auto(LinearToZero(1 / max(WORKERS)))
COEFFICIENTS = pathlib.Path(__file__).with_name("cluster_cost.json")


@contextlib.contextmanager
def cluster(n, processes):
    """A client of n workers on this machine."""
    options = {"n_workers": n, "threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": 0}
    with Client(processes=processes, silence_logs=logging.ERROR, **options) as client:
        yield client


# ---- quality ---------------------------------------------------------------------------------------------------------


def ways(case):
    """Models with the ways to train them, and by how much they may miss the objective in memory."""
    fixed = {"tol": None, "max_iter": PASSES, "random_state": 0}
    rated = {**fixed, "optimizer": "sgd", "learning_rate": FALLING}
    batches = {
        **fixed,
        "optimizer": "adagrad",
        "learning_rate": 0.1,
        "batch_size": max(max(WORKERS), len(case.y) // 10),
    }
    found = {"auto": ({"max_iter": PASSES}, {}, 1e-3)}
    if "raw" not in case.name:  # rates for all weights alike do not suit columns of all scales, wherever the rows are
        found["local"] = (rated, {}, 1e-2)
        found["sync"] = (batches, {"strategy": "sync"}, 1e-3)
    return found


def blocks(case, client, n):
    """The rows on the workers, in as many partitions."""
    edges = np.linspace(0, len(case.y), n + 1).astype(int)
    places = sorted(client.nthreads())
    futures = [
        client.submit(lambda part: part, (case.X[a:b], case.y[a:b]), workers=[place], pure=False)
        for (a, b), place in zip(itertools.pairwise(edges), places, strict=True)
    ]
    wait(futures)
    return futures


def quality(folder, only):
    """The lines of a table: what each way misses the objective in memory by, with every number of workers."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    misses, cases = {}, sets(folder, only)
    for n in WORKERS:
        with cluster(n, processes=False) as client:
            for case in cases:
                kind = LinearRegressor if case.task == "regression" else LogisticClassifier
                for way, (params, strategy, limit) in ways(case).items():
                    key = case.name, way, limit
                    misses.setdefault(key, [])
                    try:
                        fitted = train(client, kind(**params), blocks(case, client, n), **strategy)
                    except ValueError as error:  # SVRG and implicit SGD, by auto
                        misses[key].append(str(error).partition("(")[0].strip())
                        continue
                    memory = kind(**params).fit(case.X, case.y).loss_curve_[-1]
                    misses[key].append(fitted.loss_curve_[-1] / memory - 1)
                    print(case.name, way, n, misses[key][-1], flush=True)
    lines = ["| set | strategy | limit | " + " | ".join(f"{n}" for n in WORKERS) + " |", "|---|---|---|" + "---|" * 4]
    for (name, way, limit), values in misses.items():
        shown = [value if isinstance(value, str) else f"{value:.1e}" for value in values]
        lines.append(f"| {name} | {way} | {limit:g} | {' | '.join(shown)} |")
    for way in ("local", "sync", "auto"):
        found = [
            value <= limit
            for (_, of, limit), values in misses.items()
            for value in values
            if of == way and not isinstance(value, str)
        ]
        lines.append(f"- {way}: {sum(found)} of {len(found)} within the limit")
    told = f"Objective after {PASSES} passes over that of the same fit in memory, less 1."
    return ["## Quality", "", told, "", *lines]


# ---- speed -----------------------------------------------------------------------------------------------------------


def rows_on(client, n, d, chunks):
    """Rows made on the workers, in memory there."""
    size = -(-n // chunks)
    rng = da.random.default_rng(0)
    X = rng.normal(size=(n, d), chunks=(size, d))
    y = (X[:, :5].sum(axis=1) + rng.normal(size=n, chunks=size) > 0).astype("i8")
    X, y = client.persist([X, y])
    wait([X, y])
    client.rebalance([X, y])
    return X, y


def fits(n):
    """The fits of the speed table: parameters, strategy, and how many times faster two workers are to be."""
    rated = {"learning_rate": RATE, "tol": None, "random_state": 0}
    return {
        "local, 3 passes": ({"optimizer": "sgd", "max_iter": 3, **rated}, {}, 1.6),
        "auto": ({"max_iter": 3, "tol": 1e-6}, {}, 1.6),
        "sync, 3 passes in 4 batches": (
            {"optimizer": "nesterov", "max_iter": 3, "batch_size": n // 4, **rated},
            {"strategy": "sync"},
            1.4,
        ),
    }


def seconds(client, params, strategy, X, y):
    """Of the rounds of a fit, without the making of blocks, and what it took."""
    took = train(client, LogisticClassifier(**params), X, y, **strategy).communication_
    return took.seconds, took


def speed(n, d, repeat):
    """The lines of the speed tables."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    lines = [
        f"## Speed, {n:,} x {d}",
        "",
        "| fit | one worker | two workers | times faster | to reach |",
        "|---|---|---|---|---|",
    ]
    found = {name: {1: [], 2: []} for name in fits(n)}
    for _ in range(repeat):
        for workers in (1, 2):
            with cluster(workers, processes=True) as client:
                X, y = rows_on(client, n, d, 8)
                for name, (params, strategy, _) in fits(n).items():
                    seconds(client, {**params, "max_iter": 1}, strategy, X, y)  # kernels, on every worker
                    found[name][workers].append(seconds(client, params, strategy, X, y)[0])
    for name, (_, _, least) in fits(n).items():
        one, two = (statistics.median(found[name][workers]) for workers in (1, 2))
        lines.append(f"| {name} | {one:.2f} s | {two:.2f} s | {one / two:.2f} | {least} |")
    return [*lines, "", *overhead(repeat), "", *against_memory(n, d, repeat)]


def overhead(repeat):
    """What a round costs beside the work: of rows so few that there is none."""
    lines = ["| a round of few rows | milliseconds |", "|---|---|"]
    with cluster(2, processes=True) as client:
        X, y = rows_on(client, 2000, 10, 2)
        rated = {"learning_rate": RATE, "tol": None, "max_iter": 10, "random_state": 0}
        kinds = {
            "local, a pass with its objective (2 rounds)": ({"optimizer": "sgd", **rated}, {}, 10),
            "local, 20 averages in a pass": ({"optimizer": "sgd", **rated}, {"sync_every": 50}, 200),
            "sync, 20 updates in a pass": ({"optimizer": "sgd", "batch_size": 100, **rated}, {"strategy": "sync"}, 200),
        }
        for name, (params, strategy, rounds) in kinds.items():
            times = [seconds(client, params, strategy, X, y)[0] / rounds for _ in range(repeat + 1)][1:]
            lines.append(f"| {name} | {1000 * statistics.median(times):.1f} |")
    return lines


def against_memory(n, d, repeat):
    """One worker against the fit in memory, in turn, where a round takes long."""
    params = {"optimizer": "sgd", "learning_rate": RATE, "tol": None, "max_iter": 3, "random_state": 0}
    ratios = []
    with cluster(1, processes=True) as client:
        data = rows_on(client, n, d, 8)
        X, y = (values.compute() for values in data)
        for _ in range(repeat + 1):
            begun = time.perf_counter()
            LogisticClassifier(**params).fit(X, y)
            memory = time.perf_counter() - begun
            ratios.append(seconds(client, params, {}, *data)[0] / memory)
    return [
        f"One worker over the fit in memory, {n:,} x {d}, 3 passes: {statistics.median(ratios[1:]):.2f} times the time "
        "(rounds of the cluster, without the making of its block; the fit in memory checks its rows beside)."
    ]


# ---- cost ------------------------------------------------------------------------------------------------------------


def terms(n, d, workers, hops, cores):
    """What the seconds of one round are made of, each to be multiplied by a coefficient.

    Numbers and rows that the slowest worker reads (workers share cores), messages one after another, tasks that the
    scheduler places, and bytes that the last of a tree has to take in.
    """
    depth = max(1.0, np.ceil(np.log(max(workers, 2)) / np.log(4)))
    fan = min(workers - 1, 3) * depth
    mine = n / workers * max(1.0, workers / cores)
    return np.array([mine * d, mine, hops + depth, workers, 8.0 * d * (1 + fan)])


def measured(rows, features, workers, repeat):
    """Seconds of a round, the mean of local passes and their objectives: (n, d, workers, seconds) for all of these."""
    found = []
    rated = {"optimizer": "sgd", "learning_rate": RATE, "tol": None, "max_iter": 3, "random_state": 0}
    for m in workers:
        with cluster(m, processes=True) as client:
            for n, d in itertools.product(rows, features):
                X, y = rows_on(client, n, d, 2 * m)
                times = [seconds(client, rated, {}, X, y)[0] / 7 for _ in range(repeat + 1)][1:]
                found.append((n, d, m, statistics.median(times)))
                print(found[-1], flush=True)
    return found


def fitted(found, cores):
    """Coefficients that suit measured rounds, relatively."""
    A = np.array([terms(n, d, m, 2, cores) for n, d, m, _ in found])
    t = np.array([seconds for *_, seconds in found])
    scale = A.max(axis=0)
    return nnls(A / t[:, None] / scale, np.ones(len(t)))[0] / scale


def cost(repeat, scale=1.0):
    """The lines of the model, and its coefficients in a file for plans."""
    cores = os.cpu_count()
    found = measured([int(scale * n) for n in (20_000, 400_000, 2_000_000)], (10, 100), WORKERS, repeat)
    known = [line for i, line in enumerate(found) if i % 3 != 1]
    coefficients = fitted(known, cores)
    COEFFICIENTS.write_text(json.dumps(coefficients.tolist()) + "\n")
    lines = [
        "## A model of the cost of a round",
        "",
        "Seconds = {:.2g} n d / workers + {:.2g} n / workers + {:.2g} (2 + depth) + {:.2g} workers + {:.2g} bytes, "
        "with depth = log4(workers), rounded up, and bytes = 8 d (1 + 3 depth); workers share {} cores. A round is a "
        "local pass or its objective, in the mean.".format(*coefficients, cores),
        "",
        "| rows | features | workers | measured | by the model | |",
        "|---|---|---|---|---|---|",
    ]
    for n, d, m, t in found:
        by_model = terms(n, d, m, 2, cores) @ coefficients
        kind = "fitted" if (n, d, m, t) in known else "held out"
        lines.append(f"| {n:,} | {d} | {m} | {1000 * t:.1f} ms | {1000 * by_model:.1f} ms | {kind} |")
    out = [line for line in found if line not in known]
    errors = [abs(np.log(terms(n, d, m, 2, cores) @ coefficients / t)) for n, d, m, t in out]
    median, worst = np.exp([np.median(errors), max(errors)])
    return [*lines, "", f"Held-out rounds are missed by a factor of {median:.2f} in the median, {worst:.2f} at worst."]


def plan(n, d, latency, bandwidth):
    """The lines of a plan: seconds of a pass with up to 4096 machines, by the model.

    `latency` is what a message takes, in milliseconds, beside what one on this machine does; `bandwidth` is in bytes a
    second.
    """
    if not COEFFICIENTS.exists():
        raise SystemExit(f"There is no {COEFFICIENTS.name} yet: run `cost` first.")
    per_number, per_row, per_hop, per_task, _ = json.loads(COEFFICIENTS.read_text())
    per_hop, per_byte = per_hop + latency / 1000, 1.0 / bandwidth
    counts = 2 ** np.arange(13)

    def round_of(m, rows, size, work=1.0):
        numbers, mine, hops, tasks, moved = terms(rows, d, m, 2, np.inf)
        own = work * (numbers * per_number + mine * per_row)
        return own + hops * per_hop + tasks * per_task + moved * size / d * per_byte

    ways_to = {
        "local, a pass": lambda m: round_of(m, n, d),
        "local, 100 averages": lambda m: 100 * round_of(m, n / 100, d),
        "sync, 10,000 updates": lambda m: 10_000 * round_of(m, n / 10_000, d),
        # Matrices take d/2 products a number, some ten at a time.
        "auto, with matrices": lambda m: round_of(m, n, d * d, 1 + d / 20),
    }
    lines = [f"## A pass over {n:.3g} x {d}, seconds", "", "| machines | " + " | ".join(ways_to) + " |"]
    lines.append("|---|" + "---|" * len(ways_to))
    table = {name: [way(int(m)) for m in counts] for name, way in ways_to.items()}
    for i, m in enumerate(counts):
        lines.append(f"| {m} | " + " | ".join(f"{times[i]:.3g}" for times in table.values()) + " |")
    lines.append("")
    for name, times in table.items():
        best = int(np.argmin(times))
        half = max(int(m) for m, t in zip(counts, times, strict=True) if times[0] / t >= 0.5 * m)
        lines.append(f"- {name}: fastest with {counts[best]} machines; at least half of each is used up to {half}.")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("quality", "speed", "cost", "plan"))
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--rows", type=float, default=4_000_000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="of the rows of `cost`")
    parser.add_argument("--latency", type=float, default=0.5, help="of a message between machines, milliseconds")
    parser.add_argument("--bandwidth", type=float, default=1.25e9, help="between machines, bytes a second")
    parser.add_argument("--write", type=pathlib.Path, help="a page to add the lines to")
    options = parser.parse_args()
    lines = {
        "quality": lambda: quality(options.data, options.only),
        "speed": lambda: speed(int(options.rows), options.features, options.repeat),
        "cost": lambda: cost(options.repeat, options.scale),
        "plan": lambda: plan(options.rows, options.features, options.latency, options.bandwidth),
    }[options.what]()
    print("\n".join(lines))
    if options.write:
        with options.write.open("a") as page:
            page.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()
