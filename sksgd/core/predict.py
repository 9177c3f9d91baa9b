"""Raw predictions, without a pass over X to see whether it is finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import validate_data

from .arrays import unlocked

#: Values of X from which on a compiled kernel is worth being loaded.
LARGE = 1 << 18


def raw_scores(estimator: Any, X: Any, coef: Any, intercept: np.ndarray, dtype: Any = "numeric") -> np.ndarray:
    """X w + b of shape (n, K), for coef of shape (K, d) and intercept of shape (K,), validated as scikit-learn does.

    Where X is not finite, neither are the products: only then X itself is looked at.
    """
    checked = None if sp.issparse(coef) else _plain_array(estimator, X)
    if checked is None:
        # A product of two sparse arrays does not see what falls on a zero.
        finite = sp.issparse(coef)
        checked = validate_data(estimator, X, accept_sparse="csr", dtype=dtype, reset=False, ensure_all_finite=finite)
    with np.errstate(all="ignore"):
        scores = product(checked, coef, intercept)
        finite = np.isfinite(scores.sum())
    if not finite:
        assert_all_finite(checked, estimator_name=type(estimator).__name__, input_name="X")
    return scores


def two_class_probabilities(scores: np.ndarray) -> np.ndarray:
    """The probabilities of two classes, of shape (n, 2), from the log-odds of the second."""
    if len(scores) < LARGE // 8:
        positive = expit(scores)
        return np.stack([1 - positive, positive], axis=1)
    from ..kernels.predict import two_probabilities

    out = np.empty((len(scores), 2), scores.dtype)
    two_probabilities(scores, out)
    return out


def product(X: Any, coef: Any, intercept: np.ndarray) -> np.ndarray:
    """X w + b of shape (n, K), for rows that need no check."""
    if is_clean(X) and type(coef) is np.ndarray and len(coef) == 1 and X.size >= LARGE:
        from ..kernels.predict import dense_scores

        out = np.empty((len(X), 1), np.result_type(X, coef, intercept))
        dense_scores(unlocked(X), np.ascontiguousarray(coef).ravel(), float(intercept[0]), out)
        return out
    scores = X @ coef.T
    scores = scores.toarray() if sp.issparse(scores) else scores
    if np.result_type(scores, intercept) == scores.dtype:
        scores += intercept
        return scores
    return scores + intercept


def is_clean(X: Any) -> bool:
    """Whether there is nothing to convert, and nothing to check but the values and their number."""
    return (
        type(X) is np.ndarray
        and X.dtype.char in "df"
        and X.dtype.isnative
        and X.ndim == 2
        and X.size > 0
        and X.flags.c_contiguous
    )


def _plain_array(estimator: Any, X: Any) -> Any:
    """X if there is nothing to check about it but its values, else None."""
    width = getattr(estimator, "n_features_in_", None)  # None where somebody set the coefficients by hand
    known = is_clean(X) and width in (None, X.shape[1]) and not hasattr(estimator, "feature_names_in_")
    return X if known else None
