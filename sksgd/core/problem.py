"""The problem to solve, as components and numbers, and what follows from their combination."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import Averaging, Loss, Penalty, SampleStep, Schedule
from ..sample_steps import Gradient

if TYPE_CHECKING:
    from .feed import Feed


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """Weighted mean of `loss` + `penalty`, and how it is to be minimised; `schedule` and `averaging` are bound.

    `alpha` is one number or an array of shape (d,); `bounds` None or an array of shape (2, d); `batch_size` None for
    all rows at once.
    """

    loss: Loss
    penalty: Penalty
    alpha: Any
    #: `Optimizer` or `BlockOptimizer`.
    optimizer: Any
    schedule: Schedule
    averaging: Averaging | None
    batch_size: int | None
    bounds: np.ndarray | None
    fit_intercept: bool
    #: Why it is this optimizer: `sksgd.optimizers.auto.Choice`.
    choice: Any = None
    sample_step: SampleStep = dataclasses.field(default_factory=Gradient)
    #: What the moves of the intercept are multiplied by.
    intercept_decay: float = 1.0
    #: Threads for outputs that do not depend on each other.
    n_jobs: int | None = None
    #: Whether passes add up the objective on the way, as `State.running`.
    tally: bool = False
    #: Whether the penalty counts in that.
    tally_penalty: bool = True
    #: Whether to go on after predictions that are not finite, and leave a mark, `State.finite`.
    carry_on: bool = False
    #: The scale of the weights below which it is paid; None: what is good for accuracy.
    scale_limit: float | None = None

    def meet(self, feed: Feed, before: Problem | None) -> Problem:
        """The problem with the schedule for these rows; `before` is that of the call which this one goes on from."""
        schedule = feed.meet(self, None if before is None else before.schedule)
        return self if schedule is self.schedule else dataclasses.replace(self, schedule=schedule)

    @functools.cached_property
    def plain(self) -> bool:
        """Whether updates are those of `kernels.plain`, if there is one output."""
        if self.optimizer.blockwise:
            return False
        simple = self.optimizer.plain and self.batch_size == 1 and not self.clips and not self.loss.joint
        return simple and self.penalty.linear and self.shared and self.bounds is None

    @functools.cached_property
    def shared(self) -> bool:
        """Whether in an update the penalty does the same to all weights."""
        per_feature = isinstance(self.alpha, np.ndarray)
        return self.penalty.free or (self.penalty.group != "" and not self.optimizer.scaled and not per_feature)

    @functools.cached_property
    def l2(self) -> float:
        """What `Optimizer.step` wants to know: alpha where a linear penalty shrinks the slots too."""
        shrinks_slots = self.optimizer.idle == "glides" and self.penalty.linear and not self.penalty.free
        return self.alpha if self.shared and shrinks_slots else 0.0

    @functools.cached_property
    def model(self) -> Any:
        """The components in the form the kernels take."""
        from ..kernels.dense import Model

        return Model(self.loss, self.optimizer, self.penalty, None if self.shared else self.alpha, self.bounds)

    @functools.cached_property
    def moves(self) -> Any:
        """The same without the loss, for kernels that do not ask for it: they are compiled once for all losses."""
        return self.model._replace(loss=None)

    @functools.cached_property
    def rules(self) -> Any:
        """What `kernels.plain` is to do beside what the components say."""
        from ..kernels.plain import Rules

        return Rules(
            alpha=self.alpha if self.shared and self.tally_penalty else 0.0,
            limit=self.scale_limit or (1e-2 if self.averaging is not None else 1e-20),
            intercept=self.intercept_decay if self.fit_intercept else 0.0,
            carry_on=self.carry_on,
        )

    @functools.cached_property
    def idle(self) -> Any:
        """How idle weights catch up on CSR rows; None where every update has to visit all weights."""
        if self.optimizer.blockwise:
            return None
        from ..kernels.idle import choose

        return choose(self.optimizer, self.penalty, not self.shared, self.averaging is not None, self.bounds)

    @property
    def clips(self) -> bool:
        return bool(np.isfinite(self.optimizer.clip_value) or np.isfinite(self.optimizer.clip_norm))

    def penalty_value(self, coef: np.ndarray) -> float:
        """The penalty of weights of shape (K, d)."""
        from ..kernels.dense import total_penalty

        return 0.0 if self.penalty.free else float(total_penalty(self.penalty, self.alpha, coef))

    def objective(self, feed: Feed, coef: np.ndarray, intercept: np.ndarray) -> float:
        """Weighted mean of the losses over all rows of a feed plus the penalty."""
        return self.mean_loss(feed, coef, intercept) + self.penalty_value(coef)

    def zero_objective(self, feed: Feed, n_outputs: int) -> float:
        """The objective where all weights and intercepts are 0; nothing is read but the targets."""
        return float(feed.constant_loss(self.loss, np.zeros(n_outputs)))

    def mean_loss(self, feed: Feed, coef: np.ndarray, intercept: np.ndarray) -> float:
        """Weighted mean of the losses over all rows of a feed."""
        return float(feed.total_loss(self.loss, coef, intercept) / feed.total_weight)
