"""Streaming Newton with any convex penalty and with bounds."""

import numpy as np
import pytest
from estimators import assert_same
from newton_cases import CLASSES, MANY, NUMBERS, ROW_WEIGHTS, SIGNAL, LogCosh, N, classifier, learn, regressor
from scipy.optimize import lsq_linear, minimize
from sklearn.base import clone
from sklearn.linear_model import ElasticNet as TheirElasticNet
from sklearn.linear_model import Lasso, LogisticRegression

from sksgd.base import Penalty
from sksgd.core.penalised import Proximal
from sksgd.core.quadratic import Coordinates
from sksgd.losses import Huber, Poisson, SquaredError
from sksgd.penalties import L1, L2, ElasticNet

over = pytest.mark.parametrize

SIZE = MANY.std(axis=0)
Z = (MANY - MANY.mean(axis=0)) / SIZE


# ---- the minimum of a quadratic model --------------------------------------------------------------------------------


def brute(penalty, alpha, bounds, gram, slope, mass, scale):
    """Coordinate descent in plain Python, for as long as anything moves, from 0."""
    u = np.zeros(len(slope))
    for _ in range(100000):
        before = u.copy()
        for j in range(len(u)):
            bend = gram[j, j]
            aim = u[j] - (slope[j] + gram[j] @ u) / bend
            raw = penalty.prox(aim / scale[j], mass / (bend * scale[j] ** 2), alpha[j])
            u[j] = np.clip(raw, *bounds[:, j]) * scale[j]
        if np.abs(u - before).max() < 1e-15:
            break
    return u


class Rounded(Penalty):
    """Smooth, convex, not quadratic, and known by its prox alone: alpha sqrt(1 + w^2)."""

    def value(self, w, alpha):
        return alpha * (1.0 + w * w) ** 0.5

    def prox(self, w, step, alpha):
        low, high = min(w, 0.0), max(w, 0.0)
        for _ in range(80):
            u = 0.5 * (low + high)
            if u - w + step * alpha * u / (1.0 + u * u) ** 0.5 > 0.0:
                high = u
            else:
                low = u
        return 0.5 * (low + high)


@over("penalty", [L1(), ElasticNet(0.3), L2(), Rounded()], ids=repr)
@over("free", [True, False], ids=["free", "bounded"])
@over("correlation", [0.0, 0.95])
def test_the_minimum_of_a_model(penalty, free, correlation):
    r = np.random.default_rng(0)
    d = 12
    rows = r.normal(size=(60, d)) + 3 * correlation * r.normal(size=(60, 1))
    scale = 10.0 ** r.uniform(-2, 2, d)
    gram, mass = rows.T @ rows, 60.0
    slope = -rows.T @ (rows @ (r.normal(size=d) * (r.random(d) < 0.5)) + r.normal(size=60))
    alpha = np.where(r.random(d) < 0.2, 0.0, 0.3) * scale
    bounds = np.array([np.full(d, -np.inf), np.full(d, np.inf)])
    if not free:
        bounds = np.sort(r.normal(size=(2, d)), axis=0) / scale
        bounds[0, 0], bounds[1, 1] = -np.inf, np.inf
    terms = Proximal(penalty, alpha, bounds, Coordinates(np.zeros(d), scale, False), mass)
    expected = brute(penalty, alpha, bounds, gram, slope, mass, scale)
    starts = np.array([np.zeros(d), r.normal(size=d)])
    starts = terms.inside(starts)
    slopes = slope + starts @ gram
    step = terms.minimise(gram[None], slopes, starts)
    np.testing.assert_allclose(starts + step.s, [expected] * 2, rtol=1e-8, atol=1e-10 * np.abs(expected).max())
    np.testing.assert_array_equal((starts + step.s == 0).any(axis=0), expected == 0)
    cost = [slope @ u + 0.5 * u @ gram @ u + terms.value(u[None])[0] for u in (*starts, expected)]
    np.testing.assert_allclose(step.gain, np.array(cost[:2]) - cost[2], rtol=1e-8)
    slack = 1e-12 * np.abs(step.fall)
    assert (step.fall >= step.gain - slack).all()  # a convex function falls fastest in the beginning


def test_a_model_without_curvature_and_one_that_is_not_finite():
    terms = Proximal(L1(), 0.5, None, Coordinates(np.zeros(3), np.ones(3), False), 1.0)
    w, slope = np.zeros((1, 3)), np.array([[0.4, -0.6, 0.0]])
    s = terms.minimise(np.zeros((1, 3, 3)), slope, w).s[0]
    assert s[1] > 1e3
    assert s[[0, 2]].tolist() == [0.0, 0.0]
    for grams in (np.full((1, 3, 3), np.nan), np.full((1, 3, 3), np.inf)):
        with np.errstate(invalid="ignore"):
            s = terms.minimise(grams, slope, w).s
        np.testing.assert_array_equal(s, 0.0)


def test_duplicate_columns_and_more_columns_than_rows():
    r = np.random.default_rng(1)
    for rows in (np.hstack([Z[:200], Z[:200]]), r.normal(size=(40, 90)), np.zeros((50, 3))):
        y = rows @ r.normal(size=rows.shape[1]) + r.normal(size=len(rows))
        for alpha in (1e-3, 0.3):
            model = regressor(penalty="l1", alpha=alpha).fit(rows, y)
            gradient = (rows - rows.mean(axis=0)).T @ (model.predict(rows) - y) / len(rows)
            coef = model.coef_
            np.testing.assert_allclose(gradient[coef != 0], -alpha * np.sign(coef[coef != 0]), rtol=1e-6)
            assert (np.abs(gradient) <= alpha * (1 + 1e-6)).all()


# ---- against scikit-learn and scipy ----------------------------------------------------------------------------------


@over("alpha", [0.01, 0.3, 1.0])
@over("l1_ratio", [1.0, 0.5])
def test_one_pass_over_squared_errors_is_lasso(alpha, l1_ratio):
    theirs = Lasso(alpha) if l1_ratio == 1.0 else TheirElasticNet(alpha, l1_ratio=l1_ratio)
    theirs.set_params(tol=1e-13, max_iter=100000).fit(Z, NUMBERS, sample_weight=ROW_WEIGHTS)
    ours = regressor(penalty="elasticnet", l1_ratio=l1_ratio, alpha=alpha)
    for method in ("fit", "partial_fit"):
        model = getattr(clone(ours), method)(Z, NUMBERS, sample_weight=ROW_WEIGHTS)
        np.testing.assert_allclose(model.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_array_equal(model.coef_ == 0, theirs.coef_ == 0)
        assert model.n_iter_ == 1


def test_raw_columns_with_a_strength_to_match():
    theirs = Lasso(0.3, tol=1e-13).fit(Z, NUMBERS)
    ours = regressor(penalty="l1", alpha=0.3 * SIZE).fit(MANY, NUMBERS)
    np.testing.assert_allclose(ours.coef_ * SIZE, theirs.coef_, rtol=1e-7)
    np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)


@over("n_classes", [2, 3])
@over("tol", [1e-4, 1e-12])
def test_l1_logistic_regression_of_scikit_learn(n_classes, tol):
    y = np.minimum(CLASSES, n_classes - 1)
    params = {"solver": "saga", "l1_ratio": 1.0, "tol": 1e-12, "max_iter": 20000}
    for alpha in (0.01, 0.05):
        theirs = LogisticRegression(C=1 / (alpha * N), **params).fit(Z, y)
        ours = classifier(penalty="l1", alpha=alpha, tol=tol).fit(Z, y)
        np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)
        if tol < 1e-4:
            np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
            assert ours.optimality_gap_ < 1e-11


@over("bounds", [(0.0, np.inf), (-0.2, 0.3), ([-1.0, 0.0, 0.1, -1.0, 0.0], [1.0, 0.0, 0.4, 0.5, np.inf])])
def test_bounds(bounds):
    low, high = (np.broadcast_to(side, 5) for side in bounds)
    rows = np.column_stack([Z, np.ones(N)])
    free = [-np.inf], [np.inf]
    ends = np.append(low, free[0]), np.append(high, free[1])
    high_enough = np.maximum(ends[1], ends[0] + 1e-12)  # scipy wants room
    exact = lsq_linear(rows, NUMBERS, (ends[0], high_enough), tol=1e-14).x
    for model in (regressor(alpha=0.0, bounds=bounds), regressor(penalty=None, bounds=bounds)):
        model.fit(Z, NUMBERS)
        np.testing.assert_allclose([*model.coef_, *model.intercept_], exact, atol=1e-6)
        assert ((low <= model.coef_) & (model.coef_ <= high)).all()
    y, signs = CLASSES > 0, np.where(CLASSES > 0, 1.0, -1.0)

    def objective(w):
        margins = signs * (rows @ w)
        ahead = -signs / (1 + np.exp(margins)) / N
        return np.logaddexp(0, -margins).mean() + 0.005 * w[:5] @ w[:5], rows.T @ ahead + 0.01 * np.append(w[:5], 0.0)

    best = minimize(
        objective, np.clip(np.zeros(6), *ends), jac=True, bounds=list(zip(*ends, strict=True)), options={"ftol": 1e-15}
    )
    model = classifier(alpha=0.01, bounds=bounds, tol=1e-12).fit(Z, y)
    assert model.loss_curve_[-1] <= best.fun + 1e-9
    assert ((low <= model.coef_) & (model.coef_ <= high)).all()


def test_positive_and_l1_together_with_several_targets():
    targets = np.column_stack([NUMBERS, SIGNAL**2])
    both = regressor(penalty="l1", alpha=0.1, positive=True).fit(Z, targets)
    for k in range(2):
        theirs = Lasso(0.1, positive=True, tol=1e-12).fit(Z, targets[:, k])
        np.testing.assert_allclose(both.coef_[k], theirs.coef_, atol=1e-8)
        alone = regressor("huber", penalty="l1", alpha=0.1, positive=True, tol=1e-12).fit(Z, targets[:, k])
        together = regressor("huber", penalty="l1", alpha=0.1, positive=True, tol=1e-12).fit(Z, targets)
        np.testing.assert_allclose(together.coef_[k], alone.coef_, atol=1e-6)


# ---- any smooth loss, any penalty ------------------------------------------------------------------------------------


@over("loss", [SquaredError(), Huber(0.5), Poisson(), LogCosh()], ids=repr)
@over("penalty", [L1(), ElasticNet(0.4), Rounded()], ids=repr)
@over("bounds", [None, (-0.02, np.inf)], ids=["free", "bounded"])
def test_optimality(loss, penalty, bounds):
    """No proximal step, to the weights' own scale, moves any of them."""
    y = np.exp(np.clip(NUMBERS / 3, -3, 3)) if loss.link == "log" else NUMBERS
    alpha = np.array([0.05, 0.0, 0.2, 0.1, 0.02])
    model = regressor(loss, penalty=penalty, alpha=alpha * SIZE, bounds=bounds, tol=1e-14, max_iter=60)
    model.fit(MANY, y, sample_weight=ROW_WEIGHTS)
    scores, share = MANY @ model.coef_ + model.intercept_, ROW_WEIGHTS / ROW_WEIGHTS.sum()
    slopes = np.vectorize(loss.gradient)(scores, y) * share
    ahead = slopes @ (MANY - MANY.mean(axis=0))
    low, high = (-np.inf, np.inf) if bounds is None else bounds
    for w, g, size, strength in zip(model.coef_, ahead, SIZE, alpha * SIZE, strict=True):
        step = 0.1 / size**2
        moved = penalty.prox(w - step * g, step, strength) if strength else w - step * g
        assert abs(np.clip(moved, low, high) - w) * size < 2e-6
    assert abs(slopes.sum()) < 1e-6


def test_the_gap_is_what_it_says():
    y = CLASSES > 0
    best = classifier(penalty="l1", alpha=0.02, tol=1e-13).fit(MANY[:900], y[:900]).loss_curve_[-1]
    for max_iter in range(1, 5):
        model = classifier(penalty="l1", alpha=0.02, tol=None, max_iter=max_iter).fit(MANY[:900], y[:900])
        gap = model.loss_curve_[-1] / best - 1
        assert gap < 5 * model.optimality_gap_ + 1e-12


# ---- a stream --------------------------------------------------------------------------------------------------------

STREAMS = {
    "lasso": (regressor(penalty="l1", alpha=0.3), NUMBERS),
    "huber, elastic net": (regressor("huber", penalty="elasticnet", alpha=0.3, l1_ratio=0.5), NUMBERS),
    "two classes, l1": (classifier(penalty="l1", alpha=0.01), CLASSES > 0),
    "three classes, l1": (classifier(penalty="l1", alpha=0.01), CLASSES),
    "two classes, positive": (classifier(positive=True), CLASSES > 0),
}


@over("case", STREAMS)
def test_chunks_and_looking_do_not_matter(case):
    model, y = STREAMS[case]
    whole = learn(model, y, [])
    assert_same(learn(model, y, [1, 7, 500, 501, 1900], visit=lambda m: (m.predict(MANY[:2]), m)[1]), whole, rtol=1e-10)
    assert learn(model, y, [3], rows=MANY.astype(np.float32)).coef_.dtype == np.float32


@over("case", STREAMS)
def test_a_stream_comes_near_the_minimum_and_fit_goes_on_from_it(case):
    model, y = STREAMS[case]
    stream, exact = learn(model, y, []), clone(model).set_params(tol=1e-12)
    exact.fit(MANY, y, sample_weight=ROW_WEIGHTS)
    again = clone(model).set_params(warm_start=True, tol=None, max_iter=1)
    again.fit(MANY, y, sample_weight=ROW_WEIGHTS, coef_init=stream.coef_, intercept_init=stream.intercept_)
    assert again.loss_curve_[-1] <= exact.loss_curve_[-1] * (1 + 1e-3)


def test_bounds_may_come_and_go():
    y = CLASSES > 0
    model = classifier().partial_fit(MANY[:1000], y[:1000], classes=[False, True])
    assert (model.coef_ < -1e-6).any()
    model.set_params(positive=True).partial_fit(MANY[1000:2000], y[1000:2000])
    assert (model.coef_ >= 0).all()
    model.set_params(bounds=(1e-6, 1e6)).partial_fit(MANY[2000:], y[2000:])
    assert (model.coef_ >= 1e-6).all()
    model.set_params(warm_start=True, tol=1e-12).fit(MANY, y)
    exact = classifier(bounds=(1e-6, 1e6), tol=1e-12).fit(MANY, y)
    assert model.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=1e-10)
    start = classifier(positive=True, max_iter=1, tol=None).fit(MANY, y, coef_init=-np.ones((1, 5)))
    assert (start.coef_ >= 0).all()
