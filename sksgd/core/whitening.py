"""Dense columns that depend on each other: steps in coordinates in which they do not, found from some of the rows.

Where columns are collinear, steps weight by weight are short along what they share little of. The Hessian of a sample
of the rows, H = (1/m) sum l''_i x_i x_i' + diag(strength), knows that. With its Cholesky factor, H = L L', a gradient
step in the coordinates L' w is the step H^-1 times the gradient in the weights. In those coordinates the eigenvalues of
the true Hessian are between about 1/(1 + r)^2 and 1/(1 - r)^2 with r^2 = d/m, whatever they were before. So a few
conjugate steps do what Newton's would, and the matrix costs m d^2 instead of n d^2 for every step. Of fewer rows than
columns H is that of all of them, and it takes a matrix of rows times rows to divide by it.

References
----------
Frangella, Rathore, Zhao, Udell (2023), PROMISE: preconditioned stochastic optimization methods by incorporating
scalable curvature estimates, arXiv 2309.02014.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
from scipy.linalg import lapack

from .design import Design
from .quadratic import JITTER
from .split import Split

#: Columns for which a matrix is worth its cost, and not too large.
FEWEST, MOST = 250, 2000
#: Rows of the sample: so many for each column, and at least this share of all.
PER_COLUMN, SHARE = 3, 0.1
#: The mean of the squared eigenvalues of the correlations from which on it pays, and rows to estimate it from.
DEPENDENT, PROBE = 3.0, 256
#: Times columns over rows of the sample: is added to the diagonal, relative to it, for what the sample does not know.
UNKNOWN = 0.05


def suits(rows: Any, split: Split, n: int, in_memory: bool) -> bool:
    """Whether there are so many dense columns, and no others, that depend on each other.

    As they all do among not many more rows than columns. `rows` gives the sums of `angles`.
    """
    d = split.width
    if split.n_dense < d or d <= FEWEST:
        return False
    if n < d and in_memory:
        return n <= MOST
    if d > min(MOST, 4 * n):
        return False
    return n < 2 * d or dependence(d, *rows.angles()) > DEPENDENT


def dependence(width: int, squares: float, pairs: int) -> float:
    """The mean of the squared eigenvalues of the correlations of so many columns: 1 where they are uncorrelated.

    From the angles between pairs of rows. It is without bias if all rows are equally long.
    """
    return width * squares / max(pairs, 1)


def angles(design: Design) -> tuple[float, int]:
    """The sum of the squared cosines of the angles between some of these rows, and the number of pairs."""
    places = np.random.Generator(np.random.SFC64(0)).choice(design.n, min(PROBE, design.n), replace=False)
    Z = _standardised(design, places)
    norms = np.sqrt(np.einsum("ij,ij->i", Z, Z))
    Z /= np.where(norms > 0, norms, 1.0)[:, None]
    n, cosines = len(Z), Z @ Z.T
    np.fill_diagonal(cosines, 0.0)
    return float(np.sum(cosines * cosines)), n * (n - 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Whitening:
    """What makes a step of a gradient.

    Parameters
    ----------
    factor : ndarray of shape (width + 1, width + 1)
        The Cholesky factor of the Hessian of the sample, in coordinates in which its diagonal is 1.
    scale : ndarray of shape (width + 1,)
        Weights for those coordinates; 0 for weights that do not move.
    bend : float
        The mean curvature.
    """

    factor: np.ndarray
    scale: np.ndarray
    bend: float

    @classmethod
    def of(
        cls, matrix: np.ndarray, unknown: float, square: Any, exact: Any, strength: Any, intercept: bool, bend: float
    ) -> Self | None:
        """From the Hessian of a sample, see `sampled_gram` and `unknown`, and its exact diagonals (K, width + 1).

        `square` are the mean squares of the columns (width,), `strength` is that of the penalty (width + 1,), `bend`
        the mean curvature. All outputs share it: curvatures are the means of theirs. None where the numbers are too odd
        for a factor.
        """
        scale = np.append(_inverse_root(square), float(intercept))
        # What is rare may be missing in a sample.
        known, exact = np.diagonal(matrix), exact.mean(axis=0) * scale**2
        diagonal = np.where(exact > 2.0 * known, exact, known) + strength * scale**2
        root = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        matrix /= root
        matrix /= root[:, None]
        for jitter in JITTER * 100.0 ** np.arange(3):
            np.fill_diagonal(matrix, 1.0 + unknown + jitter)
            factor, info = lapack.dpotrf(matrix.T, lower=1)
            if info == 0 and np.isfinite(factor[-1, -1]):
                return cls(factor, scale / root, bend)
        return None

    def step(self, slope: np.ndarray) -> np.ndarray:
        """Where the negative of a gradient (K, width + 1) leads."""
        return -self.scale * lapack.dpotrs(self.factor, (slope * self.scale).T, lower=1)[0].T


@dataclasses.dataclass(frozen=True, eq=False)
class SpanWhitening:
    """The same for fewer rows than columns, with all rows: by matrices of rows times rows.

    With the penalty as the unit of the weights, the Hessian is I + C'C for rows C (n, width). Gradients are C'a, beside
    what is left of weights outside of the span of the rows, and I + C'C takes C'(I + CC')^-1 a to C'a.

    Parameters
    ----------
    rows : ndarray of shape (n, width)
        C.
    factors : tuple of two ndarrays of shape (n, n)
        The Cholesky factors of CC' and I + CC'.
    scale : ndarray of shape (width,)
        Weights for those units.
    mean : ndarray of shape (width,)
        The means of the columns, weighted by curvatures, in those units: 0 if there is no intercept.
    total : float
        The curvature in the intercept; infinite if there is none.
    """

    rows: np.ndarray
    factors: tuple[np.ndarray, np.ndarray]
    scale: np.ndarray
    mean: np.ndarray
    total: float
    #: It is never that of other weights.
    bend: ClassVar[float] = 0.0

    @classmethod
    def of(cls, design: Design, bends: np.ndarray, strength: np.ndarray, intercept: bool) -> Self | None:
        """From the curvatures of the rows (n,), times their weights; for the others see `Whitening`."""
        share = bends / design.n_all
        rows, total = design.dense_at(np.arange(design.n)) - design.mean, float(share.sum())
        # Without a penalty, one that matters little.
        scale = 1.0 / np.sqrt(np.maximum(strength[:-1], 1e-10 * max(total * float(design.square.mean()), 1e-300)))
        rows *= scale
        mean = share @ rows / total if intercept and total > 0 else np.zeros(len(scale))
        rows = (rows - mean) * np.sqrt(share)[:, None]
        gram = rows @ rows.T
        factors = [lapack.dpotrf(gram + more * np.eye(len(gram)), lower=1) for more in (JITTER * np.trace(gram), 1.0)]
        if any(info != 0 or not np.isfinite(factor[-1, -1]) for factor, info in factors):
            return None
        return cls(rows, tuple(f for f, _ in factors), scale, mean, total if intercept else np.inf)

    def step(self, slope: np.ndarray) -> np.ndarray:
        """Where the negative of a gradient (K, width + 1) leads."""
        g = slope[:, :-1] * self.scale - self.mean * slope[:, -1:]
        inside = lapack.dpotrs(self.factors[0], self.rows @ g.T, lower=1)[0]
        rest = g - inside.T @ self.rows
        if np.linalg.norm(rest) < 1e-6 * np.linalg.norm(g):
            rest = np.zeros_like(rest)  # it is what rounds
        w = lapack.dpotrs(self.factors[1], inside, lower=1)[0].T @ self.rows + rest
        return -np.column_stack([w * self.scale, slope[:, -1] / self.total - w @ self.mean])


def unknown(width: int, n: int, n_all: int) -> float:
    """What a sample of n rows does not know of the diagonal of the Hessian of all, relative to it."""
    return UNKNOWN * width / max(n, 1) if n < n_all else 0.0


def sampled_gram(design: Design, bend: np.ndarray, total: float, intercept: bool) -> tuple[np.ndarray, int]:
    """The part of a random sample of these rows in the mean Hessian of all, and their number.

    Columns are divided by their sizes; the last is that of the intercept, if there is one. From the mean curvatures of
    the rows (n,), times their weights, and the sum of those of all rows.
    """
    d, (places, weight) = design.split.width, _sample(design, bend, total)
    matrix = np.zeros((d + 1, d + 1))
    size = d if design.feed.in_memory else len(places)  # elsewhere every look takes a pass
    for first in range(0, len(places), max(size, 1)):
        part = slice(first, first + size)
        Z = np.column_stack([_standardised(design, places[part]), np.full(len(places[part]), float(intercept))])
        Z *= np.sqrt(weight[part])[:, None]
        matrix += Z.T @ Z
    return matrix, len(places)


def _sample(design: Design, bend: np.ndarray, total: float) -> tuple[np.ndarray, np.ndarray]:
    """Random rows, as often as their curvature is a share of all, and their weights: those of a mean over all rows."""
    n, wanted = design.n_all, PER_COLUMN * design.split.width
    if design.feed.in_memory:
        wanted = max(wanted, int(SHARE * n))
    if n <= wanted or not 0 < total < np.inf:
        return np.arange(design.n), bend / n
    rng = np.random.Generator(np.random.SFC64(0))
    order = rng.permutation(design.n)
    edges = np.floor(np.cumsum(bend[order]) * (wanted / total) + rng.random())
    times = np.diff(edges, prepend=0.0)
    return order[times > 0], times[times > 0] * (total / wanted / n)


def _standardised(design: Design, places: np.ndarray) -> np.ndarray:
    return (design.dense_at(places) - design.mean) * _inverse_root(design.square)


def _inverse_root(square: np.ndarray) -> np.ndarray:
    used = square > 0
    return np.where(used, 1.0 / np.sqrt(np.where(used, square, 1.0)), 0.0)
