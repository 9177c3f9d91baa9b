"""What a fit says of its gap to the minimum, on data that make that hard to know."""

import numpy as np
import pytest
from newton_cases import LogCosh, objective
from scipy.optimize import linprog, minimize_scalar
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from sksgd import LinearRegressor, LogisticClassifier, SGDClassifier
from sksgd.core import whitening
from sksgd.core.batches import Block
from sksgd.core.descent import Margins, link_of_means, tally
from sksgd.core.design import Design
from sksgd.core.penalised import Tangent, penalised
from sksgd.core.problem import Problem
from sksgd.core.quadratic import Coordinates
from sksgd.losses import Gamma, LogLoss, Multinomial, Poisson, Quantile
from sksgd.optimizers import Newton
from sksgd.penalties import L1, L2, ElasticNet

over = pytest.mark.parametrize
WITHIN = "the objective is within tol of its minimum, by the estimate in optimality_gap_"


def standardised(rows):
    size = rows.std(axis=0)
    return (rows - rows.mean(axis=0)) / np.where(size > 0, size, 1.0)


def noisy_signs(n, d, seed):
    r = np.random.default_rng(seed)
    rows = r.normal(size=(n, d))
    return rows, np.where(rows @ r.normal(size=d) + 0.3 * np.sqrt(d) * r.normal(size=n) > 0, 1.0, -1.0)


DIGITS, WINE, CANCER = load_digits(), load_wine(), load_breast_cancer()
TWO = DIGITS.target < 2
SIGNS = {
    "digits": (DIGITS.data[TWO] / 16, 1.0 - 2.0 * DIGITS.target[TWO]),
    "wine": (standardised(WINE.data), 2.0 * (WINE.target == 0) - 1.0),
    "cancer": (standardised(CANCER.data), 2.0 * CANCER.target - 1.0),
    "rows 2 d": noisy_signs(200, 100, 0),
    "rows d / 2": noisy_signs(30, 60, 1),
    "rows 40 d": noisy_signs(200, 5, 2),
}


# ---- kinks -----------------------------------------------------------------------------------------------------------


@over("data", SIGNS)
@over("alpha", [1e-3, 1e-4])
def test_hinge_of_classes_that_can_be_separated(data, alpha):
    """Support vector machines of libsvm are the oracle, exact to some 1e-4."""
    rows, signs = SIGNS[data]
    model = SGDClassifier(optimizer="auto", alpha=alpha, max_iter=300).fit(rows, signs)
    theirs = SVC(kernel="linear", C=1 / (alpha * len(signs)), tol=1e-7).fit(rows, signs)

    def value(model):
        losses = np.maximum(0.0, 1.0 - signs * model.decision_function(rows))
        return losses.mean() + 0.5 * alpha * np.sum(model.coef_**2)

    assert model.stop_reason_ == WITHIN
    assert value(model) <= (1 + 1e-3) * value(theirs)


@over("data", ["digits", "wine", "rows d / 2", "rows 40 d"])
def test_hinge_with_l1(data):
    """By the linear programme over positive and negative parts of weights, the intercept's, and losses."""
    (rows, signs), alpha = SIGNS[data], 1e-3
    n, d = rows.shape
    costs = np.concatenate([np.full(2 * d, alpha), [0.0, 0.0], np.full(n, 1 / n)])
    one, ours = signs[:, None], signs[:, None] * rows
    exact = linprog(costs, np.hstack([-ours, ours, -one, one, -np.eye(n)]), -np.ones(n), method="highs").fun
    model = SGDClassifier(optimizer="auto", penalty="l1", alpha=alpha, max_iter=300).fit(rows, signs)
    losses = np.maximum(0.0, 1.0 - signs * model.decision_function(rows))
    assert model.stop_reason_ == WITHIN
    assert -1e-9 < 1 - exact / (losses.mean() + alpha * np.abs(model.coef_).sum()) <= 1e-3


@over("penalty", [L2(), L1(), ElasticNet(0.3)], ids=repr)
@over(
    ("loss", "width", "off"), [(Quantile(0.3), 1e-3, 0.0), (Quantile(0.3), 0.3, 0.3), (LogLoss(), 0.0, 0.3)], ids=repr
)
def test_the_limit_is_above_what_is_left(penalty, loss, width, off):
    """From weights here and there to the minimum that a fit finds, however wide kinks are smoothed.

    The share of the intercept is estimated: by less than that of its own minimum alone.
    """
    r = np.random.default_rng(0)
    X, alpha, mass = r.normal(size=(80, 6)), 1e-2, 80.0
    y = X @ r.normal(size=6) + r.normal(size=80)
    y = y + 50.0 if loss.coding == "value" else (y > 0) * 1.0
    problem = Problem(loss, penalty, alpha, Newton(), None, None, 1, None, True)
    coordinates = Coordinates(X.mean(axis=0), X.std(axis=0), True)
    terms, Z = penalised(problem, coordinates, mass), coordinates.rows(X)
    params = {"penalty": penalty, "alpha": alpha, "max_iter": 500}
    if loss.smooth:
        best = LogisticClassifier(tol=1e-12, **params)
    else:
        best = LinearRegressor(loss, tol=1e-7, **params)
    least = mass * best.fit(X, y).loss_curve_[-1]
    centre = coordinates.inwards(np.atleast_2d(best.coef_), np.atleast_1d(best.intercept_))
    margins = Margins(loss, y[:, None], None, 1, np.full(1, width))
    for away in (1.0, 0.1, 1e-3):
        w = centre + away * r.normal(size=centre.shape)

        def total(b, w=w):
            return margins.total(Z[:, :-1] @ w[:, :-1].T + b)[0]

        best = minimize_scalar(total, bounds=(-200, 200), method="bounded", options={"xatol": 1e-10}).x
        w[:, -1] = best + off * away
        scores = Z @ w.T
        totals, slopes, bends = margins.derivatives(scores, 0.0)
        slack = np.zeros((3, 1)) if loss.smooth else margins.slack(scores, totals, slopes, bends)[:, None]
        diagonals = (bends * Z * Z).sum(axis=0)[None]
        model = Tangent(totals, slack[0] - slack[1], slopes.T @ Z, diagonals, 6)
        excess = totals + slack[0] + terms.value(w) - least
        limit = terms.limit(model, w) + slack[1]
        assert excess <= limit + (total(w[0, -1]) - total(best)) + 1e-6 * least
    assert limit < least  # near the minimum it says something


def test_constants_in_the_targets_do_not_matter_to_what_is_claimed():
    r = np.random.default_rng(3)
    X = r.normal(size=(80, 40))
    y = X[:, :3].sum(axis=1) + r.normal(size=80)
    params = {"penalty": "elasticnet", "alpha": 0.1, "max_iter": 600}
    best = LinearRegressor("epsilon_insensitive", tol=1e-7, **params).fit(X, y).loss_curve_[-1]
    for shift in (0.0, 100.0):
        model = LinearRegressor("epsilon_insensitive", tol=1e-3, **params).fit(X, y + shift)
        assert model.stop_reason_ == WITHIN
        assert model.loss_curve_[-1] <= (1 + 1e-3) * best


# ---- curvatures that change ------------------------------------------------------------------------------------------


@over("alpha", [1e-4, 1e-6, 1e-8])
@over("data", ["wine", "rows d / 2", "rows 2 d"])
def test_log_loss_of_classes_that_can_be_separated(data, alpha):
    rows, signs = SIGNS[data]
    best = LogisticClassifier(alpha=alpha, tol=1e-10).fit(rows, signs).loss_curve_[-1]
    model = LogisticClassifier(alpha=alpha).fit(rows, signs)
    assert model.stop_reason_ == WITHIN
    assert model.loss_curve_[-1] <= (1 + 1e-4) * best


@over("seed", range(4))
def test_heavy_tails(seed):
    r = np.random.default_rng(seed)
    rows = r.standard_cauchy((300, 6)) ** 3
    place = np.argsort(np.argsort(rows[:, 0])) / 300 + 0.3 * r.normal(size=300)
    y = place > np.median(place)
    best = LogisticClassifier(tol=1e-10, max_iter=1000).fit(rows, y).loss_curve_[-1]
    model = LogisticClassifier().fit(rows, y)
    assert model.loss_curve_[-1] <= (1 + 1e-4) * best


def test_l1_on_powers_of_a_number():
    """Where the minimum of a model was not found, what is left is not thought to be nothing."""
    r = np.random.default_rng(4)
    x = r.uniform(0, 100, 300)
    model = LinearRegressor(penalty="l1", alpha=1e-3, max_iter=30)
    with pytest.warns(ConvergenceWarning):
        model.fit(np.vander(x, 10), np.sin(0.06 * x) + 0.3 * r.normal(size=300))
    assert 1e-3 < model.optimality_gap_ <= 1.0


# ---- the best constant -----------------------------------------------------------------------------------------------


@over("loss", [Gamma(), Poisson()], ids=repr)
def test_rare_targets_with_most_of_the_mean(loss):
    y = np.full(5000, 1e-3)
    y[1::1000] = 5e6
    model = LinearRegressor(loss).fit(np.zeros((5000, 1)), y)
    np.testing.assert_allclose(model.intercept_, np.log(y.mean()), rtol=1e-9)
    rows = np.random.default_rng(0).normal(size=(5000, 3))
    assert LinearRegressor(loss).fit(rows, y).loss_curve_[-1] <= model.loss_curve_[-1]


def test_the_link_of_means_is_the_best_constant():
    r = np.random.default_rng(0)
    weight, classes = r.uniform(0.1, 2, 60), r.integers(0, 3, (60, 1)).astype(float)
    targets = {Gamma(): r.exponential(size=(60, 2)), Poisson(): classes, LogLoss(): (classes > 0) * 1.0}
    for loss, y in targets.items():
        scores = link_of_means(loss, *tally(loss, y, weight, y.shape[1]))
        margins = Margins(loss, y, weight, y.shape[1])
        _, slopes, _ = margins.derivatives(np.tile(scores, (60, 1)), 0.0)
        np.testing.assert_allclose(slopes.sum(axis=0), 0.0, atol=1e-12 * np.abs(slopes).sum())
    scores = link_of_means(Multinomial(), *tally(Multinomial(), classes, weight, 3))
    _, slopes, _ = Margins(Multinomial(), classes, weight, 3).derivatives(np.tile(scores, (60, 1)), 0.0)
    np.testing.assert_allclose(slopes.sum(axis=0), 0.0, atol=1e-12)
    assert scores.sum() == pytest.approx(0.0, abs=1e-12)
    assert not np.isfinite(link_of_means(LogLoss(), np.array([60.0]), 60.0)).any()


# ---- fewer rows than columns -----------------------------------------------------------------------------------------


def dual_ridge(X, y, alpha):
    """The least objective, from the equations for the residuals."""
    Z, t = X - X.mean(axis=0), y - y.mean()
    residuals = np.linalg.solve(Z @ Z.T / len(y) + alpha * np.eye(len(y)), t)
    coef = Z.T @ residuals / len(y)
    return np.mean((t - Z @ coef) ** 2) / 2 + alpha / 2 * coef @ coef


@over("mixed", [False, True])
@over("shape", [(20, 600), (140, 600), (100, 3000)])
@over("alpha", [1e-4, 1e-6])
def test_ridge_with_fewer_rows_than_columns(shape, alpha, mixed):
    r = np.random.default_rng(0)
    X = r.normal(size=shape)
    y = X[:, :10].sum(axis=1) + r.normal(size=len(X))
    if mixed:
        X = X * 10.0 ** r.uniform(-3, 3, shape[1]) + 10.0 * r.normal(size=shape[1])
    model = LinearRegressor(alpha=alpha).fit(X, y)
    assert model.stop_reason_ == WITHIN
    exact, found = dual_ridge(X, y, alpha), objective(model, X, y, np.ones(len(y)), alpha)
    assert abs(found / exact - 1) <= 1e-4
    assert model.n_iter_ <= 2


@over("loss", [LogCosh(), "log_loss"], ids=repr)
def test_other_losses_with_fewer_rows_than_columns(loss):
    r = np.random.default_rng(1)
    X = r.normal(size=(60, 400)) * 10.0 ** r.uniform(-2, 2, 400)
    y = r.normal(size=60)
    params = {"alpha": 1e-4, "optimizer": "svrg", "max_iter": 1000}
    model = LogisticClassifier(**params) if loss == "log_loss" else LinearRegressor(loss, **params)
    y = y > 0 if loss == "log_loss" else y
    best = clone(model).set_params(tol=1e-10).fit(X, y)
    model.fit(X, y)
    assert model.stop_reason_ == WITHIN
    assert model.loss_curve_[-1] <= (1 + 1e-4) * best.loss_curve_[-1]
    assert model.n_iter_ < 10


@over("loss", ["squared_hinge", "modified_huber"])
def test_losses_that_are_flat_beyond_a_point(loss):
    r = np.random.default_rng(0)
    X = r.normal(size=(80, 600))
    y = r.random(80) > 0.2 * (X[:, :10].sum(axis=1) > 0)
    fits = [SGDClassifier(loss, optimizer="auto", tol=tol, max_iter=1000).fit(X, y) for tol in (1e-2, 1e-10)]
    assert fits[0].stop_reason_ == WITHIN
    assert fits[0].loss_curve_[-1] <= (1 + 1e-2) * fits[1].loss_curve_[-1]


def test_outliers_without_curvature():
    r = np.random.default_rng(0)
    X = r.normal(size=(80, 600))
    signal = X[:, :10].sum(axis=1) / 3
    y = np.column_stack([1000 * signal, signal + 0.1 * r.normal(size=80)])
    best = LinearRegressor("huber", optimizer="newton", tol=1e-9).fit(X, y).loss_curve_[-1]
    assert LinearRegressor("huber", optimizer="svrg").fit(X, y).loss_curve_[-1] <= (1 + 1e-4) * best


@over("intercept", [True, False])
def test_a_whitened_step_is_that_of_newton(intercept):
    r = np.random.default_rng(2)
    X, n, d = r.normal(size=(12, 30)) * 10.0 ** r.uniform(-2, 2, 30), 12, 30
    bends, strength = r.uniform(0.1, 1, n), np.append(r.uniform(0.1, 1, d), 0.0)
    design = Design.of(Block(X, r.normal(size=(n, 1))), intercept)
    found = whitening.SpanWhitening.of(design, bends, strength, intercept)
    A = np.column_stack([X - (X.mean(axis=0) if intercept else 0.0), np.full(n, float(intercept))])
    hessian = (A * (bends / n)[:, None]).T @ A + np.diag(strength)
    if not intercept:
        hessian[-1, -1] = 1.0
    for slope in (A.T @ r.normal(size=(n, 2)), r.normal(size=(d + 1, 2))):
        slope[-1] *= intercept
        expected = -np.linalg.solve(hessian, slope).T
        np.testing.assert_allclose(found.step(slope.T), expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_rows_that_are_too_many_to_be_whitened(monkeypatch):
    """Then the estimate is the bound that the penalty gives."""
    monkeypatch.setattr(whitening, "MOST", 10)
    r = np.random.default_rng(3)
    X = r.normal(size=(140, 600))
    y = X[:, :10].sum(axis=1) + r.normal(size=140)
    model = LinearRegressor(optimizer="svrg", alpha=1e-4).fit(X, y)
    assert model.stop_reason_ == WITHIN
    assert model.loss_curve_[-1] <= (1 + 1e-4) * dual_ridge(X, y, 1e-4)
