"""Pictures of training, as displays in scikit-learn's manner; they need matplotlib, the extra ``plot``.

A display holds the data of its picture. Its class methods (`from_estimator`, `from_result`, ...) collect them and draw;
`plot` draws them again, into axes of yours. `ax_` and `figure_` are matplotlib's.

>>> from sksgd.plot import ScheduleDisplay
>>> display = ScheduleDisplay.from_schedules(["inverse_sqrt", "cosine"], n_updates=100)
>>> display.ax_.get_ylabel()
'learning rate'
"""

from .coefficient_path import CoefficientPathDisplay
from .range_test import RangeTestDisplay
from .schedule import ScheduleDisplay
from .training_curve import TrainingCurveDisplay
from .trajectory import TrajectoryDisplay

__all__ = [
    "CoefficientPathDisplay",
    "RangeTestDisplay",
    "ScheduleDisplay",
    "TrainingCurveDisplay",
    "TrajectoryDisplay",
]
