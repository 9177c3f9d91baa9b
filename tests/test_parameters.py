"""Parameters: nested names, cloning, printing, and what is refused."""

import numpy as np
import pytest
from estimators import TWO, X, Y
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.averaging import ExponentialAverage
from sksgd.losses import Huber
from sksgd.optimizers import SGD, Momentum
from sksgd.penalties import ElasticNet
from sksgd.sampling import Importance
from sksgd.schedules import Adaptive, Constant, Cosine, InverseScaling, Warmup


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({"optimizer": "momentum"}, {"optimizer__momentum": 0.5}, {"optimizer": Momentum(0.5)}),
        ({"optimizer": Momentum(0.5)}, {"optimizer__clip_norm": 1.0}, {"optimizer": Momentum(0.5, clip_norm=1.0)}),
        ({"optimizer": "sgd"}, {"optimizer__clip_value": 1.0}, {"optimizer": SGD(clip_value=1.0)}),
        ({"learning_rate": "invscaling"}, {"learning_rate__eta0": 0.5}, {"learning_rate": InverseScaling(0.5)}),
        ({"learning_rate": 0.1}, {"learning_rate__eta0": 0.5}, {"learning_rate": Constant(0.5)}),
        (
            {"learning_rate": None, "optimizer": "adagrad"},
            {"learning_rate__factor": 2.0},
            {"learning_rate": Adaptive(1.0, factor=2.0, eta_min=0.01)},
        ),
        (
            {"learning_rate": Warmup(0.1, steps=5)},
            {"learning_rate__schedule__eta0": 0.5, "learning_rate__steps": 7},
            {"learning_rate": Warmup(0.5, steps=7)},
        ),
        # Both fields at once: neither would do with the other as it was.
        (
            {"learning_rate": Cosine(0.1, 0.05)},
            {"learning_rate__eta0": 0.01, "learning_rate__eta_min": 0.005},
            {"learning_rate": Cosine(0.01, 0.005)},
        ),
        (
            {"learning_rate": 0.1},
            {"learning_rate": "cosine", "learning_rate__eta0": 1.0},
            {"learning_rate": Cosine(1.0)},
        ),
        ({"penalty": "elasticnet"}, {"penalty__l1_ratio": 0.5}, {"penalty": ElasticNet(0.5)}),
        ({"loss": "huber"}, {"loss__epsilon": 2.0}, {"loss": Huber(2.0)}),
        ({"sampling": "importance"}, {"sampling__mixture": 0.2}, {"sampling": Importance(0.2)}),
        ({"average": "exponential"}, {"average__decay": 0.9}, {"average": ExponentialAverage(0.9)}),
    ],
)
def test_nested_parameters(before, change, after):
    model = LinearRegressor(**before).set_params(**change)
    expected = LinearRegressor(**{**before, **after})
    assert model.get_params(deep=False) == expected.get_params(deep=False)
    assert clone(model).get_params() == model.get_params()


def test_a_shared_component_is_replaced_not_changed():
    momentum = Momentum(0.5)
    first, second = LinearRegressor(optimizer=momentum), LogisticClassifier(optimizer=momentum)
    first.set_params(optimizer__momentum=0.8)
    assert second.optimizer is momentum
    assert momentum == Momentum(0.5)


def test_nested_parameters_through_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), LinearRegressor(optimizer=Momentum()))
    pipeline.set_params(linearregressor__optimizer__momentum=0.3)
    assert pipeline.get_params()["linearregressor__optimizer__momentum"] == 0.3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimiser__momentum": 0.5}, "Invalid parameter 'optimiser'"),
        ({"optimizer__beta": 0.5}, "Invalid parameter 'beta' for Momentum"),
        ({"penalty__l1_ratio": 0.5}, "Invalid parameter 'l1_ratio' for L2"),
        ({"average__decay": 0.5}, "average=None has no parameters"),
        ({"max_iter__first": 3}, "max_iter=100 has no parameters"),
    ],
)
def test_unknown_nested_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        LinearRegressor(optimizer="momentum").set_params(**change)


def test_get_params_lists_the_fields_of_instances():
    params = LinearRegressor(optimizer=Momentum(0.3), learning_rate=Warmup(0.1, steps=5)).get_params()
    assert params["optimizer__momentum"] == 0.3
    assert params["learning_rate__schedule__eta0"] == 0.1
    assert params["alpha"] == 1e-4


def test_printing():
    model = LinearRegressor("huber", optimizer=Momentum(0.3), average=None, tol=None)
    assert repr(model) == (
        "LinearRegressor(loss='huber',\n"
        "                optimizer=Momentum(clip_value=inf, clip_norm=inf, momentum=0.3),\n"
        "                tol=None)"
    )
    html = make_pipeline(StandardScaler(), model).fit(X, Y)._repr_html_()
    assert "LinearRegressor" in html
    assert "momentum=0.3" in html


def test_fit_does_not_change_parameters():
    params = {"bounds": (np.full(4, -1.0), np.ones(4)), "alpha": np.array([0.0, 1.0, 0.1, 0.2]), "optimizer": "adam"}
    model = LinearRegressor(**params, max_iter=2, tol=None)
    before = model.get_params()
    after = model.fit(X, Y).partial_fit(X, Y).get_params()
    assert all(after[name] is value for name, value in before.items())
    np.testing.assert_array_equal(model.alpha, [0.0, 1.0, 0.1, 0.2])
    assert (np.abs(model.coef_) <= 1.0).all()


def test_usual_rates():
    assert LogisticClassifier(optimizer="adagrad")._component("learning_rate") == Adaptive(
        1.0, factor=10.0, eta_min=0.01
    )
    assert LogisticClassifier(optimizer="adam")._component("learning_rate").eta0 == 0.01


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "alpha": [-1.0, np.nan, np.inf, "strong", [1.0, 2.0], [1.0, -1.0, 0.0, 0.0], [np.nan, 0.0, 0.0, 0.0]],
        "average": [0, -1, "no", 0.5],
        "batch_size": [0, -1, 1.5, "all"],
        "bounds": [5.0, (0.0,), (1.0, 0.0), (0.0, np.nan), (np.zeros(3), 1.0), ("a", "b"), (None, 1.0)],
        "early_stopping": ["yes"],
        "l1_ratio": [-0.1, 1.1],
        "learning_rate": [0.0, -1.0, "unknown", "exponential", Constant],
        "max_iter": [0, 2.5, None],
        "n_iter_no_change": [0],
        "optimizer": ["unknown", 3, SGD],
        "penalty": ["l3", 0.5],
        "sampling": ["random", None],
        "tol": [-1.0, np.nan],
        "validation_fraction": [0.0, 1.0],
    }.items(),
)
def test_parameters_out_of_range(name, values):
    for value in values:
        for model, y in ((LinearRegressor(), Y), (LogisticClassifier(), TWO)):
            with pytest.raises(InvalidParameterError, match=name):
                model.set_params(**{name: value}).fit(X, y)
            assert not hasattr(model, "coef_")


@pytest.mark.parametrize("loss", ["hinge", "multinomial", "unknown", Huber, None])
def test_losses_of_the_wrong_kind(loss):
    with pytest.raises(InvalidParameterError, match="'loss' parameter of LinearRegressor"):
        LinearRegressor(loss).fit(X, Y)


def test_parameters_are_checked_in_every_call_of_partial_fit():
    model = LinearRegressor().partial_fit(X, Y)
    with pytest.raises(InvalidParameterError, match="batch_size"):
        model.set_params(batch_size=0).partial_fit(X, Y)


@pytest.mark.parametrize("class_weight", ["equal", {"yes": -1.0}, {"yes": np.nan}, 3.0])
def test_wrong_class_weights(class_weight):
    with pytest.raises(InvalidParameterError, match="class_weight"):
        LogisticClassifier(class_weight=class_weight).fit(X, TWO)


def test_positive_takes_part_in_bounds():
    assert (LinearRegressor(positive=True).fit(X, Y).coef_ >= 0).all()
    with pytest.raises(InvalidParameterError, match="bounds"):
        LinearRegressor(positive=True, bounds=(-2.0, -1.0)).fit(X, Y)
