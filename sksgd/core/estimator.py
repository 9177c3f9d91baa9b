"""What both flagship estimators share: fit, partial_fit, fitted attributes."""

from __future__ import annotations

import copy
import sys
import warnings
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from . import blocks, loop
from .batches import Block
from .errors import BlockError
from .feed import Feed
from .fitting import Fit, Unfinished
from .intake import Intake
from .predict import raw_scores
from .problem import Problem
from .reports import Reports
from .resuming import Resuming
from .state import State
from .stopping import Progress
from .supply import Supply
from .support import TrainingSupport


class BaseLinearSGD(TrainingSupport, Intake, Resuming, Reports):
    """A linear model whose weights are found by stochastic gradient descent; see `sksgd.linear_model`."""

    @property
    def _n_outputs(self) -> int:
        raise NotImplementedError

    # ---- training ----------------------------------------------------------------------------------------------------

    def _fit(self, X: Any, y: Any, sample_weight: Any, validation: tuple[Any, Any, Any], init: tuple[Any, Any]) -> Self:
        """Several passes; see the `fit` of the subclasses."""
        context = self._init_callback_context(max_subtasks=self.max_iter)
        with self._task(context, X, y) as end, self._unchanged_on_error():
            saved = self._saved(context)
            resumed = saved is None and self.warm_start and hasattr(self, "_state")
            random_state = check_random_state(self.random_state) if saved is None else saved.random_state
            before = copy.deepcopy(random_state) if self._keepers else None
            feed, held_out = self._feeds(X, y, sample_weight, validation, resumed, random_state)
            if saved is not None:
                saved.check(feed)
            begin = saved or self._begin(feed, resumed, random_state, before, init)
            metadata = None if sample_weight is None else {"sample_weight": sample_weight}
            fit = Fit(self, context, (X, y, metadata), feed, begin)
            orders = feed.orders(self._component("sampling"), fit.state)
            kind = blocks.BlockLoop if begin.problem.optimizer.blockwise else loop.MeasuredLoop
            seen, broken = fit.state.n_samples_seen, None
            try:
                fit.run(kind, orders, held_out, self.max_iter)
            except (KeyboardInterrupt, BlockError) as error:
                if fit.state.n_samples_seen == seen:
                    raise
                fit.outcome.reason, broken = f"interrupted: {error}" if str(error) else "interrupted", error
            self.__dict__.pop("_unfinished", None)
            self.__dict__.update(fit.attributes())
            if broken is None:
                end(metadata=metadata, reconstruction_attributes=fit.attributes)
        if broken is not None:
            raise broken
        self._warn(fit.outcome)
        return self

    def _begin(self, feed: Feed, resumed: bool, random_state: Any, before: Any, init: tuple[Any, Any]) -> Unfinished:
        """A fit that begins, from nothing or from the state of this model."""
        problem_before = self._problem_ if resumed else None
        per_pass = feed.updates(None if self.batch_size == "full" else self.batch_size)
        goes_on = resumed and self._goes_on(self._component("optimizer") or self._problem_.optimizer)
        updates = (self._state.t if goes_on else 0) + self.max_iter * per_pass
        problem = self._meet(self._problem(feed, updates, per_pass, problem_before), feed, problem_before)
        state = self._resume(problem).copy() if resumed else self._new_state(problem, feed, random_state)
        state.position = 0
        self._initialise(problem, state, init)
        curves = [getattr(self, name, []) if resumed else [] for name in ("loss_curve_", "validation_curve_")]
        progress = Progress(self.tol, self.n_iter_no_change)
        course = {"state": state, "outcome": loop.Outcome(), "progress": progress}
        # Printing parameters and adding up targets takes its time.
        key, mark = (self._parameters_key(), feed.mark) if self._keepers else ("", ())
        return Unfinished(key, before, mark, curves, problem, course)

    @property
    def _keepers(self) -> list[Any]:
        """The callbacks that keep fits which are not done, such as `Checkpoint`."""
        return [callback for callback in getattr(self, "_skl_callbacks", []) if hasattr(callback, "unfinished")]

    def _saved(self, context: Any) -> Unfinished | None:
        """What is known of the same fit, if one of the callbacks has it, and it is not done."""
        for callback in self._keepers:
            saved = callback.unfinished(context)
            if saved is not None:
                if saved._unfinished.parameters == self._parameters_key():
                    return saved._unfinished
                raise ValueError(
                    f"{callback!r} has an unfinished fit of other parameters: {saved!r}. Remove the file to begin "
                    "anew, or choose another path."
                )
        return None

    def _parameters_key(self) -> str:
        """What tells these parameters from others that lead to another model."""
        params = self.get_params(deep=False)
        for name in ("random_state", "verbose"):
            del params[name]
        with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
            return repr(params)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        """One pass over a block of a stream; see the `partial_fit` of the subclasses."""
        if isinstance(X, Supply):
            raise TypeError(
                f"X must be rows in memory, not {X!r}. Call partial_fit for its blocks, (X, y, sample_weight) in "
                "source.read(part), or call fit."
            )
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
                state = self._new_state(problem, block, check_random_state(self.random_state))
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
        if isinstance(X, Supply):
            return X.scores(self, *self._weights())
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
