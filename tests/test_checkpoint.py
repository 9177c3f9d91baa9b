"""Fits that go on where a killed process left them: the same model to the last bit, and no other."""

import json
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import run
from streamed import ADAGRAD, TWO, WEIGHT, X, Y, fit, record

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.losses import Quantile
from sksgd.stream import NumpySource

SMALL = {"block_rows": 20, "buffer_rows": 40}


SCRIPT = r"""
import json, os, signal, sys, tempfile
import numpy as np
from sksgd import LogisticClassifier
from sksgd.callbacks import Checkpoint
from sksgd.stream import NumpySource

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 4))
y = (X.sum(axis=1) + rng.normal(size=400) > 0).astype(int)
source = NumpySource(X, y, block_rows=25, buffer_rows=50)

class Kill:
    def __init__(self, at): self.at, self.n = at, 0
    def setup(self, estimator, context): pass
    def teardown(self, estimator, context): pass
    def on_fit_task_begin(self, estimator, context): pass
    def on_fit_task_end(self, estimator, context):
        self.n += 1
        if self.n == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

def child(make, folder, at):
    kill = Kill(at)
    model = make().set_callbacks(Checkpoint(os.path.join(folder, "a.ckpt"), every=2), kill).fit(source)
    found = [model.coef_.tobytes().hex(), model.intercept_.tobytes().hex(), model.loss_curve_, model.stop_reason_]
    with open(os.path.join(folder, "found"), "w") as file:
        json.dump([found, kill.n], file)

def adagrad():
    params = {"average": True, "batch_size": 4, "learning_rate": 0.5, "tol": None, "max_iter": 4}
    return LogisticClassifier(optimizer="adagrad", random_state=0, **params)

def newton():
    return LogisticClassifier(random_state=0, tol=1e-12)

outcomes = {}
for make in (adagrad, newton):
    make().fit(source)  # so that children find the kernels loaded
    for kills in json.loads(sys.argv[1]):
        with tempfile.TemporaryDirectory() as folder:
            signals, tasks = [], outcomes[f"{make.__name__} []"][3] if kills else 0
            for at in [*(int(share * tasks) for share in kills), None]:
                pid = os.fork()
                if pid == 0:
                    try:
                        child(make, folder, at)
                    finally:
                        os._exit(0)
                signals.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            left = [name for name in os.listdir(folder) if name not in ("a.ckpt", "found")]
            with open(os.path.join(folder, "found")) as file:
                outcomes[f"{make.__name__} {kills}"] = [signals, left, *json.load(file)]
print(json.dumps(outcomes))
"""


def test_killed_in_the_middle_of_a_pass():
    kills = [[], [0.1], [0.3, 0.2], [0.7], [0.5, 0.3, 0.1]]  # shares of all tasks
    outcomes = json.loads(run(SCRIPT, json.dumps(kills)))
    for name in ("adagrad", "newton"):
        whole, tasks = outcomes[f"{name} []"][2:]
        for deaths in kills:
            signals, left, found, ended = outcomes[f"{name} {deaths}"]
            assert signals == [-9] * len(deaths) + [0]
            assert found == whole
            assert not left
            # It does not begin anew; Newton's method goes on from the last whole pass, and the first takes long.
            assert ended < tasks or not deaths or (name == "newton" and max(deaths) < 0.5)


FAMILIES = {
    "adagrad": {**ADAGRAD, "sampling": "reshuffle", "average": True},
    "newton": {"optimizer": "newton", "random_state": 0},
    "svrg": {"optimizer": "svrg", "random_state": 0},
    "implicit": {"optimizer": "implicit", "random_state": 0},
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", ["dense", "csr", "validation", "warm"])
def test_rows_in_memory(family, form, tmp_path):
    rows = sp.csr_array(X) if form == "csr" else X
    params = {"max_iter": 6, "tol": 1e-13, **FAMILIES[family]}
    given = {"early_stopping": True, "n_iter_no_change": 6} if form == "validation" else {}

    def make():
        model = LogisticClassifier(**params, **given)
        return model if form != "warm" else first(model)

    def first(model):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.set_params(warm_start=True, max_iter=2).fit(rows, TWO).set_params(max_iter=5)

    whole, tasks = fit(make(), tmp_path / "whole", (rows, TWO), sample_weight=WEIGHT)
    assert len(tasks) >= 3
    for at in (1, 2):
        path = tmp_path / f"killed {at}"
        assert fit(make(), path, (rows, TWO), at, sample_weight=WEIGHT)[0] is None
        again, rest = fit(make(), path, (rows, TWO), sample_weight=WEIGHT)
        assert len(rest) == len(tasks) - at
        assert record(again) == record(whole)


SOURCES = {
    "adagrad": (LogisticClassifier, TWO, {**FAMILIES["adagrad"], "early_stopping": True}),
    "newton": (LogisticClassifier, TWO, {"tol": 1e-13}),
    "svrg": (LogisticClassifier, TWO, {**FAMILIES["svrg"], "tol": 1e-13, "max_iter": 5}),
    "implicit": (LogisticClassifier, TWO, {**FAMILIES["implicit"], "max_iter": 5}),
    "squares": (LinearRegressor, Y, {"tol": 1e-13}),
    "kinks": (LinearRegressor, Y[:, 0], {"loss": Quantile(0.3), "tol": 1e-6, "max_iter": 4}),
}


@pytest.mark.parametrize("case", SOURCES)
def test_sources(case, tmp_path):
    kind, y, params = SOURCES[case]
    source = NumpySource(X, y, WEIGHT, **SMALL)
    every = 1 if case == "adagrad" else 10
    whole, tasks = fit(kind(**params), tmp_path / "whole", (source,), every=every)
    assert "block" in tasks
    for at in np.linspace(1, len(tasks) - 1, 5).astype(int):
        path = tmp_path / f"killed {at}"
        assert fit(kind(**params), path, (source,), at, every=every)[0] is None
        again, rest = fit(kind(**params), path, (source,), every=every)
        assert record(again) == record(whole)
        if case == "adagrad":  # which goes on in the middle of a pass
            assert rest == tasks[at:]


def test_every_so_many_blocks(tmp_path):
    source = NumpySource(X, TWO, **SMALL)
    model, tasks = fit(LogisticClassifier(**ADAGRAD), tmp_path / "whole", (source,))
    path = tmp_path / "killed"
    fit(LogisticClassifier(**ADAGRAD), path, (source,), at=5, every=4)
    again, rest = fit(LogisticClassifier(**ADAGRAD), path, (source,))
    assert len(rest) == len(tasks) - 4
    assert record(again) == record(model)
