"""
A model in a pipeline: curves, early stopping, coefficients
===========================================================

Five optimizers on real data, each in a pipeline after scaling. With `early_stopping` a part of the rows is held out:
training ends where the loss on them falls no more, and the model keeps the weights that were best there. Momentum with
a tenth of the rate of plain SGD goes the same way, as each gradient acts ten times.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksgd import LogisticClassifier
from sksgd.insight import CoefficientRecorder
from sksgd.plot import CoefficientPathDisplay, TrainingCurveDisplay

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
rates = {"sgd": 0.003, "momentum": 0.0003, "adagrad": 0.1, "rmsprop": 0.001, "adam": 0.001}
models = {
    name: make_pipeline(
        StandardScaler().set_output(transform="pandas"),
        LogisticClassifier(
            optimizer=name,
            learning_rate=rate,
            alpha=1e-3,
            early_stopping=True,
            validation_fraction=0.2,
            tol=1e-4,
            max_iter=200,
            random_state=0,
        ),
    )
    for name, rate in rates.items()
}
recorder = CoefficientRecorder()
models["adagrad"][-1].set_callbacks(recorder)
for name, model in models.items():
    model.fit(X, y)
    curve = model[-1].validation_curve_
    print(f"{name}: {len(curve)} passes, held-out loss lowest, {min(curve):.4f}, after {curve.index(min(curve)) + 1}")

# %%
# The objective on the training rows, and the loss on the held-out ones.

_, axes = plt.subplots(2, 1, figsize=(6.4, 7), layout="constrained")
TrainingCurveDisplay.from_estimators(models, ax=axes[0], logx=True)
TrainingCurveDisplay.from_estimators(models, quantity="validation", ax=axes[1], logx=True)

# %%
# The coefficients of AdaGrad over its passes; those that end largest are named.

CoefficientPathDisplay.from_recorder(recorder)
plt.show()
