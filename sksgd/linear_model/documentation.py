"""What the docstrings of both estimators share, written once."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["document"]

PARAMETERS = """penalty : {"l2", "l1", "elasticnet"}, Penalty or None, default="l2"
        What is added to the mean loss, see `sksgd.penalties`.
    alpha : float or array-like of shape (n_features,), default=1e-4
        Strength of the penalty, in all or for each feature; 0 is allowed.
    l1_ratio : float in [0, 1], default=0.15
        Share of L1 in "elasticnet".
    fit_intercept : bool, default=True
    optimizer : str, Optimizer or BlockOptimizer, default="auto"
        How weights move. "auto" takes the one for data, loss and penalty of this kind among those that need no tuning
        and no scaling: "newton", "svrg" and "implicit". They find their own steps; see `optimizer_`. With a rate:
        "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "ftrl". Or an instance, see
        `sksgd.optimizers`.
    learning_rate : float, str, Schedule, callable or None, default=None
        The rate of update t = 0, 1, ...: a constant, a schedule (see `sksgd.schedules`) or a function of t. None is
        "auto" for "sgd", "momentum" and "nesterov", what the rows allow, and for the others ``Adaptive(eta0,
        factor=10, eta_min=eta0 / 100)``, good for standardised features: eta0 is 1 for "adagrad" and "ftrl", else
        0.01. Both fall at stalls, hence not in `partial_fit`.
    batch_size : int or "full", default=1
        Rows per update. The gradient is the weighted mean over the rows of the batch.
    sampling : str or Sampler, default="reshuffle"
        The order of rows: "reshuffle", "shuffle_once", "sequential", "with_replacement", "importance" or an instance.
    average : bool, int, str, Averaging or None, default=None
        Whether the model is an average of iterates: True from the start on, an int from that update on, or a rule of
        `sksgd.averaging`.
    max_iter : int, default=100
        The most passes over the data in `fit`.
    tol : float or None, default=1e-4
        `fit` stops when the monitored quantity fell by no more than `tol` times its best value for `n_iter_no_change`
        passes, and the schedule has no lower rate to try. It is the objective over the training data, or the loss over
        held-out data, measured at the end of a pass with the weights that would be returned. None: all `max_iter`
        passes. Optimizers without a rate stop when the objective is estimated to be within `tol` of its minimum,
        relatively to the objective or, where that is near 0 or negative, to what is gained over the constant model.
    early_stopping : bool, default=False
        Hold out `validation_fraction` of the rows and monitor the loss on them; the weights that were best are kept.
        Also so, without a fraction, when `fit` is given `X_val` and `y_val`.
    validation_fraction : float in (0, 1), default=0.1
    n_iter_no_change : int, default=5{class_weight}
    positive : bool, default=False
        Keep weights at or above 0, by projection.
    bounds : pair of floats or of arrays of shape (n_features,), default=None
        Lower and upper bounds on the weights, by projection.
    warm_start : bool, default=False
        `fit` goes on from the state where the last call ended: weights, slots, averages, schedule and counters.
    random_state : int, RandomState or None, default=None
        Decides the order of rows and the held-out rows.
    verbose : int, default=0
        1: print a line per pass."""

ATTRIBUTES = """n_iter_ : int
        Passes behind the weights, hence fewer than were made where earlier weights were restored. A call of
        `partial_fit` counts as one.
    t_ : int
        Updates behind the weights.
    n_samples_seen_ : int
        Rows visited in them.
    optimizer_ : Choice
        Which `optimizer` ran and the `reason`, in words; see `sksgd.optimizers.auto.Choice`.
    learning_rate_ : float
        The rate of the last update, as lowered since; NaN where the optimizer has none.
    loss_curve_ : list of float
        The objective after each pass of `fit`. Optimizers without a rate add one number for each call of `partial_fit`:
        the mean loss of its rows before they were learned (progressive validation).
    validation_curve_ : list of float
        The mean loss on held-out rows after each pass of `fit`; empty without.
    optimality_gap_ : float
        The estimated gap of the objective to its minimum, relative as `tol` is; NaN where the optimizer has none.
    stop_reason_ : str
        Why training ended, in words.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Where the data had names."""


def document(cls: Any) -> Any:
    """Fill the parameters and attributes that both estimators share into a docstring."""
    assert cls.__doc__ is not None
    weight = getattr(cls, "_class_weight_doc", "")
    parameters = PARAMETERS.replace("{class_weight}", weight)
    # Python 3.13 strips the indentation of docstrings by itself; before, the texts have that of a class.
    text = inspect.cleandoc(cls.__doc__)
    for name, shared in (("{parameters}", parameters), ("{attributes}", ATTRIBUTES)):
        text = text.replace(name, inspect.cleandoc(shared))
    cls.__doc__ = text
    return cls
