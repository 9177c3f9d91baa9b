"""scikit-learn's callbacks in the drop-ins, and what verbose prints."""

import re
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import THREE, TWO, WEIGHT, X, Y, assert_same
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from test_callbacks import Recorder

from sksgd import SGDClassifier, SGDRegressor
from sksgd.schedules import InverseScaling

over = pytest.mark.parametrize
PARAMS = {"max_iter": 4, "tol": None, "random_state": 0}
ONE_OUTPUT = {"regressor": (SGDRegressor, Y), "two": (SGDClassifier, TWO)}
over_one_output = over(("make", "y"), ONE_OUTPUT.values(), ids=ONE_OUTPUT)


@over("params", [{}, {"average": True, "penalty": "l1"}, {"optimizer": "momentum"}], ids=str)
@over_one_output
def test_one_task_per_pass(make, y, params):
    recorder = Recorder()
    model = make(**PARAMS, **params).set_callbacks(recorder).fit(X, y, sample_weight=WEIGHT)
    assert recorder.events == recorder.expected(4)
    assert recorder.X is X
    assert recorder.metadata == {"sample_weight": WEIGHT}
    assert_same(model, make(**PARAMS, **params).fit(X, y, sample_weight=WEIGHT))
    # What a callback gets is the model after that pass, and stays so.
    for i, fitted in enumerate(recorder.models, 1):
        alone = make(**{**PARAMS, "max_iter": i}, **params).fit(X, y, sample_weight=WEIGHT)
        assert_same(fitted, alone)
        assert (fitted.n_iter_, fitted.t_) == (i, 1 + 60 * i)
        assert fitted.loss_curve_ == alone.loss_curve_
        np.testing.assert_array_equal(fitted.predict(X), alone.predict(X))


class OfClasses(Recorder):
    """Writes down the class too, as (event, task, class, pass)."""

    def write(self, event, context):
        numbers = (context.task_id,) if context.task_name != "pass" else (context.parent.task_id, context.task_id)
        self.events.append((event, context.task_name, *numbers))

    def on_fit_task_begin(self, estimator, context):
        self.write("begin", context)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.write("end", context)
        if context.task_name == "pass":
            self.models.append(fitted_estimator)
            return self.stop_at == (context.parent.task_id, context.task_id)
        return None

    def of_class(self, k):
        """Without the first and last of the whole, and the names."""
        return [event for event in self.events if event[1] in ("class", "pass") and event[2] == k]


@over("n_jobs", [None, 2])
@over("stop_at", [None, (1, 1)])
def test_one_task_per_class_and_pass(n_jobs, stop_at):
    recorder = OfClasses(stop_at=stop_at)
    model = SGDClassifier(n_jobs=n_jobs, **PARAMS).set_callbacks(recorder).fit(X, THREE)
    for k in range(3):
        n = 2 if stop_at and k == 1 else 4
        passes = [(event, "pass", k, i) for i in range(n) for event in ("begin", "end")]
        assert recorder.of_class(k) == [("begin", "class", k), *passes, ("end", "class", k)]
    assert len(recorder.events) == sum(len(recorder.of_class(k)) for k in range(3)) + 4
    assert recorder.events[0][0] == "setup"
    assert recorder.events[-1][0] == "teardown"
    assert model.n_iter_ == 4
    reasons = ["max_iter=4 passes done"] * 3
    if stop_at:
        reasons[1] = "a callback asked to stop"
    assert model.stop_reason_ == reasons
    wanted = SGDClassifier(**PARAMS).fit(X, THREE).coef_
    stopped = SGDClassifier(**{**PARAMS, "max_iter": 2}).fit(X, THREE).coef_
    np.testing.assert_array_equal(model.coef_, wanted if not stop_at else [wanted[0], stopped[1], wanted[2]])


def test_the_model_while_classes_are_trained_one_after_the_other():
    recorder = OfClasses()
    model = SGDClassifier(average=True, **PARAMS).set_callbacks(recorder).fit(X, THREE)
    assert len(recorder.models) == 12
    for number, fitted in enumerate(recorder.models):
        done = number // 4
        np.testing.assert_array_equal(fitted.predict(X).shape, (60,))
        assert not fitted.coef_[done + 1 :].any()  # not begun
        if number == 11:
            assert_same(fitted, model)


@over("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@over("params", [{"average": True}, {"average": True, "penalty": "l1", "optimizer": "adagrad"}], ids=str)
def test_a_model_taken_in_the_middle_of_a_pass(params, layout, monkeypatch):
    """One class waits within its last pass until the callback of another has taken the model."""
    params = {"learning_rate": "invscaling", **params, **PARAMS, "max_iter": 2}
    rows = layout(X)
    wanted = SGDClassifier(**params).fit(rows, THREE)
    taken, claimed, rate = threading.Event(), threading.Lock(), InverseScaling.rate

    def waiting(self, t):
        if np.max(t) >= 60 and claimed.acquire(blocking=False):
            assert taken.wait(timeout=20)
        return rate(self, t)

    class Taking(OfClasses):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            super().on_fit_task_end(estimator, context, fitted_estimator=fitted_estimator)
            if (context.task_name, context.task_id) == ("pass", 1):
                taken.set()

    monkeypatch.setattr(InverseScaling, "rate", waiting)
    assert_same(SGDClassifier(n_jobs=2, **params).set_callbacks(Taking()).fit(rows, THREE), wanted)
    assert taken.is_set()
    assert claimed.locked()


def test_monitors_and_bars():
    monitor = ScoringMonitor(scoring="r2")
    SGDRegressor(**PARAMS).set_callbacks(monitor).fit(X, Y, sample_weight=WEIGHT)
    found = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "pass"]
    models = [SGDRegressor(**{**PARAMS, "max_iter": i}).fit(X, Y, sample_weight=WEIGHT) for i in (1, 2, 3, 4)]
    np.testing.assert_allclose(found, [model.score(X, Y, WEIGHT) for model in models], rtol=1e-12)
    for make, y in (*ONE_OUTPUT.values(), (SGDClassifier, THREE)):
        model = make(**PARAMS).set_callbacks(ProgressBar())
        assert_same(model.fit(X, y), make(**PARAMS).fit(X, y))


@over(
    "wrong",
    [{"y": np.full(60, np.nan)}, {"X": X[:, :0]}, {"coef_init": np.ones(7)}, {"X": np.full((60, 4), np.inf)}],
    ids=lambda wrong: next(iter(wrong)),
)
@over(("make", "y"), [*ONE_OUTPUT.values(), (SGDClassifier, THREE)], ids=[*ONE_OUTPUT, "three"])
def test_every_begin_has_an_end(make, y, wrong):
    recorder = OfClasses()
    with pytest.raises(ValueError):  # noqa: PT011
        make(**PARAMS).set_callbacks(recorder).fit(**{"X": X, "y": y, **wrong})
    open_ = []
    for event, *task in recorder.events:
        if event in ("setup", "begin"):
            open_.append((event, task))
        else:
            begun = {"teardown": "setup", "end": "begin"}[event]
            assert open_.pop() == (begun, task)
    assert not open_


# What verbose prints


@over("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
@over("params", [{}, {"average": True, "penalty": "l1", "alpha": 0.3}, {"early_stopping": True}], ids=str)
@over_one_output
def test_verbose(make, y, params, layout, capsys):
    recorder = Recorder()
    rows = layout(np.where(np.abs(X) < 0.5, 0.0, X))
    model = make(verbose=1, **PARAMS, **params).set_callbacks(recorder).fit(rows, y)
    printed = capsys.readouterr().out
    for name in ("Epoch", "NNZs", "Bias", "T", "Objective"):
        assert len(re.findall(rf"\b{name}:? ", printed)) == 4
    values = {name: [float(v) for v in re.findall(rf"{name}: (\S+?),?\s", printed)] for name in ("NNZs", "Objective")}
    np.testing.assert_allclose(values["Objective"], model.loss_curve_, atol=1e-6)
    iterates = [getattr(one, "_standard_coef", one.coef_) for one in recorder.models]
    assert values["NNZs"] == [np.count_nonzero(coef) for coef in iterates]
    scores = [float(value) for value in re.findall(r"Validation score: (\S+)", printed)]
    np.testing.assert_allclose(scores, model.validation_curve_, atol=1e-6)
    clone(model).set_params(verbose=0).fit(rows, y)
    assert capsys.readouterr().out == ""
