"""The contracts: what a loss, penalty, optimizer, schedule, sampler or averaging rule is.

Every component is a small immutable value object. Those that a kernel calls for every row or every weight (`Loss`,
`Penalty`, `Optimizer`) consist of pure scalar functions, which are compiled and inlined; all arrays belong to the
kernel. What is decided once per update or per pass (`Schedule`, `Averaging`, `Sampler`) is plain NumPy and never
compiled.

A component of your own is a class with annotated fields (numbers) and the hooks below; no registration is needed:

>>> from sksgd.base import Loss
>>> class Squared(Loss):
...     scale: float = 1.0
...     def value(self, p, y):
...         return 0.5 * self.scale * (p - y) * (p - y)
...     def gradient(self, p, y):
...         return self.scale * (p - y)
>>> Squared(scale=2.0)
Squared(scale=2.0)
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from .checks import require

__all__ = [
    "Averaging",
    "BlockOptimizer",
    "Component",
    "Loss",
    "Optimizer",
    "Penalty",
    "SampleStep",
    "Sampler",
    "Schedule",
]


@dataclass_transform(frozen_default=True)
class Component:
    """An immutable value: equal by fields, hashable, printable, picklable, with scikit-learn's `get_params`.

    A subclass becomes a frozen dataclass by itself. `set_params` does not exist, because a component may be shared by
    several estimators: `replace` returns a changed copy, and ``estimator.set_params(optimizer__momentum=0.5)`` uses it.

    Examples
    --------
    >>> class Range(Component):
    ...     low: float
    ...     high: float = 1.0
    >>> Range(0.0).replace(high=2.0)
    Range(low=0.0, high=2.0)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True)(cls)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The fields by name; with ``deep=True`` those of nested components too, as ``outer__inner``."""
        params = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        if deep:
            for name, value in list(params.items()):
                if isinstance(value, Component):
                    params.update({f"{name}__{k}": v for k, v in value.get_params().items()})
        return params

    def replace(self, **params: Any) -> Component:
        """A copy with some fields changed; ``outer__inner`` changes a field of a nested component."""
        valid = self.get_params(deep=False)
        nested: dict[str, dict[str, Any]] = {}
        changed: dict[str, Any] = {}
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in valid:
                raise ValueError(
                    f"Invalid parameter {name!r} for {type(self).__name__}. Valid parameters are: {sorted(valid)}."
                )
            if rest:
                nested.setdefault(name, {})[rest] = value
            else:
                changed[name] = value
        for name, inner in nested.items():
            changed[name] = changed.get(name, valid[name]).replace(**inner)
        return dataclasses.replace(self, **changed)  # type: ignore[type-var]

    def __sklearn_clone__(self) -> Component:
        return self


class Loss(Component):
    """What one prediction costs. `p` is the raw prediction, `y` the coded target, both scalars.

    ``value(p, y)`` is the cost, ``gradient(p, y)`` its derivative in `p` (at a kink, a subgradient), and
    ``curvature(p, y)`` the second derivative where it exists. Constants in `y` alone are dropped. `value` and
    `gradient` are enough; the optimizers that use the curvature take it from differences of gradients then.
    ``prox(p, y, step)`` is ``argmin_q value(q, y) + (q - p)^2/(2 step)``, by which they smooth kinks; without it, it is
    searched for.

    Examples
    --------
    >>> class Quartic(Loss):
    ...     def value(self, p, y):
    ...         return 0.25 * (p - y) ** 4
    ...     def gradient(self, p, y):
    ...         return (p - y) ** 3
    >>> round(Quartic().curvature(3.0, 1.0), 4)
    12.0
    """

    #: What maps `p` to a prediction: "identity", "log" (mean = exp p) or "logit" (mean = 1/(1 + exp -p)).
    link: ClassVar[str] = "identity"
    #: How targets are coded: "value" (as given), "unit" (0, 1), "sign" (-1, 1) or "index" (class number).
    coding: ClassVar[str] = "value"
    #: The domain of `y` in words, for the error message.
    domain: ClassVar[str] = "finite numbers"
    #: Whether the scores of all outputs enter one loss; then hooks take a third argument, log sum exp of the scores.
    joint: ClassVar[bool] = False
    #: The supremum of the second derivative in `p`: infinite where there is none.
    max_curvature: ClassVar[float] = math.inf
    #: The supremum of the size of the gradient: infinite where there is none.
    max_gradient: ClassVar[float] = math.inf
    #: Whether the gradient is continuous in `p`: False where there are kinks.
    smooth: ClassVar[bool] = True
    #: Whether the curvature is the same number for all `p` and `y`.
    quadratic: ClassVar[bool] = False

    def value(self, p: float, y: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define value(p, y)")

    def gradient(self, p: float, y: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define gradient(p, y)")

    def curvature(self, p: float, y: float) -> float:
        # The width follows p and p - y, which are all that tells the scale of the problem; 1e-4 with a link.
        width = 1e-4 * (min(1.0, abs(p) + abs(p - y)) + 1e-30)
        return (self.gradient(p + width, y) - self.gradient(p - width, y)) / (2.0 * width)

    def prox(self, p: float, y: float, step: float) -> float:
        # The minimum lies between these two, if the loss is convex, and kinks are no obstacle.
        first = self.gradient(p, y)
        near, far = p, p - step * first
        for _ in range(60):
            q = 0.5 * (near + far)
            if (q - p + step * self.gradient(q, y)) * first > 0.0:
                near = q
            else:
                far = q
        return 0.5 * (near + far)

    def in_domain(self, y: np.ndarray) -> np.ndarray:
        """Which targets are valid, as a boolean array."""
        return np.isfinite(y)


class Penalty(Component):
    """What one weight costs: ``value(w, alpha)``, and the proximal step that lowers it.

    ``prox(w, step, alpha)`` is ``argmin_u value(u, alpha) + (u - w)^2/(2 step)``. These two hooks are enough; an update
    on CSR data then costs O(n_features). With the rest, the steps that a sparse row did not touch are paid as one:

    ``amount(step, alpha)`` (NumPy, once per update) turns a step into an amount, and ``shrink(w, a)`` applies it:
    ``shrink(w, amount(step, alpha)) == prox(w, step, alpha)``. Amounts form a group, see `group`. Where every weight
    has a step of its own (AdaGrad, one `alpha` per feature), ``drift(w, move, time, alpha)`` takes the place of move
    and prox.

    Examples
    --------
    >>> class Squares(Penalty):
    ...     def value(self, w, alpha):
    ...         return alpha * w * w
    ...     def prox(self, w, step, alpha):
    ...         return w / (1.0 + 2.0 * step * alpha)
    >>> Squares().prox(3.0, step=1.0, alpha=1.0)
    1.0
    """

    #: "sum" if shrinking by a, then b, is shrinking by a + b; "product" if it is shrinking by a * b; "" without
    #: `shrink`.
    group: ClassVar[str] = ""
    #: ``shrink(w, a) == w * a``.
    linear: ClassVar[bool] = False
    #: Whether it sets weights to exactly zero.
    sparse: ClassVar[bool] = False
    #: Whether it costs nothing at all.
    free: ClassVar[bool] = False
    #: Whether it acts before the move instead of after it.
    first: ClassVar[bool] = False
    #: Whether `cost` depends on squares, and on sizes.
    counts_squares: ClassVar[bool] = False
    counts_sizes: ClassVar[bool] = False
    #: Whether it truncates the weights that an update visits, by `toll` and `truncate`.
    truncates: ClassVar[bool] = False

    def value(self, w: float, alpha: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define value(w, alpha)")

    def prox(self, w: float, step: float, alpha: float) -> float:
        raise NotImplementedError(f"{type(self).__name__} must define prox(w, step, alpha)")

    def amount(self, step: Any, alpha: float) -> Any:
        return step

    def shrink(self, w: float, a: float) -> float:
        return w

    def drift(self, w: float, move: float, time: float, alpha: float) -> float:
        """Where `w` gets while the penalty acts for `time` and `move` is spread evenly over it.

        It rests where the prox does; with ``move=0`` a drift over s, then t, is one over s + t.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define drift(w, move, time, alpha)")

    def toll(self, step: Any, alpha: float) -> Any:
        """What an update may take from every weight in the end (NumPy), if the penalty `truncates`."""
        raise NotImplementedError(f"{type(self).__name__} does not define toll(step, alpha)")

    def truncate(self, w: float, paid: float, total: float) -> float:
        """A visited weight, of which `paid` was taken so far, after it paid what is due of the tolls' `total`."""
        return w

    def cost(self, squares: float, sizes: float, alpha: float) -> float:
        """The penalty of weights with this sum of squares, and of absolute values; only running objectives need it."""
        raise NotImplementedError(f"{type(self).__name__} does not define cost(squares, sizes, alpha)")

    def trace(self, total: Any) -> Any:
        """The function of the amount so far in which the size of an idle weight is linear (NumPy); see `size`."""
        raise NotImplementedError(f"{type(self).__name__} does not define trace(total)")

    def size(self, w: float, total: float) -> tuple[float, float, float]:
        """(c0, c1, life) of a weight `w` at the amount `total`: only averages on CSR data need it.

        Once the amount is total + b, the absolute weight is ``c0 + c1 * trace(total + b)`` while b < life, and 0 after.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define size(w, total)")


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
        from .insight.method import descend

        return functools.partial(descend, optimizer=self, **params)


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


@dataclasses.dataclass(frozen=True)
class Horizon:
    """What `Schedule.bind` and `Averaging.bind` may ask of the problem.

    `updates` is the number of updates to come in all, ``max_iter`` passes of `updates_per_pass`: None when unknown.
    """

    updates: int | None
    updates_per_pass: int | None
    alpha: float | np.ndarray
    loss: Loss


class Schedule(Component):
    """The learning rate of the t-th update, t = 0, 1, ...

    ``rate(t)`` takes an int64 array and returns an array of the same shape, or one float where the rate is constant.

    Examples
    --------
    >>> class Halving(Schedule):
    ...     eta0: float = 1.0
    ...     every: int = 100
    ...     def rate(self, t):
    ...         return self.eta0 * 0.5 ** (t // self.every)
    >>> Halving().rate(np.array([0, 99, 100, 250]))
    array([1.  , 1.  , 0.5 , 0.25])
    """

    #: Whether the number of updates to come must be known: refused in `partial_fit`.
    needs_horizon: ClassVar[bool] = False

    def bind(self, horizon: Horizon) -> Schedule:
        """The schedule for this problem: itself unless it depends on `alpha`, the loss or the horizon."""
        return self

    def meet(self, problem: Any, feed: Any, before: Schedule | None) -> Schedule:
        """The schedule for these rows, on which a call is about to train: itself unless it depends on the data.

        What `sksgd.core.feed.Feed` says of them is there: their number, targets, squared norms and some of them.
        `before` is what it returned in the call that this one goes on from, None if it goes on from none.
        """
        return self

    def rate(self, t: np.ndarray) -> np.ndarray | float:
        raise NotImplementedError(f"{type(self).__name__} must define rate(t)")

    @property
    def safe(self) -> float:
        """The highest rate that is known to do no harm on the rows it has met; 0 where none is known."""
        return 0.0

    def after_stall(self, factor: float) -> float | None:
        """The factor on all further rates once passes bring no progress; None means that training should stop."""
        return None


class Averaging(Component):
    """The weights of the average of iterates, as ``w_bar += rho_t (w_t - w_bar)`` after update t.

    ``rho(t, eta, mass)`` takes the update numbers, their rates and the sum of weights so far; it returns the array of
    rho_t and the new sum. rho_t = 1 up to the update at which averaging starts.

    Examples
    --------
    >>> class Recent(Averaging):
    ...     def rho(self, t, eta, mass):
    ...         return np.maximum(0.01, 1.0 / (t + 1)), mass
    >>> Recent().rho(np.array([0, 1, 999]), 0.1, 0.0)[0]
    array([1.  , 0.5 , 0.01])
    """

    needs_horizon: ClassVar[bool] = False

    def bind(self, horizon: Horizon) -> Averaging:
        return self

    def rho(self, t: np.ndarray, eta: np.ndarray | float, mass: float) -> tuple[np.ndarray, float]:
        raise NotImplementedError(f"{type(self).__name__} must define rho(t, eta, mass)")


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


class Sampler(Component):
    """The order of the rows in a pass.

    ``order(n, seed, number, norms)`` returns the positions of the rows for pass `number` (from 0), an integer array of
    length `n`, and None or a factor for the weight of every visited row. The same arguments give the same order.

    Examples
    --------
    >>> class Backwards(Sampler):
    ...     def order(self, n, seed, number, norms=None):
    ...         return np.arange(n)[::-1].copy(), None
    >>> Backwards().order(4, seed=0, number=0)[0]
    array([3, 2, 1, 0])
    """

    #: Whether `norms`, the squared Euclidean norms of the rows (plus 1 for an intercept), are wanted.
    needs_norms: ClassVar[bool] = False
    #: Whether a pass may visit rows several times and others not at all, which rows that are read from a source cannot.
    repeats: ClassVar[bool] = False

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        raise NotImplementedError(f"{type(self).__name__} must define order(n, seed, number, norms)")

    def orders(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The orders of pass `number` and those that follow."""
        while True:
            yield self.order(n, seed, number, norms)
            number += 1
