"""From an estimator's parameters, as users give them, to the problem they state."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions

from ..averaging import AVERAGINGS, resolve_averaging
from ..base import Averaging, BlockOptimizer, Component, Horizon, Loss, Optimizer, Penalty, Sampler, Schedule
from ..losses import resolve_loss
from ..optimizers import BLOCK_OPTIMIZERS, OPTIMIZERS
from ..optimizers.auto import Choice, choose, resolve
from ..penalties import PENALTIES, resolve_penalty
from ..sampling import SAMPLERS, resolve_sampler
from ..schedules import SCHEDULES, Adaptive, Auto, Constant, resolve_schedule
from .feed import Feed
from .problem import Problem


class NestedParameters(BaseEstimator):
    """An estimator some of whose parameters stand for components, which have parameters too."""

    def _component(self, name: str) -> Any:
        """The component that a parameter stands for, or its value where it stands for none."""
        raise NotImplementedError

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``optimizer__momentum=0.5`` replaces the optimizer by a changed one.

        Nested names work where the parameter is a string, too: it is resolved first.

        Parameters
        ----------
        **params : dict
            Estimator parameters.

        Returns
        -------
        self : estimator instance
        """
        super().set_params(**{key: value for key, value in params.items() if "__" not in key})
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, delimiter, inner = key.partition("__")
            if delimiter:
                nested.setdefault(name, {})[inner] = value
        for name, fields in nested.items():
            if name not in self.get_params(deep=False):
                super().set_params(**{name: None})  # raises scikit-learn's error
            value = getattr(self, name)
            component = self._component(name)
            if not isinstance(component, Component):
                raise ValueError(f"{name}={value!r} has no parameters {sorted(fields)}: {name} is not a component.")
            setattr(self, name, component.replace(**fields))
        return self

    #: With an optimizer that finds its own steps, the only values of parameters that have no meaning then.
    _without_rate: ClassVar[dict[str, tuple[Any, ...]]]

    def _choice(self, problem: Problem, d: int, sparse: bool, n_outputs: int, before: Problem | None) -> Choice:
        """The optimizer that was asked for; with "auto", the one of the problem `before` if it still serves.

        Raises for what an optimizer that finds its own steps cannot do, and for parameters without meaning then.
        """
        optimizer, choice = self._component("optimizer"), None
        if optimizer is not None:
            choice = Choice(optimizer, "as asked for", asked=True)
        elif before is not None and not before.choice.asked and before.optimizer.blockwise:
            choice = None if before.optimizer.refusal(problem, d, n_outputs) else before.choice
        choice = choice or choose(problem, d, n_outputs, sparse)
        if optimizer is not None and not optimizer.blockwise:
            return choice
        for name, values in self._without_rate.items():
            value = getattr(self, name)
            if not any(value is allowed or value == allowed for allowed in values):
                raise InvalidParameterError(
                    f"The {name!r} parameter has no meaning with optimizer={self.optimizer!r}, which finds its own "
                    f"steps on blocks of its own. Got {value!r}: leave {name} at {values[0]!r}, or choose an optimizer "
                    "that takes it, such as optimizer='sgd' or 'adagrad'."
                )
        refusal = choice.optimizer.refusal(problem, d, n_outputs) if choice.optimizer.blockwise else ""
        if refusal:
            raise ValueError(f"{choice.optimizer!r} cannot solve this problem: {refusal}")
        return choice


class ProblemParameters(NestedParameters):
    """The parameters that all estimators share, nested ones included, and the `Problem` they state."""

    _without_rate: ClassVar[dict[str, tuple[Any, ...]]] = {
        "learning_rate": (None,),
        "batch_size": (1,),
        "sampling": ("reshuffle",),
        "average": (None, False),
    }

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "penalty": [StrOptions(set(PENALTIES)), Penalty, None],
        "alpha": [Interval(numbers.Real, 0, None, closed="left"), "array-like"],
        "l1_ratio": [Interval(numbers.Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "optimizer": [StrOptions({"auto", *OPTIMIZERS, *BLOCK_OPTIMIZERS}), Optimizer, BlockOptimizer],
        "learning_rate": [
            StrOptions(set(SCHEDULES)),
            Interval(numbers.Real, 0, None, closed="neither"),
            Schedule,
            callable,
            None,
        ],
        "batch_size": [Interval(numbers.Integral, 1, None, closed="left"), StrOptions({"full"})],
        "sampling": [StrOptions(set(SAMPLERS)), Sampler],
        "average": [
            "boolean",
            None,
            Interval(numbers.Integral, 1, None, closed="left"),
            StrOptions(set(AVERAGINGS)),
            Averaging,
        ],
        "max_iter": [Interval(numbers.Integral, 1, None, closed="left")],
        "tol": [Interval(numbers.Real, 0, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(numbers.Integral, 1, None, closed="left")],
        "positive": ["boolean"],
        "bounds": ["array-like", None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _loss(self) -> Loss:
        raise NotImplementedError

    def _component(self, name: str) -> Any:
        """The component that a parameter stands for, or its value where it stands for none."""
        resolvers: dict[str, Callable[[Any], Any]] = {
            "loss": resolve_loss,
            "penalty": lambda value: resolve_penalty(value, self.l1_ratio),
            "optimizer": resolve,
            "learning_rate": lambda _: self._schedule(self._component("optimizer")),
            "sampling": lambda value: resolve_sampler(value, "sampling"),
            "average": resolve_averaging,
        }
        return resolvers.get(name, lambda value: value)(getattr(self, name))

    def _schedule(self, optimizer: Optimizer | BlockOptimizer | None) -> Schedule:
        """The schedule that was asked for or is usual with an optimizer; None is one that finds its own steps."""
        if self.learning_rate is not None:
            return resolve_schedule(self.learning_rate)
        if optimizer is None or optimizer.blockwise:
            return Constant(1.0)
        usual = optimizer.usual_rate
        return Auto() if usual is None else Adaptive(usual, factor=10.0, eta_min=usual / 100)

    def _problem(self, feed: Feed, updates: int | None, per_pass: int | None, before: Problem | None) -> Problem:
        """The problem for rows like these; `updates` in all, `per_pass` in a pass, None where nobody knows.

        `before` is the problem of the state that training goes on from, if it does.
        """
        d = feed.shape[1]
        loss, alpha = self._loss(), self._alpha(d)
        horizon = Horizon(updates, per_pass, alpha, loss)
        averaging = self._component("average")
        problem = Problem(
            loss=loss,
            penalty=self._component("penalty") if np.any(alpha) else resolve_penalty(None, 0.0),
            alpha=alpha,
            optimizer=None,
            schedule=Constant(1.0),
            averaging=None if averaging is None else averaging.bind(horizon),
            batch_size=None if self.batch_size == "full" else self.batch_size,
            bounds=self._bounds(d),
            fit_intercept=self.fit_intercept,
            n_jobs=getattr(self, "n_jobs", None),
        )
        choice = self._choice(problem, d, feed.sparse, self._n_outputs, before)
        schedule = feed.bind(self._schedule(choice.optimizer), horizon, problem.batch_size)
        return dataclasses.replace(problem, optimizer=choice.optimizer, schedule=schedule, choice=choice)

    def _alpha(self, d: int) -> Any:
        alpha = np.array(self.alpha, dtype=np.float64, order="C")
        if alpha.ndim and alpha.shape != (d,):
            raise InvalidParameterError(
                f"The 'alpha' parameter must be a number or an array of shape (n_features,) = ({d},). "
                f"Got shape {alpha.shape} instead."
            )
        if not (np.isfinite(alpha).all() and (alpha >= 0).all()):
            raise InvalidParameterError(
                f"The 'alpha' parameter must be finite and at least 0. Got {self.alpha!r} instead."
            )
        return alpha if alpha.ndim and np.ptp(alpha) > 0 else float(alpha.flat[0])

    def _bounds(self, d: int) -> np.ndarray | None:
        if self.bounds is None and not self.positive:
            return None
        bounds = np.empty((2, d))
        try:
            low, high = (-np.inf, np.inf) if self.bounds is None else self.bounds
            bounds[0], bounds[1] = low, high
        except (TypeError, ValueError) as error:
            raise InvalidParameterError(
                "The 'bounds' parameter must be a pair of numbers or of arrays of shape (n_features,) = "
                f"({d},). Got {self.bounds!r} instead: {error}."
            ) from error
        if self.positive:
            bounds[0] = np.maximum(bounds[0], 0.0)
        if not (bounds[0] <= bounds[1]).all():
            raise InvalidParameterError(
                "The 'bounds' parameter must have lower bounds (0 where positive=True) that are not above the upper "
                f"ones. Got {self.bounds!r} instead."
            )
        return bounds
