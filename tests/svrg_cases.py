"""Data and models for the tests of SVRG."""

import numpy as np
import scipy.sparse as sp
from newton_cases import CLASSES, NUMBERS

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.base import Penalty

rng = np.random.default_rng(5)
SPARSE = sp.random(400, 300, 0.03, random_state=0, format="csr")
SPARSE.data = np.exp(SPARSE.data)
EFFECT = np.where(rng.random(300) < 0.1, rng.normal(size=300), 0.0)
TARGET = SPARSE @ EFFECT + 0.1 * rng.normal(size=400)


def regressor(loss="squared_error", **params):
    return LinearRegressor(loss, **{"optimizer": "svrg", "random_state": 0, "max_iter": 100, **params})


def classifier(**params):
    return LogisticClassifier(**{"optimizer": "svrg", "random_state": 0, "max_iter": 100, **params})


CASES = {
    "squares": (regressor(), NUMBERS),
    "huber": (regressor("huber"), NUMBERS),
    "two classes": (classifier(), CLASSES > 0),
    "three classes": (classifier(), CLASSES),
}


class Bump(Penalty):
    """L1 without a drift."""

    def value(self, w, alpha):
        return alpha * abs(w)

    def prox(self, w, step, alpha):
        size = max(abs(w) - alpha * step, 0.0)
        return size if w > 0 else -size
