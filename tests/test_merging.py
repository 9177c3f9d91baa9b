"""States of shares of the rows, made one again, against NumPy."""

import numpy as np
import pytest
import scipy.sparse as sp

from sksgd import LinearRegressor
from sksgd.core.merging import RULES, merge, mergeable


def fitted(X, rows, **params):
    """A model after a pass over some rows, and a state that counts these alone and owes nothing."""
    rng = np.random.default_rng(0)
    y = X @ rng.normal(size=X.shape[1])
    model = LinearRegressor(tol=None, max_iter=1, random_state=0, learning_rate=0.01, **params)
    model.partial_fit(X[rows], y[rows])
    return model, mergeable(model._problem_, model._state)


def rows_of(kind, dtype):
    X = sp.random(60, 7, density=0.5, format="csr", random_state=1, dtype=np.float64).astype(dtype)
    return X if kind == "csr" else X.toarray()


def test_every_entry_of_a_state_says_how_it_merges():
    _model, state = fitted(rows_of("dense", np.float64), slice(None), optimizer="adam")
    assert set(RULES) == set(state.__dict__)


@pytest.mark.parametrize("kind", ["dense", "csr"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "ftrl"])
def test_weights_slots_and_averages_are_means_and_counters_add_up(kind, dtype, optimizer):
    X = rows_of(kind, dtype)
    params = {"optimizer": optimizer, "average": None if optimizer == "ftrl" else True, "alpha": 0.01}
    (model, a), (_, b) = (fitted(X, rows, **params) for rows in (slice(0, 20), slice(20, 60)))
    before = [a.lines.copy(), b.lines.copy()]
    merged = merge(a, b, 2.0, 6.0)
    expected = 0.25 * a.lines.astype(np.float64) + 0.75 * b.lines.astype(np.float64)
    np.testing.assert_allclose(merged.lines, expected, rtol=1e-6 if dtype == np.float32 else 1e-14)
    np.testing.assert_allclose(merged.bias, 0.25 * a.bias + 0.75 * b.bias, rtol=1e-14)
    assert merged.lines.dtype == dtype
    assert merged.lines.ndim == 3
    assert (merged.t, merged.n_passes, merged.n_samples_seen) == (40, 1, 60)
    np.testing.assert_array_equal(before, [a.lines, b.lines])
    np.testing.assert_allclose(merged.weights(model._problem_)[0], merged.lines[-1 if a.averaged else 0])


def test_a_state_that_owes_updates_pays_first():
    X = rows_of("csr", np.float64)
    model, state = fitted(X, slice(None), optimizer="momentum", alpha=0.1)
    assert model._state.idle is not None
    assert state.idle is None
    np.testing.assert_allclose(state.lines[0], model._state.settled_lines(model._problem_)[0], rtol=1e-14)


def test_what_is_known_of_rows_is_not_averaged():
    X = rows_of("dense", np.float64)
    with pytest.raises(ValueError, match="add up its sums"):
        _newton(X)


def _newton(X):
    model = LinearRegressor().fit(X, X[:, 0])
    return mergeable(model._problem_, model._state)
