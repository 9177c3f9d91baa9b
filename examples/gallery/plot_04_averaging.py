r"""
Averages of iterates
====================

With noise the last iterate hovers about the minimum, and averages get closer. For a convex function with gradients of
norm at most L, and a start at distance r from the minimum, the average of the iterates weighted by their rates, with
:math:`\eta = r / (L \sqrt T)`, is after T updates at most :math:`r L / \sqrt T` above the minimum in expectation. The
dashed line is that bound; the measured gaps are means over 30 runs.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksgd import minimize
from sksgd.averaging import PolyakRuppert, PolynomialDecay, RateWeighted
from sksgd.plot import TrajectoryDisplay

START, r, L = np.array([3.0, 4.0]), 5.0, 2.0


def fun(x):
    return np.hypot(*x)  # gradients of norm 1, and a kink at the minimum


def gradient(x):
    return x / max(np.hypot(*x), 1e-12)


def flipped(rng, x):
    """Noise of mean 0 and squared norm 3, so that gradients have a mean square of 4 = L^2."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.sqrt(3) * np.array([np.cos(angle), np.sin(angle)])


# %%
# The gap over the number of updates planned, T, each with its own constant rate (so that the rate-weighted average is
# the plain mean). It keeps below its bound. Here the last iterate does so, too; polynomial decay, which forgets the way
# from the start, is much better than both.

numbers = np.array([10, 30, 100, 300, 1000])
averages = {"last iterate": None, "rate-weighted": RateWeighted(), "polynomial decay": PolynomialDecay()}
_, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for (name, average), color, marker in zip(averages.items(), ("#D55E00", "#0072B2", "#009E73"), "osD", strict=True):
    gaps = [
        [
            minimize(
                fun,
                START,
                jac=gradient,
                noise=flipped,
                optimizer="sgd",
                learning_rate=r / (L * np.sqrt(T)),
                average=average,
                max_iter=int(T),
                random_state=seed,
            ).fun
            for seed in range(30)
        ]
        for T in numbers
    ]
    ax.plot(numbers, np.mean(gaps, axis=1), color=color, marker=marker, label=name)
ax.plot(numbers, r * L / np.sqrt(numbers), "k--", label="bound r L / sqrt(T)")
ax.set(
    xscale="log", yscale="log", xlabel="updates T", ylabel="mean gap to the minimum", title="Averages and their bound"
)
ax.grid(color="#DDDDDD")
ax.legend()

# %%
# One way of 300 updates, with its running average. The Polyak-Ruppert average is pulled by the way from the start;
# that of polynomial decay forgets it.

ways = {
    name: minimize(
        fun,
        START,
        jac=gradient,
        noise=flipped,
        optimizer="sgd",
        learning_rate=0.15,
        average=average,
        max_iter=300,
        trajectory=True,
        random_state=0,
    )
    for name, average in (("plain mean", PolyakRuppert()), ("polynomial decay", PolynomialDecay()))
}
_, axes = plt.subplots(2, 1, figsize=(6.4, 8.5), layout="constrained")
for ax, (name, way) in zip(axes, ways.items(), strict=True):
    TrajectoryDisplay.from_results({"iterates": way}, fun, ax=ax)
    ax.set_title(name)
plt.show()
