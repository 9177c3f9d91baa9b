"""Fits over sources: against fits of the same rows in memory, a loop over buffers by hand, and exact optima."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import assert_same, weights
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, QuantileRegressor
from streamed import ADAGRAD, THREE, TWO, WEIGHT, D, N, Rows, X, Y, ranges

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core import pass_
from sksgd.core.batches import Block
from sksgd.core.state import State
from sksgd.losses import Quantile
from sksgd.sampling import Reshuffle
from sksgd.stream import NumpySource
from sksgd.stream.feed import StreamFeed
from sksgd.stream.intake import drawn

#: Parts of 20 rows, of which two fill the buffer: rows are read in every pass.
SMALL = {"block_rows": 20, "buffer_rows": 40}

CASES = {
    "two classes": (LogisticClassifier, TWO, None, {}),
    "averaged": (LogisticClassifier, TWO, None, {"average": True}),
    "weights": (LogisticClassifier, TWO, WEIGHT, {}),
    "balanced": (LogisticClassifier, TWO, WEIGHT, {"class_weight": "balanced"}),
    "three classes": (LogisticClassifier, THREE, None, {}),
    "two targets": (LinearRegressor, Y, None, {}),
    "batches": (LogisticClassifier, TWO, None, {"batch_size": 10}),
    "full": (LogisticClassifier, TWO, WEIGHT, {"batch_size": "full"}),
}


def fit_both(kind, rows, y, weight, params, **options):
    """A fit of rows in memory, and one of a source of them."""
    params = {**ADAGRAD, **params}
    source = NumpySource(rows, y, weight, **{**SMALL, **options})
    return kind(**params).fit(rows, y, sample_weight=weight), kind(**params).fit(source)


#: Of several outputs only dense rows: the sums over buffers are the same, and these kernels are many.
FORMS = [("dense", case) for case in CASES] + [
    ("csr", case) for case in CASES if case not in ("three classes", "two targets")
]


@pytest.mark.parametrize(("form", "case"), FORMS)
def test_in_the_order_of_the_source_a_fit_is_that_of_rows_in_memory(case, form):
    kind, y, weight, params = CASES[case]
    rows = X if form == "dense" else sp.csr_array(X)
    memory, stream = fit_both(kind, rows, y, weight, params)
    assert_same(memory, stream, rtol=1e-12 if case == "full" else 0.0)
    np.testing.assert_allclose(stream.loss_curve_, memory.loss_curve_, rtol=1e-12)
    assert (stream.n_iter_, stream.n_samples_seen_, stream.t_) == (memory.n_iter_, memory.n_samples_seen_, memory.t_)


@pytest.mark.parametrize("seed", range(8))
def test_sums_of_weights_do_not_depend_on_the_blocks(seed):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 2.0, N) * (rng.random(N) < 0.8)
    assert_same(*fit_both(LogisticClassifier, X, TWO, weight, {"class_weight": "balanced", "max_iter": 1}))


@settings(max_examples=25, deadline=None)
@given(
    blocks=st.integers(1, N + 1),
    buffer=st.integers(1, N + 1),
    sizes=st.lists(st.integers(0, 70), max_size=4),
)
def test_any_chunks(blocks, buffer, sizes):
    class Cut(Rows):
        n_parts = len(sizes) + 1

        def __init__(self, **options):
            super().__init__(X, TWO, **options)
            ends = [0, *np.minimum(np.cumsum(sizes), N).astype(int).tolist(), N]
            self.places = [[slice(*pair)] for pair in itertools.pairwise(ends)]

    memory = LogisticClassifier(**ADAGRAD).fit(X, TWO)
    stream = LogisticClassifier(**ADAGRAD).fit(Cut(block_rows=blocks, buffer_rows=buffer))
    assert_same(memory, stream)


@pytest.mark.parametrize("params", [ADAGRAD, {}], ids=["adagrad", "newton"])
def test_a_small_memory_limit_changes_nothing(params):
    model = LogisticClassifier(**params, class_weight="balanced")
    large, small = (clone(model).fit(NumpySource(X, TWO, WEIGHT, **SMALL, memory_limit=n)) for n in (1 << 30, 1000))
    assert_same(large, small)


# ---- order -----------------------------------------------------------------------------------------------------------


def by_hand(fitted, passes, orders_of=lambda number: number):
    """Passes over shuffled parts in shuffled buffers of two blocks, one after the other."""
    problem, seed = fitted._problem_, fitted._state.seed
    state = State(problem, 1, D, np.float64, seed)
    state.start(problem, np.zeros((1, D)), np.zeros(1))
    parts, visited = ranges(N, 20), []
    for number in map(orders_of, range(passes)):
        order = Reshuffle().order(len(parts), seed, number)[0]
        for index, first in enumerate(range(0, len(parts), 2)):
            rows = np.concatenate([np.arange(N)[parts[part]] for part in order[first : first + 2]])
            own = seed if index == 0 else int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
            inside = Reshuffle().order(len(rows), own, number)[0]
            y = (TWO[rows] == "yes").astype(float)[:, None]
            assert pass_.run(problem, state, Block(X[rows], y), inside, None)
            visited.append(rows[inside])
    return state.weights(problem), np.concatenate(visited).reshape(passes, N)


@pytest.mark.parametrize("sampling", ["reshuffle", "shuffle_once"])
def test_rows_are_shuffled_in_buffers_of_shuffled_parts(sampling):
    model = LogisticClassifier(**{**ADAGRAD, "sampling": sampling}).fit(NumpySource(X, TWO, **SMALL))
    number = (lambda number: number) if sampling == "reshuffle" else (lambda number: 0)
    (coef, intercept), visited = by_hand(model, 3, number)
    assert np.array_equal(model.coef_, coef)
    assert np.array_equal(model.intercept_, intercept)
    assert model.n_samples_seen_ == 3 * N
    assert np.array_equal(np.sort(visited), np.tile(np.arange(N), (3, 1)))  # each row once a pass
    assert np.array_equal(visited[0], visited[1]) == (sampling == "shuffle_once")
    again = LogisticClassifier(**{**ADAGRAD, "sampling": sampling}).fit(NumpySource(X, TWO, **SMALL))
    assert_same(model, again)


@pytest.mark.parametrize("sampling", ["with_replacement", "importance"])
def test_orders_that_repeat_rows_are_for_rows_in_memory(sampling):
    model = LogisticClassifier(**{**ADAGRAD, "sampling": sampling})
    with pytest.raises(ValueError, match=r"sampling=.*several times in a pass.*Use sampling='reshuffle'"):
        model.fit(NumpySource(X, TWO, **SMALL))
    assert not hasattr(model, "coef_")
    assert_same(model.fit(NumpySource(X, TWO)), model.fit(X, TWO))  # it fits the buffer


def log_objective(model, X, y, alpha=1e-4):
    scores = X @ model.coef_.ravel() + model.intercept_
    return np.mean(np.logaddexp(0, scores) - y * scores) + alpha / 2 * np.sum(model.coef_**2)


def test_rows_sorted_by_label():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(4000, D))
    y = (rows @ [1.0, -1.0, 0.5, 0.0] + rng.logistic(size=4000) > 0).astype(int)
    order = np.argsort(y, kind="stable")
    rows, y = rows[order], y[order]
    source = NumpySource(rows, y, block_rows=50, buffer_rows=400)
    params = {**ADAGRAD, "learning_rate": 0.1, "max_iter": 5}
    found = [
        log_objective(LogisticClassifier(**{**params, "sampling": sampling}).fit(*data), rows, y)
        for sampling, data in [("reshuffle", (rows, y)), ("reshuffle", (source,)), ("sequential", (source,))]
    ]
    memory, shuffled, sequential = found
    assert shuffled < 1.01 * memory
    assert sequential > 1.05 * memory


# ---- Newton ----------------------------------------------------------------------------------------------------------


def test_newton_finds_the_ridge_solution():
    model = LinearRegressor(alpha=0.1).fit(NumpySource(X, Y, WEIGHT, **SMALL))
    share = WEIGHT / WEIGHT.sum()
    Z, T = X - share @ X, Y - share @ Y
    exact = np.linalg.solve(Z.T * share @ Z + 0.1 * np.eye(D), Z.T * share @ T)
    np.testing.assert_allclose(model.coef_, exact.T, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, share @ (Y - X @ exact), rtol=1e-9)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_newton_finds_the_minimum(form):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(3000, D))
    y = (rows @ [1.0, -1.0, 0.5, 0.0] + rng.logistic(size=3000) > 0).astype(int)
    exact = LogisticRegression(C=1 / (len(y) * 1e-4), solver="newton-cholesky", tol=1e-12).fit(rows, y)
    model = LogisticClassifier(tol=1e-8).fit(NumpySource(form(rows), y, block_rows=256, buffer_rows=700))
    least = log_objective(exact, rows, y)
    gap = log_objective(model, rows, y) / least - 1
    assert gap <= 1e-8
    # The estimate is of second order; both objectives are exact to 1e-12.
    np.testing.assert_allclose(model.optimality_gap_, gap, rtol=0.2, atol=1e-12)
    np.testing.assert_allclose(model.loss_curve_[-1], least, rtol=1e-8)


def test_newton_smooths_kinks():
    y = Y[:, 0]
    model = LinearRegressor(Quantile(0.3), alpha=0, tol=1e-6).fit(NumpySource(X, y, **SMALL))
    exact = QuantileRegressor(quantile=0.3, alpha=0).fit(X, y)

    def objective(fitted):
        residual = y - X @ fitted.coef_ - fitted.intercept_
        return np.mean(np.maximum(0.3 * residual, -0.7 * residual))

    assert objective(model) <= objective(exact) * (1 + 1e-6)


# ---- held-out rows ---------------------------------------------------------------------------------------------------

HELD = {**ADAGRAD, "early_stopping": True, "validation_fraction": 0.2, "max_iter": 1}


@pytest.mark.parametrize("options", [SMALL, {"block_rows": 7, "buffer_rows": 30}, {}], ids=["20", "7", "in memory"])
def test_held_out_rows_do_not_depend_on_the_blocks(options):
    held = drawn(N, 0.2, int(np.random.RandomState(0).randint(1 << 31)))
    assert 0.1 * N < held.sum() < 0.3 * N
    model = LogisticClassifier(**HELD).fit(NumpySource(X, TWO, **options))
    assert_same(model, LogisticClassifier(**{**HELD, "early_stopping": False}).fit(X[~held], TWO[~held]))
    scores = X[held] @ model.coef_.ravel() + model.intercept_
    loss = np.mean(np.logaddexp(0, scores) - (TWO[held] == "yes") * scores)
    np.testing.assert_allclose(model.validation_curve_, [loss], rtol=1e-12)


def test_rows_are_held_out_by_a_hash_of_their_number():
    held_out = drawn(100_000, 0.1, 5)
    assert abs(held_out.mean() - 0.1) < 5 * np.sqrt(0.09 / 100_000)
    assert np.array_equal(drawn(1000, 0.1, 5), held_out[:1000])
    assert not np.array_equal(drawn(1000, 0.1, 6), held_out[:1000])
    assert np.all(drawn(1000, 0.3, 5) >= held_out[:1000])


@pytest.mark.parametrize("params", [ADAGRAD, {}], ids=["adagrad", "newton"])
def test_validation_by_a_source(params):
    train, test = slice(0, 120), slice(120, N)
    fit = LogisticClassifier(**params).fit
    source = NumpySource(X[train], TWO[train], **SMALL)
    by_source = fit(source, X_val=NumpySource(X[test], TWO[test], WEIGHT[test], **SMALL))
    curve, found = by_source.validation_curve_, weights(by_source)
    by_arrays = fit(source, X_val=X[test], y_val=TWO[test], sample_weight_val=WEIGHT[test])
    np.testing.assert_allclose(by_arrays.validation_curve_, curve, rtol=1e-12)
    assert np.array_equal(weights(by_arrays), found)
    scores = X[test] @ found[:D] + found[D]
    losses = np.logaddexp(0, scores) - (TWO[test] == "yes") * scores
    np.testing.assert_allclose(min(curve), np.average(losses, weights=WEIGHT[test]), rtol=1e-12)


# ---- classes, predictions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [None, ["c", "b", "a", "z"]])
def test_classes(classes):
    source = NumpySource(X, THREE, **SMALL, classes=classes)
    model = LogisticClassifier(alpha=0.01).fit(source)
    assert model.classes_.tolist() == sorted(classes or ["a", "b", "c"])
    assert model.score(source) == np.mean(model.predict(X) == THREE) > 0.6


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_predictions_block_by_block(form):
    rows = form(X)
    model = LogisticClassifier(alpha=0.01).fit(rows, THREE)
    source = NumpySource(rows, THREE, WEIGHT, **SMALL)
    for name in ("predict_proba", "decision_function", "predict_log_proba"):
        np.testing.assert_allclose(getattr(model, name)(source), getattr(model, name)(rows), rtol=1e-12)
    assert np.array_equal(model.predict(source), model.predict(rows))
    assert model.score(source) == model.score(rows, THREE, WEIGHT)
    regressor = LinearRegressor().fit(NumpySource(rows, Y, **SMALL))
    assert regressor.predict(source).shape == (N, 2)
    np.testing.assert_allclose(regressor.score(NumpySource(rows, Y, **SMALL)), regressor.score(rows, Y), rtol=1e-12)


def test_small_sources_are_kept_in_memory(monkeypatch):
    passes = []
    monkeypatch.setattr(StreamFeed, "one_pass", lambda *_: passes.append(1))
    LogisticClassifier(**ADAGRAD).fit(NumpySource(X, TWO, block_rows=20))
    assert not passes
