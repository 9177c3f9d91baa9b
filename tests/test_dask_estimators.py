"""The estimators over rows on a cluster: parameters, clones, pickles, predictions and scores."""

import inspect
import pickle

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from clusters import cluster
from distributed import Client
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import sksgd
from sksgd.dask import LinearRegressor, LogisticClassifier, train


@pytest.fixture(scope="module")
def client():
    with cluster(2) as client:
        yield client


def rows(n=120, d=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + 0.5 * rng.normal(size=n), rng.uniform(0.5, 2, n)


def array(values, chunk=50):
    return da.from_array(values, chunks=(chunk, *values.shape[1:]))


PAIRS = [(LinearRegressor, sksgd.LinearRegressor), (LogisticClassifier, sksgd.LogisticClassifier)]


@pytest.mark.parametrize(("cls", "local"), PAIRS)
def test_parameters_are_those_in_memory_and_three_more(cls, local):
    theirs, ours = inspect.signature(local).parameters, inspect.signature(cls).parameters
    assert list(ours) == [*theirs, "client", "strategy", "sync_every"]
    assert all(ours[name] == parameter for name, parameter in theirs.items())
    model = cls(alpha=0.5, strategy="sync")
    assert model.get_params()["alpha"] == 0.5
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(optimizer="momentum").set_params(optimizer__momentum=0.5).optimizer.momentum == 0.5


def test_clones_share_the_client_and_pickles_do_without(client):
    X, y, _ = rows()
    model = LinearRegressor(client=client).fit(array(X), array(y))
    assert clone(model).client is client
    assert model.client is client
    back = pickle.loads(pickle.dumps(model))
    assert back.client is None
    np.testing.assert_array_equal(back.coef_, model.coef_)


def test_a_closed_client_is_told(client):
    X, y, _ = rows()
    with Client(client.scheduler.address, set_as_default=False) as closed:
        model = LinearRegressor(client=closed).fit(array(X), array(y))
    for method in (model.fit, model.score):
        with pytest.raises(RuntimeError, match=r"is closed\. Pass one that is connected"):
            method(array(X), array(y))
    with pytest.raises(RuntimeError, match="is closed"):
        train(closed, sksgd.LinearRegressor(), array(X), array(y))
    assert model.set_params(client=client).score(array(X), array(y)) > 0.5


@pytest.mark.parametrize(("cls", "local"), PAIRS)
def test_fitted_it_is_the_estimator_in_memory(client, cls, local):
    X, y, weight = rows()
    y = y if cls is LinearRegressor else (y > 0).astype(int)
    model = cls(client=client).fit(array(X), array(y), sample_weight=array(weight))
    expected, plain = local().fit(X, y, sample_weight=weight), model.to_local()
    assert type(plain) is local
    assert plain.get_params() == local().get_params()
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    assert type(model.coef_) is np.ndarray
    np.testing.assert_array_equal(plain.predict(X), model.predict(X))
    assert plain.score(X, y) == model.score(X, y)
    with pytest.raises(NotFittedError):
        cls().to_local()


def test_warm_start_goes_on_and_an_error_changes_nothing(client):
    X, y, _ = rows()
    params = {"optimizer": "sgd", "learning_rate": 0.05, "tol": None, "warm_start": True, "random_state": 0}
    model = LinearRegressor(max_iter=2, **params).fit(array(X), array(y)).fit(array(X), array(y))
    assert (model.n_iter_, model.n_samples_seen_, len(model.loss_curve_)) == (4, 480, 4)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(array(X * np.nan), array(y))
    with pytest.raises(ValueError, match="features"):
        model.fit(array(X[:, :3]), array(y))
    np.testing.assert_array_equal(model.coef_, before)
    assert model.n_iter_ == 4


def test_fitted_anew_it_knows_nothing_of_the_fit_before(client):
    X, y, _ = rows()
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcd")), npartitions=3)
    with config_context(enable_metadata_routing=True):
        model = LinearRegressor(client=client).set_fit_request(sample_weight=True)
    model.fit(frame, dd.from_pandas(pd.Series(y), npartitions=3))
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(array(X * np.nan), array(y))
    assert list(model.feature_names_in_) == list("abcd")
    model.fit(array(X), array(y))
    fresh = LinearRegressor(client=client).fit(array(X), array(y))
    assert not hasattr(model, "feature_names_in_")
    assert model.__dict__.keys() == {*fresh.__dict__, "_metadata_request"}


def test_partial_fit_takes_no_distributed_rows(client):
    X, y, _ = rows()
    regressor = LinearRegressor(client=client).partial_fit(X, y)
    np.testing.assert_array_equal(regressor.coef_, sksgd.LinearRegressor().partial_fit(X, y).coef_)
    classifier = LogisticClassifier(client=client).partial_fit(X, y > 0, classes=[False, True])
    for model, kind in ((regressor, array), (regressor, as_frame), (classifier, array)):
        before = model.coef_.copy()
        with pytest.raises(TypeError, match=r"X must be in memory for partial_fit.*warm_start=True"):
            model.partial_fit(kind(X), array(y))
        np.testing.assert_array_equal(model.coef_, before)


def test_held_out_rows(client):
    X, y, _ = rows()
    model = LogisticClassifier(tol=1e-10).fit(array(X), array(y > 0), X_val=array(X[:40]), y_val=array(y[:40] > 0))
    expected = sksgd.LogisticClassifier(tol=1e-10).fit(X, y > 0, X_val=X[:40], y_val=y[:40] > 0)
    np.testing.assert_allclose(model.validation_curve_[-1], expected.validation_curve_[-1], rtol=1e-6)


def as_frame(X):
    return dd.from_pandas(pd.DataFrame(X), npartitions=3)


@pytest.mark.parametrize("kind", [array, as_frame])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_and_probabilities_come_lazily(client, n_classes, kind):
    X, y, _ = rows()
    y = np.array(["a", "b", "c"])[np.digitize(y, [0.0] if n_classes == 2 else [-0.3, 0.3])]
    model = LogisticClassifier(client=client).fit(array(X), array(y))
    local = model.to_local()
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        lazy = getattr(model, name)(kind(X))
        assert dask.is_dask_collection(lazy)
        expected = getattr(local, name)(X)
        assert lazy.ndim == expected.ndim
        if name == "predict":
            np.testing.assert_array_equal(lazy.compute(), expected)
        else:  # products of other numbers of rows are rounded otherwise
            np.testing.assert_allclose(lazy.compute(), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [array, as_frame])
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_scores_are_those_in_memory(client, loss, kind):
    X, y, weight = rows()
    y = np.floor(np.exp(y / 2)) if loss == "poisson" else y
    model = LinearRegressor(loss, client=client).fit(array(X), array(y))
    series = (lambda v: dd.from_pandas(pd.Series(v), npartitions=3)) if kind is as_frame else array
    for chosen, own in ((None, None), (weight, series(weight))):
        expected = model.to_local().score(X, y, chosen)
        assert model.score(kind(X), series(y), own) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(model.predict(kind(X)).compute(), model.to_local().predict(X), rtol=1e-14)
    classifier = LogisticClassifier(client=client).fit(array(X), array(y > 1))
    expected = classifier.to_local().score(X, y > 1, weight)
    assert classifier.score(kind(X), series(y > 1), series(weight)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("cls", [LinearRegressor, LogisticClassifier])
def test_one_column_of_targets(client, cls):
    X, y, weight = rows()
    y = y if cls is LinearRegressor else (y > 0).astype(int)
    model = cls(client=client).fit(array(X), array(y[:, None]))
    expected = model.to_local().score(X, y, weight)
    assert model.score(array(X), array(y[:, None]), array(weight)) == pytest.approx(expected, rel=1e-12)


def test_targets_that_are_not_distributed_are_told(client):
    X, y, weight = rows()
    for model in (LinearRegressor(client=client), LogisticClassifier(client=client)):
        model.fit(array(X), array(y if isinstance(model, LinearRegressor) else y > 0))
        with pytest.raises(TypeError, match=r"y must be a dask collection as X is\. Got ndarray instead: wrap it"):
            model.score(array(X), y)
        with pytest.raises(TypeError, match="sample_weight must be a dask collection"):
            model.score(array(X), array(y), weight)
        with pytest.raises(TypeError, match="y must be a dask collection as X is"):
            model.fit(array(X), dask.delayed(y))
        with pytest.raises(ValueError, match="y must be given"):
            model.score(array(X))


def test_several_targets(client):
    X, y, _ = rows()
    y = np.column_stack([y, -y])
    model = LinearRegressor(client=client).fit(array(X), array(y))
    assert model.predict(array(X)).compute().shape == (120, 2)
    assert model.score(array(X), array(y)) == pytest.approx(model.to_local().score(X, y), rel=1e-12)
