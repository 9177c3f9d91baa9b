"""Clusters for tests, and rows put on workers."""

import contextlib

from distributed import Client, LocalCluster


@contextlib.contextmanager
def cluster(n_workers, processes=False, **options):
    """A client of a cluster on this machine, whose workers are threads unless tests need processes."""
    options = {"n_workers": n_workers, "threads_per_worker": 1, "dashboard_address": ":0", **options}
    with LocalCluster(processes=processes, **options) as local, Client(local) as client:
        yield client


def workers(client):
    return sorted(client.nthreads())


def keep(part):
    return part


def put(client, parts):
    """Partitions (X, y[, sample_weight]) as futures, in turn on each of the workers."""
    places = workers(client)
    futures = [client.submit(keep, part, workers=[places[i % len(places)]], pure=False) for i, part in enumerate(parts)]
    client.gather([client.submit(len, future, pure=False) for future in futures])
    return futures
