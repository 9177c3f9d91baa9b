"""What may come in: frames, sparse matrices, layouts, dtypes, memory maps, labels."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from estimators import TWO, WEIGHT, X, Y, assert_same, weights
from numba.core import event
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import validate_data

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core.batches import Block

PARAMS = {"max_iter": 3, "tol": None, "random_state": 0, "optimizer": "sgd", "learning_rate": 0.01}
NAMES = ["height", "weight", "age", "income"]
FRAMES = {
    "pandas": lambda rows: pd.DataFrame(rows, columns=NAMES),
    "polars": lambda rows: pl.DataFrame(rows, schema=NAMES),
    "pyarrow": lambda rows: pa.table(dict(zip(NAMES, rows.T, strict=True))),
}


@pytest.fixture(scope="module")
def expected():
    return LinearRegressor(**PARAMS).fit(X, Y)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames(frame, expected):
    model = LinearRegressor(**PARAMS).fit(frame(X), Y)
    assert_same(model, expected)
    np.testing.assert_array_equal(model.feature_names_in_, NAMES)
    np.testing.assert_allclose(model.predict(frame(X)), expected.predict(X), rtol=1e-12)
    assert model.score(frame(X), Y) == pytest.approx(expected.score(X, Y), rel=1e-12)
    streamed = LinearRegressor(**PARAMS).partial_fit(frame(X), Y)
    np.testing.assert_array_equal(streamed.feature_names_in_, NAMES)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_other_names_are_errors(kind):
    frame = FRAMES[kind](X)
    columns = {"columns": {"age": "years"}} if kind == "pandas" else {"mapping": {"age": "years"}}
    renamed = frame.rename(**columns)
    model = LinearRegressor(**PARAMS).fit(frame, Y)
    for call in (
        lambda: model.predict(renamed),
        lambda: model.partial_fit(renamed, Y),
        lambda: model.score(renamed, Y),
        lambda: LinearRegressor(**PARAMS).fit(frame, Y, X_val=renamed, y_val=Y),
        lambda: LinearRegressor(**PARAMS, warm_start=True).partial_fit(frame, Y).fit(renamed, Y),
    ):
        with pytest.raises(ValueError, match="feature names should match"):
            call()
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)


def test_series_and_columns_as_targets_and_weights(expected):
    weighted = LinearRegressor(**PARAMS).fit(X, Y, sample_weight=WEIGHT)
    for series in (pd.Series, pl.Series, list, tuple):
        assert_same(LinearRegressor(**PARAMS).fit(X, series(Y)), expected)
        assert_same(LinearRegressor(**PARAMS).fit(X.tolist(), Y, sample_weight=series(WEIGHT)), weighted)
    two = LinearRegressor(**PARAMS).fit(X, pd.DataFrame({"a": Y, "b": -Y}))
    assert two.coef_.shape == (2, 4)


SPARSE = np.where(np.abs(X) < 0.5, 0.0, X)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("form", ["array", "matrix"])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_kinds(kind, form, index):
    dense = LinearRegressor(**PARAMS).fit(SPARSE, Y)
    rows = getattr(sp, f"{kind}_{form}")(SPARSE)
    for name in ("indices", "indptr", "row", "col"):
        if hasattr(rows, name) and kind != "coo":
            setattr(rows, name, getattr(rows, name).astype(index))
    if kind == "coo":
        rows.coords = tuple(part.astype(index) for part in rows.coords)
    model = LinearRegressor(**PARAMS).fit(rows, Y)
    assert_same(model, dense, rtol=1e-10)
    np.testing.assert_allclose(model.predict(rows), dense.predict(SPARSE), rtol=1e-10)
    assert isinstance(model.predict(rows), np.ndarray)


def test_duplicates_and_unsorted_indices():
    rows = sp.csr_array(SPARSE)
    twice = sp.csr_array(
        (np.repeat(rows.data / 2, 2)[::-1], np.repeat(rows.indices, 2)[::-1], rows.indptr * 2), shape=rows.shape
    )
    flipped = sp.csr_array(SPARSE[::-1])  # the reversed arrays hold the rows in reverse
    lengths = np.diff(rows.indptr)[::-1]
    twice = sp.csr_array((twice.data, twice.indices, np.concatenate([[0], np.cumsum(2 * lengths)])), shape=rows.shape)
    before = twice.data.copy()
    assert_same(LinearRegressor(**PARAMS).fit(twice, Y), LinearRegressor(**PARAMS).fit(flipped, Y), rtol=1e-10)
    np.testing.assert_array_equal(twice.data, before)


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda rows: np.repeat(rows, 2, axis=0)[::2], lambda rows: np.flip(np.flip(rows).copy())],
)
def test_memory_layouts(change, expected):
    rows = change(X)
    assert not rows.flags.c_contiguous
    assert_same(LinearRegressor(**PARAMS).fit(rows, Y), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_read_only_arrays_and_memory_maps(tmp_path, dtype):
    np.save(tmp_path / "X.npy", X.astype(dtype))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    frozen = X.astype(dtype)
    frozen.flags.writeable = False
    y, weight = Y.copy(), WEIGHT.copy()
    y.flags.writeable = weight.flags.writeable = False
    expected = LinearRegressor(**PARAMS).fit(X.astype(dtype), Y, sample_weight=WEIGHT)
    for rows in (mapped, frozen):
        model = LinearRegressor(**PARAMS).fit(rows, y, sample_weight=weight)
        assert_same(model, expected)
        checked, _, _ = model._validate(rows, y, weight, None)
        assert np.shares_memory(Block(checked, y[:, None], weight).X, rows)
        model.partial_fit(rows, y, sample_weight=weight)
        np.testing.assert_array_equal(model.predict(rows), model.predict(X.astype(dtype)))


def test_read_only_sparse_rows_are_not_copied():
    rows = sp.csr_array(SPARSE)
    for part in (rows.data, rows.indices, rows.indptr):
        part.flags.writeable = False
    model = LinearRegressor(**PARAMS).fit(rows, Y)
    assert_same(model, LinearRegressor(**PARAMS).fit(sp.csr_array(SPARSE), Y))
    checked = validate_data(model, rows, accept_sparse="csr", reset=False)
    assert np.shares_memory(Block(checked, Y[:, None]).X.data, rows.data)


def locked(values):
    values = values.copy()
    values.flags.writeable = False
    return values


def wide_and_locked(rows):
    rows = sp.csr_array(rows)
    rows.data = locked(rows.data)
    rows.indices, rows.indptr = (locked(index.astype(np.int64)) for index in (rows.indices, rows.indptr))
    return rows


@pytest.mark.parametrize(
    "estimator", [LinearRegressor(**PARAMS), LinearRegressor(**{**PARAMS, "optimizer": "adagrad"})], ids=str
)
@pytest.mark.parametrize(("kind", "other"), [(np.asarray, locked), (sp.csr_array, wide_and_locked)])
def test_no_kernel_is_compiled_for_read_only_arrays_or_wide_indices(estimator, kind, other):
    expected = weights(estimator.fit(kind(SPARSE), Y, sample_weight=WEIGHT))
    with event.install_recorder("numba:compile") as compilations:
        model = estimator.fit(other(SPARSE), locked(Y), sample_weight=locked(WEIGHT))
    assert not compilations.buffer
    np.testing.assert_array_equal(weights(model), expected)


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_float32_stays(kind):
    rows = SPARSE.astype(np.float32)
    model = LinearRegressor(**PARAMS).fit(kind(rows), Y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    assert model.intercept_.dtype == np.float64
    reference = LinearRegressor(**PARAMS).fit(kind(SPARSE), Y)
    np.testing.assert_allclose(weights(model), weights(reference), rtol=1e-4, atol=1e-5)
    # The first data decide.
    assert model.partial_fit(kind(SPARSE), Y).coef_.dtype == np.float32
    assert reference.partial_fit(kind(rows), Y).coef_.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.int64, np.int8, bool, np.float16, object])
def test_other_numbers_become_float64(dtype):
    rows = (X > 0).astype(dtype)
    model = LinearRegressor(**PARAMS).fit(rows, Y)
    assert model.coef_.dtype == np.float64
    assert_same(model, LinearRegressor(**PARAMS).fit((X > 0).astype(np.float64), Y))


def test_integer_targets(expected):
    counts = np.round(np.abs(Y)).astype(int)
    assert_same(LinearRegressor(**PARAMS).fit(X, counts), LinearRegressor(**PARAMS).fit(X, counts.astype(float)))


@pytest.mark.parametrize(
    "labels",
    [["no", "yes"], [False, True], [-1, 1], [0.0, 2.0], np.array(["no", "yes"], dtype=object), pd.array(["a", "b"])],
    ids=str,
)
def test_labels(labels):
    codes = (TWO == "yes").astype(int)
    expected = LogisticClassifier(**PARAMS).fit(X, codes)
    y = np.asarray(labels)[codes]
    model = LogisticClassifier(**PARAMS).fit(X, y)
    assert_same(model, expected)
    np.testing.assert_array_equal(model.classes_, np.asarray(labels))
    np.testing.assert_array_equal(model.predict(X), np.asarray(labels)[expected.predict(X)])
    assert_same(LogisticClassifier(**PARAMS).fit(X, pd.Series(y)), expected)
    streamed = LogisticClassifier(**PARAMS).partial_fit(X, y, classes=labels)
    assert_same(streamed, LogisticClassifier(**PARAMS).partial_fit(X, codes, classes=[0, 1]))
    assert streamed.score(X, y) > 0.5


def test_categorical_series_as_labels():
    expected = LogisticClassifier(**PARAMS).fit(X, TWO)
    assert_same(LogisticClassifier(**PARAMS).fit(X, pd.Series(TWO, dtype="category")), expected)


def test_labels_as_a_column_warn():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed when a 1d array was expected"):
        model = LogisticClassifier(**PARAMS).fit(X, TWO[:, None])
    assert_same(model, LogisticClassifier(**PARAMS).fit(X, TWO))
    with pytest.raises(ValueError, match="should be a 1d array"):
        LogisticClassifier(**PARAMS).fit(X, np.column_stack([TWO, TWO]))
