"""How weights move: `Optimizer`, weight by weight; `SampleStep`, row by row; `BlockOptimizer`, by blocks of rows."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..checks import require
from .component import Component
from .loss import Loss

__all__ = ["BlockOptimizer", "Optimizer", "SampleStep"]


class Optimizer(Component):
    """How one weight moves. State is `n_slots` numbers per weight, zero at the start and kept by the kernel.

    ``begin(t, eta)`` is called with arrays, before the updates: update number `t` (from 0) and its rate. It returns the
    tuple of what one update needs; powers and roots of `t` belong here. ``coord(g, w, slots, begun)`` moves one weight
    with gradient `g` of the mean loss (penalty excluded) and returns the new weight and the new tuple of slots. Use the
    numbers in `begun` rather than fields and literals: they have the precision of the data.

    Examples
    --------
    >>> class SignDescent(Optimizer):
    ...     def coord(self, g, w, slots, begun):
    ...         return w - begun[0] * math.copysign(1.0, g), slots
    >>> SignDescent().coord(g=-3.0, w=1.0, slots=(), begun=(0.5,))
    (1.5, ())
    """

    #: Whether it is a `BlockOptimizer`.
    blockwise: ClassVar[bool] = False
    n_slots: ClassVar[int] = 0
    #: What an update with g = 0 does, which decides the cost of an update on CSR data: "still" (the weight stays; the
    #: slots change as `glide` says), "glides" (`glide` does k such updates at once), "renews" (the weight depends on
    #: the slots and the last update only), "moves" (anything else: every update visits every weight).
    idle: ClassVar[str] = "moves"
    #: Whether `glide` has anything to do.
    fades: ClassVar[bool] = False
    #: By what an idle update multiplies the way that `glide` still has to go: only averages on CSR data need it.
    ratio: ClassVar[float | None] = None
    #: Whether `scale` differs from one weight to the next.
    scaled: ClassVar[bool] = False
    #: Whether the penalty acts before the move instead of after it.
    penalty_first: ClassVar[bool] = False
    #: The first rate where the user gives none, for standardised features; None: what the rows allow.
    usual_rate: ClassVar[float | None] = 0.01
    #: Whether it is nothing but ``w -= eta g``.
    plain: ClassVar[bool] = False
    #: Whether the penalty acts with the sum of all steps so far instead of the last one.
    cumulative: ClassVar[bool] = False

    #: The gradient is clipped to [-clip_value, clip_value] in each coordinate ...
    clip_value: float = dataclasses.field(default=math.inf, kw_only=True)
    #: ... then scaled so that its Euclidean norm over all weights and intercepts is at most clip_norm.
    clip_norm: float = dataclasses.field(default=math.inf, kw_only=True)

    def __post_init__(self) -> None:
        require(self.clip_value > 0, self, "clip_value", self.clip_value, "must be greater than 0 (inf: no clipping)")
        require(self.clip_norm > 0, self, "clip_norm", self.clip_norm, "must be greater than 0 (inf: no clipping)")

    def begin(self, t: Any, eta: Any) -> tuple[Any, ...]:
        return (eta,)

    def coord(self, g: float, w: float, slots: tuple[float, ...], begun: tuple[float, ...]) -> tuple[float, Any]:
        raise NotImplementedError(f"{type(self).__name__} must define coord(g, w, slots, begun)")

    def step(self, t: Any, eta: Any, l2: float) -> Any:
        """The move that a constant gradient of 1 brings in the long run per update; the penalty acts with this step.

        `l2` is alpha where the penalty is linear and shrinks the slots too ("glides" with L2), else 0.
        """
        return eta

    def scale(self, slots: tuple[float, ...], begun: tuple[float, ...]) -> float:
        """What multiplies `step` for a weight with these (new) slots."""
        return 1.0

    def glide(self, w: float, slots: tuple[float, ...], k: float, begun: tuple[float, ...]) -> tuple[float, Any]:
        """The weight and slots after k updates with g = 0 (for "still" and "glides")."""
        return w, slots

    def start(self, w: np.ndarray) -> tuple[Any, ...]:
        """The slots at the start, for given initial weights."""
        return (0.0,) * self.n_slots

    def as_method(self, **params: Any) -> Callable[..., Any]:
        """The optimizer as a `method` of `scipy.optimize.minimize`.

        Parameters
        ----------
        **params
            Parameters of `sksgd.minimize`, such as `learning_rate`, `noise` or `random_state`. Those in scipy's
            `options` come first; there, `maxiter` is another name of `max_iter`.

        Returns
        -------
        method : callable

        Examples
        --------
        >>> from scipy.optimize import minimize, rosen, rosen_der
        >>> from sksgd.optimizers import Adam
        >>> method = Adam().as_method(learning_rate=0.05, max_iter=3000)
        >>> minimize(rosen, [-1.0, 2.0], jac=rosen_der, method=method, tol=1e-6).x.round(4)
        array([1., 1.])
        """
        from ..insight.method import descend

        return functools.partial(descend, optimizer=self, **params)


class SampleStep(Component):
    """How far one row moves the weights along itself, where that is more than rate times gradient.

    ``update(loss, p, y, eta, square)`` returns the number u of the move ``w += u x``; `square` is the squared norm of
    the row if `needs_square`, else 0. Plain SGD only (`sksgd.optimizers.SGD`, batches of one, one output).

    Examples
    --------
    >>> class Clipped(SampleStep):
    ...     def update(self, loss, p, y, eta, square):
    ...         return -eta * min(max(loss.gradient(p, y), -1.0), 1.0)
    >>> from sksgd.losses import SquaredError
    >>> Clipped().update(SquaredError(), p=5.0, y=0.0, eta=0.1, square=0.0)
    -0.1
    """

    #: Whether `square` is wanted.
    needs_square: ClassVar[bool] = False
    #: Whether a row whose `square` is 0 is passed over, as if it were not there.
    skips: ClassVar[bool] = False

    def update(self, loss: Loss, p: float, y: float, eta: float, square: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define update(loss, p, y, eta, square)")


class BlockOptimizer(Component):
    """An optimizer that works on blocks of rows and finds its own steps: no rate, no batches, no average of iterates.

    It is plain NumPy around kernels over whole blocks. What it knows is a memory, which `start` makes and which
    `sksgd.core.state.State` keeps and pickles. The methods change the memory they are given; arrays in it are replaced,
    never written to, so that a shallow copy of it is a copy.

    - ``start(problem, coef, intercept)``: the memory that has seen no rows and stands at these weights.
    - ``learn(problem, memory, block)``: see the rows of a block once, in their order, as a part of a stream. How a
      stream is cut into blocks must not change the result: rows may wait in the memory.
    - ``improve(problem, memory, feed, order, enough)``: one of many passes over all the rows there are, which a
      `sksgd.core.feed.Feed` gives; ``order()`` is a random order of them, for its methods. It leaves
      ``memory.objective``, ``memory.excess``, an estimate of how far that is above its minimum, and ``memory.stuck``,
      whether nothing lowers it any more. ``enough()`` says whether with these the user would be content. An objective
      that is not finite ends training.
    - ``weights(problem, memory, dtype)``: coef (K, d) and intercept (K,), rows that wait included. Nothing is changed.
    - A memory also has ``steps``, the number of steps so far, which is `t_`; ``finite``, whether all that it learned
      is; ``gap``, the relative gap, which a fit sets and `learn` may set; and ``progressive``, to which `learn` adds
      the losses of rows before they are learned, and their weights.

    Examples
    --------
    >>> from sksgd.optimizers import Newton
    >>> isinstance(Newton(), BlockOptimizer), Newton().blockwise
    (True, True)
    """

    blockwise: ClassVar[bool] = True
    #: Whether `improve` asks nothing of a feed but sums over its rows, and to see some of them.
    by_sums: ClassVar[bool] = False
    n_slots: ClassVar[int] = 0
    usual_rate: ClassVar[float | None] = 1.0

    def refusal(self, problem: Any, n_features: int, n_outputs: int) -> str:
        """Why the problem cannot be solved, with the remedy; empty if it can."""
        return ""

    def start(self, problem: Any, coef: np.ndarray, intercept: np.ndarray) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define start(problem, coef, intercept)")

    def learn(self, problem: Any, memory: Any, block: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define learn(problem, memory, block)")

    def improve(
        self, problem: Any, memory: Any, feed: Any, order: Callable[[], Any], enough: Callable[[], bool]
    ) -> None:
        raise NotImplementedError(f"{type(self).__name__} must define improve(problem, memory, feed, order, enough)")

    def weights(self, problem: Any, memory: Any, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError(f"{type(self).__name__} must define weights(problem, memory, dtype)")
