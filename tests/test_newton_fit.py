"""Streaming Newton: passes and stopping, what is refused, hard data, its parts."""

import pickle
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from components import LOSS_ROWS
from estimators import THREE, TWO, X, Y, assert_same, snapshot, weights
from newton_cases import (
    CASES,
    CLASSES,
    MANY,
    NUMBERS,
    LogCosh,
    N,
    classifier,
    learn,
    objective,
    regressor,
)
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from test_callbacks import Recorder

from sksgd import LinearRegressor
from sksgd.base import Loss
from sksgd.core.descent import constants
from sksgd.core.quadratic import diagonals, joint_gram, rescaled, secant, separate_grams, solve
from sksgd.kernels.derivatives import derivatives
from sksgd.kernels.standardise import raise_to_sizes
from sksgd.losses import Huber, LogLoss, Multinomial, Poisson, SquaredError, Tweedie
from sksgd.penalties import L2

over = pytest.mark.parametrize


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
            # Farther from the minimum curvatures change, which the estimate allows for.
            assert gap / 5 < model.optimality_gap_ < (5 if tol < 1e-2 else 20) * gap
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


class Kinked(Multinomial):
    coding, smooth = "value", False

    def in_domain(self, y):
        return np.isfinite(y)


@over(
    ("params", "message"),
    [
        (
            {"learning_rate": 0.1},
            "'learning_rate' parameter has no meaning with optimizer='newton'.*leave learning_rate at None",
        ),
        ({"batch_size": 10}, "'batch_size' parameter has no meaning.*leave batch_size at 1, or choose an"),
        ({"batch_size": "full"}, "'batch_size' parameter has no meaning"),
        ({"sampling": "importance"}, "'sampling' parameter has no meaning"),
        ({"average": True}, "'average' parameter has no meaning"),
        ({"loss": Kinked()}, r"loss=Kinked\(\) has kinks and is joint.*Use a smooth loss or optimizer='adagrad'"),
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
            warnings.filterwarnings("ignore", ".*sorted by target")
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
    derivatives(loss, scores, y, weight, 0.0, loss.link == "identity", np.zeros(K), 1.0, totals, slopes, bends)
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
    of_all = diagonals(Multinomial(), Z, weight[:, None] * shares)
    np.testing.assert_allclose(of_all, np.diag(expected)[None], atol=1e-12)
    of_each = np.diagonal(separate_grams(Z, shares), axis1=1, axis2=2)
    np.testing.assert_allclose(diagonals(SquaredError(), Z, shares), of_each, atol=1e-12)
    sizes = np.full(3, 0.5)
    raise_to_sizes(Z, sizes)
    np.testing.assert_array_equal(sizes, np.maximum(np.abs(Z).max(axis=0), 0.5))
    for other in (of_each, 0.25 * of_each):
        changed = rescaled(separate_grams(Z, shares), other, 3)
        np.testing.assert_allclose(np.diagonal(changed, axis1=1, axis2=2), other, rtol=1e-12)
        np.testing.assert_allclose(changed, separate_grams(Z, shares) * (other / of_each)[0, 0], rtol=1e-9)
    grams, right, diagonal = separate_grams(Z, shares), r.normal(size=(4, 3)), np.array([0.0, 1.0, 1e9])
    solution = solve(grams, diagonal, right)
    for gram, b, x in zip(grams, right, solution, strict=True):
        np.testing.assert_allclose((gram + np.diag(diagonal)) @ x, b, rtol=1e-9)
    assert np.isfinite(solve(np.ones((1, 3, 3)), np.zeros(3), right)).all()  # singular
    np.testing.assert_array_equal(solve(np.full((1, 3, 3), np.nan), diagonal, right), 0.0)


def test_secants():
    r = np.random.default_rng(8)
    half, s = r.normal(size=(2, 3, 5, 5)), r.normal(size=(3, 5))
    grams, truth = half @ half.transpose(0, 1, 3, 2)
    s[1] = 0.0  # did not move
    change = np.einsum("kij,kj->ki", truth, s)
    new = secant(grams, s, change)
    np.testing.assert_allclose(np.einsum("kij,kj->ki", new, s), change, atol=1e-12)
    np.testing.assert_allclose(new, new.transpose(0, 2, 1), atol=1e-12)
    assert (np.linalg.eigvalsh(new) > 0).all()
    np.testing.assert_array_equal(new[1], grams[1])
    np.testing.assert_array_equal(secant(grams, s, -change), grams)  # no convex function changes so


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
