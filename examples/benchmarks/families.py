"""Synthetic sets, made by rule and seed: columns of many scales, offsets, correlations and tails; texts; categories.

Of the dense ones every family is drawn once for numbers and once for two classes, where that makes sense. The sparse
ones are counts of words, the same weighted and normed, and categories with numbers of very different sizes beside.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.feature_extraction.text import TfidfTransformer


class Family(NamedTuple):
    """How dense rows are drawn, before columns get their scales."""

    n: int
    d: int
    scales: tuple[float, float] = (0, 0)  # powers of ten, uniform
    offset: float = 0.0  # in standard deviations
    correlation: float = 0.0  # of a column with the next
    tails: str = "normal"  # or "t", "log-normal"
    own: float | None = None  # what columns have beside d/5 common factors; None: no factors
    hidden: bool = False  # targets depend on the half of the directions with the least variance
    classes: int = 2  # of the targets that are classes
    numbers: bool = True  # whether there are targets that are numbers


FAMILIES = {
    "tiny": Family(190, 20, (-2, 2), 3.0),
    "clean": Family(25_000, 20),
    "scales": Family(60_000, 40, (-3, 3), 5.0),
    "offsets": Family(60_000, 30, (-1, 2), 100.0),
    "correlated": Family(60_000, 50, (-1, 3), 2.0, 0.95),
    "heavy": Family(60_000, 30, (-2, 2), tails="t"),
    "imbalanced": Family(120_000, 30, (-2, 2), 2.0, numbers=False),
    "separable": Family(60_000, 30, (-2, 2), 2.0, numbers=False),
    "wide": Family(12_000, 200, (-1, 1), 2.0),
    "log-normal": Family(60_000, 30, (-2, 2), tails="log-normal"),
    "mislabelled": Family(60_000, 30, (-2, 2), 2.0, numbers=False),
    "collinear": Family(60_000, 50, (-2, 2), 2.0, own=0.01),
    "hidden": Family(60_000, 50, (0, 2), 2.0, own=0.1, hidden=True),
    "deeply hidden": Family(60_000, 50, (2, 3), 2.0, own=0.01, hidden=True),
    "widely hidden": Family(25_000, 400, (1, 2), 2.0, own=0.03, hidden=True),
    "wider": Family(12_000, 600, (-1, 1), 2.0),
    "wider, correlated": Family(12_000, 600, (-1, 1), correlation=0.9),
    "ten classes": Family(62_500, 30, (-2, 3), 3.0, 0.3, classes=10, numbers=False),
    "ten classes, correlated": Family(62_500, 30, (-2, 3), 3.0, 0.9, classes=10, numbers=False),
    "long": Family(550_000, 20, (-3, 3), 5.0),
}


def dense(name, task, seed=0):
    """Rows of a family, and targets of a task."""
    family = FAMILIES[name]
    n, d = family.n, family.d
    rng = np.random.default_rng([seed, list(FAMILIES).index(name)])
    Z = rng.standard_t(2.2, (n, d)) if family.tails == "t" else rng.standard_normal((n, d))
    if family.tails == "log-normal":
        Z = np.exp(1.5 * Z)
    for j in range(1, d):
        Z[:, j] = family.correlation * Z[:, j - 1] + np.sqrt(1 - family.correlation**2) * Z[:, j]
    if family.own is not None:
        common = d // 5
        Z = rng.standard_normal((n, common)) @ rng.standard_normal((common, d)) / np.sqrt(common) + family.own * Z
    if family.classes > 2:
        truth = softmax(Z @ rng.standard_normal((d, family.classes)) / 2, axis=1)
        labels = np.minimum((rng.random((n, 1)) > truth.cumsum(axis=1)).sum(axis=1), family.classes - 1)
        return scaled(Z, family, rng), labels
    weights = rng.standard_normal(d)
    if family.hidden:
        spread, directions = np.linalg.eigh(np.cov(Z[:5000].T))
        weights = directions[:, : d // 2] @ (weights[: d // 2] / np.sqrt(spread[: d // 2]))
    signal = Z @ weights
    signal = (signal - np.median(signal)) / np.subtract(*np.percentile(signal, [84, 16])) * 2
    X = scaled(Z, family, rng)
    if task == "regression":
        return X, 1000 * (3 + signal + 0.5 * rng.standard_normal(n))
    if name == "separable":
        keep = np.abs(signal - 0.3) > 0.1
        return X[keep], (signal[keep] > 0.3).astype(int)
    if name == "mislabelled":
        return X, ((signal > 0) ^ (rng.random(n) < 0.3)).astype(int)
    return X, (rng.random(n) < expit(2 * signal + (-6.2 if name == "imbalanced" else 0.5))).astype(int)


def scaled(Z, family, rng):
    """Columns with their offsets and scales."""
    return (Z + family.offset * rng.standard_normal(family.d)) * 10.0 ** rng.uniform(*family.scales, family.d)


# ---- sparse ----------------------------------------------------------------------------------------------------------


def texts(n, words, length, weighted, seed=0):
    """Counts of words of n texts on twenty topics; weighted by rarity and normed, or as they are. Two classes."""
    rng, topics, common = np.random.default_rng([seed, words]), 20, 50
    often = np.cumsum(np.arange(1.0, words + 1) ** -1.05)
    names = np.array([np.r_[:common, common + rng.permutation(words - common)] for _ in range(topics)])
    about = rng.dirichlet(np.full(topics, 0.15), n)
    lengths = np.maximum(5, length * np.exp(0.5 * rng.standard_normal(n))).astype(int)
    text = np.repeat(np.arange(n), lengths)
    topic = np.concatenate([rng.choice(topics, size, p=p) for size, p in zip(lengths, about, strict=True)])
    rank = np.minimum(np.searchsorted(often, rng.random(len(text)) * often[-1]), words - 1)
    word = names[topic, rank].astype(np.int32)  # scikit-learn's SGD takes no wider indices
    X = sp.csr_array((np.ones(len(text)), (text.astype(np.int32), word)), shape=(n, words))
    X.sum_duplicates()
    signal = X.log1p() @ (rng.standard_normal(words) * (rng.random(words) < 0.2))
    signal = (signal - signal.mean()) / signal.std() + about @ rng.standard_normal(topics)
    y = (rng.random(n) < expit(2 * signal)).astype(int)
    return (sp.csr_array(TfidfTransformer(sublinear_tf=True).fit_transform(X)) if weighted else X), y


def categories(n, seed=0):
    """Categories as columns of zeros and ones, and five numbers as they come; two classes."""
    rng, columns, signal = np.random.default_rng([seed, n]), [], np.zeros(n)
    for size in (2, 10, 100, 1000, 5000, 20_000):
        often = np.cumsum(np.arange(1.0, size + 1) ** -1.1)
        chosen = np.minimum(np.searchsorted(often, rng.random(n) * often[-1]), size - 1)
        columns.append(sp.csr_array((np.ones(n), (np.arange(n, dtype=np.int32), chosen.astype(np.int32))), (n, size)))
        signal += rng.standard_normal(size)[chosen]
    numbers = np.column_stack(
        [
            5e4 * np.exp(0.6 * rng.standard_normal(n)),
            2010 + 5 * rng.standard_normal(n),
            0.01 * rng.random(n),
            1e3 * rng.gamma(0.5, size=n),
            rng.random(n) < 0.3,
        ]
    )
    signal += (numbers - numbers.mean(axis=0)) / numbers.std(axis=0) @ rng.uniform(-1, 1, 5)
    y = (rng.random(n) < expit(2 * (signal - signal.mean()) / signal.std() - 2)).astype(int)
    return sp.csr_array(sp.hstack([*columns, sp.csr_array(numbers)])), y


SPARSE = {
    "words": lambda: texts(25_000, 20_000, 80, weighted=False),
    "words, tf-idf": lambda: texts(25_000, 20_000, 80, weighted=True),
    "many words, tf-idf": lambda: texts(100_000, 200_000, 60, weighted=True),
    "categories": lambda: categories(125_000),
}
