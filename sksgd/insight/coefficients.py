"""A callback that writes down coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np


class CoefficientRecorder:
    """A callback of scikit-learn's protocol that keeps the coefficients of every pass.

    Give it to an estimator by ``set_callbacks``. It tells of the last `fit`, in the same process; a fit on a copy, as
    in a search, leaves it alone or, with one job, is what it tells of.

    Attributes
    ----------
    estimator_ : estimator
        What was fitted, as it was after the last pass.
    coef_path_ : ndarray of shape (n_passes, n_outputs, n_features)
        `coef_` after every pass.
    intercept_path_ : ndarray of shape (n_passes, n_outputs)
        `intercept_` after every pass.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sksgd import LinearRegressor
    >>> from sksgd.insight import CoefficientRecorder
    >>> recorder = CoefficientRecorder()
    >>> model = LinearRegressor(optimizer="adagrad", max_iter=7, tol=None).set_callbacks(recorder)
    >>> model = model.fit(*load_diabetes(return_X_y=True))
    >>> recorder.coef_path_.shape
    (7, 1, 10)
    """

    def setup(self, estimator: Any, context: Any) -> None:
        """Forget the fit before."""
        self._coefs: list[np.ndarray] = []
        self._intercepts: list[np.ndarray] = []

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing is to be done after a fit."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing is to be done before a pass."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> None:
        """Take note of the coefficients after a pass."""
        # Where classes are trained one by one, a pass is no pass of the model.
        if context.task_name == "pass" and context.parent.task_name == "fit" and fitted_estimator is not None:
            coef, intercept = fitted_estimator.coef_, fitted_estimator.intercept_
            self._coefs.append(np.atleast_2d(coef.toarray() if hasattr(coef, "toarray") else coef).copy())
            self._intercepts.append(np.array(intercept))
            self.estimator_ = fitted_estimator

    @property
    def coef_path_(self) -> np.ndarray:
        return self._path(self._coefs if hasattr(self, "_coefs") else [])

    @property
    def intercept_path_(self) -> np.ndarray:
        return self._path(self._intercepts if hasattr(self, "_intercepts") else [])

    def _path(self, values: list[np.ndarray]) -> np.ndarray:
        if not values:
            raise AttributeError(
                "Nothing is recorded. Give the recorder to an estimator by estimator.set_callbacks(recorder), and fit. "
                "Of SGDClassifier with several classes, which trains them one by one, nothing is recorded."
            )
        return np.array(values)
