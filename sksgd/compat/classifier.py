"""`SGDClassifier`."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

from sklearn import linear_model
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import validate_data

from .. import export
from ..core.targets import distinct, is_clean_target
from ..losses import Hinge, LogLoss, ModifiedHuber, Perceptron, SquaredHinge
from .documentation import document
from .one_vs_rest import OneVsRest
from .parameters import DEFAULT_EPSILON
from .predictions import ClassPredictions
from .sparse_coef import SparseCoef, dense

__all__ = ["SGDClassifier"]


@document
class SGDClassifier(ClassPredictions, ClassifierMixin, SparseCoef, OneVsRest):
    """Linear classification by stochastic gradient descent: scikit-learn's `SGDClassifier`, several times faster.

    A row has the target y = 1 if it is of the second of two classes, else y = -1. With more than two classes there is a
    model for each, against the rest, and the highest p is predicted.

    {objective}

    Parameters
    ----------
    loss : str, default="hinge"
        L, in terms of the margin z = p y:

        - "hinge": max(0, 1 - z);
        - "squared_hinge": max(0, 1 - z)^2;
        - "perceptron": max(0, -z);
        - "log_loss": log(1 + e^-z), with probabilities;
        - "modified_huber": max(0, 1 - z)^2 for z >= -1, else -4 z; with probabilities [5]_;
        - "squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive": regression of y, see
          `SGDRegressor`.
    {parameters}

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights, in the dtype of the data.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    {attributes}

    See Also
    --------
    sksgd.compat.SGDRegressor : The same for numbers.
    sksgd.linear_model.LogisticClassifier : Logistic regression without scikit-learn's numbers to keep.

    References
    ----------
    {references}
    .. [5] Zhang (2004), Statistical behavior and consistency of classification methods based on convex risk
       minimization. Annals of Statistics 32, 56-85.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sksgd import SGDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), SGDClassifier(learning_rate="adaptive", random_state=0))
    >>> round(model.fit(X, y).score(X, y), 2)
    0.99
    """

    loss_functions: ClassVar[dict[str, tuple[Any, ...]]] = {
        "hinge": (Hinge,),
        "squared_hinge": (SquaredHinge,),
        "perceptron": (Perceptron,),
        "log_loss": (LogLoss,),
        "modified_huber": (ModifiedHuber,),
        **OneVsRest.loss_functions,
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **OneVsRest._parameter_constraints,
        "loss": [StrOptions(set(loss_functions))],
        "n_jobs": [Integral, None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __init__(
        self,
        loss: str = "hinge",
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
        n_jobs: int | None = None,
        random_state: Any = None,
        learning_rate: str = "optimal",
        eta0: float = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
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
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
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
            Class labels.
        coef_init : array-like of shape (n_classes, n_features), or (n_features,) for two classes, default=None
            Where to start; default 0.
        intercept_init : array-like of shape (n_classes,), or (1,) for two classes, default=None
        sample_weight : array-like of shape (n_samples,), default=None
            What the steps of the rows are multiplied by, beside `class_weight`.
        X_val, y_val, sample_weight_val : array-like, default=None
            Held-out rows, which then decide when to stop and which weights to keep. Not in scikit-learn.

        Returns
        -------
        self : SGDClassifier
        """
        self._check_parameters()
        with self._unchanged_on_error():
            y = y if is_clean_target(y) else validate_data(self, y=y)
            classes = distinct(y)
            context = self._init_callback_context(max_subtasks=self.max_iter if len(classes) <= 2 else len(classes))
            with self._task(context, X, y):
                init = (coef_init, intercept_init)
                if self.warm_start and hasattr(self, "coef_"):
                    init = (
                        dense(self.coef_) if coef_init is None else coef_init,
                        self.intercept_ if intercept_init is None else intercept_init,
                    )
                for name in ("classes_", "coef_", "intercept_", "_standard_coef", "_average_coef", "_states"):
                    self.__dict__.pop(name, None)
                self.t_ = 1.0
                validation = (X_val, y_val, sample_weight_val)
                interrupted = self._train(X, y, classes, sample_weight, self.max_iter, init, validation, context)
        if interrupted:
            raise KeyboardInterrupt
        self._warn()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go on with one pass over the given rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : SGDClassifier
        """
        self._check_again()
        if not hasattr(self, "classes_") and self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use 'balanced' weights, "
                "use compute_class_weight('balanced', classes=classes, y=y). In place of y you can use a large "
                "enough sample of the full training set target to properly estimate the class frequency "
                "distributions. Pass the resulting weights as the class_weight parameter."
            )
        with self._unchanged_on_error():
            interrupted = self._train(X, y, classes, sample_weight, 1)
        if interrupted:
            raise KeyboardInterrupt
        return self

    def to_sklearn(self) -> Any:
        """The fitted estimator of scikit-learn that makes the same predictions.

        Returns
        -------
        sklearn.linear_model.SGDClassifier
        """
        return export.sgd(self, linear_model.SGDClassifier)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
