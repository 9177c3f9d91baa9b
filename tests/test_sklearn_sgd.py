"""scikit-learn's own tests of SGDClassifier and SGDRegressor, run on ours.

Its installed file of tests is imported once more, with our classes in the place of its own, and each of its tests is a
test of this module. Left out are those of SGDOneClassSVM, of loss functions as such, and one of a private name.
"""

import importlib.util
import math
import sys
from types import SimpleNamespace
from unittest import mock

import pytest
import sklearn
from sklearn import linear_model

from sksgd import SGDClassifier, SGDRegressor

THEIRS = "sklearn.linear_model.tests.test_sgd"

# These call Cython classes of scikit-learn, and no estimator.
OF_LOSSES = {
    "test_gradient_squared_hinge",
    "test_loss_epsilon_insensitive",
    "test_loss_hinge",
    "test_loss_modified_huber",
    "test_loss_squared_epsilon_insensitive",
}
# Replaces a private class of scikit-learn's module, and looks at how it is called.
OF_PRIVATE_NAMES = {"test_validation_mask_correctly_subsets"}
OF_ONE_CLASS_SVM = ("oneclass", "one_class", "ocsvm")

# In scikit-learn 1.9.1. Fewer may be right with another version, but not without a look.
LEAST_NUMBER_OF_TESTS = 205


def find_theirs():
    """Where the tests are, by pytest's import hook: failing assertions show their values, as everywhere."""
    try:
        return importlib.util.find_spec(THEIRS)
    except ModuleNotFoundError:  # the package they are in
        return None


def import_with_ours(spec):
    """Another copy of the module, whose name `linear_model` has our classes; scikit-learn is left as it was."""
    ours = {"SGDClassifier": SGDClassifier, "SGDRegressor": SGDRegressor}
    module = importlib.util.module_from_spec(spec)
    with (
        mock.patch.object(sklearn, "linear_model", SimpleNamespace(**{**vars(linear_model), **ours})),
        mock.patch.dict(vars(pytest.mark), no_check_spmatrix=lambda test: test),  # unknown to our configuration
    ):
        spec.loader.exec_module(module)
    return module


def concerns_us(name):
    left_out = name in OF_LOSSES | OF_PRIVATE_NAMES or any(part in name for part in OF_ONE_CLASS_SVM)
    return name.startswith("test_") and not left_out


def lists_of_parameters(test):
    return [mark.args[1] for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]


def without_one_class_svm(test):
    """The test, with SGDOneClassSVM taken out of the lists of what it is run on."""
    for values in lists_of_parameters(test):
        if any("OneClass" in repr(value) for value in values):
            values[:] = [value for value in values if "OneClass" not in repr(value)]
    return test


SPEC = find_theirs()
if SPEC is None:
    pytest.skip(f"scikit-learn is installed without its tests: no {THEIRS}", allow_module_level=True)
MODULE = import_with_ours(SPEC)
TESTS = {name: without_one_class_svm(test) for name, test in vars(MODULE).items() if concerns_us(name)}
globals().update(TESTS)  # where pytest looks for tests


@pytest.fixture(autouse=True)
def _found_by_pickle(monkeypatch):
    """Pickle looks the module's subclasses of our classes up by the module's name."""
    monkeypatch.setitem(sys.modules, THEIRS, MODULE)


@pytest.fixture
def global_random_seed():
    """Of scikit-learn's conftest, with its default."""
    return 42


def test_ours_are_in_place():
    for name, ours in {"SGDClassifier": SGDClassifier, "SGDRegressor": SGDRegressor}.items():
        assert ours.__module__.startswith("sksgd")
        assert getattr(MODULE.linear_model, name) is ours
        assert type(getattr(MODULE, name)()) is ours
        assert isinstance(getattr(MODULE, f"Sparse{name}")(), ours)


def test_scikit_learn_keeps_its_own():
    assert sklearn.linear_model is linear_model
    assert linear_model.SGDClassifier is not SGDClassifier
    assert linear_model.SGDRegressor is not SGDRegressor


def test_none_of_theirs_is_lost():
    assert set(vars(MODULE)) >= OF_LOSSES | OF_PRIVATE_NAMES
    number = sum(math.prod(map(len, lists_of_parameters(test))) for test in TESTS.values())
    assert number >= LEAST_NUMBER_OF_TESTS
