"""Sources of blocks against the arrays that were written: every kind, any block size, any order of parts."""

import functools
import gzip
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file

from sksgd.stream import (
    ArrowSource,
    CSVSource,
    IterableSource,
    NumpySource,
    ParquetSource,
    Source,
    SVMLightSource,
)

N, D = 57, 3
NAMES = ["c", "a", "b"]
rng = np.random.default_rng(0)
X = rng.normal(size=(N, D)).round(6)
X[rng.random((N, D)) < 0.3] = 0.0
Y = rng.integers(0, 3, N)
W = rng.random(N).round(6)
FRAME = pd.DataFrame(X, columns=NAMES).assign(y=Y, w=W)


def pieces(size):
    return [slice(start, start + size) for start in range(0, N, size)]


def parquet(folder):
    (folder / "train").mkdir()
    for i, rows in enumerate(pieces(25)):
        pq.write_table(pa.Table.from_pandas(FRAME[rows]), folder / "train" / f"{i}.parquet", row_group_size=10)
    return functools.partial(ParquetSource, folder / "train", "y", weight="w")


def dataset(folder):
    for i, rows in enumerate(pieces(20)):
        table = pa.Table.from_pandas(FRAME[rows], preserve_index=False)
        with pa.ipc.new_file(folder / f"{i}.arrow", table.schema) as file:
            file.write_table(table, max_chunksize=7)
    return functools.partial(ArrowSource, ds.dataset(folder, format="ipc"), "y", weight="w")


def csv(folder):
    for i, rows in enumerate(pieces(31)):
        FRAME[rows].to_csv(folder / f"{i}.csv{'.gz' if i else ''}", index=False, sep=";")
    parse = pyarrow.csv.ParseOptions(delimiter=";")
    return functools.partial(CSVSource, folder, "y", weight="w", parse_options=parse)


def svmlight(folder):
    text = folder / "text"
    dump_svmlight_file(X, Y, str(text), zero_based=False, comment="of a test")
    lines = text.read_text().splitlines(keepends=True)
    lines[5:5] = ["# in between\n", "\n", "  \t# and this\n"]
    lines[10:20] = [f" {line}" if i % 2 else f"\t {line}" for i, line in enumerate(lines[10:20])]
    (folder / "one.svm").write_text("".join(lines[:30]))
    (folder / "two.libsvm").write_text("".join(lines[30:]).rstrip("\n"))
    return functools.partial(SVMLightSource, folder, D)


def compressed(folder):
    dump_svmlight_file(X, Y, str(folder / "text"), zero_based=True)
    (folder / "one.svm.gz").write_bytes(gzip.compress((folder / "text").read_bytes()))
    return functools.partial(SVMLightSource, folder, D, zero_based=True)


def npy(folder):
    for name, values in {"X": X, "y": Y, "w": W}.items():
        np.save(folder / f"{name}.npy", values)
    return functools.partial(NumpySource, folder / "X.npy", folder / "y.npy", folder / "w.npy")


def arrays(folder):
    return functools.partial(NumpySource, np.asfortranarray(X), Y, W)


def csr(folder):
    return functools.partial(NumpySource, sp.coo_array(X), Y, W)


BLOCKS = [(X[rows], Y[rows], W[rows]) for rows in pieces(13)]
FRAMES = [FRAME[rows] for rows in pieces(13)]


def iterable(folder):
    return functools.partial(IterableSource, BLOCKS)


def frames(folder):
    return functools.partial(IterableSource, FRAMES, target="y", weight="w")


KINDS = [parquet, dataset, csv, svmlight, compressed, npy, arrays, csr, iterable, frames]
UNWEIGHTED = {svmlight, compressed}


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def kind(request, tmp_path_factory):
    """A function that makes a source with options, and the weights that it gives."""
    make = request.param(tmp_path_factory.mktemp("source"))
    return make, None if request.param in UNWEIGHTED else W


def dense(rows):
    return rows.toarray() if sp.issparse(rows) else rows


def all_blocks(source):
    return [block for part in range(source.n_parts) for block in source.read(part)]


def assert_same(blocks, rows, targets, weights):
    np.testing.assert_array_equal(np.concatenate([dense(block[0]) for block in blocks]), rows)
    np.testing.assert_array_equal(np.concatenate([block[1] for block in blocks]), targets)
    if weights is None:
        assert all(block[2] is None for block in blocks)
    else:
        np.testing.assert_array_equal(np.concatenate([block[2] for block in blocks]), weights)


@settings(max_examples=12, deadline=None)
@given(block_rows=st.none() | st.integers(1, 60), memory_limit=st.sampled_from(["1kB", "10KiB", 10**8]))
def test_the_rows_come_back_in_blocks_of_any_size(kind, block_rows, memory_limit):
    make, weights = kind
    source = make(block_rows=block_rows, memory_limit=memory_limit)
    blocks = all_blocks(source)
    assert_same(blocks, X, Y, weights)
    for rows, targets, _ in blocks:
        assert 1 <= len(targets) <= (block_rows or N)
        assert rows.dtype == np.float64
        assert rows.format == "csr" if sp.issparse(rows) else rows.flags.c_contiguous
    targets = [block for part in range(source.n_parts) for block in source.read_targets(part)]
    assert [len(y) for y, _ in targets] == [len(y) for _, y, _ in blocks]
    assert_same([(block[0], *alone) for block, alone in zip(blocks, targets, strict=True)], X, Y, weights)


def test_blocks_are_the_same_at_every_reading_and_in_every_order(kind):
    source = kind[0](block_rows=4)
    once = [list(source.read(part)) for part in range(source.n_parts)]
    for part in reversed(range(source.n_parts)):
        half_read = source.read(part)
        next(half_read)
        again = list(source.read(part))
        assert len(again) == len(once[part])
        for block, other in zip(again, once[part], strict=True):
            assert_same([block], dense(other[0]), other[1], other[2])


def test_a_pickled_source_reads_the_same(kind):
    source = kind[0](block_rows=10, classes=[0, 1, 2])
    copy = pickle.loads(pickle.dumps(source))
    assert repr(copy) == repr(source)
    assert "block_rows=10, classes=[0, 1, 2]" in repr(source)
    assert_same(all_blocks(copy), X, Y, kind[1])


def test_some_parts_are_a_source_of_their_own(kind):
    source = kind[0](block_rows=6, memory_limit="2kB")
    chosen = [*range(source.n_parts)][::-2]
    taken = source.take(chosen)
    assert taken.n_parts == len(chosen)
    assert (taken.block_rows, taken.feature_names, taken.n_features) == (6, source.feature_names, source.n_features)
    for i, part in enumerate(chosen):
        assert (taken.name(i), taken.n_rows(i)) == (source.name(part), source.n_rows(part))
        blocks = list(source.read(part))
        if blocks:
            assert_same(
                list(taken.read(i)),
                *(np.concatenate([dense(b[k]) for b in blocks]) for k in (0, 1)),
                (None if kind[1] is None else np.concatenate([b[2] for b in blocks])),
            )
    with pytest.raises(IndexError, match="has the parts 0 to"):
        source.take([source.n_parts])


def test_rows_are_counted_where_this_is_known(kind):
    source = kind[0]()
    for part in range(source.n_parts):
        assert source.n_rows(part) in (None, sum(len(y) for _, y, _ in source.read(part)))


@pytest.mark.parametrize("make", [parquet, npy, csr])
def test_these_know_their_rows(make, tmp_path):
    source = make(tmp_path)()
    assert sum(source.n_rows(part) for part in range(source.n_parts)) == N


@pytest.mark.parametrize("make", [parquet, dataset, csv, frames])
def test_columns_can_be_chosen(make, tmp_path):
    whole = make(tmp_path)
    assert whole().feature_names == NAMES
    columns = {"target": ["y", "a"], "weight": None, "features": ["b", "c"]}
    source = whole.func(whole.args[0], **whole.keywords | columns)
    assert (source.feature_names, source.n_features) == (["b", "c"], 2)
    assert_same(all_blocks(source), X[:, [2, 0]], np.column_stack([Y, X[:, 1]]), None)


TYPES = {
    "float32": (pa.array([1, 2.5, None], pa.float32()), np.float32),
    "float16": (pa.array(np.array([1, 2.5, np.nan], np.float16)), np.float32),
    "int8": (pa.array([1, -3, None], pa.int8()), np.float64),
    "uint64": (pa.array([1, 2**60, None], pa.uint64()), np.float64),
    "bool": (pa.array([True, False, None]), np.float64),
    "decimal": (pa.array(["1.25", "-2.50", None]).cast(pa.decimal128(5, 2)), np.float64),
    "null": (pa.array([None] * 3, pa.null()), np.float64),
}


@pytest.mark.parametrize("name", TYPES)
def test_every_type_of_number_becomes_a_float(name, tmp_path):
    column, dtype = TYPES[name]
    pq.write_table(pa.table({"narrow": pa.array([1, 2, 3], pa.float32()), "x": column, "y": [0, 1, 2]}), tmp_path / "p")
    ((rows, _, _),) = ParquetSource(tmp_path / "p", "y").read(0)
    assert rows.dtype == dtype
    values = [np.nan if value is None else float(value) for value in column.to_pylist()]
    np.testing.assert_array_equal(rows, np.column_stack([np.arange(1.0, 4.0), values]).astype(dtype))


def test_one_wide_file_makes_all_rows_wide(tmp_path):
    for i, dtype in enumerate([pa.float32(), pa.float64()]):
        pq.write_table(pa.table({"x": pa.array([0.1], dtype), "y": [0]}), tmp_path / f"{i}.parquet")
    source = ParquetSource(tmp_path, "y")
    assert [X.dtype for X, _, _ in all_blocks(source)] == [np.float64] * 2
    assert source.take([0]).row_bytes == 8


@pytest.mark.parametrize(
    "values", [["u", "v", "u"], [True, False, True], [1.5, 2.0, 3.5], pd.Categorical(["v", "u", "v"])], ids=str
)
def test_targets_may_be_labels(values, tmp_path):
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": values})
    frame.to_parquet(tmp_path / "0.parquet")
    for source in (ParquetSource(tmp_path, "y"), IterableSource([frame], target="y")):
        ((_, y, _),) = source.read(0)
        assert y.tolist() == list(values)
        assert len(np.unique(y)) == len(set(values))


def test_rows_are_filtered_and_directories_are_columns(tmp_path):
    for year in (2020, 2021):
        (tmp_path / f"year={year}").mkdir()
        table = pa.table({"a": np.arange(100.0), "y": np.arange(100)})
        pq.write_table(table, tmp_path / f"year={year}" / "0.parquet", row_group_size=10)
    source = ParquetSource(tmp_path, "y")
    assert source.feature_names == ["a", "year"]
    both = np.concatenate([block[0] for block in all_blocks(source)])
    np.testing.assert_array_equal(both, np.column_stack([np.tile(np.arange(100.0), 2), np.repeat([2020, 2021], 100)]))
    for wanted in (ds.field("a") < 15, (ds.field("a") < 15) & (ds.field("year") == 2021)):
        filtered = ParquetSource(tmp_path, "y", features=["year"], filter=wanted, block_rows=4)
        rows = np.concatenate([block[0] for block in all_blocks(filtered)])
        n_years = 2 if "2021" not in str(wanted) else 1
        np.testing.assert_array_equal(rows.ravel(), np.repeat([2020, 2021][-n_years:], 15))
        assert filtered.n_parts == 2 * n_years, "row groups that the statistics rule out are no parts"
        assert filtered.n_rows(0) is None


def test_frames_of_other_libraries(tmp_path):
    for item in (pl.from_pandas(FRAME), pa.Table.from_pandas(FRAME, preserve_index=False)):
        assert_same(all_blocks(IterableSource([item], target="y", weight="w", block_rows=9)), X, Y, W)


def test_blocks_take_a_share_of_the_memory():
    source = NumpySource(np.zeros((10_000, 64)), np.zeros(10_000), memory_limit="16MiB")
    assert source.rows_per_block == 2**24 // 32 // (64 * 8) == 1024
    assert source.replace(memory_limit=2**23).rows_per_block == 512
    assert source.replace(memory_limit="1MB").rows_per_block == 256, "no fewer"
    assert source.replace(block_rows=7).rows_per_block == 7
    unknown = IterableSource([(np.zeros((10_000, 64)), np.zeros(10_000))], memory_limit="16MiB")
    assert unknown.rows_per_block is None
    assert max(len(y) for _, y, _ in unknown.read(0)) == 1024


def test_a_source_of_ones_own_needs_a_few_lines():
    class Own(Source):
        n_parts = 2

        def __init__(self, seed):
            self.seed = seed

        def blocks(self, part):
            yield np.full((0, 2), np.nan), np.zeros(0)
            yield np.full((5, 2), part + self.seed, dtype=int), np.zeros(5)

    source = Own(1)
    blocks = all_blocks(source.replace(block_rows=3))
    assert [len(y) for _, y, _ in blocks] == [3, 2, 3, 2]
    assert blocks[-1][0].dtype == np.float64
    assert (source.memory_limit, source.name(1), repr(source)) == ("512MiB", "part 1", "Own(1)")


def test_without_pyarrow_the_module_is_there_and_says_what_is_missing(tmp_path):
    code = """
import sys
sys.modules["pyarrow"] = None
from sksgd.stream import NumpySource, ParquetSource
next(NumpySource([[1.0]], [0]).read(0))
ParquetSource(".", "y")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.endswith("ImportError: ParquetSource needs pyarrow. Install it: pip install 'sksgd[stream]'.\n")
