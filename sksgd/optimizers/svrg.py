"""SVRG with a search over a subspace: first-order steps for wide and sparse problems, without a rate to choose."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..base import BlockOptimizer
from ..core.course import Course
from .implicit import ImplicitSGD

__all__ = ["SVRG"]

#: Searches along the gradient after each walk; in a whitened pass.
GRADIENTS, SEARCHES = 2, 4
#: What whitened steps leave relative to the objective, where they lead nowhere, and walks are to go on.
STUCK = 1e-10
#: What may be left is so many decrements in whitened coordinates; passes that leave more than this share are slow.
LEFT, SLOW = 4.0, 0.1


class SVRG(BlockOptimizer):
    """Steps on rows, corrected by the gradient of all rows, and searches along them: no rate, any accuracy.

    A pass walks from the present weights over about as many rows as there are. Each moves the weights by the change of
    its gradient since the start of the walk plus the gradient of all rows, weight by weight divided by the curvature
    there. Then the objective is minimised exactly over the span of two points of the walk, the intercept and the steps
    of the last five passes, and twice more with the gradient beside. It never rises, and is known exactly.

    For wide and sparse data. Penalties may be any with a `prox`, and there may be bounds; where they are not L2 alone,
    searches leave zeros and signs as they are, which the walks change. Dense columns are centred, sparse ones are not.
    A pass costs about as much as ten products of the rows with a vector; several outputs so much each.

    Where 251 to 2000 columns, all dense, depend on each other, or rows are less than twice as many, the penalty is L2
    or none and there are no bounds, there is no walk: each of four searches has the gradient in coordinates whitened by
    the second derivatives of some of the rows, three for each column and at least a tenth. Collinearity is irrelevant
    then, as it is for Newton's steps. The matrix takes O(d^2) of memory and O(d^3 + n d^2/10) of time, and is found
    again only after a pass that gained little. Up to 2000 rows in memory that are fewer than the columns need a matrix
    of rows times rows, in O(n^2 d), whatever the number of columns. Other penalties, bounds and sparse columns are left
    unwhitened, and take more passes where columns are collinear.

    All but the walks are sums over rows, so that it also trains on rows that are on many machines, see
    `sksgd.dask.train`: each walks along its own rows, from the same weights and with the gradient of all, and the means
    of where these walks led are searched along. With `sksgd.callbacks.Checkpoint` every pass begins from the weights
    alone, which costs some products of the rows more, and a fit that is taken up has the same bits.

    `learn`, which `partial_fit` calls, is that of `ImplicitSGD`.

    Losses must be smooth. `learning_rate`, `batch_size`, `sampling` and `average` have no meaning here and are refused.

    References
    ----------
    Xiao, Zhang (2014), A proximal stochastic gradient method with progressive variance reduction, SIAM J. Optim. 24.
    Zibulevsky (2013), Speeding-up convergence via sequential subspace optimization, arXiv 1401.0159.
    Frangella, Rathore, Zhao, Udell (2023), PROMISE: preconditioned stochastic optimization methods by incorporating
    scalable curvature estimates, arXiv 2309.02014.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> from sksgd import LinearRegressor
    >>> X = sp.random(300, 1000, density=0.01, format="csr", random_state=0)
    >>> model = LinearRegressor(optimizer="svrg", alpha=1e-3, tol=1e-6, random_state=0).fit(X, X @ np.ones(1000))
    >>> model.optimality_gap_ < 1e-6
    True
    """

    by_sums: ClassVar[bool] = True

    def refusal(self, problem: Any, n_features: int, n_outputs: int) -> str:
        if not problem.loss.smooth:
            return (
                f"loss={problem.loss!r} has kinks, where corrected gradients are none. Use a smooth loss, such as "
                "'huber', or optimizer='implicit'."
            )
        return ""

    def start(self, problem: Any, coef: np.ndarray, intercept: np.ndarray) -> Memory:
        return Memory(np.asarray(coef, dtype=np.float64), np.asarray(intercept, dtype=np.float64))

    def weights(self, problem: Any, memory: Memory, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        if memory.stream is not None:
            return ImplicitSGD().weights(problem, memory.stream, dtype)
        largest = np.finfo(dtype).max
        coef = np.clip(memory.coef, -largest, largest).astype(dtype)
        # The intercept that suits the rounded coef.
        return coef, memory.intercept + ((memory.coef - coef) * memory.mean).sum(axis=1)

    def learn(self, problem: Any, memory: Memory, block: Any) -> None:
        stream = ImplicitSGD()
        old = memory.stream or stream.start(problem, *self.weights(problem, memory, np.float64))
        memory.stream = copy.copy(old)
        stream.learn(problem, memory.stream, block)
        memory.gap = memory.stream.gap

    def improve(
        self, problem: Any, memory: Memory, feed: Any, order: Callable[[], Any], enough: Callable[[], bool]
    ) -> None:
        if memory.stream is not None:
            memory.coef, memory.intercept = self.weights(problem, memory, np.float64)
            memory.taken, memory.stream = memory.steps, None
        course, coef, age = feed.kept or (None, None, 0)
        if course is None or coef is not memory.coef or 0 < feed.renewal <= age:
            course, age = self._begin(problem, memory, feed, course), 0
        memory.whitened = course.whiten(memory.whitened)
        if memory.whitened is None:
            before = course.point.objective, course.decrement()
            self._pass(problem, memory, course, order())
            self._conclude(memory, course, before)
        else:
            self._whitened_pass(problem, memory, course, enough)
        memory.coef, memory.intercept, memory.mean = course.weights()
        memory.past = course.past()
        feed.kept = course, memory.coef, age + 1

    @staticmethod
    def _begin(problem: Any, memory: Memory, feed: Any, course: Course | None) -> Course:
        """The course from the weights of the memory or, without any, from constants; another over the same rows."""
        intercept = memory.intercept
        if problem.fit_intercept and memory.blank:
            intercept = feed.constants(problem.loss, len(intercept))
        begin = memory.coef, intercept
        if course is None:
            course = Course(problem, *begin, feed, memory.past)
        else:
            course.start(*begin, memory.past)
        if not np.isclose(course.point.objective, memory.objective, rtol=1e-9, atol=0.0):
            memory.falls, memory.whitened = (), None  # it is another problem
        return course

    @staticmethod
    def _pass(problem: Any, memory: Memory, course: Course, order: Any) -> None:
        """A walk, and searches along what it found and along gradients; steps for the next."""
        step, lengths = course.scale(memory.lift)
        step *= memory.rate
        lower = course.follow(course.walk(step, lengths, order))
        memory.taken += course.n
        for _ in range(GRADIENTS):
            course.descend(step)
        if lower:
            memory.rate, memory.lift = min(1.0, 1.5 * memory.rate), 0.25 * memory.lift
        else:
            far = problem.loss.quadratic or memory.lift == 1.0
            memory.rate, memory.lift = (0.5 if far else 1.0) * memory.rate, min(1.0, 4.0 * memory.lift + 0.01)

    @staticmethod
    def _whitened_pass(problem: Any, memory: Memory, course: Course, enough: Callable[[], bool]) -> None:
        """Searches along whitened gradients, which tell what is left to gain; no walk would gain as much in that time.

        Where they gain little, curvatures are no longer those that the columns were whitened with.
        """
        memory.taken += course.n
        begin = course.decrement()
        for _ in range(SEARCHES):
            before = course.point.objective
            course.descend_whitened()
            if course.spans and not problem.loss.quadratic:
                memory.whitened = course.whiten(None)
            memory.objective, memory.doubt = course.point.objective, course.decrement()
            rounding = 1e-15 * abs(memory.objective)
            memory.falls = (*memory.falls, before - memory.objective)[-3:]
            memory.excess = max(LEFT * memory.doubt, _remainder(memory.falls), rounding)
            memory.stuck = len(memory.falls) > 1 and max(memory.falls[-2:]) <= rounding
            if memory.stuck and memory.excess > STUCK * abs(memory.objective):
                course.leave_unwhitened()  # walks may find what these steps do not
                memory.whitened, memory.falls, memory.stuck = None, (), False
                return
            if memory.stuck or memory.whitened is None or enough():
                return
        if not problem.loss.quadratic and memory.doubt > SLOW * begin:
            memory.whitened = None

    @staticmethod
    def _conclude(memory: Memory, course: Course, before: tuple[float, float]) -> None:
        """Estimate how far the objective is from its minimum.

        The decrement of weights that know nothing of each other is too small where they depend on each other. Then
        passes gain little, each about the same share of what is left: it is what the falls add up to if they go on
        like the last ones. Among 30 data sets, with tolerances of 1e-2 to 1e-7, five times the larger of both was below
        the true excess in 1% of the fits.
        """
        memory.objective, decrement = course.point.objective, course.decrement()
        falls = (*memory.falls, before[0] - memory.objective)[-3:]
        rounding = 1e-15 * abs(memory.objective)
        doubt = max(decrement, _remainder(falls, decrement / before[1] if before[1] > 0 else 1.0), rounding)
        memory.excess = max(doubt, 0.1 * memory.doubt if memory.falls else falls[-1], course.least_excess())
        memory.stuck = len(falls) > 1 and max(falls[-2:]) <= rounding
        memory.falls, memory.doubt = falls, doubt


def _remainder(falls: tuple[float, ...], ratio: float = 0.0) -> float:
    """What falls add up to that go on like the last ones, each at least that share of the one before."""
    ratios = [now / then if then > 0 else 1.0 for then, now in itertools.pairwise(falls)]
    ratio = min(max([*ratios, ratio]), 0.97)
    return falls[-1] * ratio / (1.0 - ratio)


@dataclasses.dataclass
class Memory:
    """What `SVRG` knows; arrays are replaced, never written to.

    Attributes
    ----------
    coef, intercept : ndarray of shape (K, d) and (K,)
    past : tuple
        Steps of earlier passes, see `Course.past`.
    rate, lift : float
        A factor of the steps, and the share of the bound in their curvatures: 1 and little unless they went too far.
    whitened : ndarray of shape (K, d + 1) or None
        The weights, in the coordinates of the `Course`, at which columns were whitened; None if they are not.
    mean : ndarray of shape (d,)
        The means of the features that were subtracted.
    stream : Memory of `ImplicitSGD` or None
        What was learned from a stream since; it then has the weights.
    taken : int
        The steps taken, those of the stream left out.
    objective, excess : float
        And by how much it is estimated to be above its minimum.
    falls : tuple of floats, doubt : float
        What the last passes lowered the objective by, and what the last alone says of the excess.
    gap : float
        The excess relative to what `tol` is relative to.
    stuck : bool
        Whether no step lowers the objective any more.
    """

    coef: np.ndarray
    intercept: np.ndarray
    past: tuple[Any, tuple[np.ndarray, ...]] = (None, ())
    rate: float = 1.0
    lift: float = 1.0
    whitened: np.ndarray | None = None
    mean: Any = 0.0
    stream: Any = None
    taken: int = 0
    objective: float = np.nan
    excess: float = np.nan
    falls: tuple[float, ...] = ()
    doubt: float = np.nan
    gap: float = np.nan
    stuck: bool = False

    @property
    def steps(self) -> int:
        """The steps so far."""
        return self.taken + (0 if self.stream is None else self.stream.steps)

    @property
    def progressive(self) -> tuple[float, float]:
        """The sums of the losses on the rows of a stream before they were learned, and of their weights."""
        return (0.0, 0.0) if self.stream is None else self.stream.progressive

    @property
    def finite(self) -> bool:
        """Whether all that was learned is finite."""
        if self.stream is not None:
            return self.stream.finite
        return bool(np.isfinite(self.coef).all() and np.isfinite(self.intercept).all())

    @property
    def blank(self) -> bool:
        """Whether the weights are zero."""
        return not (self.coef.any() or self.intercept.any())
