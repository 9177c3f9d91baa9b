"""Functions to minimise, in the tests of `minimize`."""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import rosen, rosen_der

from sksgd import minimize
from sksgd.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSProp

DATA = json.loads(Path(__file__).with_name("reference").joinpath("torch_functions.json").read_text())
A, B = np.array(DATA["A"]), np.array(DATA["b"])
FUNCTIONS = {
    "parabola": (lambda x: x[0] ** 2, lambda x: 2 * x),
    "ellipse": (lambda x: x[0] ** 2 + 2 * x[1] ** 2, lambda x: np.array([2 * x[0], 4 * x[1]])),
    "rosenbrock": (rosen, rosen_der),
    "quadratic": (lambda x: 0.5 * x @ A @ x - B @ x, lambda x: A @ x - B),
}
OPTIMIZERS = {
    "sgd": SGD(),
    "momentum": Momentum(),
    "nesterov": Nesterov(),
    "adagrad": AdaGrad(),
    "rmsprop": RMSProp(),
    "adam": Adam(),
}
ELLIPSE, START = FUNCTIONS["ellipse"], [-5.0, -2.0]
QUADRATIC = FUNCTIONS["quadratic"]
MAX_SEED = np.iinfo(np.int32).max


def run(function, x0=START, **params):
    fun, jac = function
    return minimize(fun, x0, jac=jac, **{"optimizer": "sgd", "learning_rate": 0.1, "random_state": 0, **params})


RNG = np.random.default_rng(0)
X = RNG.normal(size=(23, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(size=23)


def half_square(x, i):
    return 0.5 * np.mean((X[i] @ x - Y[i]) ** 2)


def half_square_slope(x, i):
    return (X[i] @ x - Y[i]) @ X[i] / len(i)


SQUARES = half_square, half_square_slope
