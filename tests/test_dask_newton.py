"""Newton's method over the workers of a cluster finds what it finds in memory."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from clusters import cluster, put

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.dask import train
from sksgd.losses import Quantile


@pytest.fixture(scope="module")
def three():
    with cluster(3) as client:
        yield client


def rows(n, kind="dense", d=6):
    rng = np.random.default_rng(0)
    X = sp.random(n, d, density=0.4, format="csr", random_state=0)
    X = X if kind == "csr" else X.toarray() * 10.0 ** rng.uniform(-2, 2, d)
    return X, (X / np.abs(X).max()) @ rng.normal(size=d) + 0.1 * rng.normal(size=n)


def partitions(X, y, weight):
    edges = [0, 300, 500, 1300, X.shape[0]]
    return [(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(edges)]


MODELS = {
    "squares": LinearRegressor(),
    "squares, l1 and bounds": LinearRegressor(penalty="l1", alpha=1e-3, bounds=(-0.5, 0.5)),
    "quantile": LinearRegressor(Quantile(0.8)),
    "poisson": LinearRegressor("poisson"),
    "two classes": LogisticClassifier(class_weight="balanced"),
    "three classes": LogisticClassifier(alpha=1e-3),
}


def targets(name, y):
    if name == "poisson":
        return np.floor(np.exp(y))
    if name == "two classes":
        return np.where(y > 0.2, "yes", "no")
    return np.digitize(y, [-0.1, 0.1]) * 2 if name == "three classes" else y


@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize("name", MODELS)
def test_newton_is_that_in_memory(three, name, kind):
    model, (X, y) = MODELS[name].set_params(tol=1e-8, random_state=0), rows(1500, kind)
    y, weight = targets(name, y), np.random.default_rng(1).uniform(0, 2, 1500)
    weight[::7] = 0
    expected = model.fit(X, y, sample_weight=weight)
    fitted = train(three, model, put(three, partitions(X, y, weight)))
    assert fitted.optimizer_ == expected.optimizer_
    assert fitted.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=1e-7)
    assert fitted.optimality_gap_ <= 1e-8
    assert fitted.n_samples_seen_ == fitted.n_iter_ * np.count_nonzero(weight)
    difference = np.abs(X @ (fitted.coef_ - expected.coef_).T).max() + np.abs(fitted.intercept_ - expected.intercept_)
    assert difference.max() < 1e-3 * np.abs(X @ expected.coef_.T).max()


def test_held_out_rows_stop_newton_too(three):
    X, y = rows(1500)
    parts, rest = partitions(X, targets("two classes", y), np.ones(1500)), rows(200)
    out = put(three, [(rest[0], targets("two classes", rest[1]))])
    fitted = train(three, LogisticClassifier(tol=1e-9), put(three, parts), validation=(out, None, None))
    assert len(fitted.validation_curve_) == len(fitted.loss_curve_) > 0


def test_few_rows_come_to_the_client(three):
    X, y = rows(1500)
    took = train(three, LogisticClassifier(), put(three, partitions(X, y > 0, np.ones(1500)))).communication_
    assert took.n_workers == 3
    assert 0 < took.bytes < 20 * X.nbytes
