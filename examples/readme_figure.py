"""Draws the figure of the README: training curves of a model, and ways over a function, by the same optimizers.

python examples/readme_figure.py    writes docs/images/first_look.svg
"""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from sksgd import LogisticClassifier, minimize
from sksgd.plot import TrainingCurveDisplay, TrajectoryDisplay

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "sksgd"  # the same picture is the same file
RATES = {"sgd": 0.003, "momentum": 0.001, "adagrad": 0.1, "adam": 0.002}


def curves(ax):
    X, y = load_breast_cancer(return_X_y=True)
    models = {
        name: LogisticClassifier(
            optimizer=name, learning_rate=rate, alpha=0.01, batch_size=4, max_iter=30, tol=None, random_state=0
        )
        for name, rate in RATES.items()
    }
    for model in models.values():
        model.fit(scale(X), y)
    TrainingCurveDisplay.from_estimators(models, ax=ax)


def ways(ax):
    def fun(x):
        return x[0] ** 2 + 8 * x[1] ** 2

    results = {
        name: minimize(
            fun,
            [-5.0, -2.0],
            jac=lambda x: x * [2, 16],
            noise=0.5,
            optimizer=name,
            learning_rate=rate,
            max_iter=60,
            trajectory=True,
            random_state=0,
        )
        for name, rate in {"sgd": 0.04, "momentum": 0.02, "adagrad": 1.0, "adam": 0.3}.items()
    }
    TrajectoryDisplay.from_results(results, fun, ax=ax)


figure, axes = plt.subplots(1, 2, figsize=(10.5, 4), layout="constrained")
curves(axes[0])
ways(axes[1])
axes[0].set_title("Training a classifier")
axes[1].set_title("The same optimizers on a noisy function")
axes[0].get_legend().remove()  # the colours are those of the other legend
target = Path(__file__).parents[1] / "docs" / "images" / "first_look.svg"
target.parent.mkdir(exist_ok=True)
figure.savefig(target, metadata={"Date": None})
print(f"wrote {target}")
