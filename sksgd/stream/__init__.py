"""Sources of blocks, for data larger than memory: `fit` takes one in the place of `X`.

>>> import numpy as np
>>> from sksgd.stream import Source
"""

from .errors import BlockError
from .source import Source

__all__ = ["BlockError", "Source"]
