"""The order in which a pass visits the rows.

An order depends on `n` (the number of rows), `seed` and `number` (that of the pass, from 0) only, never on earlier
calls: that is what lets a checkpoint hold three numbers and a worker know the order of another one. Positions are
int32, and int64 for more than 2^31 - 1 rows. From one version to the next NumPy keeps its random streams, but not all
it makes of them, so that an order may change with the version of NumPy.

>>> order, factors = Reshuffle().order(5, seed=0, number=0)
>>> sorted(order.tolist()), factors
([0, 1, 2, 3, 4], None)
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError

from .base import Sampler
from .checks import is_real, require

__all__ = ["SAMPLERS", "Importance", "Reshuffle", "Sequential", "ShuffleOnce", "WithReplacement", "resolve_sampler"]


def _generator(seed: int, number: int) -> np.random.Generator:
    # SFC64 is the quickest of NumPy's bit generators; SeedSequence makes the streams of all pairs independent.
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, number])))


def seed_of(seed: int, number: int) -> int:
    """The seed of orders in the part of this number, a worker's rows or a buffer's: the first has that of the whole."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed


def _position_type(n: int) -> type[np.signedinteger]:
    return np.int32 if n < 2**31 else np.int64


class Reshuffle(Sampler):
    """Every row once, in a new random order each pass.

    The usual choice: for convex problems it converges faster than drawing with replacement (Gürbüzbalaban, Ozdaglar and
    Parrilo, "Why random reshuffling beats stochastic gradient descent", 2021).

    Examples
    --------
    >>> first, second = (Reshuffle().order(100, seed=0, number=number)[0] for number in (0, 1))
    >>> bool(np.all(first == second)), bool(np.all(np.sort(first) == np.sort(second)))
    (False, True)
    """

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        # NumPy shuffles int64 in 2/3 of the time of int32; the conversion costs next to nothing.
        return _generator(seed, number).permutation(n).astype(_position_type(n), copy=False), None


class ShuffleOnce(Sampler):
    """Every row once, in one random order for all passes: that of pass 0 of `Reshuffle`.

    Examples
    --------
    >>> first, second = (ShuffleOnce().order(100, seed=0, number=number)[0] for number in (0, 1))
    >>> bool(np.all(first == second))
    True
    """

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        return Reshuffle().order(n, seed, 0)


class Sequential(Sampler):
    """Every row once, as the data have them. Right for shuffled data and for streams; sorted data converge badly.

    Examples
    --------
    >>> Sequential().order(4, seed=0, number=0)
    (array([0, 1, 2, 3], dtype=int32), None)
    """

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        return np.arange(n, dtype=_position_type(n)), None


class WithReplacement(Sampler):
    """n rows a pass, each drawn uniformly from all: what most of the theory of SGD assumes.

    A pass misses about 37% of the rows.

    Examples
    --------
    >>> order, _ = WithReplacement().order(1000, seed=0, number=0)
    >>> 600 < len(np.unique(order)) < 660
    True
    """

    repeats: ClassVar[bool] = True

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        return _generator(seed, number).integers(0, n, size=n, dtype=_position_type(n)), None


class Importance(Sampler):
    """n rows a pass, drawn in proportion to how large their gradients can be, and weighted to make up for it.

    Row i is drawn, with replacement, with probability p_i = mixture/n + (1 - mixture) norm_i / (sum of norms), norm_i
    being its squared Euclidean norm, and its weight is multiplied by 1/(n p_i), at most 1/mixture. So the expected
    gradient of a draw is that of the mean loss. Where all norms are 0, draws are uniform.

    Needell, Srebro and Ward, "Stochastic gradient descent, weighted sampling, and the randomized Kaczmarz algorithm"
    (2014), with the squared norm for the Lipschitz constant of a row's gradient. Zhao and Zhang, "Stochastic
    optimization with importance sampling" (2015), take the norm itself for losses with bounded derivative.

    Parameters
    ----------
    mixture : float, default=0.5
        The share of uniform draws, in [0, 1]. With 0, rows of norm 0 are never drawn; their gradient is 0 too.

    Raises
    ------
    ValueError
        By `order`, where `norms` are missing, negative, not finite or not n in number.

    Examples
    --------
    >>> order, factors = Importance().order(3, seed=0, number=0, norms=np.array([1.0, 1.0, 4.0]))
    >>> np.array([4 / 3, 4 / 3, 2 / 3])[order].round(3).tolist() == factors.round(3).tolist()
    True
    """

    needs_norms: ClassVar[bool] = True
    repeats: ClassVar[bool] = True

    mixture: float = 0.5

    def __post_init__(self) -> None:
        valid = is_real(self.mixture) and 0 <= self.mixture <= 1
        require(valid, self, "mixture", self.mixture, "must be in [0, 1]")

    def order(
        self, n: int, seed: int, number: int, norms: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if norms is None or norms.shape != (n,):
            got = "None" if norms is None else f"shape {norms.shape}"
            raise ValueError(f"Importance needs norms, the squared norms of the {n} rows. Got {got} instead.")
        sums = np.cumsum(norms, dtype=float)
        total = sums[-1]
        if not (np.isfinite(total) and np.min(norms) >= 0):
            raise ValueError("Importance needs squared norms of rows that are finite and not negative.")
        mixture = float(self.mixture) if total > 0 else 1.0
        rng = _generator(seed, number)
        uniform = rng.binomial(n, mixture)
        drawn = np.empty(n, dtype=np.int64)
        drawn[:uniform] = rng.integers(0, n, size=uniform)
        # Points in order are found several times as fast, and the times of a Poisson process are uniforms in order.
        points = np.cumsum(rng.standard_exponential(n - uniform + 1))
        points = points[:-1] * (total / points[-1])
        # A point rounded up to the total belongs to the last row with a share.
        drawn[uniform:] = np.minimum(np.searchsorted(sums, points, side="right"), np.searchsorted(sums, total))
        rng.shuffle(drawn)
        shares = norms[drawn].astype(float) * (n / total if total > 0 else 0.0)
        return drawn.astype(_position_type(n), copy=False), 1.0 / (mixture + (1.0 - mixture) * shares)


#: The samplers that can be given by name.
SAMPLERS: dict[str, type[Sampler]] = {
    "reshuffle": Reshuffle,
    "shuffle_once": ShuffleOnce,
    "sequential": Sequential,
    "with_replacement": WithReplacement,
    "importance": Importance,
}


def resolve_sampler(value: Any, name: str = "sampler") -> Sampler:
    """The sampler meant by a parameter.

    Parameters
    ----------
    value : Sampler or str
        A sampler passes through, a string is looked up in `SAMPLERS`.
    name : str, default="sampler"
        The name of the parameter, for the error message.

    Raises
    ------
    InvalidParameterError
        For anything else.

    Examples
    --------
    >>> resolve_sampler("with_replacement")
    WithReplacement()
    """
    if isinstance(value, Sampler):
        return value
    if isinstance(value, str) and value in SAMPLERS:
        return SAMPLERS[value]()
    raise InvalidParameterError(
        f"The {name!r} parameter must be a Sampler or one of {sorted(SAMPLERS)}. Got {value!r} instead."
    )
