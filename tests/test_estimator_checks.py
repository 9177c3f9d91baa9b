"""scikit-learn's own checks over all estimators and several configurations."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksgd import LinearRegressor, LogisticClassifier, SGDClassifier, SGDRegressor

CONFIGURATIONS = [
    {},
    {"optimizer": "momentum", "learning_rate": 0.02, "batch_size": "full", "sampling": "sequential"},
    {"optimizer": "adam", "learning_rate": 0.1, "penalty": "l1", "average": True, "early_stopping": True},
    {"optimizer": "svrg"},
    {"optimizer": "implicit"},
]
REASON = "a step takes some rows: a row of weight 2 is in one, two equal rows are in two; the way differs, not its end"


def expected_failures(estimator):
    if estimator.batch_size == "full" or estimator.optimizer == "auto":
        return {}
    return {f"check_sample_weight_equivalence_on_{kind}_data": REASON for kind in ("dense", "sparse")}


every_check = parametrize_with_checks(
    [kind(**params) for params in CONFIGURATIONS for kind in (LinearRegressor, LogisticClassifier)]
    + [SGDRegressor(), SGDClassifier()],  # scikit-learn's own fail the same two
    expected_failed_checks=expected_failures,
)
names, checks = every_check.args
# The check of the array API runs only where SCIPY_ARRAY_API was set before SciPy was imported.
checks = [check for check in checks if "check_array_api_input" not in str(check)]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(names, checks, ids=every_check.kwargs["ids"])
def test_check(estimator, check):
    check(estimator)
