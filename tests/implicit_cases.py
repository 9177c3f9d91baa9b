"""Data and models for the tests of implicit SGD."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core.problem import Problem
from sksgd.optimizers import ImplicitSGD

rng = np.random.default_rng(0)
N = 1500
DENSE = rng.normal(size=(N, 4)) * [1e-3, 1.0, 10.0, 1e4] + [0.0, -2.0, 300.0, 1e5]
SPARSE = sp.random_array((N, 8), density=0.1, rng=rng, format="csr")
MIXED = sp.csr_array(sp.hstack([DENSE, SPARSE]))
SIGNAL = (DENSE - DENSE.mean(axis=0)) / DENSE.std(axis=0) @ [1.0, -1.0, 0.5, 0.0] + SPARSE @ rng.normal(size=8)
NUMBERS = 3.0 + SIGNAL + 0.5 * rng.normal(size=N)
CLASSES = np.digitize(SIGNAL + 0.5 * rng.logistic(size=N), [-1.0, 1.0])
ROW_WEIGHTS = rng.uniform(0.0, 2.0, N).round(1)  # some are 0
NO_ALPHA = 1e-100  # no penalty, by the kernel of the default one


def regressor(loss="squared_error", **params):
    return LinearRegressor(loss, optimizer="implicit", **params)


def classifier(**params):
    return LogisticClassifier(optimizer="implicit", **params)


CASES = {
    "two targets": (regressor(), np.column_stack([NUMBERS, 1e3 * SIGNAL])),
    "quantile": (regressor("quantile", penalty="l1", alpha=1e-2), NUMBERS),
    "counts": (regressor("poisson", penalty="elasticnet"), np.floor(np.exp(np.clip(SIGNAL, -3, 3)))),
    "three classes": (classifier(), CLASSES),
}
ROWS = {"dense": MIXED.toarray(), "csr": MIXED}


def learn(model, X, y, edges, weight=ROW_WEIGHTS, visit=lambda model: model):
    """A clone that has seen these rows in parts."""
    model = clone(model)
    classes = {"classes": np.unique(y)} if hasattr(model, "predict_proba") else {}
    for part in np.split(np.arange(X.shape[0]), edges):
        model = visit(model.partial_fit(X[part], y[part], sample_weight=weight[part], **classes))
    return model


def problem_of(loss, penalty, alpha, fit_intercept):
    return Problem(loss, penalty, alpha, ImplicitSGD(), None, None, 1, None, fit_intercept)
