"""Streaming Newton: exact solutions, chunks and weights, what is invisible, what is refused, hard data."""

import math
import pickle
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from components import LOSS_ROWS
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same, snapshot, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from test_callbacks import Recorder

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.base import Loss
from sksgd.core.descent import constants
from sksgd.core.quadratic import joint_gram, separate_grams, solve
from sksgd.kernels.derivatives import derivatives
from sksgd.losses import EpsilonInsensitive, Huber, LogLoss, Multinomial, Poisson, SquaredError, Tweedie
from sksgd.penalties import L2, ElasticNet

rng = np.random.default_rng(0)
N = 3000
MANY = rng.normal(size=(N, 5)) @ rng.normal(size=(5, 5)) * 10.0 ** np.arange(-2, 3) + [0, 5, -30, 0, 1e4]
SIGNAL = (MANY - MANY.mean(axis=0)) / MANY.std(axis=0) @ [1.0, -1.0, 0.5, 0.0, 2.0]
NUMBERS = 3.0 + SIGNAL + rng.normal(size=N)
CLASSES = np.digitize(SIGNAL + rng.logistic(size=N), [-2.0, 0.5])
ROW_WEIGHTS = rng.uniform(0.0, 2.0, N).round(1)  # some are 0

over = pytest.mark.parametrize


class LogCosh(Loss):
    """Without a curvature of its own."""

    scale: float = 1.0
    max_curvature = 1.0

    def value(self, p, y):
        r = abs(p - y) / self.scale
        return self.scale**2 * (r + math.log1p(math.exp(-2 * r)) - math.log(2.0))

    def gradient(self, p, y):
        return self.scale * math.tanh((p - y) / self.scale)


def regressor(loss="squared_error", **params):
    return LinearRegressor(loss, optimizer="newton", **params)


def classifier(**params):
    return LogisticClassifier(optimizer="newton", **params)


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
    ours = classifier(alpha=0.01, tol=1e-13, **params).fit(Z, y, sample_weight=ROW_WEIGHTS)
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

CASES = {
    "squares": (regressor(), NUMBERS),
    "huber": (regressor("huber"), NUMBERS),
    "two classes": (classifier(), CLASSES > 0),
    "three classes": (classifier(), CLASSES),
}


def learn(model, y, edges, weight=ROW_WEIGHTS, rows=MANY, visit=lambda model: model):
    """A clone that has seen these rows in parts."""
    model = clone(model)
    classes = {"classes": np.unique(y)} if hasattr(model, "predict_proba") else {}
    for part in np.split(np.arange(rows.shape[0]), edges):
        model = visit(model.partial_fit(rows[part], y[part], sample_weight=weight[part], **classes))
    return model


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


def objective(model, X, y, weight, alpha=1e-4):
    """The objective, from scratch."""
    coef, share = np.atleast_2d(model.coef_), weight / weight.sum()
    scores = X @ coef.T + model.intercept_
    if not hasattr(model, "classes_"):
        loss = model._problem_.loss
        losses = [loss.value(float(p), float(t)) for p, t in zip(scores[:, 0], y, strict=True)]
    else:
        scores = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
        losses = logsumexp(scores, axis=1) - scores[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return share @ np.asarray(losses) + alpha / 2 * np.sum(coef**2)


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
    ours = [clone(model).set_params(alpha=0.0, tol=1e-12).fit(rows, y) for rows in (MANY, MANY * scale)]
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


# ---- passes, stopping, callbacks -------------------------------------------------------------------------------------


@over("case", CASES)
@over("k", [1, 2])
def test_passes_in_two_calls(case, k):
    model, y = CASES[case]
    params = {"tol": None, "random_state": 0}
    whole = clone(model).set_params(max_iter=3, **params).fit(MANY, y)
    parts = clone(model).set_params(max_iter=k, warm_start=True, **params).fit(MANY, y)
    parts = pickle.loads(pickle.dumps(parts)).set_params(max_iter=3 - k).fit(MANY, y)
    assert_same(parts, whole)
    assert parts.loss_curve_ == whole.loss_curve_
    assert (parts.n_iter_, parts.t_, parts.n_samples_seen_) == (3, whole.t_, 3 * N)


@over("load", [load_breast_cancer, load_digits])
@over("alpha", [1e-2, 1e-4])
def test_the_gap_is_what_it_says(load, alpha):
    rows, y = load(return_X_y=True)
    best = classifier(alpha=alpha, tol=1e-12).fit(rows, y).loss_curve_[-1]
    for tol in (1e-2, 1e-4, 1e-6):
        model = classifier(alpha=alpha, tol=tol).fit(rows, y)
        gap = model.loss_curve_[-1] / best - 1
        assert gap <= tol
        assert model.optimality_gap_ <= tol
        assert model.stop_reason_ == "the objective is within tol of its minimum, by the estimate in optimality_gap_"
        if gap > 1e-9:
            assert gap / 5 < model.optimality_gap_ < 5 * gap
        assert model.loss_curve_[-1] == pytest.approx(objective(model, rows, y, np.ones(len(y)), alpha), rel=1e-10)


def test_it_ends_where_nothing_is_left_to_gain():
    model = classifier(tol=0.0).fit(MANY, CLASSES)
    assert model.stop_reason_ == "no step lowers the objective any further in floating-point numbers"
    with pytest.warns(match="max_iter=1 passes done"):
        classifier(tol=0.0, max_iter=1).fit(MANY, CLASSES)


def test_held_out_data_stop_and_choose():
    rows, y = load_digits(return_X_y=True)
    params = {"alpha": 1e-6, "n_iter_no_change": 3, "random_state": 0, "tol": 1e-6}
    model = classifier(early_stopping=True, **params).fit(rows, y)
    assert model.stop_reason_ == "the validation loss fell by no more than tol for 3 passes in a row"
    assert model.n_iter_ == 1 + np.argmin(model.validation_curve_)
    assert model.n_iter_ < len(model.validation_curve_) == len(model.loss_curve_)
    model = classifier(**params).fit(rows[:1000], y[:1000], X_val=rows[1000:], y_val=y[1000:])
    best = -model.predict_log_proba(rows[1000:])[np.arange(len(y) - 1000), y[1000:]].mean()
    assert best == pytest.approx(min(model.validation_curve_), rel=1e-9)


def test_callbacks():
    recorder = Recorder(stop_at=1)
    model = classifier(tol=0.0).set_callbacks(recorder).fit(MANY, CLASSES)
    assert recorder.events == recorder.expected(2)
    assert model.stop_reason_ == "a callback asked to stop"
    assert_same(recorder.models[1], model)
    assert recorder.models[0].loss_curve_ == model.loss_curve_[:1]


def test_an_interrupted_fit_leaves_the_last_whole_pass():
    params = {"tol": None, "random_state": 0}
    model = classifier(max_iter=5, **params).set_callbacks(Recorder(raise_at=2))
    with pytest.raises(KeyboardInterrupt):
        model.fit(MANY, CLASSES)
    assert_same(model, classifier(max_iter=3, **params).fit(MANY, CLASSES))


def test_errors_change_nothing():
    model = regressor().partial_fit(MANY, NUMBERS)
    before = snapshot(model)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(MANY, np.full(N, np.nan))
    assert snapshot(model) == before


def test_initial_weights():
    exact = classifier(tol=1e-12).fit(MANY, CLASSES)
    start = {"coef_init": exact.coef_, "intercept_init": exact.intercept_}
    model = classifier().fit(MANY, CLASSES, **start)
    assert model.n_iter_ == 1
    assert model.loss_curve_[0] == pytest.approx(exact.loss_curve_[-1], rel=1e-12)


# ---- what is refused -------------------------------------------------------------------------------------------------


@over(
    ("params", "message"),
    [
        ({"learning_rate": 0.1}, "'learning_rate' parameter has no meaning with Newton.*leave learning_rate at None"),
        ({"batch_size": 10}, "'batch_size' parameter has no meaning.*leave batch_size at 1, or choose another"),
        ({"batch_size": "full"}, "'batch_size' parameter has no meaning"),
        ({"sampling": "importance"}, "'sampling' parameter has no meaning"),
        ({"average": True}, "'average' parameter has no meaning"),
        ({"penalty": "l1"}, r"penalty=L1\(\) is not quadratic. Use penalty='l2' or optimizer='adagrad'"),
        ({"penalty": ElasticNet(0.5)}, "is not quadratic"),
        ({"positive": True}, "bounds.*optimizer='sgd' or 'adagrad'"),
        ({"bounds": (0.0, 1.0)}, "bounds"),
        ({"loss": "quantile"}, r"loss=Quantile\(quantile=0.5\) has kinks.*'huber', or optimizer='adagrad'"),
        ({"loss": EpsilonInsensitive()}, "has kinks"),
    ],
)
@over("method", ["fit", "partial_fit"])
def test_refusals(params, message, method):
    model = regressor().set_params(**params)
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X, Y)
    assert not hasattr(model, "coef_")


def test_too_many_features_are_refused():
    rows = sp.csr_array((2, 5000))
    with pytest.raises(ValueError, match=re.escape("n_features=5000 makes 5001 unknowns")):
        regressor().fit(rows, [0.0, 1.0])


# ---- hard data -------------------------------------------------------------------------------------------------------


def hard_data():
    r = np.random.default_rng(4)
    wild = np.random.default_rng(5).standard_cauchy((80, 3)) ** 3
    for n in (1, 2, 5, 80, 1200):
        Z = r.normal(size=(n, 4))
        y = Z @ [1.0, -1.0, 2.0, 0.0] + 0.1 * r.normal(size=n)
        yield "plain", Z, y
        yield "target of 1e8", Z, 1e8 * (1 + y)
        yield "tiny target", Z, 1e-12 * y
        yield "constant target", Z, np.full(n, 7.0)
        yield "scales", Z * [1e-20, 1e-5, 1e3, 1e9], y
        yield "collinear", np.hstack([Z, Z, Z + 1e-9, np.full((n, 1), 3.0), np.zeros((n, 2))]), y
        yield "wide", r.normal(size=(n, 30)), y
        yield "offsets", Z + 1e8, y
        yield "rows of zero", Z * (r.random((n, 1)) < 0.1), y
        yield "equal rows", np.repeat(Z[:1], n, axis=0), y
        yield "separable", Z, np.sign(y)
        yield "sorted", Z[np.argsort(y)], np.sort(y)
    yield "heavy tails", wild, wild.sum(axis=1)


@over("alpha", [0.0, 1e-4])
@over("kind", ["squared_error", "huber", "poisson", "gamma", "two classes", "three classes"])
def test_hard_data(kind, alpha):
    for name, rows, y in hard_data():
        model, target = regressor(kind, alpha=alpha) if "classes" not in kind else classifier(alpha=alpha), y
        if kind in ("poisson", "gamma"):
            target = np.abs(y) + 1e-3
        elif "classes" in kind:
            cuts = [0.5] if kind == "two classes" else [0.3, 0.6]
            target = np.digitize(y, np.quantile(y, cuts))
            if len(np.unique(target)) < 2:
                continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few rows of heavy tails take long
            model.fit(rows, target)
            assert np.isfinite(weights(model)).all(), name
            # Never worse than the best constant, which is near that of the sample that the fit began with.
            flat = clone(model).fit(np.zeros((len(rows), 1)), target)
            assert model.loss_curve_[-1] <= flat.loss_curve_[-1] + 1e-6 * abs(flat.loss_curve_[-1]), name
            stream = learn(model, target, [], np.ones(len(rows)), rows)
        assert np.isfinite(weights(stream)).all(), name


# ---- parts -----------------------------------------------------------------------------------------------------------


@over("row", LOSS_ROWS, ids=lambda row: repr(row.loss))
def test_losses_say_whether_they_are_smooth_and_quadratic(row):
    loss = row.loss
    if loss.joint:
        return
    y, h = row.valid[-1], 1e-9
    kinks = [kink * y if loss.coding == "sign" else y + kink for kink in row.kinks]
    jumps = [abs(loss.gradient(p + h, y) - loss.gradient(p - h, y)) > 0.1 for p in kinks]
    assert loss.smooth == (not any(jumps))
    bends = {loss.curvature(p, y) for p in np.linspace(-3, 3, 50) + y}
    assert loss.quadratic == (len(bends) == 1 and bends != {0.0})


@over("loss", [LogLoss(), Poisson(), Huber(), Tweedie(1.5)], ids=repr)
def test_a_curvature_from_differences(loss):
    y = 1.0
    for scale in (1.0, 1e-6) if loss.link == "identity" else (1.0,):
        for p in np.linspace(-3, 3, 13) * scale:
            found = Loss.curvature(loss, float(p), y * scale)
            assert found == pytest.approx(loss.curvature(float(p), y * scale), rel=1e-6, abs=1e-9)


@over("loss", [Huber(), LogLoss(), Poisson(), Multinomial(), LogCosh()], ids=repr)
def test_the_kernel_computes_what_the_hooks_do(loss):
    r = np.random.default_rng(6)
    n, K = 300, 3
    scores, weight = r.uniform(-3, 3, (n, K)), r.uniform(0, 2, n)
    y = r.integers(0, K, (n, 1)).astype(float) if loss.joint else r.uniform(0, 1, (n, K))
    totals, slopes, bends = np.empty(1 if loss.joint else K), np.empty((n, K)), np.empty((n, K))
    derivatives(loss, scores, y, weight, 0.0, loss.link == "identity", totals, slopes, bends)
    norm = logsumexp(scores, axis=1)
    truth = (np.arange(K) == y).astype(float) if loss.joint else y
    tail = [(float(v),) if loss.joint else () for v in norm]
    hooks = [[(float(scores[i, k]), float(truth[i, k]), *tail[i]) for k in range(K)] for i in range(n)]
    values = np.array([[loss.value(*h) for h in row] for row in hooks]) * weight[:, None]
    np.testing.assert_allclose(totals, values.sum() if loss.joint else values.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        slopes, [[w * loss.gradient(*h) for h in row] for w, row in zip(weight, hooks, strict=True)], atol=1e-12
    )
    if loss.joint:
        expected = weight[:, None] * np.exp(scores - norm[:, None])
    else:
        expected = [[w * loss.curvature(*h) for h in row] for w, row in zip(weight, hooks, strict=True)]
    np.testing.assert_allclose(bends, expected, rtol=1e-9, atol=1e-12)


def test_grams_and_solver():
    r = np.random.default_rng(7)
    Z, shares, weight = r.normal(size=(40, 3)), r.dirichlet(np.ones(4), 40), r.uniform(0, 2, 40)
    expected = np.zeros((12, 12))
    for z, s, w in zip(Z, shares, weight, strict=True):
        expected += w * np.kron(np.diag(s) - np.outer(s, s), np.outer(z, z))
    np.testing.assert_allclose(joint_gram(Z, weight[:, None] * shares)[0], expected, atol=1e-12)
    grams, right, diagonal = separate_grams(Z, shares), r.normal(size=(4, 3)), np.array([0.0, 1.0, 1e9])
    solution = solve(grams, diagonal, right)
    for gram, b, x in zip(grams, right, solution, strict=True):
        np.testing.assert_allclose((gram + np.diag(diagonal)) @ x, b, rtol=1e-9)
    assert np.isfinite(solve(np.ones((1, 3, 3)), np.zeros(3), right)).all()  # singular
    np.testing.assert_array_equal(solve(np.full((1, 3, 3), np.nan), diagonal, right), 0.0)


def test_three_classes_of_strings():
    model = classifier().fit(X, THREE)
    assert set(model.predict(X)) <= {"a", "b", "c"}
    np.testing.assert_allclose(model.intercept_.sum(), 0.0, atol=1e-9)  # no drift where the loss sees none
    assert classifier().fit(X, TWO).score(X, TWO) > 0.9


def test_constants_are_those_of_the_weighted_rows():
    y, weight = np.arange(4000.0).reshape(-1, 1), np.where(np.arange(4000) < 2000, 1e-3, 1.0)
    found = constants(SquaredError(), y, weight, 1)
    expected = np.average(y[:, 0], weights=weight)
    assert abs(found[0] - expected) < 5  # of some of the rows


def test_what_leaves_the_floating_point_numbers_in_partial_fit_changes_nothing():
    model = LinearRegressor(optimizer="newton", alpha=0.0).partial_fit(X, Y)
    before = model.coef_.copy()
    with pytest.warns(ConvergenceWarning, match="Scale the features"):
        model.partial_fit(X, Y / np.abs(Y).max() * 1e308)
    np.testing.assert_array_equal(model.coef_, before)
    assert model.stop_reason_.startswith("diverged")


class TwiceL2(L2):
    def value(self, w, alpha):
        return alpha * w * w

    def prox(self, w, step, alpha):
        return w / (1.0 + 2.0 * alpha * step)

    def amount(self, step, alpha):
        return 1.0 / (1.0 + 2.0 * alpha * step)


def test_the_strength_of_a_penalty_is_that_of_its_value():
    twice = LinearRegressor(optimizer="newton", penalty=TwiceL2(), alpha=1.0).fit(X, Y)
    once = LinearRegressor(optimizer="newton", alpha=2.0).fit(X, Y)
    assert_same(twice, once, rtol=1e-10)
