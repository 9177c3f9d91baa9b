"""The components that are plain NumPy, one row each, with an oracle in plain Python; tests run over these tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sksgd import averaging, sampling, schedules
from sksgd.base import Averaging, Horizon, Loss, Sampler, Schedule
from sksgd.core.batches import Block
from sksgd.core.problem import Problem
from sksgd.losses import SquaredError
from sksgd.optimizers import SGD
from sksgd.penalties import NoPenalty

PASSES, UPDATES_PER_PASS = 5, 8
TOTAL = PASSES * UPDATES_PER_PASS


class Squared(Loss):
    def gradient(self, p, y):
        return p - y


HORIZON = Horizon(updates=TOTAL, updates_per_pass=UPDATES_PER_PASS, alpha=1e-3, loss=Squared())
#: Rows that allow a rate of 0.1: with the intercept their squared norms are 2 and 10.
BLOCK = Block(np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]]))
PROBLEM = Problem(
    loss=SquaredError(),
    penalty=NoPenalty(),
    alpha=0.0,
    optimizer=SGD(),
    schedule=schedules.Constant(1.0),
    averaging=None,
    batch_size=1,
    bounds=None,
    fit_intercept=True,
)


def ready(schedule: Schedule, horizon: Horizon = HORIZON) -> Schedule:
    """The schedule once it knows all that it may ask."""
    return schedule.bind(horizon).meet(PROBLEM, BLOCK, None)


class ScheduleRow(NamedTuple):
    schedule: Schedule
    #: The rate of update t, for one t; the horizon, where there is one, is TOTAL.
    formula: Callable[[int], float]
    #: Fields out of range, to be refused one by one.
    invalid: dict[str, list]


class AveragingRow(NamedTuple):
    averaging: Averaging
    #: The weight of the s-th iterate in the average after update t (only ratios matter), given all rates.
    weight: Callable[[int, int, list[float]], float]
    invalid: dict[str, list]


class SamplerRow(NamedTuple):
    sampler: Sampler
    #: Whether a pass visits each row once.
    permutes: bool
    #: The probability of a row to be drawn, given the norms of all rows.
    probability: Callable[[int, list[float]], float]
    invalid: dict[str, list]


NAN, INF = math.nan, math.inf
NOT_POSITIVE = [0.0, -1.0, NAN, INF, "0.1", None, True]
NEGATIVE = [-1.0, NAN, INF, "0.1", None]
NOT_A_COUNT = [0, -1, 1.5, "3", True]


def piecewise(t):
    return 0.5 if t < 3 else 0.25 if t < 10 else 0.0


def one_cycle(eta_max, start_factor, end_factor, warmup):
    """torch's OneCycleLR.get_lr."""

    def cosine(start, end, part):
        return end + (start - end) / 2 * (1 + math.cos(math.pi * part))

    def rate(t):
        t = min(t, TOTAL - 1)
        initial = eta_max * start_factor
        peak, last = warmup * TOTAL - 1, TOTAL - 1
        if t <= peak:
            return cosine(initial, eta_max, t / peak if peak else 1.0)
        return cosine(eta_max, initial * end_factor, (t - peak) / (last - peak))

    return rate


def triangle(t):
    place = t % 10
    return 0.1 + 0.4 * (place if place <= 5 else 10 - place) / 5


def optimal(t):
    typical = math.sqrt(1 / math.sqrt(1e-3))
    return 1 / (1e-3 * (1 / (typical * 1e-3) + t))


def scalar_only(t):
    return 0.1 if t < 5 else 0.1 / math.sqrt(t)


SCHEDULE_ROWS = [
    ScheduleRow(schedules.Auto(), lambda t: 0.1, {"schedule": ["unknown", -1.0]}),
    ScheduleRow(schedules.Auto(schedules.LinearToZero(0.5)), lambda t: 0.1 * 0.5 * max(1 - t / TOTAL, 0.0), {}),
    ScheduleRow(schedules.Warmup("auto", 4), lambda t: 0.1 * min((t + 1) / 4, 1.0), {}),
    ScheduleRow(schedules.Constant(0.3), lambda t: 0.3, {"eta0": NOT_POSITIVE}),
    ScheduleRow(
        schedules.PiecewiseConstant((3, 10), (0.5, 0.25, 0.0)),
        piecewise,
        {
            "boundaries": [(3,), (10, 3), (3, 3), (0, 3), (3, NAN), ("a", "b"), None],
            "values": [(0.5, 0.1), (0.5, 0.1, -1.0), (0.5, 0.1, NAN), (INF, 0.1, 0.1), "abc", None],
        },
    ),
    ScheduleRow(
        schedules.Exponential(0.3, 0.05),
        lambda t: 0.3 * math.exp(-0.05 * t),
        {"eta0": NOT_POSITIVE, "decay": NEGATIVE},
    ),
    ScheduleRow(
        schedules.Polynomial(0.3, 0.1, 0.75),
        lambda t: 0.3 / (0.1 * t + 1) ** 0.75,
        {"eta0": NOT_POSITIVE, "beta": NEGATIVE, "power": NEGATIVE},
    ),
    ScheduleRow(schedules.Polynomial(1, 2, 1), lambda t: 1 / (2 * t + 1), {}),
    ScheduleRow(schedules.InverseScaling(), lambda t: 0.01 / (t + 1) ** 0.25, {"power_t": NEGATIVE}),
    ScheduleRow(schedules.InverseScaling(1, 2), lambda t: 1 / (t + 1) ** 2, {"eta0": NOT_POSITIVE}),
    ScheduleRow(schedules.InverseSqrt(0.3), lambda t: 0.3 / math.sqrt(t + 1), {"eta0": NOT_POSITIVE}),
    ScheduleRow(schedules.Optimal(), optimal, {}),
    ScheduleRow(
        schedules.Step(0.3, 7, gamma=0.5),
        lambda t: 0.3 * 0.5 ** (t // 7),
        {"eta0": NOT_POSITIVE, "step_size": NOT_A_COUNT, "gamma": [0.0, -0.5, 1.5, NAN, "0.1"]},
    ),
    ScheduleRow(
        schedules.Cosine(0.3, 0.1),
        lambda t: 0.1 + 0.2 * (1 + math.cos(math.pi * min(t, TOTAL) / TOTAL)) / 2,
        {"eta0": NOT_POSITIVE, "eta_min": [*NEGATIVE, 0.4], "total": NOT_A_COUNT},
    ),
    ScheduleRow(
        schedules.LinearToZero(0.3),
        lambda t: 0.3 * (1 - min(t, TOTAL) / TOTAL),
        {"eta0": NOT_POSITIVE, "total": NOT_A_COUNT},
    ),
    ScheduleRow(
        schedules.OneCycle(0.3),
        one_cycle(0.3, 1 / 25, 1e-4, 0.3),
        {
            "eta_max": NOT_POSITIVE,
            "start_factor": [*NOT_POSITIVE[:-1], 1.5],
            "end_factor": [*NEGATIVE, 1.5],
            "warmup": [-0.1, 1.0, NAN, "0.1"],
            "total": NOT_A_COUNT,
        },
    ),
    ScheduleRow(schedules.OneCycle(0.3, warmup=0.0), one_cycle(0.3, 1 / 25, 1e-4, 0.0), {}),
    ScheduleRow(schedules.OneCycle(0.3, warmup=0.5 / TOTAL), one_cycle(0.3, 1 / 25, 1e-4, 0.5 / TOTAL), {}),
    ScheduleRow(schedules.OneCycle(0.3, warmup=1.0 / TOTAL), one_cycle(0.3, 1 / 25, 1e-4, 1.0 / TOTAL), {}),
    ScheduleRow(schedules.OneCycle(0.3, warmup=1.5 / TOTAL), one_cycle(0.3, 1 / 25, 1e-4, 1.5 / TOTAL), {}),
    ScheduleRow(
        schedules.Cyclic(0.1, 0.5, 5),
        triangle,
        {"eta_min": [*NEGATIVE, 0.6], "eta_max": NOT_POSITIVE, "half_cycle": NOT_A_COUNT},
    ),
    ScheduleRow(
        schedules.Warmup(schedules.InverseSqrt(0.3), 6),
        lambda t: 0.3 * (t + 1) / 6 if t < 6 else 0.3 / math.sqrt(t - 6 + 1),
        {"steps": NOT_A_COUNT, "schedule": ["step", -0.1, None]},
    ),
    ScheduleRow(schedules.Warmup(0.3, 6), lambda t: 0.3 * min(t + 1, 6) / 6, {}),
    ScheduleRow(
        schedules.Warmup("linear", 6),
        lambda t: 0.01 * (t + 1) / 6 if t < 6 else 0.01 * (1 - min(t - 6, TOTAL - 6) / (TOTAL - 6)),
        {},
    ),
    ScheduleRow(
        schedules.Adaptive(0.3),
        lambda t: 0.3,
        {"eta0": NOT_POSITIVE, "factor": [1.0, 0.0, NAN, INF, "5"], "eta_min": NOT_POSITIVE},
    ),
    ScheduleRow(schedules.FunctionSchedule(scalar_only), scalar_only, {"function": [0.1, None]}),
]


def plain_mean(start):
    """The weights of the mean from `start` on; before it, of the last iterate alone."""
    return lambda s, t, eta: float(s == t if t < start else s >= start)


AVERAGING_ROWS = [
    AveragingRow(averaging.PolyakRuppert(), plain_mean(0), {"start": [-1, 0.5, NAN, "1", None, True]}),
    AveragingRow(averaging.PolyakRuppert(start=11), plain_mean(11), {}),
    AveragingRow(averaging.RateWeighted(), lambda s, t, eta: eta[s], {}),
    AveragingRow(
        averaging.Tail(), plain_mean(2 * UPDATES_PER_PASS), {"fraction": [0.0, -0.5, 1.5, NAN, "0.5", None, True]}
    ),
    AveragingRow(averaging.Tail(0.2), plain_mean(4 * UPDATES_PER_PASS), {}),
    AveragingRow(averaging.Tail(1e-6), plain_mean(4 * UPDATES_PER_PASS), {}),
    AveragingRow(averaging.Tail(1), plain_mean(0), {}),
    AveragingRow(
        averaging.PolynomialDecay(),
        lambda s, t, eta: (s + 1) * (s + 2) * (s + 3),
        {"gamma": [-0.5, NAN, INF, "3", None, False]},
    ),
    AveragingRow(averaging.PolynomialDecay(gamma=0), lambda s, t, eta: 1.0, {}),
    AveragingRow(
        averaging.ExponentialAverage(0.9),
        lambda s, t, eta: 0.9 ** (t - s),
        {"decay": [0.0, 1.0, -0.5, NAN, "0.9", None, True]},
    ),
]


def uniform(i, norms):
    return 1 / len(norms)


SAMPLER_ROWS = [
    SamplerRow(sampling.Reshuffle(), True, uniform, {}),
    SamplerRow(sampling.ShuffleOnce(), True, uniform, {}),
    SamplerRow(sampling.Sequential(), True, uniform, {}),
    SamplerRow(sampling.WithReplacement(), False, uniform, {}),
    SamplerRow(
        sampling.Importance(),
        False,
        lambda i, norms: 0.5 / len(norms) + 0.5 * norms[i] / sum(norms),
        {"mixture": [-0.1, 1.1, NAN, INF, "0.5", None, True]},
    ),
    SamplerRow(sampling.Importance(mixture=0), False, lambda i, norms: norms[i] / sum(norms), {}),
    SamplerRow(sampling.Importance(mixture=1), False, uniform, {}),
]
