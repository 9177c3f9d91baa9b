"""fit: weights of rows and classes, where it starts and ends, resuming, stopping, validation."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same, weights
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.base import Sampler
from sksgd.optimizers import Momentum
from sksgd.schedules import Adaptive, Cosine, InverseScaling

FULL = {"batch_size": "full", "optimizer": Momentum(0.9), "learning_rate": 0.1, "tol": None, "max_iter": 1500}


def test_the_minimum_is_that_of_the_stated_objective():
    ours = LinearRegressor(alpha=0.01, **FULL).fit(X, Y, sample_weight=WEIGHT)
    exact = Ridge(alpha=0.01 * WEIGHT.sum()).fit(X, Y, sample_weight=WEIGHT)
    np.testing.assert_allclose(weights(ours), [*exact.coef_, exact.intercept_], atol=1e-6)
    for labels in (TWO, THREE):
        ours = LogisticClassifier(alpha=0.01, **FULL).fit(X, labels, sample_weight=WEIGHT)
        exact = LogisticRegression(C=1 / (0.01 * WEIGHT.sum()), tol=1e-10, max_iter=1000).fit(X, labels, WEIGHT)
        np.testing.assert_allclose(ours.predict_proba(X), exact.predict_proba(X), atol=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_defaults_come_near_the_minimum_whatever_the_scale_of_the_target():
    for scale in (1e-3, 1.0, 1e5):
        model = LinearRegressor(random_state=0).fit(X, scale * Y)
        exact = Ridge(alpha=1e-4 * len(X)).fit(X, scale * Y)
        assert model.score(X, scale * Y) > exact.score(X, scale * Y) - 1e-3
    model = LogisticClassifier(random_state=0).fit(X, THREE)
    exact = LogisticRegression(C=1 / (1e-4 * len(X)), max_iter=1000).fit(X, THREE)
    least = -np.mean(exact.predict_log_proba(X)[np.arange(60), np.searchsorted(exact.classes_, THREE)])
    assert model.loss_curve_[-1] < least + 0.02


def test_only_ratios_of_sample_weights_count():
    params = {"max_iter": 3, "tol": None, "random_state": 0}
    first = LinearRegressor(**params).fit(X, Y, sample_weight=WEIGHT)
    assert_same(first, LinearRegressor(**params).fit(X, Y, sample_weight=100 * WEIGHT), rtol=1e-12)
    assert_same(LinearRegressor(**params).fit(X, Y), LinearRegressor(**params).fit(X, Y, sample_weight=7.0))


@pytest.mark.parametrize("batch_size", [1, 7, "full"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_of_weight_zero_are_absent(batch_size, early_stopping):
    weight = np.where(np.arange(60) % 3, WEIGHT, 0.0)
    keep = weight > 0
    params = {"optimizer": "adagrad", "batch_size": batch_size, "early_stopping": early_stopping, "random_state": 1}
    params |= {"max_iter": 4, "tol": None}
    for rows in (X, sp.csr_array(X)):
        whole = LogisticClassifier(**params).fit(rows, TWO, sample_weight=weight)
        part = LogisticClassifier(**params).fit(rows[keep], TWO[keep], sample_weight=weight[keep])
        assert_same(whole, part)
        # Losses are added up in groups, which absent rows shift.
        np.testing.assert_allclose(whole.loss_curve_, part.loss_curve_, rtol=1e-14)
        assert whole.t_ == part.t_


@pytest.mark.parametrize("class_weight", [{"a": 3.0, "b": 0.5}, {"c": 0.0}, "balanced"])
def test_class_weights_are_sample_weights(class_weight):
    counts = {label: WEIGHT[label == THREE].sum() for label in "abc"}
    by_class = {label: WEIGHT.sum() / (3 * counts[label]) for label in "abc"}
    by_class = by_class if class_weight == "balanced" else {"a": 1.0, "b": 1.0, "c": 1.0, **class_weight}
    expected = LogisticClassifier(max_iter=3, tol=None, random_state=0).fit(
        X, THREE, sample_weight=WEIGHT * [by_class[label] for label in THREE]
    )
    model = LogisticClassifier(max_iter=3, tol=None, random_state=0, class_weight=class_weight)
    assert_same(model.fit(X, THREE, sample_weight=WEIGHT), expected, rtol=1e-12)


def test_validation_takes_the_class_weights_of_training():
    model = LogisticClassifier(max_iter=2, tol=None, class_weight="balanced").fit(X, TWO, X_val=X[:9], y_val=TWO[:9])
    of_class = {label: 60 / (2 * np.sum(label == TWO)) for label in ("no", "yes")}
    weight = np.array([of_class[label] for label in TWO[:9]])
    loss = -model.predict_log_proba(X[:9])[np.arange(9), (TWO[:9] == "yes").astype(int)]
    assert min(model.validation_curve_) == pytest.approx(np.average(loss, weights=weight), rel=1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
def test_several_targets_are_independent(loss):
    Y2 = np.column_stack([Y, X[:, 0] ** 2])
    params = {"loss": loss, "optimizer": "sgd", "learning_rate": 0.05, "sampling": "sequential"}
    params |= {"max_iter": 3, "tol": None}
    both = LinearRegressor(**params).fit(X, Y2)
    assert both.coef_.shape == (2, 4)
    assert both.predict(X).shape == (60, 2)
    for k in range(2):
        one = LinearRegressor(**params).fit(X, Y2[:, k])
        np.testing.assert_allclose(both.coef_[k], one.coef_, rtol=1e-12)
        np.testing.assert_allclose(both.intercept_[k], one.intercept_[0], rtol=1e-12)
    column = LinearRegressor(**params).fit(X, Y[:, None])
    assert column.coef_.shape == (1, 4)
    assert column.predict(X).shape == (60, 1)


def test_initial_weights():
    # A tiny rate leaves them where they start.
    still = {"learning_rate": 1e-300, "optimizer": "sgd", "max_iter": 1, "tol": None}
    model = LinearRegressor(**still).fit(X, Y, coef_init=[1.0, 2.0, 3.0, 4.0], intercept_init=5.0)
    np.testing.assert_array_equal(weights(model), [1.0, 2.0, 3.0, 4.0, 5.0])
    model.set_params(warm_start=True).fit(X, Y, intercept_init=[7.0])
    np.testing.assert_array_equal(weights(model), [1.0, 2.0, 3.0, 4.0, 7.0])
    assert model.t_ == 120
    coef = np.arange(1.0, 13.0).reshape(3, 4)
    np.testing.assert_array_equal(LogisticClassifier(**still).fit(X, THREE, coef_init=coef).coef_, coef)
    bounded = LinearRegressor(**still, bounds=(0.0, 1.5)).fit(X, Y, coef_init=[-1.0, 1.0, 2.0, 0.0])
    np.testing.assert_allclose(bounded.coef_, [0.0, 1.0, 1.5, 0.0], atol=1e-200)


RESUMED = [
    {"optimizer": "sgd", "learning_rate": InverseScaling(0.1), "average": True},
    {"optimizer": "momentum", "learning_rate": 0.01, "batch_size": 7},
    {"optimizer": "adagrad", "learning_rate": 0.5, "penalty": "l1", "sampling": "with_replacement"},
    {"optimizer": "ftrl", "learning_rate": 0.5, "batch_size": 7},
    {"optimizer": "adam", "learning_rate": 0.05, "batch_size": 7, "average": "rate_weighted"},
]


@pytest.mark.parametrize("params", RESUMED, ids=lambda params: params["optimizer"])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_warm_start_goes_on_bitwise_after_pickling(params, kind):
    rows = kind(np.where(np.abs(X) < 0.5, 0.0, X))
    whole = LinearRegressor(**params, max_iter=5, tol=None, random_state=3).fit(rows, Y)
    model = LinearRegressor(**params, max_iter=3, tol=None, random_state=3, warm_start=True).fit(rows, Y)
    model = pickle.loads(pickle.dumps(model)).set_params(max_iter=2).fit(rows, Y)
    assert_same(model, whole)
    assert model.loss_curve_ == whole.loss_curve_
    assert (model.n_iter_, model.t_, model.n_samples_seen_) == (whole.n_iter_, whole.t_, whole.n_samples_seen_)


@pytest.mark.parametrize("change", [{"optimizer": "momentum"}, {"average": True}, {"alpha": 0.01}], ids=str)
def test_warm_start_ends_where_the_schedule_does(change):
    """Also where another optimizer or averaging counts updates from 0 again."""
    model = LinearRegressor(optimizer="sgd", learning_rate="linear", max_iter=2, tol=None, warm_start=True)
    model.fit(X, Y).set_params(**change).fit(X, Y)
    assert model.t_ == model._problem_.schedule.total


def test_without_warm_start_fit_forgets():
    params = {"optimizer": "sgd", "max_iter": 3, "tol": None, "random_state": 0}
    model = LinearRegressor(**params).fit(X[:, :2], -Y)
    assert_same(model.fit(X, Y), LinearRegressor(**params).fit(X, Y))
    assert (model.n_iter_, model.t_, model.n_samples_seen_) == (3, 180, 180)


def test_another_optimizer_starts_at_the_same_weights():
    model = LinearRegressor(optimizer="momentum", max_iter=3, tol=None, warm_start=True).fit(X, Y)
    before = weights(model)
    model.set_params(optimizer="sgd", learning_rate=1e-300, max_iter=1).fit(X, Y)
    np.testing.assert_array_equal(weights(model), before)
    assert model.n_iter_ == 4


@pytest.mark.parametrize("params", [{}, {"average": True, "penalty": "l1", "optimizer": "adagrad"}])
def test_the_loss_curve_is_the_objective_of_what_is_returned(params):
    model = LinearRegressor(alpha=0.1, max_iter=4, tol=None, random_state=0, **params).fit(X, Y, sample_weight=WEIGHT)
    penalty = np.abs(model.coef_).sum() if "penalty" in params else 0.5 * np.sum(model.coef_**2)
    loss = np.average(0.5 * (X @ model.coef_ + model.intercept_ - Y) ** 2, weights=WEIGHT)
    assert model.loss_curve_[-1] == pytest.approx(loss + 0.1 * penalty, rel=1e-12)
    assert len(model.loss_curve_) == model.n_iter_ == 4
    assert model.validation_curve_ == []


def test_stopping_follows_the_curve():
    params = {"optimizer": "sgd", "learning_rate": 0.01, "n_iter_no_change": 3, "random_state": 0}
    model = LinearRegressor(tol=0.05, **params).fit(X, Y)
    best, stalled = np.inf, []
    for value in model.loss_curve_:
        stalled.append(best - value <= 0.05 * best if np.isfinite(best) else False)
        best = min(best, value)
    assert all(stalled[-3:])
    assert not any(all(stalled[i : i + 3]) for i in range(len(stalled) - 3))
    assert model.stop_reason_ == "the objective fell by no more than tol for 3 passes in a row"
    # tol is relative: the objective of a target 1000 times as large is a million times as large.
    larger = LinearRegressor(tol=0.05, **params, alpha=1e-4).fit(X, 1000 * Y)
    assert larger.n_iter_ == model.n_iter_


def test_adaptive_rates_are_cut_before_training_stops():
    schedule = Adaptive(0.1, factor=10, eta_min=0.001)
    model = LinearRegressor(optimizer="sgd", learning_rate=schedule, tol=0.1, n_iter_no_change=2, random_state=0).fit(
        X, Y
    )
    constant = LinearRegressor(optimizer="sgd", learning_rate=0.1, tol=0.1, n_iter_no_change=2, random_state=0).fit(
        X, Y
    )
    assert model.n_iter_ >= constant.n_iter_ + 4
    assert model.loss_curve_[-1] < constant.loss_curve_[-1]


def test_max_iter_warns_and_tol_none_does_not():
    with pytest.warns(ConvergenceWarning, match="max_iter=2 passes done before the objective settled") as caught:
        model = LinearRegressor(optimizer="sgd", max_iter=2).fit(X, Y)
    assert caught[0].filename == __file__
    assert model.stop_reason_ == "max_iter=2 passes done"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LinearRegressor(optimizer="sgd", max_iter=2, tol=None).fit(X, Y)
    assert model.n_iter_ == 2
    with pytest.warns(ConvergenceWarning, match="before the validation loss settled"):
        LinearRegressor(optimizer="sgd", max_iter=2, early_stopping=True).fit(X, Y)


NOISY = {"learning_rate": 0.5, "optimizer": "sgd", "max_iter": 12, "tol": None, "random_state": 0}


def test_best_weights_on_own_validation_data_are_kept():
    weight = np.where(np.arange(20) < 10, 5.0, 0.0)
    kwargs = {"X_val": X[:20], "y_val": TWO[:20], "sample_weight_val": weight}
    model = LogisticClassifier(**NOISY).fit(X[20:], TWO[20:], **kwargs)
    assert len(model.validation_curve_) == len(model.loss_curve_) == 12
    best = int(np.argmin(model.validation_curve_))
    assert best not in (0, 11)
    loss = -model.predict_log_proba(X[:10])[np.arange(10), (TWO[:10] == "yes").astype(int)].mean()
    assert loss == pytest.approx(model.validation_curve_[best], rel=1e-12)
    assert model.n_iter_ == best + 1
    # The weights are those of that pass.
    assert_same(model, LogisticClassifier(**{**NOISY, "max_iter": best + 1}).fit(X[20:], TWO[20:]))


def test_validation_by_fraction():
    model = LogisticClassifier(early_stopping=True, validation_fraction=0.5, **NOISY).fit(X, THREE)
    assert len(model.validation_curve_) == 12
    assert model.t_ == 30 * model.n_iter_
    model = LogisticClassifier(optimizer="adagrad", early_stopping=True, max_iter=200, random_state=0).fit(X, TWO)
    assert model.stop_reason_ == "the validation loss fell by no more than tol for 5 passes in a row"
    # One class has one row: no split can have it on both sides.
    rare = np.where(np.arange(60) == 7, "rare", TWO)
    assert len(LogisticClassifier(early_stopping=True, **NOISY).fit(X, rare).classes_) == 3


def test_validation_data_are_checked():
    model = LogisticClassifier(**NOISY)
    for kwargs, message in [
        ({"X_val": X}, "X_val and y_val must be given together"),
        ({"y_val": TWO}, "X_val and y_val must be given together"),
        ({"X_val": X[:, :2], "y_val": TWO}, "2 features"),
        ({"X_val": X, "y_val": TWO[:5]}, "inconsistent numbers of samples"),
        ({"X_val": X, "y_val": THREE}, "labels not seen before"),
        ({"X_val": X, "y_val": TWO, "sample_weight_val": np.zeros(60)}, "sample_weight_val is zero"),
        ({"X_val": X, "y_val": TWO, "sample_weight_val": -WEIGHT}, "Negative values"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X, TWO, **kwargs)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.9 leaves too few rows of 1"):
        LinearRegressor(early_stopping=True, validation_fraction=0.9).fit(X[:1], Y[:1])


def test_a_horizon_is_that_of_fit():
    params = {"optimizer": "sgd", "learning_rate": Cosine(0.1), "tol": None, "sampling": "sequential", "batch_size": 20}
    model = LinearRegressor(max_iter=4, **params).fit(X, Y)
    given = LinearRegressor(max_iter=4, **{**params, "learning_rate": Cosine(0.1, total=12)}).fit(X, Y)
    assert_same(model, given)
    assert model.t_ == 12


def test_random_state_decides_the_order():
    params = {"optimizer": "sgd", "max_iter": 1, "tol": None}
    first = LinearRegressor(random_state=0, **params).fit(X, Y)
    assert_same(first, LinearRegressor(random_state=0, **params).fit(X, Y))
    assert_same(first, LinearRegressor(random_state=np.random.RandomState(0), **params).fit(X, Y))
    assert (first.coef_ != LinearRegressor(random_state=1, **params).fit(X, Y).coef_).any()


class Backwards(Sampler):
    def order(self, n, seed, number, norms=None):
        return np.arange(n, dtype=np.int32)[::-1], None


class BackwardsCopied(Backwards):
    def order(self, n, seed, number, norms=None):
        return np.ascontiguousarray(super().order(n, seed, number, norms)[0]), None


def test_a_view_with_strides_is_read_as_what_it_shows():
    params = {"optimizer": "sgd", "max_iter": 3, "tol": None}
    for rows in (X, sp.csr_array(X)):
        view, copy = (
            LinearRegressor(sampling=sampling, **params).fit(rows, Y) for sampling in (Backwards(), BackwardsCopied())
        )
        assert_same(view, copy)
    alphas = np.logspace(-4, 1, 2 * X.shape[1])[::-2]
    view, copy = (LinearRegressor(alpha=alpha, **params, random_state=0).fit(X, Y) for alpha in (alphas, alphas.copy()))
    assert_same(view, copy)
