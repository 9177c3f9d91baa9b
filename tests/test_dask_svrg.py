"""SVRG over the workers of a cluster finds what it finds in memory, from sums alone."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from clusters import cluster, put
from newton_cases import objective
from sklearn.base import clone

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.core.batches import Block
from sksgd.core.course import Course
from sksgd.core.course_rows import CourseRows
from sksgd.core.split import Split
from sksgd.dask import LogisticClassifier as OnCluster
from sksgd.dask import train
from sksgd.optimizers import ImplicitSGD

over = pytest.mark.parametrize
N = 1500


@pytest.fixture(scope="module")
def client(request):
    with cluster(request.param) as client:
        client.n = request.param
        yield client


@pytest.fixture(scope="module")
def two():
    with cluster(2) as client:
        yield client


def sparse():
    """Few values in most columns, many in some, none in one."""
    rng = np.random.default_rng(0)
    X = sp.random(N, 300, 0.03, random_state=0, format="csr")
    X.data = np.exp(X.data)
    X = sp.csr_array(sp.hstack([X, sp.csr_array((N, 1)), sp.csr_array(rng.normal(size=(N, 3)) + 5.0)]))
    signal = X @ np.where(rng.random(304) < 0.2, rng.normal(size=304), 0.0)
    return X, signal - np.median(signal) + 0.1 * rng.normal(size=N)


def dense(d=40):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(N, d)) * 10.0 ** rng.uniform(-2, 2, d) + 1.0
    return X, ((X - X.mean(axis=0)) / X.std(axis=0)) @ rng.normal(size=d) + 0.3 * rng.normal(size=N)


def collinear(d=260):
    X, noise = dense(d)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    for j in range(1, d):
        X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
    return X + 0.5, X @ np.random.default_rng(2).normal(size=d) + 0.1 * noise


SETS = {"sparse": sparse(), "dense": dense(), "collinear": collinear()}
CASES = {
    "squares": ("dense", LinearRegressor(alpha=1e-3)),
    "logistic": ("sparse", LogisticClassifier(alpha=1e-3)),
    "three classes": ("sparse", LogisticClassifier(alpha=1e-3, class_weight="balanced")),
    "two targets": ("dense", LinearRegressor("huber", alpha=1e-3)),
    "poisson": ("dense", LinearRegressor("poisson", alpha=1e-3)),
    "l1": ("sparse", LinearRegressor(penalty="l1", alpha=1e-3)),
    "bounds": ("dense", LogisticClassifier(alpha=1e-3, bounds=(-0.01, 0.3), fit_intercept=False)),
    "whitened squares": ("collinear", LinearRegressor(alpha=1e-6)),
    "whitened classes": ("collinear", LogisticClassifier(alpha=1e-4)),
}


def case(name):
    """A model, rows, targets, weights of rows."""
    kind, model = CASES[name]
    X, y = SETS[kind]
    if name == "two targets":
        y = np.column_stack([y, y**2])
    elif name == "poisson":
        y = np.floor(np.exp(np.clip(y / y.std(), -2.0, 3.0)))
    elif name == "three classes":
        y = np.digitize(y, np.quantile(y, [0.2, 0.6]))
    elif isinstance(model, LogisticClassifier):
        y = np.where(y > np.median(y), "yes", "no")
    weight = np.random.default_rng(1).uniform(0, 2, N)
    weight[::7] = 0
    return model.set_params(optimizer="svrg", tol=1e-6, random_state=0, max_iter=200), X, y, weight


def partitions(*arrays):
    """Uneven ones, one of them empty, one without weight."""
    edges = [0, 20, 20, 700, 1300, N]
    return [tuple(array[a:b] for array in arrays) for a, b in itertools.pairwise(edges)]


PLACES = {
    1: ["squares", "three classes", "poisson", "l1", "whitened classes"],
    2: ["squares", "logistic", "l1", "two targets"],
    3: ["logistic", "three classes", "l1", "bounds", "whitened squares", "whitened classes"],
}


@over(("client", "name"), [(n, name) for n in PLACES for name in PLACES[n]], indirect=["client"])
def test_the_minimum_is_that_in_memory(client, name):
    model, X, y, weight = case(name)
    expected = model.fit(X, y, sample_weight=weight)
    curve, coef, intercept = expected.loss_curve_, expected.coef_, expected.intercept_
    parts = partitions(X, y, weight)
    if client.n == 1:
        parts = [(X, y, weight)]
    fitted = train(client, model, put(client, parts))
    assert fitted.optimality_gap_ <= 1e-6
    assert (np.diff(fitted.loss_curve_) <= 0).all()
    assert abs(fitted.loss_curve_[-1] / curve[-1] - 1) <= 1e-6
    assert fitted.n_samples_seen_ == fitted.n_iter_ * np.count_nonzero(weight)
    if client.n == 1:
        assert fitted.loss_curve_ == curve
        np.testing.assert_array_equal(fitted.coef_, coef)
        np.testing.assert_array_equal(fitted.intercept_, intercept)
    elif name == "squares":
        assert fitted.loss_curve_[-1] == pytest.approx(objective(fitted, X, y, weight, model.alpha), rel=1e-9)


def test_auto_chooses_as_in_memory(two):
    X, y = SETS["sparse"]
    model = LogisticClassifier(random_state=0)
    fitted = train(two, model, put(two, partitions(X, y > 0)))
    expected = model.fit(X, y > 0)
    assert fitted.optimizer_ == expected.optimizer_
    assert repr(fitted.optimizer_.optimizer) == "SVRG()"
    assert fitted.loss_curve_[-1] == pytest.approx(expected.loss_curve_[-1], rel=1e-4)


def test_implicit_sgd_is_refused_by_name(two):
    X, y = SETS["sparse"]
    parts = put(two, partitions(X, y))
    for optimizer in ("implicit", ImplicitSGD()):
        with pytest.raises(ValueError, match=r"ImplicitSGD\(\).*rows in memory only.*optimizer='svrg'"):
            train(two, LinearRegressor(optimizer=optimizer), parts)


def test_a_fit_goes_on(two):
    model, X, y, _ = case("logistic")
    parts = put(two, partitions(X, y))
    whole = train(two, model.set_params(tol=None, max_iter=5), parts).loss_curve_
    params = {"optimizer": "svrg", "alpha": 1e-3, "tol": None, "random_state": 0, "warm_start": True}
    again = OnCluster(client=two, **params, max_iter=2).fit(parts)
    np.testing.assert_allclose(again.set_params(max_iter=3).fit(parts).loss_curve_, whole, rtol=1e-6)


# ---- what is moved ---------------------------------------------------------------------------------------------------


@over("client", [1], indirect=True)
def test_no_vector_over_rows_moves(client):
    n, d = 20_000, 300
    X = sp.random(n, d, 0.01, random_state=0, format="csr")
    y = X @ np.random.default_rng(0).normal(size=d) > 0
    model = LogisticClassifier(optimizer="svrg", tol=None, max_iter=3, random_state=0)
    took = train(client, model, put(client, [(X, y)])).communication_
    assert took.rounds <= 3 * 30
    assert took.bytes / took.rounds < 4 * 8 * d < 0.1 * 8 * n  # some vectors over columns


# ---- rows in several places ------------------------------------------------------------------------------------------


class Together:
    """`CourseRows` of several blocks, called one after the other."""

    def __init__(self, rows):
        self.rows = rows

    def placed(self, *about):
        return Together([one.placed(*about) for one in self.rows])

    def __getattr__(self, name):
        answer = getattr(CourseRows, name).answer

        def ask(*arguments):
            own = [
                getattr(one, name)(*(a[i] if isinstance(a, Stays) else a for a in arguments))
                for i, one in enumerate(self.rows)
            ]
            return Stays(own) if answer == "stays" else add(own)

        return ask


class Stays(list):
    pass


def add(values):
    if isinstance(values[0], tuple):
        return tuple(add(column) for column in zip(*values, strict=True))
    return None if values[0] is None else sum(values[1:], values[0])


@over("name", CASES)
def test_sums_do_not_depend_on_where_rows_are(name):
    """Points, steps, lengths of rows and samples of whitening, for rows in one place and in three."""
    model, X, y, weight = case(name)
    fitted = clone(model).set_params(max_iter=1, tol=None).fit(X, y, sample_weight=weight)
    problem, coef, intercept = fitted._problem_, np.atleast_2d(fitted.coef_), fitted.intercept_
    coded, weight = fitted._encode(y), fitted._target_weights(fitted._encode(y), weight)
    whole, cuts = Block(X, coded, weight), [slice(0, 20), slice(20, 700), slice(700, None)]
    parts = [Block(X[cut], coded[cut], weight[cut]) for cut in cuts]

    class Several(Block):
        def course_rows(self, split: Split):
            return Together([CourseRows(part, split, len(self), self.total_weight / len(self)) for part in parts])

    courses = [Course(problem, coef, intercept, feed, (None, ())) for feed in (whole, Several(X, coded, weight))]
    one, other = courses
    for attribute in ("objective", "bend", "slope"):
        np.testing.assert_allclose(
            getattr(other.point, attribute), getattr(one.point, attribute), rtol=1e-9, atol=1e-12
        )
    np.testing.assert_allclose(other.moments.square, one.moments.square, rtol=1e-12)
    assert other.decrement() == pytest.approx(one.decrement(), rel=1e-7)
    for lift in (1.0, 0.1):
        (step, (_, mean)), (their_step, (_, their_mean)) = one.scale(lift), other.scale(lift)
        np.testing.assert_allclose(their_step, step, rtol=1e-10)
        assert their_mean == pytest.approx(mean, rel=1e-10)
    before = one.point.objective
    for course in courses:
        course.descend(step)
    assert other.point.objective == pytest.approx(one.point.objective, rel=1e-9)
    assert one.point.objective < before
    if CASES[name][0] == "collinear":
        for course in courses:
            assert course.whiten(None) is not None
            course.descend_whitened()
        found = [c.rows.sampled_gram(c.point.measured, c.point.bend / c.K, True) for c in courses]
        (matrix, n), (their_matrix, their_n) = found
        assert their_n == pytest.approx(n, rel=0.1)
        assert np.trace(their_matrix) == pytest.approx(np.trace(matrix), rel=0.1)
        assert before - other.point.objective == pytest.approx(before - one.point.objective, rel=0.1)
