"""What overflow, Ctrl-C and errors of callbacks leave behind in the drop-ins, in a pass later than the first too."""

import threading
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from estimators import X
from sklearn.exceptions import ConvergenceWarning
from test_callbacks import Recorder
from test_drop_in_failures import (
    KINDS,
    PARAMS,
    assert_same_error,
    call,
    classes_of,
    error_of,
    everything,
    ours,
    over,
    over_kinds,
    theirs,
)

from sksgd.compat import regressor as regressor_module
from sksgd.core.stopping import AbsoluteProgress
from sksgd.schedules import InverseScaling

over_layouts = over("layout", [np.asarray, sp.csr_array], ids=["dense", "csr"])
ONE_OUTPUT = ["regressor", "two"]


# Overflow

#: All rows are 0, so nothing happens but decay, until the model is wrong about this one: then its step overflows.
POISON = 40
ROWS = np.zeros((60, 4))
ROWS[POISON] = [1.0, 0.0, 0.0, 1e308]


def overflow_in(kind, epoch):
    """Parameters and initial coefficients for an overflow in this pass."""
    loss, left = ("epsilon_insensitive", 0.95) if kind == "regressor" else ("hinge", 0.5)
    alpha = -np.log(left) / 2 / (60 * (epoch - 0.5))
    params = {
        "loss": loss,
        "learning_rate": "constant",
        "eta0": 2.0,
        "alpha": alpha,
        "fit_intercept": False,
        "shuffle": False,
    }
    y = np.where(np.arange(60) == POISON, 2.0, 0.0) if kind == "regressor" else KINDS[kind][1]
    sign = np.where(np.unique(y) == y[POISON], 1.0, -1.0)
    coef = np.zeros((3, 4) if kind == "three" else 4)
    coef[..., 0] = {"regressor": 2.0, "two": 2 * sign[1], "three": 2 * sign}[kind]
    return {**params, "max_iter": 50}, y, coef


@over_layouts
@over("epoch", [1, 2, 5, 12])
@over_kinds
def test_overflow_names_the_epoch(kind, epoch, layout):
    params, y, coef = overflow_in(kind, epoch)
    rows, model = layout(ROWS), ours(kind, **params)
    found = error_of(model.fit, rows, y, coef_init=coef)
    assert_same_error(found, error_of(theirs(kind, **params).fit, rows, y, coef_init=coef.copy()))
    assert f"epoch #{epoch}." in found[1]
    assert vars(model) == vars(ours(kind, **params))
    if epoch == 1:
        return
    # One pass fewer is no error, and what it leaves is left by an error later.
    model.set_params(max_iter=epoch - 1).fit(rows, y, coef_init=coef)
    before = everything(model.set_params(max_iter=50))
    assert error_of(model.fit, rows, y, coef_init=coef) == found
    assert everything(model) == before
    assert "epoch #1." in error_of(model.partial_fit, rows, y)[1]
    assert everything(model) == before


@over_kinds
def test_overflow_in_the_last_row_is_seen(kind):
    # No prediction comes after it.
    rows, y = X.copy(), KINDS[kind][1]
    rows[-1] *= 1e300
    params = {"loss": {"regressor": "squared_error"}.get(kind, "squared_hinge"), "learning_rate": "constant"}
    params |= {"eta0": 1e6, "shuffle": False, "max_iter": 1}
    wanted = error_of(theirs(kind, **params).fit, rows, y)
    assert "epoch #1." in wanted[1]
    assert_same_error(error_of(ours(kind, **params).fit, rows, y), wanted)


@over_kinds
@over("optimizer", ["momentum", "adam"])
def test_overflow_with_an_optimizer(kind, optimizer):
    model = ours(kind, optimizer=optimizer, learning_rate="constant", eta0=1e308, max_iter=3)
    error = error_of(model.fit, 100 * X, KINDS[kind][1])
    assert error[0] is ValueError
    assert error[1].startswith("Floating-point under-/overflow occurred at epoch #1.")
    assert not hasattr(model, "coef_")


# Ctrl-C


def assert_left_after(model, reference):
    """The model is what `reference`, which stopped by itself, is; but for how it came to stop."""
    found, wanted = everything(model), everything(reference)
    assert model.stop_reason_ == "interrupted"
    for name in wanted.keys() - {"max_iter", "stop_reason_", "_states"}:
        assert found[name] == wanted[name], name
    assert found["_states"][1:] == wanted["_states"][1:]  # but for the problem, which is not compared


def interrupting(monkeypatch, last):
    """Make rates raise KeyboardInterrupt from update `last` on."""
    rate = InverseScaling.rate

    def raising(self, t):
        if np.max(t) >= last:
            raise KeyboardInterrupt
        return rate(self, t)

    monkeypatch.setattr(InverseScaling, "rate", raising)


@over("params", [{}, {"average": True, "penalty": "l1"}, {"optimizer": "momentum"}], ids=str)
@over("kind", ONE_OUTPUT)
def test_ctrl_c_leaves_the_last_whole_pass(kind, params, monkeypatch):
    params, y = {"learning_rate": "invscaling", **params}, KINDS[kind][1]
    reference, model = ours(kind, **{**params, "max_iter": 2}).fit(X, y), ours(kind, **params)
    with monkeypatch.context() as patch:
        interrupting(patch, 125)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
    assert_left_after(model, reference)
    assert len(model.loss_curve_) == model.n_iter_ == 2
    # It can go on.
    model.partial_fit(X, y)
    reference.partial_fit(X, y)
    np.testing.assert_array_equal(model.coef_, reference.coef_)


@over("kind", ONE_OUTPUT)
def test_ctrl_c_in_a_callback(kind):
    y, recorder = KINDS[kind][1], Recorder(raise_at=1)
    model = ours(kind).set_callbacks(recorder)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert recorder.events == recorder.expected(2)
    assert_left_after(model.set_callbacks(), ours(kind, max_iter=2).fit(X, y).set_callbacks())


def test_ctrl_c_in_a_score(monkeypatch):
    calls, score = [], regressor_module.r2_score

    def raising(*arguments, **named):
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return score(*arguments, **named)

    y = KINDS["regressor"][1]
    model, reference = ours("regressor"), ours("regressor", max_iter=2).fit(X, y, X_val=X, y_val=y)
    monkeypatch.setattr(regressor_module, "r2_score", raising)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y, X_val=X, y_val=y)
    assert len(calls) == 3
    assert_left_after(model, reference)


@over("fitted", [False, True])
@over_kinds
def test_ctrl_c_in_the_first_pass_changes_nothing(kind, fitted, monkeypatch):
    y, model = KINDS[kind][1], ours(kind, learning_rate="invscaling")
    if fitted:
        model.fit(X, y)
    before = everything(model)
    interrupting(monkeypatch, 5)
    for method in ("fit", "partial_fit"):
        with pytest.raises(KeyboardInterrupt):
            call(model, kind, method)
        assert everything(model) == before


@over("n_jobs", [None, 2])
def test_ctrl_c_in_a_later_class_leaves_the_model_before(n_jobs):
    y = KINDS["three"][1]
    model = ours("three", n_jobs=n_jobs).fit(X, y)
    before = everything(model)
    raiser = RaiseInClass(1)
    with pytest.raises(KeyboardInterrupt):
        model.set_callbacks(raiser).fit(-X, y)
    assert raiser.raised
    assert everything(model.set_callbacks()) == before


def test_no_thread_trains_on_after_ctrl_c():
    before = set(threading.enumerate())
    model = ours("three", n_jobs=2, max_iter=10**9).set_callbacks(RaiseInClass(0))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, KINDS["three"][1])
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in left)


class RaiseInClass(Recorder):
    """Raises in the third pass of class number `number`."""

    def __init__(self, number):
        super().__init__()
        self.number, self.raised = number, False

    def on_fit_task_end(self, estimator, context, **of_task):
        if context.task_name == "pass" and (context.parent.task_id, context.task_id) == (self.number, 2):
            self.raised = True
            raise KeyboardInterrupt


@over_kinds
def test_ctrl_c_after_the_pass_of_partial_fit_is_not_lost(kind, monkeypatch):
    model = ours(kind).partial_fit(X, KINDS[kind][1], *classes_of(kind))

    def raising(self, value):
        raise KeyboardInterrupt

    monkeypatch.setattr(AbsoluteProgress, "update", raising)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, KINDS[kind][1])


@over_kinds
def test_an_error_of_a_callback_changes_nothing(kind):
    y = KINDS[kind][1]
    model = ours(kind, average=True).fit(X, y)
    before = everything(model)
    with pytest.raises(RuntimeError):
        model.set_callbacks(Recorder(raise_at=2, error=RuntimeError)).fit(-X, y)
    assert everything(model.set_callbacks()) == before


# Warnings


@over_kinds
def test_warnings_name_the_line_of_the_caller(kind):
    for params, category in (({"tol": 0.0}, ConvergenceWarning), ({"power_t": -0.5}, FutureWarning)):
        caught, wanted = [], []
        for make, found in ((ours, caught), (theirs, wanted)):
            with warnings.catch_warnings(record=True) as found_now:
                warnings.simplefilter("always")
                make(kind, **{**PARAMS, "max_iter": 2, **params}).fit(X, KINDS[kind][1])
            found += found_now
        assert [str(warning.message) for warning in caught] == [str(warning.message) for warning in wanted]
        assert [(warning.category, warning.filename) for warning in caught] == [(category, __file__)]
