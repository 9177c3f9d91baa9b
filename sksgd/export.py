"""Fitted scikit-learn estimators with the predictions of ours, for ONNX, PMML, skops and wherever sksgd is not."""

from __future__ import annotations

import copy
from typing import Any

from sklearn import linear_model
from sklearn.utils.validation import check_is_fitted

from .losses import Gamma, Poisson, Tweedie

__all__ = ["classifier", "regressor", "sgd"]


def regressor(model: Any) -> Any:
    """The scikit-learn regressor that predicts as the fitted `LinearRegressor` does."""
    loss = model._problem_.loss
    many = model.coef_.ndim > 1
    intercept = model.intercept_.copy() if many else float(model.intercept_[0])
    if loss.link == "identity":
        estimator = linear_model.LinearRegression(fit_intercept=model.fit_intercept, positive=model.positive)
        return _filled(estimator, model, intercept)
    known = {
        Poisson: lambda: linear_model.PoissonRegressor(),
        Gamma: lambda: linear_model.GammaRegressor(),
        Tweedie: lambda: linear_model.TweedieRegressor(power=loss.power, link="log"),
    }
    if many or type(loss) not in known:
        raise ValueError(
            f"scikit-learn has no estimator with the predictions of loss={loss!r}"
            + (" for several targets." if many else ".")
        )
    estimator = known[type(loss)]().set_params(alpha=model.alpha, fit_intercept=model.fit_intercept)
    estimator._base_loss = estimator._get_loss()
    return _filled(estimator, model, intercept)


def classifier(model: Any) -> Any:
    """The scikit-learn classifier that predicts as the fitted `LogisticClassifier` does."""
    estimator = linear_model.LogisticRegression(fit_intercept=model.fit_intercept, class_weight=model.class_weight)
    estimator.classes_ = model.classes_.copy()
    return _filled(estimator, model, model.intercept_.copy())


def sgd(model: Any, kind: Any) -> Any:
    """The scikit-learn SGD estimator of the given class that predicts as a fitted drop-in does, and can go on."""
    check_is_fitted(model)
    params = model.get_params(deep=False)
    estimator = kind(**{name: params[name] for name in kind().get_params()})
    names = ("classes_", "coef_", "intercept_", "t_", "n_iter_", "n_features_in_", "feature_names_in_")
    averages = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")
    # Together, since some of them may be one array.
    held = {name: vars(model)[name] for name in names + averages if name in vars(model)}
    vars(estimator).update(copy.deepcopy(held))
    return estimator


def _filled(estimator: Any, model: Any, intercept: Any) -> Any:
    coef = model.coef_
    estimator.coef_ = coef.toarray() if hasattr(coef, "toarray") else coef.copy()
    estimator.intercept_ = intercept
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(estimator, name, getattr(model, name))
    return estimator
