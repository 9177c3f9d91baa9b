"""Writes torch_trajectories.json, what ../test_torch_trajectories.py compares with. Run by hand, with torch 2.13.0.

torch.nn.utils.clip_grad_norm_ multiplies the gradients by max_norm / (norm + 1e-6), at most 1. sksgd has no 1e-6, so
this script hands norm - 1e-6 to the second half of that function. All else is torch as it comes.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional, utils

BATCH_SIZE, PASSES = 4, 3
LOSSES = {
    "squared_error": lambda p, y: 0.5 * functional.mse_loss(p, y),
    "log_loss": functional.binary_cross_entropy_with_logits,
}
# name: class in torch.optim, its arguments, what else differs from the plain run
RUNS = {
    "sgd": ("SGD", {"lr": 0.05}, {}),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}, {}),
    "nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}, {}),
    "adagrad": ("Adagrad", {"lr": 0.5}, {}),
    "rmsprop": ("RMSprop", {"lr": 0.03}, {}),
    "adam": ("Adam", {"lr": 0.1}, {}),
    "adamw": ("AdamW", {"lr": 0.1, "weight_decay": 0.3}, {}),
    "momentum, clip_norm": ("SGD", {"lr": 0.05, "momentum": 0.5}, {"clip_norm": 6.0}),
    "momentum, clip_value": ("SGD", {"lr": 0.05, "momentum": 0.5}, {"clip_value": 3.5}),
    "momentum, clip_value, clip_norm": ("SGD", {"lr": 0.05, "momentum": 0.5}, {"clip_value": 3.5, "clip_norm": 4.5}),
    "adagrad, clip_norm": ("Adagrad", {"lr": 0.4, "eps": 0.01}, {"clip_norm": 6.0}),
    "adagrad, clip_value": ("Adagrad", {"lr": 0.4, "eps": 0.01}, {"clip_value": 3.5}),
    "adam, clip_norm": ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01}, {"clip_norm": 6.0}),
    "adam, clip_value": ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01}, {"clip_value": 3.5}),
    "nesterov, log_loss": ("SGD", {"lr": 0.3, "momentum": 0.8, "nesterov": True}, {"loss": "log_loss"}),
    "adam, log_loss": ("Adam", {"lr": 0.2}, {"loss": "log_loss"}),
}


def problem():
    """Columns of different scale and mean, targets and labels, in short decimals."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(24, 5)) * [1, 2, 0.5, 0.1, 1] + [0, 0, 1, 0, -0.5]).round(3)
    y = (X @ [2, -1, 3, 5, 0.5] + 4 + rng.normal(size=24)).round(3)
    return X, y, (y > np.median(y)).astype(int)


def record(X, y, optimizer, options, loss="squared_error", clip_value=None, clip_norm=None):
    """The weights and, last, the intercept after every update."""
    X, y = torch.tensor(X, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    w = torch.zeros(X.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros((), dtype=torch.float64, requires_grad=True)
    groups = [{"params": [w]}, {"params": [b], "weight_decay": 0.0}]
    opt = getattr(torch.optim, optimizer)(groups, **options)
    path, clipped = [], []
    for start in list(range(0, len(X), BATCH_SIZE)) * PASSES:
        batch = slice(start, start + BATCH_SIZE)
        opt.zero_grad()
        LOSSES[loss](X[batch] @ w + b, y[batch]).backward()
        before = [w.grad.clone(), b.grad.clone()]
        if clip_value:
            utils.clip_grad_value_([w, b], clip_value)
        if clip_norm:
            utils.clip_grads_with_norm_([w, b], clip_norm, utils.get_total_norm([w.grad, b.grad]) - 1e-6)
        clipped.append(not (w.grad.equal(before[0]) and b.grad.equal(before[1])))
        opt.step()
        path.append([*w.tolist(), b.item()])
    if clip_value or clip_norm:
        assert 0 < sum(clipped) < len(clipped), "clipping should act on some updates, not on all"
    return path


X, y, labels = problem()
runs = {}
for name, (optimizer, options, rest) in RUNS.items():
    path = record(X, labels if rest.get("loss") == "log_loss" else y, optimizer, options, **rest)
    runs[name] = {"optimizer": optimizer, "options": options, **rest, "path": path}
data = {"torch": torch.__version__, "batch_size": BATCH_SIZE, "passes": PASSES}
data.update(X=X.tolist(), y=y.tolist(), labels=labels.tolist(), runs=runs)
# One row of numbers a line.
text = re.sub(r"\[\s*([^][{}]*?)\s*\]", lambda m: f"[{' '.join(m[1].split())}]", json.dumps(data, indent=1))
Path(__file__).with_name("torch_trajectories.json").write_text(text + "\n")
