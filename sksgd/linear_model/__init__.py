"""The flagship estimators: linear and logistic models over every component of the package.

Both minimise, over weights w and an intercept b for each output,

    sum_i s_i loss(x_i . w + b, y_i) / sum_i s_i + penalty(w)

in the coordinates of the data; s are the sample weights times the class weights, and the intercept is not penalised.
Whatever the optimizer, schedule and batch size, this is the minimum they approach (`AdamW` excepted).
"""

from .classifier import LogisticClassifier
from .regressor import LinearRegressor

__all__ = ["LinearRegressor", "LogisticClassifier"]
