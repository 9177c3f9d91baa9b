"""`LinearRegressor`."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import expit
from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import InvalidParameterError, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_array, check_consistent_length, check_is_fitted

from .. import export
from ..base import Loss
from ..core.deviance import d2_score
from ..core.estimator import BaseLinearSGD
from ..losses import LOSSES, resolve_loss
from .documentation import document

__all__ = ["LinearRegressor"]


@document
class LinearRegressor(RegressorMixin, BaseLinearSGD):
    """Linear model with a choice of losses, trained by stochastic gradient descent.

    It minimises the weighted mean of ``loss(x.w + b, y)`` plus the penalty; `predict` applies the inverse link of the
    loss. Several targets are independent problems over one order of rows.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        "squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive", "quantile", "poisson", "gamma",
        "tweedie", "log_loss" (targets in [0, 1]) or an instance, see `sksgd.losses`.
    {parameters}
    n_jobs : int or None, default=None
        Threads for several targets, as in joblib; None is 1 outside of a `joblib.parallel_config`. Results depend
        on it by rounding alone.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        In the dtype of the data.
    intercept_ : ndarray of shape (1,) or (n_targets,)
    {attributes}

    See Also
    --------
    LogisticClassifier : The same for classes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksgd import LinearRegressor
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> model = make_pipeline(StandardScaler(), LinearRegressor(random_state=0))
    >>> round(model.fit(X, y).score(X, y), 2)
    0.52
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "loss": [StrOptions({name for name, loss in LOSSES.items() if loss.coding in ("value", "unit")}), Loss],
        **BaseLinearSGD._parameter_constraints,
        "n_jobs": [Integral, None],
    }
    _target_checks: ClassVar[dict[str, Any]] = {"multi_output": True, "y_numeric": True}

    def __init__(
        self,
        loss: Any = "squared_error",
        *,
        penalty: Any = "l2",
        alpha: Any = 1e-4,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        optimizer: Any = "auto",
        learning_rate: Any = None,
        batch_size: Any = 1,
        sampling: Any = "reshuffle",
        average: Any = None,
        max_iter: int = 100,
        tol: float | None = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        positive: bool = False,
        bounds: Any = None,
        n_jobs: int | None = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.sampling = sampling
        self.average = average
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.positive = positive
        self.bounds = bounds
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
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
        """Fit the model in passes over the data.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source
            A source gives targets and weights, too; see `sksgd.stream`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            In the domain of the loss.
        sample_weight : array-like of shape (n_samples,), default=None
            Scaled to mean 1. Rows of weight zero count as absent.
        X_val, y_val, sample_weight_val : array-like, default=None
            Held-out data, which then decide when to stop and which weights to keep.
        coef_init, intercept_init : array-like, default=None
            Where to start; default 0.

        Returns
        -------
        self : LinearRegressor
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), (coef_init, intercept_init))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, *, sample_weight: Any = None) -> Self:
        """Update the model with one pass over a block of rows, going on from where the last call ended.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None
            Taken as given.

        Returns
        -------
        self : LinearRegressor
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets: the inverse link of the loss at X w + b.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        scores = self._scores(X)
        mean = {"identity": lambda p: p, "log": np.exp, "logit": expit}[self._problem_.loss.link](scores)
        return mean if self._many_targets else mean[:, 0]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R2, or for a loss with a link the share of deviance explained (D2).

        D2 is 1 - (loss of the model - least possible loss) / (loss of the mean - least possible loss).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            1 is best, 0 is a constant; mean over targets.
        """
        y, sample_weight = self._truth(X, y, sample_weight)
        if self._fitted_loss().link == "identity":
            return super().score(X, y, sample_weight)
        scores = self._scores(X)
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        check_consistent_length(scores, y)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, scores, dtype=np.float64)
        self._check_domain(self._problem_.loss, y)
        return d2_score(self._problem_, scores, y.reshape(scores.shape), sample_weight)

    def to_sklearn(self) -> Any:
        """The fitted scikit-learn estimator that makes the same predictions.

        Returns
        -------
        LinearRegression, PoissonRegressor, GammaRegressor or TweedieRegressor

        Raises
        ------
        ValueError
            Where scikit-learn has none.
        """
        self._fitted_loss()
        return export.regressor(self)

    def _fitted_loss(self) -> Loss:
        check_is_fitted(self)
        return self._problem_.loss

    def _loss(self) -> Loss:
        loss = resolve_loss(self.loss)
        if loss.coding not in ("value", "unit"):
            raise InvalidParameterError(
                f"The 'loss' parameter of LinearRegressor must be a loss on numbers. Got {loss!r}, which is one on "
                "classes: use LogisticClassifier."
            )
        return loss

    def _check_targets(self, y: Any, first: bool, classes: Any = None) -> None:
        loss, shape = self._loss(), y.shape[1:]
        if first:
            self._target_shape = shape
        elif shape != self._target_shape:
            raise ValueError(f"y has targets of shape {shape}, but the model was fitted to {self._target_shape}.")
        self._check_domain(loss, y)

    @staticmethod
    def _check_domain(loss: Loss, y: np.ndarray) -> None:
        y = np.asarray(y, dtype=np.float64)
        outside = y[~loss.in_domain(y)]
        if outside.size:
            raise ValueError(
                f"Some y are outside the domain of {loss!r}: {loss.domain}. First such value: {outside[0]:g}. "
                "Remove these rows or choose another loss."
            )

    def _encode(self, y: Any) -> np.ndarray:
        return np.asarray(y, dtype=np.float64).reshape(len(y), -1)

    @property
    def _many_targets(self) -> bool:
        return self._target_shape != ()

    @property
    def _n_outputs(self) -> int:
        return self._target_shape[0] if self._many_targets else 1

    def _shape_coef(self, coef: np.ndarray) -> np.ndarray:
        return coef if self._many_targets else coef[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
