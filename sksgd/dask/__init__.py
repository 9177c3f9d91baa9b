"""Training on many machines, by Dask: data stay on the workers, weights and sums go between them.

`train` fits an estimator of `sksgd` to rows on a cluster; `LinearRegressor` and `LogisticClassifier` are the same as
estimators. The extra ``dask`` installs what this needs.
"""

from .estimators import LinearRegressor, LogisticClassifier
from .training import train

__all__ = ["LinearRegressor", "LogisticClassifier", "train"]
