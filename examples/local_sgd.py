"""One model, three ways to train it on many workers: what they reach in which time, and for how many bytes.

    python examples/local_sgd.py                        two workers on this machine
    python examples/local_sgd.py --workers 4 --rows 1000000 --figure ways.svg
    python examples/local_sgd.py --address tcp://scheduler:8786

"local" lets every worker train by itself for a pass, or for some updates, and then takes means; "sync" adds up the
gradients of all workers in every update; "auto" adds up gradients and curvatures, and takes Newton's steps.
"""

import argparse

import dask.array as da
import matplotlib as mpl
from distributed import Client

from sksgd import LogisticClassifier
from sksgd.dask import train

mpl.use("agg")

CHUNKS = 8  # per worker
PASSES = 15


class Watch:
    """A callback that notes, after every pass, what was reached and what it took."""

    def __init__(self):
        self.seconds, self.bytes = [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "pass":
            took = estimator.communication_
            self.seconds.append(took.seconds)
            self.bytes.append(took.bytes)


def data(rows, features, chunks):
    """Rows in memory of the workers: columns that depend on each other, and classes that overlap."""
    rng = da.random.default_rng(0)
    size = -(-rows // chunks)
    X = rng.normal(size=(rows, features), chunks=(size, features))
    X = X + rng.normal(size=(rows, 1), chunks=(size, 1))
    y = (X[:, : features // 2].mean(axis=1) + rng.normal(size=rows, chunks=size) > 0).astype("i8")
    return X.persist(), y.persist()


def ways(batch_size):
    """Models with the ways to train them."""
    rated = {"optimizer": "sgd", "learning_rate": "inverse_sqrt", "max_iter": PASSES, "tol": None, "random_state": 0}
    large = {**rated, "optimizer": "adam", "learning_rate": 0.05, "batch_size": batch_size}
    return {
        "local, a pass": (LogisticClassifier(**rated), {}),
        f"local, {batch_size} updates": (LogisticClassifier(**rated), {"sync_every": batch_size}),
        f"sync, batches of {batch_size}": (LogisticClassifier(**large), {"strategy": "sync"}),
        "auto": (LogisticClassifier(tol=1e-9, max_iter=PASSES), {}),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--address", help="of a scheduler, in the place of workers on this machine")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--figure", default="local_sgd.svg")
    options = parser.parse_args()
    here = {"n_workers": options.workers, "threads_per_worker": 1, "dashboard_address": ":0"}
    with Client(options.address) if options.address else Client(**here) as client:
        X, y = data(options.rows, options.features, CHUNKS * options.workers)
        curves = {}
        for name, (model, strategy) in ways(max(100, options.rows // 50)).items():
            train(client, model, X, y, **strategy)  # kernels are compiled, or read from disk
            watch = Watch()
            fitted = train(client, model.set_callbacks(watch), X, y, **strategy)
            curves[name] = watch, fitted.loss_curve_
            print(f"{name}: objective {fitted.loss_curve_[-1]:.6f}, {fitted.communication_}")
    draw(curves, options.figure)


def draw(curves, path):
    import matplotlib.pyplot as plt

    least = min(min(objectives) for _, objectives in curves.values())
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
    for ax, unit, scale in zip(axes, ("seconds", "bytes"), (1, 1e-6), strict=True):
        for name, (watch, objectives) in curves.items():
            took = [scale * value for value in getattr(watch, unit)]
            ax.plot(took, [max(value - least, 1e-12) for value in objectives], marker="o", markersize=3, label=name)
        ax.set(xscale="log", yscale="log", xlabel=unit if unit == "seconds" else "megabytes moved")
    axes[0].set_ylabel("objective above the least found")
    axes[0].legend(fontsize=8)
    figure.savefig(path)
    print(f"{path} written")


if __name__ == "__main__":
    main()
