"""Data, models and a loss for the tests of Newton's method."""

import math

import numpy as np
from scipy.special import logsumexp
from sklearn.base import clone

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.base import Loss

rng = np.random.default_rng(0)
N = 3000
MANY = rng.normal(size=(N, 5)) @ rng.normal(size=(5, 5)) * 10.0 ** np.arange(-2, 3) + [0, 5, -30, 0, 1e4]
SIGNAL = (MANY - MANY.mean(axis=0)) / MANY.std(axis=0) @ [1.0, -1.0, 0.5, 0.0, 2.0]
NUMBERS = 3.0 + SIGNAL + rng.normal(size=N)
CLASSES = np.digitize(SIGNAL + rng.logistic(size=N), [-2.0, 0.5])
ROW_WEIGHTS = rng.uniform(0.0, 2.0, N).round(1)  # some are 0


class LogCosh(Loss):
    """Without a curvature of its own."""

    scale: float = 1.0
    max_curvature = 1.0

    def value(self, p, y):
        r = abs(p - y) / self.scale
        return self.scale**2 * (r + math.log1p(math.exp(-2 * r)) - math.log(2.0))

    def gradient(self, p, y):
        return self.scale * math.tanh((p - y) / self.scale)


def regressor(loss="squared_error", **params):
    return LinearRegressor(loss, optimizer="newton", **params)


def classifier(**params):
    return LogisticClassifier(optimizer="newton", **params)


CASES = {
    "squares": (regressor(), NUMBERS),
    "huber": (regressor("huber"), NUMBERS),
    "two classes": (classifier(), CLASSES > 0),
    "three classes": (classifier(), CLASSES),
}


def learn(model, y, edges, weight=ROW_WEIGHTS, rows=MANY, visit=lambda model: model):
    """A clone that has seen these rows in parts."""
    model = clone(model)
    classes = {"classes": np.unique(y)} if hasattr(model, "predict_proba") else {}
    for part in np.split(np.arange(rows.shape[0]), edges):
        model = visit(model.partial_fit(rows[part], y[part], sample_weight=weight[part], **classes))
    return model


def objective(model, X, y, weight, alpha=1e-4):
    """The objective, from scratch."""
    coef, share = np.atleast_2d(model.coef_), weight / weight.sum()
    scores = X @ coef.T + model.intercept_
    if not hasattr(model, "classes_"):
        loss = model._problem_.loss
        losses = [loss.value(float(p), float(t)) for p, t in zip(scores[:, 0], y, strict=True)]
    else:
        scores = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
        losses = logsumexp(scores, axis=1) - scores[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return share @ np.asarray(losses) + alpha / 2 * np.sum(coef**2)
