"""Dask collections: their columns are loaded together, once, and whatever their partitions are, rows stay rows."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clusters import cluster
from distributed import wait

import sksgd
from sksgd.dask import LinearRegressor, LogisticClassifier

FEATURES = list("abcd")
COEF = np.arange(1.0, 5.0)
#: What was loaded: partitions, and of frames their columns. Workers are threads here.
LOADED = []


@pytest.fixture(scope="module")
def client():
    # Without stealing, which moves what is as small as here rather than to wait for it.
    with dask.config.set({"distributed.scheduler.work-stealing": False}), cluster(2) as client:
        yield client


@pytest.fixture
def loaded():
    LOADED.clear()
    return LOADED


def rows(n=120, d=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X[:, :4] @ COEF + 0.1 * rng.normal(size=n), rng.uniform(0.5, 2, n)


def array(values, chunk=50):
    return da.from_array(values, chunks=(chunk, *values.shape[1:]))


def frame():
    X, y, weight = rows()
    return pd.DataFrame(X, columns=FEATURES).assign(y=y, weight=weight, **{f"other {i}": 0.0 for i in range(8)})


# ---- loading ---------------------------------------------------------------------------------------------------------


def files(folder):
    for i in range(4):
        frame().iloc[30 * i : 30 * i + 30].to_parquet(folder / f"{i}.parquet")
    return dd.read_parquet(str(folder))


def row_groups(folder):
    pq.write_table(pa.Table.from_pandas(frame()), folder / "all.parquet", row_group_size=30)
    return dd.read_parquet(str(folder), split_row_groups=True)


@pytest.mark.parametrize("stored", [files, row_groups])
def test_columns_of_parquet_give_the_model_in_memory(client, tmp_path, stored):
    found, (X, y, weight) = stored(tmp_path), rows()
    assert found.npartitions == 4
    ours = found[FEATURES], found.y, found.weight
    model = LinearRegressor(client=client).fit(*ours[:2], sample_weight=ours[2])
    expected = sksgd.LinearRegressor().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    assert list(model.feature_names_in_) == FEATURES
    assert model.score(*ours) == pytest.approx(expected.score(X, y, weight), rel=1e-12)
    mixed = LinearRegressor(client=client).fit(ours[0], array(y, 30), sample_weight=array(weight, 30))
    np.testing.assert_allclose(mixed.coef_, expected.coef_, rtol=1e-9)


def drawn():
    """Other rows in every call: what is loaded twice does not fit together."""
    X = np.random.default_rng().normal(size=(50, 4))
    return X, X @ COEF


def load(number, columns=None):
    X, y = drawn()
    whole = pd.DataFrame(X, columns=FEATURES).assign(y=y, weight=1.0, other=0.0)
    LOADED.append((number, whole.columns if columns is None else columns))
    return whole if columns is None else whole[columns]


def test_partitions_of_a_frame_are_loaded_once_with_the_columns_it_takes(client, loaded):
    meta = pd.DataFrame(columns=[*FEATURES, "y", "weight", "other"], dtype=float)
    data = dd.from_map(load, range(6), meta=meta)
    model = LinearRegressor(client=client, alpha=0).fit(data[FEATURES], data.y, sample_weight=data.weight)
    np.testing.assert_allclose(model.coef_, COEF, rtol=1e-6)
    assert sorted(number for number, _ in loaded) == list(range(6))
    assert all(sorted(columns) == sorted([*FEATURES, "y", "weight"]) for _, columns in loaded)
    assert model.score(data[FEATURES], data.y) == pytest.approx(1)


def load_array(block_id):
    LOADED.append(block_id)
    return np.column_stack(drawn())


@pytest.mark.parametrize("filtered", [False, True])
def test_chunks_of_an_array_are_loaded_once(client, loaded, filtered):
    data = da.map_blocks(load_array, chunks=((50,) * 6, (5,)), dtype=float, meta=np.empty((0, 0)))
    data = data[data[:, 0] > -1] if filtered else data
    model = LinearRegressor(client=client, alpha=0).fit(data[:, :4], data[:, 4])
    np.testing.assert_allclose(model.coef_, COEF, rtol=1e-6)
    assert sorted(loaded) == [(i, 0) for i in range(6)]
    assert model.score(data[:, :4], data[:, 4]) == pytest.approx(1)


def as_frames(X, y):
    whole = dd.from_pandas(pd.DataFrame(X).assign(y=y), npartitions=8)
    return whole[list(range(X.shape[1]))], whole.y


def in_memory(X, y):
    return array(X, 500).persist(), array(y, 500).persist()


@pytest.mark.parametrize("kind", [lambda X, y: (array(X, 500), array(y, 500)), as_frames, in_memory])
def test_no_rows_move_between_workers(client, kind):
    X, y, _ = rows(n=4000, d=50)
    data = kind(X, y)
    wait(data)
    client.run(come)
    model = LinearRegressor(client=client, max_iter=1).fit(*data)
    assert model.communication_.n_workers == 2
    assert max(client.run(come).values()) < X[:500].nbytes


def come(dask_worker):
    """The most bytes that came to a worker at once since this was asked."""
    most = max((entry["total"] for entry in dask_worker.transfer_incoming_log), default=0)
    dask_worker.transfer_incoming_log.clear()
    return most


# ---- empty partitions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_partitions_that_a_filter_leaves_empty(client, kind):
    X, y, _ = rows()
    X, labels = X[np.argsort(X[:, 0])], np.array(["a", "b", "c"])[np.arange(120) % 3]
    local = sksgd.LogisticClassifier().fit(X, labels)
    model = LogisticClassifier(client=client).fit(array(X), array(labels))
    data = dd.from_pandas(pd.DataFrame(X), npartitions=3) if kind == "frame" else array(X, 40)
    first = data[0] if kind == "frame" else data[:, 0]
    kept, expected = data[first > X[60, 0]], X[61:]
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        found, wanted = getattr(model, name)(kept), getattr(local, name)(expected)
        assert len(found.chunks[0]) == 3
        assert found.dtype == found.compute().dtype == wanted.dtype
        assert found.compute().shape == wanted.shape
    np.testing.assert_array_equal(model.predict(kept).compute(), local.predict(expected))
    regressor = LinearRegressor(client=client).fit(array(X), array(y))
    np.testing.assert_allclose(regressor.predict(kept).compute(), regressor.to_local().predict(expected), rtol=1e-12)
    assert regressor.predict(data[first > 9]).compute().shape == (0,)
