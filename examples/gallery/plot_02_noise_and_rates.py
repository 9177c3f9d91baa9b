"""
Noisy descent with constant and falling rates
=============================================

Gradient descent on :math:`x_1^2 + 2 x_2^2` from (-5, -2), with normal noise of standard deviation 1 in each component
of the gradient. A constant rate stays at a noise floor. An exponential decay freezes: the sum of its rates is finite,
so it stops wherever it has got to. A polynomial decay of power 1/2 converges.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksgd import minimize
from sksgd.plot import ScheduleDisplay, TrajectoryDisplay
from sksgd.schedules import Constant, Exponential, Polynomial

schedules = {
    "constant": Constant(0.1),
    "exponential": Exponential(0.1, decay=0.1),
    "polynomial": Polynomial(0.1, beta=0.1, power=0.5),
}


def fun(x):
    return x[0] ** 2 + 2 * x[1] ** 2


def gradient(x):
    return np.array([2 * x[0], 4 * x[1]])


def descend(schedule, max_iter, seed):
    return minimize(
        fun,
        [-5.0, -2.0],
        jac=gradient,
        noise=1.0,
        optimizer="sgd",
        learning_rate=schedule,
        max_iter=max_iter,
        trajectory=True,
        random_state=seed,
    )


# %%
# Fifty steps: the exponential decay has nearly stopped, short of the minimum.

results = {name: descend(schedule, 50, 0) for name, schedule in schedules.items()}
display = TrajectoryDisplay.from_results(results, fun)
display.ax_.set_title("50 noisy steps")

# %%
# A thousand steps: the root mean square of the distance to (0, 0) over 30 runs, over the rates.

_, axes = plt.subplots(2, 1, figsize=(6.4, 7), layout="constrained")
ScheduleDisplay.from_schedules(schedules, 1000, log=True, ax=axes[0])
axes[0].set_ylim(bottom=1e-4)
for (name, schedule), line in zip(schedules.items(), axes[0].lines, strict=True):
    ways = [descend(schedule, 1000, seed).trajectory.x for seed in range(30)]
    distance = np.sqrt(np.mean(np.square(ways).sum(axis=2), axis=0))
    axes[1].plot(distance, color=line.get_color(), linestyle=line.get_linestyle(), label=f"{name}: {distance[-1]:.2f}")
axes[1].set(
    yscale="log", xlabel="update t", ylabel="distance to the minimum", title="Noise floor, freezing, converging"
)
axes[1].legend(title="after 1,000 steps")
axes[1].grid(color="#DDDDDD")
plt.show()
