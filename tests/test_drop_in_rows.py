"""How the drop-ins take rows: without a copy, in any layout, many of them, with numbers that are stored twice."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, X, Y, assert_same
from scipy.special import expit
from sklearn import linear_model
from test_drop_in import PARAMS, over_kinds

from sksgd import SGDClassifier, SGDRegressor

over = pytest.mark.parametrize


@over_kinds
def test_indices_of_64_bits(make, y):
    narrow = sp.csr_array(np.where(np.abs(X) < 0.5, 0.0, X))
    wide = sp.csr_array((narrow.data, narrow.indices.astype(np.int64), narrow.indptr.astype(np.int64)), narrow.shape)
    assert wide.indices.dtype == np.int64
    models = [make(**PARAMS).fit(rows, y).partial_fit(rows, y) for rows in (narrow, wide)]
    assert_same(*models)
    np.testing.assert_array_equal(models[1].predict(wide), models[0].predict(narrow))
    assert wide.indices.dtype == np.int64


@over("penalty", [None, "l2", "l1"])
@over("average", [False, True])
def test_values_that_are_stored_twice(penalty, average):
    # Kept as they are, as scikit-learn does; the later columns come first.
    once = sp.csr_array(np.where(np.abs(X) < 0.3, 0.0, X))
    backwards = np.concatenate([part[::-1] for part in np.split(np.arange(once.nnz), once.indptr[1:-1])]).repeat(2)
    data = once.data[backwards] * np.tile([0.3, 0.7], once.nnz)
    twice = sp.csr_array((data, once.indices[backwards], once.indptr * 2), X.shape)
    stored = twice.data.copy()
    params = {"penalty": penalty, "average": average, "alpha": 0.02, **PARAMS}
    models = [make(**params).fit(twice, Y) for make in (SGDRegressor, linear_model.SGDRegressor)]
    assert_same(*models, rtol=1e-9)
    np.testing.assert_array_equal(twice.data, stored)


N_ROWS = 20_000
MANY = np.random.default_rng(0).normal(size=(N_ROWS, 64))
FOUR = np.random.default_rng(1).integers(0, 4, N_ROWS)
MEMORY = {
    "regressor": (SGDRegressor, MANY[:, 0], {}),
    "average": (SGDRegressor, MANY[:, 0], {"average": True, "penalty": "l1"}),
    "early stopping": (SGDRegressor, MANY[:, 0], {"early_stopping": True, "validation_fraction": 0.01}),
    "two": (SGDClassifier, FOUR > 1, {}),
    "four": (SGDClassifier, FOUR, {"class_weight": "balanced"}),
}


def peak_per_row(function):
    """Bytes allocated at most, beside what was there."""
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / N_ROWS


@over("name", MEMORY)
@over("source", ["array", "memmap", "frame"])
def test_no_copy_of_the_rows(name, source, tmp_path):
    make, y, params = MEMORY[name]
    rows = MANY
    if source == "memmap":
        np.save(tmp_path / "rows.npy", MANY)
        rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    if source == "frame":
        rows = pd.DataFrame(MANY, copy=False)
    model = make(max_iter=2, tol=None, **params)
    model.fit(rows[:400], y[:400]).predict(rows)  # compiles
    # A row has 512 bytes. An order, targets, weights and the shuffle of them take less than 100.
    assert peak_per_row(lambda: model.fit(rows, y)) < 100
    assert peak_per_row(lambda: model.set_params(early_stopping=False).partial_fit(rows, y)) < 100
    assert peak_per_row(lambda: model.predict(rows)) < 100


# Predictions for many rows come from kernels of their own.


@over("of_model", [np.float64, np.float32])
@over("of_rows", [np.float64, np.float32])
def test_predictions_for_many_rows(of_model, of_rows):
    exact = of_model is of_rows is np.float64
    # With scores up to 1000, of which the exponentials overflow.
    rows = (np.tile(X, (2000, 1)) * np.geomspace(0.01, 1000, 120_000)[:, None]).astype(of_rows)
    few = slice(0, None, 1000)

    def assert_scores(model, found):
        coef, exact_rows = np.atleast_2d(model.coef_).T.astype(float), rows.astype(float)
        wanted, size = exact_rows @ coef + model.intercept_, abs(exact_rows) @ abs(coef) + abs(model.intercept_)
        tolerance = 1e-14 if exact else 1e-6
        assert (abs(found.reshape(wanted.shape) - wanted) <= tolerance * size).all()

    model = SGDRegressor(**PARAMS).fit(X.astype(of_model), Y)
    assert_scores(model, model.predict(rows))
    assert model.predict(rows).dtype == model.predict(rows[few]).dtype
    for y in (TWO, THREE):
        model = SGDClassifier(loss="log_loss", **PARAMS).fit(X.astype(of_model), y)
        p = model.decision_function(rows)
        assert_scores(model, p)
        assert p.dtype == model.decision_function(rows[few]).dtype
        labels = np.where(p > 0, "yes", "no") if y is TWO else np.array(list("abc"))[p.argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(rows), labels)
        proba = model.predict_proba(rows)
        assert proba.dtype == model.predict_proba(rows[few]).dtype
        if y is TWO:
            np.testing.assert_allclose(proba, np.column_stack([expit(-p), expit(p)]), rtol=1e-5, atol=1e-6)


@over("value", [np.nan, np.inf, -np.inf])
def test_many_rows_of_which_one_is_not_finite(value):
    model = SGDRegressor(**PARAMS).fit(X, Y)
    rows = np.tile(X, (2000, 1))
    rows[99_999, 3] = value
    for _ in range(2):
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            model.predict(rows)
        model.coef_[:] = 0
