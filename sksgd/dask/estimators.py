"""The flagship estimators over rows on a Dask cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..linear_model import LinearRegressor as LocalRegressor
from ..linear_model import LogisticClassifier as LocalClassifier
from . import predictions
from .model import ClusterModel
from .partitions import is_distributed

__all__ = ["LinearRegressor", "LogisticClassifier"]


class LinearRegressor(ClusterModel, LocalRegressor):
    """Linear model over rows on a Dask cluster: `sksgd.LinearRegressor`, trained by `sksgd.dask.train`.

    Parameters
    ----------
    loss, penalty, ..., verbose
        Those of `sksgd.LinearRegressor`.
    client : distributed.Client, default=None
        None takes the current one. It is shared by clones, and not in pickles.
    strategy : {"local", "sync"}, default="local"
        For optimizers with a rate, see `sksgd.dask.train`.
    sync_every : int, default=None
        With "local", the most updates of a worker between two averages; None: a pass.

    Attributes
    ----------
    coef_, intercept_, ...
        Those of `sksgd.LinearRegressor`, in plain NumPy.
    communication_ : Communication
        Rounds, bytes, and the seconds of work, waiting and reduction.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sksgd.dask import LinearRegressor
    >>> X = da.arange(1000, chunks=100).reshape(-1, 1) * 1.0
    >>> with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
    ...     model = LinearRegressor(alpha=0).fit(X, 3.0 * X[:, 0] + 1.0)
    ...     score = model.score(X, 3.0 * X[:, 0] + 1.0)
    >>> model.coef_.round(6), model.communication_.n_workers, round(score, 6)
    (array([3.]), 2, 1.0)
    """

    _local = LocalRegressor

    def predict(self, X: Any) -> Any:
        """Predict targets: the inverse link of the loss at X w + b.

        Parameters
        ----------
        X : array-like, sparse matrix, or dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        ndarray or, not computed yet, dask array of shape (n_samples,) or (n_samples, n_targets)
        """
        if not is_distributed(X):
            return super().predict(X)
        return self._lazily("predict", X, self._n_outputs if self._many_targets else None, np.float64)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R2, or for a loss with a link the share of deviance explained (D2).

        Parameters
        ----------
        X : array-like, sparse matrix, or dask array or data frame, of shape (n_samples, n_features)
        y : array-like, or dask array or series, of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : as y, of shape (n_samples,), default=None

        Returns
        -------
        float
            1 is best, 0 is a constant; mean over targets.
        """
        if not is_distributed(X):
            return super().score(X, y, sample_weight)
        return predictions.explained(self.to_local(), self._compute, X, y, sample_weight)


class LogisticClassifier(ClusterModel, LocalClassifier):
    """Logistic regression over rows on a Dask cluster: `sksgd.LogisticClassifier`, trained by `sksgd.dask.train`.

    Parameters
    ----------
    penalty, alpha, ..., verbose
        Those of `sksgd.LogisticClassifier`.
    client : distributed.Client, default=None
        None takes the current one. It is shared by clones, and not in pickles.
    strategy : {"local", "sync"}, default="local"
        For optimizers with a rate, see `sksgd.dask.train`.
    sync_every : int, default=None
        With "local", the most updates of a worker between two averages; None: a pass.

    Attributes
    ----------
    classes_, coef_, intercept_, ...
        Those of `sksgd.LogisticClassifier`, in plain NumPy.
    communication_ : Communication
        Rounds, bytes, and the seconds of work, waiting and reduction.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from sksgd.dask import LogisticClassifier
    >>> X = da.arange(1000, chunks=100).reshape(-1, 1) * 1.0
    >>> with Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0") as client:
    ...     model = LogisticClassifier().fit(X, X[:, 0] > 700)
    ...     model.predict_proba(X).compute().shape
    (1000, 2)
    """

    _local = LocalClassifier

    def decision_function(self, X: Any) -> Any:
        """Scores X w + b: log-odds of the second class, or one score per class.

        Parameters
        ----------
        X : array-like, sparse matrix, or dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        ndarray or, not computed yet, dask array of shape (n_samples,) or (n_samples, n_classes)
        """
        if not is_distributed(X):
            return super().decision_function(X)
        return self._lazily("decision_function", X, None if self._n_outputs == 1 else self._n_outputs, np.float64)

    def predict(self, X: Any) -> Any:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like, sparse matrix, or dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        ndarray or, not computed yet, dask array of shape (n_samples,)
        """
        if not is_distributed(X):
            return super().predict(X)
        check_is_fitted(self)
        return self._lazily("predict", X, None, self.classes_.dtype)

    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like, sparse matrix, or dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        ndarray or, not computed yet, dask array of shape (n_samples, n_classes)
        """
        return self._probabilities("predict_proba", X)

    def predict_log_proba(self, X: Any) -> Any:
        """Logarithm of `predict_proba`, exact for probabilities near 0 too.

        Parameters
        ----------
        X : array-like, sparse matrix, or dask array or data frame, of shape (n_samples, n_features)

        Returns
        -------
        ndarray or, not computed yet, dask array of shape (n_samples, n_classes)
        """
        return self._probabilities("predict_log_proba", X)

    def _probabilities(self, name: str, X: Any) -> Any:
        if not is_distributed(X):
            return getattr(super(), name)(X)
        check_is_fitted(self)
        return self._lazily(name, X, len(self.classes_), np.float64)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Accuracy of `predict`.

        Parameters
        ----------
        X : array-like, sparse matrix, or dask array or data frame, of shape (n_samples, n_features)
        y : array-like, or dask array or series, of shape (n_samples,)
        sample_weight : as y, default=None

        Returns
        -------
        float
        """
        if not is_distributed(X):
            return super().score(X, y, sample_weight)
        return predictions.accuracy(self.to_local(), self._compute, X, y, sample_weight)
