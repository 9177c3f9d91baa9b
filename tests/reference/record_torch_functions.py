"""Writes torch_functions.json, what ../test_minimize.py compares with. Run by hand, with torch 2.13.0."""

import json
import re
from pathlib import Path

import numpy as np
import torch

STEPS = 60
OPTIMIZERS = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {}),
    "rmsprop": ("RMSprop", {}),
    "adam": ("Adam", {}),
}
#: Rates that converge: for SGD and momentum on each function, then of the others on all.
RATES = {"parabola": 0.1, "ellipse": 0.05, "rosenbrock": 2e-4, "quadratic": 0.02}
OTHERS = {"adagrad": 0.5, "rmsprop": 0.03, "adam": 0.1}


def quadratic():
    """A random positive definite matrix, a vector and a start, in short decimals."""
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(5, 5))
    return (factor @ factor.T / 5 + 0.1 * np.eye(5)).round(3), rng.normal(size=5).round(3), rng.normal(size=5).round(3)


A, b, start = quadratic()
matrix, vector = torch.tensor(A), torch.tensor(b)
FUNCTIONS = {
    "parabola": (lambda x: x[0] ** 2, [5.0]),
    "ellipse": (lambda x: x[0] ** 2 + 2 * x[1] ** 2, [-5.0, -2.0]),
    "rosenbrock": (lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2, [-1.2, 1.0]),
    "quadratic": (lambda x: 0.5 * x @ matrix @ x - vector @ x, start.tolist()),
}


def record(function, start, optimizer, options):
    """The start and the point after every update."""
    x = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    opt = getattr(torch.optim, optimizer)([x], **options)
    path = [x.tolist()]
    for _ in range(STEPS):
        opt.zero_grad()
        function(x).backward()
        opt.step()
        path.append(x.tolist())
    return path


runs = {}
for function, (f, x0) in FUNCTIONS.items():
    for name, (optimizer, options) in OPTIMIZERS.items():
        rate = OTHERS.get(name, RATES[function])
        runs[f"{function}, {name}"] = {"lr": rate, "path": record(f, x0, optimizer, {"lr": rate, **options})}
data = {"torch": torch.__version__, "A": A.tolist(), "b": b.tolist(), "runs": runs}
# One row of numbers a line.
text = re.sub(r"\[\s*([^][{}]*?)\s*\]", lambda m: f"[{' '.join(m[1].split())}]", json.dumps(data, indent=1))
Path(__file__).with_name("torch_functions.json").write_text(text + "\n")
