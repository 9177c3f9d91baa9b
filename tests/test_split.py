import numpy as np
import pytest
import scipy.sparse as sp

from sksgd.core.batches import Block
from sksgd.core.split import Split

rng = np.random.default_rng(0)
SPARSE = sp.random_array((40, 6), density=0.1, rng=rng, format="csr")
MIXED = sp.csr_array(SPARSE.toarray() + rng.normal(size=(40, 6)) * [0, 1, 0, 0, 1, 0])


def split_of(X):
    return Split.of(Block(X, np.zeros((X.shape[0], 1))))


@pytest.mark.parametrize(
    ("X", "n_dense"), [(MIXED.toarray(), 6), (SPARSE, 0), (MIXED, 2), (sp.csr_array(MIXED.toarray() + 1.0), 6)]
)
def test_parts_are_the_columns_in_order(X, n_dense):
    split = split_of(X)
    dense, others = split.parts(X)
    whole = np.zeros(X.shape) if others is None else others.toarray()
    assert split.n_dense == dense.shape[1] == n_dense
    assert not whole[:, :n_dense].any()
    whole[:, :n_dense] = dense
    np.testing.assert_array_equal(split.outwards(whole), X.toarray() if sp.issparse(X) else X)
    np.testing.assert_array_equal(split.inwards(split.outwards(whole)), whole)


def test_rows_of_the_other_kind_are_split_alike():
    split = split_of(MIXED)
    for part, other in zip(split.parts(MIXED), split.parts(MIXED.toarray()), strict=True):
        np.testing.assert_array_equal(sp.csr_array(part).toarray(), sp.csr_array(other).toarray())
    dense, others = split_of(MIXED.toarray()).parts(MIXED)
    np.testing.assert_array_equal(dense, MIXED.toarray())
    assert others is None
