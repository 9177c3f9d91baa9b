"""CSV files: the types of their columns, and files that say nothing of them."""

import numpy as np

from sksgd.stream import CSVSource


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
