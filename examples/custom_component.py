"""A loss and an optimizer of your own: each a class of a few lines, as fast as the built-in ones.

python examples/custom_component.py
"""

import math
import statistics
import time
from typing import ClassVar

import numpy as np
from sklearn.datasets import make_regression
from sklearn.model_selection import GridSearchCV

from sksgd import LinearRegressor
from sksgd.base import Loss, Optimizer
from sksgd.functions import log1pexp
from sksgd.testing import check_loss, check_optimizer


class LogCosh(Loss):
    """scale^2 log cosh((p - y) / scale): squared near the target, linear far from it, and smooth."""

    scale: float = 1.0
    max_curvature: ClassVar[float] = 1.0

    def value(self, p, y):
        r = abs(p - y) / self.scale
        return self.scale * self.scale * (r + log1pexp(-2 * r) - math.log(2.0))  # cosh(r) itself overflows at 711

    def gradient(self, p, y):
        return self.scale * math.tanh((p - y) / self.scale)

    def curvature(self, p, y):
        return 1 - math.tanh((p - y) / self.scale) ** 2


class Lion(Optimizer):
    """w -= eta sign(beta1 m + (1 - beta1) g), m = beta2 m + (1 - beta2) g (Chen et al., 2023).

    All steps have the same length, so the rate has to fall to zero. The penalty decays weights beside it, as in AdamW;
    therefore the resting point is not the minimum of the penalised objective.
    """

    beta1: float = 0.9
    beta2: float = 0.99
    n_slots: ClassVar[int] = 1
    penalty_first: ClassVar[bool] = True

    def begin(self, t, eta):
        return eta, self.beta1, 1 - self.beta1, self.beta2, 1 - self.beta2

    def coord(self, g, w, slots, begun):
        # Numbers come from `begun`: they have the precision of the data, a field or a literal would promote float32.
        eta, beta1, rest1, beta2, rest2 = begun
        (m,) = slots
        return w - eta * np.sign(beta1 * m + rest1 * g), (beta2 * m + rest2 * g,)


def compare(name, mine, builtin, X, y, rounds=9):
    """Median over rounds of the time of `mine` over that of `builtin`, fitted in turn."""
    ratios = []
    for _ in range(rounds + 1):  # the first round compiles
        times = []
        for parts in (mine, builtin):
            model = LinearRegressor(**parts, optimizer="sgd", learning_rate=1e-3, max_iter=3, tol=None, random_state=0)
            start = time.perf_counter()
            model.fit(X, y)
            times.append(time.perf_counter() - start)
        ratios.append(times[0] / times[1])
    low, *_, high = sorted(ratios[1:])
    print(f"{name:<36} {statistics.median(ratios[1:]):.2f}  ({low:.2f} to {high:.2f})")


def main():
    """Check, fit, search and time the two components."""
    check_loss(LogCosh(scale=2.0))
    check_optimizer(Lion())
    print("Checked: gradients against finite differences, compiled against Python, CSR against dense.")

    X, y = make_regression(2000, 20, n_informative=5, noise=1.0, random_state=0)
    y[::20] += 500  # one row in twenty is wrong
    model = LinearRegressor(
        LogCosh(), optimizer=Lion(), learning_rate="linear", batch_size=16, max_iter=60, tol=None, random_state=0
    )
    # Fields are parameters as those of any estimator; the classes reach worker processes though they live here.
    grid = {"loss__scale": [0.5, 2.0, 500.0], "optimizer__beta1": [0.8, 0.9], "learning_rate__eta0": [0.1, 1.0]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=2, scoring="neg_median_absolute_error").fit(X, y)
    print(f"Best of the grid: {search.best_params_}, median absolute error {-search.best_score_:.2f}")

    X, y = make_regression(100_000, 20, noise=10.0, random_state=0)
    y = (y - y.min()) / np.ptp(y)  # log_loss wants targets in [0, 1]
    print("\nTime of a fit over that of a built-in component: median (least to most)")
    compare("Lion / Adam, squared error", {"optimizer": Lion()}, {"optimizer": "adam"}, X, y)
    for builtin in ("squared_error", "log_loss"):  # log_loss, like log cosh, takes an exponential a row
        mine = {"loss": LogCosh(), "optimizer": "sgd"}
        compare(f"LogCosh / {builtin}, plain SGD", mine, {"loss": builtin, "optimizer": "sgd"}, X, y)


if __name__ == "__main__":
    main()
