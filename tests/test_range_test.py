"""The learning rate range test against gradient descent in NumPy."""

import math

import numpy as np
import pytest
from scipy.ndimage import median_filter
from sklearn.base import clone

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.insight import learning_rate_range_test

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) * [1.0, 2.0, 0.5, 1.0]
Y = X @ [1.0, -1.0, 2.0, 0.0] + 3 + RNG.normal(size=60)
FULL = LinearRegressor(optimizer="sgd", batch_size="full", alpha=0.0, random_state=0)


def objective(w, b):
    return 0.5 * np.mean((X @ w + b - Y) ** 2)


def test_full_batches():
    test = learning_rate_range_test(FULL, X, Y, eta_min=1e-4, eta_max=10.0, n_rates=50)
    rates = np.geomspace(1e-4, 10.0, 50)
    w, b, losses = np.zeros(4), 0.0, []
    for eta in rates:
        r = X @ w + b - Y
        w, b = w - eta * X.T @ r / 60, b - eta * r.mean()
        losses.append(objective(w, b))
        if losses[-1] > 2 * objective(np.zeros(4), 0.0):
            break
    np.testing.assert_allclose(test.rates, rates[: len(losses)], rtol=1e-12)
    np.testing.assert_allclose(test.losses, losses, rtol=1e-9)
    assert test.start == pytest.approx(objective(np.zeros(4), 0.0), rel=1e-12)
    assert test.divergence == pytest.approx(rates[len(losses) - 1])
    lowest = np.argmin(median_filter(losses, 5, mode="nearest"))
    assert test.suggestion == pytest.approx(rates[lowest] / 10)
    # Gradient descent with a constant rate is stable up to 2 over the largest curvature.
    features = np.column_stack([X, np.ones(60)])
    limit = 2 / np.linalg.eigvalsh(features.T @ features / 60)[-1]
    assert test.suggestion < limit < test.divergence


def test_no_divergence():
    test = learning_rate_range_test(FULL, X, Y, eta_min=1e-4, eta_max=0.1, n_rates=20)
    assert test.divergence == math.inf
    assert len(test.rates) == 20
    assert test.rates[-1] == pytest.approx(0.1)


@pytest.mark.parametrize(("batch_size", "n_rates", "updates"), [(1, 10, 60), (1, 100, 100), (7, 10, 10), (3, 10, 20)])
def test_one_pass_or_as_many_updates_as_rates(batch_size, n_rates, updates):
    seen = []

    class Spy(LinearRegressor):
        def partial_fit(self, X, y):
            seen.append(X[:, 0])
            Spy.updates = super().partial_fit(X, y).t_
            return self

    model = Spy(optimizer="sgd", batch_size=batch_size, random_state=0)
    test = learning_rate_range_test(model, X, Y, eta_max=1e-3, n_rates=n_rates)
    assert Spy.updates == updates
    assert len(seen) == len(test.rates) == n_rates
    rows = np.concatenate(seen)
    assert set(rows[:60]) == set(X[:, 0])  # the first pass visits every row
    np.testing.assert_allclose(np.diff(np.log(test.rates)), np.diff(np.log(test.rates))[0], rtol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of the higher rates
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "adam"])
def test_suggested_rates_train_well(optimizer):
    labels = (Y > 3).astype(int)
    model = LogisticClassifier(optimizer=optimizer, alpha=0.01, max_iter=20, tol=None, random_state=0)
    test = learning_rate_range_test(model, X, labels)
    assert test.start == pytest.approx(math.log(2))
    assert "_state" not in vars(model)

    def reached(rate):
        return clone(model).set_params(learning_rate=rate).fit(X, labels).loss_curve_[-1]

    best = min(reached(rate) for rate in np.geomspace(1e-4, 10.0, 11))
    assert reached(test.suggestion) - best < 0.1 * (test.start - best)


def test_refusals():
    with pytest.raises(ValueError, match="'newton' finds its own steps"):
        learning_rate_range_test(LinearRegressor(optimizer="newton"), X, Y)
    with pytest.raises(ValueError, match="eta_min < eta_max"):
        learning_rate_range_test(FULL, X, Y, eta_min=1.0, eta_max=0.1)
    with pytest.raises(ValueError, match="at least 10 rates"):
        learning_rate_range_test(FULL, X, Y, n_rates=5)
    with pytest.raises(ValueError, match="Lower eta_min"):
        learning_rate_range_test(FULL, X, Y, eta_min=1e5, eta_max=1e9)


def test_picture():
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    test = learning_rate_range_test(FULL, X, Y, eta_min=1e-4, eta_max=10.0, n_rates=50)
    display = test.plot()
    curve, suggestion, divergence = display.lines_
    np.testing.assert_array_equal(curve.get_xdata(), test.rates)
    np.testing.assert_array_equal(curve.get_ydata(), test.losses)
    assert set(suggestion.get_xdata()) == {test.suggestion}
    assert set(divergence.get_xdata()) == {test.divergence}
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["objective", f"suggested: {test.suggestion:.2g}", f"diverged: {test.divergence:.2g}"]
    assert display.ax_.get_ylim()[1] < 2 * test.start
    assert (display.ax_.get_xscale(), display.ax_.get_xlabel()) == ("log", "learning rate")
    plt.close("all")
