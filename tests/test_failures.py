"""What is left behind after an error, an interruption and divergence."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same, snapshot, weights
from sklearn.exceptions import ConvergenceWarning

from sksgd import LinearRegressor, LogisticClassifier


def with_value(values, value):
    changed = values.copy()
    changed.flat[7] = value
    return changed


#: What is wrong with the data, for LinearRegressor.
WRONG = [
    ({"X": with_value(X, np.nan)}, "Input X contains NaN"),
    ({"X": with_value(X, np.inf)}, "Input X contains infinity"),
    ({"X": sp.csr_array(with_value(X, np.nan))}, "Input X contains NaN"),
    ({"X": X[:, 0]}, "Expected 2D array"),
    ({"X": X[:5]}, "inconsistent numbers of samples"),
    ({"X": X[:0], "y": Y[:0]}, "0 sample"),
    ({"X": X.astype(complex)}, "Complex data not supported"),
    ({"y": with_value(Y, np.nan)}, "Input y contains NaN"),
    ({"y": with_value(Y, -np.inf)}, "Input y contains infinity"),
    ({"y": np.array(["a"] * 60)}, "could not convert|dtype"),
    ({"sample_weight": with_value(WEIGHT, -1.0)}, "Negative values in data passed to `sample_weight`"),
    ({"sample_weight": with_value(WEIGHT, np.nan)}, "contains NaN"),
    ({"sample_weight": WEIGHT[:5]}, "sample_weight.shape"),
]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("change", [None, "warm_start"])
def test_after_an_error_all_is_as_before(method, change):
    fresh = LinearRegressor()
    model = LinearRegressor(optimizer="momentum", average=True, learning_rate=0.01, warm_start=change == "warm_start")
    model.partial_fit(X, Y)
    before = snapshot(model)
    for wrong, message in WRONG:
        arguments = {"X": X, "y": Y, **wrong}
        with pytest.raises((ValueError, TypeError), match=message):
            getattr(model, method)(**arguments)
        assert snapshot(model) == before, message
        with pytest.raises((ValueError, TypeError)):
            getattr(fresh, method)(**arguments)
        assert set(vars(fresh)) == set(vars(LinearRegressor())), message


def test_a_snapshot_tells_models_apart():
    model = LinearRegressor(optimizer="momentum").partial_fit(X, Y)
    before = snapshot(model)
    model._state.lines[1, 0, 0] += 1e-9
    assert snapshot(model) != before


@pytest.mark.parametrize(
    ("model", "method", "arguments", "message"),
    [
        (LinearRegressor(), "partial_fit", (X[:, :3], Y), "X has 3 features.*expecting 4"),
        (LinearRegressor(warm_start=True), "fit", (X[:, :3], Y), "X has 3 features.*expecting 4"),
        (LinearRegressor(), "partial_fit", (X, np.column_stack([Y, Y])), re.escape("shape (2,)")),
        (
            LinearRegressor("poisson"),
            "fit",
            (X, with_value(np.abs(Y), -1.0)),
            "outside the domain of Poisson.*y >= 0.*-1",
        ),
        (LinearRegressor("gamma"), "partial_fit", (X, with_value(np.abs(Y) + 1, 0)), "outside the domain of Gamma"),
        (LinearRegressor("log_loss"), "fit", (X, with_value(Y * 0, 1.5)), "outside the domain of LogLoss"),
        (LogisticClassifier(), "fit", (X, Y), "Unknown label type: continuous"),
        (LogisticClassifier(), "fit", (X, np.full(60, "a")), "at least 2 classes; the data has 1 class: .*'a'"),
        (LogisticClassifier(), "partial_fit", (X, np.full(60, "new")), "labels not seen before: .*'new'"),
        (LogisticClassifier(warm_start=True), "fit", (X, with_value(THREE, "d")), "labels not seen before: .*'d'"),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_data_that_do_not_fit_the_model(model, method, arguments, message, kind):
    y = {"poisson": np.abs(Y), "gamma": np.abs(Y) + 1, "log_loss": Y > 1}.get(getattr(model, "loss", ""), Y)
    y = THREE if isinstance(model, LogisticClassifier) else y
    model.set_params(max_iter=2, tol=None).fit(kind(X), y)
    before = snapshot(model)
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(kind(arguments[0]), arguments[1])
    assert snapshot(model) == before


@pytest.mark.parametrize(
    "init", [{"coef_init": [1.0]}, {"intercept_init": [np.nan]}, {"coef_init": X[0], "intercept_init": [1, 2]}]
)
def test_wrong_initial_weights(init):
    model = LinearRegressor(warm_start=True).fit(X, Y)
    before = snapshot(model)
    with pytest.raises(ValueError, match="_init must be finite and of shape"):
        model.fit(X, Y, **init)
    assert snapshot(model) == before
    with pytest.raises(ValueError, match="intercept_init needs fit_intercept=True"):
        LinearRegressor(fit_intercept=False).fit(X, Y, intercept_init=1.0)


def test_all_weights_zero_is_an_error_in_fit():
    with pytest.raises(ValueError, match="All sample weights are zero"):
        LinearRegressor().fit(X, Y, sample_weight=np.zeros(60))


def rates_until(last, error):
    """A schedule that raises at update `last`, after it was asked for some others."""

    def rate(t):
        if np.max(t) >= last:
            raise error
        return 0.01 + 0.0 * t

    return rate


PARAMS = {"optimizer": "momentum", "sampling": "sequential", "tol": None}


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interruption_leaves_the_last_whole_pass(kind, early_stopping):
    params = {**PARAMS, "early_stopping": early_stopping, "random_state": 0}
    n = 54 if early_stopping else 60
    model = LinearRegressor(learning_rate=rates_until(2 * n + 5, KeyboardInterrupt), max_iter=10, **params)
    with pytest.raises(KeyboardInterrupt):
        model.fit(kind(X), Y)
    assert model.stop_reason_ == "interrupted"
    assert len(model.loss_curve_) == model.n_iter_ == 2
    assert model.t_ == 2 * n
    expected = LinearRegressor(learning_rate=0.01, max_iter=2, **{**params, "early_stopping": False})
    if not early_stopping:
        assert_same(model, expected.fit(kind(X), Y))
    # It can go on, too.
    model.set_params(warm_start=True, learning_rate=0.01, max_iter=3).fit(kind(X), Y)
    assert model.t_ > 2 * n


def test_an_interruption_before_the_first_pass_ends_leaves_the_previous_state():
    model = LinearRegressor(learning_rate=0.01, max_iter=2, **PARAMS).fit(X, Y)
    model.set_params(learning_rate=rates_until(5, KeyboardInterrupt))
    before = snapshot(model)
    for method in ("fit", "partial_fit"):
        with pytest.raises(KeyboardInterrupt):
            getattr(model, method)(X, Y)
        assert snapshot(model) == before
    model = LinearRegressor(optimizer="sgd", learning_rate=rates_until(5, KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert not hasattr(model, "n_iter_")


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_an_error_in_the_middle_of_a_pass(kind):
    model = LinearRegressor(learning_rate=0.01, max_iter=2, batch_size=7, **PARAMS).fit(kind(X), Y)
    model.set_params(learning_rate=rates_until(25, RuntimeError("no rate")), warm_start=True)
    before = snapshot(model)
    for method in ("fit", "partial_fit"):
        with pytest.raises(RuntimeError, match="no rate"):
            getattr(model, method)(kind(X), Y)
        assert snapshot(model) == before


DIVERGING = [
    (LinearRegressor(learning_rate=10.0, optimizer="sgd", average=True), Y),
    (LinearRegressor(learning_rate=1e4, optimizer="momentum", batch_size=8), Y),
    (LinearRegressor("poisson", learning_rate=1e3, optimizer="sgd"), np.abs(Y)),
    (LogisticClassifier(learning_rate=1e308, optimizer="sgd"), TWO),
]


@pytest.mark.parametrize(("model", "y"), DIVERGING)
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_divergence_in_fit(model, y, kind):
    name = re.escape(f"Training diverged with learning_rate={model.learning_rate!r} in pass ")
    with pytest.warns(
        ConvergenceWarning, match=f"{name}.*Lower the learning rate, scale the features.*adagrad"
    ) as caught:
        model.fit(kind(X), y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.stop_reason_.startswith("diverged")
    np.testing.assert_array_equal(weights(model), 0.0)
    assert model.n_iter_ == model.t_ == 0
    assert np.isfinite(model.predict(X)).all() if y is Y else True


def test_divergence_keeps_the_best_finite_pass():
    # A rate that is good for three passes, then too large by far.
    params = {**PARAMS, "optimizer": "sgd"}
    model = LinearRegressor(learning_rate=lambda t: np.where(t < 180, 0.001, 1e5), **params)
    with pytest.warns(ConvergenceWarning, match="diverged .* in pass 4; the weights are those of the best finite pass"):
        model.fit(X, Y)
    assert_same(model, LinearRegressor(learning_rate=0.001, max_iter=3, **params).fit(X, Y))
    assert len(model.loss_curve_) == model.n_iter_ == 3


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    ("rate", "rows"),
    [(1e4, slice(None)), (1e308, slice(0, 1))],
    ids=["a prediction", "a weight after the last row"],
)
def test_divergence_in_partial_fit(kind, rate, rows):
    model = LinearRegressor(optimizer="sgd", learning_rate=0.01).partial_fit(kind(X), Y)
    before = snapshot(model)
    with pytest.warns(
        ConvergenceWarning, match=r"diverged with learning_rate=1.* in this block; .* as before"
    ) as caught:
        model.set_params(learning_rate=rate).partial_fit(kind(100 * X[rows]), Y[rows])
    assert caught[0].filename == __file__
    assert model.stop_reason_.startswith("diverged")
    after = snapshot(model)
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {"learning_rate", "stop_reason_", "_problem_"}
    # It goes on where it was.
    expected = LinearRegressor(optimizer="sgd", learning_rate=0.01).partial_fit(kind(X), Y).partial_fit(kind(X), Y)
    model.set_params(learning_rate=0.01).partial_fit(kind(X), Y)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), atol=0.5)


def test_large_finite_numbers_are_no_divergence():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LinearRegressor(max_iter=3, tol=None).fit(X, 1e100 * Y)
    assert np.isfinite(weights(model)).all()


def test_fitted_arrays_are_read_only():
    model = LinearRegressor(max_iter=1, tol=None).fit(X, Y)
    with pytest.raises(ValueError, match="read-only"):
        model.coef_[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        model.intercept_[0] = 1.0
    with pytest.raises(AttributeError, match="no coefficients before fit"):
        _ = LinearRegressor().coef_
