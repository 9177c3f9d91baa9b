"""The weights after every update are those of torch.optim, as recorded by reference/record_torch.py."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from sksgd.optimizers import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp
from sksgd.penalties import L2

DATA = json.loads(Path(__file__).with_name("reference").joinpath("torch_trajectories.json").read_text())
X, Y, LABELS = np.array(DATA["X"]), np.array(DATA["y"]), np.array(DATA["labels"])
BATCH_SIZE = DATA["batch_size"]
BATCHES = [slice(i, i + BATCH_SIZE) for i in range(0, len(X), BATCH_SIZE)] * DATA["passes"]

OURS = {
    "sgd": SGD(),
    "momentum": Momentum(0.9),
    "nesterov": Nesterov(0.9),
    "adagrad": AdaGrad(),
    "rmsprop": RMSProp(),
    "adam": Adam(),
    "adamw": AdamW(),
    "momentum, clip_norm": Momentum(0.5, clip_norm=6.0),
    "momentum, clip_value": Momentum(0.5, clip_value=3.5),
    "momentum, clip_value, clip_norm": Momentum(0.5, clip_value=3.5, clip_norm=4.5),
    "adagrad, clip_norm": AdaGrad(eps=0.01, clip_norm=6.0),
    "adagrad, clip_value": AdaGrad(eps=0.01, clip_value=3.5),
    "adam, clip_norm": Adam(beta1=0.8, beta2=0.95, eps=0.01, clip_norm=6.0),
    "adam, clip_value": Adam(beta1=0.8, beta2=0.95, eps=0.01, clip_value=3.5),
    "nesterov, log_loss": Nesterov(0.8),
    "adam, log_loss": Adam(),
}
every_run = pytest.mark.parametrize("name", DATA["runs"])


def eta_and_alpha(run):
    """torch multiplies by 1 - lr weight_decay where ours divides by 1 + eta alpha."""
    eta, decay = run["options"]["lr"], run["options"].get("weight_decay", 0.0)
    return eta, decay / (1 - eta * decay)


def test_decay_of_adamw():
    run = DATA["runs"]["adamw"]
    eta, alpha = eta_and_alpha(run)
    assert run["options"]["weight_decay"] == pytest.approx(alpha / (1 + eta * alpha), rel=1e-15)
    assert alpha > 0


@every_run
def test_hooks(name):
    run, optimizer = DATA["runs"][name], OURS[name]
    eta, alpha = eta_and_alpha(run)
    rows = np.column_stack([X, np.ones(len(X))])
    w = [0.0] * rows.shape[1]
    slots = [(0.0,) * optimizer.n_slots] * len(w)
    for t, (batch, expected) in enumerate(zip(BATCHES, run["path"], strict=True)):
        p = rows[batch] @ w
        residual = 1 / (1 + np.exp(-p)) - LABELS[batch] if "loss" in run else p - Y[batch]
        g = np.clip(residual @ rows[batch] / BATCH_SIZE, -optimizer.clip_value, optimizer.clip_value)
        g *= min(1.0, optimizer.clip_norm / math.sqrt(g @ g))
        begun = optimizer.begin(t, eta)
        if alpha:
            assert optimizer.penalty_first
            w[:-1] = [L2().prox(wj, optimizer.step(t, eta, 0.0), alpha) for wj in w[:-1]]
        for j in range(len(w)):
            w[j], slots[j] = optimizer.coord(g[j], w[j], slots[j], begun)
        np.testing.assert_allclose(w, expected, rtol=1e-12, err_msg=f"update {t}")


@every_run
def test_estimators(name):
    from sksgd.linear_model import LinearRegressor, LogisticClassifier

    run = DATA["runs"][name]
    eta, alpha = eta_and_alpha(run)
    params = {"penalty": "l2", "alpha": alpha} if alpha else {"penalty": None}
    params.update(optimizer=OURS[name], learning_rate=eta, batch_size=BATCH_SIZE, sampling="sequential", random_state=0)
    if "loss" in run:
        model, y, classes, shape = LogisticClassifier(**params), LABELS, {"classes": [0, 1]}, (1, X.shape[1])
    else:
        model, y, classes, shape = LinearRegressor(loss="squared_error", **params), Y, {}, (X.shape[1],)
    for t, (batch, expected) in enumerate(zip(BATCHES, run["path"], strict=True)):
        model.partial_fit(X[batch], y[batch], **classes)
        assert model.coef_.shape == shape
        assert model.intercept_.shape == (1,)
        w = np.append(model.coef_, model.intercept_)
        np.testing.assert_allclose(w, expected, rtol=1e-12, err_msg=f"update {t}")
