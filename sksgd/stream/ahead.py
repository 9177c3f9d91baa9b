"""Reading ahead: what comes next is made ready in a thread while the present one is worked on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(make: Callable[[], Iterator[T]]) -> Iterator[T]:
    """The items of ``make()``, of which one is made while the caller has the one before: two exist at a time.

    What the iterator raises is raised here, after the items before it. The thread ends with this generator.
    """
    items: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue()
    wanted, closed = threading.Semaphore(1), threading.Event()

    def run() -> None:
        iterator: Any = None
        try:
            iterator = make()
            while wanted.acquire() and not closed.is_set():
                items.put((next(iterator), None))
        except BaseException as error:
            items.put((None, error))
        finally:
            del iterator  # which may hold files open

    thread = threading.Thread(target=run, name="sksgd-reader", daemon=True)
    thread.start()
    try:
        while True:
            item, error = items.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            wanted.release()
            yield item
            del item
    finally:
        closed.set()
        wanted.release()
        thread.join()
