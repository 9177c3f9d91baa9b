"""The drop-ins with an optimizer, batches or a sampler: what the flagships do with the same components."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same, weights
from sklearn.model_selection import GridSearchCV

from sksgd import LinearRegressor, LogisticClassifier, SGDClassifier, SGDRegressor
from sksgd.averaging import PolyakRuppert
from sksgd.base import Sampler
from sksgd.optimizers import Adam, Momentum
from sksgd.sampling import SAMPLERS

over = pytest.mark.parametrize
LAYOUTS = {"dense": np.asarray, "csr": sp.csr_array}
over_layouts = over("layout", LAYOUTS.values(), ids=LAYOUTS)
SPARSE = np.where(np.abs(X) < 0.5, 0.0, X)
EVEN = WEIGHT / WEIGHT.mean()  # as the flagship scales them
TOLERANCE = 1e-12

#: Parameters that mean the same in both; all tests have weights, for which kernels are compiled anew.
CONFIGURATIONS = [
    {"optimizer": "sgd", "penalty": "l2", "average": 20},
    {"optimizer": "momentum", "penalty": "l2"},
    {"optimizer": "adagrad", "penalty": "l1", "batch_size": 7, "average": 1, "alpha": 0.3},
    {"optimizer": Adam(beta1=0.8), "penalty": "elasticnet", "l1_ratio": 0.4, "batch_size": "full"},
    {"batch_size": 7, "fit_intercept": False, "average": 1000},
]
over_configurations = over("params", CONFIGURATIONS, ids=str)


def drop_in(kind=SGDClassifier, **params):
    loss = {"loss": "log_loss"} if kind is SGDClassifier else {}
    fields = {"learning_rate": "constant", "eta0": 0.03, "shuffle": False, "alpha": 0.02, "tol": None, "max_iter": 3}
    return kind(**{**loss, **fields, **params})


def flagship(kind=LogisticClassifier, average=0, **params):
    fields = {"learning_rate": 0.03, "sampling": "sequential", "alpha": 0.02, "tol": None, "max_iter": 3}
    average = PolyakRuppert(average - 1) if average else None
    return kind(**{"optimizer": "sgd", "average": average, **fields, **params})


@over_layouts
@over_configurations
def test_drop_ins_equal_flagships(params, layout):
    models, rows = (drop_in(**params), flagship(**params)), layout(SPARSE)
    for model in models:
        model.fit(rows, TWO, sample_weight=EVEN)
    assert_same(*models, rtol=TOLERANCE)
    # partial_fit goes on with slots, averages and the number of updates.
    fitted = weights(models[0])
    for _ in range(2):
        for model in models:
            model.partial_fit(rows[:23], TWO[:23], sample_weight=WEIGHT[:23])
        assert_same(*models, rtol=TOLERANCE)
    assert not np.array_equal(weights(models[0]), fitted)
    if params.get("penalty") == "l1":
        assert (fitted == 0).any()


@over_layouts
@over_configurations
def test_partial_fits_equal_flagships(params, layout):
    models = [drop_in(**params), flagship(**params)]
    for part in np.split(np.arange(60), [14, 28, 49]):
        for i, model in enumerate(models):
            model.partial_fit(layout(SPARSE[part]), TWO[part], classes=["no", "yes"], sample_weight=WEIGHT[part])
            models[i] = pickle.loads(pickle.dumps(model))
        assert_same(*models, rtol=TOLERANCE)


def test_regressors_equal_flagships():
    for params in ({"optimizer": "momentum"}, {"optimizer": "sgd", "average": 20}):
        models = drop_in(SGDRegressor, **params), flagship(LinearRegressor, **params)
        for _ in range(2):
            for model in models:
                model.fit(X, Y).partial_fit(X, Y)
            assert_same(*models, rtol=TOLERANCE)


@over_layouts
@over_configurations
def test_rows_of_weight_zero_are_absent(params, layout):
    weight = np.where(np.arange(60) % 3, WEIGHT, 0.0)
    keep = weight > 0
    part = drop_in(**params).fit(layout(SPARSE[keep]), TWO[keep], sample_weight=weight[keep])
    assert_same(drop_in(**params).fit(layout(SPARSE), TWO, sample_weight=weight), part)
    # Those of a class of weight zero, too.
    classes = {"class_weight": {"no": 0.0}}
    model = drop_in(**params, **classes).fit(layout(SPARSE), TWO, sample_weight=WEIGHT)
    yes = TWO == "yes"
    part = drop_in(**params)
    for _ in range(3):
        part.partial_fit(layout(SPARSE[yes]), TWO[yes], classes=["no", "yes"], sample_weight=WEIGHT[yes])
    assert_same(model, part, rtol=TOLERANCE)


@over_configurations
def test_several_classes_are_trained_one_against_the_rest(params):
    model = drop_in(**params).fit(X, THREE, sample_weight=EVEN).partial_fit(X, THREE, sample_weight=EVEN)
    for k, label in enumerate("abc"):
        one = flagship(**params).fit(X, label == THREE, sample_weight=EVEN)
        one.partial_fit(X, label == THREE, sample_weight=EVEN)
        np.testing.assert_allclose(model.coef_[k], one.coef_[0], rtol=TOLERANCE, atol=TOLERANCE)
        np.testing.assert_allclose(model.intercept_[k], one.intercept_[0], rtol=TOLERANCE, atol=TOLERANCE)


# Changes between calls


def test_a_new_fit_forgets_the_slots():
    model = drop_in(SGDRegressor, optimizer="momentum").fit(-X, Y).fit(X, Y).partial_fit(X, Y)
    assert_same(model, drop_in(SGDRegressor, optimizer="momentum").fit(X, Y).partial_fit(X, Y))
    # Those of before a fit without an optimizer do not come back.
    model.set_params(optimizer=None).fit(X, Y)
    fresh = drop_in(SGDRegressor).fit(X, Y)
    for one in (model, fresh):
        one.set_params(optimizer="momentum").partial_fit(X, Y)
    assert_same(model, fresh)


@over("change", [{"optimizer": "adam"}, {"optimizer": Momentum(0.5)}, {"average": True}, {"optimizer": None}], ids=str)
def test_another_optimizer_starts_at_the_weights(change):
    model = drop_in(SGDRegressor, optimizer="momentum").partial_fit(X, Y)
    start = {"coef_init": model.coef_.copy(), "intercept_init": model.intercept_.copy()}
    params = {"optimizer": "momentum", "max_iter": 1, **change}
    wanted = drop_in(SGDRegressor, **params).fit(X, Y, **start)
    assert_same(model.set_params(**change).partial_fit(X, Y), wanted, rtol=TOLERANCE)


CHANGES = [
    ({"optimizer": "momentum"}, [{"alpha": 0.5}, {"eta0": 0.01}, {"alpha": 0.0}]),
    ({"optimizer": "adagrad", "penalty": "l1"}, [{"alpha": 0.5}, {"penalty": "elasticnet"}, {"l1_ratio": 0.9}]),
]


@over(("params", "changes"), CHANGES, ids=str)
def test_parameters_may_change_between_calls(params, changes):
    models = drop_in(SGDRegressor, **params), drop_in(SGDRegressor, **params)
    for change in [{}, *changes]:
        before = weights(models[0]) if change else None
        for model, rows in zip(models, (SPARSE, sp.csr_array(SPARSE)), strict=True):
            model.set_params(**change).partial_fit(rows[:20], Y[:20])
        assert_same(*models, rtol=1e-10)
        assert not np.array_equal(weights(models[0]), before)


def test_parameters_of_an_optimizer_can_be_searched():
    model = drop_in(SGDRegressor, optimizer=Momentum(0.5))
    search = GridSearchCV(model, {"optimizer__momentum": [0.1, 0.9]}, cv=2, error_score="raise").fit(X, Y)
    best = drop_in(SGDRegressor, optimizer=Momentum(search.best_params_["optimizer__momentum"]))
    assert_same(search.best_estimator_, best.fit(X, Y))
    assert model.optimizer == Momentum(0.5)


# Samplers


CALLS = []


class Recording(Sampler):
    """In the order given; writes down what it is asked for."""

    def order(self, n, seed, number, norms=None):
        CALLS.append((n, seed, number))
        return np.arange(n, dtype=np.int32), None


@over("optimizer", [None, "momentum"])
def test_calls_of_partial_fit_draw_seeds_as_scikit_learn_does(optimizer):
    for random_state, same in ((3, True), (np.random.RandomState(3), False)):
        CALLS.clear()
        model = SGDRegressor(sampling=Recording(), optimizer=optimizer, random_state=random_state)
        model.partial_fit(X, Y).partial_fit(X[:7], Y[:7]).partial_fit(X, Y)
        (n, seed, number), *others = CALLS
        assert (n, number) == (60, 0)
        assert [call[::2] for call in others] == [(7, 0), (60, 0)]  # every call begins anew
        assert len({seed, *(call[1] for call in others)}) == (1 if same else 3)
    CALLS.clear()
    SGDRegressor(sampling=Recording(), optimizer=optimizer, **{"tol": None, "max_iter": 3}).fit(X, Y)
    assert [call[::2] for call in CALLS] == [(60, 0), (60, 1), (60, 2)]
    assert len({call[1] for call in CALLS}) == 1


@over("sampling", SAMPLERS)
@over("params", [{}, {"optimizer": "momentum"}, {"early_stopping": True}], ids=str)
def test_samplers_decide_the_order(sampling, params):
    fields = {"learning_rate": "constant", "eta0": 0.005, "tol": None, "max_iter": 20, "random_state": 0}
    models = [SGDRegressor(sampling=name, **fields, **params).fit(X, Y) for name in (sampling, sampling, None)]
    assert_same(*models[:2])
    assert (weights(models[0]) != weights(models[2])).all()
    assert models[0].score(X, Y) > 0.9


def test_sequential_sampling_is_no_shuffle():
    fields = {"tol": None, "max_iter": 3, "random_state": 0}
    shuffled = SGDRegressor(shuffle=False, **fields).fit(X, Y)
    assert_same(SGDRegressor(sampling="sequential", **fields).fit(X, Y), shuffled)


def test_importance_sampling_of_one_row():
    # All draws are that row, and the factor is 1.
    fields = {"tol": None, "max_iter": 5, "random_state": 0}
    one = SGDRegressor(sampling="importance", **fields).fit(X[:1], Y[:1])
    assert_same(one, SGDRegressor(**fields).fit(X[:1], Y[:1]), rtol=TOLERANCE)
