"""
Which learning rate? A range test
=================================

The rate grows exponentially during one pass; the objective falls once the rate is large enough to matter and rises
where training becomes unstable. The suggestion is a tenth of the rate at the lowest point. Momentum bears a tenth of
the rate of plain SGD, as each gradient acts ten times.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.preprocessing import StandardScaler

from sksgd import LogisticClassifier
from sksgd.insight import learning_rate_range_test

X, y = load_digits(return_X_y=True)
X = StandardScaler().fit_transform(X)

_, axes = plt.subplots(3, 1, figsize=(6.4, 9), layout="constrained", sharex=True)
for ax, optimizer in zip(axes, ("sgd", "momentum", "adam"), strict=True):
    model = LogisticClassifier(optimizer=optimizer, random_state=0)
    test = learning_rate_range_test(model, X, y)
    test.plot(ax=ax)
    ax.set_title(optimizer)
    model.set_params(learning_rate=test.suggestion, max_iter=5, tol=None).fit(X, y)
    print(f"{optimizer}: {test.suggestion:.2g} suggested; after 5 passes the objective is {model.loss_curve_[-1]:.3f}")
plt.show()
