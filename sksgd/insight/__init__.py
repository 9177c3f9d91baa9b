"""Watch stochastic gradient descent work: on any function, and on a model.

`minimize` moves the parameters of any function by the optimizers, schedules, averages and samplers that train the
models, and gives what `scipy.optimize.minimize` gives:

>>> from sksgd import minimize
>>> result = minimize(lambda x: x @ x, [5.0], jac=lambda x: 2 * x, optimizer="sgd", learning_rate=0.1, max_iter=50)
>>> f"{result.x[0]:.2e}"
'7.14e-05'

The pictures are in `sksgd.plot`.
"""

from .coefficients import CoefficientRecorder
from .minimization import minimize
from .range_test import RangeTest, learning_rate_range_test
from .recording import Trajectory

__all__ = ["CoefficientRecorder", "RangeTest", "Trajectory", "learning_rate_range_test", "minimize"]
