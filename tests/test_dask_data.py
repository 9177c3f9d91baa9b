"""What distributed data may look like, and what is said of data that cannot be used."""

import itertools

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from clusters import cluster, put

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.dask import train
from sksgd.stream import Source


@pytest.fixture(scope="module")
def client():
    with cluster(2) as client:
        yield client


def rows(n=120, d=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + 0.1 * rng.normal(size=n), rng.uniform(0.5, 2, n)


def same(fitted, expected):
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fitted.intercept_, expected.intercept_, rtol=1e-9, atol=1e-12)
    assert fitted.coef_.dtype == expected.coef_.dtype
    assert fitted.n_features_in_ == expected.n_features_in_


class Parts(Source):
    """Six parts of one block each."""

    n_parts = 6

    def blocks(self, part):
        X, y, weight = rows()
        some = slice(20 * part, 20 * part + 20)
        yield X[some], y[some], weight[some]


def array(values, chunk=50):
    return da.from_array(values, chunks=(chunk, *values.shape[1:]))


def csr_blocks(X, chunk=50):
    # Not concatenated from delayed blocks: Dask before 2025.3 concatenates sparse matrices, not sparse arrays.
    return array(X, chunk).map_blocks(sp.csr_array)


KINDS = {
    "arrays": lambda X, y, weight: (array(X), array(y), array(weight)),
    "arrays cut into columns too": lambda X, y, weight: (da.from_array(X, (50, 3)), array(y), array(weight)),
    "arrays of other chunks": lambda X, y, weight: (array(X), array(y, 30), array(weight, 70)),
    "csr blocks": lambda X, y, weight: (csr_blocks(X), array(y), array(weight)),
    "one column of targets": lambda X, y, weight: (array(X), array(y[:, None])[:, 0], array(weight)),
    "frames": lambda X, y, weight: tuple(
        dd.from_pandas(frame, npartitions=3)
        for frame in (pd.DataFrame(X, columns=list("abcd")), pd.Series(y), pd.Series(weight))
    ),
    "unknown sizes": lambda X, y, weight: (
        dd.from_pandas(pd.DataFrame(X), npartitions=3).to_dask_array(),
        dd.from_pandas(pd.Series(y), npartitions=3).to_dask_array(),
        dd.from_pandas(pd.Series(weight), npartitions=3).to_dask_array(),
    ),
    "delayed": lambda X, y, weight: (
        [dask.delayed(lambda a, b, c: (a, b, c))(X[i::3], y[i::3], weight[i::3]) for i in range(3)],
        None,
        None,
    ),
    "source": lambda X, y, weight: (Parts(), None, None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_of_data_give_the_model_in_memory(client, kind):
    X, y, weight = rows()
    fitted = train(client, LinearRegressor(), *KINDS[kind](X, y, weight))
    same(fitted, LinearRegressor().fit(X, y, sample_weight=weight))
    if kind == "frames":
        assert list(fitted.feature_names_in_) == list("abcd")
    assert fitted.communication_.n_workers == 2


def test_data_in_memory_are_used_where_they_are(client):
    X, y, _ = rows()
    parts = put(client, [(X[i : i + 30], y[i : i + 30]) for i in range(0, 120, 30)])
    before = client.who_has(parts)
    fitted = train(client, LinearRegressor(), parts)
    assert client.who_has(parts) == before
    assert fitted.communication_.n_workers == len({places[0] for places in before.values()}) == 2


def test_float32_stays_float32_unless_some_rows_are_not(client):
    X, y, _ = rows()
    single = [(X[:60].astype(np.float32), y[:60]), (X[60:].astype(np.float32), y[60:])]
    same(train(client, LinearRegressor(), put(client, single)), LinearRegressor().fit(X.astype(np.float32), y))
    mixed = train(client, LinearRegressor(), put(client, [single[0], (X[60:], y[60:])]))
    assert mixed.coef_.dtype == np.float64


def test_several_targets(client):
    X, y, _ = rows()
    y = np.column_stack([y, -2 * y])
    same(train(client, LinearRegressor(), array(X), array(y)), LinearRegressor().fit(X, y))


@pytest.mark.parametrize("class_weight", [None, "balanced", {"no": 2.0, "yes": 1.0}])
def test_partitions_of_one_class_empty_ones_and_uneven_ones(client, class_weight):
    X, y, weight = rows()
    order = np.argsort(y)
    X, y, weight = X[order], np.where(y > 0, "yes", "no")[order], weight[order]
    edges = [0, 0, 5, 7, 100, 100, 120]
    parts = [(X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(edges)]
    model = LogisticClassifier(class_weight=class_weight, tol=1e-10)
    fitted, expected = train(client, model, put(client, parts)), model.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, rtol=1e-5)
    assert list(fitted.classes_) == ["no", "yes"]
    assert fitted.n_samples_seen_ == 120 * fitted.n_iter_


@pytest.mark.parametrize("strategy", ["local", "sync"])
def test_a_worker_with_hardly_any_rows(client, strategy):
    X, y, _ = rows()
    model = LinearRegressor(optimizer="sgd", learning_rate=0.05, batch_size=10, max_iter=4, tol=None)
    fitted = train(client, model, put(client, [(X[:2], y[:2]), (X[2:], y[2:])]), strategy=strategy)
    assert fitted.n_samples_seen_ == 4 * 120
    assert fitted.score(X, y) > 0.9


def test_partitions_whose_weights_are_all_zero_do_not_count(client):
    X, y, _ = rows()
    weight = np.where(np.arange(120) < 60, 0.0, 1.0)
    fitted = train(client, LinearRegressor(), array(X, 60), array(y, 60), array(weight, 60))
    same(fitted, LinearRegressor().fit(X[60:], y[60:]))
    with pytest.raises(ValueError, match="All sample weights are zero"):
        train(client, LinearRegressor(), array(X), array(y), array(0 * weight))


def fail(part):
    raise OSError(f"the disk of partition {part} is gone")


def test_a_failing_partition_raises_its_own_error_and_is_named(client):
    X, y, _ = rows()
    parts = [dask.delayed(lambda: (X[:60], y[:60]))(), dask.delayed(fail)("two")]
    with pytest.raises(OSError, match=r"the disk of partition two is gone\nRaised by partition 1 of the data"):
        train(client, LinearRegressor(), parts)


def broken(**changes):
    X, y, weight = rows()
    X[70, 1] = changes.get("X", X[70, 1])
    y[70] = changes.get("y", y[70])
    weight[70] = changes.get("weight", weight[70])
    return array(X), array(y), array(weight)


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        (LinearRegressor(), {"X": np.nan}, "partition 1: Input X contains NaN"),
        (LinearRegressor(), {"y": np.inf}, "partition 1: Input y contains infinity"),
        (LinearRegressor(), {"weight": -1}, "partition 1: Negative values in data passed to `sample_weight`"),
        (LinearRegressor("poisson"), {}, r"partition \d: Some y are outside the domain"),
    ],
)
def test_bad_rows_are_told_with_their_partition(client, model, changes, message):
    with pytest.raises(ValueError, match=message):
        train(client, model, *broken(**changes))


def test_what_does_not_fit_together_is_told(client):
    X, y, weight = rows()
    with pytest.raises(ValueError, match="X has 120 rows, but y has 100"):
        train(client, LinearRegressor(), array(X), array(y[:100]))
    with pytest.raises(ValueError, match="do not fit together"):
        train(client, LinearRegressor(), put(client, [(X[:60], y[:60]), (X[60:, :3], y[60:])]))
    with pytest.raises(ValueError, match="do not fit together"):
        train(client, LinearRegressor(), put(client, [(X[:60], y[:60]), (sp.csr_array(X[60:]), y[60:])]))
    text, number = (X[:60], np.where(y[:60] > 0, "yes", "no")), (X[60:], (y[60:] > 0).astype(int))
    for parts in ([text, number], [text, text, number]):  # on two workers, and on one
        with pytest.raises(ValueError, match=r"do not fit together.*string\) are .*False\), .*True\)"):
            train(client, LogisticClassifier(), put(client, parts))
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=3)
    with pytest.raises(ValueError, match="numbers of partitions must be equal"):
        train(client, LinearRegressor(), frame, dd.from_pandas(pd.Series(y), npartitions=2))
    with pytest.raises(ValueError, match="every partition is empty"):
        train(client, LinearRegressor(), put(client, [(X[:0], y[:0])]))
    with pytest.raises(ValueError, match="needs at least 2 classes"):
        train(client, LogisticClassifier(), array(X), array(np.ones(120, int)))
    with pytest.raises(TypeError, match="for rows in memory use the estimator's own fit"):
        train(client, LinearRegressor(), X, y)
    with pytest.raises(TypeError, match="sample_weight must be a dask collection"):
        train(client, LinearRegressor(), array(X), array(y), weight)
    with pytest.raises(ValueError, match="y must be given"):
        train(client, LinearRegressor(), array(X))
    with pytest.raises(ValueError, match="a source has its targets"):
        train(client, LinearRegressor(), Parts(), array(y))
    with pytest.raises(TypeError, match=r"partition 0 must be \(X, y\)"):
        train(client, LinearRegressor(), put(client, [X]))
