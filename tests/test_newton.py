"""Streaming Newton: exact solutions, chunks and weights, what is invisible."""

import math
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from components import LOSS_ROWS
from estimators import WEIGHT, X, Y, assert_same, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from newton_cases import (
    CASES,
    CLASSES,
    MANY,
    NUMBERS,
    ROW_WEIGHTS,
    SIGNAL,
    LogCosh,
    N,
    classifier,
    learn,
    objective,
    regressor,
)
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from sksgd.core import penalised
from sksgd.losses import Huber

over = pytest.mark.parametrize


def ridge(X, Y, alpha, weight=None, intercept=True):
    """Weights and intercepts (d + 1, K) that minimise the objective for squared errors."""
    weight = np.ones(len(X)) if weight is None else weight
    weight = weight / weight.sum()
    mean = (weight @ X, weight @ Y) if intercept else (np.zeros(X.shape[1]), np.zeros(Y.shape[1]))
    Xc, Yc = X - mean[0], Y - mean[1]
    gram = (Xc * weight[:, None]).T @ Xc + np.diag(np.broadcast_to(alpha, X.shape[1]))
    coef = np.linalg.solve(gram, Xc.T @ (weight[:, None] * Yc))
    return np.vstack([coef, mean[1] - mean[0] @ coef])


def same_predictions(model, X, expected, rtol=1e-8):
    np.testing.assert_allclose(model.predict(X), expected, rtol=rtol, atol=rtol * np.abs(expected).max())


# ---- exact solutions -------------------------------------------------------------------------------------------------


@over("alpha", [0.0, 0.3, [0.0, 1.0, 10.0, 0.1, 3.0]])
@over("weight", [None, ROW_WEIGHTS])
@over("fit_intercept", [True, False])
def test_one_pass_over_squared_errors_is_ridge(alpha, weight, fit_intercept):
    targets = np.column_stack([NUMBERS, 1e8 + SIGNAL**2])
    exact = ridge(MANY, targets, alpha, weight, fit_intercept)
    expected = MANY @ exact[:-1] + exact[-1]
    model = regressor(alpha=alpha, fit_intercept=fit_intercept).fit(MANY, targets, sample_weight=weight)
    same_predictions(model, MANY, expected)
    assert model.n_iter_ == 1
    assert model.optimality_gap_ < 1e-12
    stream = regressor(alpha=alpha, fit_intercept=fit_intercept).partial_fit(MANY, targets, sample_weight=weight)
    same_predictions(stream, MANY, expected)
    np.testing.assert_allclose(stream.coef_[0], exact[:-1, 0], rtol=1e-7)
    assert stream.optimality_gap_ == 0


def test_ridge_of_scikit_learn():
    ours, theirs = regressor(alpha=0.3).fit(X, Y, sample_weight=WEIGHT), Ridge(alpha=0.3 * WEIGHT.sum())
    np.testing.assert_allclose(ours.coef_, theirs.fit(X, Y, sample_weight=WEIGHT).coef_, rtol=1e-10)


@over("n_classes", [2, 3])
@over("class_weight", [None, "balanced", {0: 3.0, 1: 0.5}])
@over("fit_intercept", [True, False])
def test_logistic_regression_of_scikit_learn(n_classes, class_weight, fit_intercept):
    y, Z = np.minimum(CLASSES, n_classes - 1), (MANY - MANY.mean(axis=0)) / MANY.std(axis=0)
    params = {"class_weight": class_weight, "fit_intercept": fit_intercept}
    # A gap of 1e-15 leaves 1e-8 in the weights, the root of the gap.
    ours = classifier(alpha=0.01, tol=1e-15, **params).fit(Z, y, sample_weight=ROW_WEIGHTS)
    by_class = np.ones(n_classes)
    if class_weight == "balanced":
        counts = np.bincount(y, weights=ROW_WEIGHTS)
        by_class = ROW_WEIGHTS.sum() / (n_classes * counts)
    elif class_weight:
        by_class = np.array([class_weight.get(k, 1.0) for k in range(n_classes)])
    weight = ROW_WEIGHTS * by_class[y]
    theirs = LogisticRegression(
        C=1 / (0.01 * weight.sum()), solver="newton-cholesky", tol=1e-11, max_iter=1000, fit_intercept=fit_intercept
    ).fit(Z, y, sample_weight=weight)
    np.testing.assert_allclose(ours.predict_proba(Z), theirs.predict_proba(Z), atol=1e-7)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-6)


def test_poisson_regression_of_scikit_learn():
    counts = np.random.default_rng(1).poisson(np.exp(np.clip(0.3 * SIGNAL, -3, 3)))
    Z = (MANY - MANY.mean(axis=0)) / MANY.std(axis=0)
    theirs = PoissonRegressor(alpha=0.01, tol=1e-11, max_iter=5000).fit(Z, counts)
    same_predictions(regressor("poisson", alpha=0.01, tol=1e-12).fit(Z, counts), Z, theirs.predict(Z), 1e-6)


SMOOTH = [*(row for row in LOSS_ROWS if row.loss.smooth and row.loss.coding in ("value", "unit") and row.convex)]


@over("loss", [*(row.loss for row in SMOOTH), Huber(1e-2), LogCosh(), LogCosh(0.1)], ids=repr)
def test_optimality(loss):
    """Two targets are at their minimum, by the gradient in coordinates of size 1."""
    y = np.column_stack([NUMBERS, SIGNAL])
    y = np.exp(np.clip(y / 2, -4, 4)) if loss.link == "log" else y
    y = 1 / (1 + np.exp(-y)) if loss.link == "logit" else y
    model = regressor(loss, alpha=1e-3, tol=1e-13).fit(MANY, y, sample_weight=ROW_WEIGHTS)
    assert model.optimality_gap_ < 1e-12
    size = MANY.std(axis=0)
    scores, share = MANY @ model.coef_.T + model.intercept_, ROW_WEIGHTS / ROW_WEIGHTS.sum()
    slopes = np.vectorize(loss.gradient)(scores, y) * share[:, None]
    ahead = (slopes.T @ (MANY - MANY.mean(axis=0)) + 1e-3 * model.coef_) / size
    assert np.abs(ahead).max() < 1e-6 * np.abs(slopes).sum()
    assert np.abs(slopes.sum(axis=0)).max() < 1e-6 * np.abs(slopes).sum()


def test_several_targets_are_independent():
    y = np.column_stack([NUMBERS, SIGNAL**2])
    both = regressor("huber", max_iter=4, tol=None, random_state=0).fit(MANY, y)
    for k in range(2):
        one = regressor("huber", max_iter=4, tol=None, random_state=0).fit(MANY, y[:, k])
        np.testing.assert_allclose(both.predict(MANY)[:, k], one.predict(MANY), rtol=1e-4)
        one.set_params(max_iter=20, warm_start=True).fit(MANY, y[:, k])
    both.set_params(max_iter=20, warm_start=True).fit(MANY, y)
    np.testing.assert_allclose(both.predict(MANY)[:, 1], one.predict(MANY), rtol=1e-8)


# ---- a stream --------------------------------------------------------------------------------------------------------


@over("case", CASES)
@settings(max_examples=8, deadline=None)
@given(edges=st.sets(st.integers(1, N - 1), max_size=6).map(sorted), dtype=st.sampled_from([np.float64, np.float32]))
def test_chunks_do_not_matter(case, edges, dtype):
    model, y = CASES[case]
    rows = MANY.astype(dtype)
    assert_same(learn(model, y, edges, rows=rows), learn(model, y, [], rows=rows), rtol=1e-10)


@over("case", CASES)
def test_looking_pickling_and_csr_do_not_matter(case):
    model, y = CASES[case]

    def look(model):
        model.predict(MANY[:2])
        return pickle.loads(pickle.dumps(model))

    edges = [*range(1, 60, 7), 500, 1900]
    whole = learn(model, y, [])
    assert_same(learn(model, y, edges, visit=look), whole, rtol=1e-10)
    assert_same(learn(model, y, edges, rows=sp.csr_array(MANY)), whole, rtol=1e-10)
    assert whole.n_samples_seen_ == np.count_nonzero(ROW_WEIGHTS)


def test_rows_that_wait_count():
    model = regressor(alpha=0.0)
    for k in range(1, 9):  # far fewer than a block
        model.partial_fit(X[k - 1 : k], Y[k - 1 : k])
        assert model.n_samples_seen_ == k
    exact = ridge(X[:8], Y[:8, None], 0.0)[:, 0]
    np.testing.assert_allclose(weights(model), exact, rtol=1e-7)


def test_arrays_of_the_caller_may_change_between_calls():
    rows, y = MANY[:30].copy(), NUMBERS[:30].copy()
    model = regressor().partial_fit(rows, y)
    rows[:], y[:] = 0.0, 0.0
    assert_same(model, regressor().partial_fit(MANY[:30], NUMBERS[:30]))


def test_a_pass_over_a_stream_comes_near_the_minimum():
    for model, y in CASES.values():
        stream, exact = learn(model, y, []), clone(model).set_params(tol=1e-12)
        exact.fit(MANY, y, sample_weight=ROW_WEIGHTS)
        again = clone(model).set_params(warm_start=True, tol=None, max_iter=1)
        again.fit(MANY, y, sample_weight=ROW_WEIGHTS, coef_init=stream.coef_, intercept_init=stream.intercept_)
        begun = objective(stream, MANY, y, ROW_WEIGHTS)
        assert begun <= exact.loss_curve_[-1] * (1 + 1e-2)
        assert again.loss_curve_[-1] <= begun * (1 + 1e-12)


def test_partial_fit_goes_on_after_fit_and_fit_after_partial_fit():
    half = N // 2
    model = regressor(alpha=0.1).fit(MANY[:half], NUMBERS[:half]).partial_fit(MANY[half:], NUMBERS[half:])
    assert_same(model, regressor(alpha=0.1).fit(MANY, NUMBERS), rtol=1e-7)
    assert (model.n_iter_, model.n_samples_seen_) == (2, N)
    y = CLASSES > 0
    first = classifier(warm_start=True, tol=1e-12).partial_fit(MANY[:half], y[:half], classes=[False, True])
    first.fit(MANY, y)
    np.testing.assert_allclose(
        first.predict_proba(MANY), classifier(tol=1e-12).fit(MANY, y).predict_proba(MANY), atol=1e-6
    )


def test_parameters_may_change_between_calls():
    model = regressor(alpha=0.1).partial_fit(MANY[:100], NUMBERS[:100]).set_params(alpha=3.0)
    assert_same(model.partial_fit(MANY[100:], NUMBERS[100:]), regressor(alpha=3.0).fit(MANY, NUMBERS), rtol=1e-7)
    model.set_params(loss="huber").partial_fit(MANY, NUMBERS)  # begins anew at these weights
    assert np.isfinite(weights(model)).all()
    model.set_params(optimizer="sgd", learning_rate=1e-12).partial_fit(MANY, NUMBERS)
    assert math.isnan(model.optimality_gap_)


# ---- weights of rows, scales, precision ------------------------------------------------------------------------------


@over("case", CASES)
def test_weights_are_repetitions(case):
    model, y = CASES[case]
    times = np.random.default_rng(2).integers(0, 4, 400)
    rows, repeated = MANY[:400], np.repeat(np.arange(400), times)
    weighted = clone(model).fit(rows, y[:400], sample_weight=times)
    plain = clone(model).fit(rows[repeated], y[repeated])
    assert_same(weighted, plain, rtol=1e-8)
    assert_same(weighted, clone(model).fit(rows, y[:400], sample_weight=1e3 * times), rtol=1e-8)
    if case == "squares":
        parts = learn(model, y[:400], [7, 90], weight=50.0 * times, rows=rows)
        assert_same(parts, clone(model).partial_fit(rows[repeated], y[repeated]), rtol=1e-7)


@over("case", CASES)
def test_features_may_be_rescaled(case):
    model, y = CASES[case]
    scale = 10.0 ** np.random.default_rng(3).uniform(-3, 3, 5)
    ours = [clone(model).set_params(alpha=0.0, tol=1e-12, random_state=0).fit(rows, y) for rows in (MANY, MANY * scale)]
    raw = [
        m.predict_proba(rows) if hasattr(m, "classes_") else m.predict(rows)
        for m, rows in zip(ours, (MANY, MANY * scale), strict=True)
    ]
    np.testing.assert_allclose(raw[0], raw[1], rtol=1e-6, atol=1e-7)


def test_scores_do_not_depend_on_units():
    expected = regressor(alpha=0.0).fit(MANY, NUMBERS).score(MANY, NUMBERS)
    for rows, y in ((MANY * 1e4, NUMBERS), (MANY, NUMBERS * 1e-6), (MANY, NUMBERS + 1e6)):
        assert regressor(alpha=0.0).fit(rows, y).score(rows, y) == pytest.approx(expected, abs=1e-6)


@over("case", CASES)
def test_float32(case):
    model, y = CASES[case]
    single = clone(model).fit(MANY.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    gap = objective(single, MANY, y, np.ones(N)) / clone(model).set_params(tol=1e-12).fit(MANY, y).loss_curve_[-1] - 1
    assert gap < 2e-4


def test_what_is_rare_is_not_missed():
    r = np.random.default_rng(3)
    rows = np.hstack([r.normal(size=(20_000, 3)), 1e6 * (r.random((20_000, 40)) < 5e-4)])  # some 10 rows each
    y = rows @ [1.0, -1.0, 0.5, *(1e-6 * r.normal(size=40))] + r.logistic(size=20_000) > 0
    best = classifier(tol=1e-11).fit(rows, y).loss_curve_[-1]
    for seed in range(3):  # which decides the part of the rows that a fit begins with
        model = classifier(random_state=seed).fit(rows, y)
        assert model.loss_curve_[-1] <= best * (1 + 1e-4)
        assert model.n_iter_ < 8


def test_a_matrix_without_a_factor_is_no_minimum():
    terms = penalised.Ridge(np.zeros(2))
    step = terms.minimise(np.full((2, 2, 2), np.nan), np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2)))
    np.testing.assert_array_equal(step.fall, [np.inf, 0.0])
