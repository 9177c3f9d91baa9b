import pickle

import numpy as np
import pytest
from components_plain import SAMPLER_ROWS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from sksgd import sampling
from sksgd.sampling import SAMPLERS, Importance, resolve_sampler

over_rows = pytest.mark.parametrize("row", SAMPLER_ROWS, ids=[repr(row.sampler) for row in SAMPLER_ROWS])
quick = settings(max_examples=30, deadline=None)


def norms_of(n):
    return np.random.default_rng(n).exponential(size=n) + 0.1


def test_every_sampler_has_a_row():
    assert {type(row.sampler) for row in SAMPLER_ROWS} == set(SAMPLERS.values())


@over_rows
def test_orders_are_positions_and_depend_on_the_arguments_only(row):
    @quick
    @given(st.integers(1, 50), st.integers(0, 2**64), st.integers(0, 1000))
    def check(n, seed, number):
        order, factors = row.sampler.order(n, seed, number, norms_of(n))
        assert order.dtype == np.int32
        assert order.shape == (n,)
        assert order.min() >= 0
        assert order.max() < n
        if row.permutes:
            np.testing.assert_array_equal(np.sort(order), np.arange(n))
        again, factors_again = pickle.loads(pickle.dumps(row.sampler)).order(n, seed, number, norms_of(n))
        np.testing.assert_array_equal(again, order)
        if row.sampler.needs_norms:
            np.testing.assert_array_equal(factors_again, factors)
        else:
            assert factors is None

    check()


@over_rows
def test_seeds_and_passes_differ(row):
    orders = [row.sampler.order(100, seed, number, norms_of(100))[0] for seed in (0, 1) for number in (0, 1)]
    distinct = {order.tobytes() for order in orders}
    assert len(distinct) == {"Sequential": 1, "ShuffleOnce": 2}.get(type(row.sampler).__name__, 4)


def test_sequential_and_once():
    np.testing.assert_array_equal(sampling.Sequential().order(5, 3, 4)[0], np.arange(5))
    once, _ = sampling.ShuffleOnce().order(50, 3, 4)
    np.testing.assert_array_equal(once, sampling.Reshuffle().order(50, 3, 0)[0])


def chi_square(counts, expected):
    return stats.chisquare(counts, expected).pvalue


@over_rows
def test_every_place_holds_every_row_with_its_probability(row):
    if isinstance(row.sampler, sampling.Sequential):
        return
    n, passes = 6, 4000
    norms = norms_of(n)
    # The seed changes too, for ShuffleOnce.
    orders = np.array([row.sampler.order(n, number, number, norms)[0] for number in range(passes)])
    expected = np.array([row.probability(i, norms.tolist()) for i in range(n)]) * passes
    for place in range(n):
        assert chi_square(np.bincount(orders[:, place], minlength=n), expected) > 1e-4
    if not row.permutes:
        # Draws are independent: neighbours are, too.
        pairs = np.bincount(orders[:, 0] * n + orders[:, 1], minlength=n * n)
        assert chi_square(pairs, np.outer(expected, expected).ravel() / passes) > 1e-4


def test_permutations_are_equally_frequent():
    orders = [tuple(sampling.Reshuffle().order(4, 0, number)[0].tolist()) for number in range(4800)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert chi_square(counts, np.full(24, 200.0)) > 1e-4


def test_many_draws_have_their_probabilities():
    n = 100_000
    norms = norms_of(n) ** 3
    for row in SAMPLER_ROWS:
        if not row.permutes:
            order, _ = row.sampler.order(n, 0, 0, norms)
            shares = norms / norms.sum()
            mixture = getattr(row.sampler, "mixture", 1)
            expected = n * (mixture / n + (1 - mixture) * shares)
            groups = np.arange(n) // 1000
            counts = np.bincount(groups[order], minlength=100)
            assert chi_square(counts, np.bincount(groups, weights=expected)) > 1e-4


# Importance


def importance_factors(sampler, norms):
    """The factor of each row that is drawn at all, from many passes."""
    factors = {}
    for number in range(60):
        for i, factor in zip(*(a.tolist() for a in sampler.order(len(norms), 0, number, norms)), strict=True):
            assert factors.setdefault(i, factor) == factor
    return factors


@pytest.mark.parametrize("mixture", [0.0, 0.3, 0.5, 1.0])
def test_importance_is_unbiased(mixture):
    norms = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 3.0])
    n = len(norms)
    p = mixture / n + (1 - mixture) * norms / norms.sum()
    factors = importance_factors(Importance(mixture), norms)
    gradients = np.random.default_rng(0).normal(size=(n, 3))
    expectation = sum(p[i] * factors[i] * gradients[i] for i in range(n))
    np.testing.assert_allclose(expectation, gradients.mean(axis=0), rtol=1e-13)
    if mixture:
        assert max(factors.values()) <= 1 / mixture


def test_rows_without_a_share_are_never_drawn():
    norms = np.array([0.0, 1.0, 0.0, 3.0, 0.0, 0.0])
    assert set(importance_factors(Importance(0.0), norms)) == {1, 3}
    assert set(importance_factors(Importance(0.5), norms)) == set(range(6))


@pytest.mark.parametrize("norms", [np.zeros(5), np.full(5, 2.0)], ids=["zeros", "equal"])
@pytest.mark.parametrize("mixture", [0, 0.5, 1])
def test_importance_of_equal_rows_is_uniform(norms, mixture):
    assert importance_factors(Importance(mixture), norms) == dict.fromkeys(range(5), 1.0)


def test_importance_takes_norms_in_single_precision():
    norms = norms_of(20).astype(np.float32)
    order, factors = Importance().order(20, 0, 0, norms)
    assert factors.dtype == np.float64
    np.testing.assert_array_equal(order, Importance().order(20, 0, 0, norms.astype(float))[0])


@pytest.mark.parametrize("norms", [None, np.ones(4), np.ones((5, 1))], ids=["none", "short", "matrix"])
def test_importance_needs_norms(norms):
    with pytest.raises(ValueError, match=r"squared norms of the 5 rows. Got"):
        Importance().order(5, 0, 0, norms)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_importance_refuses_what_is_no_norm(value):
    with pytest.raises(ValueError, match="finite and not negative"):
        Importance().order(3, 0, 0, np.array([5.0, value, 1.0]))


@over_rows
def test_fields_out_of_range_are_refused_by_name_and_value(row):
    for name, values in row.invalid.items():
        for value in values:
            with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of .* must be .*Got "):
                row.sampler.replace(**{name: value})


@over_rows
def test_samplers_are_values(row):
    assert clone(row.sampler) == row.sampler
    assert hash(row.sampler.replace()) == hash(row.sampler)
    assert resolve_sampler(row.sampler) is row.sampler


@pytest.mark.parametrize("name", SAMPLERS)
def test_names(name):
    assert resolve_sampler(name) == SAMPLERS[name]()


@pytest.mark.parametrize("value", [None, True, "shuffle", 3, sampling.Reshuffle])
def test_what_is_not_a_sampler(value):
    with pytest.raises(InvalidParameterError, match=r"'sampler'.*'importance', 'reshuffle'.*Got "):
        resolve_sampler(value)
    with pytest.raises(InvalidParameterError, match="'order'"):
        resolve_sampler(value, name="order")
