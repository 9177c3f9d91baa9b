"""scikit-learn's parameters, and what they mean in components."""

from __future__ import annotations

import dataclasses
import functools
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from ..averaging import PolyakRuppert
from ..base import BlockOptimizer, Horizon, Loss, Optimizer, Penalty, Sampler, SampleStep, Schedule
from ..core.parameters import NestedParameters
from ..core.problem import Problem
from ..losses import EpsilonInsensitive, Huber, SquaredEpsilonInsensitive, SquaredError
from ..optimizers import BLOCK_OPTIMIZERS, OPTIMIZERS, SGD
from ..optimizers.auto import resolve
from ..penalties import NoPenalty, resolve_penalty
from ..sample_steps import Gradient
from ..sampling import SAMPLERS, Sequential, resolve_sampler
from ..schedules import Adaptive, Constant, InverseScaling, Optimal
from .components import (
    ClippedGradient,
    InversePower,
    PassiveAggressive1,
    PassiveAggressive2,
    TruncatedGradient,
    WeightDecay,
    XorshiftShuffle,
)

DEFAULT_EPSILON = 0.1

#: scikit-learn moves the intercept so much less on sparse data.
SPARSE_INTERCEPT_DECAY = 0.01

#: The parameters that state the problem.
STATED = (
    *("loss", "penalty", "alpha", "l1_ratio", "fit_intercept", "epsilon", "learning_rate", "eta0", "power_t"),
    *("average", "optimizer", "batch_size"),
)

#: Where scikit-learn multiplies its scale out, which the averages of truncated weights depend on.
SCALE_LIMIT = {np.dtype(np.float64): 1e-9, np.dtype(np.float32): 1e-6}


class SGDParameters(NestedParameters):
    """The parameters that both drop-in estimators share."""

    loss_functions: ClassVar[dict[str, tuple[Any, ...]]] = {
        "squared_error": (SquaredError,),
        "huber": (Huber, DEFAULT_EPSILON),
        "epsilon_insensitive": (EpsilonInsensitive, DEFAULT_EPSILON),
        "squared_epsilon_insensitive": (SquaredEpsilonInsensitive, DEFAULT_EPSILON),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions({"l2", "l1", "elasticnet"}), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "shuffle": ["boolean"],
        "verbose": ["verbose"],
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "learning_rate": [StrOptions({"constant", "optimal", "invscaling", "adaptive", "pa1", "pa2"})],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, None, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "average": [Interval(Integral, 0, None, closed="neither"), "boolean"],
        "optimizer": [StrOptions({"auto", *OPTIMIZERS, *BLOCK_OPTIMIZERS}), Optimizer, BlockOptimizer, None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"full"})],
        "sampling": [StrOptions(set(SAMPLERS)), Sampler, None],
    }

    # ---- from scikit-learn's words to components ---------------------------------------------------------------------

    _without_rate: ClassVar[dict[str, tuple[Any, ...]]] = {
        "learning_rate": ("optimal", "invscaling"),
        "eta0": (0.01,),
        "power_t": (0.5, 0.25),
        "batch_size": (1,),
        "sampling": (None,),
        "shuffle": (True,),
        "average": (False,),
    }

    @property
    def _is_plain(self) -> bool:
        """Whether the algorithm is scikit-learn's, not one of the extras."""
        return self.optimizer is None and self.batch_size == 1

    @property
    def _is_rateless(self) -> bool:
        """Whether the optimizer finds its own steps."""
        optimizer = self._component("optimizer")
        return optimizer is None or optimizer.blockwise

    def _validate_params(self) -> None:
        """scikit-learn's check of single parameters, which takes 70 microseconds, once for each set of values."""
        kind: Any = type(self)
        values = [getattr(self, name) for name in _names(kind)]
        try:
            _check_values(kind, tuple((type(value), value) for value in values))
        except TypeError:  # of a value without a hash
            super()._validate_params()

    def _check_parameters(self, for_partial_fit: bool = False) -> None:
        """What a parameter alone does not show."""
        if self.early_stopping and for_partial_fit:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.learning_rate == "optimal" and self.alpha == 0 and not self._is_rateless:
            raise ValueError(
                "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the optimal learning "
                "rate."
            )
        if self.learning_rate in ("pa1", "pa2"):
            needed = "hinge" if is_classifier(self) else "epsilon_insensitive"
            if self.loss != needed:
                raise ValueError(f"Learning rate '{self.learning_rate}' only works with loss '{needed}'.")
            if not self._is_plain:
                raise ValueError(
                    f"learning_rate={self.learning_rate!r} is a step of its own for every row: set optimizer=None and "
                    f"batch_size=1. Got optimizer={self.optimizer!r}, batch_size={self.batch_size!r}."
                )
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError("l1_ratio must be set when penalty is 'elasticnet'")

    def _loss(self) -> Loss:
        kind, *default = self.loss_functions[self.loss]
        return kind(epsilon=self.epsilon) if default else kind()

    def _penalty(self) -> Penalty:
        if not self._is_plain:
            return resolve_penalty(self.penalty, self.l1_ratio)
        plain = {None: NoPenalty, "l2": WeightDecay, "l1": lambda: TruncatedGradient(1.0)}
        return plain.get(self.penalty, lambda: TruncatedGradient(self.l1_ratio))()

    def _schedule(self) -> Schedule:
        name = self.learning_rate
        if name == "optimal":
            return Optimal()
        if name == "adaptive":
            # scikit-learn cuts while the rate is above 1e-6.
            return Adaptive(self.eta0, factor=5.0, eta_min=np.nextafter(1e-6 / 5, 1.0))
        if name == "invscaling" and self.power_t < 0:
            return InversePower(self.eta0, self.power_t)
        return InverseScaling(self.eta0, self.power_t) if name == "invscaling" else Constant(self.eta0)

    def _sample_step(self) -> SampleStep:
        steps: dict[str, SampleStep] = {"pa1": PassiveAggressive1(), "pa2": PassiveAggressive2()}
        return steps.get(self.learning_rate, ClippedGradient()) if self._is_plain else Gradient()

    def _component(self, name: str) -> Any:
        if name == "optimizer":
            return SGD() if self.optimizer is None else resolve(self.optimizer)
        if name == "sampling" and self.sampling is not None:
            return resolve_sampler(self.sampling, "sampling")
        if name == "sampling":
            return XorshiftShuffle() if self.shuffle else Sequential()
        return getattr(self, name)

    def _problem(self, X: Any) -> Problem:
        """The problem of one output over rows like X; that of the last call, if nothing changed."""
        key = (sp.issparse(X), X.dtype, X.shape[1], *(getattr(self, name) for name in STATED))
        if key != vars(self).get("_problem_key"):
            self._problem_key, self._problem_ = key, self._new_problem(X)
        return self._problem_

    def _new_problem(self, X: Any) -> Problem:
        problem = self._stated_problem(X)
        if self._is_plain:
            return problem
        choice = self._choice(problem, X.shape[1], sp.issparse(X), 1, None)
        return dataclasses.replace(problem, optimizer=choice.optimizer, choice=choice)

    def _stated_problem(self, X: Any) -> Problem:
        """The problem without the optimizer that "auto" stands for."""
        loss, plain = self._loss(), self._is_plain
        passive = self.learning_rate in ("pa1", "pa2")
        return Problem(
            loss=loss,
            penalty=self._penalty(),
            alpha=float(self.alpha),
            optimizer=self._component("optimizer"),
            schedule=Constant(1.0)
            if self._is_rateless
            else self._schedule().bind(Horizon(None, None, float(self.alpha), loss)),
            averaging=PolyakRuppert(start=int(self.average) - 1) if self.average else None,
            batch_size=None if self.batch_size == "full" else self.batch_size,
            bounds=None,
            fit_intercept=self.fit_intercept,
            sample_step=self._sample_step(),
            intercept_decay=SPARSE_INTERCEPT_DECAY if sp.issparse(X) and plain else 1.0,
            tally=plain,
            tally_penalty=not passive,
            carry_on=plain,
            scale_limit=SCALE_LIMIT[X.dtype],
        )


@functools.lru_cache(maxsize=64)
def _names(kind: Any) -> list[str]:
    return kind._get_param_names()


@functools.lru_cache(maxsize=256)
def _check_values(kind: Any, typed: tuple[tuple[type, Any], ...]) -> None:
    params = dict(zip(_names(kind), (value for _, value in typed), strict=True))
    validate_parameter_constraints(kind._parameter_constraints, params, caller_name=kind.__name__)
