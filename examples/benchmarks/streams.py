"""What it takes to read data larger than memory: rows and bytes a second, and memory.

    python examples/benchmarks/streams.py --folder /data/stream --rows 2000000 --features 100
    python examples/benchmarks/streams.py --folder /data/stream --gigabytes 10

The folder is written where it does not exist, in bounded memory, and left in place. Blocks are read in a process of
their own, once to warm the disk cache where the data fit it, then `--repeat` times. Memory is the peak of the resident
set over the reading, less what the libraries took before it.
"""

import argparse
import itertools
import multiprocessing
import pathlib
import statistics
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sksgd.stream import ParquetSource

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


def resident():
    """Bytes of the resident set."""
    fields = dict(line.split(":") for line in pathlib.Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) * 1024


class PeakMemory(threading.Thread):
    """Watches the resident set in a `with` statement; `peak` is its greatest size in bytes."""

    def __enter__(self):
        self.peak, self.ended = resident(), threading.Event()
        self.start()
        return self

    def run(self):
        while not self.ended.wait(0.002):
            self.peak = max(self.peak, resident())

    def __exit__(self, *error):
        self.ended.set()
        self.join()


def decode(folder, repeat, options):
    """Rows, bytes of X, median seconds of a pass, and the peak of memory."""
    source = source_of(folder, **options)
    before, times, rows, size = resident(), [], 0, 0
    with PeakMemory() as memory:
        for number in range(repeat + 1):
            begun, rows, size = time.perf_counter(), 0, 0
            for part in range(source.n_parts):
                for X, _, _ in source.read(part):
                    rows, size = rows + len(X), size + X.nbytes
            if number:
                times.append(time.perf_counter() - begun)
    return rows, size, statistics.median(times), memory.peak - before, source.rows_per_block


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
    given = parser.parse_args()
    dtype = np.dtype(given.dtype)
    rows = given.rows
    if given.gigabytes:
        rows = int(given.gigabytes * 1e9 / (given.features * dtype.itemsize))
    if not given.folder.exists():
        write(given.folder, rows, given.features, dtype, given.row_group, given.compression)
    stored = sum(file.stat().st_size for file in given.folder.glob("*.parquet"))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(decode, (given.folder, given.repeat, {"memory_limit": given.memory_limit}))
    rows, size, seconds, memory, block = found
    print("| rows | features | on disk, MB | X, MB | rows of a block | rows/s | X, MB/s | memory, MB |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {rows} | {size // rows // dtype.itemsize} | {stored / 1e6:.0f} | {size / 1e6:.0f} | {block} "
        f"| {rows / seconds:.0f} | {size / seconds / 1e6:.0f} | {memory / 1e6:.0f} |"
    )


if __name__ == "__main__":
    main()
