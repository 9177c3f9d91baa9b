"""partial_fit: parts equal the whole, what is kept between calls, and what a stream may contain."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same, snapshot, weights

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.averaging import Tail
from sksgd.schedules import Cosine, InverseScaling, OneCycle, Warmup

CONFIGURATIONS = [
    {"optimizer": "sgd", "learning_rate": InverseScaling(0.1), "average": True},
    {"optimizer": "nesterov", "learning_rate": 0.01},
    {"optimizer": "adagrad", "penalty": "l1", "alpha": 0.01},
    {"optimizer": "adam", "average": "rate_weighted", "learning_rate": InverseScaling(0.1)},
]
SPARSE = sp.csr_array(np.where(np.abs(X) < 0.5, 0.0, X))


@pytest.mark.parametrize("params", CONFIGURATIONS, ids=lambda params: params["optimizer"])
@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("rows", [X, SPARSE], ids=["dense", "csr"])
def test_parts_equal_the_whole(params, batch_size, rows):
    params = {**params, "batch_size": batch_size, "sampling": "sequential"}
    whole = LinearRegressor(**params).partial_fit(rows, Y, sample_weight=WEIGHT)
    parts = LinearRegressor(**params)
    for part in np.split(np.arange(60), [4, 8, 28, 40]):
        parts = pickle.loads(pickle.dumps(parts.partial_fit(rows[part], Y[part], sample_weight=WEIGHT[part])))
    # Reading the weights of sparse data between calls must not change them, but settling adds up in another order. So
    # does plain SGD for the first row of a call, which no row before it foresees.
    reordered = rows is not X or (params["optimizer"] == "sgd" and batch_size == 1)
    assert_same(parts, whole, rtol=1e-12 if reordered else 0.0)
    assert (whole.t_, parts.t_) == (60 // batch_size,) * 2
    assert parts.n_samples_seen_ == 60
    assert (whole.n_iter_, parts.n_iter_) == (1, 5)


@pytest.mark.parametrize("rows", [X, SPARSE], ids=["dense", "csr"])
def test_pickling_and_reading_in_the_middle_change_nothing(rows):
    models = [LogisticClassifier(random_state=0, average=True, optimizer="sgd", learning_rate=0.1) for _ in range(2)]
    for k in range(6):
        for i, model in enumerate(models):
            model.partial_fit(rows[k * 10 : k * 10 + 10], THREE[k * 10 : k * 10 + 10], classes=["a", "b", "c"])
            if i:
                models[i] = pickle.loads(pickle.dumps(model))
                weights(models[i])
    assert_same(*models)


def test_a_pass_of_fit_is_a_call_of_partial_fit():
    params = {"optimizer": "momentum", "learning_rate": 0.01, "random_state": 0, "max_iter": 3, "tol": None}
    fitted, streamed = LinearRegressor(**params).fit(X, Y), LinearRegressor(**params)
    for _ in range(3):
        streamed.partial_fit(X, Y)
    assert_same(fitted, streamed)
    # After fit, partial_fit goes on.
    assert_same(fitted.partial_fit(X, Y), streamed.partial_fit(X, Y))
    assert fitted.n_iter_ == 4
    assert len(fitted.loss_curve_) == 3


def test_sample_weights_are_taken_as_given():
    params = {"optimizer": "sgd", "sampling": "sequential"}
    weighted = LinearRegressor(learning_rate=0.01, alpha=0.0, **params).partial_fit(
        X, Y, sample_weight=np.full(60, 3.0)
    )
    assert_same(weighted, LinearRegressor(learning_rate=0.03, alpha=0.0, **params).partial_fit(X, Y), rtol=1e-12)


@pytest.mark.parametrize("rows", [X, SPARSE], ids=["dense", "csr"])
def test_rows_of_weight_zero_are_absent(rows):
    weight = np.where(np.arange(60) % 3, WEIGHT, 0.0)
    keep = weight > 0
    whole = LinearRegressor(optimizer="sgd", batch_size=4, random_state=0).partial_fit(rows, Y, sample_weight=weight)
    part = LinearRegressor(optimizer="sgd", batch_size=4, random_state=0).partial_fit(
        rows[keep], Y[keep], sample_weight=weight[keep]
    )
    assert_same(whole, part)
    assert whole.n_samples_seen_ == part.n_samples_seen_ == 40


@pytest.mark.parametrize("sampling", ["reshuffle", "with_replacement", "importance"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_batch_of_weight_zero_does_nothing(sampling, class_weight):
    params = {"sampling": sampling, "random_state": 0, "class_weight": class_weight, "optimizer": "momentum"}
    zero = np.zeros(60)
    model = LogisticClassifier(**params).partial_fit(X, TWO, classes=["no", "yes"], sample_weight=zero)
    np.testing.assert_array_equal(weights(model), 0.0)
    expected = LogisticClassifier(**params).partial_fit(X, TWO, classes=["no", "yes"]).partial_fit(X, TWO)
    model.partial_fit(X, TWO).partial_fit(X, TWO, sample_weight=zero).partial_fit(X, TWO)
    assert_same(model, expected)
    assert (model.n_iter_, model.t_, model.n_samples_seen_) == (2, 120, 120)


def test_balanced_weights_come_from_running_counts():
    params = {"learning_rate": 0.1, "sampling": "sequential", "optimizer": "sgd"}
    model = LogisticClassifier(class_weight="balanced", **params)
    expected = LogisticClassifier(**params)
    counts = np.zeros(3)
    for part in np.split(np.arange(60), 6):
        codes = np.searchsorted(["a", "b", "c"], THREE[part])
        counts += np.bincount(codes, weights=WEIGHT[part], minlength=3)
        balanced = counts.sum() / (np.count_nonzero(counts) * counts[codes])
        model.partial_fit(X[part], THREE[part], classes=["a", "b", "c"], sample_weight=WEIGHT[part])
        expected.partial_fit(X[part], THREE[part], classes=["a", "b", "c"], sample_weight=balanced * WEIGHT[part])
    assert_same(model, expected, rtol=1e-12)


def test_counts_go_on_after_fit():
    params = {"class_weight": "balanced", "learning_rate": 1e-9, "optimizer": "sgd", "max_iter": 1, "tol": None}
    model = LogisticClassifier(**params).fit(X, TWO)
    before = model.intercept_[0]
    only = TWO == "yes"
    n = only.sum()
    model.partial_fit(X[only], TWO[only])
    # Weights of "yes" after the second call: its rows count twice, those of "no" once.
    weight = (60 + n) / (2 * 2 * n)
    assert model.intercept_[0] - before == pytest.approx(1e-9 * n * weight * 0.5, rel=1e-6)


@pytest.mark.parametrize("params", [{"penalty": "l2"}, {"penalty": "l1"}, {"penalty": "l1", "optimizer": "adagrad"}])
def test_parameters_may_change_between_calls(params):
    params = {"optimizer": "sgd", "learning_rate": 0.05, "alpha": 0.1, "sampling": "sequential", **params}
    models = [LinearRegressor(**params) for _ in range(2)]
    changes = [{}, {"alpha": 0.5}, {"penalty": "elasticnet"}, {"l1_ratio": 0.9}, {"bounds": (-1.0, 0.5)}, {"alpha": 0}]
    for change in changes:
        for model, rows in zip(models, (SPARSE.toarray(), SPARSE), strict=True):
            model.set_params(**change).partial_fit(rows[:20], Y[:20])
        assert_same(*models, rtol=1e-10)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "one_cycle", Cosine(0.1), OneCycle(0.1), Warmup("linear", 3)])
def test_schedules_that_need_a_horizon_are_refused(schedule):
    model = LinearRegressor(optimizer="sgd", learning_rate=schedule)
    with pytest.raises(ValueError, match=r"the number of updates to come is unknown.*Call fit.*total=1000"):
        model.partial_fit(X, Y)
    assert not hasattr(model, "coef_")
    model.set_params(learning_rate=Cosine(0.1, total=100)).partial_fit(X, Y)
    fitted = snapshot(model)
    with pytest.raises(ValueError, match="the number of updates to come is unknown"):
        model.set_params(learning_rate=schedule).partial_fit(X, Y)
    assert snapshot(model) == {**fitted, "learning_rate": repr(schedule)} or not isinstance(schedule, str)


@pytest.mark.parametrize("average", ["tail", Tail(0.2)])
def test_averages_that_need_a_horizon_are_refused(average):
    with pytest.raises(ValueError, match=re.escape("Call fit, which knows it, or use PolyakRuppert(start=...)")):
        LinearRegressor(optimizer="sgd", average=average).partial_fit(X, Y)


def test_the_first_call_needs_classes_and_later_ones_agree():
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        LogisticClassifier().partial_fit(X, TWO)
    model = LogisticClassifier().partial_fit(X[:5], np.full(5, "no"), classes=["yes", "no"])
    np.testing.assert_array_equal(model.classes_, ["no", "yes"])
    model.partial_fit(X, TWO, classes=["no", "yes"])
    with pytest.raises(ValueError, match="are not those of the first call"):
        model.partial_fit(X, TWO, classes=["no", "perhaps", "yes"])


def test_a_stream_of_1000_blocks():
    rng = np.random.default_rng(1)
    regressor, classifier = LinearRegressor(optimizer="sgd"), LogisticClassifier(optimizer="adagrad")
    for _ in range(1000):
        rows = rng.normal(size=(3, 4))
        y = rows @ [1.0, -2.0, 0.0, 0.5] + 1.0 + 0.1 * rng.normal(size=3)
        regressor.partial_fit(rows, y)
        classifier.partial_fit(rows, y > 1, classes=[False, True])
    assert regressor.score(X, Y) > 0.99
    assert classifier.score(X, Y > 1) > 0.95
    assert (regressor.n_iter_, regressor.t_, regressor.n_samples_seen_) == (1000, 3000, 3000)
    assert regressor.stop_reason_ == "one block done"


def test_a_row_on_many_features_touches_only_its_own():
    d = 200_000
    rows = sp.csr_array((np.ones(4), ([0, 0, 1, 1], [3, 7, 7, 100_000])), shape=(2, d))
    model = LogisticClassifier(optimizer="adagrad", alpha=1e-3).partial_fit(rows, [0, 1], classes=[0, 1])
    for _ in range(3):
        model.partial_fit(rows[:1], [0])
    assert set(np.flatnonzero(model.coef_[0])) == {3, 7, 100_000}
