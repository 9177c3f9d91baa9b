"""Where training comes to rest, the stated objective is at its minimum: weighted mean of the losses + penalty."""

import numpy as np
import pytest
from components import ALPHAS, OPTIMIZER_ROWS, PENALTY_ROWS
from runs import first_state, make_problem, make_rows, make_targets, make_weights, read
from sklearn.linear_model import ElasticNet as SkElasticNet
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core import pass_
from sksgd.core.batches import Block
from sksgd.optimizers import SGD, AdaGrad, Adam, AdamW, FTRLProximal, Momentum, Nesterov, RMSProp
from sksgd.penalties import L2
from sksgd.schedules import Constant, Exponential

# No feature is all zero: under FTRL the first weight of such a one would fade as slowly as 1/t.
X = make_rows() + np.random.default_rng(7).normal(size=(23, 6))
Y, WEIGHTS = make_targets(X, 3), make_weights()
BOUNDS = np.array([[-0.2, 0.0, -np.inf, -1.0, 0.0, -0.1], [0.3, 0.2, 0.0, np.inf, 0.0, 0.1]])

# Those whose moves do not get shorter near the minimum need rates that fall to nothing.
FALLING = Exponential(0.1, 0.005)
RUNS = {
    "sgd": (SGD(), Constant(0.2)),
    "momentum": (Momentum(0.8), Constant(0.1)),
    "momentum, large steps": (Momentum(0.3), Constant(0.3)),
    "nesterov": (Nesterov(0.8), Constant(0.1)),
    "nesterov, large steps": (Nesterov(0.3), Constant(0.3)),
    "adagrad": (AdaGrad(), Constant(0.5)),
    "rmsprop": (RMSProp(), FALLING),
    "adam": (Adam(), FALLING),
    "ftrl": (FTRLProximal(), Constant(1.0)),
}
KINDS = {name: [*PENALTY_ROWS, f"{OPTIMIZER_ROWS[name.partition(',')[0]].per_feature} per feature"] for name in RUNS}
PENALTIES = {**PENALTY_ROWS, **{f"{kind} per feature": (row.penalty, ALPHAS) for kind, row in PENALTY_ROWS.items()}}

over = pytest.mark.parametrize
N_UPDATES = 5000


def minimise(problem):
    """The weights (3, d) and intercepts after many updates with all rows."""
    state, block = first_state(problem, 3), Block(X, Y, WEIGHTS)
    order = np.tile(np.arange(len(X), dtype=np.int32), N_UPDATES)
    assert pass_.run(problem, state, block, order, None)
    return read(problem, state)[:2]


def slopes(coef, intercept):
    """The gradient of the mean loss in the weights and in the intercepts; row weights do not have mean 1."""
    residual = WEIGHTS[:, None] * (X @ coef.T + intercept - Y) / len(X)
    return residual.T @ X, residual.sum(axis=0)


def strengths(penalty, alpha):
    """The strengths of L1 and L2 of each feature."""
    kind, alpha = type(penalty).__name__, np.broadcast_to(alpha, X.shape[1])
    ratio = {"NoPenalty": 0.0, "L2": 0.0, "L1": 1.0}.get(kind)
    ratio = penalty.l1_ratio if ratio is None else ratio
    return alpha * ratio, alpha * (1 - ratio) * (kind != "NoPenalty")


def violation(coef, intercept, penalty, alpha, bounds=None):
    """By how much the best subgradient misses 0."""
    g, g_intercept = slopes(coef, intercept)
    l1, l2 = strengths(penalty, alpha)
    g = g + l2 * coef
    # Towards zero the slope of L1 may be anything between -l1 and l1.
    missed = np.where(coef == 0, np.sign(g) * np.maximum(np.abs(g) - l1, 0), g + l1 * np.sign(coef))
    if bounds is not None:
        # At a bound the slope may point outwards; at both at once it may be anything.
        missed = np.where(coef <= bounds[0], np.minimum(missed, 0), missed)
        missed = np.where(coef >= bounds[1], np.maximum(missed, 0), missed)
    return max(np.abs(missed).max(), np.abs(g_intercept).max())


@over(("name", "kind"), [(name, kind) for name in RUNS for kind in KINDS[name]])
def test_rests_at_the_minimum(name, kind):
    optimizer, schedule = RUNS[name]
    penalty, alpha = PENALTIES[kind]
    coef, intercept = minimise(make_problem(optimizer, penalty, alpha, schedule=schedule, batch_size=len(X)))
    assert violation(coef, intercept, penalty, alpha) < 1e-6
    if penalty.sparse:
        assert (coef == 0).any()


@over(
    ("name", "kind"),
    [
        *[("sgd", "l1"), ("sgd", "elasticnet per feature"), ("nesterov", "l2"), ("adagrad", "elasticnet")],
        *[("adam", "none"), ("ftrl", "l1")],
    ],
)
def test_rests_at_the_minimum_within_bounds(name, kind):
    optimizer, schedule = RUNS[name]
    penalty, alpha = PENALTIES[kind]
    problem = make_problem(optimizer, penalty, alpha, schedule=schedule, batch_size=len(X), bounds=BOUNDS)
    coef, intercept = minimise(problem)
    assert violation(coef, intercept, penalty, alpha, BOUNDS) < 1e-6
    assert violation(coef, intercept, penalty, alpha) > 0.01


def test_a_violation_is_noticed():
    coef, intercept = minimise(make_problem(SGD(), L2(), 0.3, schedule=Constant(0.2), batch_size=len(X)))
    for alpha in (0.3001, 0.2999):
        assert violation(coef, intercept, L2(), alpha) > 1e-6
    assert violation(coef, intercept + 1e-5, L2(), 0.3) > 1e-6


def test_adamw_rests_elsewhere():
    optimum = minimise(make_problem(Adam(), L2(), 0.3, schedule=FALLING, batch_size=len(X)))
    decayed = minimise(make_problem(AdamW(), L2(), 0.3, schedule=FALLING, batch_size=len(X)))
    assert violation(*optimum, L2(), 0.3) < 1e-6
    assert violation(*decayed, L2(), 0.3) > 0.01
    # Without a penalty the two are one.
    free = minimise(make_problem(AdamW(), *PENALTY_ROWS["none"], schedule=FALLING, batch_size=len(X)))
    assert violation(*free, *PENALTY_ROWS["none"]) < 1e-6


# The minimum is that of scikit-learn's exact solvers. With S the sum of the row weights, its alpha is ...

FIT = {"optimizer": "nesterov", "batch_size": "full", "learning_rate": 0.1, "max_iter": 3000, "tol": None}
S = WEIGHTS.sum()


def assert_same_model(ours, theirs):
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(np.ravel(ours.intercept_), np.ravel(theirs.intercept_), rtol=1e-6, atol=1e-8)


def test_ridge():
    """... S alpha, since Ridge sums."""
    ours = LinearRegressor(alpha=0.3, **FIT).fit(X, Y[:, 0], sample_weight=WEIGHTS)
    assert_same_model(ours, Ridge(alpha=0.3 * S).fit(X, Y[:, 0], sample_weight=WEIGHTS))


def test_ridge_of_several_targets():
    ours = LinearRegressor(alpha=0.3, **FIT).fit(X, Y, sample_weight=WEIGHTS)
    assert_same_model(ours, Ridge(alpha=0.3 * S).fit(X, Y, sample_weight=WEIGHTS))


def test_elastic_net():
    """... alpha, with the same l1_ratio."""
    ours = LinearRegressor(penalty="elasticnet", alpha=0.2, l1_ratio=0.3, **FIT).fit(X, Y[:, 0], sample_weight=WEIGHTS)
    theirs = SkElasticNet(alpha=0.2, l1_ratio=0.3, tol=1e-12, max_iter=10000)
    assert_same_model(ours, theirs.fit(X, Y[:, 0], sample_weight=WEIGHTS))


def test_poisson():
    """... alpha."""
    y = np.round(np.exp(0.5 * Y[:, 0])).clip(0, 20)
    ours = LinearRegressor("poisson", alpha=0.3, **FIT).fit(X, y, sample_weight=WEIGHTS)
    assert_same_model(ours, PoissonRegressor(alpha=0.3, tol=1e-10, max_iter=1000).fit(X, y, sample_weight=WEIGHTS))


@over("n_classes", [2, 3])
def test_logistic(n_classes):
    """... C = 1 / (S alpha)."""
    y = np.digitize(Y[:, 0], [0.0, 1.0][: n_classes - 1])
    assert len(np.unique(y)) == n_classes
    ours = LogisticClassifier(alpha=0.1, **FIT).fit(X, y, sample_weight=WEIGHTS)
    theirs = LogisticRegression(C=1 / (0.1 * S), solver="newton-cholesky", tol=1e-12, max_iter=1000)
    assert_same_model(ours, theirs.fit(X, y, sample_weight=WEIGHTS))
