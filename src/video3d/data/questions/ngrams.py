"""Text-only models: hashed word n-grams, softmax regression and ridge, small enough to fit by the dozen.

They see a question's words and its options' words and nothing else. What they can tell from those, a model of language can tell
as well, and need not look at the video. Words are hashed (CRC-32) into columns, so that a matrix needs no vocabulary; Chinese
is read by the character. Two forms of softmax regression:

- :func:`fit_classes`: the same answers for every question (yes and no, the words for directions): weights for each class;
- :func:`fit_options`: options of each question's own (conditional logit, McFadden 1974): one weight vector scores an option by
  its own n-grams and by pairs of a word of the question with a word of the option.
"""

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import sparse
from scipy.optimize import minimize

_COLUMNS = 1 << 18
_WORD = re.compile(r"[\u4e00-\u9fff]|[a-z0-9.]*[a-z0-9]")
PENALTY = 0.5
"""Weight of the squared norm against the summed loss; rows have unit norm."""
_STEPS = 40


@lru_cache(maxsize=1 << 16)
def _hashes(text: str, longest: int) -> Int64[np.ndarray, "w"]:
    words = _WORD.findall(text.lower())
    grams = [" ".join(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1)]
    return np.unique(np.array([zlib.crc32(gram.encode()) % _COLUMNS for gram in grams], dtype=np.int64))


def question_matrix(questions: Sequence[str]) -> sparse.csr_matrix:
    """Word 1-, 2- and 3-grams of every question, one row each, of unit norm."""
    return _stack([_hashes(question, 3) for question in questions])


def option_matrix(questions: Sequence[str], options: Sequence[Sequence[str]]) -> sparse.csr_matrix:
    """One row an option, all options of the first question first.

    Its n-grams, itself as a whole, and its words paired with the question's.
    """
    rows = []
    for question, offered in zip(questions, options, strict=True):
        asked = _hashes(question, 1)
        for option in offered:
            words = _hashes(option, 1)
            pairs = (asked[:, None] * 1_000_003 + words[None] * 7_919 + 17) % _COLUMNS
            whole = np.array([zlib.crc32(b"=" + option.encode()) % _COLUMNS], dtype=np.int64)
            known = np.array([len(np.intersect1d(asked, words)) + 1], dtype=np.int64)
            rows.append(np.concatenate([_hashes(option, 3), whole, pairs.ravel(), known]))
    return _stack(rows)


def _stack(rows: Sequence[Int64[np.ndarray, "w"]]) -> sparse.csr_matrix:
    length = np.array([len(row) for row in rows])
    indices = np.concatenate([*rows, np.empty(0, np.int64)])
    data = np.repeat(1.0 / np.sqrt(np.maximum(length, 1)), length)
    indptr = np.concatenate([[0], np.cumsum(length)])
    return sparse.csr_matrix((data, indices, indptr), shape=(len(rows), _COLUMNS))


def _width(matrix: sparse.csr_matrix) -> int:
    shape: tuple[int, int] = matrix.shape  # type: ignore[assignment]
    return int(shape[1])


def used_columns(matrix: sparse.csr_matrix) -> Int64[np.ndarray, "c"]:
    """Columns that hold anything: a fit needs no others."""
    return np.unique(matrix.indices).astype(np.int64)


def fit_classes(
    matrix: sparse.csr_matrix, labels: Int64[np.ndarray, "n"], num_classes: int, *, penalty: float = PENALTY
) -> Float64[np.ndarray, "c1 k"]:
    """Softmax regression with an unpenalised bias (the last row), by L-BFGS.

    Args:
        matrix: one row a question.
        labels: 0 to ``num_classes - 1``.
        num_classes: how many.
        penalty: on the squared weights.
    """
    num, columns = len(labels), _width(matrix)
    target = np.zeros((num, num_classes))
    target[np.arange(num), labels] = 1.0

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(columns + 1, num_classes)
        scores = matrix @ weights[:-1] + weights[-1]
        scores = scores - scores.max(axis=1, keepdims=True)
        chances = np.exp(scores)
        total = chances.sum(axis=1, keepdims=True)
        error = chances / total - target
        value = float((np.log(total[:, 0]) - (scores * target).sum(axis=1)).sum())
        value += 0.5 * penalty * float((weights[:-1] ** 2).sum())
        slope = np.concatenate([matrix.T @ error + penalty * weights[:-1], error.sum(axis=0, keepdims=True)])
        return value, slope.ravel()

    start = np.zeros((columns + 1) * num_classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    return found.x.reshape(columns + 1, num_classes)


def class_scores(matrix: sparse.csr_matrix, weights: Float64[np.ndarray, "c1 k"]) -> Float64[np.ndarray, "n k"]:
    """Scores of every class for every row."""
    return np.asarray(matrix @ weights[:-1] + weights[-1])


def fit_options(
    matrix: sparse.csr_matrix,
    begins: Int64[np.ndarray, "n1"],
    right: Bool[np.ndarray, "m"],
    *,
    penalty: float = PENALTY,
) -> Float64[np.ndarray, "c"]:
    """Conditional logit by L-BFGS.

    Args:
        matrix: one row an option.
        begins: where every question's options begin, and the end.
        right: whether a row is its question's right option; one a question.
        penalty: on the squared weights.
    """
    which = np.repeat(np.arange(len(begins) - 1), np.diff(begins))

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = matrix @ weights
        scores = scores - np.maximum.reduceat(scores, begins[:-1])[which]
        chances = np.exp(scores)
        total = np.add.reduceat(chances, begins[:-1])
        value = float(np.log(total).sum() - scores[right].sum()) + 0.5 * penalty * float(weights @ weights)
        return value, np.asarray(matrix.T @ (chances / total[which] - right)) + penalty * weights

    found = minimize(loss, np.zeros(_width(matrix)), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    return found.x


def fit_bayes(
    matrix: sparse.csr_matrix, labels: Int64[np.ndarray, "n"], num_classes: int
) -> Float64[np.ndarray, "c1 k"]:
    """Multinomial naive Bayes with add-one smoothing, in the form of ``fit_classes``: log likelihoods, and log priors as the last row."""
    seen = matrix.copy()
    seen.data = np.ones_like(seen.data)
    member = np.zeros((len(labels), num_classes))
    member[np.arange(len(labels)), labels] = 1.0
    counts = np.asarray(seen.T @ member) + 1.0
    prior = member.sum(axis=0) + 1.0
    return np.concatenate([np.log(counts / counts.sum(axis=0)), np.log(prior / prior.sum())[None]])


def first_best(scores: Float64[np.ndarray, "m"], begins: Int64[np.ndarray, "n1"]) -> Int64[np.ndarray, "n"]:
    """Which option of every question scores highest; the first of equals."""
    best = np.maximum.reduceat(scores, begins[:-1])
    which = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    row = np.where(scores >= best[which], np.arange(len(scores)), len(scores))
    return np.minimum.reduceat(row, begins[:-1]) - begins[:-1]


def fit_ridge(
    matrix: sparse.csr_matrix, values: Float64[np.ndarray, "n"], *, penalty: float = PENALTY
) -> tuple[Float64[np.ndarray, "c"], float]:
    """Ridge regression about the mean: weights and the mean."""
    from scipy.sparse.linalg import lsqr

    mean = float(values.mean())
    return lsqr(matrix, values - mean, damp=float(np.sqrt(penalty)), iter_lim=100)[0], mean
