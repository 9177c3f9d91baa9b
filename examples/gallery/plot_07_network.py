"""
A small network
===============

`minimize` knows nothing of linear models: here it trains a network of 10 inputs, hidden layers of 20 and 30 (ReLU) and
one output (sigmoid), by the squared error and backpropagation in NumPy, with mini-batches of 20 drawn without
replacement. Plain SGD creeps; momentum, at the same rate, and Adam get many times as far in sixty passes.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksgd import minimize
from sksgd.optimizers import SGD, Adam, Momentum
from sksgd.plot import TrainingCurveDisplay

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 10))
y = (np.sin(X[:, 0] * 2) + X[:, 1] * X[:, 2] > 0).astype(float)

shapes = [(10, 20), (20,), (20, 30), (30,), (30, 1), (1,)]
ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])


def unpack(w):
    return [w[a:b].reshape(shape) for a, b, shape in zip(ends, ends[1:], shapes, strict=False)]


def network(w, i):
    """The activations of all layers for the samples i."""
    A, a, B, b, C, c = unpack(w)
    first = np.maximum(X[i] @ A + a, 0)
    second = np.maximum(first @ B + b, 0)
    return first, second, 1 / (1 + np.exp(-(second @ C + c)[:, 0]))


def loss(w, i):
    return 0.5 * np.mean((network(w, i)[2] - y[i]) ** 2)


def gradient(w, i):
    _, _, B, _, C, _ = unpack(w)
    first, second, p = network(w, i)
    back3 = ((p - y[i]) * p * (1 - p) / len(i))[:, None]
    back2 = (back3 @ C.T) * (second > 0)
    back1 = (back2 @ B.T) * (first > 0)
    layers = [X[i].T @ back1, back1.sum(0), first.T @ back2, back2.sum(0), second.T @ back3, back3.sum(0)]
    return np.concatenate([layer.ravel() for layer in layers])


# He's initialisation: weights with variance 2 over the number of inputs, biases of 0.
start = np.concatenate(
    [(rng.normal(size=s) * np.sqrt(2 / s[0]) if len(s) > 1 else np.zeros(s)).ravel() for s in shapes]
)

# %%
# The gradient is right: it agrees with differences of the loss.

everything, small = np.arange(600), 1e-6
some = rng.choice(len(start), 20, replace=False)
steps = np.eye(len(start))[some] * small
differences = [(loss(start + step, everything) - loss(start - step, everything)) / (2 * small) for step in steps]
print("largest error:", np.abs(differences - gradient(start, everything)[some]).max())

# %%
# Sixty passes with each optimizer.

results = {
    name: minimize(
        loss,
        start,
        jac=gradient,
        n_samples=600,
        batch_size=20,
        optimizer=optimizer,
        learning_rate=rate,
        max_iter=60 * 30,
        trajectory=30,
        random_state=0,
    )
    for name, optimizer, rate in [("plain SGD", SGD(), 0.1), ("momentum", Momentum(0.9), 0.1), ("Adam", Adam(), 0.003)]
}
for name, result in results.items():
    print(f"{name}: {np.mean((network(result.x, everything)[2] > 0.5) == y):.1%} of the training samples right")
display = TrainingCurveDisplay.from_results(results, unit="sample")
display.ax_.set(title="A network of 10-20-30-1 units", ylabel="mean squared error / 2")
plt.show()
