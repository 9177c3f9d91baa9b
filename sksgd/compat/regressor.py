"""`SGDRegressor`."""

from __future__ import annotations

import functools
from typing import Any, ClassVar, Self

import numpy as np
from sklearn import linear_model
from sklearn.base import RegressorMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from .. import export
from ..core.predict import raw_scores
from .base import BaseSGD
from .documentation import document
from .parameters import DEFAULT_EPSILON
from .part import Part
from .seeds import seed_before
from .sparse_coef import SparseCoef, dense

__all__ = ["SGDRegressor"]


@document
class SGDRegressor(RegressorMixin, SparseCoef, BaseSGD):
    """Linear regression by stochastic gradient descent: scikit-learn's `SGDRegressor`, several times faster.

    {objective}

    Parameters
    ----------
    loss : str, default="squared_error"
        L, in terms of the residual r = p - y:

        - "squared_error": r^2/2;
        - "huber": r^2/2 for abs(r) <= epsilon, else epsilon abs(r) - epsilon^2/2;
        - "epsilon_insensitive": max(0, abs(r) - epsilon);
        - "squared_epsilon_insensitive": max(0, abs(r) - epsilon)^2.
    {parameters}

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Weights, in the dtype of the data.
    intercept_ : ndarray of shape (1,)
        The intercept.
    {attributes}

    See Also
    --------
    sksgd.compat.SGDClassifier : The same for classes.
    sksgd.linear_model.LinearRegressor : More losses and targets, without scikit-learn's numbers to keep.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksgd import SGDRegressor
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> model = make_pipeline(StandardScaler(), SGDRegressor(random_state=0))
    >>> round(model.fit(X, y).score(X, y), 2)
    0.51
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSGD._parameter_constraints,
        "loss": [StrOptions(set(BaseSGD.loss_functions))],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float | None = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        epsilon: float = DEFAULT_EPSILON,
        random_state: Any = None,
        learning_rate: str = "invscaling",
        eta0: float = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        average: bool | int = False,
        optimizer: Any = None,
        batch_size: Any = 1,
        sampling: Any = None,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.average = average
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.sampling = sampling

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        coef_init: Any = None,
        intercept_init: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the model in passes over the data.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        coef_init : array-like of shape (n_features,), default=None
            Where to start; default 0.
        intercept_init : array-like of shape (1,), default=None
        sample_weight : array-like of shape (n_samples,), default=None
            What the steps of the rows are multiplied by.
        X_val, y_val, sample_weight_val : array-like, default=None
            Held-out rows, which then decide when to stop and which weights to keep. Not in scikit-learn.

        Returns
        -------
        self : SGDRegressor
        """
        self._check_parameters()
        context = self._init_callback_context(max_subtasks=self.max_iter)
        with self._task(context, X, y), self._unchanged_on_error():
            if not (self.warm_start and getattr(self, "coef_", None) is not None):
                self.coef_ = None
            self.t_ = 1.0
            validation, init = (X_val, y_val, sample_weight_val), (coef_init, intercept_init)
            interrupted = self._train(X, y, sample_weight, self.max_iter, init, validation, context)
        if interrupted:
            raise KeyboardInterrupt
        self._warn()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on with one pass over the given rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : SGDRegressor
        """
        self._check_again()
        with self._unchanged_on_error():
            if self._train(X, y, sample_weight, 1):
                raise KeyboardInterrupt
        return self

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        max_iter: int,
        init: tuple[Any, Any] = (None, None),
        validation: tuple[Any, Any, Any] = (None, None, None),
        context: Any = None,
    ) -> bool:
        """Passes over the rows; whether they were interrupted, after at least one."""
        first, self.t_ = getattr(self, "coef_", None) is None, vars(self).get("t_", 1.0)
        given = X, y, sample_weight
        X, y = self._validate(X, y, first)
        X = X if first else X.astype(self.coef_.dtype, copy=False)
        y = y.astype(X.dtype, copy=False)
        weight = self._check_weights(sample_weight, X)
        problem, start = self._problem(X), self._start(X, first, init)
        own = validation[0] is not None
        split = None if own else self._split(y, None if weight is None else weight > 0)
        seed = seed_before(self.random_state)
        held_out = self._held_out(X, y, weight, validation, split)
        rows = functools.partial(self._block, X, y, weight)
        part = Part(rows, self._check_finite, *start, seed, train=None if split is None else split[0])
        if held_out is not None:
            part.score = functools.partial(_r2, *held_out)
        if context is None:
            part.state = self._resumed(0, problem, part)
        fitted = functools.partial(self._fitted, part, problem, self.t_, X.shape[0])
        interrupted = self._run_alone(part, problem, max_iter, context, given, fitted)
        self._keep(fitted())
        return interrupted

    def _start(self, X: Any, first: bool, init: tuple[Any, Any]) -> tuple[np.ndarray, float, Any, float]:
        """Coefficients, intercept and their averages so far."""
        d, averaged = X.shape[1], bool(self.average)
        if first:
            coef, intercept = self._starts(1, d, X.dtype, init)
            return coef[0], float(intercept[0]), np.zeros(d, X.dtype) if averaged else None, 0.0
        coef, intercept, average, average_intercept = self._standard()
        if average is None and averaged:  # of an optimizer: it has its own
            average, average_intercept = np.zeros(d, X.dtype), [0.0]
        return coef.ravel(), float(intercept[0]), average, float(average_intercept[0])

    def _fitted(self, part: Part, problem: Any, before: float, n: int) -> dict[str, Any]:
        """The attributes of the model as it is now."""
        found = self._learned([part], problem, before, n)
        intercept = np.atleast_1d(part.intercept)
        found |= {"coef_": part.coef, "intercept_": intercept}
        if self.average:
            average = np.atleast_1d(part.average_intercept)
            found |= {
                "_standard_coef": part.coef,
                "_standard_intercept": intercept,
                "_average_coef": part.average,
                "_average_intercept": average,
            }
            if part.state is not None and part.state.t >= self.average:
                found |= {"coef_": part.average, "intercept_": average}
        return found

    def predict(self, X: Any) -> np.ndarray:
        """Predict targets, X w + b.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        coef = dense(self.coef_)
        return raw_scores(self, X, coef.reshape(1, -1), self.intercept_).ravel()

    def to_sklearn(self) -> Any:
        """The fitted estimator of scikit-learn that makes the same predictions.

        Returns
        -------
        sklearn.linear_model.SGDRegressor
        """
        return export.sgd(self, linear_model.SGDRegressor)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _r2(X: Any, y: np.ndarray, weight: Any, coef: np.ndarray, intercept: float) -> float:
    return float(r2_score(y, X @ coef + intercept, sample_weight=weight))
