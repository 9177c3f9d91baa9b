"""What a source of blocks is: the base class of all of them."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core.feed import Feed
from ..core.supply import Supply
from .options import Options
from .reading import Reading, checked, checked_targets

__all__ = ["Source"]

#: X, y or None, and row weights or None.
Block = tuple[Any, Any, np.ndarray | None]


class Source(Options, Supply):
    """Rows that are read block by block, again in every pass, and never held all at once.

    A source takes the place of `X` in `fit`, and has the targets in it. It consists of `n_parts` parts (files, row
    groups, ranges of bytes or rows), which can be read in any order and any number of times. A part is read in blocks,
    the same ones in the same order each time.

    To write one, define `blocks`, and `n_parts` where there are several. Blocks are checked, cut where they have too
    many rows, and left out where they have none, so `blocks` need not care. The rest is optional: `feature_names`,
    `row_bytes` and `n_rows` where they are known, `name` for messages, `targets` where these can be read alone.

    A source holds no open file and no data that its user did not hand to it; it can be pickled and sent to a worker.

    Parameters
    ----------
    memory_limit : int or str, default="512MiB"
        What all blocks in memory may take together, in bytes, or as a string such as "1GB" or "512MiB".
    block_rows : int, default=None
        The most rows of a block. None: a power of two (at least 256), such that a block takes about a 32nd of
        `memory_limit`.
    buffer_rows : int, default=None
        Rows of the buffer in which `fit` shuffles. None: what fits a quarter of `memory_limit`.
    classes : array-like, default=None
        All class labels, where they are known; else a classifier reads all targets once to learn them.
    on_bad_block : {"raise", "skip"}, default="raise"
        Whether a block that cannot be used is an error, or is left out and counted.

    Attributes
    ----------
    feature_names : list of str or None
        The columns of X, if they have names. Data frames are put in this order, else in that of the first of a part.
    n_features : int or None
        Their number, if it is known before reading.
    labelled : bool
        Whether there are targets, without which rows are for predictions only. Of single blocks y tells.
    n_parts : int
        How many parts there are.
    row_bytes : float or None
        About how many bytes a row takes in memory, if it is known before reading.

    Examples
    --------
    A source of one's own:

    >>> import numpy as np
    >>> from sksgd.stream import Source
    >>> class Sensors(Source):
    ...     n_parts = 3
    ...
    ...     def blocks(self, part):
    ...         rng = np.random.default_rng(part)
    ...         X = rng.normal(size=(5, 2))
    ...         yield X, X.sum(axis=1)
    >>> source = Sensors(block_rows=4)
    >>> [X.shape for X, y, sample_weight in source.read(0)]
    [(4, 2), (1, 2)]
    >>> [len(y) for y, sample_weight in source.take([1, 2]).read_targets(1)]
    [4, 1]
    """

    n_parts: int = 1
    feature_names: list[str] | None = None
    labelled: bool = True

    # ---- what a source defines ---------------------------------------------------------------------------------------

    def blocks(self, part: int) -> Iterator[Any]:
        """Yield ``(X, y)`` or ``(X, y, sample_weight)``, the same in every call; y may be None for predictions.

        Parameters
        ----------
        part : int
            The number of the part, from 0 to ``n_parts - 1``.
        """
        raise NotImplementedError

    def targets(self, part: int) -> Iterator[Any]:
        """Yield ``(y, sample_weight)`` of the blocks that `read` gives; to be defined where X need not be read for it.

        Parameters
        ----------
        part : int
            The number of the part.
        """
        return map(operator.itemgetter(1, 2), self.read(part))

    def frames(self, part: int) -> Iterator[Any]:
        """What a transformer gets: blocks like those of `read`, with X as a data frame where columns have names.

        Parameters
        ----------
        part : int
            The number of the part.
        """
        return self.read(part)

    def name(self, part: int) -> str:
        """What a part is called in messages.

        Parameters
        ----------
        part : int
            The number of the part.

        Returns
        -------
        name : str
        """
        return f"part {part}"

    def n_rows(self, part: int) -> int | None:
        """The number of rows of a part where it is known without reading, else None.

        Parameters
        ----------
        part : int
            The number of the part.

        Returns
        -------
        n_rows : int or None
        """
        return None

    @property
    def n_features(self) -> int | None:
        """The number of columns of X, where it is known before reading."""
        return None if self.feature_names is None else len(self.feature_names)

    def unlabelled(self) -> Source:
        """The same rows, with None for targets and weights where these need not be read.

        Returns
        -------
        source : Source
        """
        return self

    # ---- what is read from it ----------------------------------------------------------------------------------------

    def read(self, part: int) -> Iterator[Block]:
        """The blocks of a part.

        Parameters
        ----------
        part : int
            The number of the part.

        Returns
        -------
        blocks : iterator of (X, y, sample_weight)
            X is a C-ordered array or a CSR matrix of shape (n, n_features), float64 or float32, y an array of shape
            (n,) or (n, K), or None where there are no targets, sample_weight an array of shape (n,), float64, or None.
            After a `BlockError` the iterator goes on with the next block if the part can be read on, and ends
            otherwise. An error takes the place of a block.

        Raises
        ------
        BlockError
            By the iterator, where a block cannot be read or used.
        """
        return Reading(self, part, iter(self.blocks(self._known(part))), checked)

    def read_targets(self, part: int) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """The targets and weights of the blocks that `read` gives, without the rows where the format allows.

        Parameters
        ----------
        part : int
            The number of the part.

        Returns
        -------
        blocks : iterator of (y, sample_weight)

        Raises
        ------
        BlockError
            By the iterator, as in `read`.
        """
        return Reading(self, part, iter(self.targets(self._known(part))), checked_targets)

    def take(self, parts: Sequence[int]) -> Source:
        """A source of some of the parts.

        Parameters
        ----------
        parts : sequence of int
            The numbers of the parts; in the new source they are 0, 1, 2 ...

        Returns
        -------
        source : Source
        """
        from .parts import Parts

        return Parts(self, parts)

    def transform(self, transformer: Any, columns: str | list[str] | None = None) -> Source:
        """A source whose X goes through a transformer, block by block.

        Parameters
        ----------
        transformer : transformer or pipeline
            Fitted (see `fitted`), or one that need not be, such as `HashingVectorizer`. Sparse results stay sparse.
            Where columns have names it gets a pandas data frame; if it was fitted without names, an array.
        columns : str or list of str, default=None
            The columns that it gets: one as a series, a list as a data frame; None for all. Others are dropped: to
            keep them, use `ColumnTransformer`.

        Returns
        -------
        source : Source

        Raises
        ------
        ValueError
            If the transformer has to be fitted first.
        """
        from .transformed import Transformed

        return Transformed(self, transformer, columns)

    def fitted(self, transformer: Any, columns: str | list[str] | None = None) -> Any:
        """A clone of a transformer, fitted in one pass over the source by its `partial_fit`.

        Parameters
        ----------
        transformer : transformer
            One with `partial_fit`, such as `StandardScaler`. Row weights are not used.
        columns : str or list of str, default=None
            As in `transform`.

        Returns
        -------
        transformer : transformer
            For `transform`, of this source and of others.

        Raises
        ------
        ValueError
            If it has no `partial_fit`, or the source no rows.
        """
        from .transformed import fitted

        return fitted(self, transformer, columns)

    # ---- what estimators ask of it -----------------------------------------------------------------------------------

    def feeds(
        self, estimator: Any, resumed: bool, split: bool, random_state: np.random.RandomState
    ) -> tuple[Feed, Feed | None]:
        """The rows of a `fit`, see `sksgd.core.supply`."""
        from . import intake

        return intake.feeds(self, estimator, resumed, split, random_state)

    def held_out(self, estimator: Any, dtype: Any) -> Feed:
        """The rows as `X_val`, see `sksgd.core.supply`."""
        from . import intake

        return intake.held_out(self, estimator, dtype)

    def scores(self, estimator: Any, coef: Any, intercept: np.ndarray) -> np.ndarray:
        """Raw predictions, see `sksgd.core.supply`."""
        from . import intake

        return intake.scores(self, estimator, coef, intercept)

    def truth(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Targets and weights of all rows, see `sksgd.core.supply`."""
        from . import intake

        return intake.truth(self)

    def _known(self, part: int) -> int:
        if not 0 <= part < self.n_parts:
            raise IndexError(f"{self!r} has the parts 0 to {self.n_parts - 1}, not {part}.")
        return part
