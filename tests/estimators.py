"""Data and small helpers for the tests of the estimators."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).parent.parent

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
SIGNAL = X @ [1.0, -2.0, 0.0, 0.5] + 1.0
Y = SIGNAL + 0.1 * rng.normal(size=60)
TWO = np.where(SIGNAL + rng.normal(size=60) > 1, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.digitize(SIGNAL + rng.normal(size=60), [0.0, 2.0])]
WEIGHT = rng.uniform(0.5, 2.0, size=60)


def weights(model: Any) -> np.ndarray:
    """All coefficients and intercepts in one vector."""
    return np.concatenate([np.ravel(model.coef_), model.intercept_])


def assert_same(first: Any, second: Any, rtol: float = 0.0) -> None:
    """Assert that two models have equal weights: bitwise unless `rtol` is given."""
    np.testing.assert_allclose(weights(first), weights(second), rtol=rtol, atol=rtol)


def snapshot(model: Any) -> dict[str, Any]:
    """All that a model holds, in a form that later training cannot change and `==` compares."""
    held = {name: _frozen(value) for name, value in vars(model).items()}
    if "_state" in held:
        # `_read` only remembers what was computed from the rest.
        held["_state"] = {name: _frozen(value) for name, value in vars(model._state).items() if name != "_read"}
    return held


def _frozen(value: Any) -> Any:
    return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else repr(value)


def run(code: str, *arguments: Any, **environment: Any) -> str:
    """What a fresh interpreter prints for this code."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **{key: str(value) for key, value in environment.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
