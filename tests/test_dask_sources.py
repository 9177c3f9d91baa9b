"""Sources of blocks on a cluster: bad blocks and classes are dealt with as in a fit by one process."""

import numpy as np
import pytest
from clusters import cluster
from streamed import SIGNAL, THREE, TWO, Rows, X

import sksgd
from sksgd.dask import LinearRegressor, LogisticClassifier
from sksgd.stream import BlockError, NumpySource


@pytest.fixture(scope="module")
def client():
    with cluster(2) as client:
        yield client


def missing(X, y):
    X = X.copy()
    X[3, 1] = np.nan
    return X, y


def short(X, y):
    return X, y[:-1]


def unreadable(X, y):
    raise OSError("the disk is gone")


def infinite(X, y):
    return X, np.where(np.arange(len(y)) == 3, np.inf, y)


def narrow(X, y):
    return X[:, :3], y


def unlisted(X, y):
    return X, np.where(y == "no", "never", y)


def both(client, classifies):
    """The estimator on the cluster and that of one process, and targets for them."""
    if classifies:
        return LogisticClassifier(client=client), sksgd.LogisticClassifier(), TWO
    return LinearRegressor(client=client), sksgd.LinearRegressor(), SIGNAL


FAULTS = [
    (missing, False, "half 1, block 2, column '1': X has NaN or infinity"),
    (short, False, "half 1, block 2: X has 20 rows, but y has 19"),
    (unreadable, False, "half 1, block 2: cannot be read: OSError: the disk is gone"),
    (infinite, False, "half 1, block 2: Input y contains infinity"),
    (narrow, False, "half 1, block 2: X"),
    (unlisted, True, r"half 1, block 2: y contains labels not seen before: array\(\['never'\]"),
]


@pytest.mark.parametrize(("fault", "classifies", "message"), FAULTS)
def test_a_bad_block_is_named_or_left_out(client, fault, classifies, message):
    model, local, y = both(client, classifies)
    options = {"classes": ["no", "yes"]} if classifies else {}
    model.fit(Rows(X, y, **options))
    before = model.coef_.copy()
    with pytest.raises(BlockError, match=message):
        model.fit(Rows(X, y, {(1, 2): fault}, **options))
    np.testing.assert_array_equal(model.coef_, before)
    assert model.n_bad_blocks_ == 0
    source = Rows(X, y, {(0, 1): fault, (1, 2): fault}, on_bad_block="skip", **options)
    model.fit(source)
    kept = np.delete(np.arange(len(X)), np.r_[source.places[0][1], source.places[1][2]])
    expected = local.fit(X[kept], y[kept])
    assert model.n_bad_blocks_ == 2
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    assert local.fit(source).n_bad_blocks_ == 2
    np.testing.assert_allclose(model.coef_, local.coef_, rtol=1e-6)


def test_classes_are_those_of_the_source(client):
    classes = ["c", "a", "b", "d"]
    model = LogisticClassifier(client=client).fit(Rows(X, THREE, classes=classes))
    expected = sksgd.LogisticClassifier().fit(Rows(X, THREE, classes=classes))
    assert list(model.classes_) == list(expected.classes_) == list("abcd")
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-8)
    with pytest.raises(BlockError, match=r"half 0, block 0: y contains labels not seen before: array\(\['c'\]"):
        model.fit(Rows(X, THREE, classes=["a", "b"]))


def test_held_out_blocks_are_checked_against_the_classes_of_the_model(client):
    model = LogisticClassifier(client=client).fit(Rows(X, THREE), X_val=Rows(X[:80], THREE[:80]))
    assert model.n_bad_blocks_ == 0
    with pytest.raises(BlockError, match="labels not seen before"):
        model.fit(Rows(X, TWO), X_val=Rows(X, THREE))
    assert list(model.classes_) == list("abc")


def test_a_source_without_targets_is_refused(client):
    with pytest.raises(ValueError, match="has no targets, which only predictions can do without"):
        LogisticClassifier(client=client).fit(NumpySource(X, None))
