"""Which columns of tables and data frames a source reads, under which names, in which order and of which types."""

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pytest

from sksgd.stream import ArrowSource, ParquetSource

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
