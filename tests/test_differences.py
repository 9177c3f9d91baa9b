"""The page that lists what differs from scikit-learn is the script that shows it, which asserts what it shows."""

import importlib.util
import re

import pytest
from estimators import ROOT

SCRIPT = ROOT / "examples" / "differences_from_scikit_learn.py"
SPEC = importlib.util.spec_from_file_location("differences_from_scikit_learn", SCRIPT)
MODULE = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(MODULE)
FUNCTIONS = {function.__name__: function for function in MODULE.functions()}


def test_every_heading_has_its_function():
    page = (ROOT / "docs" / "differences-from-scikit-learn.md").read_text()
    headings = re.findall("^### (.*)$", page, flags=re.MULTILINE)
    names = [re.sub("[ -]", "_", heading.lower()) for heading in headings]
    assert names == [name for name in FUNCTIONS if not name.startswith("as_there")]


# It measures times in processes of its own, without a cache of kernels.
SLOW = "first_fit_compiles"


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != SLOW])
def test_difference(name):
    FUNCTIONS[name]()
