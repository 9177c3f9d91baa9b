"""Sources of blocks, for data larger than memory: `fit` takes one in the place of `X`.

A source reads its rows part by part and block by block, again in every pass. Files in columns are read by pyarrow, the
extra ``stream``.

>>> import numpy as np
>>> from sksgd.stream import NumpySource
>>> source = NumpySource(np.arange(12.0).reshape(6, 2), np.arange(6), block_rows=4)
>>> for part in range(source.n_parts):
...     for X, y, sample_weight in source.read(part):
...         print(X.shape, y)
(4, 2) [0 1 2 3]
(2, 2) [4 5]
"""

from ..core.errors import BlockError
from .arrays import NumpySource
from .arrow import ArrowSource
from .csv import CSVSource
from .iterable import IterableSource
from .parquet import ParquetSource
from .source import Source
from .svmlight import SVMLightSource

__all__ = [
    "ArrowSource",
    "BlockError",
    "CSVSource",
    "IterableSource",
    "NumpySource",
    "ParquetSource",
    "SVMLightSource",
    "Source",
]
