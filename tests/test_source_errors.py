"""Sources that are damaged or wrongly described: what the errors name, and what can be read all the same."""

import pickle
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from sklearn.utils._param_validation import InvalidParameterError

from sksgd.stream import (
    ArrowSource,
    BlockError,
    CSVSource,
    IterableSource,
    NumpySource,
    ParquetSource,
    Source,
    SVMLightSource,
)

N = 60
rng = np.random.default_rng(0)
X = rng.normal(size=(N, 2))
TABLE = pa.table({"a": X[:, 0], "b": X[:, 1], "y": rng.integers(0, 2, N)})


def write(folder, third=None, rows=20):
    """Files 0, 1 and 2 of 60 rows each, in row groups; `third` is a table or the bytes of the last."""
    for i in range(3):
        pq.write_table(TABLE, folder / f"{i}.parquet", row_group_size=rows, compression="none", use_dictionary=False)
    if isinstance(third, bytes):
        (folder / "2.parquet").write_bytes(third)
    elif third is not None:
        pq.write_table(third, folder / "2.parquet")
    return folder


def outcomes(source, part=0):
    """Rows of each block, or its error."""
    reading, found = source.read(part), []
    while True:
        try:
            found.append(len(next(reading)[1]))
        except StopIteration:
            return found
        except BlockError as error:
            found.append(error)


STRINGS = TABLE.set_column(1, "b", pa.array(["s"] * N))
FILES = {
    "damaged": (b"no such format" * 10, None, "the file cannot be read"),
    "empty": (b"", None, "the file cannot be read"),
    "missing": (TABLE.drop_columns("b"), "b", "the column is missing"),
    "retyped": (STRINGS, "b", "the type is string here, but double in the first file"),
    "target retyped": (TABLE.set_column(2, "y", pa.array(["s"] * N)), "y", "the type is string here, but int64"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_named_or_skipped(name, tmp_path):
    third, column, message = FILES[name]
    write(tmp_path, third)
    with pytest.raises(BlockError, match=message) as caught:
        ParquetSource(tmp_path, "y")
    assert caught.value.column == column
    assert caught.value.where == str(tmp_path / "2.parquet")
    assert str(caught.value).startswith(str(tmp_path / "2.parquet"))
    source = ParquetSource(tmp_path, "y", on_bad_block="skip")
    assert source.n_parts == 7
    assert [outcomes(source, part) for part in range(6)] == [[20]] * 6
    for _ in range(2):
        (error,) = outcomes(source, 6)
        assert str(error) == str(caught.value)


def test_the_first_file_may_be_the_bad_one(tmp_path):
    write(tmp_path)
    (tmp_path / "0.parquet").write_bytes(b"no such format")
    with pytest.raises(BlockError, match=r"0\.parquet: the file cannot be read"):
        ParquetSource(tmp_path, "y")
    source = ParquetSource(tmp_path, "y", on_bad_block="skip")
    assert [type(outcomes(source, part)[0]) for part in range(source.n_parts)] == [BlockError] + [int] * 6


def test_a_damaged_row_group_does_not_end_the_others(tmp_path):
    write(tmp_path)
    metadata = pq.ParquetFile(tmp_path / "1.parquet").metadata
    start = metadata.row_group(1).column(0).data_page_offset
    raw = bytearray((tmp_path / "1.parquet").read_bytes())
    raw[start : start + 20] = b"\xff" * 20
    (tmp_path / "1.parquet").write_bytes(raw)
    source = ParquetSource(tmp_path, "y")
    found = [outcomes(source, part) for part in range(source.n_parts)]
    (error,) = found.pop(4)
    assert found == [[20]] * 8
    assert str(error).startswith(f"{tmp_path / '1.parquet'}, row group 1: cannot be read: ")
    assert error.__cause__ is not None


def test_bad_values_do_not_end_a_part(tmp_path):
    y = [0.0] * 5 + [None] + [1.0] * 9
    pq.write_table(pa.table({"a": np.zeros(15), "y": y}), tmp_path / "0.parquet")
    first, error, last = outcomes(ParquetSource(tmp_path, "y", block_rows=5))
    assert (first, last, error.column) == (5, 5, "y")
    assert "1 of 5 values are missing, the first in row 0 of the block" in str(error)
    assert outcomes(ParquetSource(tmp_path, "y", filter=ds.field("y").is_valid())) == [14]
    numbers = pd.DataFrame({"a": [1.0], "y": [0]})
    frames = [numbers, numbers.drop(columns="a"), numbers.assign(a="s"), numbers.assign(y=np.nan), numbers]
    first, *errors, last = outcomes(IterableSource(frames, target="y"))
    assert (first, last) == (1, 1)
    assert [error.column for error in errors] == ["a", "a", "y"]
    for error, message in zip(errors, ["is missing", "the type is", "1 of 1 values are missing"], strict=True):
        assert message in error.reason


BAD_BLOCKS = [
    (lambda: (np.zeros((2, 3)), np.zeros(2)), "X has 3 columns, where 2 are expected"),
    (lambda: (np.zeros((2, 2)), np.zeros(3)), "X has 2 rows, but y has 3"),
    (lambda: (np.zeros(2), np.zeros(2)), "X must be 2-dimensional"),
    (lambda: (np.array([["s", "t"]]), np.zeros(1)), "X must hold numbers, but has dtype <U1"),
    (lambda: (sp.csr_array((2, 2), dtype=complex), np.zeros(2)), "X must hold numbers"),
    (lambda: (np.zeros((2, 2)), np.zeros((2, 1, 1))), r"y must have shape \(n,\) or \(n, n_outputs\)"),
    (lambda: (np.zeros((2, 2)), np.zeros(2), np.zeros(3)), r"sample_weight must have shape \(2,\)"),
    (lambda: np.zeros((2, 2)), r"must be a tuple \(X, y\) or \(X, y, sample_weight\), not a ndarray"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_BLOCKS)
def test_a_bad_block_does_not_end_the_others(bad, message):
    good = np.zeros((4, 2)), np.zeros(4)
    first, error, last = outcomes(IterableSource([good, bad(), good]))
    assert (first, last) == (4, 4)
    assert re.search(message, str(error))
    assert error.where == "the iterable"


def test_whatever_a_source_raises_names_its_part():
    class Broken(Source):
        n_parts = 3

        def blocks(self, part):
            yield np.zeros((1, 1)), np.zeros(1)
            raise RuntimeError("out of order")

        def name(self, part):
            return f"sensor {part}"

    first, error = outcomes(Broken(), 2)
    assert first == 1
    assert str(error) == "sensor 2: cannot be read: RuntimeError: out of order"
    assert isinstance(error.__cause__, RuntimeError)


def csv(folder, text):
    (folder / "0.csv").write_text("a,b,y\n1,2,0\n3,4,1\n")
    (folder / "1.csv").write_text(text)
    return CSVSource(folder, "y")


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("y,b,a\n0,1,x\n", "a", "invalid value 'x'"),
        ("a,y\n0,1\n", "b", "the column is missing"),
        ("a,b,y\n0,1\n", None, "Expected 3 columns, got 2"),
        ("", None, "Empty CSV file"),
        ("a,b,y\n1,2,1.5\n", "y", r"invalid value '1.5'.*convert_options"),
    ],
)
def test_a_bad_csv_file_is_named(text, column, message, tmp_path):
    source = csv(tmp_path, text)
    assert outcomes(source, 0) == [2]
    (error,) = outcomes(source, 1)
    assert re.search(message, str(error))
    assert (error.where, error.column) == (str(tmp_path / "1.csv"), column)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0:2\n", "Invalid index 0"),
        ("1 4:2\n", "n_features was set to 3, but input file contains 4"),
        ("1,2 1:2\n", "could not convert string to float"),
        ("1 2:1 1:2\n", "should be sorted"),
    ],
)
def test_a_bad_svmlight_line_is_named(line, message, tmp_path):
    file = tmp_path / "a.svm"
    file.write_text("1 1:2\n" * 3 + line)
    source = SVMLightSource(file, 3, memory_limit=128 * 18)
    assert outcomes(source, 0) == [3]
    (error,) = outcomes(source, 1)
    assert re.search(message, str(error))
    assert error.where == f"{file}, bytes 18 to {18 + len(line)}"


def test_an_iterator_is_refused_as_it_has_one_pass_only():
    blocks = [(np.zeros((2, 2)), np.zeros(2))]
    with pytest.raises(InvalidParameterError, match=r"only once.*pass a function that returns a new one"):
        IterableSource(iter(blocks))
    iterator = iter(blocks)
    source = IterableSource(lambda: iterator)
    assert outcomes(source) == [2]
    (error,) = outcomes(source)
    assert "'make' returns the same iterator every time; it must return a new one" in str(error)


def test_columns_that_are_not_numbers_are_refused_with_the_remedy(tmp_path):
    pq.write_table(pa.table({"when": pa.array([0], pa.timestamp("s")), "s": ["u"], "y": [0]}), tmp_path / "0.parquet")
    source = ParquetSource(tmp_path, "y")
    with pytest.raises(ValueError, match=r"Column 'when' has type timestamp\[ms\].*source.transform"):
        source.read(0)
    with pytest.raises(InvalidParameterError, match="cannot take column 'when' as target or weight"):
        ParquetSource(tmp_path, "when")
    with pytest.raises(InvalidParameterError, match="cannot take column 's' as target or weight"):
        ParquetSource(tmp_path, "y", weight="s")


FILE = ds.dataset(TABLE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ArrowSource(FILE, "z"), "'target' parameter .* names the column 'z', which is not there"),
        (lambda: ArrowSource(FILE, "y", weight="w"), "'weight' parameter .* names the column 'w'"),
        (lambda: ArrowSource(FILE, "y", features=["a", "c"]), "'features' parameter .* names the column 'c'"),
        (lambda: ArrowSource(FILE, "y", features=["y"]), "'y' would be used twice"),
        (lambda: ArrowSource(FILE, "y", features=["a", "a"]), "'a' would be used twice"),
        (lambda: ArrowSource(FILE, []), "there must be a target and a feature"),
        (lambda: ArrowSource(ds.dataset(TABLE.select(["y"])), "y"), "there must be a target and a feature"),
        (lambda: ArrowSource(TABLE, "y"), "'dataset' parameter of ArrowSource must be a dataset"),
        (lambda: ParquetSource("no/such/folder", "y"), "'path' parameter of ParquetSource names no file"),
        (lambda: ParquetSource(3, "y"), "'path' parameter of ParquetSource must be a file, a folder"),
        (lambda: SVMLightSource("no/such/file", 3), "names no file"),
        (lambda: SVMLightSource("x", 0), "'n_features' parameter of SVMLightSource"),
        (lambda: NumpySource(np.zeros(3), np.zeros(3)), r"'X' parameter of NumpySource must have shape \(n, n_feat"),
        (lambda: NumpySource(X, np.zeros(3)), "'y' parameter of NumpySource must have as many rows as X, 60"),
        (lambda: NumpySource(X, X[:, 0], X[:3, 0]), "'sample_weight' parameter of NumpySource must have as many"),
        (lambda: NumpySource("no/such.npy", X), "'X' parameter of NumpySource must be an array or the path"),
        (lambda: NumpySource(X[:0], []), "has no rows"),
        (lambda: IterableSource(3), "'make' parameter of IterableSource must be a function"),
        (lambda: IterableSource([], weight="w"), "'weight' parameter of IterableSource names columns"),
        (lambda: NumpySource(X, X, memory_limit="lots"), "'memory_limit' parameter .* such as '1GB'.*Got 'lots'"),
        (lambda: NumpySource(X, X, memory_limit=0), "'memory_limit' parameter"),
        (lambda: NumpySource(X, X, block_rows=0), "'block_rows' parameter .* 1 or greater"),
        (lambda: NumpySource(X, X, buffer_rows=1.5), "'buffer_rows' parameter"),
        (lambda: NumpySource(X, X, on_bad_block="stop"), "'on_bad_block' parameter .* must be 'raise' or 'skip'"),
        (lambda: NumpySource(X, X, classes=[0, 0]), "'classes' parameter .* every class label once"),
        (lambda: NumpySource(X, X).replace(on_bad_block=None), "'on_bad_block' parameter"),
    ],
)
def test_parameters_are_checked_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sources_without_rows_are_refused(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme").write_text("not data")
    with pytest.raises(InvalidParameterError, match=r"names no file. In a folder, only files ending in '.parquet'"):
        ParquetSource(tmp_path / "notes", "y")
    pq.write_table(TABLE[:0], tmp_path / "0.parquet")
    with pytest.raises(ValueError, match="has no rows"):
        ParquetSource(tmp_path, "y")
    (tmp_path / "0.svm").write_text("")
    with pytest.raises(ValueError, match="has no rows"):
        SVMLightSource(tmp_path, 3)


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_a_file_of_several_arrays_is_refused(name, tmp_path):
    np.savez(tmp_path / "a.npz", X=X)
    given = {"X": X, "y": X[:, 0], name: tmp_path / "a.npz"}
    with pytest.raises(
        InvalidParameterError, match=rf"The '{name}' parameter .*a\.npz' instead: it holds several arrays"
    ):
        NumpySource(**given)


def test_a_dataset_in_memory_cannot_be_pickled():
    source = ArrowSource(ds.dataset(TABLE), "y")
    for one in (source, source.take([0])):
        with pytest.raises(TypeError, match=r"cannot be pickled or sent to a worker.*IterableSource\(\[table"):
            pickle.dumps(one)
    source = pickle.loads(pickle.dumps(IterableSource([TABLE], target="y")))
    assert outcomes(source) == [N]


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match=r"NumpySource has no options \['rows'\]. Choose from"):
        NumpySource(X, X).replace(rows=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'rows'"):
        NumpySource(X, X, rows=3)
