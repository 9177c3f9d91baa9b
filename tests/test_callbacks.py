"""scikit-learn's callbacks, and what verbose prints."""

import re

import numpy as np
import pytest
from estimators import TWO, WEIGHT, X, Y, assert_same
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV

from sksgd import LinearRegressor, LogisticClassifier

PARAMS = {"max_iter": 4, "tol": None, "random_state": 0, "optimizer": "sgd", "learning_rate": 0.01}


class Recorder:
    """Writes down every call; `stop_at` and `raise_at` are numbers of passes, from 0."""

    def __init__(self, stop_at=None, raise_at=None, error=KeyboardInterrupt):
        self.stop_at, self.raise_at, self.error = stop_at, raise_at, error
        self.events, self.models = [], []

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name, context.task_id))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name, context.task_id))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None, metadata=None, X=None):
        self.events.append(("end", context.task_name, context.task_id))
        if context.task_name == "pass":
            self.models.append(fitted_estimator)
            self.metadata, self.X = metadata, X
            if context.task_id == self.raise_at:
                raise self.error
            return context.task_id == self.stop_at
        return None

    def expected(self, n):
        passes = [(event, "pass", i) for i in range(n) for event in ("begin", "end")]
        return [("setup", "fit", 0), ("begin", "fit", 0), *passes, ("end", "fit", 0), ("teardown", "fit", 0)]


@pytest.mark.parametrize(("kind", "y"), [(LinearRegressor, Y), (LogisticClassifier, TWO)])
def test_one_task_per_pass(kind, y):
    recorder = Recorder()
    model = kind(**PARAMS).set_callbacks(recorder).fit(X, y, sample_weight=WEIGHT)
    assert recorder.events == recorder.expected(4)
    assert recorder.metadata == {"sample_weight": WEIGHT}
    assert recorder.X is X
    assert_same(model, kind(**PARAMS).fit(X, y, sample_weight=WEIGHT))
    # What a callback gets is the model after that pass, and stays so.
    for i, fitted in enumerate(recorder.models):
        assert_same(fitted, kind(**{**PARAMS, "max_iter": i + 1}).fit(X, y, sample_weight=WEIGHT))
        assert fitted.n_iter_ == len(fitted.loss_curve_) == i + 1
        assert fitted.predict(X).shape == (60,)


def test_stop_by_return_value():
    recorder = Recorder(stop_at=1)
    model = LinearRegressor(**{**PARAMS, "tol": 1e-9, "max_iter": 50}).set_callbacks(recorder).fit(X, Y)
    assert recorder.events == recorder.expected(2)
    assert model.stop_reason_ == "a callback asked to stop"
    assert model.n_iter_ == 2


def test_tasks_end_where_tol_stops():
    recorder = Recorder()
    model = LinearRegressor(optimizer="sgd", learning_rate=0.01, random_state=0).set_callbacks(recorder).fit(X, Y)
    assert recorder.events == recorder.expected(model.n_iter_)
    assert model.n_iter_ < 100


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_errors_of_a_callback(error):
    recorder, witness = Recorder(raise_at=2, error=error), Recorder()
    model = LinearRegressor(**PARAMS).set_callbacks(witness, recorder)
    with pytest.raises(error):
        model.fit(X, Y)
    assert recorder.events == recorder.expected(3)
    assert witness.events == recorder.expected(3)
    if error is KeyboardInterrupt:  # leaves the last whole pass
        assert_same(model, LinearRegressor(**{**PARAMS, "max_iter": 3}).fit(X, Y))
        assert len(model.loss_curve_) == 3
    else:
        assert not hasattr(model, "n_iter_")
    model.set_callbacks().fit(X, Y)
    assert model.n_iter_ == 4


def failing(t):
    if np.max(t) >= 130:
        raise RuntimeError("no rate")
    return 0.01 + 0.0 * t


@pytest.mark.parametrize(
    ("params", "y", "outcome", "n_passes"),
    [
        ({"learning_rate": failing}, Y, pytest.raises(RuntimeError, match="no rate"), 3),
        ({"learning_rate": 1e6, "optimizer": "sgd"}, Y, pytest.warns(match="diverged"), 1),
        ({}, np.full(60, np.nan), pytest.raises(ValueError, match="NaN"), 0),
    ],
    ids=["error", "divergence", "bad data"],
)
def test_every_begin_has_an_end(params, y, outcome, n_passes):
    recorder = Recorder()
    with outcome:
        LinearRegressor(**{**PARAMS, **params}).set_callbacks(recorder).fit(X, y)
    assert recorder.events == recorder.expected(n_passes)


def test_scoring_monitor():
    monitor = ScoringMonitor(scoring="r2")
    model = LinearRegressor(**PARAMS).set_callbacks(monitor).fit(X, Y)
    scores = [row["r2"] for row in monitor.get_logs().data if row["task_name"] == "pass"]
    expected = [LinearRegressor(**{**PARAMS, "max_iter": i}).fit(X, Y).score(X, Y) for i in (1, 2, 3, 4)]
    np.testing.assert_array_equal(scores, expected)
    assert model.score(X, Y) == scores[-1]


def test_scoring_monitor_takes_the_sample_weights_of_fit():
    monitor = ScoringMonitor(scoring="r2")
    model = LinearRegressor(**PARAMS).set_callbacks(monitor).fit(X, Y, sample_weight=WEIGHT)
    assert monitor.get_logs().data[-1]["r2"] == model.score(X, Y, WEIGHT)


def test_progress_bar():
    model = LogisticClassifier(**PARAMS).set_callbacks(ProgressBar()).fit(X, TWO)
    assert_same(model, LogisticClassifier(**PARAMS).fit(X, TWO))


def test_callbacks_in_a_grid_search():
    monitor = ScoringMonitor(scoring="r2")
    model = LinearRegressor(**PARAMS).set_callbacks(monitor)
    GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2).fit(X, Y)
    assert clone(model)._skl_callbacks == [monitor]


@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_prints_a_line_per_pass(capsys, early_stopping):
    model = LogisticClassifier(verbose=1, early_stopping=early_stopping, **PARAMS).fit(X, TWO)
    lines = capsys.readouterr().out.splitlines()
    pattern = r"pass (\d): objective (\S+)" + (r", validation loss (\S+)" if early_stopping else "")
    matches = [re.fullmatch(pattern, line) for line in lines]
    assert [int(match[1]) for match in matches] == [1, 2, 3, 4]
    np.testing.assert_allclose([float(match[2]) for match in matches], model.loss_curve_, rtol=1e-5)
    if early_stopping:
        np.testing.assert_allclose([float(match[3]) for match in matches], model.validation_curve_, rtol=1e-5)
    LogisticClassifier(**PARAMS).fit(X, TWO)
    assert capsys.readouterr().out == ""


def test_verbose_tells_of_divergence(capsys):
    with pytest.warns(match="diverged"):
        LinearRegressor(learning_rate=1e9, optimizer="sgd", verbose=1).fit(X, Y)
    assert capsys.readouterr().out == "pass 1: diverged: a prediction or the objective was not finite\n"
