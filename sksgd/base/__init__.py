"""The contracts: what a loss, penalty, optimizer, schedule, sampler or averaging rule is.

Every component is a small immutable value object. Those that a kernel calls for every row or every weight (`Loss`,
`Penalty`, `Optimizer`, `SampleStep`) consist of pure scalar functions, which are compiled and inlined; all arrays
belong to the kernel. What is decided once per update or per pass (`Schedule`, `Averaging`, `Sampler`) is plain NumPy
and never compiled.

A component of your own is a class with annotated fields (numbers) and the hooks below; no registration is needed:

>>> from sksgd.base import Loss
>>> class Squared(Loss):
...     scale: float = 1.0
...     def value(self, p, y):
...         return 0.5 * self.scale * (p - y) * (p - y)
...     def gradient(self, p, y):
...         return self.scale * (p - y)
>>> Squared(scale=2.0)
Squared(scale=2.0)
"""

from __future__ import annotations

from .component import Component
from .loss import Loss
from .optimizer import BlockOptimizer, Optimizer, SampleStep
from .penalty import Penalty
from .sampler import Sampler
from .schedule import Averaging, Horizon, Schedule

__all__ = [
    "Averaging",
    "BlockOptimizer",
    "Component",
    "Horizon",
    "Loss",
    "Optimizer",
    "Penalty",
    "SampleStep",
    "Sampler",
    "Schedule",
]
