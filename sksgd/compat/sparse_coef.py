"""Sparse coefficients, as scikit-learn has them."""

from __future__ import annotations

from typing import Any, Self

import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils.validation import check_is_fitted


def dense(coef: Any) -> Any:
    """Coefficients as an array."""
    return coef.toarray() if sp.issparse(coef) else coef


class SparseCoef:
    """A mixin: `coef_` as a sparse matrix and back."""

    coef_: Any

    def sparsify(self) -> Self:
        """Make `coef_` a sparse matrix, which is smaller where most coefficients are 0.

        Returns
        -------
        self : estimator instance
        """
        check_is_fitted(self, msg="Estimator, %(name)s, must be fitted before sparsifying.")
        coef = sp.csr_array(self.coef_)
        self.coef_ = sp.csr_matrix(coef) if get_config()["sparse_interface"] == "spmatrix" else coef
        return self

    def densify(self) -> Self:
        """Make `coef_` an array again.

        Returns
        -------
        self : estimator instance
        """
        check_is_fitted(self, msg="Estimator, %(name)s, must be fitted before densifying.")
        if sp.issparse(self.coef_):
            self.coef_ = self.coef_.toarray()
        return self
