"""The files of checkpoints: which fits they belong to, and that they are always whole."""

import pickle
import re

import numpy as np
import pytest
from estimators import assert_same, weights
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from streamed import ADAGRAD, TWO, WEIGHT, Kill, Killed, N, X, fit, record

import sksgd.callbacks
from sksgd import LogisticClassifier
from sksgd.callbacks import Checkpoint
from sksgd.stream import IterableSource, NumpySource

SMALL = {"block_rows": 20, "buffer_rows": 40}


@pytest.fixture
def killed(tmp_path):
    """A checkpoint of a fit that was killed."""
    path = tmp_path / "a.ckpt"
    assert fit(LogisticClassifier(**ADAGRAD), path, (NumpySource(X, TWO, **SMALL),), at=3)[0] is None
    return Checkpoint(path)


def test_the_model_of_an_unfinished_fit(killed):
    expected = LogisticClassifier(**ADAGRAD).partial_fit(X[:120], TWO[:120], classes=["no", "yes"])
    model = killed.load()
    assert_same(model, expected)
    assert_same(model.partial_fit(X, TWO), expected.partial_fit(X, TWO))


@pytest.mark.parametrize(
    "other",
    [
        NumpySource(X[1:], TWO[1:], **SMALL),
        NumpySource(X, TWO[::-1], WEIGHT, **SMALL),
        NumpySource(np.column_stack([X, X]), TWO, **SMALL),
    ],
)
def test_other_data(killed, other):
    model = LogisticClassifier(**ADAGRAD).set_callbacks(killed)
    with pytest.raises(ValueError, match=r"unfinished fit of the same parameters to other data.*Remove the file"):
        model.fit(other)
    assert not hasattr(model, "coef_")


def test_other_parameters(killed):
    model = LogisticClassifier(**{**ADAGRAD, "alpha": 0.5}).set_callbacks(killed)
    with pytest.raises(ValueError, match=r"(?s)unfinished fit of other parameters.*Remove the file"):
        model.fit(NumpySource(X, TWO, **SMALL))


def test_a_folder_that_is_not_there(tmp_path):
    checkpoint = Checkpoint(tmp_path / "none" / "a.ckpt")
    read = []
    source = IterableSource(lambda: read.append(1) or iter([(X, TWO)]))
    model = LogisticClassifier(**ADAGRAD).set_callbacks(checkpoint)
    with pytest.raises(FileNotFoundError, match=r"Checkpoint\(.*\) cannot write, there is no folder '.*none'"):
        model.fit(source)
    assert not read
    assert not hasattr(model, "coef_")
    (tmp_path / "none").mkdir()
    model.fit(source)
    assert_same(checkpoint.load(), model)


def test_no_checkpoint(tmp_path):
    path = tmp_path / "a.ckpt"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=re.escape(f"cannot read {path}")):
        LogisticClassifier().set_callbacks(Checkpoint(path)).fit(X, TWO)
    assert path.read_bytes() == b"something else"


def test_a_finished_fit_begins_anew(tmp_path):
    path, data = tmp_path / "a.ckpt", (NumpySource(X, TWO, **SMALL),)
    model, tasks = fit(LogisticClassifier(**ADAGRAD), path, data)
    assert record(Checkpoint(path).load()) == record(model)
    again, tasks_again = fit(LogisticClassifier(**ADAGRAD), path, data)
    assert (record(again), tasks_again) == (record(model), tasks)
    other = fit(LogisticClassifier(**{**ADAGRAD, "alpha": 0.5}), path, (X, TWO))[0]
    assert record(Checkpoint(path).load()) == record(other)


def test_a_write_that_fails_leaves_the_file(killed, monkeypatch):
    before, folder = killed.path.read_bytes(), killed.path.parent

    def dump(estimator, file, protocol):
        file.write(b"half of it")
        raise OSError("no space left")

    monkeypatch.setattr(sksgd.callbacks.pickle, "dump", dump)
    with pytest.raises(OSError, match="no space left"):
        LogisticClassifier(**ADAGRAD).set_callbacks(killed).fit(NumpySource(X, TWO, **SMALL))
    assert killed.path.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [killed.path.name]


def test_a_search_writes_a_file_for_each_fit(tmp_path):
    folders, grid = [tmp_path / "whole", tmp_path / "killed"], {"alpha": [0.01, 0.1]}
    searches = []
    for folder, at in zip(folders, (None, 7), strict=True):
        folder.mkdir()
        kill = Kill(at)
        for _ in range(1 if at is None else 2):
            model = LogisticClassifier(**ADAGRAD).set_callbacks(Checkpoint(folder / "a.ckpt"), kill)
            search = GridSearchCV(model, grid, cv=2, error_score="raise")
            if len(kill.ended) < (at or 0):
                with pytest.raises(Killed):
                    search.fit(X, TWO)
            else:
                searches.append(search.fit(X, TWO))
    whole, again = searches
    assert record(whole.best_estimator_) == record(again.best_estimator_)
    names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert names[0] == names[1]
    assert len(names[0]) == 5  # two candidates, two splits, and the best
    assert all(re.fullmatch(r"a(-\d+)+\.ckpt", name) for name in names[0])
    found = {weights(Checkpoint(folders[0] / name).load()).tobytes() for name in names[0]}
    assert len(found) == 5


def test_partial_fit_goes_on_from_what_was_saved(tmp_path):
    checkpoint, first, rest = Checkpoint(tmp_path / "a.ckpt"), slice(0, 90), slice(90, N)
    for params in (ADAGRAD, {}):
        model = LogisticClassifier(**params).partial_fit(X[first], TWO[first], classes=["no", "yes"])
        checkpoint.save(model)
        again = checkpoint.load().partial_fit(X[rest], TWO[rest])
        assert_same(model.partial_fit(X[rest], TWO[rest]), again)


def test_not_before_so_many_seconds(tmp_path):
    path = tmp_path / "a.ckpt"
    with pytest.raises(Killed):
        LogisticClassifier(**ADAGRAD).set_callbacks(Checkpoint(path, seconds=1e6), Kill(2)).fit(X, TWO)
    assert not path.exists()
    LogisticClassifier(**ADAGRAD).set_callbacks(Checkpoint(path, seconds=1e6)).fit(X, TWO)
    assert path.exists()  # in any case when it is done


def test_pickles_and_names(tmp_path):
    checkpoint = Checkpoint(tmp_path / "a.ckpt", every=3, seconds=2)
    assert repr(pickle.loads(pickle.dumps(checkpoint))) == repr(checkpoint)
    with pytest.raises(ValueError, match="every"):
        Checkpoint("a", every=0)
    with pytest.raises(ValueError, match="seconds"):
        Checkpoint("a", seconds=-1)


@pytest.mark.parametrize("params", [ADAGRAD, {}], ids=["adagrad", "newton"])
@pytest.mark.parametrize("known", [True, False])
def test_progress_bar(params, known, capsys):
    blocks = [(X[first : first + 20], TWO[first : first + 20]) for first in range(0, N, 20)]
    source = NumpySource(X, TWO, **SMALL) if known else IterableSource(blocks, buffer_rows=40)
    model = LogisticClassifier(**params).set_callbacks(ProgressBar()).fit(source)
    assert_same(model, LogisticClassifier(**params).fit(source))
    printed = capsys.readouterr().out
    assert "LogisticClassifier - fit" in printed
    assert "pass" in printed
