"""What it takes to train on data larger than memory: rows a second, and memory.

    python examples/benchmarks/streams.py --folder /data/stream --gigabytes 10 --output docs/benchmarks/streams.md

The folder is written where it does not exist, in bounded memory, and left in place. Three tables, each in a process of
its own, on one thread beside the one that reads:

throughput   one pass over the stream, against reading alone and against the same work on rows in memory;
per row      processor time of the training thread a row, decoding apart, against that of rows in memory;
fits         whole fits, and the peak of the resident set of their process, libraries included.

Compilation is not timed, and the disk cache is warm where the data fit it. What is timed in turn is the best of
`--repeat` rounds: other work on the machine only adds to it.
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import datetime
import itertools
import multiprocessing
import pathlib
import platform
import resource
import time
import warnings

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn
from one_pass import machine

import sksgd
from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core import loop
from sksgd.core.batches import Block
from sksgd.sampling import Reshuffle
from sksgd.stream import NumpySource, ParquetSource
from sksgd.stream.feed import StreamFeed
from sksgd.stream.survey import survey

FILES = 8
SIGNAL, NOISE = 10, 1.0  # columns with a weight that is not zero, and the deviation of the noise


def write(folder, rows, features, dtype, row_group, compression, seed=0):
    """Write files of normal features, a target of two classes `label` and a numeric one `target`, sorted by neither."""
    folder.mkdir(parents=True)
    names = [f"x{j}" for j in range(features)]
    schema = pa.schema([(name, pa.from_numpy_dtype(dtype)) for name in names] + [("target", "f8"), ("label", "i8")])
    ends = np.linspace(0, rows, FILES + 1).astype(int)
    for file, (start, end) in enumerate(itertools.pairwise(ends)):
        path = folder / f"{file:03d}.parquet"
        with pq.ParquetWriter(path, schema, compression=compression, use_dictionary=False) as writer:
            for group, first in enumerate(range(start, end, row_group)):
                rng = np.random.default_rng([seed, file, group])
                columns = rng.standard_normal((features, min(row_group, end - first)), dtype=dtype)
                target = columns[:SIGNAL].sum(axis=0, dtype=np.float64) + NOISE * rng.normal(size=columns.shape[1])
                label = (target > 0).astype(np.int64)
                writer.write_table(pa.table([*columns, target, label], schema=schema), row_group_size=row_group)


def source_of(folder, target="label", **options):
    """The folder as a source, without the other target."""
    names = [name for name in pq.read_schema(next(iter(sorted(folder.glob("*.parquet"))))).names if name[0] == "x"]
    return ParquetSource(folder, target, features=names, **options)


# ---- one pass --------------------------------------------------------------------------------------------------------


def decode(source):
    """Read all blocks."""
    for part in range(source.n_parts):
        for _ in source.read(part):
            pass


def feed_of(source):
    """The rows of a source as training sees them."""
    return StreamFeed(source, survey(source, lambda number, y, weight: (y.reshape(-1, 1).astype(float), weight)), None)


def works(X, y):
    """What training does in a pass, as functions of a feed; fits of some rows compile them, and give the weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        some = NumpySource(X, y, block_rows=len(y) // 4, buffer_rows=len(y) // 2)
        steps = LogisticClassifier(optimizer="adagrad", max_iter=1, tol=None, random_state=0).fit(some)
        newton = LogisticClassifier(optimizer="newton", max_iter=2, tol=None).fit(some)

    def one_pass(feed):
        state = steps._state.copy()
        if not loop.one_pass(steps._problem_, state, feed, feed.orders(Reshuffle(), state)):
            raise RuntimeError("diverged: the figures would be of another computation")

    def sweep(grams):
        def measure(feed):
            memory, problem = newton._state.memory, newton._problem_
            feed.sweep(problem.loss, memory.coordinates, 1).measure(memory.u, grams=grams)

        return measure

    return {
        "AdaGrad, row by row": one_pass,
        "objective": lambda feed: steps._problem_.objective(feed, *steps._state.weights(steps._problem_)),
        "Newton, losses, gradient and matrix": sweep(True),
        "Newton, losses and gradient": sweep(False),
    }


def cost(work, *arguments):
    """Seconds of a call, and processor seconds of this thread."""
    wall, own = time.perf_counter(), time.thread_time()
    work(*arguments)
    return time.perf_counter() - wall, time.thread_time() - own


def passes(folder, repeat, options):
    """Rows, then by work the least seconds of: reading alone, rows in memory (scaled to all rows), a stream."""
    source = source_of(folder, **options)
    feed = feed_of(source)
    blocks = list(itertools.islice(source.read(0), 2**17 // source.rows_per_block + 1))
    X, y = (np.concatenate(values) for values in list(zip(*blocks, strict=True))[:2])
    held = Block(X, y.reshape(-1, 1).astype(float))
    share = len(feed) / len(held)
    found = {name: np.full(5, np.inf) for name in works(X, y)}
    for _ in range(repeat):
        for name, work in works(X, y).items():
            reading, memory, stream = cost(decode, source), cost(work, held), cost(work, feed)
            seconds = [reading[0], share * memory[0], stream[0], share * memory[1], stream[1]]
            found[name] = np.minimum(found[name], seconds)
    return len(feed), {name: values.tolist() for name, values in found.items()}


# ---- fits ------------------------------------------------------------------------------------------------------------

FITS = {
    "LogisticClassifier()": (LogisticClassifier, "label", {}),
    "LinearRegressor()": (LinearRegressor, "target", {}),
    "LogisticClassifier(optimizer='adagrad', max_iter=2)": (
        LogisticClassifier,
        "label",
        {"optimizer": "adagrad", "max_iter": 2, "tol": None},
    ),
}


def whole_fit(folder, name, options):
    """Seconds, passes, the estimated gap, and the peak of the resident set in bytes before and after."""
    kind, target, params = FITS[name]
    source = source_of(folder, target, **options)
    X, y, _ = next(source.read(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind(random_state=0, **params).fit(NumpySource(X, y, block_rows=len(y) // 4, buffer_rows=len(y) // 2))
    before, begun = peak(), time.perf_counter()
    model = kind(random_state=0, **params).fit(source)
    return time.perf_counter() - begun, model.n_iter_, model.optimality_gap_, before, peak()


def peak():
    """The greatest size that the resident set of this process had, in bytes."""
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# ---- the page --------------------------------------------------------------------------------------------------------


def apart(work, *arguments):
    """What a function returns in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def report(folder, repeat, options):
    """The page as lines."""
    n, found = apart(passes, folder, repeat, options)
    features = len(source_of(folder).feature_names)
    dtype = pq.read_schema(min(folder.glob("*.parquet"))).field("x0").type.to_pandas_dtype()
    size, stored = n * features * np.dtype(dtype).itemsize, sum(f.stat().st_size for f in folder.glob("*.parquet"))
    versions = {
        "sksgd": sksgd.__version__, "pyarrow": pa.__version__, "scikit-learn": sklearn.__version__,
        "NumPy": np.__version__, "Numba": numba.__version__, "Python": platform.python_version(),
    }  # fmt: skip
    yield f"""# Data larger than memory

Training on a folder of Parquet files: {n:,} rows of {features} features, {np.dtype(dtype).name}, {size / 1e9:.2f} GB in
memory, {stored / 1e9:.2f} GB on disk; `memory_limit="{options["memory_limit"]}"`. Written by
`examples/benchmarks/streams.py`.

- Machine: {machine()}, and one that reads
- Versions: {", ".join(f"{name} {version}" for name, version in versions.items())}
- Date: {datetime.date.today().isoformat()}; best of {repeat} rounds, in turn

## Throughput

Thousands of rows a second of reading alone, of the work alone on rows in memory, and of both over the stream: its share
of the slower of the two should be 90% or more.

| work | reading | in memory | stream | share |
|---|---|---|---|---|"""
    for name, (reading, memory, stream, *_) in found.items():
        rates = " | ".join(f"{n / seconds / 1e3:,.0f}" for seconds in (reading, memory, stream))
        yield f"| {name} | {rates} | {max(reading, memory) / stream:.0%} |"
    yield """
## Training a row, decoding apart

Nanoseconds of processor time a row of the thread that trains; the ratio should be 1.3 or less. Over the stream they
contain the look whether rows are finite, which rows in memory have behind them: some 100 ns for 100 values.

| work | in memory | stream | ratio |
|---|---|---|---|"""
    for name, (*_, memory, stream) in found.items():
        yield f"| {name} | {memory / n * 1e9:.0f} | {stream / n * 1e9:.0f} | {stream / memory:.2f} |"
    yield """
## Whole fits

`before` is the peak of the resident set with all libraries loaded and the kernels compiled or read, after a fit of one
block; `peak` that of the whole process. It should stay below 1 GB.

| fit | seconds | passes | gap, as estimated | before, MB | peak, MB |
|---|---|---|---|---|---|"""
    for name in FITS:
        seconds, n_passes, gap, before, most = apart(whole_fit, folder, name, options)
        gap = "" if np.isnan(gap) else f"{gap:.0e}"
        yield f"| `{name}` | {seconds:.1f} | {n_passes} | {gap} | {before / 1e6:.0f} | {most / 1e6:.0f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--gigabytes", type=float, help="size of X, in the place of --rows")
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    parser.add_argument("--row-group", type=int, default=50_000)
    parser.add_argument("--compression", default="snappy")
    parser.add_argument("--memory-limit", default="512MiB")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path, help="where to write the page")
    given = parser.parse_args()
    dtype = np.dtype(given.dtype)
    rows = given.rows
    if given.gigabytes:
        rows = int(given.gigabytes * 1e9 / (given.features * dtype.itemsize))
    if not given.folder.exists():
        write(given.folder, rows, given.features, dtype, given.row_group, given.compression)
    lines = []
    for line in report(given.folder, given.repeat, {"memory_limit": given.memory_limit}):
        print(line, flush=True)
        lines.append(line)
    if given.output:
        given.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
