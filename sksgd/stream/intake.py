"""From a source to the rows of a fit, and to predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier

from ..core.errors import BlockError
from ..core.feed import Feed
from ..core.predict import product
from .ahead import ahead
from .feed import SOME, StreamFeed
from .source import Source
from .spill import room
from .survey import Survey, fitting, labels, numbered, survey

#: The bits of a hash, in which a share of rows is looked for.
BITS = 1 << 32


def feeds(
    source: Source, estimator: Any, resumed: bool, split: bool, random_state: np.random.RandomState
) -> tuple[Feed, Feed | None]:
    """See `sksgd.core.supply.Supply.feeds`."""
    dtype = estimator._state.lines.dtype if resumed else None
    found = _surveyed(source, estimator, not resumed, dtype, trained_on=True)
    estimator.n_bad_blocks_ = found.n_bad_blocks
    weight = _weights(source, estimator, found)
    if not split:
        return StreamFeed(source, found, weight).in_memory_if_small(), None
    held_out = drawn(found.shape[0], estimator.validation_fraction, int(random_state.randint(BITS >> 1)))
    if held_out.all() or not held_out.any():
        raise ValueError(
            f"validation_fraction={estimator.validation_fraction} leaves no rows of {found.shape[0]} on one side. "
            "Change validation_fraction, pass X_val, or set early_stopping=False."
        )
    both = (StreamFeed(source, found, weight, kept) for kept in (~held_out, held_out))
    train, test = (feed.in_memory_if_small() for feed in both)
    return train, test


def held_out(source: Source, estimator: Any, dtype: Any) -> Feed:
    """See `sksgd.core.supply.Supply.held_out`."""
    found = _surveyed(source, estimator, False, dtype, trained_on=False)
    return StreamFeed(source, found, _weights(source, estimator, found)).in_memory_if_small()


def _surveyed(source: Source, estimator: Any, first: bool, dtype: Any, trained_on: bool) -> Survey:
    """A look at all targets, of which the estimator takes note."""
    require_labelled(source)
    classes = source.classes
    if classes is None and first and is_classifier(estimator):
        classes = labels(source, estimator._labels)

    def check(number: int, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray | None]:
        y, sample_weight = estimator._checked(y, sample_weight)
        estimator._check_targets(y, first and number == 0, classes)
        coded = estimator._encode(y)
        if trained_on:
            estimator._count_targets(coded, sample_weight, running=number > 0)
        return coded, sample_weight

    found = survey(source, check, dtype)
    estimator._take_features(source, source.feature_names, found.shape[1], first)
    return found


def _weights(source: Source, estimator: Any, found: Survey) -> np.ndarray | None:
    """Row weights with what the targets add to them, some rows at a time."""
    if estimator._target_weights(found.y[:0], None) is None:
        return found.weight
    weight = room((len(found.y),), source.memory_bytes)
    for first in range(0, len(weight), SOME):
        rows = slice(first, first + SOME)
        weight[rows] = estimator._target_weights(found.y[rows], None if found.weight is None else found.weight[rows])
    return weight


def drawn(n: int, fraction: float, seed: int) -> np.ndarray:
    """Whether each of n rows is held out, by a hash of its number: the same ones however a source is read.

    The hash is the finaliser of SplitMix64 (Steele, Lea, Flood, 2014).
    """
    drawn = np.empty(n, bool)
    for first in range(0, n, SOME):
        last = min(first + SOME, n)
        mixed = np.arange(first + seed, last + seed, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        drawn[first:last] = (mixed >> np.uint64(32)) < np.uint64(int(fraction * BITS))
    return drawn


def scores(source: Source, estimator: Any, coef: Any, intercept: np.ndarray) -> np.ndarray:
    """See `sksgd.core.supply.Supply.scores`."""
    source, d = source.unlabelled(), estimator.n_features_in_
    estimator._take_features(source, source.feature_names, d if source.n_features is None else source.n_features, False)

    def read() -> Iterator[np.ndarray]:
        for part in range(source.n_parts):
            for number, block in numbered(source.read(part)):
                if isinstance(block, BlockError):
                    raise block
                X = block[0]
                like = (sp.csr_array if sp.issparse(X) else np.empty)((0, d))
                yield product(fitting(X, like, X.dtype, source, part, number), coef, intercept)

    found = list(ahead(read))
    return np.concatenate(found) if found else np.empty((0, len(intercept)))


def truth(source: Source) -> tuple[np.ndarray, np.ndarray | None]:
    """See `sksgd.core.supply.Supply.truth`."""
    require_labelled(source)
    blocks = [block for part in range(source.n_parts) for block in source.read_targets(part)]
    weights = [np.ones(len(y)) if of_rows is None else of_rows for y, of_rows in blocks]
    y = np.concatenate([y for y, _ in blocks])
    return y, None if all(of_rows is None for _, of_rows in blocks) else np.concatenate(weights)


def require_labelled(source: Source) -> None:
    """Raise unless a source has targets."""
    if not source.labelled:
        raise ValueError(
            f"{source!r} has no targets, which only predictions can do without. To fit or to score, name them when the "
            "source is made: target, or y of NumpySource."
        )
