"""The checks of components that are plain NumPy: schedules, averaging rules, samplers."""

from __future__ import annotations

import numpy as np

from ..base import Averaging, Horizon, Sampler, Schedule
from ..core.batches import Block
from ..core.problem import Problem
from ..losses import SquaredError
from ..optimizers import SGD
from ..penalties import L2
from .shared import check_value, close, require

_HORIZON = Horizon(updates=100, updates_per_pass=10, alpha=1e-3, loss=SquaredError())


def _met(schedule: Schedule) -> Schedule:
    """The schedule that has met three rows."""
    rows = Block(np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]]), np.array([[1.0], [-1.0], [0.5]]))
    problem = Problem(
        loss=_HORIZON.loss,
        penalty=L2(),
        alpha=_HORIZON.alpha,
        optimizer=SGD(),
        schedule=schedule,
        averaging=None,
        batch_size=1,
        bounds=None,
        fit_intercept=True,
    )
    return problem.meet(rows, None).schedule


def check_schedule(schedule: Schedule) -> None:
    """Check a schedule: shapes and range of its rates, and that they depend on t alone.

    Parameters
    ----------
    schedule : Schedule

    Raises
    ------
    AssertionError
        Naming what is wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from sksgd.base import Schedule
    >>> class Harmonic(Schedule):
    ...     eta0: float = 0.1
    ...     def rate(self, t):
    ...         return self.eta0 / (t + 1.0)
    >>> check_schedule(Harmonic())
    """
    check_value(schedule, Schedule)
    bound = schedule.bind(_HORIZON)
    require(isinstance(bound, Schedule), f"bind returns {bound!r}, which is no Schedule")
    bound = _met(bound)
    require(isinstance(bound, Schedule), f"meet returns {bound!r}, which is no Schedule")
    t = np.arange(120)
    rates = bound.rate(t)
    require(np.shape(rates) in ((), t.shape), f"rate(t) has shape {np.shape(rates)} for t of shape {t.shape}")
    rates = np.broadcast_to(np.asarray(rates, dtype=float), t.shape)
    bad = ~(np.isfinite(rates) & (rates >= 0))
    require(not bad.any(), f"rate is not a finite number, 0 or greater, at t={t[bad][:3]}: {rates[bad][:3]}")
    for part in (t[:1], t[50:53], t[::-1][:7]):
        alone = np.broadcast_to(bound.rate(part), part.shape)
        require(np.allclose(alone, rates[part], rtol=1e-12, atol=0), f"rate({part}) differs from that of other calls")
    factor = bound.after_stall(1.0)
    require(factor is None or 0 < factor < 1, f"after_stall(1.0) is {factor}, which is neither None nor a lower factor")


def check_averaging(averaging: Averaging) -> None:
    """Check an averaging rule: its weights lie in (0, 1], begin with 1 and do not depend on how updates are split.

    Parameters
    ----------
    averaging : Averaging

    Raises
    ------
    AssertionError
        Naming what is wrong.

    Examples
    --------
    >>> from sksgd.averaging import PolynomialDecay
    >>> check_averaging(PolynomialDecay(gamma=2.0))
    """
    check_value(averaging, Averaging)
    bound, t = averaging.bind(_HORIZON), np.arange(100)
    eta = 0.1 / (t + 1.0)
    rho, mass = bound.rho(t, eta, 0.0)
    require(np.shape(rho) == t.shape, f"rho has shape {np.shape(rho)} for t of shape {t.shape}")
    require(rho[0] == 1, f"rho of update 0 is {rho[0]}, not 1: the average would hold on to the weights before it")
    require(bool(((rho > 0) & (rho <= 1)).all()), "rho is not everywhere in (0, 1]")
    first, between = bound.rho(t[:37], eta[:37], 0.0)
    second, after = bound.rho(t[37:], eta[37:], between)
    require(np.allclose(np.append(first, second), rho, rtol=1e-12), "rho depends on how updates are split into calls")
    close(after, mass, "the sum of weights depends on how updates are split into calls", 1e-12)


def check_sampler(sampler: Sampler) -> None:
    """Check a sampler: n positions within the rows, the same for the same arguments.

    Parameters
    ----------
    sampler : Sampler

    Raises
    ------
    AssertionError
        Naming what is wrong.

    Examples
    --------
    >>> from sksgd.sampling import Importance
    >>> check_sampler(Importance(mixture=0.2))
    """
    check_value(sampler, Sampler)
    for n in (1, 2, 30):
        for number in (0, 3):
            norms = np.linspace(1.0, 2.0, n)
            order, factor = sampler.order(n, 5, number, norms)
            require(
                order.shape == (n,) and order.dtype.kind in "iu", f"order for n={n} is no integer array of length n"
            )
            require(order.min() >= 0 and order.max() < n, f"order for n={n} has positions outside 0 ... {n - 1}")
            again, factor_again = sampler.order(n, 5, number, norms)
            same = np.array_equal(order, again) and (
                factor is factor_again
                or (factor is not None and factor_again is not None and np.array_equal(factor, factor_again))
            )
            require(same, "order differs between two calls with the same arguments: draw from (seed, number) only")
            if factor is not None:
                valid = factor.shape == (n,) and bool((np.isfinite(factor) & (factor >= 0)).all())
                require(valid, "the factors of the rows are not n finite numbers, 0 or greater")
