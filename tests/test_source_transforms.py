"""Rows of sources through transformers, against the transformer on all rows at once."""

import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, Normalizer, OneHotEncoder, StandardScaler

from sksgd import LinearRegressor
from sksgd.stream import BlockError, IterableSource, NumpySource, ParquetSource

N = 300
rng = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "a": rng.normal(5, 3, N),
        "city": rng.choice(["Ulm", "Graz", "Basel"], N),
        "text": [" ".join(rng.choice(["one", "two", "three"], 4)) for _ in range(N)],
        "b": rng.integers(0, 9, N),
        "y": rng.integers(0, 2, N),
    }
)
ROWS = FRAME.drop(columns="y")


@pytest.fixture(scope="module", params=["parquet", "frames"])
def source(request, tmp_path_factory):
    if request.param == "frames":
        return IterableSource([FRAME[:100], FRAME[100:]], target="y", block_rows=64)
    folder = tmp_path_factory.mktemp("mixed")
    pq.write_table(pa.Table.from_pandas(FRAME), folder / "0.parquet", row_group_size=110)
    return ParquetSource(folder, "y", block_rows=64)


def together(source):
    blocks = [block for part in range(source.n_parts) for block in source.read(part)]
    X = [block[0] for block in blocks]
    np.testing.assert_array_equal(np.concatenate([block[1] for block in blocks]), FRAME.y)
    return sp.vstack(X) if sp.issparse(X[0]) else np.concatenate(X)


def assert_equal(X, expected):
    assert sp.issparse(X) == sp.issparse(expected)
    dense = [rows.toarray() if sp.issparse(rows) else np.asarray(rows) for rows in (X, expected)]
    np.testing.assert_allclose(*dense, rtol=1e-12)


records = FunctionTransformer(lambda frame: frame.to_dict("records"))
#: A transformer, whether it is to be fitted, and the columns that it gets.
TRANSFORMERS = {
    "columns": (make_column_transformer((StandardScaler(), ["a", "b"]), (OneHotEncoder(), ["city"])), True, None),
    "sparse": (OneHotEncoder(), True, ["city", "b"]),
    "frame out": (OneHotEncoder(sparse_output=False).set_output(transform="pandas"), True, ["city"]),
    "pipeline": (make_pipeline(StandardScaler(), MaxAbsScaler()), True, ["b", "a"]),
    "text": (HashingVectorizer(n_features=32), False, "text"),
    "hashed records": (make_pipeline(records, FeatureHasher(16)), False, ["city", "b"]),
    "stateless": (Normalizer(), False, ["a", "b"]),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_blocks_are_transformed_as_all_rows_are(name, source):
    transformer, fit, columns = TRANSFORMERS[name]
    rows = ROWS if columns is None else ROWS[columns]
    expected = transformer.fit_transform(rows)
    transformed = source.transform(transformer if fit else clone(transformer), columns)
    assert_equal(together(transformed), expected)
    assert max(len(y) for y, _ in transformed.read_targets(0)) <= 64
    assert [len(y) for y, _ in transformed.read_targets(0)] == [len(y) for _, y, _ in transformed.read(0)]
    assert transformed.n_rows(0) == source.n_rows(0)
    assert transformed.name(0) == source.name(0)


def test_names_come_from_the_transformer(source):
    encoder = OneHotEncoder().fit(ROWS[["city"]])
    assert source.transform(encoder, ["city"]).feature_names == ["city_Basel", "city_Graz", "city_Ulm"]
    assert source.transform(HashingVectorizer(), "text").feature_names is None


def test_transforms_chain_parts_are_taken_and_all_is_pickled(source):
    numbers = source.transform(FunctionTransformer(), ["a", "b"])
    scaler = numbers.fitted(StandardScaler())
    chain = numbers.transform(scaler).transform(Normalizer()).take([*range(source.n_parts)])
    expected = Normalizer().fit_transform(StandardScaler().fit_transform(ROWS[["a", "b"]].to_numpy()))
    assert_equal(together(chain), expected)
    pickled = pickle.loads(pickle.dumps(chain.replace(block_rows=7)))
    assert_equal(together(pickled), expected)
    assert max(len(y) for _, y, _ in pickled.read(0)) == 7


def test_one_pass_fits_what_can_be_fitted_so(source):
    given = StandardScaler()
    scaler = source.fitted(given, ["a", "b"])
    assert not hasattr(given, "mean_")
    whole = StandardScaler().fit(ROWS[["a", "b"]])
    np.testing.assert_allclose(scaler.mean_, whole.mean_, rtol=1e-12)
    np.testing.assert_allclose(scaler.var_, whole.var_, rtol=1e-12)
    assert list(scaler.feature_names_in_) == ["a", "b"]


def test_arrays_and_sparse_rows_are_transformed_too():
    X = sp.random_array((90, 4), density=0.5, rng=rng, format="csr")
    source = NumpySource(X, np.zeros(90), block_rows=20)
    scaler = source.fitted(MaxAbsScaler())
    blocks = [block[0] for part in range(5) for block in source.transform(scaler).read(part)]
    assert_equal(sp.vstack(blocks), MaxAbsScaler().fit_transform(X))
    labels = np.array([["u"], ["v"], ["w"], ["u"]], dtype=object)
    source = NumpySource(labels, np.zeros(4))
    ((rows, _, _),) = source.transform(OneHotEncoder().fit(labels)).read(0)
    assert_equal(rows, OneHotEncoder().fit_transform(labels))


def test_a_transformer_that_never_saw_names_gets_an_array(source):
    scaler = StandardScaler().fit(ROWS[["a", "b"]].to_numpy())
    expected = scaler.transform(ROWS[["a", "b"]].to_numpy())
    assert_equal(together(source.transform(scaler, ["a", "b"])), expected)  # else a warning, which is an error here


def test_blocks_shrink_where_rows_grow():
    X = rng.integers(0, 100, (4096, 2)).astype(float)
    encoder = OneHotEncoder(categories=[np.arange(1000.0)] * 2, sparse_output=False).fit(X)
    source = NumpySource(X, np.zeros(4096), memory_limit="256MiB")
    wide = source.transform(encoder)
    assert wide.rows_per_block == 512
    blocks = [block for part in range(wide.n_parts) for block in wide.read(part)]
    assert [len(y) for _, y, _ in blocks] == [512] * 8
    assert_equal(np.concatenate([block[0] for block in blocks]), encoder.transform(X))


@pytest.mark.parametrize(
    ("transformer", "columns", "message"),
    [
        (StandardScaler(), ["a"], r"StandardScaler\(\) is not fitted yet. Fit it first: .*source.fitted"),
        (OneHotEncoder(), ["city"], r"OneHotEncoder\(\) is not fitted yet. Fit it first: on a sample"),
        (
            make_pipeline(StandardScaler(), Normalizer()),
            ["a"],
            r"Pipeline[\s\S]* is not fitted yet. Fit it first: on a",
        ),
        (object(), None, "has no method 'transform'"),
    ],
)
def test_what_is_not_fitted_is_refused(transformer, columns, message, source):
    with pytest.raises(ValueError, match=message):
        source.transform(transformer, columns)


def test_bad_blocks_are_skipped_on_the_way_too(tmp_path):
    (tmp_path / "0.parquet").write_bytes(b"no such format")
    FRAME.to_parquet(tmp_path / "1.parquet")
    source = ParquetSource(tmp_path, "y", features=["a"], on_bad_block="skip")
    scaled = source.transform(source.fitted(StandardScaler()))
    with pytest.raises(BlockError, match=r"0\.parquet: the file cannot be read"):
        next(scaled.read(0))
    ((rows, _, _),) = scaled.read(1)
    assert_equal(rows, StandardScaler().fit_transform(FRAME[["a"]]))


def test_an_error_of_a_transformer_names_the_part():
    encoder = OneHotEncoder().fit(ROWS[["b"]])
    known, unknown = FRAME[["b", "y"]], FRAME[["b", "y"]].replace({"b": {3: 30}})
    reading = IterableSource([known, unknown, known], target="y").transform(encoder).read(0)
    next(reading)
    with pytest.raises(BlockError, match=r"^the iterable: .*Found unknown categories \[.*30"):
        next(reading)
    assert len(next(reading)[1]) == N


#: Columns of numbers that pandas would have as objects, in the first row group or in the second.
OBJECTS = {
    "nulls later": pa.array([True] * 3 + [None, False, True]),
    "nulls first": pa.array([None, False, True] + [True] * 3),
    "decimal": pa.array([Decimal("1.25"), Decimal(2), Decimal(3), Decimal(4), None, Decimal(6)]),
    "all missing": pa.nulls(6),
    "integers": pa.array([1, 2, 3, None, 5, 6]),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_numbers_are_numbers_in_every_block(name, tmp_path):
    table = pa.table({"kind": ["u", "v"] * 3, "x": OBJECTS[name], "y": range(6)})
    pq.write_table(table, tmp_path / "0.parquet", row_group_size=3)
    source = ParquetSource(tmp_path, "y")
    encoder = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    encoded = source.transform(encoder.fit(next(source.frames(0))[0]))
    rows = np.concatenate([block[0] for part in range(2) for block in encoded.read(part)])
    x = [np.nan if value is None else float(value) for value in OBJECTS[name].to_pylist()]
    np.testing.assert_array_equal(rows, np.column_stack([[1, 0] * 3, [0, 1] * 3, x]))
    with pytest.raises(BlockError, match=r"row group \d, block 0, column 'remainder__x': X has NaN"):
        LinearRegressor().fit(encoded)
    imputed = encoded.transform(SimpleImputer(strategy="constant", keep_empty_features=True).fit(rows))
    assert LinearRegressor().fit(imputed).n_features_in_ == 3


def test_an_index_that_is_asked_for_is_a_column_of_the_frame(tmp_path):
    FRAME.set_index("b").to_parquet(tmp_path / "0.parquet")
    frame = next(ParquetSource(tmp_path, "y", features=["b", "a"]).frames(0))[0]
    pd.testing.assert_frame_equal(frame, FRAME[["b", "a"]])


def test_what_cannot_be_fitted_in_a_stream_is_refused(source):
    with pytest.raises(ValueError, match=r"has no method 'partial_fit'.*Fit it on a sample"):
        source.fitted(OneHotEncoder(), ["city"])


def test_columns_must_be_there(source):
    with pytest.raises(ValueError, match="there is no column 'nope' among"):
        list(source.transform(Normalizer(), ["a", "nope"]).read(0))
    with pytest.raises(ValueError, match="but those of this source have no names"):
        list(NumpySource(np.ones((3, 2)), np.ones(3)).transform(Normalizer(), ["a"]).read(0))
