"""The sets of the benchmarks of fits that nobody tuned, their objective, and its minimum.

With a folder they come from its ``datasets.py`` (names, variants, prepare, load), and the optima from its
``reference.json``; without one they are those that come with scikit-learn, and the synthetic ones of `families.py`,
whose optima are found here, by Newton's method in standardised coordinates.
"""

import functools
import importlib
import json
import sys
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from families import FAMILIES, SPARSE, dense
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import expit, logsumexp, softmax
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

ALPHAS = (1e-4, 1e-6)


class Case(NamedTuple):
    """Data of one fit: "regression", or a classification with labels 0, 1, ..."""

    name: str
    task: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    optima: dict

    @property
    def dense(self):
        return not sp.issparse(self.X)


# ---- data ------------------------------------------------------------------------------------------------------------


def bundled():
    """Cases from scikit-learn and of the families, four fifths of the rows for training; sparse ones only raw."""
    loaders = {name: getattr(datasets, f"load_{name}") for name in ("breast_cancer", "digits", "wine", "diabetes")}
    sets = {name: (lambda load=load: load(return_X_y=True), name == "diabetes") for name, load in loaders.items()}
    for name, family in FAMILIES.items():
        for task in ("regression", "classification") if family.numbers else ("classification",):
            sets[f"{name}, {task}"] = functools.partial(dense, name, task), task == "regression"
    sets |= {name: (make, False) for name, make in SPARSE.items()}
    for name, (make, numbers) in sets.items():
        X, y = make()
        order = np.random.default_rng(0).permutation(len(y))
        X, y, cut = X[order], y[order], len(y) * 4 // 5
        for variant in ("raw",) if sp.issparse(X) else ("raw", "standardised"):
            train, test = X[:cut], X[cut:]
            if variant == "standardised":
                scaler = StandardScaler().fit(train)
                train, test = scaler.transform(train), scaler.transform(test)
            task = "regression" if numbers else "classification"
            yield Case(f"{name}, {variant}", task, train, y[:cut], test, y[cut:], {})


def stored(folder):
    """Cases of a folder."""
    sys.path.insert(0, str(folder))
    loader, reference = importlib.import_module("datasets"), json.loads((folder / "reference.json").read_text())
    for name in loader.names():
        task = "regression" if loader.load(name)["task"] == "regression" else "classification"
        for variant in loader.variants(name):
            optima = {
                a: reference[name][variant]["optimum"][key]["objective"]
                for a, key in zip(ALPHAS, ("0.0001", "1e-06"), strict=True)
            }
            X, y, X_test, y_test = loader.prepare(name, variant)
            order = np.random.default_rng(0).permutation(len(y))  # for streams; fits shuffle by themselves
            yield Case(f"{name}, {variant}", task, X[order], y[order], X_test, y_test, optima)


# ---- the objective and its minimum -----------------------------------------------------------------------------------


def mean_loss(task, y, scores):
    """The mean loss of scores (n, K)."""
    if task == "regression":
        return float(0.5 * np.mean((scores[:, 0] - y) ** 2))
    scores = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
    return float(np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]))


def objective(case, coef, intercept, alpha, test=False):
    """The objective or, on the test rows, the loss."""
    X, y = (case.X_test, case.y_test) if test else (case.X, case.y)
    coef = np.atleast_2d(coef)
    value = mean_loss(case.task, y, np.asarray(X @ coef.T) + intercept)
    return value if test else value + 0.5 * alpha * float(np.sum(coef**2))


def optimum(case, alpha):
    """The least objective, from the reference or found here, once."""
    if alpha not in case.optima:
        case.optima[alpha] = minimum_of_sparse(case, alpha) if sp.issparse(case.X) else minimum(case, alpha)[0]
    return case.optima[alpha]


def minimum(case, alpha):
    """The least objective and the scores (n, K) there, by Newton's method with all of the curvature."""
    n, d = case.X.shape
    K = 1 if case.task == "regression" else len(np.unique(case.y))
    K = 1 if K == 2 else K
    size = np.sqrt(case.X.var(axis=0) + alpha)
    Z = np.column_stack([(case.X - case.X.mean(axis=0)) / size, np.ones(n)])
    ridge = np.tile(np.append(alpha / size**2, 0.0), K)
    truth = case.y[:, None] if K == 1 else np.eye(K)[case.y]
    u = np.zeros(K * (d + 1))

    def value(u):
        return mean_loss(case.task, case.y, Z @ u.reshape(K, -1).T) + 0.5 * ridge @ u**2

    for _ in range(200):
        scores = Z @ u.reshape(K, -1).T
        mean = scores if case.task == "regression" else expit(scores) if K == 1 else softmax(scores, axis=1)
        gradient = ((mean - truth).T @ Z / n).ravel() + ridge * u
        H = np.zeros((K, d + 1, K, d + 1))
        for k in range(K):
            for m in range(K):
                bend = np.ones(n) if case.task == "regression" else mean[:, k] * ((k == m) - mean[:, m])
                H[k, :, m, :] = (Z * bend[:, None]).T @ Z / n
        H = H.reshape(u.size, u.size) + np.diag(ridge + 1e-14)
        step = np.linalg.lstsq(H, gradient, rcond=1e-15)[0]
        t, now = 1.0, value(u)
        while value(u - t * step) > now - 0.1 * t * gradient @ step and t > 1e-8:
            t /= 2
        if gradient @ step < 1e-15 * now or t <= 1e-8:
            break
        u = u - t * step
    return value(u), Z @ u.reshape(K, -1).T


def minimum_of_sparse(case, alpha):
    """The least objective of two classes, by Newton's method with steps by conjugate gradients, columns centred."""
    n, d = case.X.shape
    X, XT = sp.csr_array(case.X), sp.csr_array(case.X.T)
    mean = np.asarray(X.mean(axis=0)).ravel()
    variance = np.maximum(np.asarray(X.multiply(X).mean(axis=0)).ravel() - mean**2, 0.0)
    size = np.sqrt(variance + 4 * alpha)
    ridge = np.append(alpha / size**2, 0.0)
    u = np.zeros(d + 1)

    def forward(u):
        return X @ (u[:d] / size) - mean / size @ u[:d] + u[d]

    def back(g):
        return np.append((XT @ g - mean * g.sum()) / size, g.sum()) / n

    def value(u, scores):
        return mean_loss(case.task, case.y, scores[:, None]) + 0.5 * ridge @ u**2

    for _ in range(100):
        scores = forward(u)
        guess = expit(scores)
        bend, gradient = guess * (1 - guess), back(guess - case.y) + ridge * u
        scale = np.append(bend.mean() * variance / size**2, bend.mean()) + ridge
        H = LinearOperator((d + 1, d + 1), lambda v, bend=bend: back(bend * forward(v)) + ridge * v, dtype=float)
        M = LinearOperator((d + 1, d + 1), lambda v, scale=scale: v / scale, dtype=float)
        step = cg(H, gradient, rtol=1e-5, maxiter=500, M=M)[0]
        t, now, ahead = 1.0, value(u, scores), forward(step)
        while value(u - t * step, scores - t * ahead) > now - 0.1 * t * gradient @ step and t > 1e-8:
            t /= 2
        if gradient @ step < 1e-13 * now or t <= 1e-8:
            break
        u = u - t * step
    return value(u, forward(u))


def unknowns(case):
    """How many unknowns depend on each other."""
    classes = 0 if case.task == "regression" else len(np.unique(case.y))
    return (case.X.shape[1] + 1) * (classes if classes > 2 else 1)


def drawn(folder, only=""):
    """One by one, the cases whose names contain `only`, of a folder or, without one, bundled and synthetic ones."""
    return (case for case in (stored(folder) if folder else bundled()) if only in case.name)


def sets(folder, only=""):
    """All of these cases."""
    return list(drawn(folder, only))
