import dataclasses
import decimal
import math
import pickle

import numpy as np
import pytest
from components import LOSS_ROWS
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn._loss import _loss as sk_losses
from sklearn.base import clone
from sklearn.linear_model import _sgd_fast as sk_sgd
from sklearn.utils._param_validation import InvalidParameterError

from sksgd import functions, losses
from sksgd.losses import LOSSES, resolve_loss

SCALAR_ROWS = [row for row in LOSS_ROWS if not row.loss.joint]
WIDE = st.floats(-8.0, 8.0)
quick = settings(max_examples=50, deadline=None)


def over(rows):
    return pytest.mark.parametrize("row", rows, ids=[repr(row.loss) for row in rows])


def targets(row):
    """Targets between the extremes of the valid ones; the domains are intervals, but for signs."""
    if row.loss.coding == "sign":
        return st.sampled_from(row.valid)
    return st.floats(min(row.valid), max(row.valid))


def at_kink(row, kink, y):
    """The prediction at which this kink lies."""
    return kink * y if row.loss.coding == "sign" else y + kink


def central(function, p, h=1e-5):
    return (function(p + h) - function(p - h)) / (2 * h)


# What the hooks compute


@over(SCALAR_ROWS)
def test_gradient_and_curvature_are_derivatives(row):
    loss = row.loss

    @quick
    @given(WIDE, targets(row))
    def check(p, y):
        assume(all(abs(p - at_kink(row, kink, y)) > 1e-3 for kink in row.kinks))
        value, gradient, curvature = loss.value(p, y), loss.gradient(p, y), loss.curvature(p, y)
        assert gradient == pytest.approx(central(lambda p: loss.value(p, y), p), rel=1e-8, abs=1e-9 * (1 + abs(value)))
        tolerance = 1e-9 * (1 + abs(gradient))
        assert curvature == pytest.approx(central(lambda p: loss.gradient(p, y), p), rel=1e-8, abs=tolerance)

    check()


@over([row for row in SCALAR_ROWS if row.convex])
def test_convex(row):
    @quick
    @given(WIDE, WIDE, targets(row))
    def check(a, b, y):
        low, high = row.loss.gradient(min(a, b), y), row.loss.gradient(max(a, b), y)
        assert low <= high + 1e-12 * abs(high)

    check()


@pytest.mark.parametrize(("power", "y"), [(-1.0, 4.0), (0.0, 4.0), (3.0, 1.0)])
def test_tweedie_is_not_convex_elsewhere(power, y):
    assert min(losses.Tweedie(power).curvature(p, y) for p in np.linspace(-3, 3, 61)) < 0


@over(SCALAR_ROWS)
def test_max_curvature_is_the_supremum(row):
    slopes = [
        central(lambda p, y=y: row.loss.gradient(p, y), p)
        for y in row.valid
        for p in [*np.linspace(-30, 30, 1201), *(at_kink(row, kink, y) for kink in row.kinks)]
    ]
    if row.loss.max_curvature == math.inf:
        assert max(slopes) > 1e4
    else:
        assert max(slopes) == pytest.approx(row.loss.max_curvature, rel=1e-7)


@over(SCALAR_ROWS)
def test_max_gradient_is_the_supremum(row):
    sizes = [abs(row.loss.gradient(p, y)) for y in row.valid for p in np.linspace(-30, 30, 1201)]
    if row.loss.max_gradient == math.inf:
        assert max(sizes) > 25
    else:
        assert max(sizes) == pytest.approx(row.loss.max_gradient, rel=1e-7)


@given(st.lists(WIDE, min_size=2, max_size=5))
@quick
def test_multinomial(scores):
    loss, scores = losses.Multinomial(), np.array(scores)
    truth = np.arange(len(scores)) == 1

    def total(scores):
        return sum(loss.value(p, float(y), logsumexp(scores)) for p, y in zip(scores, truth, strict=True))

    def gradient(scores):
        return np.array([loss.gradient(p, float(y), logsumexp(scores)) for p, y in zip(scores, truth, strict=True)])

    steps = 1e-5 * np.eye(len(scores))
    assert gradient(scores) == pytest.approx([(total(scores + e) - total(scores - e)) / 2e-5 for e in steps], abs=1e-8)
    assert np.abs(gradient(scores)).max() <= loss.max_gradient
    hessian = np.array([(gradient(scores + e) - gradient(scores - e)) / 2e-5 for e in steps])
    diagonal = [loss.curvature(p, float(y), logsumexp(scores)) for p, y in zip(scores, truth, strict=True)]
    assert diagonal == pytest.approx(np.diag(hessian), abs=1e-8)
    assert np.linalg.norm(hessian, 2) <= loss.max_curvature + 1e-8


def test_multinomial_of_two_classes_reaches_its_bound_and_is_log_loss():
    loss, q = losses.Multinomial(), 0.5
    assert np.linalg.norm(np.diag([q, q]) - q * q, 2) == loss.max_curvature
    norm = logsumexp([0.0, 1.5])
    assert loss.gradient(1.5, 1.0, norm) == pytest.approx(losses.LogLoss().gradient(1.5, 1.0))
    assert loss.value(1.5, 1.0, norm) + loss.value(0.0, 0.0, norm) == pytest.approx(losses.LogLoss().value(1.5, 1.0))


# Against scikit-learn, kinks included


def cython_loss(loss):
    """A loss of scikit-learn._loss as functions of p and y."""

    def call(method, p, y):
        out = np.empty(1)
        getattr(loss, method)(np.array([y]), np.array([p]), None, out)
        return out[0]

    return lambda p, y: call("loss", p, y), lambda p, y: call("gradient", p, y)


def sgd_loss(loss):
    return loss.py_loss, loss.py_dloss


SCIKIT_LEARN = [
    (losses.SquaredError(), cython_loss(sk_losses.CyHalfSquaredError())),
    (losses.Huber(0.5), cython_loss(sk_losses.CyHuberLoss(0.5))),
    (losses.EpsilonInsensitive(0.5), sgd_loss(sk_sgd.EpsilonInsensitive(0.5))),
    (losses.EpsilonInsensitive(0.0), sgd_loss(sk_sgd.EpsilonInsensitive(0.0))),
    (losses.SquaredEpsilonInsensitive(0.5), sgd_loss(sk_sgd.SquaredEpsilonInsensitive(0.5))),
    (losses.Quantile(0.75), cython_loss(sk_losses.CyPinballLoss(0.75))),
    (losses.Poisson(), cython_loss(sk_losses.CyHalfPoissonLoss())),
    (losses.Gamma(), cython_loss(sk_losses.CyHalfGammaLoss())),
    *((losses.Tweedie(q), cython_loss(sk_losses.CyHalfTweedieLoss(q))) for q in (-1.0, 0.0, 1.0, 1.5, 2.0, 3.0)),
    (losses.LogLoss(), cython_loss(sk_losses.CyHalfBinomialLoss())),
    (losses.Hinge(), sgd_loss(sk_sgd.Hinge(1.0))),
    (losses.Hinge(0.5), sgd_loss(sk_sgd.Hinge(0.5))),
    (losses.SquaredHinge(), sgd_loss(sk_sgd.SquaredHinge(1.0))),
    (losses.SquaredHinge(0.5), sgd_loss(sk_sgd.SquaredHinge(0.5))),
    (losses.Perceptron(), sgd_loss(sk_sgd.Hinge(0.0))),
    (losses.ModifiedHuber(), sgd_loss(sk_sgd.ModifiedHuber())),
]


@pytest.mark.parametrize(("loss", "reference"), SCIKIT_LEARN, ids=[repr(row[0]) for row in SCIKIT_LEARN])
def test_equals_scikit_learn(loss, reference):
    value, gradient = reference
    ys = np.array([-1.0, 0.0, 0.25, 1.0, 2.5])
    # Steps of 1/4 hit every kink exactly.
    for y in ys[loss.in_domain(ys)]:
        dropped = 0.5 * y * y if loss == losses.Tweedie(0.0) else 0.0
        for p in np.arange(-5, 5.25, 0.25):
            assert loss.value(p, y) + dropped == pytest.approx(value(p, y), rel=1e-13, abs=1e-13)
            assert loss.gradient(p, y) == pytest.approx(gradient(p, y), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize(
    ("loss", "p", "curvature"),
    [
        (losses.Huber(0.5), 1.5, 1.0),
        (losses.SquaredEpsilonInsensitive(0.5), 1.5, 0.0),
        (losses.SquaredHinge(), 1.0, 0.0),
        (losses.ModifiedHuber(), 1.0, 0.0),
        (losses.ModifiedHuber(), -1.0, 2.0),
    ],
)
def test_curvature_where_it_jumps(loss, p, curvature):
    assert loss.curvature(p, 1.0) == curvature


@pytest.mark.parametrize(("power", "same"), [(1.0, losses.Poisson()), (2.0, losses.Gamma())])
def test_tweedie_equals_poisson_and_gamma(power, same):
    tweedie = losses.Tweedie(power)
    for hook in ("value", "gradient", "curvature"):
        for p in (-800.0, -2.0, 0.0, 3.0, 800.0):
            assert getattr(tweedie, hook)(p, 1.5) == pytest.approx(getattr(same, hook)(p, 1.5), rel=1e-15)
    ys = np.array([-1.0, 0.0, 1.0, math.nan])
    assert np.array_equal(tweedie.in_domain(ys), same.in_domain(ys))


# Extremes


@over(SCALAR_ROWS)
def test_extremes_are_finite(row):
    # Only a Tweedie loss that is not convex has exponents beyond p.
    largest = 700.0 if row.convex else 200.0
    for p in (-largest, -40.0, -1e-300, 0.0, 40.0, largest):
        for y in row.valid:
            assert all(math.isfinite(hook(p, y)) for hook in (row.loss.value, row.loss.gradient, row.loss.curvature))


def test_overflow_is_infinite():
    assert losses.Poisson().value(710.0, 1.0) == math.inf
    assert losses.Gamma().gradient(-710.0, 1.0) == -math.inf


def test_log_loss_keeps_its_digits_in_the_tails():
    loss, tiny = losses.LogLoss(), math.exp(-40.0)
    assert (loss.value(40.0, 1.0), loss.value(-40.0, 0.0)) == pytest.approx((tiny, tiny), rel=1e-15)
    assert (loss.gradient(40.0, 1.0), loss.gradient(-40.0, 0.0)) == pytest.approx((-tiny, tiny), rel=1e-15)


@pytest.mark.parametrize("x", [-700.0, -37.5, -2.0, -1e-9, 0.0, 1e-9, 1e-3, 0.7, 18.1, 36.0, 700.0])
def test_functions(x):
    with decimal.localcontext(prec=330):
        power = decimal.Decimal(x).exp()
        expected = {
            functions.exp: power,
            functions.expit: power / (1 + power),
            functions.log1pexp: (1 + power).ln(),
            functions.expm1_ratio: (power - 1) / decimal.Decimal(x) if x else 1,
        }
    for function, value in expected.items():
        assert function(x) == pytest.approx(float(value), rel=5e-16, abs=0)


def test_functions_never_raise():
    for name in functions.__all__:
        function = getattr(functions, name)
        assert math.isnan(function(math.nan))
        assert function(1000.0) == {"expit": 1.0, "log1pexp": 1000.0}.get(name, math.inf)
        assert function(-1000.0) == {"expm1_ratio": 1e-3}.get(name, 0.0)


# Components


@over(LOSS_ROWS)
def test_in_domain(row):
    assert row.loss.in_domain(np.array(row.valid)).tolist() == [True] * len(row.valid)
    assert row.loss.in_domain(np.array(row.invalid)).tolist() == [False] * len(row.invalid)


@pytest.mark.parametrize(
    ("name", "field", "values", "remedy"),
    [
        ("huber", "epsilon", [-1.0, math.nan, math.inf], "0 or greater"),
        ("epsilon_insensitive", "epsilon", [-0.1, math.nan, math.inf], "0 or greater"),
        ("squared_epsilon_insensitive", "epsilon", [-0.1, math.nan, math.inf], "0 or greater"),
        ("quantile", "quantile", [0.0, 1.0, -1, math.nan], "strictly between 0 and 1"),
        ("tweedie", "power", [0.5, math.nan, math.inf, -math.inf], "at most 0 or at least 1"),
        ("hinge", "threshold", [-1.0, math.nan, math.inf], "0 or greater"),
        ("squared_hinge", "threshold", [-1.0, math.nan, math.inf], "0 or greater"),
    ],
)
def test_parameter_errors(name, field, values, remedy):
    for value in values:
        with pytest.raises(InvalidParameterError) as error:
            resolve_loss(name, **{field: value})
        for part in (repr(field), LOSSES[name].__name__, remedy, repr(value)):
            assert part in str(error.value)


@pytest.mark.parametrize("name", ["epsilon_insensitive", "squared_epsilon_insensitive", "hinge", "squared_hinge"])
def test_zero_is_a_valid_parameter(name):
    (field,) = LOSSES[name]().get_params()
    assert resolve_loss(name, **{field: 0.0}).gradient(1.0, -1.0) > 0


@over(LOSS_ROWS)
def test_is_a_value(row):
    loss = row.loss
    for same in (eval(repr(loss), vars(losses)), pickle.loads(pickle.dumps(loss)), clone(loss), loss.replace()):
        assert same == loss
        assert hash(same) == hash(loss)
        assert type(same) is type(loss)
    for name in loss.get_params():
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(loss, name, 1.0)


def test_different_losses_differ():
    assert len({row.loss for row in LOSS_ROWS}) == len(LOSS_ROWS)
    assert losses.Hinge(0.0) != losses.Perceptron()


@over(LOSS_ROWS)
def test_capabilities_use_the_words_of_the_contract(row):
    assert row.loss.link in {"identity", "log", "logit"}
    assert row.loss.coding in {"value", "unit", "sign", "index"}


def test_names():
    assert {type(row.loss) for row in LOSS_ROWS} == set(LOSSES.values())
    for name, cls in LOSSES.items():
        assert resolve_loss(name) == cls()


def test_resolve_loss():
    assert resolve_loss("huber", epsilon=2.0) == losses.Huber(2.0)
    assert resolve_loss(losses.Huber(2.0)) == losses.Huber(2.0)
    with pytest.raises(ValueError, match="Invalid parameter 'power' for Huber"):
        resolve_loss("huber", power=2.0)
    for wrong in ("absolute", losses.Huber, None):
        with pytest.raises(InvalidParameterError, match=r"must be a Loss or one of .*'squared_error'.* Got"):
            resolve_loss(wrong)
