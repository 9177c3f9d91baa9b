"""What both drop-in estimators share: the training of one output, what it goes on from and what it leaves."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from ..core import loop
from ..core.problem import Problem
from ..core.state import State
from ..core.stopping import AbsoluteProgress
from ..core.support import TrainingSupport
from ..debt import SIZES, SQUARES, STARTED, nothing_owed
from .inputs import SGDInputs
from .part import Part, RatelessLoop, RunningLoop, StreamLoop
from .sparse_coef import dense

#: What averaging needs to go on.
AVERAGES = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")


class BaseSGD(TrainingSupport, SGDInputs):
    """A linear model with scikit-learn's SGD parameters; see `sksgd.compat`."""

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
