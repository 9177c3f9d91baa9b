"""From what users pass to the rows of a fit: validation by scikit-learn's means, coding of targets, held-out rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _check_y, validate_data

from ..stream.feed import SOME, StreamFeed
from ..stream.source import Source
from ..stream.survey import labels, survey
from .batches import Block
from .feed import Feed, Supply
from .state import State
from .targets import distinct

#: The bits of a hash, in which a share of rows is looked for.
BITS = 1 << 32


class Intake(BaseEstimator):
    """A mixin for estimators: arrays become a `Block`, sources a `StreamFeed`."""

    early_stopping: bool
    validation_fraction: float
    _state: State
    #: How `validate_data` is to check y.
    _target_checks: ClassVar[dict[str, Any]] = {}

    # ---- what a subclass decides -------------------------------------------------------------------------------------

    def _check_targets(self, y: Any, first: bool, classes: Any = None) -> None:
        """Learn from the targets what the first call has to know (classes, shape), or hold later ones against it."""
        raise NotImplementedError

    def _encode(self, y: Any) -> np.ndarray:
        """Coded targets of shape (n, K), or (n, 1) for a joint loss."""
        raise NotImplementedError

    def _count_targets(self, coded: np.ndarray, sample_weight: np.ndarray | None, running: bool) -> None:
        """Take note of coded training targets, beside those of earlier calls if `running`."""

    def _target_weights(self, coded: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray | None:
        """Row weights with what the targets add to them."""
        return sample_weight

    # ---- arrays ------------------------------------------------------------------------------------------------------

    def _validate(self, X: Any, y: Any, sample_weight: Any, dtype: Any) -> tuple[Any, Any, np.ndarray | None]:
        """X (C-ordered or CSR), y, and weights or None. `dtype` is that of earlier data, None for the first."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32] if dtype is None else dtype,
            order="C",
            reset=dtype is None,
            **self._target_checks,
        )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=True
            )
        return X, y, sample_weight

    def _feeds(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any],
        resumed: bool,
        random_state: np.random.RandomState,
    ) -> tuple[Feed, Feed | None]:
        """The training rows, of weights with mean 1, and the held-out ones if there are any."""
        if isinstance(X, Supply):
            return X.feeds(self, resumed, random_state)
        dtype = self._state.lines.dtype if resumed else None
        own = validation[0] is not None or validation[1] is not None
        split = self.early_stopping and not own
        held_out: Feed | None = None
        if isinstance(X, Source):
            _require_alone(y, sample_weight)
            feed, held_out = self._source_feeds(X, not resumed, dtype, split, random_state)
        else:
            feed = self._block(X, y, sample_weight, not resumed, dtype)
            if len(feed) and split:
                feed, held_out = self._split(feed, random_state)
        if len(feed) == 0:
            raise ValueError("All sample weights are zero: there is nothing to fit. Pass a positive sample_weight.")
        feed.normalise()
        if not own:
            return feed, held_out
        if isinstance(validation[0], Source):
            _require_alone(*validation[1:])
            held_out = self._source_feeds(validation[0], False, feed.dtype, False, random_state, trained_on=False)[0]
        elif validation[0] is None or validation[1] is None:
            raise ValueError("X_val and y_val must be given together.")
        else:
            held_out = self._block(*validation, False, feed.dtype, trained_on=False)
        if len(held_out) == 0:
            raise ValueError("All of sample_weight_val is zero: there is nothing to validate on.")
        return feed, held_out

    def _block(self, X: Any, y: Any, sample_weight: Any, first: bool, dtype: Any, trained_on: bool = True) -> Block:
        X, y, sample_weight = self._validate(X, y, sample_weight, dtype)
        self._check_targets(y, first)
        coded = self._encode(y)
        if trained_on:
            self._count_targets(coded, sample_weight, running=False)
        return Block(X, coded, self._target_weights(coded, sample_weight))

    def _split(self, block: Block, random_state: np.random.RandomState) -> tuple[Block, Block]:
        """Training and validation parts of the rows present."""
        rows = np.arange(block.X.shape[0]) if block.present is None else block.present
        labels = block.y[rows, 0] if is_classifier(self) else None
        if labels is not None:
            counts = np.unique(labels, return_counts=True)[1]
            # Every class is to be in both parts, where there are rows enough.
            if counts.min() < 2 or len(counts) > np.ceil(self.validation_fraction * len(rows)):
                labels = None
        try:
            train, held_out = train_test_split(
                rows, test_size=self.validation_fraction, random_state=random_state, stratify=labels
            )
        except ValueError as error:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves too few rows of {len(rows)}: {error} "
                "Change validation_fraction, pass X_val and y_val, or set early_stopping=False."
            ) from error
        return block.take(train), block.take(held_out)

    # ---- sources -----------------------------------------------------------------------------------------------------

    def _source_feeds(
        self,
        source: Source,
        first: bool,
        dtype: Any,
        split: bool,
        random_state: np.random.RandomState,
        trained_on: bool = True,
    ) -> tuple[Feed, Feed | None]:
        """The rows of a source, and those held out if it is to be split."""
        classes = source.classes
        if classes is None and first and is_classifier(self):
            classes = labels(source, self._labels)

        def check(number: int, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray | None]:
            y, sample_weight = self._checked(y, sample_weight)
            self._check_targets(y, first and number == 0, classes)
            coded = self._encode(y)
            if trained_on:
                self._count_targets(coded, sample_weight, running=number > 0)
            return coded, sample_weight

        found = survey(source, check, dtype)
        self._take_features(source, found.shape[1], first)
        self.n_bad_blocks_ = found.n_bad_blocks
        weight = self._target_weights(found.y, found.weight)
        if not split:
            return StreamFeed(source, found, weight).in_memory_if_small(), None
        held_out = _drawn(found.shape[0], self.validation_fraction, int(random_state.randint(BITS >> 1)))
        if held_out.all() or not held_out.any():
            raise ValueError(
                f"validation_fraction={self.validation_fraction} leaves no rows of {found.shape[0]} on one side. "
                "Change validation_fraction, pass X_val, or set early_stopping=False."
            )
        feeds = (StreamFeed(source, found, weight, kept) for kept in (~held_out, held_out))
        train, test = (feed.in_memory_if_small() for feed in feeds)
        return train, test

    def _labels(self, y: np.ndarray) -> np.ndarray:
        y = self._checked(y, None)[0]
        check_classification_targets(y)
        return distinct(y)

    def _checked(self, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Targets and weights of a block, as `validate_data` checks them."""
        y = _check_y(y, estimator=self, **self._target_checks)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, y, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=True
            )
        return y, sample_weight

    @staticmethod
    def _targets_of(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Targets and weights to score predictions with: those of a source, or as given."""
        if not isinstance(X, Source):
            return y, sample_weight
        _require_alone(y, sample_weight)
        blocks = [block for part in range(X.n_parts) for block in X.read_targets(part)]
        weights = [np.ones(len(y)) if of_rows is None else of_rows for y, of_rows in blocks]
        y = np.concatenate([y for y, _ in blocks])
        return y, None if all(of_rows is None for _, of_rows in blocks) else np.concatenate(weights)

    def _take_features(self, source: Source, n_features: int, first: bool) -> None:
        """Take the number and names of the features from a source, or hold it against them."""
        names = None if source.feature_names is None else np.asarray(source.feature_names, dtype=object)
        if first:
            self.n_features_in_ = n_features
            self.__dict__.pop("feature_names_in_", None)
            if names is not None:
                self.feature_names_in_ = names
            return
        if n_features != self.n_features_in_:
            raise ValueError(
                f"{source!r} has {n_features} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        known = getattr(self, "feature_names_in_", None)
        if known is not None and names is not None and list(known) != list(names):
            raise ValueError(
                f"{source!r} has the features {list(names)}, but the model was fitted to {list(known)}. Name them in "
                "this order, by features=[...]."
            )


def _require_alone(y: Any, sample_weight: Any) -> None:
    if y is not None or sample_weight is not None:
        name = "y" if y is not None else "sample_weight"
        raise ValueError(f"{name} must be None where X is a source, which gives targets and weights itself.")


def _drawn(n: int, fraction: float, seed: int) -> np.ndarray:
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
