"""Every difference between sksgd's SGDClassifier and SGDRegressor and scikit-learn's, shown and asserted.

One function each, in the order of docs/differences-from-scikit-learn.md, whose headings are their names. Those whose
names begin with `as_there` show what is *not* different, and what LinearRegressor and LogisticClassifier do instead.

python examples/differences_from_scikit_learn.py [names of functions]
"""

import _thread
import contextlib
import io
import math
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import r2_score
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import StandardScaler

import sksgd
from sksgd import LinearRegressor, LogisticClassifier
from sksgd.schedules import InverseScaling

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 4))
y = X @ [1.0, -2.0, 0.0, 0.5] + 0.3 * rng.normal(size=200) + 0.2
labels = (y > 0).astype(int)
three = np.digitize(y, [-1, 1])

THEIRS = {"classifier": linear_model.SGDClassifier, "regressor": linear_model.SGDRegressor}
OURS = {"classifier": sksgd.SGDClassifier, "regressor": sksgd.SGDRegressor}
PASSES = {"tol": None, "random_state": 0, "learning_rate": "constant", "eta0": 0.01}  # so many passes, and no warning


def pair(kind="regressor", **parameters):
    """The two estimators that are compared."""
    return THEIRS[kind](**parameters), OURS[kind](**parameters)


def show(what, theirs, ours):
    print(f"  {what}: scikit-learn {short(theirs)}; sksgd {short(ours)}")


def short(value):
    if isinstance(value, float | np.ndarray):
        return np.array2string(np.asarray(value), precision=3, threshold=6)
    return str(value).strip().split("\n")[0][:100]


def outcome(call, *arguments, **options):
    """What a call returns, or its exception."""
    try:
        return call(*arguments, **options)
    except Exception as error:
        return error


def standardised_breast_cancer():
    rows, classes = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(rows), classes


def reported(call, *arguments, **options):
    """What a call prints."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        call(*arguments, **options)
    return text.getvalue()


def scores_in(text):
    return [float(score) for score in re.findall(r"Validation score: (\S+)", text)]


# ---- early stopping --------------------------------------------------------------------------------------------------


def early_stopping_with_the_right_labels():
    rows, classes = load_iris(return_X_y=True)
    rows, classes = rows[:100], classes[:100]  # two classes that a line separates
    theirs, ours = pair("classifier", loss="log_loss", early_stopping=True, max_iter=3, verbose=1, **PASSES)
    theirs, ours = (scores_in(reported(model.fit, rows, classes))[-1] for model in (theirs, ours))
    show("share of right held-out rows, of perfect weights", theirs, ours)
    assert theirs == 0.5
    assert ours == 1.0


def early_stopping_with_the_scale_of_the_weights():
    theirs, ours = pair(early_stopping=True, max_iter=20, alpha=0.5, verbose=1, **PASSES)
    printed = scores_in(reported(theirs.fit, X, y))[-1]
    ours.set_params(verbose=0).fit(X, y)
    held_out = next(ShuffleSplit(test_size=0.1, random_state=0).split(X))[1]
    true = r2_score(y[held_out], theirs.predict(X[held_out]))
    show(f"R2 on held-out rows, truly {true:.3f}", printed, ours.validation_curve_[-1])
    assert printed < 0 < true
    assert math.isclose(ours.validation_curve_[-1], true, rel_tol=1e-3)


def early_stopping_with_the_averaged_weights():
    parameters = {"alpha": 0.0, "early_stopping": True, "max_iter": 1, "verbose": 1, **PASSES, "eta0": 0.2}
    scores = {}
    for average in (False, True):
        models = pair(**parameters, average=average)
        scores[average] = [scores_in(reported(model.fit, X, y))[0] for model in models]
    show("R2 of the last weights", *scores[False])
    show("R2 of the average", *scores[True])
    assert scores[True][0] == scores[False][0] == scores[False][1] < scores[True][1]


def early_stopping_keeps_the_best_weights():
    held_out = next(ShuffleSplit(test_size=0.1, random_state=0).split(X))[1]
    theirs, ours = (
        model.fit(X, y) for model in pair(early_stopping=True, max_iter=10, alpha=0.0, **PASSES | {"eta0": 0.2})
    )
    curve = ours.validation_curve_
    kept = [r2_score(y[held_out], model.predict(X[held_out])) for model in (theirs, ours)]
    show(f"R2 of the weights kept, best {max(curve):.3f}, last {curve[-1]:.3f}", *kept)
    assert math.isclose(kept[0], curve[-1], rel_tol=1e-6)
    assert math.isclose(kept[1], max(curve), rel_tol=1e-6)
    assert max(curve) > curve[-1]
    # Among equal scores, the latest weights are kept: rows of one kind are soon all right.
    rows, classes = np.array([[1.0], [-1.0]] * 20), np.array([1, 0] * 20)
    ours = OURS["classifier"](early_stopping=True, max_iter=5, **PASSES).fit(rows, classes)
    last = OURS["classifier"](max_iter=5, **PASSES).fit(rows, classes, X_val=rows, y_val=classes)
    assert set(ours.validation_curve_) == set(last.validation_curve_) == {1.0}
    assert last.coef_ == OURS["classifier"](max_iter=5, **PASSES).fit(rows, classes).coef_


def own_validation_set():
    theirs, ours = pair(max_iter=30, **PASSES)
    theirs = outcome(theirs.fit, X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    ours.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    show("fit(..., X_val=, y_val=)", theirs, max(ours.validation_curve_))
    assert isinstance(theirs, TypeError)
    assert math.isclose(ours.score(X[150:], y[150:]), max(ours.validation_curve_), rel_tol=1e-9)


# ---- what is accepted ------------------------------------------------------------------------------------------------


def indices_of_64_bits():
    rows = sp.csr_array(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    theirs, ours = (outcome(model.fit, rows, y) for model in pair(max_iter=2, **PASSES))
    show("64-bit indices", theirs, ours)
    assert isinstance(theirs, ValueError)
    assert hasattr(ours, "coef_")


def another_precision_in_a_later_call():
    rows = X.astype(np.float32)
    theirs, ours = (model.fit(X, y) for model in pair(max_iter=2, **PASSES))
    theirs, ours = outcome(theirs.partial_fit, rows, y), ours.partial_fit(rows, y)
    show("float32 after float64", theirs, ours.coef_.dtype)
    assert isinstance(theirs, TypeError)
    assert ours.coef_.dtype == np.float64


def sparsified_models_go_on():
    models = [model.fit(X, y).sparsify() for model in pair(max_iter=2, **PASSES)]
    theirs, ours = (outcome(model.predict, sp.csr_matrix(X)) for model in models)
    show("predictions for sparse rows", theirs, ours)
    assert isinstance(theirs, ValueError)
    assert np.allclose(ours, models[1].predict(X))
    theirs, ours = (outcome(model.partial_fit, X, y) for model in models)
    show("partial_fit", theirs, ours)
    assert isinstance(theirs, TypeError)
    assert np.array_equal(ours.coef_, OURS["regressor"](max_iter=2, **PASSES).fit(X, y).partial_fit(X, y).coef_)


def averaging_that_begins_with_a_warm_start():
    models = [model.fit(X, y).set_params(average=True) for model in pair(warm_start=True, max_iter=2, **PASSES)]
    theirs, ours = (outcome(model.fit, X, y) for model in models)
    show("average=True from the second fit on", theirs, ours.coef_)
    assert isinstance(theirs, AttributeError)
    assert ours.score(X, y) > 0.9


def counts_beyond_32_bits():
    theirs, ours = (outcome(model.fit, X, y) for model in pair(max_iter=2**33, random_state=0))
    show("max_iter=2**33", theirs, f"{ours.n_iter_} passes")
    assert isinstance(theirs, OverflowError)
    assert ours.n_iter_ < 1000


# ---- what is left alone ----------------------------------------------------------------------------------------------


def initial_weights_are_copied():
    after = []
    for model in pair(max_iter=2, **PASSES):
        start = np.zeros(4)
        start.flags.writeable = False
        model.fit(X, y, coef_init=start)
        after.append(start)
    show("a read-only coef_init of zeros afterwards", *after)
    assert after[0].all()
    assert not after[1].any()


def coefficients_of_an_earlier_call_stay():
    moved = []
    for model in pair(**PASSES):
        before = model.partial_fit(X, y).coef_
        copy = before.copy()
        model.partial_fit(X, y)
        moved.append(bool((before != copy).any()))
    show("an array taken from coef_ changes later", *moved)
    assert moved == [True, False]


def errors_change_nothing():
    predictions = []
    for model in pair(max_iter=2, **PASSES):
        model.fit(X, y)
        error = outcome(model.fit, X, y, coef_init=[1.0])
        assert isinstance(error, ValueError)
        predictions.append(outcome(model.predict, X[:2]))
    show("predict after a fit that failed", *predictions)
    assert isinstance(predictions[0], AttributeError)
    assert np.isfinite(predictions[1]).all()

    predictions = []
    for model in pair(**PASSES):
        model.partial_fit(X, y)
        error = outcome(model.partial_fit, 1e200 * X, y)
        assert "overflow" in str(error)
        predictions.append(model.predict(X[:2]))
    show("predict after a block that overflowed", *predictions)
    assert np.isnan(predictions[0]).all()
    assert np.isfinite(predictions[1]).all()

    never = [outcome(model.fit, X, y, coef_init=[1.0]) and outcome(model.predict, X) for model in pair()]
    show("predict after a first fit that failed", *(type(error).__name__ for error in never))
    assert [type(error).__name__ for error in never] == ["AttributeError", "NotFittedError"]


def interrupted(model, rows, targets):
    """Seconds from Ctrl-C to KeyboardInterrupt."""
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        _thread.interrupt_main()

    timer = threading.Timer(0.1, press)
    timer.start()
    try:
        model.fit(rows, targets)
        time.sleep(60)
        raise TimeoutError("no KeyboardInterrupt came")
    except KeyboardInterrupt:
        return time.perf_counter() - pressed[0]
    finally:
        timer.cancel()


def interrupts_keep_whole_passes():
    theirs, ours = pair(**PASSES)
    ours.set_params(max_iter=1).fit(X, y)  # compiled
    start = time.perf_counter()
    theirs.set_params(max_iter=2000).fit(X, y)
    passes = int(2000 * 1.0 / (time.perf_counter() - start))  # a second of them
    theirs = THEIRS["regressor"](max_iter=passes, **PASSES)
    waits = interrupted(theirs, X, y), interrupted(ours.set_params(max_iter=10**7), X, y)
    show("seconds from Ctrl-C to KeyboardInterrupt", *waits)
    show("intercept afterwards", theirs.intercept_, ours.intercept_)
    assert waits[1] < waits[0]
    assert theirs.intercept_ == 0  # lost, though all passes were made
    assert ours.stop_reason_ == "interrupted"
    again = OURS["regressor"](max_iter=ours.n_iter_, **PASSES).fit(X, y)
    assert np.array_equal(again.coef_, ours.coef_)


# ---- errors, warnings, lines -----------------------------------------------------------------------------------------


def order_of_errors():
    rows = X.copy()
    rows[3, 1] = np.nan
    theirs, ours = (outcome(model.fit, rows, y) for model in pair())
    assert str(theirs) == str(ours)
    theirs, ours = (outcome(model.fit, rows, 0 * labels) for model in pair("classifier"))
    show("X not finite and one class only", theirs, ours)
    assert "NaN" in str(theirs)
    assert "greater than one" in str(ours)


def longer_messages():
    theirs, ours = (outcome(model.fit, X, y, coef_init=[1.0]) for model in pair())
    show("wrong coef_init", theirs, ours)
    theirs, ours = (outcome(model.partial_fit, X, labels, classes=[0, 2]) for model in pair("classifier"))
    show("unknown label", theirs, ours)
    assert str(ours).startswith(str(theirs))
    assert len(str(ours)) > len(str(theirs))
    models = [model.fit(X, y).set_params(learning_rate="optimal", alpha=0.0) for model in pair(max_iter=2, **PASSES)]
    with np.errstate(all="ignore"):
        theirs, ours = (outcome(model.partial_fit, X, y) for model in models)
    show("'optimal' with alpha=0, set between calls", theirs, ours)
    assert "overflow" in str(theirs)
    assert "alpha" in str(ours)


def parameters_set_between_calls():
    found = []
    for changed in ({"penalty": "l3"}, {"average": True}):
        for model in pair(**PASSES):
            try:
                model.partial_fit(X, y).set_params(**changed).partial_fit(X, y)
            except (KeyError, AttributeError, ValueError) as error:
                found.append(error)
    show("penalty='l3' in the second call", *(repr(error) for error in found[:2]))
    show("average=True in the second call", *(repr(error) for error in found[2:]))
    assert [type(error) for error in found[::2]] == [KeyError, AttributeError]
    assert all(isinstance(error, ValueError) for error in found[1::2])


def warnings_name_your_line():
    places = []
    for model in pair(max_iter=1, random_state=0):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y)
        places.append(os.path.basename(caught[0].filename))
        assert caught[0].category is sklearn.exceptions.ConvergenceWarning
    show("ConvergenceWarning comes from", *places)
    assert places[1] == os.path.basename(__file__) != places[0]


def no_warning_from_predictions():
    found = []
    for model in pair(max_iter=1, **PASSES):
        model.fit(X, y).coef_[:] = 1.0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert np.isinf(model.predict(np.full((1, 4), 1e308)))
        found.append([warning.category.__name__ for warning in caught])
    show("warnings where X w overflows", *found)
    assert found == [["RuntimeWarning"], []]


def lines_of_verbose():
    theirs, ours = (reported(model.fit, X, y) for model in pair(max_iter=1, verbose=1, **PASSES))
    show("verbose=1", *(text.splitlines()[1] for text in (theirs, ours)))
    numbers = [re.search(r"Bias: .*, T: \d+", text).group() for text in (theirs, ours)]
    assert numbers[0] == re.sub(", Objective", ", Avg. loss", numbers[1])


# ---- more than scikit-learn has --------------------------------------------------------------------------------------


def curves_and_the_reason_to_stop():
    theirs, ours = (model.fit(X, y) for model in pair(random_state=0))
    show("loss_curve_", hasattr(theirs, "loss_curve_"), np.array(ours.loss_curve_[:3]))
    show("stop_reason_", hasattr(theirs, "stop_reason_"), ours.stop_reason_)
    theirs.set_params(verbose=1, max_iter=1, tol=None)
    objective = re.search(r"Objective: (\S+)", reported(theirs.fit, X, y)).group(1)
    assert math.isclose(float(objective), ours.loss_curve_[0], abs_tol=1e-6)
    assert len(ours.loss_curve_) == ours.n_iter_


class StopAt:
    """A callback of scikit-learn 1.9 that stops training after some passes."""

    def __init__(self, passes):
        self.passes = passes

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **data):
        pass

    def on_fit_task_end(self, estimator, context, **data):
        return context.task_name == "pass" and context.task_id >= self.passes - 1


def callbacks():
    theirs, ours = pair(max_iter=100, **PASSES)
    ours.set_callbacks(StopAt(3)).fit(X, y)
    show("callbacks", hasattr(theirs, "set_callbacks"), f"{ours.stop_reason_} after {ours.n_iter_} passes")
    assert not hasattr(theirs, "set_callbacks")
    assert ours.n_iter_ == 3


def conversion_to_scikit_learn():
    theirs, ours = (model.fit(X, y) for model in pair(average=True, max_iter=3, **PASSES))
    converted = ours.to_sklearn()
    show("to_sklearn", hasattr(theirs, "to_sklearn"), f"{type(converted).__module__}.{type(converted).__name__}")
    assert np.array_equal(converted.predict(X), ours.predict(X))
    assert np.allclose(converted.partial_fit(X, y).coef_, ours.partial_fit(X, y).coef_)


def extra_parameters():
    theirs, ours = pair(max_iter=20, tol=None, random_state=0)
    extras = {"optimizer": "sgd", "batch_size": 10, "sampling": "reshuffle"}
    extra = OURS["regressor"](max_iter=20, alpha=0.1, **extras, **PASSES | {"eta0": 0.1}).fit(X, y)
    more = sorted(set(ours.get_params()) - set(theirs.get_params()))
    show("parameters", len(theirs.get_params()), f"{len(ours.get_params())}: also {', '.join(more)}")
    show("R2", theirs.fit(X, y).score(X, y), extra.score(X, y))
    assert more == ["batch_size", "optimizer", "sampling"]
    assert extra.score(X, y) > 0.9

    # The objective is measured at the end of a pass, not added up on the way.
    objective = 0.5 * np.mean((extra.predict(X) - y) ** 2) + 0.05 * np.sum(extra.coef_**2)
    assert math.isclose(extra.loss_curve_[-1], objective, rel_tol=1e-9)

    # Penalties are those of sksgd.penalties: a weight is divided by 1 + alpha eta after its move.
    extra = OURS["regressor"](batch_size=2, alpha=0.5, **PASSES).partial_fit(X[:2], y[:2])
    assert np.allclose(extra.coef_, 0.01 * (y[:2] @ X[:2]) / 2 / (1 + 0.5 * 0.01))

    # The intercept of sparse rows moves as that of dense rows.
    fits = [OURS["regressor"](batch_size=10, max_iter=3, **PASSES).fit(rows, y) for rows in (X, sp.csr_array(X))]
    assert np.allclose(fits[0].intercept_, fits[1].intercept_)

    error = outcome(OURS["classifier"](learning_rate="pa1", batch_size=2).fit, X, labels)
    show("learning_rate='pa1' with batch_size=2", "no batches", error)
    assert isinstance(error, ValueError)


# ---- what programs see -----------------------------------------------------------------------------------------------


def other_classes():
    theirs, ours = pair()
    show("isinstance of scikit-learn's SGDRegressor", *(isinstance(m, THEIRS["regressor"]) for m in (theirs, ours)))
    show("base classes", *(", ".join(c.__name__ for c in type(m).__mro__[1:4]) for m in (theirs, ours)))
    show("loss_functions['huber']", theirs.loss_functions["huber"], ours.loss_functions["huber"])
    assert not isinstance(ours, THEIRS["regressor"])
    assert repr(ours) == repr(theirs)
    assert theirs.loss_functions.keys() == ours.loss_functions.keys()
    assert sklearn.utils.get_tags(theirs) == sklearn.utils.get_tags(ours)


def pickles_and_documentation_links():
    pickles = [pickle.dumps(model.fit(X, y)) for model in pair(max_iter=1, **PASSES)]
    show("pickle notes the version of scikit-learn", *(b"_sklearn_version" in text for text in pickles))
    assert [b"_sklearn_version" in text for text in pickles] == [True, False]
    links = ["linear_model.SGDRegressor.html" in model._repr_html_() for model in pair()]
    show("HTML links to scikit-learn's documentation", *links)
    assert links == [True, False]


def private_attributes():
    theirs, ours = (model.fit(X, labels) for model in pair("classifier", random_state=0))
    missing = sorted(name for name in vars(theirs) if not hasattr(ours, name))
    methods = sorted(name for name in dir(type(theirs)) if not hasattr(type(ours), name) and "abc" not in name)
    show("private attributes of a classifier", ", ".join(missing), "none of these")
    show("private methods", ", ".join(methods), "none of these")
    assert missing == ["_expanded_class_weight", "_loss_function_"]
    assert all(name.startswith("_") for name in methods)


def metadata_requests():
    routed = [set(vars(model.get_metadata_routing())["fit"].requests) for model in pair("classifier")]
    show("what fit may be routed", *(", ".join(sorted(names)) for names in routed))
    assert routed[1] - routed[0] == {"X_val", "y_val", "sample_weight_val"}
    assert routed[0] < routed[1]


# ---- numbers and time ------------------------------------------------------------------------------------------------


def rounding():
    rows, classes = standardised_breast_cancer()
    nudged = np.nextafter(rows, np.inf)

    def distance(a, b):
        return np.abs(a.coef_ - b.coef_).max() / np.abs(b.coef_).max()

    for name, parameters in {"tame": {"learning_rate": "invscaling"}, "chaotic": {}}.items():
        models = pair("classifier", loss="log_loss", random_state=0, **parameters)
        theirs, ours = (model.fit(rows, classes) for model in models)
        moved = sklearn.clone(theirs).fit(nudged, classes)
        by = [distance(model, theirs) for model in (moved, ours)]
        print(f"  {name}, {theirs.n_iter_} passes:")
        print(f"    scikit-learn's weights on nudged data differ by {by[0]:.0e}, {moved.n_iter_} passes")
        print(f"    sksgd's weights differ by {by[1]:.0e}, {ours.n_iter_} passes")
        assert by[1] < max(30 * by[0], 1e-9)


def an_average_that_some_classes_do_not_reach():
    passes = [len(curve) for curve in OURS["classifier"](random_state=0).fit(X, three).loss_curve_]
    theirs, ours = (
        model.fit(X, three) for model in pair("classifier", random_state=0, average=200 * (max(passes) - 2))
    )
    show(f"weights of a class after {passes[0]} passes", theirs.coef_[0], ours.coef_[0])
    assert passes[0] < max(passes) - 2
    assert not theirs.coef_[0].any()
    assert ours.score(X, three) > 0.8 > theirs.score(X, three)


def the_scale_in_float32():
    rows = np.tile(X, (100, 1))
    parameters = {**PASSES, "alpha": 1e-3, "eta0": 1e-3, "max_iter": 20}
    exact = OURS["regressor"](**parameters).fit(rows, np.tile(y, 100)).coef_
    models = [model.fit(rows.astype(np.float32), np.tile(y, 100)) for model in pair(**parameters)]
    errors = [np.abs(model.coef_ - exact).max() / np.abs(exact).max() for model in models]
    show("error after 400,000 updates in float32", *errors)
    assert errors[1] < errors[0] / 3


def first_fit_compiles():
    code = """
import sys, time, numpy as np, sklearn.linear_model, sksgd
assert "numba" not in sys.modules
X = np.ones((10, 2))
for package in sklearn.linear_model, sksgd:
    times = []
    for _ in range(2):
        start = time.perf_counter()
        package.SGDRegressor(max_iter=1, tol=None).fit(X, X[:, 0])
        times.append(time.perf_counter() - start)
    print("numba" in sys.modules, *times)
"""
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    theirs, ours = ([float(seconds) for seconds in line.split()[1:]] for line in lines)
    show("seconds of the first fit of a process, kernels from the cache", theirs[0], ours[0])
    show("of the second", theirs[1], ours[1])
    assert [line.split()[0] for line in lines] == ["False", "True"]
    assert ours[1] < ours[0]


# ---- as in scikit-learn, and unlike the flagships --------------------------------------------------------------------


def as_there_average_loses_the_intercept():
    high, blocks = y > -2, np.array_split(np.arange(200), 10)
    flagship = LogisticClassifier(average=True, sampling="sequential", optimizer="sgd", learning_rate=0.01)
    models = [*pair("classifier", loss="log_loss", average=True, shuffle=False, **PASSES), flagship]
    parts, whole = [], []
    for model in models:
        whole.append(sklearn.clone(model).partial_fit(X, high, classes=[False, True]).intercept_)
        for rows in blocks:
            model.partial_fit(X[rows], high[rows], classes=[False, True])
        parts.append(model.intercept_)
    show("averaged intercept, learned in one call", *whole[:2])
    show("in ten", *parts[:2])
    print(f"  LogisticClassifier: {short(whole[2])} and {short(parts[2])}")
    assert np.allclose(parts[0], parts[1])
    assert parts[0] < 0.5 * whole[0]
    assert np.allclose(parts[2], whole[2])


def as_there_warm_start_ignores_coef_init():
    start, ends = np.array([5.0, 5.0, 5.0, 5.0]), []
    for model in pair(warm_start=True, max_iter=1, **PASSES | {"eta0": 1e-6}):
        ends.append(model.fit(X, y).fit(X, y, coef_init=start).coef_)
    flagship = LinearRegressor(warm_start=True, max_iter=1, tol=None, optimizer="sgd", learning_rate=1e-6)
    flagship.fit(X, y).fit(X, y, coef_init=start)
    show("coef_ after a warm start at 5, with a tiny rate", *ends)
    print(f"  LinearRegressor: {short(flagship.coef_)}")
    assert np.abs(ends).max() < 0.1
    assert np.allclose(flagship.coef_, 5, atol=0.1)


def as_there_warm_start_begins_to_count_anew():
    counts = [model.fit(X, y).fit(X, y).t_ for model in pair(warm_start=True, max_iter=3, **PASSES)]
    flagship = LinearRegressor(optimizer="sgd", warm_start=True, max_iter=3, tol=None).fit(X, y).fit(X, y)
    show("t_ after two fits of 600 updates", *counts)
    print(f"  LinearRegressor: {flagship.t_}")
    assert counts == [601, 601]
    assert flagship.t_ == 1200


def as_there_slow_intercept_on_sparse_rows():
    layouts = X, sp.csr_array(X)
    ends = [[model.fit(rows, y + 5).intercept_[0] for rows in layouts] for model in pair(max_iter=3, **PASSES)]
    flagship = LinearRegressor(max_iter=3, tol=None, optimizer="sgd", learning_rate=0.01, random_state=0)
    best = [flagship.fit(rows, y + 5).intercept_[0] for rows in layouts]
    show("intercept on dense and on sparse rows", *map(np.array, ends))
    print(f"  LinearRegressor: {short(np.array(best))}")
    assert np.allclose(*ends)
    assert ends[0][0] > 10 * ends[0][1]
    assert np.isclose(*best)


def as_there_stopping_ignores_weights():
    weight, outlying = np.ones(200), y.copy()
    weight[:50], outlying[:50] = 0, 1000.0
    model = OURS["regressor"](max_iter=5, **PASSES).fit(X, outlying, sample_weight=weight)
    flagship = LinearRegressor(max_iter=5, tol=None, random_state=0).fit(X, outlying, sample_weight=weight)
    printed = reported(THEIRS["regressor"](max_iter=5, verbose=1, **PASSES).fit, X, outlying, sample_weight=weight)
    theirs = float(re.findall(r"Objective: (\S+)", printed)[-1])
    show("objective where outliers weigh 0", theirs, model.loss_curve_[-1])
    print(f"  LinearRegressor: {flagship.loss_curve_[-1]:.3f}")
    assert math.isclose(theirs, model.loss_curve_[-1], rel_tol=1e-6)
    assert theirs > 1e5
    assert flagship.loss_curve_[-1] < 10


def as_there_averages_without_l1():
    rows, classes = standardised_breast_cancer()
    parameters = {"penalty": "l1", "alpha": 0.1, "max_iter": 50, "tol": None, "random_state": 0}
    rate = {"learning_rate": "invscaling", "eta0": 0.1, "power_t": 0.5}
    flagship = LogisticClassifier(optimizer="sgd", learning_rate=InverseScaling(0.1, 0.5), average=True, **parameters)
    last = THEIRS["classifier"](loss="log_loss", **rate, **parameters)
    averaged = pair("classifier", loss="log_loss", average=True, **rate, **parameters)
    models = [model.fit(rows, classes) for model in (last, *averaged, flagship)]
    accuracy = np.array([model.score(rows, classes) for model in models])
    zeros = np.array([(model.coef_ == 0).sum() for model in models])
    print(f"  last weights under l1: accuracy {accuracy[0]:.3f}, {zeros[0]} of 30 are 0")
    show("accuracy of the average", *accuracy[1:3])
    show("of its weights are 0", *zeros[1:3])
    print(f"  LogisticClassifier: {accuracy[3]:.3f}, {zeros[3]}")
    assert np.allclose(models[1].coef_, models[2].coef_)
    assert accuracy[1] == accuracy[2] < 0.5 < 0.9 < min(accuracy[0], accuracy[3])
    assert zeros[1] == zeros[2] == 0 < min(zeros[0], zeros[3])


def as_there_scale_of_the_weights_is_a_rate():
    ends = [
        [model.fit(X, y, sample_weight=np.full(200, weight)).coef_[0] for weight in (1.0, 0.01)]
        for model in pair(max_iter=1, **PASSES)
    ]
    flagship = LinearRegressor(max_iter=1, tol=None, optimizer="sgd", learning_rate=0.01, random_state=0)
    best = [flagship.fit(X, y, sample_weight=np.full(200, weight)).coef_[0] for weight in (1.0, 0.01)]
    show("first weight where all rows weigh 1, and 0.01", *map(np.array, ends))
    print(f"  LinearRegressor: {short(np.array(best))}")
    assert np.allclose(*ends)
    assert ends[0][0] > 10 * ends[0][1]
    assert math.isclose(*best)


def as_there_silent_divergence():
    scores = [model.fit(100 * X, y).score(100 * X, y) for model in pair(random_state=0, tol=None, max_iter=3)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        flagship = LinearRegressor(optimizer="sgd", learning_rate=0.01, random_state=0).fit(100 * X, y)
    show("R2 on rows times 100", *scores)
    print(f"  LinearRegressor: {flagship.score(100 * X, y):.3f}, and warns: {short(caught[0].message)}")
    assert max(scores) < -1e10
    assert "diverged" in str(caught[0].message)
    assert flagship.score(100 * X, y) > -1


def functions():
    """All that show something: those of this file without arguments."""
    mine = [f for f in list(globals().values()) if getattr(f, "__module__", "") == __name__ and hasattr(f, "__code__")]
    helpers = functions, standardised_breast_cancer
    return [f for f in mine if not f.__code__.co_argcount and f not in helpers]


def main(names):
    for function in functions():
        if not names or function.__name__ in names:
            print(function.__name__)
            function()


if __name__ == "__main__":
    main(sys.argv[1:])
