"""Progressive validation: the losses of a stream's rows before they are learned."""

import itertools

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.base import clone

from sksgd import LinearRegressor, LogisticClassifier

rng = np.random.default_rng(0)
N = 900
X = rng.normal(size=(N, 4))
NUMBERS = X @ [1.0, -2.0, 0.0, 0.5] + rng.normal(size=N) + 3.0
WEIGHT = rng.integers(0, 3, N).astype(float)
CASES = {
    "squares": (LinearRegressor(), NUMBERS, {}),
    "huber": (LinearRegressor("huber"), NUMBERS, {}),
    "two": (LogisticClassifier(), NUMBERS > 3, {"classes": [False, True]}),
    "three": (LogisticClassifier(), np.digitize(NUMBERS, [1, 5]), {"classes": [0, 1, 2]}),
}


def learn(model, y, classes, parts):
    """A clone that learned these parts of the rows, and its number of steps after each."""
    model, steps = clone(model), []
    for part in parts:
        model.partial_fit(X[part], y[part], sample_weight=WEIGHT[part], **classes)
        steps.append(model.t_)
    return model, steps


def losses(name, scores, y):
    p = scores[:, 0]
    if name == "squares":
        return 0.5 * (p - y) ** 2
    if name == "huber":
        r = np.abs(p - y)
        return np.where(r <= 1.35, 0.5 * r * r, 1.35 * (r - 0.5 * 1.35))
    if name == "two":
        return np.logaddexp(0, p) - y * p
    return logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]


@pytest.mark.parametrize("name", CASES)
def test_losses_are_those_of_the_model_of_the_blocks_before(name):
    model, y, classes = CASES[name]
    _, steps = learn(model, y, classes, [slice(i, i + 1) for i in range(N)])
    edges = [0, *np.flatnonzero(np.diff([0, *steps])) + 1, N]  # where a row completed a block
    expected = np.empty(N)
    for first, last in itertools.pairwise(edges):
        coef, intercept = np.zeros((3 if name == "three" else 1, 4)), 0.0
        if first:
            past, _ = learn(model, y, classes, [slice(0, first)])
            coef, intercept = np.atleast_2d(past.coef_), past.intercept_
        expected[first:last] = losses(name, X[first:last] @ coef.T + intercept, y[first:last])
    for size in (1, 50, 333, N):
        calls = [slice(first, first + size) for first in range(0, N, size)]
        means = [np.average(expected[call], weights=WEIGHT[call]) for call in calls if WEIGHT[call].any()]
        streamed, _ = learn(model, y, classes, calls)
        np.testing.assert_allclose(streamed.loss_curve_, means, rtol=1e-8)
    assert expected[-300:].mean() < 0.7 * expected[:32].mean()


def test_the_curve_goes_on_and_bad_blocks_leave_it():
    model = LinearRegressor().fit(X, NUMBERS).partial_fit(X[:10], NUMBERS[:10])
    assert len(model.loss_curve_) == model.n_iter_ == 2
    assert model.loss_curve_[-1] == pytest.approx(
        0.5 * np.mean((LinearRegressor().fit(X, NUMBERS).predict(X[:10]) - NUMBERS[:10]) ** 2)
    )
    before = list(model.loss_curve_)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit([[np.nan] * 4], [0.0])
    assert model.loss_curve_ == before
