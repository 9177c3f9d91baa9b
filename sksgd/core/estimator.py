"""What both flagship estimators share: validation, fit, partial_fit, fitted attributes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from . import blocks, loop
from .batches import Block
from .feed import Feed, Supply
from .predict import raw_scores
from .problem import Problem
from .reports import Reports
from .resuming import Resuming
from .state import State
from .stopping import Progress
from .support import TrainingSupport


class BaseLinearSGD(TrainingSupport, Resuming, Reports):
    """A linear model whose weights are found by stochastic gradient descent; see `sksgd.linear_model`."""

    #: How `validate_data` is to check y.
    _target_checks: ClassVar[dict[str, Any]] = {}

    # ---- what a subclass decides -------------------------------------------------------------------------------------

    def _check_targets(self, y: Any, first: bool, classes: Any = None) -> None:
        """Learn from the targets what the first call has to know (classes, shape), or hold later ones against it."""
        raise NotImplementedError

    def _encode(self, y: Any) -> np.ndarray:
        """Coded targets of shape (n, K), or (n, 1) for a joint loss."""
        raise NotImplementedError

    def _count_targets(self, coded: np.ndarray, sample_weight: np.ndarray | None, running: bool) -> None:
        """Take note of coded training targets, beside those of earlier calls if `running`."""

    def _target_weights(self, coded: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray | None:
        """Row weights with what the targets add to them."""
        return sample_weight

    @property
    def _n_outputs(self) -> int:
        raise NotImplementedError

    # ---- training ----------------------------------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], init: tuple[Any, Any]) -> Self:
        """Several passes; see the `fit` of the subclasses."""
        context = self._init_callback_context(max_subtasks=self.max_iter)
        with self._task(context, X, y), self._unchanged_on_error():
            resumed = self.warm_start and hasattr(self, "_state")
            random_state = check_random_state(self.random_state)
            feed, held_out = self._feeds(X, y, sample_weight, validation, resumed, random_state)
            per_pass = feed.updates(None if self.batch_size == "full" else self.batch_size)
            before = self._problem_ if resumed else None
            goes_on = before is not None and self._goes_on(self._component("optimizer") or before.optimizer)
            updates = (self._state.t if goes_on else 0) + self.max_iter * per_pass
            problem = self._meet(self._problem(feed, updates, per_pass, before), feed, before)
            state = (
                self._resume(problem).copy()
                if resumed
                else self._new_state(problem, feed.shape[1], feed.dtype, random_state)
            )
            self._initialise(problem, state, init)
            curves = [getattr(self, name, []) if resumed else [] for name in ("loss_curve_", "validation_curve_")]
            outcome = loop.Outcome()

            def fitted() -> dict[str, Any]:
                """The attributes of the model as it is now."""
                return {
                    **self._fitted(problem, state.copy()),
                    "loss_curve_": curves[0] + outcome.loss_curve,
                    "validation_curve_": curves[1] + outcome.validation_curve,
                    "stop_reason_": outcome.reason,
                }

            metadata = None if sample_weight is None else {"sample_weight": sample_weight}

            @contextlib.contextmanager
            def one_task() -> Iterator[loop.Finish]:
                with self._task(context.subcontext(task_name="pass"), X, y) as end:

                    def finish(outcome: loop.Outcome, state: State) -> bool:
                        if self.verbose:
                            self._print(outcome)
                        return end(metadata=metadata, reconstruction_attributes=fitted)

                    yield finish

            progress = Progress(self.tol, self.n_iter_no_change)
            interrupted = False
            try:
                orders = feed.orders(self._component("sampling"), state)
                head = (problem, state, feed, orders, progress, one_task, outcome)
                kind = blocks.BlockLoop if problem.optimizer.blockwise else loop.MeasuredLoop
                kind(*head, validation=held_out).run(self.max_iter)
            except KeyboardInterrupt:
                if not outcome.loss_curve:
                    raise
                outcome.reason, interrupted = "interrupted", True
            self.__dict__.update(fitted())
        if interrupted:
            raise KeyboardInterrupt
        self._warn(outcome)
        return self

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        """One pass over a block of a stream; see the `partial_fit` of the subclasses."""
        resumed = hasattr(self, "_state")
        if resumed:
            self._validate_params()  # scikit-learn does so in the first call only
        with self._unchanged_on_error():
            X, y, sample_weight = self._validate(X, y, sample_weight, self._state.lines.dtype if resumed else None)
            self._check_targets(y, not resumed, classes)
            coded = self._encode(y)
            self._count_targets(coded, sample_weight, running=True)
            block = Block(X, coded, self._target_weights(coded, sample_weight))
            before = self._problem_ if resumed else None
            problem = self._meet(self._problem(block, None, None, before), block, before)
            if resumed:
                state = self._resume(problem)
            else:
                state = self._new_state(problem, X.shape[1], X.dtype, check_random_state(self.random_state))
            features = state.within_reach(block.X)
            restore = state.savepoint(features)
            try:
                if problem.optimizer.blockwise:
                    finite = blocks.learn(problem, state, block)
                else:
                    orders = block.orders(self._component("sampling"), state)
                    finite = loop.one_pass(problem, state, block, orders)
            except BaseException:
                restore()
                raise
            self.stop_reason_ = "one block done"
            if not (finite and state.is_finite(features)):
                restore()
                self.stop_reason_ = "diverged: a prediction or a weight was not finite"
                message = self._divergence(problem, "this block; the model is as before it")
                warnings.warn(message, ConvergenceWarning, stacklevel=4)
            else:
                self._look_at_order(problem, state, block)
                if problem.optimizer.blockwise and len(block):
                    self.loss_curve_ = [*getattr(self, "loss_curve_", ()), state.running]
            self.__dict__.update(self._fitted(problem, state))
        return self

    def _validate(self, X: Any, y: Any, sample_weight: Any, dtype: Any) -> tuple[Any, Any, np.ndarray | None]:
        """X (C-ordered or CSR), y, and weights or None. `dtype` is that of earlier data, None for the first."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32] if dtype is None else dtype,
            order="C",
            reset=dtype is None,
            **self._target_checks,
        )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=True
            )
        return X, y, sample_weight

    def _feeds(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        resumed: bool,
        random_state: np.random.RandomState,
    ) -> tuple[Feed, Feed | None]:
        """Rows to train on, with weights of mean 1, and rows to validate on if there are any."""
        if isinstance(X, Supply):
            return X.feeds(self, resumed, random_state)
        block, held_out = self._blocks(X, y, sample_weight, validation, resumed)
        if held_out is None and self.early_stopping:
            block, held_out = self._split(block, random_state)
        block.normalise()
        return block, held_out

    def _blocks(
        self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], resumed: bool
    ) -> tuple[Block, Block | None]:
        """The training block, weights not yet normalised, and the user's own validation block if there is one."""
        X, y, sample_weight = self._validate(X, y, sample_weight, self._state.lines.dtype if resumed else None)
        self._check_targets(y, not resumed)
        coded = self._encode(y)
        self._count_targets(coded, sample_weight, running=False)
        block = Block(X, coded, self._target_weights(coded, sample_weight))
        if len(block) == 0:
            raise ValueError("All sample weights are zero: there is nothing to fit. Pass a positive sample_weight.")
        if validation[0] is None and validation[1] is None:
            return block, None
        if validation[0] is None or validation[1] is None:
            raise ValueError("X_val and y_val must be given together.")
        X, y, sample_weight = self._validate(*validation, block.X.dtype)
        self._check_targets(y, False)
        coded = self._encode(y)
        held_out = Block(X, coded, self._target_weights(coded, sample_weight))
        if len(held_out) == 0:
            raise ValueError("All of sample_weight_val is zero: there is nothing to validate on.")
        return block, held_out

    def _split(self, block: Block, random_state: np.random.RandomState) -> tuple[Block, Block]:
        """Training and validation parts of the rows present."""
        rows = np.arange(block.X.shape[0]) if block.present is None else block.present
        labels = block.y[rows, 0] if is_classifier(self) else None
        if labels is not None:
            counts = np.unique(labels, return_counts=True)[1]
            # Every class is to be in both parts, where there are rows enough.
            if counts.min() < 2 or len(counts) > np.ceil(self.validation_fraction * len(rows)):
                labels = None
        try:
            train, held_out = train_test_split(
                rows, test_size=self.validation_fraction, random_state=random_state, stratify=labels
            )
        except ValueError as error:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves too few rows of {len(rows)}: {error} "
                "Change validation_fraction, pass X_val and y_val, or set early_stopping=False."
            ) from error

        return block.take(train), block.take(held_out)

    def _fitted(self, problem: Problem, state: State) -> dict[str, Any]:
        """The attributes that make `state` the fitted model, beside those that follow from the targets."""
        return {
            "_problem_": problem,
            "_state": state,
            "_sparse": False,
            "n_iter_": state.n_passes,
            "t_": state.t,
            "n_samples_seen_": state.n_samples_seen,
            "optimizer_": problem.choice,
            "optimality_gap_": np.nan if state.memory is None else state.memory.gap,
        }

    # ---- the fitted model --------------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_state")

    def _weights(self) -> tuple[np.ndarray, np.ndarray]:
        if not hasattr(self, "_state"):
            raise AttributeError(f"This {type(self).__name__} has no coefficients before fit.")
        return self._state.weights(self._problem_)

    def _shape_coef(self, coef: np.ndarray) -> np.ndarray:
        return coef

    @property
    def learning_rate_(self) -> float:
        """The rate of the last update, as lowered since; NaN where the optimizer has none."""
        if not hasattr(self, "_state"):
            raise AttributeError(f"This {type(self).__name__} has no learning rate before fit.")
        state = self._state
        if state.memory is not None:
            return np.nan
        rate = self._problem_.schedule.rate(np.array([max(state.t - 1, 0)]))
        return float(np.ravel(rate)[0]) * state.factor

    @property
    def coef_(self) -> Any:
        """Weights of the model: the average of iterates if there is one. Read-only: training goes on from elsewhere."""
        coef = self._shape_coef(self._weights()[0])
        return sp.csr_matrix(coef) if self._sparse else _read_only(coef)

    @property
    def intercept_(self) -> np.ndarray:
        """Intercepts of the model."""
        return _read_only(self._weights()[1])

    def sparsify(self) -> Self:
        """Give `coef_` as a CSR matrix.

        Returns
        -------
        self : estimator instance
        """
        check_is_fitted(self)
        self._sparse = True
        return self

    def densify(self) -> Self:
        """Give `coef_` as an array, as after `fit`.

        Returns
        -------
        self : estimator instance
        """
        check_is_fitted(self)
        self._sparse = False
        return self

    def _scores(self, X: Any) -> np.ndarray:
        """Raw predictions of shape (n, K)."""
        check_is_fitted(self)
        return raw_scores(self, X, *self._weights(), dtype=[np.float64, np.float32])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _read_only(values: np.ndarray) -> np.ndarray:
    """A view that cannot be written to, since what is written would be lost in the next call of `partial_fit`."""
    values = values.view()
    values.flags.writeable = False
    return values
