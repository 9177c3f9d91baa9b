"""Streaming Newton with losses that have kinks: smoothing, its share in the gap, streams."""

import pickle
import warnings

import numpy as np
import pytest
from estimators import assert_same, weights
from newton_cases import MANY, NUMBERS, ROW_WEIGHTS, SIGNAL, learn, objective, regressor
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import QuantileRegressor
from sklearn.svm import LinearSVC, LinearSVR
from test_newton_fit import hard_data

from sksgd.base import Loss
from sksgd.core.descent import Kinked, Margins, constants
from sksgd.kernels.derivatives import derivatives
from sksgd.losses import EpsilonInsensitive, Hinge, Perceptron, Quantile

over = pytest.mark.parametrize

Z = (MANY - MANY.mean(axis=0)) / MANY.std(axis=0)
SIGNS = np.where(NUMBERS > 3.0, 1.0, -1.0)


class NumberHinge(Hinge):
    """A hinge that `LinearRegressor` accepts."""

    coding = "value"


class NumberPerceptron(Perceptron):
    coding = "value"


class Absolute(Loss):
    """Without a prox of its own."""

    smooth = False

    def value(self, p, y):
        return abs(p - y)

    def gradient(self, p, y):
        return 1.0 if p > y else (-1.0 if p < y else 0.0)


KINKED = [Quantile(0.5), Quantile(0.9), EpsilonInsensitive(0.3), Hinge(), Hinge(0.5), Perceptron(), Absolute()]


# ---- envelopes -------------------------------------------------------------------------------------------------------


@over("loss", KINKED, ids=repr)
@over("step", [1e-3, 0.4, 7.0])
def test_proximal_points_of_losses(loss, step):
    for y in (-1.0, 1.0):
        for p in np.linspace(-3, 3, 41).tolist():
            found = loss.prox(p, y, step)

            def cost(q, p=p, y=y):
                return loss.value(q, y) + (q - p) ** 2 / (2 * step)

            best = minimize_scalar(cost, bracket=(p - 1.1 * step, p + step), tol=1e-12)
            assert cost(found) <= best.fun + 1e-12
            assert found == pytest.approx(Loss.prox(loss, p, y, step), abs=1e-12 * step)


@over("loss", KINKED, ids=repr)
@over("span", [1.0, 0.5])
def test_the_kernel_smooths(loss, span):
    r = np.random.default_rng(0)
    n, width = 300, np.array([0.7, 0.0])
    scores, y, weight = r.uniform(-2, 2, (n, 2)), np.sign(r.normal(size=(n, 2))), r.uniform(0.1, 2, n)
    totals, slopes, bends = np.empty(2), np.empty((n, 2)), np.empty((n, 2))
    derivatives(loss, scores, y, weight, 0.0, True, width, span, totals, slopes, bends)
    points = [[(float(p), float(t)) for p, t in zip(*row, strict=True)] for row in zip(scores, y, strict=True)]
    q = np.array([loss.prox(*row[0], 0.7) for row in points])
    away = scores[:, 0] - q
    envelope = np.array([loss.value(float(v), row[0][1]) for v, row in zip(q, points, strict=True)]) + away**2 / 1.4
    exact = np.array([loss.value(*row[1]) for row in points])
    np.testing.assert_allclose(totals, [weight @ envelope, weight @ exact], rtol=1e-9)
    np.testing.assert_allclose(slopes[:, 0], weight * away / 0.7, atol=1e-9)
    np.testing.assert_allclose(slopes[:, 1], weight * [loss.gradient(*row[1]) for row in points], atol=1e-12)
    h = span * 0.7
    shift = [loss.prox(row[0][0] + h, row[0][1], 0.7) - loss.prox(row[0][0] - h, row[0][1], 0.7) for row in points]
    np.testing.assert_allclose(bends[:, 0], weight * (1 - np.array(shift) / (2 * h)) / 0.7, atol=1e-9)
    np.testing.assert_array_equal(bends[:, 1], 0.0)


@over("loss", KINKED, ids=repr)
def test_what_smoothing_costs(loss):
    """The bounds on the minimum of losses of a constant, whatever the width, at the smooth minimum and beside it."""
    r = np.random.default_rng(1)
    y, weight = r.normal(size=(50, 1)), r.uniform(0.1, 2, 50)
    exact = Margins(loss, np.sign(y) if loss.coding == "sign" else y, weight, 1)

    def total(margins, p):
        return margins.total(np.full((50, 1), p))[0]

    least = min(total(exact, p) for p in np.linspace(-3, 3, 2001))
    for width in (1e-2, 0.3, 4.0):
        smooth = exact.smoothed(np.array([width]))
        best = minimize_scalar(lambda p, smooth=smooth: total(smooth, p), bounds=(-3, 3), options={"xatol": 1e-12})
        for p in best.x + 1e-3 * width * np.array([0.0, -1.0, 0.3]):
            scores = np.full((50, 1), p)
            totals, slopes, bends = smooth.derivatives(scores, 0.0)
            lowered, slack, region = smooth.slack(scores, totals, slopes, bends)[:, 0]
            assert totals[0] + lowered == pytest.approx(total(exact, p))
            assert -1e-9 <= slack <= lowered + 1e-9
            above = max(totals[0] - best.fun, 0.0)
            assert total(exact, p) - slack - above - np.sqrt(2 * above * region) <= least + 1e-5


@over("loss", [Quantile(0.25), EpsilonInsensitive(0.0), Absolute()], ids=repr)
@over("offset", [0.0, 1e6])
def test_constants(loss, offset):
    y = np.random.default_rng(2).normal(size=(801, 1)) + offset
    level = getattr(loss, "quantile", 0.5)
    assert abs(constants(loss, y, None, 1)[0] - np.quantile(y, level)) < 1e-2


def test_a_stream_sees_true_losses_with_curvatures_of_envelopes():
    r = np.random.default_rng(3)
    scores, y, weight = r.normal(size=(40, 1)), r.normal(size=(40, 1)), r.uniform(0, 2, 40)
    mixed = Kinked(Quantile(0.3), y, weight, 1, np.array([0.5]))
    exact, smooth = mixed.smoothed(None), Margins(Quantile(0.3), y, weight, 1, np.array([0.5]))
    totals, slopes, bends = mixed.derivatives(scores, 0.1)
    np.testing.assert_array_equal(totals, mixed.total(scores))
    np.testing.assert_array_equal(totals, exact.total(scores))
    np.testing.assert_array_equal(slopes, exact.derivatives(scores, 0.0)[1])
    np.testing.assert_array_equal(bends, smooth.derivatives(scores, 0.1)[2])


# ---- the minimum -----------------------------------------------------------------------------------------------------


@over("quantile", [0.5, 0.9])
@over("alpha", [0.0, 0.02, 0.1])
def test_quantile_regression_of_scikit_learn(quantile, alpha):
    rows, y = Z[:900], NUMBERS[:900]
    theirs = QuantileRegressor(quantile=quantile, alpha=alpha).fit(rows, y, sample_weight=ROW_WEIGHTS[:900])
    share = ROW_WEIGHTS[:900] / ROW_WEIGHTS[:900].sum()
    residuals = theirs.predict(rows) - y
    best = share @ np.where(residuals <= 0, -quantile * residuals, (1 - quantile) * residuals)
    best += alpha * np.abs(theirs.coef_).sum()
    for tol in (1e-3, 1e-4, 1e-8):
        ours = regressor(Quantile(quantile), penalty="l1", alpha=alpha, tol=tol, random_state=0)
        ours.fit(rows, y, sample_weight=ROW_WEIGHTS[:900])
        gap = ours.loss_curve_[-1] / best - 1
        assert -1e-9 < gap <= tol
        assert gap <= 5 * ours.optimality_gap_ + 1e-9
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-3)


@over("loss", [NumberHinge(), EpsilonInsensitive(0.5)], ids=repr)
def test_support_vector_machines_of_scikit_learn(loss):
    rows, alpha = Z[:500], 0.01
    params = {"C": 1 / (alpha * 500), "fit_intercept": False, "tol": 1e-10, "max_iter": 10**6, "random_state": 0}
    if isinstance(loss, Hinge):
        y, theirs = SIGNS[:500], LinearSVC(loss="hinge", **params)
    else:
        y, theirs = NUMBERS[:500], LinearSVR(epsilon=0.5, **params)
    coef = theirs.fit(rows, y).coef_.ravel()
    best = np.mean([loss.value(float(p), float(t)) for p, t in zip(rows @ coef, y, strict=True)])
    best += alpha / 2 * coef @ coef
    ours = regressor(loss, alpha=alpha, fit_intercept=False, tol=1e-8).fit(rows, y)
    assert abs(ours.loss_curve_[-1] / best - 1) < 1e-7
    np.testing.assert_allclose(ours.coef_, coef, atol=1e-3)
    assert ours.loss_curve_[-1] == pytest.approx(objective(ours, rows, y, np.ones(500), alpha), rel=1e-10)


CASES = {
    "quantile": (regressor(Quantile(0.8)), NUMBERS),
    "tube": (regressor(EpsilonInsensitive(1.0), alpha=0.01), NUMBERS),
    "hinge": (regressor(NumberHinge(), alpha=0.01), SIGNS),
    "absolute, l1": (regressor(Absolute(), penalty="l1", alpha=0.1), NUMBERS),
    "hinge, bounds": (regressor(NumberHinge(), bounds=(-0.01, 0.1)), SIGNS),
}


@over("case", CASES)
def test_the_gap_is_what_it_says(case):
    model, y = CASES[case]
    best = clone(model).set_params(tol=1e-10, random_state=0).fit(MANY, y, sample_weight=ROW_WEIGHTS).loss_curve_[-1]
    for seed in range(3):
        found = clone(model).set_params(random_state=seed).fit(MANY, y, sample_weight=ROW_WEIGHTS)
        assert found.loss_curve_[-1] / best - 1 <= min(1e-4, 5 * found.optimality_gap_ + 1e-9)
        assert found.n_iter_ < 30
        assert found.stop_reason_ == "the objective is within tol of its minimum, by the estimate in optimality_gap_"
    found = clone(model).set_params(max_iter=1, tol=None).fit(MANY, y, sample_weight=ROW_WEIGHTS)
    assert found.loss_curve_[-1] / best - 1 <= 5 * found.optimality_gap_


def test_units_and_targets_do_not_matter():
    targets = np.column_stack([NUMBERS, 1e6 * SIGNAL**2])
    scale = 10.0 ** np.random.default_rng(3).uniform(-3, 3, 5)
    together = (
        regressor("quantile", alpha=0.0, tol=1e-9, random_state=0).fit(MANY * scale, targets).predict(MANY * scale)
    )
    for k in range(2):
        alone = regressor("quantile", alpha=0.0, tol=1e-9, random_state=0).fit(MANY, targets[:, k])
        np.testing.assert_allclose(together[:, k], alone.predict(MANY), atol=1e-3 * targets[:, k].std())


def test_weights_are_repetitions():
    times = np.random.default_rng(2).integers(0, 4, 400)
    repeated = np.repeat(np.arange(400), times)
    model = regressor("quantile", alpha=0.01, tol=1e-9)
    one = clone(model).fit(MANY[:400], NUMBERS[:400], sample_weight=times)
    two = clone(model).fit(MANY[repeated], NUMBERS[repeated])
    assert one.loss_curve_[-1] == pytest.approx(two.loss_curve_[-1], rel=1e-8)


@over("k", [1, 2])
def test_passes_in_two_calls(k):
    params = {"tol": None, "random_state": 0}
    whole = regressor("quantile", max_iter=4, **params).fit(MANY, NUMBERS)
    parts = regressor("quantile", max_iter=k, warm_start=True, **params).fit(MANY, NUMBERS)
    parts = pickle.loads(pickle.dumps(parts)).set_params(max_iter=4 - k).fit(MANY, NUMBERS)
    assert_same(parts, whole)
    assert parts.loss_curve_ == whole.loss_curve_


# ---- a stream --------------------------------------------------------------------------------------------------------


@over("case", CASES)
def test_chunks_and_looking_do_not_matter(case):
    model, y = CASES[case]
    whole = learn(model, y, [])
    assert_same(learn(model, y, [1, 7, 500, 501, 1900], visit=lambda m: (m.predict(MANY[:2]), m)[1]), whole, rtol=1e-10)
    assert np.isnan(whole.optimality_gap_)


@over("case", CASES)
def test_a_pass_over_a_stream_comes_near_the_minimum(case):
    model, y = CASES[case]
    best = clone(model).set_params(tol=1e-8).fit(MANY, y, sample_weight=ROW_WEIGHTS).loss_curve_[-1]
    stream = learn(model, y, [])
    again = clone(model).set_params(warm_start=True, tol=None, max_iter=1)
    again.fit(MANY, y, sample_weight=ROW_WEIGHTS, coef_init=stream.coef_, intercept_init=stream.intercept_)
    alone = objective(stream, MANY, y, ROW_WEIGHTS, 0.0)
    exact = clone(model).set_params(tol=1e-8).fit(MANY, y, sample_weight=ROW_WEIGHTS)
    assert alone <= objective(exact, MANY, y, ROW_WEIGHTS, 0.0) * 1.01
    assert again.loss_curve_[-1] <= best * 1.005


# ---- hard data -------------------------------------------------------------------------------------------------------


@over("loss", [Quantile(0.9), EpsilonInsensitive(0.1), NumberHinge(), NumberPerceptron()], ids=repr)
@over("penalty", ["l1", "l2"])
def test_hard_data(loss, penalty):
    for name, rows, y in hard_data():
        target = np.where(y > np.median(y), 1.0, -1.0) if isinstance(loss, Hinge | Perceptron) else y
        model = regressor(loss, penalty=penalty, alpha=1e-4)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", ".*sorted by target")
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", ".*sorted by target")
            model.fit(rows, target)
            flat = clone(model).fit(np.zeros((len(rows), 1)), target)
            stream = learn(model, target, [], np.ones(len(rows)), rows)
        assert np.isfinite(weights(model)).all(), name
        assert np.isfinite(weights(stream)).all(), name
        assert model.loss_curve_[-1] <= flat.loss_curve_[-1] * (1 + 1e-4) + 1e-30, name


def test_a_perceptron_rests_at_no_loss():
    model = regressor(NumberPerceptron(), alpha=0.0).fit(Z, SIGNS)
    assert model.loss_curve_[-1] <= 1e-12
    separable = np.where(Z[:, 0] > 0, 1.0, -1.0)
    model = regressor(NumberHinge(), alpha=0.0, tol=1e-6).fit(Z, separable)
    assert (np.sign(model.predict(Z)) == separable).all()
    assert model.loss_curve_[-1] < 1e-6
