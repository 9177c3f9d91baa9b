"""scikit-learn's SGD estimators: its parameters, its results, and the time of this package."""

from .classifier import SGDClassifier
from .regressor import SGDRegressor

__all__ = ["SGDClassifier", "SGDRegressor"]
