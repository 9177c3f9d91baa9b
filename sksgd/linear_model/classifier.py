"""`LogisticClassifier`."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from .. import export
from ..base import Loss
from ..core.estimator import BaseLinearSGD
from ..losses import LogLoss, Multinomial
from .classes import ClassTargets
from .documentation import document

__all__ = ["LogisticClassifier"]


@document
class LogisticClassifier(ClassTargets, ClassifierMixin, BaseLinearSGD):
    """Logistic regression, binary or multinomial, trained by stochastic gradient descent.

    Two classes: the weighted mean of log(1 + e^p) - y p, p = x.w + b, y in {0, 1}, plus the penalty. More: the weighted
    mean of log sum_k e^(p_k) - p_y over one score per class (softmax), plus the penalty on all weights.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        In the dtype of the data.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    {attributes}

    See Also
    --------
    LinearRegressor : The same for numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksgd import LogisticClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LogisticClassifier(random_state=0))
    >>> round(model.fit(X, y).score(X, y), 2)
    0.99
    """

    _class_weight_doc = """
    class_weight : dict, "balanced" or None, default=None
        Weight of each class. "balanced": n / (n_classes * count), with the counts weighted by `sample_weight` and, in
        `partial_fit`, running."""
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseLinearSGD._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
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
        class_weight: Any = None,
        positive: bool = False,
        bounds: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ):
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
        self.class_weight = class_weight
        self.positive = positive
        self.bounds = bounds
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
        y : array-like of shape (n_samples,)
            Class labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Times the class weights, then scaled to mean 1. Rows of weight zero count as absent.
        X_val, y_val, sample_weight_val : array-like, default=None
            Held-out data, which then decide when to stop and which weights to keep.
        coef_init, intercept_init : array-like, default=None
            Where to start; default 0.

        Returns
        -------
        self : LogisticClassifier
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), (coef_init, intercept_init))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, *, classes: Any = None, sample_weight: Any = None) -> Self:
        """Update the model with one pass over a block of rows, going on from where the last call ended.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Taken as given, times the class weights.

        Returns
        -------
        self : LogisticClassifier
        """
        if classes is None and not hasattr(self, "_state"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._partial_fit(X, y, sample_weight, classes)

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores X w + b: log-odds of the second class, or one score per class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self._scores(X)
        return self.classes_[(scores[:, 0] > 0).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self._scores(X)
        return np.hstack([expit(-scores), expit(scores)]) if scores.shape[1] == 1 else softmax(scores, axis=1)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of `predict_proba`, exact for probabilities near 0 too.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self._scores(X)
        if scores.shape[1] == 1:
            return np.hstack([log_expit(-scores), log_expit(scores)])
        return log_softmax(scores, axis=1)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Accuracy of `predict`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or Source
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        return super().score(X, *self._truth(X, y, sample_weight))

    def to_sklearn(self) -> Any:
        """The fitted scikit-learn estimator that makes the same predictions.

        Returns
        -------
        LogisticRegression
        """
        check_is_fitted(self)
        return export.classifier(self)

    def _loss(self) -> Loss:
        return LogLoss() if len(self.classes_) == 2 else Multinomial()
