"""Passes of optimizers with a rate over the workers of a cluster, against passes in memory and NumPy loops."""

import itertools

import dask
import numpy as np
import pytest
import scipy.sparse as sp
from clusters import cluster, put
from sklearn.base import clone

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.dask import train
from sksgd.schedules import Auto, InverseScaling


@pytest.fixture(scope="module")
def one():
    with cluster(1) as client:
        yield client


@pytest.fixture(scope="module")
def two():
    with cluster(2) as client:
        yield client


def rows(n, kind="dense", d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = sp.random(n, d, density=0.4, format="csr", random_state=seed)
    X = X if kind == "csr" else X.toarray()
    return X, X @ rng.normal(size=d) + 0.1 * rng.normal(size=n)


def cut(X, y, *edges, weight=None):
    """Partitions of rows up to the edges."""
    edges = [0, *edges, X.shape[0]]
    return [(X[a:b], y[a:b]) if weight is None else (X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(edges)]


FITS = {
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05},
    "sgd, auto rate, stops by itself": {"optimizer": "sgd", "max_iter": 60, "tol": 1e-3},
    "adam, batches, average": {"optimizer": "adam", "learning_rate": 0.05, "batch_size": 7, "average": True},
    "adagrad, importance": {"optimizer": "adagrad", "sampling": "importance", "penalty": "l1", "alpha": 0.01},
    "held-out rows": {"optimizer": "sgd", "learning_rate": 0.05, "early_stopping": True, "max_iter": 30},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize("name", FITS)
def test_one_worker_trains_bitwise_as_in_memory(one, name, kind):
    X, y = rows(90, kind)
    weight = np.random.default_rng(1).uniform(0.5, 2, 90)
    weight[::9] = 0
    model = LinearRegressor(random_state=3, **{"max_iter": 3, "tol": None, **FITS[name]})
    expected = model.fit(X, y, sample_weight=weight)
    fitted = train(one, model, put(one, cut(X, y, 20, 50, weight=weight)))
    assert fitted.coef_.tobytes() == expected.coef_.tobytes()
    assert fitted.intercept_.tobytes() == expected.intercept_.tobytes()
    assert fitted.loss_curve_ == expected.loss_curve_
    assert fitted.validation_curve_ == expected.validation_curve_
    assert (fitted.t_, fitted.n_samples_seen_) == (expected.t_, expected.n_samples_seen_)
    assert fitted.learning_rate_ == expected.learning_rate_
    assert fitted.stop_reason_ == expected.stop_reason_


def test_stretches_of_a_pass_on_one_worker_are_the_pass(one):
    X, y = rows(90)
    model = LinearRegressor(optimizer="sgd", learning_rate=0.05, max_iter=2, tol=None, random_state=3, batch_size=4)
    expected = model.fit(X, y)
    fitted = train(one, model, put(one, cut(X, y, 50)), sync_every=3)
    assert fitted.coef_.tobytes() == expected.coef_.tobytes()
    assert fitted.t_ == expected.t_


@pytest.mark.parametrize("batch_size", [12, "full"])
@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize(("optimizer", "sampling"), [("sgd", "reshuffle"), ("adam", "with_replacement")])
def test_sync_takes_the_batches_of_rows_in_memory(two, optimizer, sampling, kind, batch_size):
    X, y = rows(90, kind)
    weight = np.random.default_rng(1).uniform(0.5, 2, 90)
    params = {"optimizer": optimizer, "learning_rate": 0.05, "batch_size": batch_size, "average": True, "alpha": 0.01}
    weight[::9] = 0.0
    model = LinearRegressor(max_iter=4, tol=None, sampling=sampling, random_state=0, **params)
    fitted = train(two, model, put(two, cut(X, y, 30, weight=weight)), strategy="sync")
    expected = model.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-10)
    np.testing.assert_allclose(fitted.intercept_, expected.intercept_, rtol=1e-10)
    np.testing.assert_allclose(fitted.loss_curve_, expected.loss_curve_, rtol=1e-10)
    assert (fitted.t_, fitted.n_samples_seen_) == (expected.t_, expected.n_samples_seen_)


def test_sync_with_classes(two):
    X, y = rows(90)
    y = np.digitize(y, [-0.5, 0.5])
    model = LogisticClassifier(optimizer="sgd", learning_rate=0.5, batch_size=9, max_iter=3, tol=None)
    fitted = train(two, model.set_params(sampling="sequential"), put(two, cut(X, y, 40)), strategy="sync")
    expected = model.fit(X, y)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-10)


def averaged(parts, rate, passes, batch_size, stretches, alpha):
    """SGD on squared errors by each worker for itself, means after each stretch of a pass; in plain NumPy."""
    d = parts[0][0].shape[1]
    w, t0 = np.zeros(d + 1), 0
    total = sum(len(y) for _, y in parts)
    updates = [-(-len(y) // batch_size) for _, y in parts]
    pace = -(-total // batch_size) / max(updates)
    for _ in range(passes):
        for part in range(stretches):
            found, seen, done = [], [], []
            for (X, y), m in zip(parts, updates, strict=True):
                mine = w.copy()
                first, last = (batch_size * (m * (part + i) // stretches) for i in (0, 1))
                rows = np.arange(first, min(last, len(y)))
                for i in range(0, len(rows), batch_size):
                    batch = rows[i : i + batch_size]
                    eta = rate(np.floor((t0 + i // batch_size) * pace))
                    slope = X[batch] @ mine[:-1] + mine[-1] - y[batch]
                    mine[:-1] -= eta * slope @ X[batch] / len(batch)
                    mine[:-1] /= 1 + eta * alpha
                    mine[-1] -= eta * slope.mean()
                found.append(mine)
                seen.append(len(rows))
                done.append(-(-len(rows) // batch_size))
            w, t0 = np.average(found, axis=0, weights=seen), t0 + max(done)
    return w


@pytest.mark.parametrize(("sync_every", "stretches"), [(None, 1), (4, 4)])
def test_local_averages_what_workers_find(two, sync_every, stretches):
    X, y = rows(90)
    parts = cut(X, y, 26)
    params = {"learning_rate": InverseScaling(0.3, 0.5), "batch_size": 4, "alpha": 0.01}
    model = LinearRegressor(optimizer="sgd", sampling="sequential", max_iter=3, tol=None, **params)
    fitted = train(two, model, put(two, parts), sync_every=sync_every)
    schedule = InverseScaling(0.3, 0.5)
    expected = averaged(parts, lambda t: schedule.rate(np.array([t]))[0], 3, 4, stretches, 0.01)
    np.testing.assert_allclose(np.append(fitted.coef_, fitted.intercept_), expected, rtol=1e-10)
    assert (fitted.t_, fitted.n_samples_seen_) == (48, 270)
    rate = schedule.rate(np.array([np.floor(47 * 23 / 16)]))[0]
    assert fitted.learning_rate_ == pytest.approx(rate, rel=1e-14)


def test_local_rates_make_up_for_fewer_updates_where_the_rows_allow_it(two):
    X, y = rows(90)
    parts, schedule = cut(X, y, 26), InverseScaling(0.8, 0.5)
    params = {"learning_rate": Auto(schedule), "batch_size": 1, "alpha": 0.01}
    model = LinearRegressor(optimizer="sgd", sampling="sequential", max_iter=3, tol=None, **params)
    fitted = train(two, model, put(two, parts))
    safe, pace, raised = 1 / (1 + (X**2).sum(axis=1)).max(), 90 / 64, []

    def rate(t):
        eta = schedule.rate(np.array([t]))[0]
        raised.append(pace * eta < 1)
        return safe * min(pace * eta, max(eta, 1))

    expected = averaged(parts, rate, 3, 1, 1, 0.01)
    assert 0 < np.mean(raised) < 1  # both cases occur
    np.testing.assert_allclose(np.append(fitted.coef_, fitted.intercept_), expected, rtol=1e-10)


def test_rates_are_those_of_the_rows_of_all_workers_together(two):
    X, y = rows(90)
    X[64:] *= 3.0  # one worker has longer rows than the other
    model = LogisticClassifier(optimizer="sgd", learning_rate=Auto(0.1), batch_size=1, max_iter=1, tol=None)
    fitted = train(two, model, put(two, cut(X, (y > 0).astype(int), 64)))
    length = np.sqrt(np.mean((1 + (X**2).sum(axis=1)) ** 2))
    assert fitted.learning_rate_ == pytest.approx(90 / 64 * 0.1 / (0.25 * 0.5 * length), rel=1e-12)


def test_local_approaches_the_minimum_with_slots_averages_and_sparse_rows(two):
    X, y = rows(400, "csr")
    model = LinearRegressor(optimizer="adagrad", average="tail", alpha=0.01, max_iter=40, tol=None, random_state=0)
    fitted = train(two, model, put(two, cut(X, y, 100, 180)))
    exact = LinearRegressor(alpha=0.01, tol=1e-10).fit(X, y)
    assert fitted.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=1e-2)


def test_weights_of_rows_weigh_the_workers(two):
    X, y = rows(40)
    weight = np.where(np.arange(40) < 20, 3.0, 1.0)
    model = LinearRegressor(optimizer="sgd", sampling="sequential", max_iter=1, tol=None, learning_rate=0.01)
    fitted = train(two, model, put(two, cut(X, y, 20, weight=weight)))
    found = [
        model.fit(X, y, sample_weight=np.where(own, weight, 0) * 2).coef_ for own in (np.arange(40) < 20, weight == 1)
    ]
    assert np.isfinite(found).all()
    alone = [_alone(*part) for part in cut(X, y, 20, weight=weight / 2)]
    np.testing.assert_allclose(fitted.coef_, np.average(alone, axis=0, weights=[3, 1]), rtol=1e-12)


def _alone(X, y, weight):
    model = LinearRegressor(optimizer="sgd", sampling="sequential", learning_rate=0.01)
    return model.partial_fit(X, y, sample_weight=weight).coef_


def test_what_is_counted(two):
    X, y = rows(90)
    model = LinearRegressor(optimizer="sgd", learning_rate=0.05, max_iter=3, tol=None, random_state=0)
    took = train(two, model, put(two, cut(X, y, 40))).communication_
    assert took.n_workers == 2
    # A pass and a sum of losses for each of three passes, and the loss at zero.
    assert took.rounds == 7
    assert took.bytes > 3 * 2 * 5 * 8
    assert took.work > 0
    assert took.reduction > 0
    assert took.work + took.reduction + took.waiting == pytest.approx(2 * took.seconds)
    assert "rounds=7" in repr(took)


def test_an_order_that_is_dealt_counts_once(two):
    X, y = rows(2000)
    model = LinearRegressor(optimizer="sgd", learning_rate=0.05, max_iter=1, tol=None, batch_size=50, random_state=0)
    took = train(two, model, put(two, cut(X, y, 1000)), strategy="sync").communication_
    # 40 updates of a state and two sums of some hundred bytes each, and two int32 for each row of the second worker.
    assert 8000 <= took.bytes <= 8000 + 40 * 4 * 500


def test_blocks_of_rows_stay_where_they_are():
    """Though every pass makes many tasks of one kind, which Dask might take for roots of a graph."""
    X, y = rows(2000, d=50)
    model = LinearRegressor(optimizer="sgd", learning_rate=1e-3, batch_size=500, max_iter=12, tol=None)
    # Blocks as small as these are cheaper to move than to wait for, of which stealing makes use.
    with dask.config.set({"distributed.scheduler.work-stealing": False}), cluster(2) as two:
        parts = put(two, cut(X, y, 1000))
        for strategy, data in itertools.product(("local", "sync"), (parts, parts[::-1])):
            two.run(_come)
            train(two, model, data, strategy=strategy)
            assert max(two.run(_come).values()) < X.nbytes / 4, strategy


def _come(dask_worker):
    """The most bytes that came to a worker at once since this was asked."""
    most = max((entry["total"] for entry in dask_worker.transfer_incoming_log), default=0)
    dask_worker.transfer_incoming_log.clear()
    return most


def test_refusals_name_the_remedy(two):
    X, y = rows(40)
    parts = put(two, cut(X, y, 20))
    sgd = LinearRegressor(optimizer="sgd", learning_rate=0.05)
    with pytest.raises(ValueError, match="batch_size=1 gives less than a row to each of 2 workers"):
        train(two, sgd, parts, strategy="sync")
    with pytest.raises(ValueError, match="sync_every must be None"):
        train(two, sgd, parts, strategy="sync", sync_every=3)
    with pytest.raises(ValueError, match=r"Importance.*needs the norms of all rows.*strategy='local'"):
        train(two, clone(sgd).set_params(sampling="importance", batch_size=8), parts, strategy="sync")
    with pytest.raises(ValueError, match="strategy must be one of"):
        train(two, sgd, parts, strategy="all")
    with pytest.raises(ValueError, match=r"ImplicitSGD\(\).*trains on rows in memory only.*optimizer='svrg'"):
        train(two, sgd.set_params(optimizer="implicit", learning_rate=None), parts)
    with pytest.raises(TypeError, match="model must be"):
        train(two, object(), parts)
