r"""
Momentum on a parabola and in a narrow valley
=============================================

The ball of the textbooks: :math:`x^2` from 5 with rate 0.1 and :math:`\beta = 0.9`. It rolls through the minimum and
up the other side; Nesterov momentum, which looks ahead, swings less. On a parabola plain gradient descent needs no
help. In a valley forty times steeper across than along, it does: its rate must be small enough for the steep direction,
and momentum makes up for that along the flat one.
"""

import matplotlib.pyplot as plt

from sksgd import minimize
from sksgd.optimizers import SGD, Momentum, Nesterov
from sksgd.plot import TrainingCurveDisplay, TrajectoryDisplay

optimizers = {"plain": SGD(), "momentum": Momentum(0.9), "Nesterov": Nesterov(0.9)}

# %%
# Ten steps on the parabola, and thirty more.

_, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for (name, optimizer), color, marker in zip(optimizers.items(), ("#0072B2", "#D55E00", "#009E73"), "osD", strict=True):
    ball = minimize(
        lambda x: x @ x,
        5.0,
        jac=lambda x: 2 * x,
        optimizer=optimizer,
        learning_rate=0.1,
        max_iter=40,
        trajectory=True,
    )
    ax.plot(ball.trajectory.x, color=color, marker=marker, markersize=3, label=name)
    print(f"{name}: {ball.trajectory.x[:11, 0].round(2)}")
ax.axhline(0, color="black", linewidth=0.6)
ax.axvspan(0, 10, color="#EEEEEE", label="the first ten steps")
ax.set(title="x^2 from 5 with rate 0.1", xlabel="update t", ylabel="x")
ax.legend()

# %%
# The valley, with the largest power of ten that keeps plain descent stable.


def valley(x):
    return 0.5 * (x[0] ** 2 + 40 * x[1] ** 2)


results = {
    name: minimize(
        valley,
        [-10.0, 2.0],
        jac=lambda x: x * [1, 40],
        optimizer=optimizer,
        learning_rate=0.01,
        max_iter=150,
        trajectory=True,
    )
    for name, optimizer in optimizers.items()
}
TrajectoryDisplay.from_results(results, valley, ylim=(-5, 5)).ax_.set_title(
    "A valley forty times steeper across than along"
)
TrainingCurveDisplay.from_results(results, logy=True)
plt.show()
