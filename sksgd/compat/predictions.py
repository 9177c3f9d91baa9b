"""Predictions of classes from linear scores, by scikit-learn's rules."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..core.predict import raw_scores, two_class_probabilities


class ClassPredictions:
    """A mixin for a classifier with `coef_`, `intercept_` and `classes_`."""

    loss: str
    coef_: Any
    intercept_: Any
    classes_: Any

    def decision_function(self, X: Any) -> np.ndarray:
        """Scores X w + b; above 0 the second of two classes is predicted.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        check_is_fitted(self)
        scores = raw_scores(self, X, self.coef_, self.intercept_)
        return scores.ravel() if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class of highest score.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)]

    def _has_probabilities(self) -> bool:
        if self.loss not in ("log_loss", "modified_huber"):
            raise AttributeError(f"probability estimates are not available for loss={self.loss!r}")
        return True

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities of the classes, for "log_loss" and "modified_huber" only.

        "log_loss": 1/(1 + e^-p) of the scores p. "modified_huber": (clip(p, -1, 1) + 1)/2 (Zhang 2004). Those of more
        than two classes, one against the rest each, are divided by their sum (Zadrozny and Elkan 2002), or are equal
        where all are 0.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        if self.loss == "log_loss" and scores.ndim == 1:
            return two_class_probabilities(scores)
        positive = expit(scores) if self.loss == "log_loss" else (np.clip(scores, -1, 1) + 1) / 2
        if positive.ndim == 1:
            return np.stack([1 - positive, positive], axis=1)
        total = positive.sum(axis=1)
        positive[total == 0], total[total == 0] = 1, positive.shape[1]
        return positive / total[:, None]

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithm of `predict_proba`, minus infinity for probabilities of 0.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return np.log(self.predict_proba(X))
