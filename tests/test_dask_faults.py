"""Faults, with real worker processes: what is lost is made again, and what is wrong is told."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dask
import dask.array as da
import joblib
import numpy as np
import pytest
from clusters import cluster, put, workers
from distributed import Client, Event
from sklearn.model_selection import GridSearchCV

from sksgd import LinearRegressor, LogisticClassifier
from sksgd.base import Sampler
from sksgd.dask import train


@pytest.fixture(scope="module")
def client():
    # A worker that comes back late, since others compile, is not to be given up.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "10m"}),
        cluster(2, processes=True, memory_limit=0) as client,
    ):
        yield client


class Striking(Sampler):
    """In pass 1, the first worker that comes to it does something to a process; in order otherwise."""

    folder: str
    #: Whose: 0 for the worker itself.
    pid: int = 0

    def order(self, n, seed, number, norms=None):
        if number == 1 and self._first():
            os.kill(self.pid or os.getpid(), signal.SIGKILL)
        return np.random.default_rng([seed, number]).permutation(n).astype(np.int32), None

    def _first(self):
        try:
            os.mkdir(self.folder)
        except FileExistsError:
            return False
        return True


class Waiting(Sampler):
    """In pass 1, one worker waits until a third has come."""

    def order(self, n, seed, number, norms=None):
        if number == 1 and n == 40:
            Event("third").wait()
        return np.random.default_rng([seed, number]).permutation(n).astype(np.int32), None


def rows(n=120, d=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + 0.1 * rng.normal(size=n)


def parts(X, y):
    return [dask.delayed(lambda a, b: (a, b))(X[i : i + 40], y[i : i + 40]) for i in range(0, len(X), 40)]


def model(**params):
    return LinearRegressor(
        optimizer="sgd", learning_rate=0.05, batch_size=20, max_iter=3, tol=None, random_state=0, **params
    )


@pytest.mark.parametrize("strategy", ["local", "sync"])
def test_a_worker_killed_in_a_round_makes_no_difference(client, tmp_path, strategy):
    X, y = rows()
    (tmp_path / "safe").mkdir()
    client.wait_for_workers(2)
    made = client.compute(parts(X, y))
    safe = train(client, model(sampling=Striking(str(tmp_path / "safe"))), made, strategy=strategy)
    struck = train(client, model(sampling=Striking(str(tmp_path / "struck"))), made, strategy=strategy)
    assert (tmp_path / "struck").exists()
    assert struck.n_samples_seen_ == safe.n_samples_seen_ == 3 * 120
    np.testing.assert_allclose(struck.loss_curve_[0], safe.loss_curve_[0], rtol=1e-12)
    np.testing.assert_allclose(struck.coef_, safe.coef_, rtol=1e-12)


def test_what_was_scattered_cannot_be_made_again(client, tmp_path):
    X, y = rows()
    client.wait_for_workers(2)
    data = client.scatter([(X[:60], y[:60]), (X[60:], y[60:])])
    with pytest.raises(RuntimeError, match="that Dask cannot make again"):
        train(client, model(sampling=Striking(str(tmp_path / "struck"))), data)


def test_the_only_worker_killed_is_waited_for(tmp_path):
    X, y = rows()
    with cluster(1, processes=True, memory_limit=0) as client:
        data = da.from_array(X, chunks=(40, -1)), da.from_array(y, chunks=40)
        struck = train(client, model(sampling=Striking(str(tmp_path / "struck"))), *data)
    (tmp_path / "safe").mkdir()
    expected = model(sampling=Striking(str(tmp_path / "safe"))).fit(X, y)
    assert struck.coef_.tobytes() == expected.coef_.tobytes()
    assert struck.n_samples_seen_ == 3 * 120


def test_a_worker_that_joins_and_a_slow_one_make_no_difference():
    X, y = rows()
    with cluster(2, processes=True, memory_limit=0) as client:
        Event("third", client=client).set()
        data = put(client, [(X[:40], y[:40]), (X[40:], y[40:])])
        calm = train(client, model(sampling=Waiting()), data)
        Event("third", client=client).clear()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(train, client, model(sampling=Waiting()), data)
            client.cluster.scale(3)
            client.wait_for_workers(3)
            Event("third", client=client).set()
            busy = running.result()
        assert len(workers(client)) == 3
    assert busy.coef_.tobytes() == calm.coef_.tobytes()
    assert busy.n_samples_seen_ == calm.n_samples_seen_ == 3 * 120


def test_a_lost_scheduler_is_an_error(tmp_path):
    X, y = rows()
    file = str(tmp_path / "scheduler.json")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def start(name, *options):
        command = [sys.executable, "-m", f"distributed.cli.{name}", "--no-dashboard", "--scheduler-file", file]
        return subprocess.Popen([*command, *options], env=environment, stderr=subprocess.DEVNULL)

    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
    worker = start("dask_worker", "--no-nanny")
    try:
        with dask.config.set({"distributed.comm.timeouts.connect": "2s"}), Client(scheduler_file=file) as client:
            strike = Striking(str(tmp_path / "struck"), scheduler.pid)
            with pytest.raises(RuntimeError, match=r"The scheduler of .* was lost"):
                train(client, model(sampling=strike), da.from_array(X, chunks=(60, -1)), da.from_array(y, chunks=60))
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()


def test_searches_run_on_a_cluster(client):
    X, y = rows()
    client.wait_for_workers(1)
    search = GridSearchCV(LogisticClassifier(), {"alpha": [1e-4, 1e-2, 1.0]}, cv=3)
    expected = search.fit(X, y > 0).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="dask", wait_for_workers_timeout=60):
        found = search.fit(X, y > 0).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found, expected)
