"""
Gradient descent, SGD and mini-batches
======================================

Least squares with 1,000 samples, from the same start. Gradient descent takes few steps, each after all samples; SGD
takes one after each sample; a mini-batch is between. Over *updates* gradient descent looks best, over *samples seen*,
which is what costs time, it is last by far. The steps of SGD are rough, and smoother with larger batches.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksgd import minimize
from sksgd.plot import TrainingCurveDisplay, TrajectoryDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 2)) * [1.0, 0.7]
y = X @ [2.0, -1.0] + rng.normal(size=1000)


def loss(w, i=slice(None)):
    return 0.5 * np.mean((X[i] @ w - y[i]) ** 2)


def gradient(w, i):
    return X[i].T @ (X[i] @ w - y[i]) / len(i)


#: Name, batch size, rate, updates
runs = [("all 1,000", "full", 0.5, 10), ("batches of 20", 20, 0.2, 100), ("one", 1, 0.03, 1000)]
results = {
    name: minimize(
        loss,
        [-1.5, 1.5],
        jac=gradient,
        n_samples=1000,
        batch_size=batch_size,
        optimizer="sgd",
        learning_rate=rate,
        max_iter=updates,
        trajectory=True,
        random_state=0,
    )
    for name, batch_size, rate, updates in [
        ("all 1,000", "full", 0.5, 10),
        ("batches of 20", 20, 0.2, 100),
        ("one", 1, 0.03, 1000),
    ]
}

# %%
# The ways: all end close to the minimum, SGD by a random walk.

display = TrajectoryDisplay.from_results(results, loss)
display.ax_.set(title="One problem, three batch sizes", xlabel="w1", ylabel="w2")

# %%
# The gap over samples seen. One pass of SGD or mini-batches is worth ten of gradient descent.

minimum = loss(np.linalg.lstsq(X, y)[0])
_, axes = plt.subplots(2, 1, figsize=(6.4, 7), layout="constrained")
for ax, unit in zip(axes, ("update", "sample"), strict=True):
    TrainingCurveDisplay.from_results(results, quantity="gap", minimum=minimum, unit=unit, ax=ax, logx=True)
plt.show()
