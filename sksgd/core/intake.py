"""From what users pass to the rows of a fit: validation by scikit-learn's means, coding of targets, held-out rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, _check_y, validate_data

from .batches import Block
from .feed import Feed
from .state import State
from .supply import Supply
from .targets import distinct


class Intake(BaseEstimator):
    """A mixin for estimators: arrays become a `Block`, a `Supply` makes other feeds."""

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
        dtype = self._state.lines.dtype if resumed else None
        own = validation[0] is not None or validation[1] is not None
        split = self.early_stopping and not own
        held_out: Feed | None = None
        if isinstance(X, Supply):
            _require_alone(y, sample_weight)
            feed, held_out = X.feeds(self, resumed, split, random_state)
        else:
            feed = self._block(X, y, sample_weight, not resumed, dtype)
            self.__dict__.pop("n_bad_blocks_", None)  # of a source before
            if len(feed) and split:
                feed, held_out = self._split(feed, random_state)
        if len(feed) == 0:
            raise ValueError("All sample weights are zero: there is nothing to fit. Pass a positive sample_weight.")
        feed.normalise()
        if own:
            held_out = self._held_out(*validation, feed.dtype)
        return feed, held_out

    def _held_out(self, X: Any, y: Any, sample_weight: Any, dtype: Any) -> Feed:
        """The rows that a user holds out."""
        if isinstance(X, Supply):
            _require_alone(y, sample_weight)
            held_out = X.held_out(self, dtype)
        elif X is None or y is None:
            raise ValueError("X_val and y_val must be given together.")
        else:
            held_out = self._block(X, y, sample_weight, False, dtype, trained_on=False)
        if len(held_out) == 0:
            raise ValueError("All of sample_weight_val is zero: there is nothing to validate on.")
        return held_out

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

    # ---- what is no array --------------------------------------------------------------------------------------------

    @staticmethod
    def _truth(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Targets and weights to score predictions with."""
        if not isinstance(X, Supply):
            return y, sample_weight
        _require_alone(y, sample_weight)
        return X.truth()

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

    def _take_features(self, X: Any, names: Any, n_features: int, first: bool) -> None:
        """Take the number of the features, and their names or None, or hold them against the known ones."""
        if first:
            self.n_features_in_ = n_features
            self.__dict__.pop("feature_names_in_", None)
            if names is not None:
                self.feature_names_in_ = np.asarray(names, dtype=object)
            return
        if n_features != self.n_features_in_:
            raise ValueError(
                f"{X!r} has {n_features} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input."
            )
        known = getattr(self, "feature_names_in_", None)
        if known is not None and names is not None and list(known) != list(names):
            raise ValueError(
                f"{X!r} has the features {list(names)}, but the model was fitted to {list(known)}. Name them in this "
                "order, by features=[...]."
            )


def _require_alone(y: Any, sample_weight: Any) -> None:
    if y is not None or sample_weight is not None:
        name = "y" if y is not None else "sample_weight"
        raise ValueError(f"{name} must be None where X is a source, which gives targets and weights itself.")
