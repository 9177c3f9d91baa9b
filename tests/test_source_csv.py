"""CSV files: the types of their columns, and files that say nothing of them."""

import numpy as np
import pytest

from sksgd import LinearRegressor
from sksgd.stream import BlockError, CSVSource


def all_blocks(source):
    return [block for part in range(source.n_parts) for block in source.read(part)]


def test_a_csv_column_may_begin_with_integers_or_with_nothing(tmp_path):
    rows = [*(f"1,,{i % 2}" for i in range(300_000)), "1.5,2.5,1"]
    (tmp_path / "a.csv").write_text("a,b,y\n" + "\n".join(rows))
    values = np.concatenate([block[0] for block in all_blocks(CSVSource(tmp_path, "y"))])
    assert (values[:-1, 0] == 1).all()
    assert np.isnan(values[:-1, 1]).all()
    assert values[-1].tolist() == [1.5, 2.5]


def test_words_for_booleans_in_csv_become_floats(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,y\ntrue,1,0\nfalse,2,1\n,3,2\n")
    (tmp_path / "b.csv").write_text("y,a,b\n3,False,4\n")
    rows = np.concatenate([block[0] for block in all_blocks(CSVSource(tmp_path, "y"))])
    np.testing.assert_array_equal(rows, [[1, 1], [0, 2], [np.nan, 3], [0, 4]])
    assert rows.dtype == np.float64


def test_the_first_file_may_be_the_bad_one(tmp_path):
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("a,y\n1,2\n2,4.5\n3,6\n")
    with pytest.raises(BlockError, match=r"a\.csv: the file cannot be read: .*Empty CSV file"):
        CSVSource(tmp_path, "y")
    source = CSVSource(tmp_path, "y", on_bad_block="skip")
    model = LinearRegressor().fit(source)
    assert (model.n_bad_blocks_, model.n_samples_seen_ // model.n_iter_) == (1, 3)
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(BlockError, match=r"b\.csv: the file cannot be read"):
        CSVSource(tmp_path, "y", on_bad_block="skip")


@pytest.mark.parametrize("first", ["a,s,y\n", "a,s,y\n1,,\n"], ids=["header only", "no target"])
def test_types_are_those_of_the_first_file_with_rows(first, tmp_path):
    (tmp_path / "a.csv").write_text(first)
    (tmp_path / "b.csv").write_text("a,s,y\n1,,2.5\n")
    (tmp_path / "c.csv").write_text("y,s,a\n4.5,u,2.5\n6,v,\n")
    source = CSVSource(tmp_path, "y", features=["a"])
    assert list(next(source.read(1))[1]) == [2.5]
    X, y, _ = next(source.read(2))
    np.testing.assert_array_equal(X, [[2.5], [np.nan]])
    np.testing.assert_array_equal(y, [4.5, 6.0])
    unlabelled = CSVSource(tmp_path, None, features=["a", "y"])
    np.testing.assert_array_equal(next(unlabelled.read(2))[0], [[2.5, 4.5], [np.nan, 6.0]])
