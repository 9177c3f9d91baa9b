import pickle

import numpy as np
import pytest
from components_plain import AVERAGING_ROWS, HORIZON, TOTAL, Squared
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from sksgd import averaging
from sksgd.averaging import AVERAGINGS, resolve_averaging
from sksgd.base import Horizon

over_rows = pytest.mark.parametrize("row", AVERAGING_ROWS, ids=[repr(row.averaging) for row in AVERAGING_ROWS])
T = np.arange(TOTAL)
ETA = np.random.default_rng(0).uniform(0.1, 1.0, TOTAL)


def test_every_rule_has_a_row():
    assert {type(row.averaging) for row in AVERAGING_ROWS} == set(AVERAGINGS.values())


@over_rows
@pytest.mark.parametrize("eta", [ETA, 0.3], ids=["rates", "constant"])
def test_the_average_is_the_weighted_mean_of_iterates(row, eta):
    iterates = np.random.default_rng(1).normal(size=(TOTAL, 3))
    etas = np.broadcast_to(eta, TOTAL).tolist()
    rho, _ = row.averaging.bind(HORIZON).rho(T, eta, 0.0)
    w_bar = np.full(3, 1e3)  # what was there before must not count
    for t in range(TOTAL):
        w_bar += rho[t] * (iterates[t] - w_bar)
        weights = np.array([row.weight(s, t, etas) for s in range(t + 1)])
        expected = weights @ iterates[: t + 1] / weights.sum()
        np.testing.assert_allclose(w_bar, expected, rtol=0, atol=1e-12)


@over_rows
def test_rho_does_not_depend_on_how_updates_are_split(row):
    bound = row.averaging.bind(HORIZON)
    whole, whole_mass = bound.rho(T, ETA, 0.0)
    assert whole.dtype == np.float64
    assert whole.shape == T.shape
    assert whole[0] == 1.0
    assert ((whole > 0) & (whole <= 1)).all()

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.integers(0, TOTAL), max_size=6))
    def check(cuts):
        mass, parts = 0.0, []
        for part in np.split(T, sorted(cuts)):
            rho, mass = bound.rho(part, ETA[part], mass)
            parts.append(rho)
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        assert mass == whole_mass

    check()


@over_rows
def test_rules_are_values(row):
    for rule in (row.averaging, row.averaging.bind(HORIZON)):
        assert pickle.loads(pickle.dumps(rule)) == rule
        assert clone(rule) == rule
        assert hash(rule.replace()) == hash(rule)
        assert resolve_averaging(rule) is rule
    assert not row.averaging.bind(HORIZON).needs_horizon


@over_rows
def test_fields_out_of_range_are_refused_by_name_and_value(row):
    for name, values in row.invalid.items():
        for value in values:
            with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of .* must be .*Got "):
                row.averaging.replace(**{name: value})


def test_rate_weighted_is_the_plain_mean_at_a_constant_rate():
    plain, _ = averaging.PolyakRuppert().rho(T, 0.5, 0.0)
    rho, mass = averaging.RateWeighted().rho(T, 0.5, 0.0)
    np.testing.assert_array_equal(rho, plain)
    assert mass == 0.5 * TOTAL


def test_rates_of_zero_have_no_weight():
    rho, mass = averaging.RateWeighted().rho(np.arange(5), np.array([0.0, 0.0, 0.5, 0.0, 0.5]), 0.0)
    np.testing.assert_array_equal(rho, [1.0, 1.0, 1.0, 0.0, 0.5])
    assert mass == 1.0


@pytest.mark.parametrize(
    ("fraction", "passes", "start"),
    [(0.1, 30, 27), (0.5, 5, 2), (0.5, 1, 0), (1.0, 7, 0), (0.7, 10, 3), (0.01, 10, 9), (0.3, 10, 7)],
)
def test_tail_starts_at_a_whole_pass(fraction, passes, start):
    horizon = Horizon(updates=passes * 4, updates_per_pass=4, alpha=0.0, loss=Squared())
    assert averaging.Tail(fraction).bind(horizon) == averaging.PolyakRuppert(start=start * 4)


def test_tail_needs_the_horizon():
    assert averaging.Tail().needs_horizon
    with pytest.raises(ValueError, match=r"Tail.*unknown.*Call fit.*PolynomialDecay"):
        averaging.Tail().bind(Horizon(updates=None, updates_per_pass=None, alpha=0.0, loss=Squared()))
    with pytest.raises(ValueError, match="bind"):
        averaging.Tail().rho(T, 0.1, 0.0)


@pytest.mark.parametrize("name", AVERAGINGS)
def test_names(name):
    assert resolve_averaging(name) == AVERAGINGS[name]()


def test_resolve_averaging():
    for value in (None, False, np.False_, 0):
        assert resolve_averaging(value) is None
    for value in (True, np.True_, 1):
        assert resolve_averaging(value) == averaging.PolyakRuppert()
    for value in (10, np.int64(10)):
        assert resolve_averaging(value) == averaging.PolyakRuppert(start=10)


@pytest.mark.parametrize("value", [-1, 0.5, "polyak", averaging.Tail, [1]])
def test_what_is_not_an_averaging_rule(value):
    with pytest.raises(InvalidParameterError, match=r"'average'.*'exponential', 'polyak_ruppert'.*Got "):
        resolve_averaging(value)
    with pytest.raises(InvalidParameterError, match="'averaging'"):
        resolve_averaging(value, name="averaging")
