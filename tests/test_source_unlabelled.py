"""Predictions over sources whose targets are missing, incomplete or not there: no label is needed for them."""

import re

import numpy as np
import pandas as pd
import pyarrow.csv
import pyarrow.dataset as ds
import pytest
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from streamed import TWO, N, X

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.stream import ArrowSource, BlockError, CSVSource, IterableSource, NumpySource, ParquetSource, Source

NAMES = ["c", "a", "b", "d"]
ROWS = pd.DataFrame(X, columns=NAMES)
MODEL = LogisticClassifier().fit(ROWS, TWO)
#: Targets and weights of which some or all are missing.
GAPS = {"y": np.where(np.arange(N) < 10, None, TWO), "w": np.where(np.arange(N) == 50, np.nan, 1.0)}
GAPPED = ROWS.assign(**GAPS)


def parquet(frame, folder, *columns):
    frame.to_parquet(folder / "0.parquet", row_group_size=80)
    return ParquetSource(folder, *columns, features=NAMES, block_rows=30)


def csv(frame, folder, *columns):
    frame.to_csv(folder / "0.csv", index=False)
    nulls = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    return CSVSource(folder, *columns, features=NAMES, block_rows=30, convert_options=nulls)


def arrow(frame, folder, *columns):
    frame.to_parquet(folder / "0.parquet")
    return ArrowSource(ds.dataset(folder), *columns, features=NAMES, filter=ds.field("c") > -100)


def assert_predicted(source):
    np.testing.assert_allclose(MODEL.predict_proba(source), MODEL.predict_proba(ROWS), rtol=1e-12)
    np.testing.assert_array_equal(MODEL.predict(source), MODEL.predict(ROWS))
    assert sum(len(block[0]) for part in range(source.n_parts) for block in source.unlabelled().read(part)) == N


@pytest.mark.parametrize("make", [parquet, csv, arrow])
def test_files_without_targets(make, tmp_path):
    source = make(ROWS, tmp_path, None)
    assert_predicted(source)
    assert next(source.read(0))[1:] == (None, None)
    assert not source.labelled
    scaled = source.transform(source.fitted(StandardScaler()))
    np.testing.assert_allclose(next(scaled.read(0))[0][0], StandardScaler().fit_transform(ROWS)[0], rtol=1e-12)
    assert not scaled.take([0]).labelled


@pytest.mark.parametrize("make", [parquet, csv, arrow])
def test_files_with_missing_targets(make, tmp_path):
    source = make(GAPPED, tmp_path, "y")
    assert_predicted(source)
    same = StandardScaler(with_mean=False, with_std=False).fit(ROWS)
    assert_predicted(source.transform(same).transform(FunctionTransformer()).take([*range(source.n_parts)]))
    for call in (MODEL.score, LogisticClassifier().fit):
        with pytest.raises(BlockError, match=r"column 'y': 10 of \d+ values are missing"):
            call(source)


def test_missing_weights(tmp_path):
    GAPPED.to_parquet(tmp_path / "0.parquet")
    assert_predicted(ParquetSource(tmp_path, "y", weight="w"))
    assert_predicted(IterableSource([GAPPED], target="y", weight="w"))


@pytest.mark.parametrize("features", [None, NAMES])
def test_frames_with_missing_targets_or_without_them(features):
    assert_predicted(IterableSource([GAPPED[:70], GAPPED[70:]], target="y", weight="w", features=features))
    source = IterableSource([ROWS[:70], ROWS[70:]], target="y", features=features)
    assert_predicted(source)
    assert_predicted(source.take([0]).replace(block_rows=13))
    with pytest.raises(ValueError, match=r"names the column 'y', which is not there|column 'y': the column is missing"):
        LogisticClassifier().fit(source)


class Own(Source):
    def __init__(self, y):
        self.y = y

    def blocks(self, part):
        yield X, self.y, GAPS["w"]


@pytest.mark.parametrize("y", [None, np.full(N, np.nan)], ids=["none", "nan"])
@pytest.mark.parametrize("kind", [NumpySource, lambda X, y: IterableSource([(X, y)]), lambda X, y: Own(y)])
def test_arrays_without_targets(kind, y):
    assert_predicted(kind(X, y))


UNLABELLED = {
    "source": NumpySource(X, None),
    "blocks": IterableSource([(X, None)]),
    "transformed": NumpySource(X, None).transform(StandardScaler().fit(X)).take([0]),
}


@pytest.mark.parametrize("name", UNLABELLED)
def test_fit_and_score_need_targets(name):
    source = UNLABELLED[name]
    message = "there are no targets: y is None" if name == "blocks" else "has no targets, which only predictions"
    regressor = LinearRegressor().fit(X, X[:, 0])
    calls = [
        LinearRegressor().fit,
        LogisticClassifier().fit,
        MODEL.score,
        regressor.score,
        lambda source: LinearRegressor().fit(X, X[:, 0], X_val=source),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call(source)
    with pytest.raises(BlockError, match="there are no targets: y is None"):
        next(source.read_targets(0))


@pytest.mark.parametrize("y", [None, TWO])
def test_partial_fit_takes_no_source(y):
    source = NumpySource(X, y)
    with pytest.raises(TypeError, match=re.escape("X must be rows in memory, not NumpySource(<ndarray")):
        LinearRegressor().partial_fit(source, None)
