"""Implicit SGD on streams, with weights of rows, in any units."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import assert_same
from hypothesis import given, settings
from hypothesis import strategies as st
from implicit_cases import (
    CASES,
    CLASSES,
    DENSE,
    MIXED,
    NO_ALPHA,
    NUMBERS,
    ROW_WEIGHTS,
    ROWS,
    SPARSE,
    N,
    learn,
    regressor,
)
from sklearn.base import clone

from sksgd import LinearRegressor
from sksgd.core.implicit_track import PACE
from sksgd.losses import EpsilonInsensitive

over = pytest.mark.parametrize


# ---- a stream --------------------------------------------------------------------------------------------------------


@over("rows", ROWS)
@over("case", CASES)
@settings(max_examples=8, deadline=None)
@given(edges=st.sets(st.integers(1, N - 1), max_size=6).map(sorted))
def test_chunks_do_not_matter(case, rows, edges):
    (model, y), X = CASES[case], ROWS[rows].astype(np.float32 if case == "quantile" else np.float64)
    assert_same(learn(model, X, y, edges), learn(model, X, y, []), rtol=1e-10)


@over("rows", ROWS)
@over("case", CASES)
def test_looking_and_pickling_do_not_matter(case, rows):
    (model, y), X = CASES[case], ROWS[rows]

    def look(model):
        model.predict(X[:2])
        return pickle.loads(pickle.dumps(model))

    edges = [*range(1, 130, 7), 500, 1100]
    whole = learn(model, X, y, [])
    assert_same(learn(model, X, y, edges, visit=look), whole, rtol=1e-10)
    assert whole.n_samples_seen_ == np.count_nonzero(ROW_WEIGHTS)


def test_few_rows_of_many_columns_wait_and_count():
    wide = sp.random_array((400, 30_000), density=1e-3, rng=np.random.default_rng(2), format="csr")
    y = np.asarray(wide.sum(axis=1))
    whole, model = regressor().partial_fit(wide, y), regressor()
    for part in np.split(np.arange(400), range(1, 400, 3)):
        model.partial_fit(wide[part], y[part])
    assert model._state.memory.waiting
    assert_same(model, whole, rtol=1e-10)


def test_arrays_of_the_caller_may_change_between_calls():
    for n in (30, 300):
        rows, y = MIXED[:n].copy(), NUMBERS[:n].copy()
        model = regressor().partial_fit(rows, y)
        rows.data[:], y[:] = 0.0, 0.0
        assert_same(model, regressor().partial_fit(MIXED[:n], NUMBERS[:n]))


def test_the_losses_on_rows_not_yet_known_are_summed():
    X, model, total, mass = DENSE[:400], regressor(), 0.0, 0.0
    for i in range(400):
        if i >= 100:  # the first hundred are learned together
            p = float(model.predict(X[i : i + 1])[0])
            total += ROW_WEIGHTS[i] * 0.5 * (p - NUMBERS[i]) ** 2
            mass += ROW_WEIGHTS[i]
        model.partial_fit(X[i : i + 1], NUMBERS[i : i + 1], sample_weight=ROW_WEIGHTS[i : i + 1])
        if i == 130:
            first = model._state.memory.progressive, total, mass
    seen, weight = model._state.memory.progressive
    assert seen - first[0][0] == pytest.approx(total - first[1], rel=1e-9)
    assert weight - first[0][1] == pytest.approx(mass - first[2], rel=1e-12)
    assert weight == pytest.approx(ROW_WEIGHTS[:400].sum())


def test_a_stream_without_signal_is_answered_by_constants():
    r = np.random.default_rng(3)
    X, y = r.normal(size=(300, 200)), r.normal(size=300)
    model = regressor(alpha=1e-6).partial_fit(X, y)
    assert not model.coef_.any()
    assert abs(model.intercept_[0]) < 0.3
    two = regressor(alpha=1e-6).partial_fit(np.hstack([X, 10 * y[:, None]]), np.column_stack([y, r.normal(size=300)]))
    np.testing.assert_array_equal(two.coef_.any(axis=1), [True, False])


def test_sparse_rows_are_the_same_as_dense_ones_where_nothing_is_centred(monkeypatch):
    monkeypatch.setattr("sksgd.core.implicit_track.SPARSE_PACE", PACE)
    params = {"alpha": NO_ALPHA, "fit_intercept": False, "tol": None, "max_iter": 3, "random_state": 0}
    for loss in "squared_error", "quantile":
        assert_same(
            regressor(loss, **params).fit(SPARSE, NUMBERS),
            regressor(loss, **params).fit(SPARSE.toarray(), NUMBERS),
            rtol=1e-9,
        )


# ---- weights of rows, units ------------------------------------------------------------------------------------------


@over("rows", ROWS)
@over("case", CASES)
def test_rows_of_weight_zero_are_absent_and_weights_are_relative(case, rows):
    (model, y), X, present = CASES[case], ROWS[rows], ROW_WEIGHTS > 0
    params = {"tol": None, "max_iter": 3, "random_state": 0}
    weighted = clone(model).set_params(**params).fit(X, y, sample_weight=ROW_WEIGHTS)
    assert_same(weighted, clone(model).set_params(**params).fit(X, y, sample_weight=1e3 * ROW_WEIGHTS), rtol=1e-9)
    without = clone(model).set_params(**params).fit(X[present], y[present], sample_weight=ROW_WEIGHTS[present])
    assert_same(weighted, without, rtol=1e-8)
    whole = learn(model, X, y, [])
    assert_same(whole, learn(model, X[present], y[present], [], ROW_WEIGHTS[present]), rtol=1e-10)
    assert_same(whole, learn(model, X, y, [300], 1e3 * ROW_WEIGHTS), rtol=1e-8)


@over("loss", ["squared_error", "quantile", "epsilon_insensitive", "log_loss"])
def test_units_do_not_matter(loss):
    target = (CLASSES > 0) * 1.0 if loss == "log_loss" else NUMBERS
    loss = EpsilonInsensitive(0.0) if loss == "epsilon_insensitive" else loss
    model = regressor(loss, alpha=NO_ALPHA, tol=None, max_iter=2, random_state=0)
    expected = clone(model).fit(DENSE, target).predict(DENSE)
    scale = 10.0 ** np.random.default_rng(4).uniform(-3, 3, 4)
    np.testing.assert_allclose(clone(model).fit(DENSE * scale, target).predict(DENSE * scale), expected, rtol=1e-6)
    moved = clone(model).fit(DENSE + 1e3 * scale, target).predict(DENSE + 1e3 * scale)
    np.testing.assert_allclose(moved, expected, rtol=1e-5, atol=1e-5)
    if isinstance(loss, EpsilonInsensitive) or loss in ("squared_error", "quantile"):
        small = clone(model).fit(DENSE, 1e-6 * target + 1.0).predict(DENSE)
        np.testing.assert_allclose((small - 1.0) * 1e6, expected, rtol=1e-5, atol=1e-5)


def test_alpha_per_feature_and_bounds():
    alpha = np.repeat([0.0, 0.1, 1e3, 0.0, 0.5, 0.0], 2)
    for rows in ROWS.values():
        same = regressor(alpha=np.full(12, 0.1), bounds=(-1e9, 1e9)).partial_fit(rows, NUMBERS)
        assert_same(same, regressor(alpha=0.1).partial_fit(rows, NUMBERS))
        model = regressor(alpha=alpha, bounds=(-0.2, 0.3), tol=None, max_iter=20).fit(rows, NUMBERS)
        assert (model.coef_ >= -0.2).all()
        assert (model.coef_ <= 0.3).all()
        assert np.abs(model.coef_[4:6]).max() < 1e-2 < np.abs(model.coef_[:4]).max()
    exact = LinearRegressor(alpha=alpha, optimizer="newton").fit(MIXED, NUMBERS).loss_curve_[-1]
    free = regressor(alpha=alpha, bounds=(-1e9, 1e9), tol=None, max_iter=30).fit(MIXED, NUMBERS).loss_curve_[-1]
    assert exact <= free <= 1.02 * exact
