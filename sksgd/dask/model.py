"""What estimators over rows on a cluster have in common."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import predictions
from .cluster import Cluster
from .partitions import is_distributed
from .training import fit

#: The parameters beside those of the estimators in memory.
OWN = ("client", "strategy", "sync_every")


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
            if learned := _learned(local):
                for name in [name for name in self.__dict__ if name.endswith("_") and name not in learned]:
                    delattr(self, name)  # of an earlier fit to other data, such as names of features
                self.__dict__.update(learned)
        return self

    def _partial_fit(self, X: Any, *others: Any) -> Self:
        if is_distributed(X):  # which would come to the client, all of them
            raise TypeError(
                f"X must be in memory for partial_fit. Got a distributed {type(X).__name__}: use fit with "
                "warm_start=True, and max_iter=1 for one pass."
            )
        return super()._partial_fit(X, *others)

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


def _learned(model: Any) -> dict[str, Any]:
    """All that is no parameter, without the callbacks."""
    params = model.get_params(deep=False)
    kept = ("_skl", "_callback", "_parent")
    return {key: value for key, value in model.__dict__.items() if key not in params and not key.startswith(kept)}
