"""What comes into a call of a drop-in estimator: rows, targets and weights, those to hold out, and where to start."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import _check_sample_weight, validate_data

from ..core.batches import Block
from ..core.predict import is_clean
from ..core.targets import is_clean_target
from .parameters import SGDParameters


class SGDInputs(SGDParameters):
    """The arguments of `fit` and `partial_fit`, checked by scikit-learn's rules."""

    def _validate(self, X: Any, y: Any, first: bool) -> tuple[Any, Any]:
        """X (C-ordered or CSR) and y. Whether X is finite shows in the predictions, if every row is visited."""
        if self._is_plain and self.sampling is None and is_clean(X) and is_clean_target(y) and len(X) == len(y):
            # Nothing to convert; scikit-learn takes 130 microseconds to find that out.
            if first:
                self.__dict__.pop("feature_names_in_", None)
                self.n_features_in_ = X.shape[1]
            if X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
                return X, y
        return validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            order="C",
            reset=first,
            ensure_all_finite=not (self._is_plain and self.sampling is None),
        )

    def _check_finite(self, X: Any) -> None:
        """Raise scikit-learn's error if X is not finite."""
        assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")

    def _check_weights(self, sample_weight: Any, X: Any) -> np.ndarray | None:
        """Weights in the dtype of X, or None where all are 1."""
        if sample_weight is None:
            return None
        return _check_sample_weight(
            sample_weight, X, dtype=X.dtype, allow_all_zero_weights=is_classifier(self) and self.early_stopping
        )

    def _split(self, y: np.ndarray, used: np.ndarray | None) -> tuple[np.ndarray, np.ndarray] | None:
        """Numbers of the rows to train on and to hold out; `used` tells rows of weight above zero."""
        if not self.early_stopping:
            return None
        splitter = StratifiedShuffleSplit if is_classifier(self) else ShuffleSplit
        split = splitter(test_size=self.validation_fraction, random_state=self.random_state)
        train, held_out = next(split.split(np.zeros((len(y), 1)), y))
        if used is not None and not used[held_out].any():
            raise ValueError(
                "The sample weights for validation set are all zero, consider using a different random state."
            )
        if len(train) == 0 or len(held_out) == 0:
            raise ValueError(
                f"Splitting {len(y)} samples into a train set and a validation set with "
                f"validation_fraction={self.validation_fraction!r} led to an empty set ({len(train)} and "
                f"{len(held_out)} samples). Please either change validation_fraction, increase number of samples, or "
                "disable early_stopping."
            )
        return np.sort(train), np.sort(held_out)

    def _held_out(self, X: Any, y: np.ndarray, weight: Any, given: Any, split: Any) -> tuple[Any, Any, Any] | None:
        """Held-out rows, targets and weights: the user's own, or the second part of a split of X."""
        X_val, y_val, weight_val = given
        if X_val is not None and y_val is not None:
            X_val, y_val = validate_data(self, X_val, y_val, accept_sparse="csr", dtype=X.dtype, order="C", reset=False)
            if weight_val is not None:
                weight_val = _check_sample_weight(weight_val, X_val, dtype=X.dtype)
            return X_val, y_val, weight_val
        if X_val is not None or y_val is not None:
            raise ValueError("X_val and y_val must be given together.")
        if split is None:
            return None
        self._check_finite(X[split[1]])
        return X[split[1]], y[split[1]], None if weight is None else weight[split[1]]

    def _starts(self, K: int, d: int, dtype: Any, init: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (K, d) and intercepts (K,) to start from; K = 1 unless there are more than two classes."""
        shape, name = ((K, d), "``coef_``") if K > 1 else ((d,), "coef_init")
        coef, intercept = np.zeros((K, d), dtype), np.zeros(K, dtype)
        if init[0] is not None:
            given = np.array(init[0], dtype=dtype)
            given = given if K > 1 else given.ravel()
            if given.shape != shape:
                raise ValueError(f"Provided {name} does not match dataset. It has shape {given.shape}, not {shape}.")
            coef = given.reshape(K, d)
        if init[1] is not None:
            given = np.array(init[1], dtype=dtype)
            if given.shape != (K,) and not (K == 1 and given.shape == ()):
                raise ValueError(f"Provided intercept_init does not match dataset. It has shape {given.shape}.")
            intercept = given.reshape(K)
        return coef, intercept

    def _block(self, X: Any, y: np.ndarray, weight: np.ndarray | None) -> Block:
        return Block(X, y.reshape(-1, 1), weight, as_given=self._is_plain)
