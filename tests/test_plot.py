"""What the displays draw: data, labels, axes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksgd import LinearRegressor, LogisticClassifier, SGDClassifier, SGDRegressor, minimize
from sksgd.base import Horizon
from sksgd.insight import CoefficientRecorder
from sksgd.losses import LogLoss
from sksgd.plot import CoefficientPathDisplay, ScheduleDisplay, TrainingCurveDisplay, TrajectoryDisplay
from sksgd.plot.style import COLORS
from sksgd.schedules import Adaptive, Constant, Cosine, Exponential, Optimal

pytest.importorskip("matplotlib").use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_rgb  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 10))
Y = X @ RNG.normal(size=10) + RNG.normal(size=80)
LABELS = (Y > 0).astype(int)
PARAMS = {"optimizer": "adagrad", "learning_rate": 0.01, "max_iter": 6, "tol": None, "random_state": 0}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def points(line):
    return np.array(line.get_xdata()), np.array(line.get_ydata())


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def labels(ax):
    return ax.get_title(), ax.get_xlabel(), ax.get_ylabel()


def fun(x):
    return x[0] ** 2 + 2 * x[1] ** 2


def jac(x):
    return np.array([2 * x[0], 4 * x[1]])


def way(**params):
    params = {"optimizer": "sgd", "learning_rate": 0.1, "max_iter": 20, "trajectory": True, "random_state": 0} | params
    return minimize(fun, [-5.0, -2.0], jac=jac, **params)


# ---- all displays ----------------------------------------------------------------------------------------------------


def test_axes_given_and_new():
    _, ax = plt.subplots()
    display = ScheduleDisplay.from_schedule("constant", 10, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.plot() is display
    assert display.ax_ is not ax


def test_nothing_is_cut_off_and_the_legend_is_beside_the_axes():
    display = TrajectoryDisplay.from_results({"a rather long name": way(average=True), "b": way()}, fun)
    display.figure_.canvas.draw()
    page, ax = display.figure_.bbox, display.ax_
    boxes = {"legend": ax.get_legend().get_window_extent(), "axes": ax.get_window_extent()}
    boxes |= {text.get_text(): text.get_window_extent() for text in (ax.title, ax.xaxis.label, ax.yaxis.label)}
    for box in boxes.values():
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
    assert boxes["legend"].x0 >= boxes["axes"].x1


def test_colors_differ_in_brightness_or_hue_for_all():
    # As seen without red, green or blue receptors (Machado et al. 2009, severity 1), in linear RGB.
    matrices = [
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    ]
    rgb = np.array([to_rgb(color) for color in COLORS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for matrix in matrices:
        seen = np.clip(linear @ np.array(matrix).T, 0, 1) ** (1 / 2.2)
        distances = np.linalg.norm(seen[:, None] - seen[None], axis=2)[np.triu_indices(len(COLORS), 1)]
        assert distances.min() > 0.1


def test_matplotlib_comes_with_the_first_picture_and_its_absence_is_named():
    code = (
        "import sys; import sksgd.plot; assert 'matplotlib' not in sys.modules\n"
        "sys.modules['matplotlib'] = None\n"
        "try: sksgd.plot.ScheduleDisplay.from_schedule('constant', 5)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "ScheduleDisplay draws with matplotlib. Install it: pip install 'sksgd[plot]'.\n"


# ---- schedules -------------------------------------------------------------------------------------------------------


def test_schedules():
    schedules = {"a": Cosine(0.1), "b": "inverse_sqrt", "c": 0.02, "d": lambda t: 1 / (t + 1)}
    display = ScheduleDisplay.from_schedules(schedules, 50)
    t = np.arange(50)
    expected = [0.05 * (1 + np.cos(np.pi * t / 50)), 0.01 / np.sqrt(t + 1), np.full(50, 0.02), 1 / (t + 1)]
    for line, rates in zip(display.lines_, expected, strict=True):
        np.testing.assert_array_equal(points(line)[0], t)
        np.testing.assert_allclose(points(line)[1], rates, rtol=1e-12)
    assert legend(display.ax_) == ["a", "b", "c", "d"]
    assert labels(display.ax_) == ("Learning rate: schedules", "update t", "learning rate")
    assert (display.ax_.get_yscale(), display.ax_.get_ylim()[0]) == ("linear", 0.0)
    assert ScheduleDisplay.from_schedules(schedules, 50, log=True).ax_.get_yscale() == "log"


def test_names_of_schedules():
    display = ScheduleDisplay.from_schedules([Constant(0.1), Constant(0.2), "cosine", 0.3], 10)
    assert legend(display.ax_) == ["Constant", "Constant (2)", "cosine", "Constant (3)"]
    assert ScheduleDisplay.from_schedule(Cosine(), 10).ax_.get_title() == "Learning rate: Cosine"
    assert ScheduleDisplay.from_schedule(Cosine(), 10).ax_.get_legend() is None


def test_a_schedule_of_many_updates_has_few_points_and_its_ends():
    t, rates = points(ScheduleDisplay.from_schedule(Exponential(1.0, 1e-5), 10**6).lines_[0])
    assert (len(t), t[0], t[-1]) == (2000, 0, 10**6 - 1)
    np.testing.assert_allclose(rates, np.exp(-1e-5 * t))


def test_schedule_that_asks_for_alpha():
    rates = points(ScheduleDisplay.from_schedule("optimal", 9, alpha=0.01).lines_[0])[1]
    expected = Optimal().bind(Horizon(9, 9, 0.01, LogLoss())).rate(np.arange(9))
    np.testing.assert_array_equal(rates, expected)


# ---- training curves -------------------------------------------------------------------------------------------------


def test_losses_of_estimators():
    models = {"adam": LinearRegressor(**PARAMS | {"optimizer": "adam"}), "line": LinearRegressor(**PARAMS)}
    models["line"] = make_pipeline(StandardScaler(), models["line"])
    for model in models.values():
        model.fit(X, Y)
    display = TrainingCurveDisplay.from_estimators(models)
    curves = [models["adam"].loss_curve_, models["line"][-1].loss_curve_]
    for line, curve in zip(display.lines_, curves, strict=True):
        np.testing.assert_array_equal(points(line), [np.arange(1, 7), curve])
    assert legend(display.ax_) == ["adam", "line"]
    assert labels(display.ax_) == ("Training curves", "passes over the data", "objective (mean loss + penalty)")
    assert display.ax_.get_yscale() == display.ax_.get_xscale() == "linear"
    alone = TrainingCurveDisplay.from_estimator(models["adam"], logx=True, logy=True)
    assert alone.ax_.get_title() == "Training curve"
    assert alone.ax_.get_yscale() == alone.ax_.get_xscale() == "log"
    several = TrainingCurveDisplay.from_estimators(list(models.values()))
    assert legend(several.ax_) == ["LinearRegressor", "LinearRegressor (2)"]


@pytest.mark.parametrize(("unit", "size", "label"), [("update", 20, "updates"), ("sample", 80, "samples seen")])
def test_units(unit, size, label):
    model = LinearRegressor(batch_size=4, **PARAMS).fit(X, Y)
    display = TrainingCurveDisplay.from_estimator(model, unit=unit)
    np.testing.assert_array_equal(points(display.lines_[0])[0], size * np.arange(1, 7))
    assert display.ax_.get_xlabel() == label


def test_gap():
    models = [LinearRegressor(**PARAMS | {"optimizer": name}).fit(X, Y) for name in ("sgd", "adam")]
    curves = np.array([model.loss_curve_ for model in models])
    display = TrainingCurveDisplay.from_estimators(models, quantity="gap", minimum=0.1)
    for line, curve in zip(display.lines_, curves, strict=True):
        np.testing.assert_array_equal(points(line)[1], curve - 0.1)
    assert labels(display.ax_) == ("Gap to the minimum", "passes over the data", "objective minus minimum")
    assert display.ax_.get_yscale() == "log"
    lowest = TrainingCurveDisplay.from_estimators(models, quantity="gap")
    for line, curve in zip(lowest.lines_, curves, strict=True):
        np.testing.assert_array_equal(points(line)[1], (curve - curves.min())[curve > curves.min()])
    linear = TrainingCurveDisplay.from_estimators(models, quantity="gap", logy=False)
    assert linear.ax_.get_yscale() == "linear"
    assert min(points(line)[1].min() for line in linear.lines_) == 0


def test_held_out_loss():
    model = LogisticClassifier(early_stopping=True, **PARAMS).fit(X, LABELS)
    display = TrainingCurveDisplay.from_estimator(model, quantity="validation")
    np.testing.assert_array_equal(points(display.lines_[0])[1], model.validation_curve_)
    assert labels(display.ax_) == ("Validation curve", "passes over the data", "mean loss on held-out rows")


def test_rates():
    schedule = Exponential(0.1, 0.01)
    model = LinearRegressor(**PARAMS | {"learning_rate": schedule, "batch_size": 8}).fit(X, Y)
    display = TrainingCurveDisplay.from_estimator(model, quantity="rate")
    np.testing.assert_array_equal(points(display.lines_[0]), [np.arange(1, 7), schedule.rate(10 * np.arange(6))])
    assert labels(display.ax_) == ("Learning rate", "passes over the data", "learning rate")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rates_that_adapt(early_stopping):
    seen = []

    class Spy:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "pass":
                seen.append(0.05 * fitted_estimator._state.factor)

    schedule = Adaptive(0.05, factor=2, eta_min=1e-4)
    params = PARAMS | {"optimizer": "sgd", "learning_rate": schedule, "max_iter": 60, "tol": 1e-3}
    model = LinearRegressor(early_stopping=early_stopping, **params).set_callbacks(Spy()).fit(X, Y)
    rates = points(TrainingCurveDisplay.from_estimator(model, quantity="rate").lines_[0])[1]
    np.testing.assert_allclose(rates, seen, rtol=1e-12)
    assert len(set(seen)) > 3


def test_curves_of_drop_ins():
    model = SGDRegressor(max_iter=5, tol=None, random_state=0).fit(X, Y)
    display = TrainingCurveDisplay.from_estimator(model, unit="update")
    np.testing.assert_array_equal(points(display.lines_[0]), [80 * np.arange(1, 6), model.loss_curve_])
    with pytest.raises(ValueError, match="'SGDRegressor' is a SGDRegressor, of which the loss and the gap"):
        TrainingCurveDisplay.from_estimator(model, quantity="rate")
    classes = SGDClassifier(max_iter=5, tol=None).fit(X, np.arange(80) % 3)
    with pytest.raises(ValueError, match="for each class"):
        TrainingCurveDisplay.from_estimator(classes)


def test_curves_that_are_missing():
    with pytest.raises(ValueError, match="'LinearRegressor' has no loss_curve_"):
        TrainingCurveDisplay.from_estimator(LinearRegressor())
    with pytest.raises(ValueError, match="early_stopping=True"):
        TrainingCurveDisplay.from_estimator(LinearRegressor(**PARAMS).fit(X, Y), quantity="validation")
    with pytest.raises(ValueError, match="trajectory=True"):
        TrainingCurveDisplay.from_result(way(trajectory=False))
    newton = LinearRegressor(optimizer="newton", tol=1e-3).fit(X, Y)
    assert len(newton.loss_curve_) <= 2
    assert TrainingCurveDisplay.from_estimator(newton).lines_[0].get_marker() == "o"
    with pytest.raises(ValueError, match="'LinearRegressor' has no learning rate"):
        TrainingCurveDisplay.from_estimator(newton, quantity="rate")
    with pytest.raises(ValueError, match="quantity"):
        TrainingCurveDisplay.from_estimator(LinearRegressor(), quantity="speed")


def test_curves_of_results():
    results = {"plain": way(), "averaged": way(average=True, noise=1.0)}
    display = TrainingCurveDisplay.from_results(results)
    ways = [results["plain"].trajectory, results["averaged"].trajectory]
    expected = [ways[0].fun, ways[1].fun, ways[1].average_fun]
    for line, values in zip(display.lines_, expected, strict=True):
        np.testing.assert_array_equal(points(line), [np.arange(21), values])
    assert legend(display.ax_) == ["plain", "averaged", "averaged, average"]
    assert labels(display.ax_) == ("Value on the way", "updates", "value of the function")
    gap = TrainingCurveDisplay.from_result(results["averaged"], quantity="gap", minimum=-1.0)
    np.testing.assert_array_equal(points(gap.lines_[1])[1], ways[1].average_fun + 1.0)
    assert labels(gap.ax_)[2] == "value minus minimum"
    rates = TrainingCurveDisplay.from_result(results["plain"], quantity="rate")
    np.testing.assert_array_equal(points(rates.lines_[0]), [np.arange(1, 21), np.full(20, 0.1)])


def test_samples_seen_by_minimize():
    result = minimize(
        lambda x, i: 0.0, 0.0, jac=lambda x, i: x, n_samples=10, batch_size=4, max_iter=5, trajectory=True
    )  # fmt: skip
    display = TrainingCurveDisplay.from_result(result, unit="sample")
    np.testing.assert_array_equal(points(display.lines_[0])[0], [0, 4, 8, 10, 14, 18])


# ---- ways ------------------------------------------------------------------------------------------------------------


def test_paths():
    results = {"plain": way(), "averaged": way(average=True, noise=1.0)}
    display = TrajectoryDisplay.from_results(results, fun)
    first, second = (result.trajectory for result in results.values())
    for line, expected in zip(display.lines_, [first.x, second.x, second.average], strict=True):
        np.testing.assert_array_equal(np.transpose(points(line)), expected)
    assert legend(display.ax_) == [
        "plain", "averaged", "averaged, average", "first point", "last point", "last average",
    ]  # fmt: skip
    assert labels(display.ax_) == ("Paths", "x1", "x2")
    by_marker = {}
    for line in display.ax_.lines:
        if len(points(line)[0]) == 1:
            by_marker.setdefault(line.get_marker(), []).append(np.ravel(points(line)))
    np.testing.assert_array_equal(by_marker["o"], [first.x[0], second.x[0]])
    np.testing.assert_array_equal(by_marker["*"], [first.x[-1], second.x[-1]])
    np.testing.assert_array_equal(by_marker["D"], [second.average[-1]])


def test_contours_are_those_of_the_function():
    display = TrajectoryDisplay.from_result(way(), fun, xlim=(-6, 2), ylim=(-3, 3))
    assert display.ax_.get_xlim() == (-6, 2)
    assert display.ax_.get_ylim() == (-3, 3)
    checked = 0
    for level, lines in zip(display.contours_.levels, display.contours_.allsegs, strict=True):
        for line in lines:
            # Between the points of the grid, a contour is that of a linear function.
            np.testing.assert_allclose([fun(x) for x in line], level, atol=0.02)
            checked += len(line)
    assert checked > 500


def test_paths_need_two_variables():
    line = minimize(lambda x: x @ x, 1.0, jac=lambda x: 2 * x, trajectory=True, max_iter=3)
    for result in (line, way(trajectory=False)):
        with pytest.raises(ValueError, match="'result' has no trajectory in two variables"):
            TrajectoryDisplay.from_result(result, fun)


def test_path_of_a_model_over_its_objective():
    recorder = CoefficientRecorder()
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(10)])
    model = LogisticClassifier(alpha=0.1, **PARAMS).set_callbacks(recorder).fit(frame, LABELS)
    display = TrajectoryDisplay.from_recorder(recorder, frame, LABELS, features=(3, 1))
    np.testing.assert_array_equal(np.transpose(points(display.lines_[0])), recorder.coef_path_[:, 0, [3, 1]])
    assert labels(display.ax_) == ("Path", "coefficient of c3", "coefficient of c1")
    assert display.fun(model.coef_[0, [3, 1]]) == pytest.approx(model.loss_curve_[-1], rel=1e-12)
    w = model.coef_[0].copy()
    w[[3, 1]] = 0.5, -0.5
    p = X @ w + model.intercept_[0]
    expected = np.mean(np.log1p(np.exp(-p * (2 * LABELS - 1)))) + 0.05 * w @ w
    assert display.fun(np.array([0.5, -0.5])) == pytest.approx(expected, rel=1e-12)
    drop_in = CoefficientRecorder()
    SGDRegressor(max_iter=3, tol=None).set_callbacks(drop_in).fit(X, Y)
    with pytest.raises(ValueError, match="no objective to draw"):
        TrajectoryDisplay.from_recorder(drop_in, X, Y)


# ---- coefficients ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LinearRegressor, SGDRegressor])
def test_recorded_coefficients(kind):
    recorder = CoefficientRecorder()
    params = {"optimizer": "adagrad", "max_iter": 4, "tol": None, "random_state": 0}
    for _ in range(2):  # the second fit forgets the first
        kind(**params).set_callbacks(recorder).fit(X, Y)
    assert recorder.coef_path_.shape == (4, 1, 10)
    for n, (coef, intercept) in enumerate(zip(recorder.coef_path_, recorder.intercept_path_, strict=True), 1):
        alone = kind(**params | {"max_iter": n}).fit(X, Y)
        np.testing.assert_array_equal(coef, np.atleast_2d(alone.coef_))
        np.testing.assert_array_equal(intercept, alone.intercept_)
    with pytest.raises(AttributeError, match="set_callbacks"):
        CoefficientRecorder().coef_path_  # noqa: B018
    SGDClassifier(**params).set_callbacks(recorder).fit(X, np.arange(80) % 3)
    with pytest.raises(AttributeError, match="one by one"):
        recorder.coef_path_  # noqa: B018


def test_coefficient_paths():
    recorder = CoefficientRecorder()
    model = LinearRegressor(**PARAMS).set_callbacks(recorder).fit(X, Y)
    display = CoefficientPathDisplay.from_recorder(recorder, n_named=3)
    for j, line in enumerate(display.lines_):
        np.testing.assert_array_equal(points(line), [np.arange(1, 7), recorder.coef_path_[:, 0, j]])
    largest = np.argsort(-np.abs(model.coef_))[:3]
    down = sorted(largest, key=lambda j: -model.coef_[j])
    assert legend(display.ax_) == [*(f"x{j}" for j in down), "others"]
    assert labels(display.ax_) == ("Coefficients over passes", "passes over the data", "coefficient")
    names = CoefficientPathDisplay.from_recorder(recorder, feature_names=list("abcdefghij"), n_named=10)
    assert sorted(legend(names.ax_)) == list("abcdefghij")


def test_coefficient_paths_of_a_class():
    recorder = CoefficientRecorder()
    LogisticClassifier(**PARAMS).set_callbacks(recorder).fit(X, np.arange(80) % 3)
    display = CoefficientPathDisplay.from_recorder(recorder, output=2)
    np.testing.assert_array_equal(display.path, recorder.coef_path_[:, 2])
    assert recorder.coef_path_.shape == (6, 3, 10)
