"""Linear and logistic models on real data, next to scikit-learn's: a table in the terminal, and one figure.

    python examples/quickstart.py

Data come with scikit-learn. The first run compiles the kernels it needs; later ones find them on disk.
"""

import os
import time

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.schedules import Constant, Exponential, Polynomial

FIGURE = "sksgd-quickstart.png"
ROW = "{:<15} {:<44} {:>8} {:>7} {:>8}"


def scaled(model):
    """SGD wants features of similar size, so every model comes in a pipeline with a scaler."""
    return Pipeline([("scale", StandardScaler()), ("model", model)])


def timed(work, *arguments):
    """The seconds that ``work(*arguments)`` takes, and its result. The second of two calls: the first may compile."""
    for _ in range(2):
        start = time.perf_counter()
        result = work(*arguments)
        elapsed = time.perf_counter() - start
    return elapsed, result


def report(data, name, model, split):
    """Fit on the training rows and print a line."""
    X_train, X_test, y_train, y_test = split
    elapsed, model = timed(scaled(model).fit, X_train, y_train)
    score = f"{model.score(X_test, y_test):.3f}"
    print(ROW.format(data, name, score, model["model"].n_iter_, f"{elapsed:.3f}"))


def regression():
    """Diabetes: ten measurements in their own units, and how far the disease had got a year later."""
    split = train_test_split(*load_diabetes(return_X_y=True, scaled=False), random_state=0)
    ours = LinearRegressor(
        optimizer="sgd", learning_rate=Polynomial(eta0=0.05, beta=0.01, power=0.75), batch_size=8, random_state=0
    )
    report("diabetes, R2", "scikit-learn SGDRegressor", SGDRegressor(random_state=0), split)
    report("diabetes, R2", "LinearRegressor, SGD", ours, split)


def classification():
    """Breast cancer, two classes. The last line: the best of a grid of optimizers and schedules."""
    split = train_test_split(*load_breast_cancer(return_X_y=True), random_state=0)
    theirs = SGDClassifier(loss="log_loss", alpha=1e-3, random_state=0)
    ours = LogisticClassifier(
        alpha=1e-3, optimizer="nesterov", learning_rate=0.03, batch_size=8, tol=1e-3, max_iter=300, random_state=0
    )
    data = "cancer, acc."
    report(data, "scikit-learn SGDClassifier, log loss", theirs, split)
    report(data, "LogisticClassifier, Nesterov", ours, split)

    grid = {
        "model__optimizer": ["sgd", "momentum", "nesterov", "adam"],
        "model__learning_rate": [
            Constant(0.03),
            Exponential(eta0=0.1, decay=0.002),  # eta0 exp(-decay t), t counts updates
            Polynomial(eta0=0.1, beta=0.02, power=0.75),  # eta0 (beta t + 1)^(-power)
        ],
    }
    search = GridSearchCV(scaled(ours), grid, cv=3).fit(split[0], split[2])
    best = search.best_params_
    report(data, "LogisticClassifier, best of a grid (below)", search.best_estimator_["model"], split)
    return f"optimizer={best['model__optimizer']!r}, learning_rate={best['model__learning_rate']}"


def many_classes():
    """Digits, ten classes: all at once (softmax), or one against the rest as scikit-learn has it; then as a stream."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = split = train_test_split(X / 16, y, random_state=0)
    theirs = SGDClassifier(loss="log_loss", alpha=1e-3, random_state=0)
    ours = LogisticClassifier(alpha=1e-3, optimizer="nesterov", learning_rate=0.03, batch_size=8, random_state=0)
    report("digits, acc.", "scikit-learn SGDClassifier, one against rest", theirs, split)
    report("digits, acc.", "LogisticClassifier, softmax, Nesterov", ours, split)

    # A stream: rows come in blocks, each is seen once. Optimizer and schedule go on from block to block.
    blocks = [slice(start, start + 64) for start in range(0, len(y_train), 64)]

    def stream(model):
        model = clone(model)
        for block in blocks:
            model.partial_fit(X_train[block], y_train[block], classes=np.arange(10))
        return model

    for name, model in (("scikit-learn SGDClassifier", theirs), ("LogisticClassifier", ours)):
        elapsed, model = timed(stream, model)
        score = f"{model.score(X_test, y_test):.3f}"
        print(ROW.format("digits, stream", f"{name}, {len(blocks)} x partial_fit", score, 1, f"{elapsed:.3f}"))


def loss_curves():
    """Objective after each pass over the breast cancer data, in percent above its minimum: two panels of curves."""
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    alpha, passes, batch = 0.01, 40, 8
    updates = passes * -(-len(y) // batch)
    # The minimum, from a solver for small data: C is 1 / (n alpha).
    exact = LogisticRegression(C=1 / (len(y) * alpha), solver="newton-cholesky", tol=1e-10).fit(X, y)
    scores = exact.decision_function(X)
    minimum = np.mean(np.logaddexp(0, scores) - y * scores) + alpha / 2 * np.sum(exact.coef_**2)

    def curve(optimizer, learning_rate):
        model = LogisticClassifier(
            alpha=alpha, optimizer=optimizer, learning_rate=learning_rate, batch_size=batch, random_state=0,
            max_iter=passes, tol=None,
        )  # fmt: skip
        return 100 * (np.array(model.fit(X, y).loss_curve_) / minimum - 1)

    optimizers = {"plain SGD": "sgd", "momentum": "momentum", "Nesterov": "nesterov", "Adam": "adam"}
    schedules = {
        "constant": Constant(0.3),
        "exponential": Exponential(eta0=0.3, decay=4 / updates),
        "polynomial": Polynomial(eta0=0.3, beta=20 / updates, power=1),
    }
    return {
        "Optimizers, constant rate 0.01": {name: curve(key, 0.01) for name, key in optimizers.items()},
        "Schedules from rate 0.3, plain SGD": {name: curve("sgd", rate) for name, rate in schedules.items()},
    }


def plot(panels):
    """Save the curves; colours of Okabe and Ito, and a dash pattern each, so that none depends on colour vision."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    styles = [("#000000", "-"), ("#E69F00", "-"), ("#0072B2", (0, (4, 1.5))), ("#009E73", (0, (1, 1)))]
    for axes, (title, curves) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        for (name, values), (colour, dashes) in zip(curves.items(), styles, strict=False):
            axes.plot(range(1, len(values) + 1), values, color=colour, linestyle=dashes, linewidth=2, label=name)
        axes.set(title=title, xlabel="passes over the data", yscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.axes[0].set_ylabel("objective above its minimum (%)")
    figure.suptitle("Logistic regression on breast cancer data (569 rows, 30 features), batches of 8")
    figure.savefig(FIGURE, dpi=150)


def main():
    """Print the table, save the figure."""
    start = time.perf_counter()
    print(ROW.format("data, score", "model", "held-out", "passes", "seconds"))
    print("-" * len(ROW.format(*[""] * 5)))
    regression()
    best = classification()
    many_classes()
    print(f"\nBest of 4 optimizers x 3 schedules: {best}.")
    try:
        plot(loss_curves())
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print('For the figure of loss curves install matplotlib: python -m pip install -e ".[plot]"')
    else:
        print(f"Loss curves of four optimizers and three schedules: {os.path.abspath(FIGURE)}")
    print(
        f"Seconds are those of a second fit, scaler included. In all {time.perf_counter() - start:.0f} s; the kernels"
    )
    print("compiled on the way are cached on disk, so a second run takes less.")


if __name__ == "__main__":
    main()
