"""
Coordinates of very different size
==================================

Five features whose standard deviations reach from 0.1 to 10, as data have that nobody scaled. Plain SGD must take the
rate that the largest feature bears, and the small ones hardly move. Optimizers with a rate for each weight (AdaGrad,
RMSProp, Adam) are not troubled by that; each has the best rate of a grid, falling to zero in the end. The default of
`LinearRegressor` has no rate to choose: for so few features it takes Newton's method, which does not see scales at all.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sksgd import LinearRegressor
from sksgd.plot import TrainingCurveDisplay
from sksgd.schedules import LinearToZero

rng = np.random.default_rng(0)
scales = np.array([0.1, 0.3, 1.0, 3.0, 10.0])
X = rng.normal(size=(2000, 5)) * scales
y = X @ (1 / scales) + rng.normal(size=2000)


def fitted(**params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of rates that are too high
        return LinearRegressor(alpha=0.0, batch_size=8, max_iter=20, tol=None, random_state=0, **params).fit(X, y)


models = {}
for name in ("sgd", "adagrad", "rmsprop", "adam"):
    tried = [fitted(optimizer=name, learning_rate=LinearToZero(rate)) for rate in np.geomspace(1e-4, 1.0, 9)]
    best = min((model for model in tried if len(model.loss_curve_) == 20), key=lambda model: model.loss_curve_[-1])
    models[f"{name}, rate {best.learning_rate.eta0:.1g}"] = best
models["default"] = LinearRegressor(alpha=0.0).fit(X, y)

design = np.column_stack([X, np.ones(2000)])
minimum = 0.5 * np.mean((design @ np.linalg.lstsq(design, y)[0] - y) ** 2)
TrainingCurveDisplay.from_estimators(models, quantity="gap", minimum=minimum)
plt.show()
