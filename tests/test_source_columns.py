"""Which columns of tables and data frames a source reads, under which names, in which order and of which types."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from sklearn.preprocessing import StandardScaler

from sksgd import LinearRegressor
from sksgd.stream import ArrowSource, BlockError, IterableSource, ParquetSource, Source

N = 60
rng = np.random.default_rng(0)
FRAME = pd.DataFrame(rng.normal(size=(N, 3)), columns=["c", "a", "b"]).assign(y=np.arange(N))


def rows(source):
    return np.concatenate([block[0] for part in range(source.n_parts) for block in source.read(part)])


#: Data frames whose index is written as a column.
INDEXED = {
    "shuffled": FRAME.sample(frac=1, random_state=0),
    "named": FRAME.set_index(pd.Index(np.arange(N) ** 2, name="id")),
    "of dask": FRAME.rename_axis("__null_dask_index__"),
    "two levels": FRAME.set_index([pd.Index(np.arange(N) // 2, name="id"), pd.Index(["u", "v"] * (N // 2))]),
}


@pytest.mark.parametrize("name", INDEXED)
def test_the_index_of_a_data_frame_is_no_feature(name, tmp_path):
    frame = INDEXED[name]
    frame.to_parquet(tmp_path / "0.parquet")
    for source in (ParquetSource(tmp_path, "y"), ArrowSource(ds.dataset(tmp_path), "y")):
        assert source.feature_names == ["c", "a", "b"]
        np.testing.assert_array_equal(rows(source), frame[["c", "a", "b"]])


def test_an_index_can_be_asked_for(tmp_path):
    INDEXED["named"].to_parquet(tmp_path / "0.parquet")
    source = ParquetSource(tmp_path, "y", features=["id", "a"])
    np.testing.assert_array_equal(rows(source), INDEXED["named"].reset_index()[["id", "a"]])


X, Y = FRAME[["c", "a", "b"]], FRAME.y.to_numpy()
#: As `X` with the columns in another order, and one that nobody asked for.
TURNED = X[["b", "a", "c"]].assign(more=0.0)


@pytest.mark.parametrize("transformed", [False, True])
def test_columns_are_known_by_their_names_in_frames_beside_targets(transformed):
    source = IterableSource([(X[:20], Y[:20]), (TURNED[20:40], Y[20:40]), (X[40:], Y[40:])], block_rows=9)
    if transformed:
        source = source.transform(StandardScaler(with_mean=False, with_std=False).fit(X))
    assert source.feature_names == ["c", "a", "b"]
    np.testing.assert_array_equal(rows(source), X)
    np.testing.assert_array_equal(rows(source.take([0])), X)
    model = LinearRegressor().fit(source)
    assert model.feature_names_in_.tolist() == ["c", "a", "b"]
    with pytest.raises(ValueError, match=r"the model was fitted to \['c', 'a', 'b'\]. Name them in this order"):
        model.predict(IterableSource([(X[["a", "b", "c"]], Y)]))


def test_a_frame_beside_targets_without_one_of_the_columns():
    reading = IterableSource([(X, Y), (X.rename(columns={"a": "A"}), Y), (X, Y)]).read(0)
    next(reading)
    with pytest.raises(BlockError, match=r"the iterable, column 'a': .*The columns here are \['c', 'A', 'b'\]"):
        next(reading)
    assert len(next(reading)[1]) == N
    array = next(IterableSource([(X.set_axis(range(3), axis=1), Y)]).read(0))[0]
    np.testing.assert_array_equal(array, X)


BAC = X[["b", "a", "c"]]
#: Frames with and without targets in them of which only the last is good, the names that hold, and the first error.
FAULTY = {
    "target": ("y", [BAC, FRAME[["a", "b", "c", "y"]]], ["a", "b", "c"], "names the column 'y', which is not there"),
    "tuple": (None, [BAC, (X, Y)], ["c", "a", "b"], "a block must be a tuple"),
    "rows": (None, [(BAC, Y[:3]), (X, Y)], ["b", "a", "c"], "X has 60 rows, but y has 3"),
}


@pytest.mark.parametrize("name", FAULTY)
def test_the_first_frame_may_be_the_bad_one(name):
    target, frames, names, message = FAULTY[name]
    with pytest.raises(ValueError, match=message):
        _ = IterableSource(frames, target=target).feature_names
    source = IterableSource(frames, target=target, on_bad_block="skip")
    assert source.feature_names == names
    model = LinearRegressor(alpha=0).fit(source)
    assert (model.feature_names_in_.tolist(), model.n_bad_blocks_) == (names, 1)
    np.testing.assert_allclose(model.coef_, LinearRegressor(alpha=0).fit(FRAME[names], Y).coef_, rtol=1e-6)


def test_the_names_of_a_source_of_ones_own_hold_for_the_frames_of_all_parts():
    class Own(Source):
        n_parts, feature_names = 2, ["c", "a", "b"]

        def blocks(self, part):
            yield [X, TURNED][part], Y

    np.testing.assert_array_equal(rows(Own()), np.concatenate([X, X]))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_sparse_columns_of_pandas_are_read_as_others(dtype):
    counts = np.round(FRAME[["c", "a", "b"]]).astype(dtype)
    sparse = counts.astype(pd.SparseDtype(dtype, 0))
    for source in (IterableSource([(sparse, Y)]), IterableSource([sparse.assign(y=Y)], target="y")):
        found = next(source.read(0))[0]
        assert found.dtype == (np.float32 if dtype == np.float32 else np.float64)
        np.testing.assert_array_equal(found, counts)


@pytest.mark.parametrize("keys", [("1", "x"), ("1", "2.5"), ("x", "__HIVE_DEFAULT_PARTITION__")], ids=str)
def test_names_of_directories_that_are_no_numbers_are_strings(keys, tmp_path):
    for i, key in enumerate(keys):
        (tmp_path / f"day={key}").mkdir()
        FRAME[["a", "y"]].to_parquet(tmp_path / f"day={key}" / f"{i}.parquet")
    for wanted in (None, ds.field("y") < 2):
        source = ParquetSource(tmp_path, "y", filter=wanted)
        with pytest.raises(ValueError, match=r"Column 'day' has type string.*leave it out by features"):
            source.read(0)
        days = {day for part in range(2) for frame, *_ in source.frames(part) for day in frame["day"].fillna("none")}
        assert days == {key.replace("__HIVE_DEFAULT_PARTITION__", "none") for key in keys}
        assert len(rows(ParquetSource(tmp_path, "y", features=["a"], filter=wanted))) == (
            2 * N if wanted is None else 4
        )


#: Two files with the same columns of other types.
RETYPED = {
    "integers first": (pa.int64(), [1, 2], pa.float64(), [1.5, 2.5]),
    "narrow first": (pa.float32(), [0.5, 1.5], pa.float64(), [0.1, 2**30 + 1.0]),
    "booleans first": (pa.bool_(), [True, False], pa.int8(), [3, -4]),
    "unsigned first": (pa.uint64(), [1, 2**40], pa.int16(), [-1, 2]),
    "nothing first": (pa.null(), [None, None], pa.float32(), [0.5, 1.5]),
    "decimals": (pa.decimal128(5, 2), [Decimal("1.25"), Decimal(2)], pa.int64(), [3, 4]),
}


@pytest.mark.parametrize("name", RETYPED)
def test_a_filter_reads_files_of_several_types_as_no_filter_does(name, tmp_path):
    types, values = RETYPED[name][::2], RETYPED[name][1::2]
    for i in range(2):
        x = pa.array(values[i], types[i])
        columns = {"k": [0, 1], "x": x, "y": x.cast(pa.float32()).fill_null(0) if x.null_count else x}
        pq.write_table(pa.table(columns), tmp_path / f"{i}.parquet")
    expected = np.array([np.nan if value is None else float(value) for value in [*values[0], *values[1]]])
    asked = [
        (None, [True] * 4),
        (ds.field("k") == 1, [False, True] * 2),
        (ds.field("x").is_valid(), ~np.isnan(expected)),
    ]
    if pa.types.is_float64(types[1]):
        asked.append((ds.field("x") > 1.2, expected > 1.2))
    for wanted, kept in asked:
        source = ParquetSource(tmp_path, "y", features=["x"], filter=wanted)
        found = [block for part in range(source.n_parts) for block in source.read(part)]
        assert {block[0].dtype for block in found} == {np.dtype(float)}
        np.testing.assert_array_equal(np.concatenate([block[0][:, 0] for block in found]), expected[kept])
        np.testing.assert_array_equal(np.concatenate([block[1] for block in found]), np.nan_to_num(expected)[kept])


def test_a_filter_may_ask_for_a_column_of_several_types_that_is_not_read(tmp_path):
    for i, day in enumerate(([1, 2], [1.5, 2.5])):
        pq.write_table(pa.table({"day": day, "x": [0.0, 1.0], "y": [2 * i, 2 * i + 1]}), tmp_path / f"{i}.parquet")
    source = ParquetSource(tmp_path, "y", features=["x"], filter=ds.field("day") > 1.2)
    assert [block[1].tolist() for part in range(source.n_parts) for block in source.read(part)] == [[1], [2, 3]]
