"""Fits over sources that go wrong: what the errors name, and the model that is left behind."""

import contextlib
import re
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from estimators import assert_same, snapshot
from sklearn.base import clone
from streamed import ADAGRAD, THREE, TWO, Arm, Callback, D, N, Rows, X, Y

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.stream import BlockError, IterableSource, NumpySource, ParquetSource, Source

PARAMS = {"adagrad": ADAGRAD, "newton": {"tol": 1e-12}}
SMALL = {"block_rows": 20, "buffer_rows": 40}


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "sksgd-reader"]


def nan(rows, y):
    rows = rows.copy()
    rows[3, 2] = np.nan
    return rows, y


def shorter(rows, y):
    return rows[:-1], y[:-1]


def raising(error):
    def fault(rows, y):
        raise error

    return fault


class ReadTogether(Rows):
    """Targets are read with the rows."""

    targets = Source.targets


#: What can be wrong with a block that was good when its targets were read, and how the error says so.
FAULTS = {
    "nan": (nan, "half 1, block 2, column '2': X has NaN or infinity"),
    "shorter": (shorter, "half 1, block 2: it has 19 rows, but had 20 when it was read before"),
    "sparse": (lambda rows, y: (sp.csr_array(rows), y), "half 1, block 2: X is sparse with 4 features"),
    "narrower": (lambda rows, y: (rows[:, :3], y), "half 1, block 2: X has 3 columns, where 4 are expected"),
    "broken": (raising(OSError("no disk")), "half 1, block 2: cannot be read: OSError: no disk"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_block_in_the_first_pass(fault):
    make, message = FAULTS[fault]
    source = Rows(X, TWO, {(1, 2): make}, buffer_rows=40)
    model = LogisticClassifier(**ADAGRAD)
    with pytest.raises(BlockError, match=re.escape(message)):
        model.fit(source)
    good = source.before(1, 2)
    # It is as after the last good block, and goes on from there.
    assert_same(model, LogisticClassifier(**{**ADAGRAD, "max_iter": 1}).fit(X[good], TWO[good]))
    assert (model.n_samples_seen_, model.n_iter_, model.loss_curve_) == (good.stop, 0, [])
    assert message in model.stop_reason_
    expected = LogisticClassifier(**ADAGRAD).partial_fit(X[good], TWO[good], classes=np.unique(TWO))
    assert_same(model.partial_fit(X, TWO), expected.partial_fit(X, TWO))


def test_bad_block_in_a_later_pass():
    source = Rows(X, TWO, {(1, 2): nan}, armed=False, buffer_rows=40)
    model = LogisticClassifier(**ADAGRAD).set_callbacks(Arm(source, 1))
    with pytest.raises(BlockError, match="half 1, block 2, column '2'"):
        model.fit(source)
    good = source.before(1, 2)
    expected = LogisticClassifier(**ADAGRAD).partial_fit(X, TWO, classes=np.unique(TWO))
    assert_same(model, expected.partial_fit(X[good], TWO[good]))
    assert (model.n_samples_seen_, model.n_iter_, len(model.loss_curve_)) == (N + good.stop, 1, 1)


def test_bad_block_in_a_pass_of_newton():
    source = Rows(X, TWO, {(1, 2): nan}, armed=False, buffer_rows=40)
    model = LogisticClassifier(tol=1e-12).set_callbacks(Arm(source, 1))
    with pytest.raises(BlockError, match="half 1, block 2, column '2'"):
        model.fit(source)
    with pytest.warns(match="max_iter=1 passes"):
        one = LogisticClassifier(tol=1e-12, max_iter=1).fit(Rows(X, TWO, buffer_rows=40))
    assert_same(model, one)  # which takes all blocks or none
    assert model.loss_curve_ == one.loss_curve_


@pytest.mark.parametrize("params", PARAMS)
def test_interrupted(params):
    source = Rows(X, TWO, {(1, 2): raising(KeyboardInterrupt)}, armed=False, buffer_rows=40)
    kind = LogisticClassifier(**PARAMS[params])
    with pytest.raises(KeyboardInterrupt):
        kind.set_callbacks(Arm(source, 2)).fit(source)
    with pytest.warns(match="max_iter=2 passes") if params == "newton" else contextlib.nullcontext():
        whole = LogisticClassifier(**{**PARAMS[params], "max_iter": 2}).fit(Rows(X, TWO, buffer_rows=40))
    assert_same(kind, whole)
    assert (kind.stop_reason_, kind.n_samples_seen_) == ("interrupted", 2 * N)
    assert kind.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("params", PARAMS)
@pytest.mark.parametrize("fault", [nan, raising(OSError()), lambda rows, y: (rows, np.full(len(y), "other"))])
def test_bad_block_in_the_first_reading(params, fault):
    model = LogisticClassifier(**PARAMS[params]).fit(X, TWO)
    before = snapshot(model)

    source = ReadTogether(X, TWO, {(0, 0): fault}, buffer_rows=40, classes=["no", "yes"])
    with pytest.raises(BlockError, match="half 0, block 0"):
        model.fit(source)
    assert snapshot(model) == before


def test_part_that_ends_early():
    class Ending(Rows):
        def blocks(self, part):
            blocks = list(super().blocks(part))
            return iter(blocks[: 2 if part else None])

    model, source = LogisticClassifier(**ADAGRAD), Ending(X, TWO, buffer_rows=40)
    with pytest.raises(BlockError, match="half 1: it has 2 blocks, but had 5 when it was read before"):
        model.fit(source)
    assert model.n_samples_seen_ == source.before(1, 2).stop


@pytest.mark.parametrize("params", PARAMS)
def test_bad_blocks_are_skipped_and_counted(params):
    faults = {(0, 1): nan, (1, 2): raising(OSError()), (1, 0): lambda rows, y: (rows, np.full(len(y), "other"))}
    source = ReadTogether(X, TWO, faults, on_bad_block="skip", buffer_rows=40, classes=["no", "yes"])
    model = LogisticClassifier(**PARAMS[params]).fit(source)
    assert model.n_bad_blocks_ == 3
    good = np.ones(N, bool)
    for part, number in faults:
        good[source.places[part][number]] = False
    expected = LogisticClassifier(**PARAMS[params]).fit(X[good], TWO[good])
    assert_same(model, expected, rtol=1e-10 if params == "newton" else 0.0)
    assert model.n_samples_seen_ == model.n_iter_ * good.sum()
    model.fit(Rows(X, TWO, buffer_rows=40))
    assert model.n_bad_blocks_ == 0


def test_a_file_with_nan(tmp_path):
    for i in range(2):
        frame = pd.DataFrame(X[:100], columns=["a", "b", "c", "d"]).assign(y=Y[:100, 0])
        if i:
            frame.loc[45, "c"] = np.nan
        pq.write_table(pa.Table.from_pandas(frame), tmp_path / f"{i}.parquet", row_group_size=50)
    model = LinearRegressor(**ADAGRAD)
    message = r"1\.parquet, row group 0, block 2, column 'c': X has NaN or infinity.*on_bad_block='skip'"
    source = ParquetSource(tmp_path, "y", **SMALL)
    with pytest.raises(BlockError, match=message):
        model.fit(source)
    assert model.n_samples_seen_ == 140
    with pytest.raises(BlockError, match=message):
        model.predict(source)
    model.fit(source.replace(on_bad_block="skip"))
    assert (model.n_bad_blocks_, model.n_samples_seen_) == (1, 3 * 190)
    assert not hasattr(clone(model).fit(source.replace(on_bad_block="skip")).fit(X, Y), "n_bad_blocks_")
    with pytest.raises(ValueError, match=r"the model was fitted to \['a', 'b', 'c', 'd'\]. Name them in this order"):
        model.predict(ParquetSource(tmp_path, "y", features=["b", "a", "c", "d"]))


def test_labels_that_are_not_among_the_classes():
    source = NumpySource(X, THREE, **SMALL, classes=["a", "b"])
    first = int(np.flatnonzero(THREE == "c")[0]) // 20
    with pytest.raises(
        BlockError, match=rf"rows {20 * first} to .*, block 0: y contains labels not seen before: .*'c'"
    ):
        LogisticClassifier().fit(source)
    with pytest.raises(BlockError, match="labels not seen before"):
        LogisticClassifier().fit(X, TWO, X_val=NumpySource(X, THREE))


def test_labels_that_are_strings_in_some_blocks_and_numbers_in_others():
    source = IterableSource([(X[:50], TWO[:50]), (X[50:90], np.arange(40) % 2)])
    with pytest.raises(BlockError, match=r"block 1: labels .* are not of the type of those before, .*yes"):
        LogisticClassifier().fit(source)


@pytest.mark.parametrize("source", [Rows(X[:0], TWO[:0]), IterableSource([(X[:0], TWO[:0])])])
def test_sources_without_rows(source):
    with pytest.raises(BlockError, match="there are no rows"):
        LogisticClassifier().fit(source)


def test_other_faults():
    source = NumpySource(X, TWO, **SMALL)
    model = LogisticClassifier(**ADAGRAD)
    for given in ({"y": TWO}, {"sample_weight": np.ones(N)}):
        with pytest.raises(ValueError, match=f"{next(iter(given))} must be None where X is a source"):
            model.fit(source, **given)
    with pytest.raises(ValueError, match="y must be None where X is a source"):
        model.fit(X, TWO, X_val=source, y_val=TWO)
    with pytest.raises(ValueError, match="All sample weights are zero"):
        model.fit(NumpySource(X, TWO, np.zeros(N), **SMALL))
    with pytest.raises(BlockError, match=r"rows 20 to 40, block 0: Negative values"):
        model.fit(NumpySource(X, TWO, np.where(np.arange(N) == 25, -1.0, 1.0), **SMALL))
    with pytest.raises(ValueError, match=r"validation_fraction=1e-06 leaves no rows of 190"):
        model.set_params(early_stopping=True, validation_fraction=1e-6).fit(source)
    model.set_params(early_stopping=False).fit(X, TWO)
    with pytest.raises(ValueError, match="has 3 features, but LogisticClassifier is expecting 4"):
        model.predict(NumpySource(X[:, : D - 1], TWO))
    with pytest.raises(BlockError, match="needs at least 2 classes"):
        LogisticClassifier().fit(NumpySource(X, np.full(N, "one"), **SMALL))


def test_diverged():
    # As in memory: the weights are those of the best finite pass, and there is a warning.
    rows = X * 1e200
    params = {**ADAGRAD, "optimizer": "sgd", "learning_rate": 1e200}
    models = []
    for data in [(rows, Y[:, 0]), (NumpySource(rows, Y[:, 0], **SMALL),)]:
        with pytest.warns(match="Training diverged"):
            models.append(LinearRegressor(**params).fit(*data))
    assert_same(*models)
    assert models[0].stop_reason_ == models[1].stop_reason_


@pytest.mark.parametrize("stop", [0, 2])
def test_a_callback_that_stops_at_a_block_ends_the_pass(stop):
    class Stop(Callback):
        def on_fit_task_end(self, estimator, context):
            return (context.task_name, context.task_id) == ("block", stop)

    source = NumpySource(X, TWO, **SMALL)
    model = LogisticClassifier(**ADAGRAD).set_callbacks(Stop()).fit(source)
    rows = slice(40 * (stop + 1))
    expected = LogisticClassifier(**ADAGRAD)
    for _ in range(3):
        expected.partial_fit(X[rows], TWO[rows], classes=np.unique(TWO))
    assert_same(model, expected)
    assert model.n_samples_seen_ == 3 * rows.stop
