"""How a weight catches up with the updates in which its gradient was zero.

A sparse row touches few weights, yet every update shrinks all of them and, with momentum, moves them. Each record of a
weight therefore holds the clock it was last touched at, and `catch_up` brings it to the clock of now in closed form.
What the clock counts is the strategy's own affair: amounts, time or updates (`advance`).
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from ..base import Optimizer, Penalty
from .typing import Idle
from .update import drifts


class Settled(Idle):
    """Nothing is owed: the weight rests, or shrinks by the factor that is common to all and kept apart."""

    owes: ClassVar[bool] = False
    #: Whether sums over the iterates of idle updates need the table, so that a call has to end settled.
    tabled: ClassVar[bool] = False

    def catch_up(self, opt, pen, w, slots, then, now, begun, step, alpha):
        return w, slots

    def catch_up_sum(self, opt, pen, w, slots, then, now, begun, lines, width):
        return w, slots, 0.0

    def advance(self, clock, step, amount):
        return clock

    def slot_scale(self, scale):
        return 1.0


class Shrinks(Settled):
    """The weight rests but for the penalty; the clock is the sum of amounts."""

    owes: ClassVar[bool] = True

    def catch_up(self, opt, pen, w, slots, then, now, begun, step, alpha):
        return pen.shrink(w, now - then), slots

    def advance(self, clock, step, amount):
        return clock + amount


class Drifts(Settled):
    """As `Shrinks`, where every weight has a step or an alpha of its own; the clock is the sum of the common steps."""

    owes: ClassVar[bool] = True

    def catch_up(self, opt, pen, w, slots, then, now, begun, step, alpha):
        return pen.drift(w, 0 * w, (now - then) * opt.scale(slots, begun), alpha), slots

    def advance(self, clock, step, amount):
        return clock + step


class Glides(Settled):
    """The optimizer knows where k updates lead; the clock counts updates."""

    owes: ClassVar[bool] = True

    def catch_up(self, opt, pen, w, slots, then, now, begun, step, alpha):
        return opt.glide(w, slots, now - then, begun)

    def advance(self, clock, step, amount):
        return clock + 1.0

    def slot_scale(self, scale):
        return scale


class Renews(Settled):
    """The last update alone decides the weight; the clock counts updates, to see whether there was one."""

    owes: ClassVar[bool] = True

    def catch_up(self, opt, pen, w, slots, then, now, begun, step, alpha):
        w, slots = opt.coord(0 * w, w, slots, begun)
        return pen.prox(w, step * opt.scale(slots, begun), alpha), slots

    def advance(self, clock, step, amount):
        return clock + 1.0


class AveragedShrinks(Shrinks):
    """`Shrinks` with an average: the clock counts updates, and the table has the sums up to each of them."""

    tabled: ClassVar[bool] = True

    def advance(self, clock, step, amount):
        return clock + 1.0

    def columns(self, optimizer: Optimizer, penalty: Penalty, amounts: np.ndarray, c: np.ndarray) -> list[np.ndarray]:
        """S, sums of c and of c trace(S) up to each update, from the amounts and the weights c of the iterates."""
        total = np.cumsum(amounts)
        return [total, np.cumsum(c), np.cumsum(c * penalty.trace(total))]

    def catch_up_sum(self, opt, pen, w, slots, then, now, begun, lines, width):
        """The weight now, and the sum of c w over the updates after `then`."""
        low, high = then * width + width - 7, now * width + width - 7
        start = lines[low]
        c0, c1, life = pen.size(w, start)
        if lines[high] - start >= life:
            # The last update at which it was not yet zero.
            first, last = then, now
            while last - first > 1:
                middle = (first + last) // 2
                if lines[middle * width + width - 7] - start < life:
                    first = middle
                else:
                    last = middle
            high = first * width + width - 7
        total = c0 * (lines[high + 1] - lines[low + 1]) + c1 * (lines[high + 2] - lines[low + 2])
        shrunk = pen.shrink(w, lines[now * width + width - 7] - start)
        return shrunk, slots, total if w > 0 else -total


class AveragedGlides(Glides):
    """`Glides` with an average: the way still to go fades by a constant ratio, so sums of it are geometric."""

    tabled: ClassVar[bool] = True

    def columns(self, optimizer: Optimizer, penalty: Penalty, amounts: np.ndarray, c: np.ndarray) -> list[np.ndarray]:
        """H, 0 and sums of c P, where P is the common factor, and H_u = sum over t > u of c_t P_t ratio^(t - u)."""
        from scipy.signal import lfilter  # slow to import, and rarely needed

        mass = c * np.cumprod(amounts)
        ratio = optimizer.ratio or 0.0
        ahead = ratio * lfilter([1.0], [1.0, -ratio], np.append(mass[1:], 0.0)[::-1])[::-1]
        return [ahead, np.zeros_like(mass), np.cumsum(mass)]

    def catch_up_sum(self, opt, pen, w, slots, then, now, begun, lines, width):
        """As of `AveragedShrinks`."""
        low, high = then * width + width - 7, now * width + width - 7
        end, _ = opt.glide(w, slots, math.inf, begun)
        moved, faded = opt.glide(w, slots, now - then, begun)
        total = end * (lines[high + 2] - lines[low + 2]) - ((end - w) * lines[low] - (end - moved) * lines[high])
        return moved, faded, total


def choose(opt: Optimizer, pen: Penalty, individual: bool, averaged: bool, bounds: np.ndarray | None) -> Idle | None:
    """The strategy under which a CSR update costs O(non-zeros), or None where no closed form is known.

    `individual`: weights differ in their step, by ``opt.scale`` or by an alpha per feature.
    """
    if bounds is not None and not ((bounds[0] <= 0).all() and (bounds[1] >= 0).all()):
        return None  # shrinking would run into a bound
    if opt.idle == "still" and not opt.fades:
        if individual:
            return Drifts() if drifts(type(opt), type(pen)) and not averaged else None
        if pen.linear:
            return Settled()
        if averaged:
            return AveragedShrinks() if pen.group == "sum" and type(pen).size is not Penalty.size else None
        return Shrinks() if pen.group == "sum" else None
    if bounds is not None:
        return None
    if opt.idle == "renews":
        return None if averaged else Renews()
    closed = pen.free if opt.idle == "still" else pen.linear and not individual
    if opt.idle not in ("still", "glides") or not closed:
        return None
    if averaged:
        return AveragedGlides() if opt.ratio is not None else None
    return Glides()
