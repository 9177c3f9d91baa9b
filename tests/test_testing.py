"""The built-in components pass the public checks, and broken ones are caught by name."""

import math
import subprocess
import sys

import numpy as np
import pytest
from components import LOSS_ROWS, OPTIMIZER_ROWS, PENALTY_ROWS
from components_plain import AVERAGING_ROWS, SAMPLER_ROWS, SCHEDULE_ROWS

from sksgd import testing
from sksgd.averaging import PolyakRuppert
from sksgd.base import Schedule
from sksgd.losses import EpsilonInsensitive, LogLoss, Multinomial, SquaredError
from sksgd.optimizers import SGD, AdaGrad, Adam, FTRLProximal, Momentum
from sksgd.penalties import L1, L2, ElasticNet
from sksgd.sampling import Sequential

over = pytest.mark.parametrize


@over("row", LOSS_ROWS, ids=lambda row: repr(row.loss))
def test_losses(row):
    testing.check_loss(row.loss)
    if not row.loss.joint:
        testing.check_loss(row.loss, y=row.valid)


@over("name", PENALTY_ROWS)
def test_penalties(name):
    testing.check_penalty(PENALTY_ROWS[name].penalty)


@over("name", OPTIMIZER_ROWS)
def test_optimizers(name):
    testing.check_optimizer(OPTIMIZER_ROWS[name].optimizer)


@over("row", SCHEDULE_ROWS, ids=lambda row: repr(row.schedule)[:40].split(" at 0x")[0])
def test_schedules(row):
    testing.check_schedule(row.schedule)


@over("row", AVERAGING_ROWS, ids=lambda row: repr(row.averaging))
def test_averagings(row):
    testing.check_averaging(row.averaging)


@over("row", SAMPLER_ROWS, ids=lambda row: repr(row.sampler))
def test_samplers(row):
    testing.check_sampler(row.sampler)


def test_numba_is_imported_by_a_check_only():
    code = "import sys, sksgd.testing; assert 'numba' not in sys.modules, 'numba'"
    subprocess.run([sys.executable, "-c", code], check=True)


# Broken ones: each differs from a component that passes in one point


class WrongGradient(SquaredError):
    def gradient(self, p, y):
        return (p - y) * (1 + 1e-5)


class WrongCurvature(LogLoss):
    def curvature(self, p, y):
        return 0.25


class TooCurved(SquaredError):
    max_curvature = 0.9


class Raises(SquaredError):
    def value(self, p, y):
        return math.cosh(p - y) - 1

    def gradient(self, p, y):
        return math.sinh(p - y)

    curvature = property()
    max_curvature = math.inf


class AcceptsNan(SquaredError):
    def in_domain(self, y):
        return np.ones(len(y), dtype=bool)


class WrongJoint(Multinomial):
    def gradient(self, p, y, norm):
        return math.exp(p - norm) - y + 1e-4


class HiddenKink(EpsilonInsensitive):
    smooth = True


class WrongProximalPoint(EpsilonInsensitive):
    def prox(self, p, y, step):
        return p - step if p > y else p + step


class NotQuadratic(LogLoss):
    quadratic = True


class UnknownLink(SquaredError):
    link = "inverse"


@over(
    ("loss", "message"),
    [
        (WrongGradient(), "gradient at p=.* is not the derivative of value"),
        (WrongCurvature(), "curvature at p=.* is not the derivative of gradient"),
        (TooCurved(), "above max_curvature"),
        (Raises(), r"value.*1000.* raises OverflowError.*sksgd\.functions"),
        (AcceptsNan(), "in_domain accepts NaN"),
        (WrongJoint(), "gradient of output 0 .* is not the derivative of value"),
        (HiddenKink(), "the gradient jumps by 1.0 at p=.*: smooth must be False"),
        (WrongProximalPoint(), r"prox at p=.*, step=2\.0 is not the minimum"),
        (NotQuadratic(), "quadratic=True, but the curvature differs"),
        (UnknownLink(), "link is 'inverse'"),
        (SGD(), "no instance of Loss"),
    ],
    ids=repr,
)
def test_broken_losses(loss, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_loss(loss)


def test_targets_outside_the_domain():
    with pytest.raises(AssertionError, match="in_domain does not accept"):
        testing.check_loss(LogLoss(), y=[0.5, 2.0])


class WrongProx(L2):
    def prox(self, w, step, alpha):
        return w * (1 - alpha * step) if alpha * step < 0.1 else w / (1 + alpha * step)


class WrongAmount(L1):
    def amount(self, step, alpha):
        return alpha * step * 1.0001


class WrongShrink(ElasticNet):
    def amount(self, step, alpha):
        return alpha * (1 - self.l1_ratio) * step


class WrongGroup(L2):
    group = "sum"
    linear = False


class NotSparse(L1):
    sparse = False


class NeverSparse(L2):
    sparse = True


class WrongDrift(L2):
    def drift(self, w, move, time, alpha):
        return (w + move) * math.exp(-alpha * time)


class WrongSize(L1):
    def size(self, w, total):
        return abs(w), -1.0, abs(w)


@over(
    ("penalty", "message"),
    [
        (WrongProx(), r"prox\(.* is no minimum"),
        (WrongAmount(), "is not prox"),
        (WrongShrink(0.3), "is not prox"),
        (WrongGroup(), "is not shrinking by their sum"),
        (NotSparse(), "sparse must be True"),
        (NeverSparse(), "sets no weight to exactly zero"),
        (WrongDrift(), "does not rest where prox does"),
        (WrongSize(), "does not give the absolute weight"),
    ],
    ids=repr,
)
def test_broken_penalties(penalty, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_penalty(penalty)


class StillThatMoves(Momentum):
    idle = "still"
    ratio = None


class WrongGlide(Momentum):
    def glide(self, w, slots, k, begun):
        v = slots[0]
        return w + v * begun[1] * k, (v * begun[1] ** k,)


class FadesUnsaid(Momentum):
    fades = False


class WrongStep(Momentum):
    def step(self, t, eta, l2):
        return eta


class WrongScale(AdaGrad):
    def scale(self, slots, begun):
        return 1.0


class MissingSlot(Momentum):
    n_slots = 2


class ForeignBegin(SGD):
    def begin(self, t, eta):
        return (eta / np.size(t),)


class RenewsNot(Adam):
    idle = "renews"


class WrongStart(FTRLProximal):
    def start(self, w):
        return (0.0,)


@over(
    ("optimizer", "message"),
    [
        (StillThatMoves(), 'idle="still", but coord with g=0 moves a weight'),
        (WrongGlide(), "glide over k=2 differs from 2 calls of coord"),
        (FadesUnsaid(), "fades=False, but coord with g=0 changes"),
        (WrongStep(), "does not rest at the minimum"),
        (WrongScale(), "does not rest at the minimum"),
        (MissingSlot(), "slots, but n_slots is 2"),
        (ForeignBegin(), "begin for t=0 depends on the other updates"),
        (RenewsNot(), 'idle="renews", but with g=0'),
        (WrongStart(), "start gives 1 slots, but n_slots is 2"),
    ],
    ids=repr,
)
def test_broken_optimizers(optimizer, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_optimizer(optimizer)


class Negative(Schedule):
    def rate(self, t):
        return 0.1 - 0.01 * t


class Shapeless(Schedule):
    def rate(self, t):
        return np.ones(3)


class Forgetful(Schedule):
    def rate(self, t):
        return 0.1 / np.arange(1, len(t) + 1)


class Rises(Schedule):
    def rate(self, t):
        return 0.1

    def after_stall(self, factor):
        return 2 * factor


@over(
    ("schedule", "message"),
    [
        (Negative(), r"not a finite number, 0 or greater, at t=\[11"),
        (Shapeless(), r"shape \(3,\)"),
        (Forgetful(), "differs from that of other calls"),
        (Rises(), "after_stall"),
    ],
    ids=repr,
)
def test_broken_schedules(schedule, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_schedule(schedule)


class HoldsOn(PolyakRuppert):
    def rho(self, t, eta, mass):
        return 1.0 / (t + 2), mass


class Split(PolyakRuppert):
    def rho(self, t, eta, mass):
        return 1.0 / (np.arange(len(t)) + 1), mass


class OneTooFar(Sequential):
    def order(self, n, seed, number, norms=None):
        return np.arange(1, n + 1), None


class Random(Sequential):
    generator = np.random.default_rng(0)

    def order(self, n, seed, number, norms=None):
        return self.generator.permutation(n), None


def test_broken_averagings_and_samplers():
    with pytest.raises(AssertionError, match=r"rho of update 0 is 0\.5, not 1"):
        testing.check_averaging(HoldsOn())
    with pytest.raises(AssertionError, match="how updates are split"):
        testing.check_averaging(Split())
    with pytest.raises(AssertionError, match=r"outside 0 \.\.\. 0"):
        testing.check_sampler(OneTooFar())
    with pytest.raises(AssertionError, match="same arguments"):
        testing.check_sampler(Random())


class Unlike(SquaredError):
    def __eq__(self, other):
        return False

    def __hash__(self):
        return 0


def test_components_that_are_no_values():
    with pytest.raises(AssertionError, match="pickled is not equal to itself"):
        testing.check_loss(Unlike())
