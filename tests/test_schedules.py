import functools
import math
import pickle
import re

import numpy as np
import pytest
from components_plain import HORIZON, SCHEDULE_ROWS, TOTAL, Squared, ready
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.utils._param_validation import InvalidParameterError

from sksgd import schedules
from sksgd.base import Horizon, Loss
from sksgd.schedules import SCHEDULES, FunctionSchedule, Optimal, resolve_schedule

UNKNOWN = Horizon(updates=None, updates_per_pass=None, alpha=1e-3, loss=Squared())
T = np.arange(TOTAL + 20)
TO_HORIZON = [schedules.Cosine(), schedules.LinearToZero(), schedules.OneCycle()]

# Without the address of a function, which differs between processes.
NAMES = [repr(row.schedule).split(" at 0x")[0] for row in SCHEDULE_ROWS]
over_rows = pytest.mark.parametrize("row", SCHEDULE_ROWS, ids=NAMES)
over_horizon = pytest.mark.parametrize("schedule", TO_HORIZON, ids=repr)


def rates(schedule, t):
    rate = schedule.rate(t)
    if isinstance(rate, float):
        return np.full(t.shape, rate)
    assert rate.dtype == np.float64
    assert rate.shape == t.shape
    return rate


def test_every_schedule_has_a_row():
    assert {type(row.schedule) for row in SCHEDULE_ROWS} == {*SCHEDULES.values(), FunctionSchedule}


@over_rows
def test_rates_are_those_of_the_formula(row):
    computed = rates(ready(row.schedule), T)
    # NumPy and math round exp, cos and powers differently.
    np.testing.assert_allclose(computed, [row.formula(t) for t in T.tolist()], rtol=2e-15, atol=1e-16)
    assert np.isfinite(computed).all()
    assert (computed >= 0).all()


@over_rows
def test_rates_do_not_depend_on_how_updates_are_split(row):
    bound = ready(row.schedule)
    whole = rates(bound, T)

    @settings(max_examples=20, deadline=None)
    @given(st.lists(st.integers(0, len(T)), max_size=6))
    def check(cuts):
        parts = np.split(T, sorted(cuts))
        np.testing.assert_array_equal(np.concatenate([rates(bound, part) for part in parts]), whole)

    check()


@over_rows
def test_a_single_integer_works_too(row):
    bound = ready(row.schedule)
    assert float(bound.rate(7)) == rates(bound, T)[7]


@over_rows
def test_schedules_are_values(row):
    bound = ready(row.schedule)
    for schedule in (row.schedule, bound):
        assert pickle.loads(pickle.dumps(schedule)) == schedule
        assert clone(schedule) == schedule
        assert hash(schedule.replace()) == hash(schedule)
        assert resolve_schedule(schedule) is schedule
    assert bound.bind(HORIZON) == bound
    assert not bound.needs_horizon


@over_rows
def test_fields_out_of_range_are_refused_by_name_and_value(row):
    for name, values in row.invalid.items():
        for value in values:
            with pytest.raises(InvalidParameterError) as caught:
                row.schedule.replace(**{name: value})
            message = str(caught.value)
            # Boundaries and values are checked against each other; the message names one of the two.
            names = ["boundaries", "values"] if name in ("boundaries", "values") else [name]
            assert any(f"'{name}' parameter" in message for name in names)
            assert re.search("must (be|have)|counts updates", message)
            assert "Got " in message


# The horizon


@over_horizon
def test_an_unknown_horizon_is_refused(schedule):
    name = type(schedule).__name__
    assert schedule.needs_horizon
    for call in (lambda: schedule.bind(UNKNOWN), lambda: schedule.rate(T)):
        with pytest.raises(ValueError, match=rf"{name}.*unknown.*fit.*total=1000.*inverse_sqrt"):
            call()
    warm = schedules.Warmup(schedule, 5)
    assert warm.needs_horizon
    with pytest.raises(ValueError, match=name):
        warm.bind(UNKNOWN)


@over_horizon
def test_a_given_horizon_wins(schedule):
    given_total = schedule.replace(total=10)
    assert not given_total.needs_horizon
    assert given_total.bind(UNKNOWN) is given_total.bind(HORIZON) is given_total
    np.testing.assert_array_equal(given_total.rate(T)[10:], given_total.rate(T)[10])


@over_horizon
@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_short_horizons(schedule, total):
    rate = schedule.replace(total=total).rate(T)
    assert np.isfinite(rate).all()
    assert (rate >= 0).all()
    assert rate.max() <= 0.01


def test_other_schedules_need_no_horizon():
    for row in SCHEDULE_ROWS:
        if not row.schedule.needs_horizon:
            np.testing.assert_array_equal(rates(ready(row.schedule, UNKNOWN), T), rates(ready(row.schedule), T))


def test_warmup_longer_than_training():
    warm = schedules.Warmup(schedules.LinearToZero(1.0), steps=2 * TOTAL).bind(HORIZON)
    np.testing.assert_allclose(warm.rate(T[:TOTAL]), (T[:TOTAL] + 1) / (2 * TOTAL))


def test_nested_parameters_are_reached():
    warm = schedules.Warmup("cosine", 5)
    assert warm.get_params()["schedule__eta0"] == 0.01
    assert warm.replace(schedule__eta0=0.5) == schedules.Warmup(schedules.Cosine(0.5), 5)


# What scikit-learn does


def sklearn_oracle(X, y, slope, rate, alpha, average_start, max_iter=2):
    """scikit-learn's loop for an L2 penalty, unshuffled: the last iterate and the average of those from a start on."""
    w, b, w_bar, b_bar = np.zeros(X.shape[1]), 0.0, np.zeros(X.shape[1]), 0.0
    for t in range(max_iter * len(X)):
        x, target = X[t % len(X)], y[t % len(X)]
        eta = rate[t]
        update = -eta * slope(x @ w + b, target)
        w = w * max(0.0, 1 - eta * alpha) + update * x
        b += update
        if t >= average_start:
            k = t - average_start + 1
            w_bar, b_bar = w_bar + (w - w_bar) / k, b_bar + (b - b_bar) / k
    return w, b, w_bar, b_bar


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    return X, X @ [1.0, -2.0, 0.5] + 0.3 + 0.1 * rng.normal(size=12)


class Hinge(Loss):
    def gradient(self, p, y):
        return -y if p * y < 1 else 0.0


@pytest.mark.parametrize("alpha", [0.7, 0.01, 1e-4])
def test_optimal_is_that_of_sklearn_for_a_classifier(data, alpha):
    X, y = data
    signs = np.where(y > 0, 1.0, -1.0)
    schedule = Optimal().bind(Horizon(None, None, alpha, Hinge()))
    model = SGDClassifier(loss="hinge", alpha=alpha, shuffle=False, max_iter=2, tol=None).fit(X, signs)
    w, b, _, _ = sklearn_oracle(X, signs, Hinge().gradient, schedule.rate(np.arange(24)), alpha, 0)
    np.testing.assert_allclose(model.coef_[0], w, rtol=1e-12)
    np.testing.assert_allclose(model.intercept_[0], b, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        ("constant", schedules.Constant(0.02)),
        ("invscaling", schedules.InverseScaling(0.02, 0.4)),
        ("optimal", Optimal()),
    ],
)
def test_rates_are_those_of_sklearn_for_a_regressor(data, name, schedule):
    X, y = data
    alpha = 10.0 if name == "optimal" else 0.01  # the rates of "optimal" need it, or the squared error diverges
    model = SGDRegressor(
        learning_rate=name, eta0=0.02, power_t=0.4, alpha=alpha, shuffle=False, max_iter=2, tol=None, average=5
    ).fit(X, y)
    rate = rates(schedule.bind(Horizon(None, None, alpha, Squared())), np.arange(24))
    _, _, w_bar, b_bar = sklearn_oracle(X, y, Squared().gradient, rate, alpha, average_start=4)
    np.testing.assert_allclose(model.coef_, w_bar, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, b_bar, rtol=1e-9)


def test_optimal_heeds_a_positive_slope():
    class Downhill(Loss):
        def gradient(self, p, y):
            return 4.0

    typical = math.sqrt(1 / math.sqrt(0.01))
    schedule = Optimal().bind(Horizon(None, None, 0.01, Downhill()))
    assert schedule.rate(np.array([0]))[0] == pytest.approx(typical / 4, rel=1e-14)


def test_optimal_for_a_joint_loss():
    class Joint(Loss):
        joint = True

    assert Optimal().bind(Horizon(None, None, 0.01, Joint())) == Optimal().bind(Horizon(None, None, 0.01, Squared()))


@pytest.mark.parametrize("alpha", [0.0, np.zeros(3)])
def test_optimal_needs_alpha(alpha):
    with pytest.raises(ValueError, match=r"alpha must be above 0.*Got.*Set alpha > 0.*'invscaling'"):
        Optimal().bind(Horizon(None, None, alpha, Squared()))


def test_optimal_takes_the_mean_of_alpha():
    per_feature = Optimal().bind(Horizon(None, None, np.array([0.0, 0.5]), Squared()))
    assert per_feature == Optimal().bind(Horizon(None, None, 0.25, Squared()))


def test_optimal_must_be_bound():
    with pytest.raises(ValueError, match="bind"):
        Optimal().rate(T)


# After a stall


def test_adaptive_divides_until_the_lowest_rate():
    schedule = schedules.Adaptive(eta0=0.1, factor=10.0, eta_min=0.0009)
    assert schedule.after_stall(1.0) == 0.1
    assert schedule.after_stall(0.1) == pytest.approx(0.01)
    assert schedule.after_stall(0.01) is None
    assert schedules.Warmup(schedule, 5).after_stall(1.0) == 0.1


@pytest.mark.parametrize("eta0", [0.5, 0.01, 3e-6, 1.1e-6, 0.9e-6])
def test_adaptive_can_stop_where_sklearn_does(eta0):
    schedule = schedules.Adaptive(eta0, eta_min=1e-6 / 5)
    eta, factor = eta0, 1.0
    while eta > 1e-6:  # scikit-learn's condition for another cut
        eta /= 5
        factor = schedule.after_stall(factor)
        assert eta0 * factor == pytest.approx(eta)
    assert schedule.after_stall(factor) is None


def test_other_schedules_stop_at_a_stall():
    for row in SCHEDULE_ROWS:
        if not isinstance(row.schedule, schedules.Adaptive):
            assert row.schedule.after_stall(1.0) is None


# Functions


def hyperbola(t, eta0):
    return eta0 / (1 + t)


TABLE = np.linspace(1.0, 0.1, 100)
FUNCTIONS = {
    "vectorised": (lambda t: 0.1 * np.exp(-t), lambda t: 0.1 * math.exp(-t)),
    "branches": (lambda t: 0.1 if t < 5 else 0.01, lambda t: 0.1 if t < 5 else 0.01),
    "math": (lambda t: 0.1 * math.exp(-t), lambda t: 0.1 * math.exp(-t)),
    "constant": (lambda t: 0.1, lambda t: 0.1),
    "negative power of an integer": (lambda t: 0.1 * (t + 1) ** -1, lambda t: 0.1 / (t + 1)),
    "large powers": (lambda t: 1.0 / 2**t, lambda t: 1.0 / 2**t),
    "table": (lambda t: TABLE[t], lambda t: TABLE[t]),
    "list": (lambda t: TABLE.tolist()[t], lambda t: TABLE[t]),
    "where": (lambda t: np.where(t < 5, 0.1, 0.01), lambda t: 0.1 if t < 5 else 0.01),
    "method of arrays": (lambda t: 0.1 / (1 + t.astype(int)), lambda t: 0.1 / (1 + t)),
    "single element": (lambda t: np.array([0.1 / (1 + t)]).item(), lambda t: 0.1 / (1 + t)),
    "partial": (functools.partial(hyperbola, eta0=0.1), lambda t: 0.1 / (1 + t)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("t", [np.arange(70), np.array([3]), np.array([3, 4]), np.arange(0)], ids=len)
def test_functions_of_arrays_and_of_numbers(name, t):
    function, scalar = FUNCTIONS[name]
    computed = rates(FunctionSchedule(function), t)
    np.testing.assert_allclose(computed, [scalar(i) for i in t.tolist()], rtol=1e-14)


@pytest.mark.parametrize("bad", [-1e-9, math.nan, math.inf])
def test_functions_must_return_rates(bad):
    def function(t):
        return np.where(t == 7, bad, 0.1)

    with pytest.raises(ValueError, match=rf"finite numbers, 0 or greater: it gave {bad} for update t=7"):
        FunctionSchedule(function).rate(T)


def test_errors_of_a_function_pass_through():
    def function(t):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        FunctionSchedule(function).rate(T)


def test_a_schedule_is_as_picklable_as_its_function():
    schedule = FunctionSchedule(functools.partial(hyperbola, eta0=0.1))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(schedule)).rate(T), schedule.rate(T))


# Names


def test_resolve_schedule():
    assert resolve_schedule(0.5) == resolve_schedule(np.float32(0.5)) == schedules.Constant(0.5)
    assert resolve_schedule(1) == schedules.Constant(1.0)
    assert resolve_schedule(scale) == FunctionSchedule(scale)


def scale(t):
    return 0.1


@pytest.mark.parametrize("name", SCHEDULES)
def test_names(name):
    if name in ("piecewise_constant", "exponential", "polynomial", "step", "cyclic", "warmup"):
        kind = SCHEDULES[name].__name__
        with pytest.raises(InvalidParameterError, match=rf"'learning_rate'.*instance.*{kind}\(\w+=.*Got '{name}'"):
            resolve_schedule(name)
    else:
        assert resolve_schedule(name) == SCHEDULES[name]()


@pytest.mark.parametrize("value", [0, -0.1, math.nan, math.inf, True, None, "cosin", [0.1]])
def test_what_is_not_a_schedule(value):
    with pytest.raises(InvalidParameterError, match=r"'learning_rate'.*'constant', 'cosine'.*Got "):
        resolve_schedule(value)
    with pytest.raises(InvalidParameterError, match="'eta'"):
        resolve_schedule(value, name="eta")


def test_a_class_is_not_taken_for_a_function():
    with pytest.raises(InvalidParameterError, match=r"instance here, Cosine\(\)"):
        resolve_schedule(schedules.Cosine)


def test_sequences_are_stored_as_tuples():
    schedule = schedules.PiecewiseConstant([2, 4], np.array([1.0, 0.5, 0.25]))
    assert schedule == schedules.PiecewiseConstant((2, 4), (1.0, 0.5, 0.25))
    assert hash(schedule) == hash(schedules.PiecewiseConstant((2, 4), (1.0, 0.5, 0.25)))
