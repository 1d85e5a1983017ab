"""The tutorial's questions, answered in words."""

from collections.abc import Sequence

import pytest
from hand_made import FAILED, network, network_with, onset, pair, run, training

from tasks.report.answers import answers, onsets_in_words
from tasks.results.comparison import Pair
from tasks.results.enums import OnsetStatus, Verdict
from tasks.results.run import ModelResult

Found = tuple[OnsetStatus, int | None]

OVERFITS, TOO_SHORT = OnsetStatus.OVERFITS, OnsetStatus.TOO_SHORT
EARLY, SOON_AFTER, LATE = (OVERFITS, 6), (OVERFITS, 8), (OVERFITS, 15)  # the first two intervals touch
UNSEEN, SHORT = (OnsetStatus.RISE_EXCLUDED, None), (TOO_SHORT, None)
UNDECIDED, DIVERGED = (OnsetStatus.UNDECIDED, None), (OnsetStatus.DIVERGED, None)


def answered(models: dict[str, ModelResult], *comparisons: Pair) -> list[str]:
    """The answers: CNN or dense, overfitting stopped, accuracy raised, sooner without, 99 %."""
    return [answer for _, answer in answers(run(models, *comparisons))]


@pytest.mark.parametrize(
    ("verdict", "beginning"),
    [
        (Verdict.SECOND_BETTER, "Yes: cnn is better than dense by 2.00 points"),
        (Verdict.FIRST_BETTER, "No: dense is better than cnn by 2.00 points"),
        (Verdict.TIED, "Not shown: tied: "),
    ],
)
def test_cnn_against_dense_follows_the_verdict(verdict: Verdict, beginning: str) -> None:
    """Yes only if the CNN is significantly better; the parameters of both are given."""
    models = {"dense": network(), "cnn": network(parameter_count=2_000)}
    answer = answered(models, pair("dense", "cnn", verdict, 0.02))[0]
    assert answer.startswith(beginning)
    assert answer.endswith("; cnn has 2,000 parameters and dense 1,000.")


@pytest.mark.parametrize(
    ("plain", "regularized", "beginning"),
    [
        (EARLY, UNSEEN, "Yes, in these trainings: "),
        (EARLY, UNDECIDED, "Not decided: "),
        (EARLY, LATE, "No, it only came later, in these trainings: "),
        (EARLY, SOON_AFTER, "No: "),
        (LATE, EARLY, "No: "),
        (UNSEEN, UNSEEN, "cnn shows no rise of more than 5 % that it could stop: "),
        (SHORT, SHORT, "Not decided: "),
        (EARLY, DIVERGED, "Not decided: "),
    ],
)
def test_whether_regularising_stopped_it(plain: Found, regularized: Found, beginning: str) -> None:
    """The answer follows from what is known of both onsets; overlapping intervals are no "later"."""
    answer = answered({"cnn": network_with(*plain), "regularized_cnn": network_with(*regularized)})[1]
    assert answer.startswith(beginning)


@pytest.mark.parametrize(
    ("deep", "regularized", "beginning"),
    [
        (EARLY, UNSEEN, "Yes, in these trainings: "),
        (EARLY, UNDECIDED, "Not decided: "),
        (EARLY, LATE, "Yes, in these trainings: "),
        (LATE, EARLY, "No, later, in these trainings: "),
        (EARLY, SOON_AFTER, "Both overfit, and which sooner is not told apart: "),
        (UNSEEN, EARLY, "Not in these trainings: "),
        (SHORT, EARLY, "Not decided: "),
        (EARLY, DIVERGED, "Not decided: "),
    ],
)
def test_whether_it_overfits_sooner_without_dropout(deep: Found, regularized: Found, beginning: str) -> None:
    """The same layers without dropout and L2, judged by their onsets."""
    answer = answered({"deep_cnn": network_with(*deep), "regularized_cnn": network_with(*regularized)})[3]
    assert answer.startswith(beginning)


def seeds(statuses: Sequence[OnsetStatus]) -> ModelResult:
    """A network whose seeds have these verdicts; those that overfit do at epoch 6."""
    found = [onset(status, 6 if status is OVERFITS else None) for status in statuses]
    return network(*(training(seed, onset=each) for seed, each in enumerate(found)))


def test_most_seeds_decide_whether_a_network_overfits() -> None:
    """Two of three seeds with an onset make a network that overfits, one beside two undecided does not."""
    two, one = seeds([OVERFITS, OVERFITS, TOO_SHORT]), seeds([OVERFITS, TOO_SHORT, TOO_SHORT])
    assert answered({"cnn": two, "regularized_cnn": network()})[1].startswith("Yes")
    assert answered({"cnn": one, "regularized_cnn": network()})[1].startswith("Not decided")


def test_one_undecided_seed_leaves_absence_undecided() -> None:
    """That regularising stopped it is said where each seed excludes a rise that matters, not where most do."""
    excluded, undecided = OnsetStatus.RISE_EXCLUDED, OnsetStatus.UNDECIDED
    cnn = seeds([OVERFITS] * 3)
    all_three, two = seeds([excluded] * 3), seeds([excluded, excluded, undecided])
    assert answered({"cnn": cnn, "regularized_cnn": all_three})[1].startswith("Yes, in these trainings: ")
    assert answered({"cnn": cnn, "regularized_cnn": two})[1].startswith("Not decided: ")


@pytest.mark.parametrize(
    ("p", "beginning"),
    [
        (0.008, "Yes: "),
        (0.1, "Both overfit, and which sooner is not told apart by 3 seeds each (it takes 5 or more): "),
    ],
)
def test_over_seeds_a_test_tells_which_is_sooner(p: float, beginning: str) -> None:
    """Medians of 6 and 15 are an order only if the permutation test over seeds says so."""
    models = {
        name: network(*(training(seed, onset=onset(OVERFITS, epoch)) for seed in range(3)))
        for name, epoch in (("deep_cnn", 6), ("regularized_cnn", 15))
    }
    compared = pair("deep_cnn", "regularized_cnn", Verdict.TIED, onset_p=p)
    assert answered(models, compared)[3].startswith(beginning)


def test_whether_accuracy_rose_names_the_cost_too() -> None:
    """With deep_cnn in the run, the answer adds what dropout and L2 cost the same layers."""
    models = {"cnn": network(), "regularized_cnn": network(), "deep_cnn": network()}
    comparisons = (
        pair("cnn", "regularized_cnn", Verdict.FIRST_BETTER, 0.04),
        pair("regularized_cnn", "deep_cnn", Verdict.SECOND_BETTER, -0.05),
    )
    assert answered(models, *comparisons)[2] == (
        "No: cnn is better than regularized_cnn by 4.00 points (3.00 to 5.00 on other images) in these trainings; "
        "against the same layers without dropout and L2: "
        "deep_cnn is better than regularized_cnn by 5.00 points (4.00 to 6.00 on other images) in these trainings."
    )


def test_networks_without_a_common_seed() -> None:
    """Where nothing was compared, nothing is decided."""
    assert answered({"cnn": network(), "regularized_cnn": network()})[2] == (
        "Not decided, for want of a seed that both were trained with."
    )


@pytest.mark.parametrize(
    ("accuracy", "beginning"),
    [
        (0.993, "Yes: "),
        (0.991, "Measured, but not shown: "),
        (0.989, "Not measured, but not excluded: "),
        (0.980, "No: "),
    ],
)
def test_whether_99_percent_is_reached(accuracy: float, beginning: str) -> None:
    """The best model's interval of 0.2 points to either side decides how sure the answer is."""
    models = {"dense": network_with(*UNSEEN, accuracy=0.9), "cnn": network_with(*UNSEEN, accuracy)}
    assert answered(models)[4].startswith(f"{beginning}cnn has {100 * accuracy:.2f} % (")


def test_a_missing_model_is_said_plainly() -> None:
    """What was not trained, and what failed, leave the question unanswered and say why."""
    first, second, *_, last = answered({"cnn": FAILED})
    assert first == "Not answered: dense was not part of this run and cnn failed."
    assert second == "Not answered: regularized_cnn was not part of this run and cnn failed."
    assert last == "No model has a result."
    assert answered({"dense": network()})[1] == (
        "Not answered: cnn and regularized_cnn were not part of this run."
    )


def test_equal_onsets_are_said_once() -> None:
    """Models of which the same is known share their words."""
    results = run({"dense": network_with(*EARLY), "cnn": network(), "deep_cnn": network()})
    assert onsets_in_words(results, list(results.models)) == (
        "dense from epoch 6 (5-7); cnn and deep_cnn without a rise of more than 5 % in 20 epochs"
    )
