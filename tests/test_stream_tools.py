"""What fits over sources are made of: reading ahead, and numbers that are kept in files."""

import gc
import threading
import weakref

import numpy as np
import pytest
import scipy.sparse as sp
from streamed import TWO, X

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.stream import IterableSource, NumpySource
from sksgd.stream.ahead import ahead
from sksgd.stream.buffer import Buffer
from sksgd.stream.feed import StreamFeed
from sksgd.stream.spill import SHARE, Growing, room

ALIVE = weakref.WeakSet()


class Item:
    """Something that can be counted."""

    def __init__(self, number):
        self.number = number
        ALIVE.add(self)


def readers():
    return [thread for thread in threading.enumerate() if thread.name == "sksgd-reader"]


def items(n, made=None, error=None):
    for number in range(n):
        if made is not None:
            made.append(len(ALIVE) + 1)
        yield Item(number)
    if error is not None:
        raise error


def test_items_come_in_order_and_two_exist_at_most():
    made = []
    assert [item.number for item in ahead(lambda: items(50, made))] == list(range(50))
    assert max(made) == 2
    assert len(made) == 50
    assert not readers()


def test_the_next_item_is_made_while_one_is_worked_on():
    begun = threading.Event()

    def make():
        yield 0
        begun.set()
        yield 1

    found = ahead(make)
    assert next(found) == 0
    assert begun.wait(10)  # or nobody reads ahead
    assert list(found) == [1]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), MemoryError()])
def test_what_is_raised_comes_after_the_items_before_it(error):
    found = []
    with pytest.raises(type(error)) as raised:
        found.extend(item.number for item in ahead(lambda: items(3, error=error)))
    assert raised.value is error
    assert found == [0, 1, 2]
    assert not readers()


def test_an_error_before_the_first_item():
    def make():
        raise ValueError("no iterator")

    with pytest.raises(ValueError, match="no iterator"):
        next(ahead(make))
    assert not readers()


def test_who_stops_early_ends_the_thread_and_closes_the_iterator():
    closed = threading.Event()

    def make():
        try:
            yield from range(100)
        finally:
            closed.set()

    for item in ahead(make):
        if item == 3:
            break
    assert not readers()
    assert closed.is_set()
    with pytest.raises(ZeroDivisionError):
        sum(1 / item for item in ahead(make))
    assert not readers()


LIMIT = SHARE * 8 * 100  # a hundred numbers


def in_file(array):
    while array is not None:
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


@pytest.mark.parametrize(("n", "spilled"), [(100, False), (101, True)])
def test_room(n, spilled):
    array = room((n,), LIMIT)
    assert (array.shape, array.dtype, type(array), in_file(array)) == ((n,), np.float64, np.ndarray, spilled)
    array[:] = np.arange(n)
    assert array.sum() == n * (n - 1) / 2


@pytest.mark.parametrize("rest", [(), (3,)])
@pytest.mark.parametrize("limit", [1, LIMIT, 1 << 30])
def test_growing(rest, limit):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(int(n), *rest)) for n in rng.integers(0, 40, 30)]
    growing = Growing(limit)
    for part in parts:
        growing.append(part)
    expected = np.concatenate(parts)
    assert growing.n == len(expected)
    assert np.array_equal(growing.array(), expected)
    assert in_file(growing.array()) == (expected.nbytes > limit // SHARE)


def test_nothing_to_grow():
    assert Growing(LIMIT).array().shape == (0,)


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_rows_are_gathered_in_memory_that_is_used_again(form):
    rng = np.random.default_rng(0)
    rows = form(rng.normal(size=(90, 5)) * (rng.random((90, 5)) < 0.4))
    buffer = Buffer(50, rows[:0], np.dtype(float))
    for first, sizes in [(0, [20, 30]), (50, [7, 1, 10]), (40, [50])]:
        buffer.clear()
        last = first
        for size in sizes:
            buffer.add(rows[last : last + size])
            last += size
        found = buffer.rows()
        assert type(found) is type(rows)
        assert (found != rows[first:last]).sum() == 0
        if form is not np.asarray:
            assert found.indices.dtype == np.int32
            found.check_format(full_check=True)


def test_wide_sparse_rows():
    wide = sp.csr_array(([1.0, 2.0], np.array([3, 2**40]), np.array([0, 1, 2])), shape=(2, 2**41))
    buffer = Buffer(4, wide, np.dtype(np.float32))
    for _ in range(2):
        buffer.add(wide.astype(np.float32))
    found = buffer.rows()
    assert (found.dtype, found.shape, found.nnz) == (np.float32, (4, 2**41), 4)
    assert found.indices.tolist() == [3, 2**40] * 2


def test_a_long_list_is_shown_by_its_length():
    blocks = [(np.zeros((4, 2)), np.zeros(4))] * 60
    assert repr(IterableSource(blocks, block_rows=2)) == "IterableSource(<list of 60 items>, block_rows=2)"
    two = "(<ndarray of shape (4, 2)>, <ndarray of shape (4,)>)"
    assert repr(IterableSource(blocks[:2])) == f"IterableSource([{two}, {two}])"


def test_a_source_is_shown_as_often_whatever_the_number_of_passes():
    class Shown(NumpySource):
        times = 0

        def __repr__(self):
            Shown.times += 1
            return "a source"

    source, times = Shown(np.eye(40), np.arange(40), block_rows=4, buffer_rows=8), []
    for max_iter in (1, 3):
        Shown.times = 0
        LinearRegressor(optimizer="sgd", max_iter=max_iter, tol=None).fit(source)
        times.append(Shown.times)
    assert times[0] == times[1]


@pytest.mark.parametrize("params", [{"optimizer": "adagrad", "learning_rate": 0.5}, {}, {"optimizer": "svrg"}], ids=str)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_temporary_files_go_when_a_fit_ends(params, early_stopping, monkeypatch):
    feeds, init = [], StreamFeed.__init__

    def noted(self, *args):
        init(self, *args)
        feeds.append(weakref.ref(self))

    monkeypatch.setattr(StreamFeed, "__init__", noted)
    source = NumpySource(X, TWO, block_rows=20, buffer_rows=40, memory_limit=4000)
    model = LogisticClassifier(**params, early_stopping=early_stopping, max_iter=2, tol=None, random_state=0)
    gc.disable()  # which would find them some time later
    try:
        model.fit(source)
        assert len(feeds) == 1 + early_stopping
        assert not any(feed() for feed in feeds)
    finally:
        gc.enable()
