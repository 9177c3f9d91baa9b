"""Outputs on threads: no result depends on how many there are."""

import numpy as np
import pytest
import scipy.sparse as sp

from sksgd import LinearRegressor
from sksgd.optimizers import Momentum

RNG = np.random.default_rng(11)
X = RNG.normal(size=(80, 6)) * (RNG.random((80, 6)) < 0.5)
Y = X @ RNG.normal(size=(6, 5)) + 0.1 * RNG.normal(size=(80, 5))
WEIGHTS = RNG.uniform(0, 2, 80) * (RNG.random(80) < 0.9)

over = pytest.mark.parametrize

SETTINGS = {
    "sgd": {"optimizer": "sgd"},
    "sgd, averaged": {"optimizer": "sgd", "average": 30},
    "momentum, in batches": {"optimizer": Momentum(0.8), "learning_rate": 0.01, "batch_size": 7},
    "adagrad, l1": {"optimizer": "adagrad", "penalty": "l1", "alpha": 0.01},
}


@over("rows", [X, sp.csr_array(X)], ids=["dense", "csr"])
@over("name", SETTINGS)
def test_results_do_not_depend_on_the_threads(name, rows):
    def train(n_jobs, targets):
        model = LinearRegressor(**SETTINGS[name], max_iter=4, tol=None, n_jobs=n_jobs, random_state=0)
        model.fit(rows, targets, sample_weight=WEIGHTS)
        model.partial_fit(rows[:30], targets[:30]).partial_fit(rows[30:], targets[30:])
        return model

    # Groups of two and three outputs, of one each, and of two outputs that share no thread.
    for n_jobs, targets in [(2, Y), (5, Y), (2, Y[:, :2])]:
        one, more = train(1, targets), train(n_jobs, targets)
        np.testing.assert_array_equal(more.coef_, one.coef_)
        np.testing.assert_array_equal(more.intercept_, one.intercept_)
        assert (more.t_, more.n_samples_seen_, more.loss_curve_) == (one.t_, one.n_samples_seen_, one.loss_curve_)


def test_a_norm_of_all_outputs_is_not_split():
    def train(n_jobs):
        model = LinearRegressor(optimizer=Momentum(0.8, clip_norm=0.1), max_iter=2, tol=None, n_jobs=n_jobs)
        return model.set_params(random_state=0).fit(X, Y).coef_

    np.testing.assert_array_equal(train(2), train(1))


def test_divergence_of_one_output_is_that_of_all():
    targets = Y.copy()
    targets[:, 4] *= 1e200
    with pytest.warns(Warning, match="diverged"):
        model = LinearRegressor(optimizer="sgd", learning_rate=1e160, max_iter=3, n_jobs=2, random_state=0).fit(
            X, targets
        )
    assert np.isfinite(model.coef_).all()
