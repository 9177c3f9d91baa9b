"""What takes a fresh interpreter: imports, the cache of kernels on disk, classes of `__main__` in workers."""

import textwrap

import pytest
from estimators import run

FIT = """
import numpy as np
from sksgd import LinearRegressor, LogisticClassifier
X = np.random.default_rng(0).normal(size=(20, 3))
print(LinearRegressor(max_iter=2, tol=None, random_state=0).fit(X, X[:, 0]).coef_.tolist())
"""


def files(folder):
    return sorted(path.name for path in folder.rglob("*.nb[ic]"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache, and what the process printed that filled it."""
    cache = tmp_path_factory.mktemp("cache")
    return cache, run(FIT, NUMBA_CACHE_DIR=cache)


def test_numba_is_not_imported_before_the_first_fit():
    code = """
    import sys
    import sksgd
    assert "numba" not in sys.modules, "import"
    from sklearn.base import clone
    for kind in (sksgd.LinearRegressor, sksgd.LogisticClassifier):
        model = clone(kind(optimizer="adam", learning_rate="cosine", penalty="l1", average=True))
        model.set_params(optimizer__beta1=0.8)
        model.get_params(), repr(model), model._repr_html_()
    assert "numba" not in sys.modules, "construction"
    sksgd.LinearRegressor(max_iter=1, tol=None).fit([[0.0], [1.0]], [0.0, 1.0])
    print("numba" in sys.modules)
    """
    assert run(textwrap.dedent(code)) == "True"


def test_a_second_process_compiles_nothing(filled):
    cache, first = filled
    compiled = files(cache)
    assert any(name.endswith(".nbc") for name in compiled)
    count = """
    from numba.core import event
    with event.install_recorder("numba:compile") as compilations:
        exec({code!r})
    print(len(compilations.buffer))
    """
    lines = run(textwrap.dedent(count).format(code=FIT), NUMBA_CACHE_DIR=cache).splitlines()
    assert lines == [first, "0"]
    assert files(cache) == compiled


def test_an_unwritable_cache_directory(tmp_path, filled):
    # Permissions do not bind root, but nobody can make a folder below a file.
    blocker = tmp_path / "file"
    blocker.write_text("")
    assert run(FIT, NUMBA_CACHE_DIR=blocker / "cache") == filled[1]


OWN = """
from numba import njit
from sksgd.base import Loss
FACTOR = 1.0
@njit
def same(x):
    return 1.0 * x
class Own(Loss):
    def value(self, p, y):
        return 0.5 * (p - y) * (p - y)
    def gradient(self, p, y):
        return FACTOR * same(p - y)
"""


STEP = """
import sys
sys.path.insert(0, sys.argv[1])
from own_loss import Own
from sksgd import LinearRegressor
model = LinearRegressor(Own(), optimizer="sgd", learning_rate=1e-3, alpha=0.0, fit_intercept=False)
print(model.partial_fit([[1.0]], [1.0]).coef_[0])
"""


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    """A step of the loss with the given source, in a process of its own; all share a folder and its cache."""
    folder = tmp_path_factory.mktemp("own")

    def step(source):
        (folder / "own_loss.py").write_text(source)
        return float(run(STEP, folder, NUMBA_CACHE_DIR=folder / "cache", PYTHONDONTWRITEBYTECODE=1))

    assert step(OWN) == pytest.approx(1e-3, rel=1e-12)
    return step


@pytest.mark.parametrize(
    ("old", "new", "factor"),
    [("FACTOR * same", "2.0 * same", 2.0), ("1.0 * x", "5.0 * x", 5.0), ("FACTOR = 1.0", "FACTOR = 3.0", 3.0)],
    ids=["a hook", "a helper", "a constant"],
)
def test_an_edit_of_a_component_recompiles(step, old, new, factor):
    assert step(OWN.replace(old, new)) == pytest.approx(factor * 1e-3, rel=1e-12)


def test_components_of_a_script_work_in_worker_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import numpy as np
        from sklearn.model_selection import GridSearchCV
        from sksgd import LinearRegressor
        from sksgd.base import Loss, Optimizer

        class Scaled(Loss):
            scale: float = 1.0
            def value(self, p, y):
                return 0.5 * self.scale * (p - y) * (p - y)
            def gradient(self, p, y):
                return self.scale * (p - y)

        class SignDescent(Optimizer):
            def coord(self, g, w, slots, begun):
                return w - begun[0] * (1.0 if g > 0.0 else -1.0 if g < 0.0 else 0.0), slots

        if __name__ == "__main__":
            X = np.random.default_rng(0).normal(size=(40, 3))
            y = X @ [1.0, 2.0, 0.0]
            model = LinearRegressor(Scaled(), optimizer=SignDescent(), learning_rate=0.01, max_iter=5, tol=None)
            grid = {"loss__scale": [0.5, 2.0], "learning_rate": [0.001, 0.01]}
            scores = [
                GridSearchCV(model.set_params(random_state=0), grid, cv=2, n_jobs=n, error_score="raise").fit(X, y)
                for n in (1, 2)
            ]
            a, b = (search.cv_results_["mean_test_score"].tolist() for search in scores)
            assert a == b, (a, b)
            print(len(set(a)) > 1)
        """)
    )
    # As `python script.py` does it, with the classes in the real `__main__`.
    code = "import sys; sys.argv = sys.argv[1:]; exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'))"
    assert run(code, script, NUMBA_CACHE_DIR=tmp_path / "cache") == "True"
