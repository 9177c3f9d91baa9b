"""Callbacks of scikit-learn's protocol, for ``estimator.set_callbacks(...)``."""

from __future__ import annotations

import contextlib
import os
import pickle
import time
from pathlib import Path
from typing import Any

from .checks import require_count, require_not_negative

__all__ = ["Checkpoint"]


class Checkpoint:
    """Writes the state of a fit to a file, from which the same fit goes on after the process was killed.

    Run the same script again: `fit` finds the file of an unfinished fit with the same parameters and the same data,
    goes on from there, and ends with the same model, to the last bit, as if it had not been killed. (SVRG without a
    checkpoint differs in the last bits.) When it is done, the file holds the fitted model. A fit that finds a finished
    one begins anew.

    A file is written beside its place and moved there in one step, so that it is always whole. Within a search, which
    fits many copies of an estimator, each of them has a file of its own: the numbers of its tasks follow the name.

    Optimizers with a rate, on sources (see `sksgd.stream`), go on from the last buffer of rows; all others from the
    last whole pass. `partial_fit` has no callbacks: `save` the model between two calls.

    Parameters
    ----------
    path : str or Path
        The file.
    every : int, default=1
        Write after so many blocks, or passes where these are not told of in blocks.
    seconds : float, default=0
        And not before so many seconds have passed since the last writing.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sksgd import LinearRegressor
    >>> from sksgd.callbacks import Checkpoint
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(pathlib.Path(folder) / "model.ckpt")
    ...     model = LinearRegressor().set_callbacks(checkpoint).fit(X, y)
    ...     same = checkpoint.load()
    >>> bool((same.coef_ == model.coef_).all())
    True
    """

    def __init__(self, path: str | os.PathLike[str], *, every: int = 1, seconds: float = 0.0):
        self.path, self.every, self.seconds = Path(path), every, seconds
        require_count(self, "every")
        require_not_negative(self, "seconds")
        #: By file, blocks since it was written, and when that was.
        self._since: dict[Path, tuple[int, float]] = {}

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, every={self.every}, seconds={self.seconds})"

    # ---- files -------------------------------------------------------------------------------------------------------

    def save(self, estimator: Any) -> None:
        """Write an estimator to the file.

        Parameters
        ----------
        estimator : estimator
            Between two calls of `partial_fit`, for example.
        """
        _write(self.path, estimator)

    def load(self) -> Any:
        """The estimator in the file: the fitted model or, where a fit is not done, the model as it was then.

        Files are pickles: load none from somebody you do not trust.

        Returns
        -------
        estimator : estimator
        """
        with self.path.open("rb") as file:
            return pickle.load(file)

    def unfinished(self, context: Any) -> Any:
        """The estimator of an unfinished fit, for the task of a fit that is about to begin; None if there is none."""
        path = self._file(context)
        try:
            with path.open("rb") as file:
                saved = pickle.load(file)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise ValueError(
                f"{self!r} cannot read {path}: {error!r}. Remove the file to begin anew, or choose another path."
            ) from error
        return saved if getattr(saved, "_unfinished", None) is not None else None

    def _file(self, context: Any) -> Path:
        """The file of the fit that a task belongs to."""
        while context.task_name in ("pass", "block"):
            context = context.parent
        tasks: list[str] = []
        while context.parent is not None:
            tasks.insert(0, str(context.task_id))
            context = context.parent
        return self.path.with_name("-".join([self.path.stem, *tasks]) + self.path.suffix)

    # ---- the protocol ------------------------------------------------------------------------------------------------

    def setup(self, estimator: Any, context: Any) -> None:
        """Hold the folder against the disk, before a fit that could not write later."""
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"{self!r} cannot write, there is no folder {str(self.path.parent)!r}. Make it, or choose another path."
            )

    def teardown(self, estimator: Any, context: Any) -> None:
        """Nothing is to be done after a fit."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Nothing is to be done before a task."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> None:
        """Write the file where it is due, and in any case at the end of a fit."""
        if fitted_estimator is None:
            return
        path, now = self._file(context), time.monotonic()
        count, last = self._since.get(path, (0, now if self.seconds else -1.0))
        count += 1
        done = context.task_name not in ("pass", "block")
        if done or (count >= self.every and now - last >= self.seconds):
            _write(path, fitted_estimator)
            count, last = 0, now
        self._since[path] = count, last
        if done:
            del self._since[path]


def _write(path: Path, estimator: Any) -> None:
    """Write a file, or leave what was there."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            pickle.dump(estimator, file, protocol=pickle.HIGHEST_PROTOCOL)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
