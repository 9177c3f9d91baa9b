r"""
Sampling with and without replacement
=====================================

Drawn with replacement, a pass over n samples visits a share of :math:`1 - (1 - 1/n)^n \approx 1 - 1/e \approx 0.63`
of them and misses 0.37. Without replacement it visits each once, so that the errors of a pass's gradients cancel: on
least squares the gap of reshuffled SGD falls to a lower floor than that of SGD with replacement, at the same rate.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksgd import minimize
from sksgd.sampling import Reshuffle, WithReplacement

rng = np.random.default_rng(0)
n = 500
X = rng.normal(size=(n, 5))
y = X @ rng.normal(size=5) + rng.normal(size=n)

samplers = {"with replacement": WithReplacement(), "without (reshuffled)": Reshuffle()}
for name, sampler in samplers.items():
    shares = [len(np.unique(sampler.order(n, 0, number)[0])) / n for number in range(200)]
    print(f"{name}: a pass visits {np.mean(shares):.3f} of the samples and misses {1 - np.mean(shares):.3f}")

# %%
# The gap after every pass, in 30 runs each: median, and the middle 80%.


def loss(w, i=slice(None)):
    return 0.5 * np.mean((X[i] @ w - y[i]) ** 2)


def gradient(w, i):
    return X[i].T @ (X[i] @ w - y[i]) / len(i)


minimum = loss(np.linalg.lstsq(X, y)[0])
_, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for (name, sampler), color, style in zip(samplers.items(), ("#D55E00", "#0072B2"), ("--", "-"), strict=True):
    gaps = []
    for seed in range(30):
        result = minimize(
            loss,
            np.zeros(5),
            jac=gradient,
            n_samples=n,
            batch_size=10,
            sampling=sampler,
            optimizer="sgd",
            learning_rate=0.02,
            max_iter=20 * n // 10,
            trajectory=n // 10,
            random_state=seed,
        )
        gaps.append(result.trajectory.fun - minimum)
    low, middle, high = np.quantile(gaps, [0.1, 0.5, 0.9], axis=0)
    ax.plot(middle, color=color, linestyle=style, label=f"{name}: ends at {middle[-1]:.1e}")
    ax.fill_between(np.arange(len(middle)), low, high, color=color, alpha=0.2, linewidth=0)
ax.set(yscale="log", xlabel="passes over the data", ylabel="objective minus minimum", title="Batches of 10, rate 0.02")
ax.grid(color="#DDDDDD")
ax.legend()
plt.show()
