"""Labels as the codes that losses want, and the weights of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from ..core.targets import distinct


class ClassTargets:
    """A mixin for a classifier: the second of two classes is 1, the first 0; of more, each is its number."""

    class_weight: Any

    def _check_targets(self, y: Any, first: bool, classes: Any = None) -> None:
        found = distinct(y)
        check_classification_targets(found)
        if first:
            self.classes_ = found if classes is None else np.unique(classes)
            self._class_counts = np.zeros(len(self.classes_))
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(f"classes={classes!r} are not those of the first call: {self.classes_!r}.")
        unknown = np.setdiff1d(found, self.classes_)
        if unknown.size:
            raise ValueError(
                f"y contains labels not seen before: {unknown!r}. The classes of the model are {self.classes_!r}: name "
                "all of them in the first call of partial_fit, or fit anew."
            )
        if len(self.classes_) < 2:
            raise ValueError(
                f"LogisticClassifier needs at least 2 classes; the data has 1 class: {self.classes_[0]!r}."
            )

    def _encode(self, y: Any) -> np.ndarray:
        codes = y == self.classes_[1] if len(self.classes_) == 2 else np.searchsorted(self.classes_, y)
        return np.asarray(codes, dtype=np.float64).reshape(-1, 1)

    def _count_targets(self, coded: np.ndarray, sample_weight: np.ndarray | None, running: bool) -> None:
        codes, classes = coded[:, 0].astype(np.intp), np.arange(len(self.classes_))
        weight = np.ones(len(codes)) if sample_weight is None else sample_weight
        before = self._class_counts if running else np.zeros(len(classes))
        # Added one by one to what was there, so that the sums are the same to the last bit however rows are cut.
        counts: Any = np.bincount(np.append(classes, codes), weights=np.append(before, weight))
        self._class_counts = counts

    def _target_weights(self, coded: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return sample_weight
        if self.class_weight == "balanced":
            counts = self._class_counts
            seen = counts > 0
            of_class = np.zeros(len(counts))
            of_class[seen] = counts.sum() / (seen.sum() * counts[seen])
        else:
            of_class = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_)
            if not (np.isfinite(of_class).all() and (of_class >= 0).all()):
                raise InvalidParameterError(
                    "The 'class_weight' parameter must have finite weights of at least 0. "
                    f"Got {self.class_weight!r} instead."
                )
        weights = of_class[coded[:, 0].astype(np.intp)]
        return weights if sample_weight is None else weights * sample_weight

    @property
    def _n_outputs(self) -> int:
        return 1 if len(self.classes_) == 2 else len(self.classes_)
