"""Ready checks for a component of your own: call one, and it raises an `AssertionError` that says what is wrong.

They test what the contracts in `sksgd.base` promise: hooks against finite differences and brute force, the closed forms
for idle weights against the steps they stand for, compiled code against Python, CSR rows against dense ones, and that
the component is a value (comparable, picklable, cloneable). A check compiles some kernels and takes a few seconds.

>>> from sksgd.testing import check_schedule
>>> from sksgd.schedules import Exponential
>>> check_schedule(Exponential(eta0=0.1, decay=0.01))
"""

from .losses import check_loss
from .optimizers import check_optimizer
from .penalties import check_penalty
from .plain import check_averaging, check_sampler, check_schedule

__all__ = ["check_averaging", "check_loss", "check_optimizer", "check_penalty", "check_sampler", "check_schedule"]
