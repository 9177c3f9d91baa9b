"""What both drop-in estimators share: checks, splits, starts, and the training of one output."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..core import loop
from ..core.batches import Block
from ..core.predict import is_clean
from ..core.problem import Problem
from ..core.state import State
from ..core.stopping import AbsoluteProgress
from ..core.support import TrainingSupport
from ..core.targets import is_clean_target
from ..debt import SIZES, SQUARES, STARTED, nothing_owed
from .parameters import SGDParameters
from .part import Part, RatelessLoop, RunningLoop, StreamLoop
from .sparse_coef import dense

#: What averaging needs to go on.
AVERAGES = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")


class BaseSGD(TrainingSupport, SGDParameters):
    """A linear model with scikit-learn's SGD parameters; see `sksgd.compat`."""

    # ---- training ----------------------------------------------------------------------------------------------------

    def _check_again(self) -> None:
        """Check the parameters in `partial_fit`; scikit-learn does not look at what was set after the first call."""
        fitted = getattr(self, "coef_", None) is not None
        if fitted:
            self._validate_params()
        self._check_parameters(for_partial_fit=not fitted)

    def _standard(self) -> tuple[Any, Any, Any, Any]:
        """Coefficients and intercepts to go on from, of the last iterate, and their averages, None without."""
        if not self.average or not self._is_plain:
            return dense(self.coef_), self.intercept_, None, [0.0]
        if not hasattr(self, "_average_coef"):
            if self.t_ - 1 < self.average:
                return dense(self.coef_), self.intercept_, None, [0.0]  # it has not begun
            raise ValueError(
                f"average={self.average!r} was set after training without: there is no average to go on with. Set it "
                "before the first call, or call fit."
            )
        return self._standard_coef, self._standard_intercept, self._average_coef, self._average_intercept

    def _keep(self, fitted: dict[str, Any]) -> None:
        """Set the attributes of the model, and drop averages that would be stale by now."""
        self.__dict__.update(fitted)
        if not self.average:
            for name in AVERAGES:
                self.__dict__.pop(name, None)

    def _resumed(self, k: int, problem: Problem, part: Part) -> State | None:
        """The state of output k to go on with in `partial_fit`, where optimizer and averaging are as before."""
        if self._is_plain or getattr(self, "_states", None) is None:
            return None
        before, state = self._states[0], self._states[1][k].copy()
        if before.optimizer != problem.optimizer or (before.averaging is None) != (problem.averaging is None):
            return None
        state.convert(before, None)
        state.seed, state.n_passes = part.seed, 0
        state.touch()
        return state

    def _split(self, y: np.ndarray, used: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
        """Numbers of the rows to train on and to hold out; `used` tells rows of weight above zero."""
        if not self.early_stopping:
            return None
        splitter = StratifiedShuffleSplit if is_classifier(self) else ShuffleSplit
        split = splitter(test_size=self.validation_fraction, random_state=self.random_state)
        train, held_out = next(split.split(np.zeros((len(y), 1)), y))
        if used is not None and not used[held_out].any():
            raise ValueError(
                "The sample weights for validation set are all zero, consider using a different random state."
            )
        if len(train) == 0 or len(held_out) == 0:
            raise ValueError(
                f"Splitting {len(y)} samples into a train set and a validation set with "
                f"validation_fraction={self.validation_fraction!r} led to an empty set ({len(train)} and "
                f"{len(held_out)} samples). Please either change validation_fraction, increase number of samples, or "
                "disable early_stopping."
            )
        return np.sort(train), np.sort(held_out)

    def _state(self, problem: Problem, part: Part, sparse: bool) -> State:
        """The state to begin with: the weights and averages of a part, in the layout that its pass wants."""
        d = len(part.coef)
        state = State(problem, 1, d, part.coef.dtype, part.seed)
        if not self._is_plain:
            state.start(problem, part.coef.reshape(1, -1), np.array([part.intercept]))
            return state
        state.t = int(self.t_) - 1
        state.lines[0], state.bias[0] = part.coef, part.intercept
        started = problem.averaging is not None and state.t > int(self.average) - 1
        if part.average is not None:
            state.lines[-1], state.bias[-1] = part.average, part.average_intercept
        state.idle, state.debt = problem.idle, nothing_owed(float(started))
        coef = part.coef.astype(np.float64, copy=False)
        with np.errstate(all="ignore"):
            state.debt[SQUARES], state.debt[SIZES] = np.dot(coef, coef), np.abs(coef).sum()
        if sparse:
            state.lines = np.ascontiguousarray(state.lines.transpose(2, 1, 0).reshape(d, -1))
        return state

    def _run_alone(self, part: Part, problem: Problem, *call: Any) -> bool:
        """Train the only part; whether that was interrupted, after at least one pass."""
        try:
            self._run(part, problem, *call)
        except KeyboardInterrupt:
            if not part.outcome.loss_curve:
                raise
            part.outcome.reason = "interrupted"
        return part.outcome.reason == "interrupted"

    def _run(self, part: Part, problem: Problem, max_iter: int, context: Any, given: Any, fitted: Any) -> None:
        """Train one part, for a call over the `given` X, y and sample weights that leaves `fitted()` behind."""
        block = part.rows()
        task = no_task if context is None else self._callback_task(context, given, part, problem, fitted)
        if part.state is None:
            part.state = self._state(problem, part, sp.issparse(block.X))
        state, all_rows = part.state, block.X.shape[0]
        own_order = self._is_plain and self.sampling is None
        if part.train is not None and not own_order:
            block = block.take(part.train)
        orders = block.orders(self._component("sampling"), state)
        if part.train is not None and own_order:
            # scikit-learn orders all rows, and leaves those out that are not to train on.
            used = np.zeros(all_rows, dtype=bool)
            used[part.train] = True
            orders = ((order[used[order]], factor) for order, factor in orders)
        progress = AbsoluteProgress(self.tol, int(self.n_iter_no_change))
        head = (problem, state, block, orders, progress, task, part.outcome)
        kind: Any = RunningLoop
        if problem.optimizer.blockwise:
            kind = StreamLoop if context is None else RatelessLoop
            self._check_finite(block.X)
        kind(*head, part=part).run(max_iter)
        if context is None and self.verbose:
            part.report(problem)
        if part.outcome.diverged:
            raise ValueError(
                f"Floating-point under-/overflow occurred at epoch #{part.outcome.passes}. Scaling input data with "
                "StandardScaler or MinMaxScaler might help."
            )

    def _finish(self, part: Part, problem: Problem) -> None:
        """Leave weights and averages in a part."""
        if part.state is None:
            return
        # A copy: the callback of one class may look while another one trains, in a thread of its own.
        state = part.state.copy()
        state.touch()
        if problem.optimizer.blockwise:
            (part.coef,), (part.intercept,) = state.weights(problem)
            return
        lines = state.settled_lines(problem)
        part.coef, part.intercept = np.ascontiguousarray(lines[0, 0]), float(state.bias[0, 0])
        if problem.averaging is not None and not self._is_plain:
            coef, intercept = state.weights(problem)
            part.average, part.average_intercept = coef[0], float(intercept[0])
        elif problem.averaging is not None and state.t > int(self.average) - 1:
            # With the first iterate, scikit-learn's average is what was there, plus that iterate.
            fresh = state.idle is not None and not state.debt[STARTED]
            part.average = lines[0, 0] + lines[-1, 0] if fresh else np.ascontiguousarray(lines[-1, 0])
            part.average_intercept = float(state.bias[-1, 0])

    def _learned(self, parts: list[Part], problem: Problem, before: float, n: int) -> dict[str, Any]:
        """Attributes that say how training over n rows went, from `t_ = before` on; weights are left in the parts."""
        for part in parts:
            self._finish(part, problem)
        outcomes = [part.outcome for part in parts]
        passes = max(len(outcome.loss_curve) for outcome in outcomes)
        each: dict[str, list[Any]] = {
            "loss_curve_": [list(outcome.loss_curve) for outcome in outcomes],
            "validation_curve_": [[-value for value in outcome.validation_curve] for outcome in outcomes],
            "stop_reason_": [outcome.reason for outcome in outcomes],
        }
        found = {"optimizer_": problem.choice} if problem.choice is not None else {}
        if problem.optimizer.blockwise:
            memories = [part.state.memory for part in parts if part.state is not None]
            found["optimality_gap_"] = max((memory.gap for memory in memories), default=np.nan)
        return {
            **found,
            "n_iter_": passes,
            "t_": before + passes * n,
            "_states": None if self._is_plain else (problem, [part.state for part in parts]),
            **{name: values if len(parts) > 1 else values[0] for name, values in each.items()},
        }

    def _callback_task(
        self, context: Any, given: Any, part: Part, problem: Problem, fitted: Callable[[], dict[str, Any]]
    ) -> Any:
        """The task of one pass over the `given` X, y and sample weights, for `loop.Loop`."""
        metadata = None if given[2] is None else {"sample_weight": given[2]}

        @contextlib.contextmanager
        def one_task() -> Iterator[loop.Finish]:
            with self._task(context.subcontext(task_name="pass"), *given[:2]) as end:

                def finish(outcome: loop.Outcome, state: State) -> bool:
                    if self.verbose:
                        part.report(problem)
                    return end(metadata=metadata, reconstruction_attributes=fitted)

                yield finish

        return one_task

    # ---- what training needs beside the rows -------------------------------------------------------------------------

    def _starts(self, K: int, d: int, dtype: Any, init: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (K, d) and intercepts (K,) to start from; K = 1 unless there are more than two classes."""
        shape, name = ((K, d), "``coef_``") if K > 1 else ((d,), "coef_init")
        coef, intercept = np.zeros((K, d), dtype), np.zeros(K, dtype)
        if init[0] is not None:
            given = np.array(init[0], dtype=dtype)
            given = given if K > 1 else given.ravel()
            if given.shape != shape:
                raise ValueError(f"Provided {name} does not match dataset. It has shape {given.shape}, not {shape}.")
            coef = given.reshape(K, d)
        if init[1] is not None:
            given = np.array(init[1], dtype=dtype)
            if given.shape != (K,) and not (K == 1 and given.shape == ()):
                raise ValueError(f"Provided intercept_init does not match dataset. It has shape {given.shape}.")
            intercept = given.reshape(K)
        return coef, intercept

    def _held_out(self, X: Any, y: np.ndarray, weight: Any, given: Any, split: Any) -> tuple[Any, Any, Any] | None:
        """Held-out rows, targets and weights: the user's own, or the second part of a split of X."""
        X_val, y_val, weight_val = given
        if X_val is not None and y_val is not None:
            X_val, y_val = validate_data(self, X_val, y_val, accept_sparse="csr", dtype=X.dtype, order="C", reset=False)
            if weight_val is not None:
                weight_val = _check_sample_weight(weight_val, X_val, dtype=X.dtype)
            return X_val, y_val, weight_val
        if X_val is not None or y_val is not None:
            raise ValueError("X_val and y_val must be given together.")
        if split is None:
            return None
        self._check_finite(X[split[1]])
        return X[split[1]], y[split[1]], None if weight is None else weight[split[1]]

    def _block(self, X: Any, y: np.ndarray, weight: np.ndarray | None) -> Block:
        return Block(X, y.reshape(-1, 1), weight, as_given=self._is_plain)

    # ---- checks ------------------------------------------------------------------------------------------------------

    def _validate(self, X: Any, y: Any, first: bool) -> tuple[Any, Any]:
        """X (C-ordered or CSR) and y. Whether X is finite shows in the predictions, if every row is visited."""
        if self._is_plain and self.sampling is None and is_clean(X) and is_clean_target(y) and len(X) == len(y):
            # Nothing to convert; scikit-learn takes 130 microseconds to find that out.
            if first:
                self.__dict__.pop("feature_names_in_", None)
                self.n_features_in_ = X.shape[1]
            if X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
                return X, y
        return validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            reset=first,
            ensure_all_finite=not (self._is_plain and self.sampling is None),
        )

    def _check_finite(self, X: Any) -> None:
        """Raise scikit-learn's error if X is not finite."""
        assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")

    def _check_weights(self, sample_weight: Any, X: Any) -> np.ndarray | None:
        """Weights in the dtype of X, or None where all are 1."""
        if sample_weight is None:
            return None
        return _check_sample_weight(
            sample_weight, X, dtype=X.dtype, allow_all_zero_weights=is_classifier(self) and self.early_stopping
        )

    def _warn(self) -> None:
        if self.tol is not None and self.n_iter_ == self.max_iter:
            warnings.warn(
                "Maximum number of iteration reached before convergence. Consider increasing max_iter to improve the "
                "fit.",
                ConvergenceWarning,
                stacklevel=5,
            )
        if self.power_t < 0:
            warnings.warn(
                "Negative values for `power_t` are deprecated in version 1.8 and will raise an error in 1.10. Use "
                "values in the range [0.0, inf) instead.",
                FutureWarning,
                stacklevel=5,
            )


@contextlib.contextmanager
def no_task() -> Iterator[loop.Finish]:
    """A task that nobody is told of."""
    yield lambda outcome, state: False
