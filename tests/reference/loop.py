"""Training by stochastic gradients in plain NumPy: every rule of every optimizer and penalty written out once more.

Nothing here is shared with the package but the names of classes and their fields. It is the oracle of the kernels:
slow, in order, on whole arrays. Weights have shape (K, d), intercepts (K,), targets (n, K) or whatever `gradient`
takes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class History(NamedTuple):
    """Weights (T, K, d), intercepts (T, K) and their averages after each of T updates."""

    coef: np.ndarray
    intercept: np.ndarray
    mean_coef: np.ndarray
    mean_intercept: np.ndarray


def train(
    X, y, *, gradient, optimizer, penalty, alpha, rates, coef, intercept, batches, weight=None, rho=None, bounds=None,
    fit_intercept=True,
):  # fmt: skip
    """One update for each of the batches, which are arrays of row numbers.

    `gradient(scores, y)` is the derivative of the loss for scores (m, K) of m rows; `rates` has a rate for each update,
    `rho` a weight of the average or is None; `weight` belongs to the rows of X; `bounds` has shape (2, d).
    """
    w, b = np.array(coef, float), np.array(intercept, float)
    w_mean, b_mean = w.copy(), b.copy()
    slots_w, slots_b = start(optimizer, w), start(optimizer, b)
    weight = np.ones(len(X)) if weight is None else weight
    steps, history = 0.0, []
    for t, rows in enumerate(batches):
        eta = rates[t]
        slopes = weight[rows, None] * gradient(X[rows] @ w.T + b, y[rows])
        # The gradient is the weighted sum over the rows of the batch, divided by their number.
        g_w, g_b = slopes.T @ X[rows] / len(rows), slopes.sum(axis=0) / len(rows)
        g_w, g_b = clip(optimizer, g_w, g_b, fit_intercept)
        steps += eta
        w, slots_w = update(optimizer, penalty, alpha, g_w, w, slots_w, t, eta, steps)
        if bounds is not None:
            w = np.clip(w, *bounds)
        if fit_intercept:
            # An intercept moves like a weight, free of penalty and bounds.
            b, slots_b = move(optimizer, g_b, b, slots_b, t, eta)
        if rho is not None:
            w_mean, b_mean = w_mean + rho[t] * (w - w_mean), b_mean + rho[t] * (b - b_mean)
        history.append((w, b, w_mean, b_mean))
    return History(*(np.array(values) for values in zip(*history, strict=True)))


def clip(optimizer, g_w, g_b, fit_intercept):
    """Each coordinate to [-clip_value, clip_value], then the norm of all together to clip_norm."""
    g_w, g_b = (np.clip(g, -optimizer.clip_value, optimizer.clip_value) for g in (g_w, g_b))
    norm = np.sqrt((g_w**2).sum() + (g_b**2).sum() * fit_intercept)
    shorter = min(1.0, optimizer.clip_norm / norm) if norm > 0 else 1.0
    return shorter * g_w, shorter * g_b


def update(optimizer, penalty, alpha, g, w, slots, t, eta, steps):
    """Move and penalty: how the two are joined is decided by the kind of optimizer."""
    kind, individual = type(optimizer).__name__, np.ndim(alpha) > 0
    if kind == "AdamW":
        # The penalty first, with the plain rate.
        return move(optimizer, g, prox(penalty, w, eta, alpha), slots, t, eta)
    moved, slots = move(optimizer, g, w, slots, t, eta)
    if kind in ("Momentum", "Nesterov"):
        if type(penalty).__name__ == "L2" and not individual:
            # Under a linear penalty the velocity shrinks by the same factor as the weight.
            factor = resting_factor(kind, optimizer.momentum, eta * alpha)
            return factor * moved, {"v": factor * slots["v"]}
        # A constant gradient moves the weight by eta/(1 - beta) per update: so the penalty has that step.
        return prox(penalty, moved, eta / (1 - optimizer.momentum), alpha), slots
    if kind == "FTRLProximal":
        # All penalties so far, relative to the weight of the proximal terms so far.
        return prox(penalty, moved, steps / slots["q"], alpha), slots
    if kind == "AdaGrad":
        # Every weight has a step of its own: move and penalty act side by side for the time of that step.
        return drift(penalty, w, moved - w, eta / (np.sqrt(slots["G"]) + optimizer.eps), alpha), slots
    if kind == "SGD" and individual:
        return drift(penalty, w, moved - w, eta, alpha), slots
    if kind == "RMSProp":
        return prox(penalty, moved, eta / (np.sqrt(slots["v"]) + optimizer.eps), alpha), slots
    if kind == "Adam":
        v_hat = slots["v"] / (1 - optimizer.beta2 ** (t + 1))
        return prox(penalty, moved, eta / (np.sqrt(v_hat) + optimizer.eps), alpha), slots
    assert kind == "SGD"
    return prox(penalty, moved, eta, alpha), slots


def start(optimizer, w):
    """Slots at the start: zero, but for the first proximal term of FTRL, beta/2 (u - w)^2."""
    zero = np.zeros_like(w)
    if type(optimizer).__name__ == "FTRLProximal":
        return {"linear": -optimizer.beta * w, "q": optimizer.beta + zero, "n": zero}
    return dict.fromkeys(("v", "m", "G"), zero)


def move(optimizer, g, w, slots, t, eta):
    """The new weights and slots, without penalty."""
    kind = type(optimizer).__name__
    if kind == "SGD":
        return w - eta * g, slots
    if kind == "Momentum":
        v = optimizer.momentum * slots["v"] - eta * g
        return w + v, {"v": v}
    if kind == "Nesterov":
        v = optimizer.momentum * slots["v"] - eta * g
        return w + optimizer.momentum * v - eta * g, {"v": v}
    if kind == "AdaGrad":
        G = slots["G"] + g**2
        return w - eta * g / (np.sqrt(G) + optimizer.eps), {"G": G}
    if kind == "RMSProp":
        v = optimizer.rho * slots["v"] + (1 - optimizer.rho) * g**2
        return w - eta * g / (np.sqrt(v) + optimizer.eps), {"v": v}
    if kind in ("Adam", "AdamW"):
        m = optimizer.beta1 * slots["m"] + (1 - optimizer.beta1) * g
        v = optimizer.beta2 * slots["v"] + (1 - optimizer.beta2) * g**2
        m_hat, v_hat = m / (1 - optimizer.beta1 ** (t + 1)), v / (1 - optimizer.beta2 ** (t + 1))
        return w - eta * m_hat / (np.sqrt(v_hat) + optimizer.eps), {"m": m, "v": v}
    assert kind == "FTRLProximal"
    # argmin_u of sum_s eta_s g_s u + sigma_s/2 (u - w_s)^2, where the sigma add up to sqrt(sum g^2): linear + q/2 u^2.
    n = slots["n"] + g**2
    sigma = np.sqrt(n) - np.sqrt(slots["n"])
    linear, q = slots["linear"] + eta * g - sigma * w, slots["q"] + sigma
    return -linear / q, {"linear": linear, "q": q, "n": n}


def resting_factor(kind, beta, e):
    """The factor f on weight and velocity under which l2 w = -g is a fixed point, e = eta l2; f is the root below 1.

    Momentum: w = f (w + u), v = f u with u = beta v + e w. Nesterov: w = f (w + beta u + e w), v = f u.
    """
    if kind == "Momentum":
        return min(np.roots([beta, -(1 + beta + e), 1]))
    return min(np.roots([beta * (1 + e), -(1 + e) * (1 + beta), 1]))


def soft(w, threshold):
    """Soft thresholding."""
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


def prox(penalty, w, step, alpha):
    """argmin_u of the penalty + (u - w)^2 / (2 step)."""
    kind = type(penalty).__name__
    if kind == "NoPenalty":
        return w
    if kind == "L2":
        return w / (1 + alpha * step)
    if kind == "L1":
        return soft(w, alpha * step)
    assert kind == "ElasticNet"
    return soft(w, alpha * penalty.l1_ratio * step) / (1 + alpha * (1 - penalty.l1_ratio) * step)


def drift(penalty, w, moved, time, alpha):
    """w' = -l2 w + moved/time for the time, then the thresholding by l1 that builds up meanwhile."""
    kind = type(penalty).__name__
    ratio = {"NoPenalty": 0.0, "L2": 0.0, "L1": 1.0}.get(kind)
    ratio = penalty.l1_ratio if ratio is None else ratio
    l1, l2 = (0.0, 0.0) if kind == "NoPenalty" else (alpha * ratio, alpha * (1 - ratio))
    x = np.broadcast_to(l2 * time, w.shape)
    mean = np.ones_like(w)  # the mean of e^(-l2 s) over the time, (1 - e^-x)/x
    np.divide(-np.expm1(-x), x, out=mean, where=x > 0)
    return soft(w * np.exp(-x) + moved * mean, l1 * time * mean)
