"""Quadratic models of a sum of losses over dense rows: coordinates, Gram matrices, and a solver that never fails.

Everything here is invisible in results. The objective is that of the raw features; only the arithmetic is done on
features of mean near 0 and size near 1. A system is a set of unknowns that belong together: those of one output, or,
where the loss is joint, those of all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack

from ..base import Loss
from .arrays import unlocked

#: Relative to the diagonal, what is added to it: the solution is good to 1e-8 up to a condition of some 1e5, and the
#: objective at it to 1e-13 for any.
JITTER = 1e-13


@dataclasses.dataclass(frozen=True, eq=False)
class Coordinates:
    """Features less `mean`, over `scale`, and one that is always 1 if there is an intercept; weights to match.

    Parameters
    ----------
    mean, scale : ndarray of shape (d,)
    intercept : bool
    """

    mean: np.ndarray
    scale: np.ndarray
    intercept: bool

    @classmethod
    def of(cls, X: Any, intercept: bool) -> Coordinates:
        """Those of these rows: any rows will do, their mean and size have no influence but on rounding."""
        # A column a line: few long ones take a third of the time of many short rows.
        columns = np.array(dense(X).T, dtype=np.float64, order="C")
        mean = columns.mean(axis=1) if intercept else np.zeros(len(columns))
        mean[~np.isfinite(mean)] = 0.0
        columns -= mean[:, None]
        size = np.maximum(columns.max(axis=1), -columns.min(axis=1))
        size[~((size > 0) & np.isfinite(size))] = 1.0
        columns /= size[:, None]
        scale = size * np.sqrt(np.mean(columns * columns, axis=1))
        scale[scale == 0] = 1.0
        return cls(mean, np.clip(scale, 1e-150, 1e150), intercept)

    @property
    def width(self) -> int:
        """The number of unknowns of one output."""
        return len(self.mean) + self.intercept

    def rows(self, X: Any, out: np.ndarray | None = None) -> np.ndarray:
        """Rows in these coordinates, of shape (n, width), in the memory of `out` if given."""
        from ..kernels.standardise import standardise

        Z = np.empty((X.shape[0], self.width)) if out is None else out[: X.shape[0]]
        standardise(unlocked(np.ascontiguousarray(dense(X))), self.mean, 1 / self.scale, Z)
        return Z

    def inwards(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Weights (K, width) in these coordinates for raw ones."""
        u = np.asarray(coef, dtype=np.float64) * self.scale
        return np.column_stack([u, intercept + coef @ self.mean]) if self.intercept else u

    def outwards(self, u: np.ndarray, dtype: Any, bounds: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Raw coef (K, d) in this type, within the bounds, and the intercepts that suit the rounded coef."""
        largest = np.finfo(dtype).max
        coef = np.clip(u[:, : len(self.mean)] / self.scale, -largest, largest)
        coef = (coef if bounds is None else np.clip(coef, *bounds)).astype(dtype)
        return coef, u[:, -1] - coef.astype(np.float64) @ self.mean if self.intercept else np.zeros(len(u))

    def constant(self, u: np.ndarray) -> np.ndarray | None:
        """The score (K,) of all rows where it is the same for weights (K, width), else None."""
        features = len(self.mean)
        if u[:, :features].any():
            return None
        return u[:, features:].sum(axis=1)

    def penalty(self, l2: Any) -> np.ndarray:
        """The strength of L2, (width,), for one number or (d,) in raw coordinates; none for the intercept."""
        strength = np.zeros(self.width)
        strength[: len(self.mean)] = l2 / self.scale**2
        return strength


def dense(X: Any) -> np.ndarray:
    """Some rows as an array."""
    return X.toarray() if sp.issparse(X) else X


#: From rows Z (n, width) and bends (n, K), which hold row weights, the matrix of every system.
Gram = Callable[[np.ndarray, np.ndarray], np.ndarray]


def separate_grams(Z: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """Sum of bend z z' for each output, (K, width, width)."""
    from ..kernels.standardise import scale_rows

    grams, room = np.empty((bends.shape[1], Z.shape[1], Z.shape[1])), None
    for k, bend in enumerate(np.ascontiguousarray(bends.T)):
        half, equal = Z, len(bend) > 0 and bool((bend == bend[0]).all())
        if not equal:
            room = half = np.empty(Z.shape) if room is None else room
            scale_rows(Z, bend, half)
        np.matmul(half.T, half, out=grams[k])  # the product of a matrix with itself takes half the time of another
        if equal and bend[0] != 1.0:
            grams[k] *= bend[0]
    return grams


def shared_gram(Z: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """The same where all outputs have equal bends, once for all: (1, width, width)."""
    return separate_grams(Z, bends[:, :1])


def joint_gram(Z: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Sum of weight (diag(s) - s s') (x) z z' for the shares s of the outputs: (1, K width, K width).

    `shares` are weight times s, so that they sum up to the weight.
    """
    (n, D), K = Z.shape, shares.shape[1]
    root = np.sqrt(shares.sum(axis=1, keepdims=True))
    half = ((shares / np.where(root > 0, root, 1.0))[:, :, None] * Z[:, None, :]).reshape(n, K * D)
    gram = half.T @ half
    np.negative(gram, out=gram)
    for k, block in enumerate(separate_grams(Z, shares)):
        gram[k * D : (k + 1) * D, k * D : (k + 1) * D] += block
    return gram[None]


def diagonals(loss: Loss, Z: np.ndarray, bends: np.ndarray) -> np.ndarray:
    """The diagonals (S, M) of these matrices."""
    from ..kernels.standardise import add_squares

    if loss.joint:
        weight = bends.sum(axis=1, keepdims=True)
        bends = bends - bends**2 / np.where(weight > 0, weight, 1.0)
    sums = np.zeros((bends.shape[1], Z.shape[1]))
    add_squares(Z, np.ascontiguousarray(bends), sums)
    return sums.reshape(1 if loss.joint else bends.shape[1], -1)


def gram_of(loss: Loss) -> Gram:
    """The one that suits a loss."""
    if loss.joint:
        return joint_gram
    return shared_gram if loss.quadratic else separate_grams


def rescaled(grams: np.ndarray, diagonals: np.ndarray, width: int) -> np.ndarray:
    """The matrices with other diagonals (S, M), and correlations as they were.

    Where systems have several outputs, of `width` unknowns each, only the sums over these are as given: what moves all
    outputs alike still has no curvature.
    """
    S, M = diagonals.shape
    known, given = (
        values.reshape(S, -1, width).sum(axis=1) for values in (np.diagonal(grams, axis1=1, axis2=2), diagonals)
    )
    ratio = np.sqrt(np.clip(given / np.where(known > 0, known, 1.0), 1e-12, None))
    ratio = np.tile(np.where(known > 0, ratio, 1.0), M // width)
    return grams * ratio[:, :, None] * ratio[:, None, :]


def secant(grams: np.ndarray, s: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The matrices after the update of Broyden, Fletcher, Goldfarb and Shanno, by which ``gram s = change`` (S, M).

    It keeps them positive definite; systems that did not move keep theirs.
    """
    along = np.matmul(grams, s[:, :, None])[:, :, 0]
    bend, gone = (s * change).sum(axis=1), (s * along).sum(axis=1)
    fine = (bend > 1e-12 * gone) & (gone > 0) & np.isfinite(bend)
    new, old = (np.where(fine, 1.0 / np.where(fine, size, 1.0), 0.0) for size in (bend, gone))
    return grams + (
        new[:, None, None] * change[:, :, None] * change[:, None, :]
        - old[:, None, None] * along[:, :, None] * along[:, None, :]
    )


def solve(grams: np.ndarray, diagonal: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(gram + diag(diagonal))^-1 right for every system; `right` is (S, M), grams (S, M, M) or (1, M, M) for all.

    By Cholesky after scaling the diagonal to 1, plus a `JITTER` that grows until the factor exists; 0 if none does,
    which takes a matrix that is not finite.
    """
    solution = np.zeros_like(right)
    parts = [slice(None)] if len(grams) == 1 else [slice(s, s + 1) for s in range(len(grams))]
    for gram, part in zip(grams, parts, strict=True):
        total = np.diagonal(gram) + diagonal
        total = np.sqrt(np.where(total > 0, total, 1.0))
        scaled = gram / total / total[:, None]
        plain = np.diagonal(scaled) + diagonal / total**2
        for jitter in JITTER * 100.0 ** np.arange(8):
            np.fill_diagonal(scaled, plain + jitter)
            factor, info = lapack.dpotrf(scaled.T, lower=1)
            if info == 0 and np.isfinite(factor[-1, -1]):
                solution[part] = lapack.dpotrs(factor, (right[part] / total).T, lower=1)[0].T / total
                break
    return solution
