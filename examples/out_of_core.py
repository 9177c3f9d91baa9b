"""A classifier trained on more rows than are to be in memory: it is killed on the way, and goes on where it was.

    python examples/out_of_core.py
    python examples/out_of_core.py --rows 20000000 --folder /data/clicks

Writes a folder of Parquet files with numbers and a column of text, and fits `LogisticClassifier()` to them in processes
of their own, with a progress bar and a checkpoint: the first is killed in its second pass, the second finds the
checkpoint and ends the fit. It takes pyarrow, pandas and rich: python -m pip install -e ".[stream,progress]" pandas
"""

import argparse
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
from sklearn.callback import ProgressBar
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder

from sksgd import LogisticClassifier
from sksgd.callbacks import Checkpoint
from sksgd.stream import ParquetSource

NUMBERS = [f"x{j}" for j in range(19)]
CITIES = ["Accra", "Bergen", "Cusco", "Dakar", "Essen", "Fukuoka"]
CHUNK = 50_000  # rows made at a time; one file, and one row group, of each
MEMORY = "64MiB"  # for rows, whatever the size of the folder


def write(folder, rows):
    """Files of raw numbers, from 0.001 to 1000 in size, a city, and whether somebody clicked; sorted by that in each.

    Rows that come sorted mislead SGD; `fit` shuffles.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scales = np.logspace(-3, 3, len(NUMBERS))
    rng = np.random.default_rng(0)
    weights, of_city = rng.normal(size=len(NUMBERS)) / scales, rng.normal(size=len(CITIES))
    for number, first in enumerate(range(0, rows, CHUNK)):
        n = min(CHUNK, rows - first)
        X, city = rng.normal(size=(n, len(NUMBERS))) * scales, rng.integers(0, len(CITIES), n)
        click = X @ weights + of_city[city] + 2 * rng.logistic(size=n) > 1
        frame = pd.DataFrame(X, columns=NUMBERS).assign(city=np.array(CITIES)[city], click=click.astype(int))
        frame.sort_values("click").to_parquet(folder / f"{number:04d}.parquet", index=False)


def rows_of(folder):
    """The folder as a source of numbers: the city becomes a column for each, block by block."""
    encoder = make_column_transformer((OneHotEncoder(categories=[CITIES]), ["city"]), remainder="passthrough")
    source = ParquetSource(folder, "click", memory_limit=MEMORY, classes=[0, 1])
    sample, _, _ = next(source.frames(0))
    return source.transform(encoder.fit(sample))


def train(folder, checkpoint):
    """Fit, or end the fit that the checkpoint is of, and say what came out."""
    source = rows_of(folder)
    before = peak_memory()
    # The default tol of 1e-4 takes one pass; this one takes several, to be interrupted in.
    model = LogisticClassifier(tol=1e-12, random_state=0)
    model.set_callbacks(ProgressBar(), Checkpoint(checkpoint, every=10)).fit(source)
    print(f"optimizer         {model.optimizer_}")
    print(f"ended             {model.stop_reason_}")
    print(f"objective         {model.loss_curve_[-1]:.9f} after pass {model.n_iter_}")
    print(f"optimality gap    {model.optimality_gap_:.0e}, estimated")
    print(f"accuracy          {model.score(source):.4f}")
    print(f"peak memory       {peak_memory():.0f} MiB, and {before:.0f} MiB before the fit")


def peak_memory():
    """The greatest size that this process had in memory, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def process(*arguments):
    """This script once more, in a process of its own."""
    return subprocess.Popen([sys.executable, __file__, *map(str, arguments)])


def kill_in_the_middle(training, checkpoint):
    """Kill a process once it has done a whole pass; whether its fit was not over before."""
    while training.poll() is None:
        if checkpoint.path.exists() and checkpoint.load().n_iter_ > 0:
            training.kill()
            training.wait()
            return checkpoint.load().stop_reason_ == ""
        time.sleep(0.02)
    return False


def demonstrate(folder, rows):
    """Write, train, kill, go on."""
    begun = time.perf_counter()
    data, checkpoint = folder / "clicks", Checkpoint(folder / "model.ckpt")
    if not data.exists():
        write(data, rows)
    size = sum(file.stat().st_size for file in data.iterdir())
    print(f"{rows:,} rows in {size / 1e6:.0f} MB of Parquet files, {time.perf_counter() - begun:.0f} s; {data}")
    arguments = ("--train", data, "--checkpoint", checkpoint.path)
    if kill_in_the_middle(process(*arguments), checkpoint):
        unfinished = checkpoint.load()
        print(f"\nKilled after pass {unfinished.n_iter_}, objective {unfinished.loss_curve_[-1]:.9f}. Once more:")
        if process(*arguments).wait():
            raise SystemExit("The second process failed.")
    print(f"In all {time.perf_counter() - begun:.0f} s. The model: Checkpoint({str(checkpoint.path)!r}).load()")


def main():
    """Demonstrate, or be one of the processes that train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=pathlib.Path, help="where files go, and stay; else a temporary one")
    parser.add_argument("--train", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", type=pathlib.Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given.train, given.checkpoint)
    elif given.folder:
        demonstrate(given.folder, given.rows)
    else:
        with tempfile.TemporaryDirectory() as folder:
            demonstrate(pathlib.Path(folder), given.rows)


if __name__ == "__main__":
    main()
