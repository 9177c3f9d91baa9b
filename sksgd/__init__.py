"""Linear models trained by stochastic gradient descent, for scikit-learn."""

from .compat import SGDClassifier, SGDRegressor
from .insight import minimize
from .linear_model import LinearRegressor, LogisticClassifier

__version__ = "0.1.0.dev0"

__all__ = ["LinearRegressor", "LogisticClassifier", "SGDClassifier", "SGDRegressor", "__version__", "minimize"]
