"""The training of classes: one part for two, else one for each class against the rest."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call
from sklearn.utils.parallel import Parallel, delayed

from ..core.batches import Block
from ..core.targets import distinct
from .base import BaseSGD
from .part import Part
from .seeds import MAX_INT, seed_after


class OneVsRest(BaseSGD):
    """scikit-learn's SGD for classes, and its parameters."""

    class_weight: Any
    n_jobs: int | None
    classes_: np.ndarray

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
        found = context is not None and classes.dtype.kind in "biuU"
        if found:
            self.classes_ = classes  # in y; nothing can be wrong with them
        else:
            _check_partial_fit_first_call(self, classes)
        K = len(self.classes_)
        if not found:
            self._check_known(y)
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
        fitted = functools.partial(self._fitted, parts, problem, self.t_, X.shape[0], starts[1], aliased)
        if len(parts) == 1:
            interrupted = self._run_alone(parts[0], problem, max_iter, context, given, fitted)
        else:
            # An interrupt is raised: one class has had all its passes before another one begins, so none is whole.
            run, interrupted = delayed(self._run_class), False
            tasks = (run(part, problem, max_iter, context, given, fitted) for part in parts)
            try:
                Parallel(n_jobs=self.n_jobs, verbose=self.verbose, require="sharedmem")(tasks)
            finally:
                # After an error nobody waits for the threads.
                for part in parts:
                    part.abandoned = True
        self._keep(fitted())
        return interrupted

    def _run_class(self, part: Part, problem: Any, max_iter: int, context: Any, given: Any, fitted: Any) -> None:
        """Train one class against the rest, as a task of its own."""
        if context is None:
            self._run(part, problem, max_iter, None, given, fitted)
            return
        of_class = context.subcontext(task_name="class", max_subtasks=max_iter)
        with self._task(of_class, *given[:2]):
            self._run(part, problem, max_iter, of_class, given, fitted)

    def _weights_of_classes(self, y: np.ndarray) -> np.ndarray:
        """The class weights, by class."""
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
        found, one = self._learned(parts, problem, before, n), len(parts) == 1
        coef = np.stack([part.coef for part in parts])
        # scikit-learn keeps the intercept of two classes in full, others in the dtype of the data.
        intercept = np.array([part.intercept for part in parts], dtype=np.float64 if one else coef.dtype)
        found |= {"coef_": coef, "intercept_": intercept}
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
        return found


def _accuracy(X: Any, positive: np.ndarray, weight: Any, coef: np.ndarray, intercept: float) -> float:
    return float(np.average((X @ coef + intercept > 0) == positive, weights=weight))
