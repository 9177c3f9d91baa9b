"""Plain SGD is that of scikit-learn, row by row, where the two algorithms are the same: without a penalty.

With one they differ by design: scikit-learn multiplies by 1 - eta alpha where a proximal step divides by 1 + eta alpha.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import SGDClassifier, SGDRegressor

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.losses import EpsilonInsensitive, Huber
from sksgd.schedules import Constant, InverseScaling

PASSES = 3
EXACT = {"rtol": 1e-12, "atol": 1e-13}

RNG = np.random.default_rng(8)
X = RNG.normal(size=(40, 5)) * (RNG.random((40, 5)) < 0.7)
Y = X @ RNG.normal(size=5) + 0.5 + 0.3 * RNG.normal(size=40)
LABELS = np.where(Y + RNG.normal(size=40) > 0, "yes", "no")
WEIGHTS = RNG.uniform(0.5, 2.0, 40)
WEIGHTS *= len(WEIGHTS) / WEIGHTS.sum()  # as ours does in fit

LOSSES = {
    "squared_error": "squared_error",
    "huber": Huber(epsilon=0.5),
    "epsilon_insensitive": EpsilonInsensitive(epsilon=0.5),
}
RATES = {
    "constant": ({"learning_rate": "constant", "eta0": 0.02}, Constant(0.02)),
    "invscaling": ({"learning_rate": "invscaling", "eta0": 0.05, "power_t": 0.4}, InverseScaling(0.05, 0.4)),
}

over = pytest.mark.parametrize
over_rates = over("rate", RATES)
# scikit-learn's average=k has the k-th iterate as the first, ours counts from 0; 1 and True are the same.
over_averages = over("averages", [(False, None), (True, True), (7, 6), (50, 49)], ids=lambda pair: f"average={pair[0]}")


def settings(rate, averages):
    """Parameters of scikit-learn's estimator and of ours."""
    theirs, ours = RATES[rate]
    fixed = {"penalty": None, "shuffle": False}
    return (
        {**fixed, **theirs, "average": averages[0]},
        {"penalty": None, "sampling": "sequential", "optimizer": "sgd", "learning_rate": ours, "average": averages[1]},
    )


def assert_same_path(theirs, ours, rows, y, **first):
    for _ in range(PASSES):
        for model in (theirs, ours):
            model.partial_fit(rows, y, sample_weight=WEIGHTS, **first)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, **EXACT)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, **EXACT)


@over_averages
@over_rates
@over("loss", LOSSES)
def test_regressor(loss, rate, averages):
    theirs, ours = settings(rate, averages)
    theirs = SGDRegressor(loss=loss, epsilon=0.5, **theirs)
    assert_same_path(theirs, LinearRegressor(loss=LOSSES[loss], **ours), X, Y)


@over_rates
@over("loss", LOSSES)
def test_regressor_on_csr(loss, rate):
    """On CSR scikit-learn takes steps of 0.01 eta for the intercept, so here there is none."""
    theirs, ours = settings(rate, (False, None))
    theirs = SGDRegressor(loss=loss, epsilon=0.5, fit_intercept=False, **theirs)
    assert_same_path(theirs, LinearRegressor(loss=LOSSES[loss], fit_intercept=False, **ours), sp.csr_array(X), Y)


@over_averages
@over_rates
def test_classifier(rate, averages):
    """In one call: from the second on, scikit-learn's averaging classifier resumes at a stale intercept."""
    theirs, ours = settings(rate, averages)
    theirs = SGDClassifier(loss="log_loss", max_iter=PASSES, tol=None, **theirs)
    ours = LogisticClassifier(max_iter=PASSES, tol=None, **ours)
    for model in (theirs, ours):
        model.fit(X, LABELS, sample_weight=WEIGHTS)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, **EXACT)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, **EXACT)


@over_rates
def test_classifier_on_csr(rate):
    theirs, ours = settings(rate, (False, None))
    theirs = SGDClassifier(loss="log_loss", fit_intercept=False, **theirs)
    ours = LogisticClassifier(fit_intercept=False, **ours)
    assert_same_path(theirs, ours, sp.csr_array(X), LABELS, classes=["no", "yes"])


def test_averages_on_csr():
    theirs, ours = settings("invscaling", (7, 6))
    theirs = SGDRegressor(fit_intercept=False, **theirs)
    assert_same_path(theirs, LinearRegressor(fit_intercept=False, **ours), sp.csr_array(X), Y)


def test_fit_makes_the_same_passes():
    theirs, ours = settings("invscaling", (True, True))
    theirs = SGDRegressor(max_iter=PASSES, tol=None, **theirs).fit(X, Y, sample_weight=WEIGHTS)
    ours = LinearRegressor(max_iter=PASSES, tol=None, **ours).fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, **EXACT)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, **EXACT)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_ - 1
