"""Data and a source for the tests of fits over sources."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
from estimators import weights

from sksgd.callbacks import Checkpoint
from sksgd.stream import Source

N, D = 190, 4
rng = np.random.default_rng(0)
X = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.7)
SIGNAL = X @ [1.0, -2.0, 0.0, 0.5] + 0.3
TWO = np.where(SIGNAL + rng.logistic(size=N) > 0, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.digitize(SIGNAL + rng.normal(size=N), [-0.5, 1.0])]
Y = np.column_stack([SIGNAL, -SIGNAL]) + rng.normal(size=(N, 2))
WEIGHT = rng.uniform(0.5, 2.0, N) * (rng.random(N) < 0.8)

#: A rule of which every update counts, in an order that does not depend on how rows are read.
ADAGRAD = {
    "optimizer": "adagrad",
    "learning_rate": 0.5,
    "sampling": "sequential",
    "max_iter": 3,
    "tol": None,
    "random_state": 0,
}


def ranges(n, size):
    """Slices of so many rows."""
    return [slice(first, min(first + size, n)) for first in range(0, n, size)]


class Rows(Source):
    """Rows of arrays in two parts of blocks; from the time that it is `armed` some are not what they were.

    `faults` gives for a part and a block a function that makes another block of it, or raises.
    """

    n_parts = 2

    def __init__(self, X, y, faults=(), armed=True, **options):
        super().__init__(**options)
        self.X, self.y, self.faults, self.trigger = X, y, dict(faults), {"armed": armed}
        half = len(y) // 2
        self.places = [ranges(half, 20), [slice(r.start + half, r.stop + half) for r in ranges(len(y) - half, 20)]]

    def name(self, part):
        return f"half {part}"

    def blocks(self, part):
        def block(number, rows):
            fault = self.faults.get((part, number)) if self.trigger["armed"] else None
            block = self.X[rows], self.y[rows]
            return block if fault is None else fault(*block)

        # Not a generator, which an error would end.
        return map(block, itertools.count(), self.places[part])

    def targets(self, part):
        return ((self.y[rows], None) for rows in self.places[part])

    def before(self, part, number):
        """The rows before a block."""
        return slice(self.places[part][number].start)


class Callback:
    """A callback that does nothing."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass


class Arm(Callback):
    """Arms a source when a pass begins."""

    def __init__(self, source, number):
        self.source, self.number = source, number

    def on_fit_task_begin(self, estimator, context):
        if (context.task_name, context.task_id) == ("pass", self.number):
            self.source.trigger["armed"] = True


# ---- fits that are killed --------------------------------------------------------------------------------------------


class Killed(Exception):
    """Stands for the end of a process."""


class Kill(Callback):
    """Raises at the end of the task of this number, counted from 1 in the order in which they end."""

    def __init__(self, at=None):
        self.at, self.ended = at, []

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)
        if len(self.ended) == self.at:
            raise Killed


def record(model):
    """All that is to be the same."""
    curves = [model.loss_curve_, model.validation_curve_]
    numbers = [model.t_, model.n_iter_, model.n_samples_seen_, model.stop_reason_, repr(model.optimality_gap_)]
    return weights(model).tobytes(), *curves, *numbers


def fit(model, path, data, at=None, every=1, **given):
    """The fitted model, or None if it was killed, and the tasks that ended."""
    kill = Kill(at)
    model.set_callbacks(Checkpoint(path, every=every), kill)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return model.fit(*data, **given), kill.ended
        except Killed:
            return None, kill.ended
