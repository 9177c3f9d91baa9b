"""What the docstrings of both drop-in estimators share, written once."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["document"]

OBJECTIVE = """
The objective, of weights w and an intercept b, is::

    E(w, b) = 1/n sum_i s_i L(p_i, y_i) + alpha R(w),    p_i = x_i.w + b,

with the loss L, the penalty R and the weights s_i of the rows. Training goes row by row: update t = 1, 2, ... since
`fit` began, or of all calls of `partial_fit`, takes the slope g of L in p, clipped to [-1e12, 1e12], and sets::

    w <- max(0, 1 - r2 alpha eta_t) w - s_i eta_t g x_i,
    b <- b - c s_i eta_t g,

where r2 is the share of L2 in R, and c is 1 on dense rows, 0.01 on sparse rows. The share r1 of L1 in R acts after
that: every weight owes r1 alpha eta_t for each update of the call, and pays, up to its own size, when a row with a
value for it comes along [1]_. The results are those of scikit-learn 1.9.1, but for the differences that the
documentation lists.
"""

PARAMETERS = """
penalty : {"l2", "l1", "elasticnet"} or None, default="l2"
    R: the sum over the weights of w^2/2, of abs(w), or of l1_ratio abs(w) + (1 - l1_ratio) w^2/2; or none.
alpha : float, default=0.0001
    The factor of R, at or above 0. The rates of "optimal" depend on it, too.
l1_ratio : float in [0, 1] or None, default=0.15
    Share of L1 in "elasticnet". None is allowed with other penalties.
fit_intercept : bool, default=True
    Whether b moves.
max_iter : int, default=1000
    The most passes over the rows in `fit`. A call of `partial_fit` is one pass.
tol : float or None, default=1e-3
    A pass of `fit` makes no progress if the objective is above the lowest so far less `tol` or, with held-out rows, the
    score is below the highest so far plus `tol`. The objective is that met during the pass, without row weights, for
    "pa1" and "pa2" without the penalty; with `optimizer` or `batch_size` that at the end of the pass, with row weights.
    None: all `max_iter` passes.
shuffle : bool, default=True
    Whether to shuffle the order of the rows before every pass.
verbose : int, default=0
    Above 0, `fit` prints the state after every pass.
epsilon : float, default=0.1
    Where the losses "huber", "epsilon_insensitive" and "squared_epsilon_insensitive" change, at or above 0.
<n_jobs>random_state : int, RandomState instance or None, default=None
    Decides the order of rows and which rows are held out.
learning_rate : str, default="<learning_rate>"
    The rate eta_t:

    - "constant": eta0;
    - "optimal": 1 / (alpha (t0 + t - 1)), with t0 such that the first rate is alpha^(-1/4) [2]_;
    - "invscaling": eta0 / t^power_t;
    - "adaptive": eta0, divided by 5 each time `n_iter_no_change` passes in a row made no progress, as long as it is
      above 1e-6;
    - "pa1", "pa2": passive-aggressive steps [3]_, for loss="<passive>" only. In place of eta_t g there is
      min(eta0, L / x.x) sign(g) or L / (x.x + 1/(2 eta0)) sign(g). The penalty acts with eta0.
eta0 : float, default=0.01
    The rate, or its beginning, above 0; for "pa1" and "pa2" how aggressive steps may be. Not used by "optimal".
power_t : float, default=<power_t>
    The exponent of "invscaling". Below 0 is deprecated.
early_stopping : bool, default=False
    Whether `fit` holds out `validation_fraction` of the rows<stratified>, to stop when the score on them, <score>,
    makes no progress, and to return the weights of the best pass. Also so, with rows of your own, when `fit` is given
    `X_val` and `y_val`. `partial_fit` refuses it.
validation_fraction : float in (0, 1), default=0.1
    The share of rows held out by `early_stopping`.
n_iter_no_change : int, default=5
    Training stops after so many passes in a row without progress.
<class_weight>warm_start : bool, default=False
    Whether `fit` begins at the weights of the last call. t begins at 1 in any case.
average : bool or int, default=False
    Whether `coef_` and `intercept_` are averages of w and b over the updates: True from the first, an int k from the
    k-th on, if there were as many [4]_.
optimizer : str, Optimizer, BlockOptimizer or None, default=None
    Not in scikit-learn. None is the update above. Else how weights move: "sgd", "momentum", "nesterov", "adagrad",
    "rmsprop", "adam", "adamw", "ftrl" or an instance, see `sksgd.optimizers`. "auto", "newton", "svrg" and "implicit"
    need no rate and no scaling: `learning_rate`, `eta0`, `power_t`, `batch_size`, `sampling`, `shuffle` and `average`
    then stay at their defaults, the objective is the weighted mean loss plus the penalty, and `tol` is how near to its
    minimum to come, relatively; `optimizer_` and `optimality_gap_` say more.
batch_size : int or "full", default=1
    Not in scikit-learn. Rows per update, of which the mean gradient is taken.
sampling : str, Sampler or None, default=None
    Not in scikit-learn. None follows `shuffle`. Else the order of the rows: "reshuffle", "shuffle_once", "sequential",
    "with_replacement", "importance" or an instance, see `sksgd.sampling`.
"""

ATTRIBUTES = """
n_iter_ : int
    Passes of the last call<most>.
t_ : float
    1 plus the number of rows visited, since `fit` began<most_rows>; rows held out count as visited.
loss_curve_ : list of float<lists>
    The objective of each pass of the last call, as `tol` takes it.
validation_curve_ : list of float<lists>
    The score on held-out rows after each pass of the last `fit`; empty without.
stop_reason_ : str<strs>
    Why training ended, in words.
n_features_in_ : int
    Number of features.
feature_names_in_ : ndarray of shape (n_features,)
    Names of the features, where the data had them.
"""

REFERENCES = """
.. [1] Tsuruoka, Tsujii and Ananiadou (2009), Stochastic gradient descent training for L1-regularized log-linear models
   with cumulative penalty. ACL-IJCNLP, 477-485.
.. [2] Bottou (2012), Stochastic gradient descent tricks. In: Neural Networks: Tricks of the Trade, 2nd edition.
.. [3] Crammer, Dekel, Keshet, Shalev-Shwartz and Singer (2006), Online passive-aggressive algorithms. Journal of
   Machine Learning Research 7, 551-585.
.. [4] Polyak and Juditsky (1992), Acceleration of stochastic approximation by averaging. SIAM Journal on Control and
   Optimization 30, 838-855.
"""

#: What differs, by the name of the class.
OWN = {
    "SGDClassifier": {
        "learning_rate": "optimal",
        "passive": "hinge",
        "power_t": "0.5",
        "stratified": ", by class",
        "score": "the accuracy",
        "most": "; with more than two classes, the most of any",
        "most_rows": ", by the class of most passes",
        "lists": " or, with more than two classes, of such lists",
        "strs": " or, with more than two classes, list of str",
        "n_jobs": """n_jobs : int or None, default=None
    With more than two classes, how many of them to train at the same time, in threads; None is one, unless joblib is
    told otherwise.
""",
        "class_weight": """class_weight : dict, "balanced" or None, default=None
    Weights of the classes, which multiply those of the rows; "balanced" is n / (n_classes n_k) for a class of n_k rows.
    With more than two classes, the weight of the class that is told from the rest.
""",
    },
    "SGDRegressor": {
        "learning_rate": "invscaling",
        "passive": "epsilon_insensitive",
        "power_t": "0.25",
        "stratified": "",
        "score": "R^2",
        "most": "",
        "most_rows": "",
        "lists": "",
        "strs": "",
        "n_jobs": "",
        "class_weight": "",
    },
}


def document(cls: Any) -> Any:
    """Fill the text that both estimators share into a docstring."""
    text = inspect.cleandoc(cls.__doc__)
    shared = {"objective": OBJECTIVE, "parameters": PARAMETERS, "attributes": ATTRIBUTES, "references": REFERENCES}
    for name, part in shared.items():
        for own, words in OWN[cls.__name__].items():
            part = part.replace(f"<{own}>", words)
        text = text.replace(f"{{{name}}}", part.strip())
    cls.__doc__ = text
    return cls
