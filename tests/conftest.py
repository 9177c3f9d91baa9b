"""What is set for a whole session, some of it before the workers of pytest-xdist start."""

import gc
import os
import signal

import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=0, help="of models without random_state; any must pass")


@pytest.fixture(autouse=True)
def seed(request):
    """Models without `random_state` draw from NumPy's global generator: each run of a test has the same numbers."""
    np.random.seed(request.config.getoption("seed"))  # noqa: NPY002


def pytest_configure(config):
    """Let Ctrl-C come through, and each worker compute on one thread.

    Shells let jobs in the background ignore Ctrl-C, and Python has nobody to tell of it. Threads of BLAS spin while
    they wait for a core that another worker has: three tests of Newton's method took 80 s of processor time with two
    threads a worker, and take 9 s with one.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None):
        for library in ("OPENBLAS", "MKL", "OMP"):
            os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def pytest_collection_finish(session):
    """Spare the garbage collector the modules and tests, which stay: compiling kernels makes it look through all.

    That took 20 s of the 185 s of two workers on the estimator checks and the tests of implicit SGD.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
