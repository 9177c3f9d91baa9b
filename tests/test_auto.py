"""``optimizer="auto"``: what it chooses, what it refuses, and what it promises of a stream."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same
from sklearn.linear_model import Ridge

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core.runs import Runs
from sksgd.losses import LOSSES, Multinomial
from sksgd.optimizers import SGD, AdaGrad, Newton
from sksgd.optimizers.auto import Choice, usual

rng = np.random.default_rng(0)


def test_it_is_the_default_and_a_choice_is_reported():
    for kind, y in ((LinearRegressor, Y), (LogisticClassifier, TWO), (LogisticClassifier, THREE)):
        model = kind()
        assert model.optimizer == "auto"
        for fitted in (model.fit(X, y), kind().partial_fit(X, y, **({} if y is Y else {"classes": np.unique(y)}))):
            assert fitted.optimizer_.optimizer == Newton()
            assert not fitted.optimizer_.asked
            unknowns = 15 if y is THREE else 5
            assert str(fitted.optimizer_).startswith(f"Newton(): {unknowns} unknowns that depend on each other are few")
        assert_same(model, kind(optimizer="newton").fit(X, y))
    assert LinearRegressor(optimizer="sgd").partial_fit(X, Y).optimizer_ == Choice(SGD(), "as asked for", asked=True)


def test_raw_data_without_tuning():
    scale = 10.0 ** rng.uniform(-3, 3, 4)
    model = LinearRegressor().fit(X * scale + 5 * scale, 1e6 * Y)
    exact = Ridge(alpha=1e-4 * len(X)).fit(X * scale + 5 * scale, 1e6 * Y)
    np.testing.assert_allclose(model.predict(X * scale), exact.predict(X * scale), rtol=1e-6)
    assert model.optimality_gap_ < 1e-8


@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": 0.1},
        {"learning_rate": "optimal"},
        {"batch_size": 8},
        {"sampling": "sequential"},
        {"average": 1},
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_parameters_without_meaning_are_refused(params, method):
    (name, value), model = *params.items(), LinearRegressor(**params)
    with pytest.raises(
        ValueError, match=rf"{name!r} parameter has no meaning with optimizer='auto'.*Got {value!r}: leave"
    ):
        getattr(model, method)(X, Y)
    assert not hasattr(model, "coef_")


def test_a_choice_stays_for_a_whole_stream():
    whole = LogisticClassifier().partial_fit(X, TWO, classes=["no", "yes"], sample_weight=WEIGHT)
    parts = LogisticClassifier()
    for i, part in enumerate(np.split(np.arange(60), [1, 2, 13, 40])):
        rows = sp.csr_array(X[part]) if i % 2 else X[part]
        parts.partial_fit(rows, TWO[part], classes=["no", "yes"], sample_weight=WEIGHT[part])
        parts = pickle.loads(pickle.dumps(parts))
    assert parts.optimizer_ == whole.optimizer_
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-10)


def test_what_is_usual_where_nothing_without_a_rate_suits():
    smooth = {"squared_error", "huber", "squared_epsilon_insensitive", "squared_hinge", "modified_huber"}
    for name, loss in LOSSES.items():
        assert usual(loss()) == (SGD() if name in smooth else AdaGrad()), name
    assert usual(Multinomial()) == AdaGrad()


# ---- sorted streams --------------------------------------------------------------------------------------------------

TARGETS = {
    "two classes": (rng.random(1000) < 0.3).astype(float),
    "rare": (rng.random(8000) < 0.01).astype(float),
    "three classes": rng.integers(0, 3, 1000).astype(float),
    "numbers": rng.normal(size=1000),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("size", [1, 7, 400, 10_000])
def test_runs(name, size):
    y, numbers = TARGETS[name], name == "numbers"
    for order, expected in ((np.arange(len(y)), False), (np.argsort(y), True), (np.argsort(-y), True)):
        runs = Runs.begin(TARGETS[name] if numbers else y, classes=not numbers)
        for first in range(0, len(y), size):
            runs = runs.extend(y[order][first : first + size])
        kinds = (y > y.mean() if numbers else y)[order]
        assert runs.changes == np.count_nonzero(np.diff(kinds))
        np.testing.assert_array_equal(runs.counts, np.unique(kinds, return_counts=True)[1])
        assert runs.sorted == expected


def test_a_sorted_stream_is_told_of_once():
    rows, labels = rng.normal(size=(600, 3)), np.repeat(["a", "b"], 300)
    for model in (LogisticClassifier(), LogisticClassifier(optimizer="adagrad")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.partial_fit(rows[:300], labels[:300], classes=["a", "b"])
        with pytest.warns(UserWarning, match="600 rows given to partial_fit only 1 have another target") as caught:
            model.partial_fit(rows[300:], labels[300:])
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.partial_fit(rows[300:], labels[300:])
            model.partial_fit(rows[300:], labels[300:], sample_weight=np.zeros(300))


def test_order_is_of_no_consequence_to_squared_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearRegressor().partial_fit(np.arange(1000.0)[:, None], np.arange(1000.0))
        LogisticClassifier().fit(rng.normal(size=(1000, 2)), np.repeat([0, 1], 500))
    with pytest.warns(UserWarning, match="sorted by target"):
        LinearRegressor("huber").partial_fit(rng.normal(size=(1000, 1)), np.arange(1000.0))
