"""Measures of log-probabilities, held against hand-made cases, scikit-learn and statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from statsmodels.stats.proportion import proportion_confint

from tasks.evaluation.measures import (
    NO_PREDICTION,
    bootstrap_means,
    calibration_error_by_chance,
    calibration_gaps,
    measure_test,
    predicted_labels,
    wilson_interval,
    worst_mistakes,
)


def certain(prediction: int, probability: float) -> np.ndarray:
    """Log-probabilities (10,) with that probability on one class and the rest spread evenly."""
    row = np.full(10, (1 - probability) / 9)
    row[prediction] = probability
    return np.log(row)


def random_case(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random log-probabilities (n, 10) as float32 and labels that agree with them about half the time."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(10, 0.2), n).clip(1e-6)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    drawn = (probabilities.cumsum(axis=1) > generator.random(n)[:, None]).argmax(axis=1)
    return np.log(probabilities).astype(np.float32), drawn.astype(np.uint8)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_agrees_with_statsmodels(case: tuple[int, int]) -> None:
    """The interval of a share is statsmodels' Wilson interval."""
    correct, n = case
    expected = proportion_confint(correct, n, method="wilson")
    assert wilson_interval(correct, n) == pytest.approx(expected, abs=1e-12)


def test_accuracy_nll_and_confusion_agree_with_scikit_learn() -> None:
    """Accuracy, mean NLL and confusion matrix (rows are the truth) are scikit-learn's."""
    log_probabilities, labels = random_case(500)
    measured = measure_test(log_probabilities, labels)
    predicted = log_probabilities.argmax(axis=1)
    probabilities = np.exp(log_probabilities.astype(np.float64))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert measured.accuracy == accuracy_score(labels, predicted)
    assert measured.nll == pytest.approx(log_loss(labels, probabilities, labels=range(10)), rel=1e-6)
    matrix = confusion_matrix(labels, predicted, labels=range(10))
    assert measured.confusion == [(*pair, matrix[*pair]) for pair in np.argwhere(matrix).tolist()]


def test_calibration_error_by_hand() -> None:
    """Two images at 0.9 of which one is right, two at 0.5 both right: (2 x 0.4 + 2 x 0.5) / 4 = 0.45."""
    log_probabilities = np.array([certain(0, 0.9), certain(0, 0.9), certain(1, 0.5), certain(1, 0.5)])
    measured = measure_test(log_probabilities, np.array([0, 3, 1, 1]))
    assert measured.calibration_error == pytest.approx(0.45)


def test_calibration_error_agrees_with_its_definition() -> None:
    """The error is the average over 15 bins of |accuracy - confidence|, weighted by their images."""
    log_probabilities, labels = random_case(2_000)
    confidence = np.exp(log_probabilities.max(axis=1).astype(np.float64))
    right = log_probabilities.argmax(axis=1) == labels
    expected = 0.0
    for lower in np.arange(15) / 15:
        inside = (confidence > lower) & (confidence <= lower + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert measure_test(log_probabilities, labels).calibration_error == pytest.approx(expected)


def test_a_confidence_of_one_falls_into_the_last_bin() -> None:
    """Probabilities of exactly 0 and 1 are legal: a sure and right answer has no gap, a sure and wrong has -1."""
    log_probabilities = np.full((2, 10), -np.inf)
    log_probabilities[:, 4] = 0.0
    gaps = calibration_gaps(log_probabilities, np.array([4, 5]))
    assert gaps[:, -1].tolist() == [0.0, -1.0]
    assert not gaps[:, :-1].any()


def test_bootstrap_scatter_is_the_standard_error() -> None:
    """The means over resamples scatter like the standard deviation over root n."""
    values = np.random.default_rng(0).exponential(size=(2_000, 1))
    means = bootstrap_means(values)
    assert means.shape == (1_000, 1)
    assert means.mean() == pytest.approx(values.mean(), abs=0.005)
    assert means.std() == pytest.approx(values.std() / np.sqrt(2_000), rel=0.1)


def test_bootstrap_resamples_are_shared() -> None:
    """All networks are judged on the same resamples, and every run on the same again."""
    values = np.random.default_rng(0).random((50, 2))
    assert bootstrap_means(values)[:, 0] == pytest.approx(bootstrap_means(values[:, :1])[:, 0])


def test_calibrated_networks_stay_below_the_error_by_chance() -> None:
    """Of 200 networks that are right as often as they say, 95 % show less: 180 to 198."""
    generator = np.random.default_rng(1)
    below = 0
    for _ in range(200):
        confidence = generator.uniform(0.5, 1, 300)
        right = generator.random(300) < confidence
        log_probabilities = np.array([certain(0, each) for each in confidence])
        gaps = calibration_gaps(log_probabilities, np.where(right, 0, 1))
        by_chance = calibration_error_by_chance(log_probabilities, resamples=200)
        below += np.abs(gaps.mean(axis=0)).sum() < by_chance
    assert 180 <= below <= 198


def test_intervals_contain_their_estimates() -> None:
    """Each interval of `measure` contains what was measured."""
    measured = measure_test(*random_case(1_000))
    for name in ("accuracy", "nll"):
        low, high = getattr(measured, f"{name}_ci95")
        assert low <= getattr(measured, name) <= high


def test_a_class_without_images_has_no_accuracy() -> None:
    """Where a class does not occur in the test images its accuracy is None."""
    measured = measure_test(np.array([certain(3, 0.9)] * 2), np.array([3, 4]))
    assert measured.per_class_accuracy == [None, None, None, 1.0, 0.0, None, None, None, None, None]
    assert measured.per_class_n == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_images_without_a_finite_answer_are_wrong() -> None:
    """NaN, and minus infinity for all classes, are no prediction; averages over them are None."""
    log_probabilities = np.array([certain(0, 0.9), np.full(10, np.nan), np.full(10, -np.inf)])
    labels = np.zeros(3, dtype=int)
    measured = measure_test(log_probabilities, labels)
    assert predicted_labels(log_probabilities).tolist() == [0, NO_PREDICTION, NO_PREDICTION]
    assert measured.correct == 1
    assert measured.confusion == [(0, 0, 1)]
    assert [
        getattr(measured, name)
        for name in ("nll", "nll_ci95", "calibration_error", "calibration_error_by_chance")
    ] == [None] * 4
    assert worst_mistakes(log_probabilities, labels, True) == []


def test_an_infinite_loss_of_one_image_leaves_the_rest() -> None:
    """Probability 0 for the truth makes the mean NLL infinite, so None, but calibration stays known."""
    log_probabilities = np.full((1, 10), -np.inf)
    log_probabilities[0, 4] = 0.0
    measured = measure_test(log_probabilities, np.array([5]))
    assert measured.nll is None
    assert measured.calibration_error == 1.0


def test_mistakes_come_most_confident_first() -> None:
    """Only wrong answers are listed, the surest first, with what the network said."""
    log_probabilities = np.array([certain(1, 0.6), certain(2, 0.99), certain(3, 0.8)])
    mistakes = worst_mistakes(log_probabilities, np.array([0, 2, 0]), is_mnist=True)
    assert [(m.index, m.truth, m.prediction) for m in mistakes] == [(2, 0, 3), (0, 0, 1)]
    assert mistakes[0].probability == pytest.approx(0.8)


def test_at_most_twelve_mistakes_are_listed() -> None:
    """Of many mistakes the twelve surest are listed."""
    assert len(worst_mistakes(np.array([certain(1, 0.6)] * 30), np.zeros(30, dtype=int), True)) == 12


@pytest.mark.parametrize("is_mnist", [True, False])
def test_known_label_errors_are_marked_on_mnist_only(is_mnist: bool) -> None:
    """Test image 947 is a known label error of MNIST, and of no other data set."""
    log_probabilities, labels = np.array([certain(4, 0.99)] * 948), np.full(948, 4)
    labels[[946, 947]] = 8
    mistakes = worst_mistakes(log_probabilities, labels, is_mnist)
    assert [m.known_label_error for m in mistakes] == [False, is_mnist]
