"""The flagship estimators over rows on a Dask cluster."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..linear_model import LinearRegressor as LocalRegressor
from ..linear_model import LogisticClassifier as LocalClassifier
from . import predictions
from .cluster import Cluster
from .training import fit

__all__ = ["LinearRegressor", "LogisticClassifier"]


class ClusterModel(BaseEstimator):
    """A mixin before an estimator in memory: `fit` on a cluster, predictions of distributed rows."""

    #: The estimator in memory.
    _local: ClassVar[Any]

    client: Any
    strategy: str
    sync_every: int | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Add the parameters of the cluster to those of the estimator in memory, for scikit-learn and for help."""
        super().__init_subclass__(**kwargs)

        def __init__(
            self: Any,
            *args: Any,
            client: Any = None,
            strategy: str = "local",
            sync_every: int | None = None,
            **params: Any,
        ) -> None:
            cls._local.__init__(self, *args, **params)
            self.client = client
            self.strategy = strategy
            self.sync_every = sync_every

        own = inspect.signature(__init__).parameters.values()
        added = [parameter for parameter in own if parameter.name in OWN]
        known = inspect.signature(cls._local.__init__)
        __init__.__signature__ = known.replace(parameters=[*known.parameters.values(), *added])  # type: ignore[attr-defined]
        cls.__init__ = __init__  # type: ignore[method-assign]

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> Self:
        """Fit the model to rows on the workers.

        Parameters
        ----------
        X, y, sample_weight : distributed data
            See `sksgd.dask.train`.
        X_val, y_val, sample_weight_val : distributed data, default=None
            Held-out rows, which then decide when to stop and which weights to keep.
        coef_init, intercept_init : array-like, default=None
            Where to start; default 0.

        Returns
        -------
        self : estimator instance
        """
        local = self._twin(fitted=self.warm_start)
        local.__dict__.update({key: value for key, value in self.__dict__.items() if key.startswith("_skl")})
        validation = None if X_val is None and y_val is None else (X_val, y_val, sample_weight_val)
        init = {"coef_init": coef_init, "intercept_init": intercept_init}
        try:
            fit(self.client, local, X, y, sample_weight, validation, self.strategy, self.sync_every, init)
        finally:  # what an interruption leaves is worth keeping, an error leaves nothing
            self.__dict__.update(_learned(local))
        return self

    def to_local(self) -> Any:
        """The same fitted model as an estimator for rows in memory.

        Returns
        -------
        sksgd.LinearRegressor or sksgd.LogisticClassifier
        """
        check_is_fitted(self)
        return self._twin(fitted=True)

    def _twin(self, fitted: bool) -> Any:
        params = {key: value for key, value in self.get_params(deep=False).items() if key not in OWN}
        local = self._local(**params)
        if fitted:
            local.__dict__.update(_learned(self))
        return local

    def _lazily(self, name: str, X: Any, width: int | None, dtype: Any) -> Any:
        return predictions.lazily(getattr(self.to_local(), name), X, width, dtype)

    def _compute(self, parts: list[Any]) -> list[Any]:
        cluster = Cluster(self.client)
        with cluster.watched():
            return cluster.client.gather(cluster.client.compute(parts))

    def __sklearn_clone__(self) -> Self:
        # Clients cannot be copied, and are to be shared.
        client, self.client = self.client, None
        try:
            twin = super().__sklearn_clone__()
        finally:
            self.client = client
        twin.client = client
        return twin

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}


#: The parameters beside those of the estimators in memory.
OWN = ("client", "strategy", "sync_every")


def _learned(model: Any) -> dict[str, Any]:
    """All that is no parameter, without the callbacks."""
    params = model.get_params(deep=False)
    kept = ("_skl", "_callback", "_parent")
    return {key: value for key, value in model.__dict__.items() if key not in params and not key.startswith(kept)}


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
        if not predictions.is_distributed(X):
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
        if not predictions.is_distributed(X):
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
        if not predictions.is_distributed(X):
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
        if not predictions.is_distributed(X):
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
        if not predictions.is_distributed(X):
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
        if not predictions.is_distributed(X):
            return super().score(X, y, sample_weight)
        return predictions.accuracy(self.to_local(), self._compute, X, y, sample_weight)
