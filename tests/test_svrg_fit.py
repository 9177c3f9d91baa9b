"""SVRG: passes, streams, whitening."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import streamed
from estimators import TWO, WEIGHT, X, Y, assert_same
from newton_cases import CLASSES, MANY, NUMBERS, ROW_WEIGHTS, N, objective
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from svrg_cases import CASES, classifier, regressor

from sksgd import LogisticClassifier

over = pytest.mark.parametrize


# ---- passes ----------------------------------------------------------------------------------------------------------


@over("case", CASES)
@over("k", [1, 2])
def test_passes_in_two_calls(case, k):
    model, y = CASES[case]
    whole = clone(model).set_params(max_iter=4, tol=None).fit(MANY, y)
    parts = clone(model).set_params(max_iter=k, tol=None, warm_start=True).fit(MANY, y)
    parts = pickle.loads(pickle.dumps(parts)).set_params(max_iter=4 - k).fit(MANY, y)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-8)
    assert (parts.n_iter_, parts.n_samples_seen_) == (4, 4 * N)
    assert parts.t_ == whole.t_


def test_the_fitted_model_holds_no_rows():
    model = regressor().fit(np.vstack([MANY] * 5), np.tile(NUMBERS, 5))
    assert len(pickle.dumps(model)) < 20_000


def test_another_problem_begins_its_estimates_anew():
    model = classifier(warm_start=True, alpha=1.0, tol=1e-8).fit(MANY, CLASSES > 0)
    model.set_params(alpha=1e-5, tol=1e-4).fit(MANY, CLASSES > 0)
    best = LogisticClassifier(optimizer="newton", alpha=1e-5, tol=1e-12).fit(MANY, CLASSES > 0).loss_curve_[-1]
    assert model.loss_curve_[-1] / best - 1 < 1e-4


def test_it_ends_where_nothing_is_left_to_gain():
    for model, y in CASES.values():
        fitted = clone(model).set_params(tol=0.0).fit(MANY, y)
        assert fitted.stop_reason_.startswith("no step lowers the objective any further")
    with pytest.warns(ConvergenceWarning, match="max_iter=1 passes done"):
        classifier(tol=0.0, max_iter=1).fit(MANY, CLASSES)


def test_initial_weights():
    exact = classifier(tol=1e-12).fit(MANY, CLASSES)
    model = classifier().fit(MANY, CLASSES, coef_init=exact.coef_, intercept_init=exact.intercept_)
    assert model.loss_curve_[0] == pytest.approx(exact.loss_curve_[-1], rel=1e-12)


def test_early_stopping():
    model = classifier(early_stopping=True, alpha=0.0, n_iter_no_change=3).fit(*load_digits(return_X_y=True))
    assert len(model.validation_curve_) == len(model.loss_curve_)
    assert model.n_iter_ == 1 + np.argmin(model.validation_curve_)


@over("loss", ["quantile", "epsilon_insensitive"])
@over("method", ["fit", "partial_fit"])
def test_kinks_are_refused(loss, method):
    with pytest.raises(ValueError, match=r"has kinks.*'huber', or optimizer='implicit'"):
        getattr(regressor(loss), method)(X, Y)


# ---- streams ---------------------------------------------------------------------------------------------------------


@over("rows", [MANY, sp.csr_array(np.hstack([MANY, (np.random.default_rng(6).random((N, 9)) < 0.1) * 1.0]))])
def test_chunks_do_not_matter(rows):
    whole = regressor().partial_fit(rows, NUMBERS, sample_weight=ROW_WEIGHTS)
    parts = regressor()
    for part in np.split(np.arange(N), [1, 50, 120, 1900]):
        parts.partial_fit(rows[part], NUMBERS[part], sample_weight=ROW_WEIGHTS[part])
        parts = pickle.loads(pickle.dumps(parts))
        parts.predict(rows[:2])
    assert_same(parts, whole, rtol=1e-10)
    assert parts.t_ == whole.t_


def test_a_stream_goes_on_after_fit_and_fit_after_a_stream():
    stream = classifier(warm_start=True, tol=1e-10).partial_fit(X, TWO, classes=np.unique(TWO), sample_weight=WEIGHT)
    begun = stream.t_
    stream.fit(X, TWO, sample_weight=WEIGHT)
    assert stream.t_ >= begun + 60
    exact = classifier(tol=1e-12).fit(X, TWO, sample_weight=WEIGHT)
    np.testing.assert_allclose(stream.predict_proba(X), exact.predict_proba(X), atol=1e-4)
    stream.partial_fit(X[:10], TWO[:10])
    assert stream.n_samples_seen_ == 60 * stream.n_iter_ - 50
    assert np.abs(stream.predict_proba(X) - exact.predict_proba(X)).max() < 0.5


# ---- whitening -------------------------------------------------------------------------------------------------------


def collinear(n=1200, d=251):
    """Columns that are close to their neighbours, in units of 1e-3 to 1e3, and a signal in all directions."""
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(n, d))
    for j in range(1, d):
        rows[:, j] = 0.95 * rows[:, j - 1] + np.sqrt(1 - 0.95**2) * rows[:, j]
    signal = rows @ rng.normal(size=d)
    return (rows + 0.5) * 10.0 ** rng.uniform(-3, 3, d), signal / signal.std() + 0.3 * rng.normal(size=n)


LIKE, LIKE_SIGNAL = collinear()
LIKE_NOISY = LIKE_SIGNAL + 2.0 * np.random.default_rng(4).normal(size=len(LIKE))
LIKE_WEIGHTS = np.random.default_rng(3).integers(0, 4, len(LIKE))
LIKE_CASES = {
    "squares": (regressor, LIKE_SIGNAL),
    "two targets": (regressor, np.column_stack([LIKE_SIGNAL, LIKE_SIGNAL**2])),
    "two classes": (classifier, LIKE_NOISY > 0.5),
    "three classes": (classifier, np.digitize(LIKE_NOISY, [-1.0, 1.0])),
}


@over(("case", "fit_intercept"), [*((case, True) for case in LIKE_CASES), ("squares", False), ("two classes", False)])
def test_collinear_columns_take_few_passes(case, fit_intercept):
    make, y = LIKE_CASES[case]
    params = {"alpha": 1e-6, "fit_intercept": fit_intercept}
    exact = clone(make(**params)).set_params(optimizer="newton", tol=1e-9).fit(LIKE, y, sample_weight=LIKE_WEIGHTS)
    best = exact.loss_curve_[-1]
    for tol, passes in ((1e-3, 3), (1e-7, 6)):
        model = make(**params, tol=tol).fit(LIKE, y, sample_weight=LIKE_WEIGHTS)
        assert model.n_iter_ <= passes
        assert model.loss_curve_[-1] <= best * (1 + tol)
        if y.ndim == 1:
            assert model.loss_curve_[-1] == pytest.approx(objective(model, LIKE, y, LIKE_WEIGHTS, 1e-6), rel=1e-9)


def test_collinear_columns_have_the_exact_ridge_solution():
    size = LIKE.std(axis=0)
    Z = (LIKE - LIKE.mean(axis=0)) / size
    matrix = Z.T @ Z / len(Z) + np.diag(1e-6 / size**2)
    coef = np.linalg.solve(matrix, Z.T @ (LIKE_SIGNAL - LIKE_SIGNAL.mean()) / len(Z))
    model = regressor(alpha=1e-6, tol=1e-13).fit(LIKE, LIKE_SIGNAL)
    np.testing.assert_allclose(model.coef_ * size, coef, atol=1e-5 * np.abs(coef).max())
    assert (np.diff(model.loss_curve_) <= 0).all()


def test_fewer_rows_than_collinear_columns():
    few, y = LIKE[:150], LIKE_SIGNAL[:150]
    size = few.std(axis=0)
    Z = (few - few.mean(axis=0)) / size
    dual = np.linalg.solve((Z * size**2 / 1e-6) @ Z.T / 150 + np.eye(150), y - y.mean())
    model = regressor(alpha=1e-6, tol=1e-6).fit(few, y)
    best = 0.5 * dual @ (y - y.mean()) / 150  # the minimum, by duality
    assert model.loss_curve_[-1] <= best * (1 + 1e-6)
    assert model.n_iter_ <= 4


@over("case", ["squares", "two classes"])
@over("k", [1, 2])
def test_whitened_passes_in_two_calls(case, k):
    make, y = LIKE_CASES[case]
    model = make(alpha=1e-6, tol=None)
    whole = clone(model).set_params(max_iter=5).fit(LIKE, y)
    parts = clone(model).set_params(max_iter=k, warm_start=True).fit(LIKE, y)
    parts = pickle.loads(pickle.dumps(parts)).set_params(max_iter=5 - k).fit(LIKE, y)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-8)
    assert len(pickle.dumps(whole)) < 100_000  # no matrix


@over("case", [*LIKE_CASES, "l1"])
def test_a_checkpoint_changes_no_bit(case, tmp_path):
    make, y = LIKE_CASES.get(case, LIKE_CASES["squares"])
    params = {"penalty": "l1", "alpha": 1e-2} if case == "l1" else {"alpha": 1e-6}
    head = {**params, "tol": None, "max_iter": 5}
    whole = streamed.fit(make(**head), tmp_path / "whole", (LIKE, y))[0]
    for _ in range(4):  # after every pass
        assert streamed.fit(make(**head), tmp_path / "killed", (LIKE, y), at=1)[0] is None
    again, tasks = streamed.fit(make(**head), tmp_path / "killed", (LIKE, y))
    assert len(tasks) == 2
    assert streamed.record(again) == streamed.record(whole)
    np.testing.assert_allclose(again.loss_curve_, make(**head).fit(LIKE, y).loss_curve_, rtol=1e-8)


@over("params", [{"penalty": "l1"}, {"bounds": (-1.0, 1.0)}], ids=str)
def test_collinear_columns_with_zeros_and_bounds_are_not_whitened(params):
    model = regressor(alpha=1e-2, **params, tol=1e-4, max_iter=300).fit(LIKE / LIKE.std(axis=0), LIKE_SIGNAL)
    assert np.isfinite(model.coef_).all()
    assert model.optimality_gap_ < 1e-4
