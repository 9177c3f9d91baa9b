"""SGDClassifier and SGDRegressor give scikit-learn's numbers: a sample of the grid in `same_numbers`.

The script there walks the whole grid; here the kernels to compile are few.
"""

import warnings

import numpy as np
import pytest
from same_numbers import AXES, MODES, Kernel, SGDClassifier, SGDRegressor, compare, describe, evidence, expect

CHUNKS, CELLS = 10, 25
SEED = 50

# Every loss with both layouts, dtypes and averages, with and without weights; every three of penalty, average, layout
# and dtype. Last, steps of passive-aggressive learning.
KERNELS = [
    Kernel("hinge", "elasticnet", False, "csr", "float32", True),
    Kernel("hinge", "l1", True, "csr", "float32", False),
    Kernel("hinge", None, False, "dense", "float64", True),
    Kernel("log_loss", "l1", True, "dense", "float32", True),
    Kernel("log_loss", "l2", False, "csr", "float64", False),
    Kernel("log_loss", None, True, "csr", "float64", True),
    Kernel("modified_huber", None, False, "dense", "float64", False),
    Kernel("modified_huber", "l2", True, "csr", "float32", True),
    Kernel("squared_hinge", "elasticnet", False, "csr", "float64", True),
    Kernel("squared_hinge", None, True, "dense", "float32", False),
    Kernel("squared_hinge", "l1", False, "dense", "float64", True),
    Kernel("perceptron", "l2", True, "dense", "float32", True),
    Kernel("perceptron", None, False, "csr", "float64", False),
    Kernel("squared_error", "elasticnet", False, "dense", "float64", False),
    Kernel("squared_error", None, True, "csr", "float32", True),
    Kernel("squared_error", "l1", False, "csr", "float64", True),
    Kernel("huber", "l2", True, "dense", "float64", True),
    Kernel("huber", "l1", False, "csr", "float32", True),
    Kernel("huber", "elasticnet", True, "dense", "float32", False),
    Kernel("epsilon_insensitive", None, False, "dense", "float32", True),
    Kernel("epsilon_insensitive", "l2", False, "csr", "float64", True),
    Kernel("epsilon_insensitive", "l1", True, "dense", "float64", False),
    Kernel("squared_epsilon_insensitive", "elasticnet", True, "csr", "float64", False),
    Kernel("squared_epsilon_insensitive", "l2", False, "dense", "float32", True),
    Kernel("hinge", "l2", False, "csr", "float32", True, "pa1"),
    Kernel("hinge", "elasticnet", True, "csr", "float64", True, "pa2"),
    Kernel("hinge", None, False, "dense", "float64", False, "pa2"),
    Kernel("epsilon_insensitive", "l1", True, "dense", "float64", True, "pa1"),
    Kernel("epsilon_insensitive", None, False, "csr", "float64", False, "pa1"),
    Kernel("epsilon_insensitive", "l2", True, "dense", "float32", True, "pa2"),
]


def sample(chunk):
    return list(evidence(CELLS, SEED + chunk, KERNELS))


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_same_numbers(chunk):
    records = [compare(cell) for cell in sample(chunk)]
    assert len(records) == CELLS
    assert "replaced" not in {record.verdict for record in records}
    unequal = [describe(record) for record in records if record.verdict != "equal"]
    assert not unequal, "\n".join([f"{len(unequal)} of {CELLS}", *unequal])


def test_sample_has_every_choice():
    cells = [cell for chunk in range(CHUNKS) for cell in sample(chunk)]
    for axis, values in AXES.items():
        assert {getattr(cell, axis) for cell in cells} == set(values), axis
    assert {cell.kernel for cell in cells} == set(KERNELS)
    results = [expect(cell)[0] for cell in cells]
    assert 0 < sum("error" in result for result in results) < 0.1 * len(cells)
    assert sum("ConvergenceWarning" in result["warnings"] for result in results) > 0.1 * len(cells)
    stopped = [cell for cell, result in zip(cells, results, strict=True) if result.get("n_iter_", 1) < cell.max_iter]
    assert sum("part" not in MODES[cell.mode] for cell in stopped) > 0.1 * len(cells)


def changed(base, change):
    class Changed(base):
        def fit(self, X, y, **options):
            super().fit(X, y, **options)
            change(self)
            return self

    return Changed


def move_coef(model):
    model.coef_ = model.coef_ + 2e-9 * max(1.0, np.abs(model.coef_).max(), np.abs(model.intercept_).max())


CHANGES = {
    "nothing": lambda model: None,
    "coef_": move_coef,
    "dtype": lambda model: setattr(model, "coef_", model.coef_.astype(np.float32)),
    "n_iter_": lambda model: setattr(model, "n_iter_", model.n_iter_ + 1),
    "t_": lambda model: setattr(model, "t_", model.t_ - 1.0),
    "random numbers": lambda model: model.random_state.randint(2**31 - 1),
    "warnings": lambda model: warnings.warn("Unlike scikit-learn", RuntimeWarning, stacklevel=2),
    "error": lambda model: model.score(None, None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_comparison_sees_small_changes(name):
    pair = [changed(base, CHANGES[name]) for base in (SGDClassifier, SGDRegressor)]
    cells = [cell for chunk in range(CHUNKS) for cell in sample(chunk) if len(MODES[cell.mode]) == 1]
    records = [compare(cell, *pair) for cell in cells if cell.dtype == "float64" and cell.random_state == "instance"]
    # Where a nudge moves the result, and where there is none, small changes are not seen.
    exact = [record for record in records if record.tolerance == 1e-9 and "error" not in expect(record.cell)[0]]
    assert len(exact) > 5
    assert {record.verdict for record in exact} == {"equal" if name == "nothing" else "unequal"}
