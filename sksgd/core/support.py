"""What every estimator that trains needs: tasks of scikit-learn's callbacks, and errors that change nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from sklearn.callback import CallbackSupportMixin


class TrainingSupport(CallbackSupportMixin):
    """A mixin for estimators."""

    @contextlib.contextmanager
    def _task(self, context: Any, X: Any, y: Any) -> Iterator[Callable[..., bool]]:
        """A task of scikit-learn's callbacks; it ends when told to, at the latest on leaving, whatever happens."""
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        open_ = True

        def end(**of_task: Any) -> bool:
            nonlocal open_
            open_ = False
            return context.call_on_fit_task_end(estimator=self, X=X, y=y, **of_task)

        try:
            yield end
        finally:
            if open_:
                end()

    @contextlib.contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        """Put all fitted attributes back if anything is raised."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException:
            kept = {k: v for k, v in self.__dict__.items() if k.startswith(("_skl", "_callback", "_parent"))}
            self.__dict__.clear()
            self.__dict__.update(before | kept)
            raise
