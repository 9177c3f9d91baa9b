"""`SGDClassifier`."""

from __future__ import annotations

import functools
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn import linear_model
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.callback import with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data

from .. import export
from ..core.batches import Block
from ..core.targets import distinct, is_clean_target
from ..losses import Hinge, LogLoss, ModifiedHuber, Perceptron, SquaredHinge
from .base import BaseSGD, no_task
from .documentation import document
from .parameters import DEFAULT_EPSILON
from .part import Part
from .predictions import ClassPredictions
from .seeds import MAX_INT, seed_after
from .sparse_coef import SparseCoef, dense

__all__ = ["SGDClassifier"]


@document
class SGDClassifier(ClassPredictions, ClassifierMixin, SparseCoef, BaseSGD):
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
        **BaseSGD.loss_functions,
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSGD._parameter_constraints,
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

    # ---- training ----------------------------------------------------------------------------------------------------

    def _train(
        self,
        X: Any,
        y: Any,
        classes: Any,
        sample_weight: Any,
        max_iter: int,
        init: tuple[Any, Any] = (None, None),
        validation: tuple[Any, Any, Any] = (None, None, None),
        context: Any = None,
    ) -> bool:
        """Passes over the rows; whether they were interrupted, after at least one."""
        given, self.t_ = (X, y, sample_weight), vars(self).get("t_", 1.0)
        X, y = self._validate(X, y, not hasattr(self, "classes_"))
        if context is not None and classes.dtype.kind in "biuU":
            self.classes_ = classes  # found in y; nothing can be wrong with them
        else:
            _check_partial_fit_first_call(self, classes)
        K = len(self.classes_)
        by_class = self._weights_of_classes(y)
        weight = self._check_weights(sample_weight, X)
        aliased = hasattr(self, "intercept_") and self.intercept_ is getattr(self, "_average_intercept", None)
        starts = self._start(X, K if K > 2 else 1, init)
        if K < 2:
            raise ValueError(f"The number of classes has to be greater than one; got {K} class")
        X = X.astype(starts[0].dtype, copy=False)
        problem = self._problem(X)
        parts = self._parts(X, y, weight, by_class, starts, validation)
        if context is None:
            for k, part in enumerate(parts):
                part.state = self._resumed(k, problem, part)
        before, n = self.t_, X.shape[0]

        def fitted() -> dict[str, Any]:
            return self._fitted(parts, problem, before, n, starts[1], aliased)

        interrupted = False
        try:
            if len(parts) == 1:
                task = no_task if context is None else self._callback_task(context, given, parts[0], fitted)
                self._run(parts[0], problem, max_iter, task)
            else:
                run = delayed(functools.partial(self._run_class, problem, max_iter, context, given, fitted))
                Parallel(n_jobs=self.n_jobs, verbose=self.verbose, require="sharedmem")(run(part) for part in parts)
        except KeyboardInterrupt:
            # One class against the rest has no whole pass before all classes are trained.
            if len(parts) > 1 or not parts[0].outcome.loss_curve:
                raise
            parts[0].outcome.reason, interrupted = "interrupted", True
        self._keep(fitted())
        return interrupted

    def _run_class(self, problem: Any, max_iter: int, context: Any, given: Any, fitted: Any, part: Part) -> None:
        """Train one class against the rest, as a task of its own."""
        if context is None:
            self._run(part, problem, max_iter, no_task)
            return
        of_class = context.subcontext(task_name="class", max_subtasks=max_iter)
        with self._task(of_class, *given[:2]):
            self._run(part, problem, max_iter, self._callback_task(of_class, given, part, fitted))

    def _weights_of_classes(self, y: np.ndarray) -> np.ndarray:
        """The class weights, by class."""
        self._check_known(y)
        if self.class_weight is None:
            return np.ones(len(self.classes_))
        return compute_class_weight(self.class_weight, classes=self.classes_, y=y)

    def _check_known(self, y: np.ndarray) -> None:
        known = set(self.classes_.tolist())
        unknown = [label for label in distinct(y).tolist() if label not in known]
        if unknown:
            raise ValueError(
                f"classes should include all valid labels that can be in y. Not among {self.classes_!r}: {unknown!r}."
            )

    def _start(self, X: Any, K: int, init: tuple[Any, Any]) -> tuple[Any, ...]:
        """Coefficients (K, d), intercepts (K,) and their averages so far."""
        d = X.shape[1]
        if getattr(self, "coef_", None) is None or init[0] is not None:
            coef, intercept = self._starts(K, d, X.dtype, init)
            average, average_intercept = np.zeros_like(coef), np.zeros_like(intercept)
        else:
            coef, intercept, average, average_intercept = self._standard()
            if average is None:
                average, average_intercept = np.zeros_like(coef), np.zeros_like(intercept)
        return coef, intercept, average if self.average else None, average_intercept

    def _parts(
        self, X: Any, y: np.ndarray, weight: Any, by_class: np.ndarray, starts: tuple[Any, ...], validation: Any
    ) -> list[Part]:
        """One part for two classes, else one per class, each against the rest."""
        coef, intercept, average, average_intercept = starts
        K, low = len(coef), 0.0 if self.loss == "log_loss" else -1.0
        used, own = None if weight is None else weight > 0, validation[0] is not None
        if K == 1:
            if self.early_stopping and not own:
                # The split comes between both draws.
                rng = check_random_state(self.random_state)
                rng.randint(1, MAX_INT)
                split = self._split((y == self.classes_[1]).astype(np.int8), used)
                orders = [int(rng.randint(MAX_INT))]
            else:
                split, orders = None, [seed_after(self.random_state)]
        else:
            split = None if own else self._split(y, used)
            orders = [seed_after(seed) for seed in check_random_state(self.random_state).randint(MAX_INT, size=K)]
        held_out = self._held_out(X, y, weight, validation, split)
        if held_out is not None:
            self._check_known(held_out[1])
        parts = []
        for k, seed in enumerate(orders):
            label = self.classes_[1] if K == 1 else self.classes_[k]
            positive, negative = by_class[::-1] if K == 1 else (by_class[k], 1.0)
            part = Part(
                functools.partial(self._one_against_rest, X, y, weight, label, low, positive, negative),
                self._check_finite,
                coef[k],
                float(intercept[k]),
                None if average is None else average[k],
                float(average_intercept[k]),
                seed,
                train=None if split is None else split[0],
            )
            if held_out is not None:
                part.score = functools.partial(_accuracy, held_out[0], held_out[1] == label, held_out[2])
            parts.append(part)
        return parts

    def _one_against_rest(
        self, X: Any, y: np.ndarray, weight: Any, label: Any, low: float, positive: float, negative: float
    ) -> Block:
        """The rows with targets 1 for a label and `low` for others, and the weights of both beside those of rows."""
        is_positive = y == label
        if (positive, negative) != (1.0, 1.0):
            by_row = np.where(is_positive, X.dtype.type(positive), X.dtype.type(negative))
            weight = by_row if weight is None else by_row * weight
        return self._block(X, np.where(is_positive, 1.0, low), weight)

    def _fitted(
        self, parts: list[Part], problem: Any, before: float, n: int, begun: np.ndarray, aliased: bool
    ) -> dict[str, Any]:
        """The attributes of the model as it is now."""
        for part in parts:
            self._finish(part, problem)
        coef = np.stack([part.coef for part in parts])
        # scikit-learn keeps the intercept of two classes in full, others in the dtype of the data.
        dtype = np.float64 if len(parts) == 1 else coef.dtype
        intercept = np.array([part.intercept for part in parts], dtype=dtype)
        passes = max(len(part.outcome.loss_curve) for part in parts)
        curves = [list(part.outcome.loss_curve) for part in parts]
        scores = [[-value for value in part.outcome.validation_curve] for part in parts]
        reasons = [part.outcome.reason for part in parts]
        one = len(parts) == 1
        found: dict[str, Any] = {
            "coef_": coef,
            "intercept_": intercept,
            "n_iter_": passes,
            "t_": before + passes * n,
            "loss_curve_": curves[0] if one else curves,
            "validation_curve_": scores[0] if one else scores,
            "stop_reason_": reasons[0] if one else reasons,
        }
        if self.average:
            average = np.stack([np.asarray(part.average) for part in parts])
            average_intercept = np.array([part.average_intercept for part in parts], dtype=coef.dtype)
            reached = all(part.state is not None and part.state.t >= self.average for part in parts)
            # Once an average has begun, scikit-learn goes on from a stale intercept: for two classes from the one the
            # call began with; for more, it takes the intercept for its average, as both are one array there.
            standard = intercept
            if reached and self._is_plain and (one or aliased):
                standard, average_intercept = begun, average_intercept if one else intercept.astype(coef.dtype)
            found |= {
                "_standard_coef": coef,
                "_standard_intercept": standard,
                "_average_coef": average,
                "_average_intercept": average_intercept,
            }
            if reached:
                found |= {"coef_": average, "intercept_": average_intercept}
        return found | {"_states": None if self._is_plain else (problem, [part.state for part in parts])}

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


def _accuracy(X: Any, positive: np.ndarray, weight: Any, coef: np.ndarray, intercept: float) -> float:
    return float(np.average((X @ coef + intercept > 0) == positive, weights=weight))
