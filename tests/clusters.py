"""Clusters for tests, and rows put on workers."""

import contextlib

import numpy as np
from distributed import Client, LocalCluster

from sksgd.base import Sampler


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


class InTurn(Sampler):
    """The rows of several blocks, one after the other in memory, in the batches that workers make of them."""

    sizes: tuple[int, ...]
    batch_size: int

    def order(self, n, seed, number, norms=None):
        starts, at, order = np.cumsum([0, *self.sizes[:-1]]), np.zeros(len(self.sizes), int), []
        for end in range(self.batch_size, n + self.batch_size, self.batch_size):
            stops = [size * min(end, n) // n for size in self.sizes]
            for start, first, last in zip(starts, at, stops, strict=True):
                order.extend(range(start + first, start + last))
            at = stops
        return np.array(order, np.int32), None
