"""Libraries that only some sources need."""

from __future__ import annotations

import importlib
from typing import Any


def load(module: str, what: str) -> Any:
    """A module of a library that does not come with sksgd, for `what`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        remedy = "pip install 'sksgd[stream]'" if library == "pyarrow" else f"pip install {library}"
        raise ImportError(f"{what} needs {library}. Install it: {remedy}.") from error
