"""`Penalty`: what one weight costs."""

from __future__ import annotations

from typing import Any, ClassVar

from .component import Component

__all__ = ["Penalty"]


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
