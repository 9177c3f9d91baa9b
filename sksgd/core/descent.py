"""Damped Newton steps on rows in memory: losses and derivatives along a line, step lengths, the constant model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..base import Loss
from .arrays import as_weights
from .penalised import Proximal, Ridge
from .quadratic import gram_of

#: Scores that are worked on at a time.
RUN = 1 << 16


class Margins:
    """The losses of some rows as functions of their scores (n, K).

    Parameters
    ----------
    loss : Loss
    y : ndarray of shape (n, K), or (n, 1) where the loss is joint
    weight : ndarray of shape (n,) or None
    n_outputs : int
        K.
    smoothing : ndarray of shape (K,) or None
        The widths by which kinks of the loss are smoothed, see `sksgd.kernels.derivatives`. None: not at all.
    span : float
        Over which share of them smoothed losses bend: over all of it, steps see the kinks that they are to meet, over
        little of it, they do not creep along those that they never meet.

    Attributes
    ----------
    n_systems : int
        Sets of unknowns that do not depend on each other: 1 where the loss is joint, else K.
    """

    def __init__(
        self,
        loss: Loss,
        y: np.ndarray,
        weight: np.ndarray | None,
        n_outputs: int,
        smoothing: np.ndarray | None = None,
        span: float = 1.0,
    ):
        self.loss, self.y = loss, np.ascontiguousarray(y)
        self.smoothing, self.span = np.zeros(n_outputs) if smoothing is None else smoothing, span
        self.weight: Any = 1.0 if weight is None else np.ascontiguousarray(weight)
        self.n_systems = 1 if loss.joint else n_outputs

    def take(self, part: slice) -> Margins:
        """Those of some of the rows."""
        weight = self.weight[part] if isinstance(self.weight, np.ndarray) else None
        return Margins(self.loss, self.y[part], weight, len(self.smoothing), self.smoothing, self.span)

    def runs(self) -> Iterator[tuple[slice, Margins]]:
        """All rows, some at a time, with their places."""
        size = max(1, RUN // len(self.smoothing))
        for first in range(0, len(self.y), size):
            part = slice(first, min(first + size, len(self.y)))
            yield part, self.take(part)

    def smoothed(self, smoothing: np.ndarray | None, span: float = 1.0) -> Margins:
        """The same rows with another smoothing."""
        weight = self.weight if isinstance(self.weight, np.ndarray) else None
        return Margins(self.loss, self.y, weight, len(self.smoothing), smoothing, span)

    @property
    def mass(self) -> float:
        """The sum of the row weights."""
        return float(np.sum(self.weight) if isinstance(self.weight, np.ndarray) else len(self.y))

    def _within(self, scores: np.ndarray) -> np.ndarray:
        """Scores, where they are logarithms of means not so far out that sums of squares overflow."""
        return np.clip(scores, -300.0, 300.0) if self.loss.link == "log" else scores

    def _measure(self, scores: np.ndarray, lift: float, slopes: Any, bends: Any) -> np.ndarray:
        """The sum of the losses of each system, and gradients and curvatures into the arrays, if they have rows."""
        from ..kernels.derivatives import derivatives

        totals, identity = np.empty(self.n_systems), self.loss.link == "identity"
        head = (self.loss, self._within(scores), self.y, as_weights(self.weight), lift, identity)
        derivatives(*head, self.smoothing, self.span, totals, slopes, bends)
        return totals

    def total(self, scores: np.ndarray) -> np.ndarray:
        """The sum of the losses of each system."""
        nothing = np.empty((0, 0))
        return self._measure(scores, 0.0, nothing, nothing)

    def derivatives(self, scores: np.ndarray, lift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The totals, and the gradients and curvatures of all rows; see `sksgd.kernels.derivatives.bend_of`."""
        slopes, bends = np.empty_like(scores), np.empty_like(scores)
        totals = self._measure(scores, lift, slopes, bends)
        if self.loss.joint and lift:
            # Some of 1/K in every share, so that no class that is thought impossible has curvature 0.
            bends += 0.1 * lift * (bends.mean(axis=1, keepdims=True) - bends)
        return totals, slopes, bends

    def slack(self, scores: np.ndarray, totals: np.ndarray, slopes: np.ndarray, bends: np.ndarray) -> np.ndarray:
        """What smoothing changes about the losses of each system, as (3, S).

        First, by how much it lowers their sum here. Second, by how much at most it would lower their minimum if that
        were here: with q the proximal point of a score p and a = (p - q)/width the slope of the envelope, any other
        score costs at least loss(q) + a (score - q); these bounds add up to the smooth minimum plus the sum of
        width a^2/2. Third, the sum of width^2 bend a^2: its root times that of twice what the smooth objective is above
        its minimum is by how much that sum may differ from the one there.
        """
        lowered = self.smoothed(None).total(scores) - totals
        weight = self.weight[:, None] if isinstance(self.weight, np.ndarray) else 1.0
        squares = self.smoothing * slopes * slopes / weight
        inner = squares * bends / weight
        return np.array([lowered, lowered - 0.5 * squares.sum(axis=0), self.smoothing * inner.sum(axis=0)])

    def sizes(self, scores: np.ndarray) -> np.ndarray:
        """The sums (2, K) of the losses, and of their squared gradients over the weights of the rows."""
        totals, slopes, _ = self.smoothed(None).derivatives(scores, 0.0)
        weight = self.weight[:, None] if isinstance(self.weight, np.ndarray) else 1.0
        return np.stack([totals, (slopes * slopes / weight).sum(axis=0)])

    def natural_smoothing(self, scores: np.ndarray) -> np.ndarray:
        """Widths that make envelopes of the sums of the losses about as low as half of them."""
        return natural(self.sizes(scores))


def natural(sizes: np.ndarray) -> np.ndarray:
    """What `Margins.natural_smoothing` gives, from the sums of `Margins.sizes`."""
    totals, squares = np.clip(sizes, 1e-100, None)
    return totals / squares


class Kinked(Margins):
    """Losses with kinks as they are, and the curvatures of their envelopes: no smoothing biases what they add up to."""

    def derivatives(self, scores: np.ndarray, lift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        exact = self.smoothed(None)
        totals, slopes, _ = exact.derivatives(scores, 0.0)
        return totals, slopes, super().derivatives(scores, lift)[2]

    def total(self, scores: np.ndarray) -> np.ndarray:
        return self.smoothed(None).total(scores)


def search(
    value: Callable[[np.ndarray], np.ndarray], before: np.ndarray, fall: np.ndarray, gain: np.ndarray
) -> np.ndarray:
    """The step length of every system: halved until the value falls by a quarter of what the slope `fall` promises.

    Doubled, where even the whole step falls by more than the `gain` that a model promises, for as long as that lowers
    it. 0 where nothing does.
    """
    t, noise = np.ones_like(before), 1e-15 * np.abs(before)
    with np.errstate(over="ignore", invalid="ignore"):
        now = value(t)
        while (bad := (t > 0) & ~(now <= before - 0.25 * t * fall + noise)).any():
            t[bad] *= 0.5
            t[t < 1e-12] = 0.0
            now = value(t)
        long = (t == 1) & (before - now > 1.2 * gain) & (now < before - noise)
        while long.any():
            further = value(np.where(long, 2 * t, t))
            long &= further < now - noise
            t[long] *= 2
            now = np.where(long, further, now)
    return t


class Past:
    """A quadratic stand-in for the losses of rows that are gone, about the weights `u` (K, width), and a weak prior.

    Parameters
    ----------
    grams : ndarray of shape (S or 1, M, M)
        Its matrices; 0.0 if there is nothing yet.
    slope : ndarray of shape (S, M)
        Its gradient at `u`.
    prior : float
        Times half the squared distance from `origin`.
    """

    def __init__(self, grams: Any, slope: Any, prior: float, origin: Any):
        self.grams, self.slope, self.prior, self.origin = grams, slope, prior, origin

    def pull(self, w: np.ndarray) -> Any:
        """What the prior costs each system at weights (S, M)."""
        return 0.5 * self.prior * ((w - self.origin) ** 2).sum(axis=1) if self.prior else 0.0


def descend(
    margins: Margins,
    Z: np.ndarray,
    u: np.ndarray,
    past: Past,
    terms: Ridge | Proximal,
    lift: float = 1.0,
    rounds: int = 1,
    enough: float = 1e-4,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower the loss of rows `Z` (n, width) + their past + the penalty by Newton steps.

    Returns the weights, and the matrices and the gradient (without prior and penalty) of the last quadratic model, of
    which these rows are now a part.
    """
    shape = (margins.n_systems, -1)
    gram, scores = gram_of(margins.loss), Z @ u.T
    grams, slope = past.grams, past.slope
    for left in range(rounds - 1, -1, -1):
        totals, slopes, bends = margins.derivatives(scores, lift)
        grams = past.grams + gram(Z, bends)
        slope = past.slope + (slopes.T @ Z).reshape(shape)
        w = u.reshape(shape)
        s, fall, gain, _ = terms.minimise(grams, slope + past.prior * (w - past.origin), w, past.prior)
        line = _Line(margins, scores, Z @ s.reshape(u.shape).T, w, s, past, terms)
        t = search(line, totals + terms.value(w) + past.pull(w), fall, gain)
        u = u + (t[:, None] * s).reshape(u.shape)
        if left:
            scores = Z @ u.T
            past = Past(past.grams, past.slope + t[:, None] * apply(past.grams, s), past.prior, past.origin)
            if (fall <= enough * np.abs(totals)).all():
                break
    return u, grams, slope + t[:, None] * apply(grams, s)


class _Line:
    """What `descend` lowers, as a function of the step lengths."""

    def __init__(self, margins: Margins, scores: Any, moves: Any, w: Any, s: Any, past: Past, terms: Any):
        self.margins, self.scores, self.moves, self.w, self.s = margins, scores, moves, w, s
        self.past, self.terms = past, terms
        self.first, self.second = past.slope * s, 0.5 * s * apply(past.grams, s)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        r = t[:, None]
        at = self.w + r * self.s
        of_past = (r * self.first + r * r * self.second).sum(axis=1) + self.past.pull(at)
        return self.margins.total(self.scores + t * self.moves) + of_past + self.terms.value(at)


def apply(grams: Any, s: np.ndarray) -> np.ndarray:
    """gram @ s for every system."""
    return np.zeros_like(s) if isinstance(grams, float) else np.matmul(grams, s[:, :, None])[:, :, 0]


def tally(loss: Loss, y: np.ndarray, weight: np.ndarray | None, n_outputs: int) -> tuple[np.ndarray, float]:
    """The sums (K,) of coded targets, or of the weights of each class where the loss is joint; and of the weights."""
    mass = float(len(y) if weight is None else weight.sum())
    if loss.joint:
        return np.bincount(y[:, 0].astype(np.intp), weights=weight, minlength=n_outputs) * 1.0, mass
    return y.sum(axis=0, dtype=np.float64) if weight is None else weight @ y, mass


def link_of_means(loss: Loss, sums: np.ndarray, mass: float) -> np.ndarray:
    """The scores (K,) of the mean targets, which are the best constants; not finite where these are at their limits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = np.log(sums / mass)
        if loss.joint:
            return scores - scores.mean()
        return scores if loss.link == "log" else scores - np.log1p(-sums / mass)


def constants(loss: Loss, y: np.ndarray, weight: np.ndarray | None, n_outputs: int) -> np.ndarray:
    """The intercepts (K,) of the best model without features, over at most some 1000 of these rows."""
    part = slice(None, None, max(1, len(y) // 1000))
    margins = Margins(loss, y[part], None if weight is None else weight[part], n_outputs)
    if loss.quadratic:
        _, slopes, bends = margins.derivatives(np.zeros((len(margins.y), n_outputs)), 0.0)
        return -slopes.sum(axis=0) / np.maximum(bends.sum(axis=0), 1e-300)
    # Where scores are logarithms, they must not run away from rows of one class.
    prior = 0.0 if loss.link == "identity" else 1e-4 * margins.mass
    past = Past(0.0, np.zeros((margins.n_systems, n_outputs // margins.n_systems)), prior, 0.0)
    ones, u, free = np.ones((len(margins.y), 1)), np.zeros((n_outputs, 1)), Ridge(np.zeros(1))
    if loss.smooth:
        return descend(margins, ones, u, past, free, rounds=50, enough=1e-9)[0][:, 0]
    for narrower in 0.2 ** np.arange(8.0):
        rounded = margins.smoothed(narrower * margins.natural_smoothing(ones @ u.T))
        u = descend(rounded, ones, u, past, free, rounds=8, enough=1e-9)[0]
    return u[:, 0]
