"""The tutorial's questions and the summary, in words."""

from typing import Any

import pytest

from tasks.report.answers import answer_questions, onsets_in_words
from tasks.report.summary import summarize


def model(
    status: str = "not_observed",
    interval: tuple[int, int] | None = None,
    *,
    accuracy: float = 0.98,
    seeds: int = 1,
    observed: int | None = None,
) -> dict[str, Any]:
    """A model of results.json whose seeds all have one status; the onset is the middle of the interval."""
    epoch = None if interval is None else (interval[0] + interval[1]) // 2
    test = {"n": 10_000, "accuracy": accuracy, "accuracy_ci95": [accuracy - 0.002, accuracy + 0.002]}
    onset = {"status": status, "epoch": epoch, "interval": interval and list(interval)}
    training = {"error": None, "test": test, "onset": onset, "history": {"val_nll": [0.1] * 20}}
    observed = seeds * (status == "overfits") if observed is None else observed
    over_seeds = {
        "observed": observed,
        "seeds": seeds,
        "range": interval and list(interval),
        "status_counts": {status: seeds},
        "sentence": f"{observed} of {seeds} seeds overfit.",
    }
    return {
        "parameter_count": 1_000,
        "trainings": [training] * seeds,
        "aggregate": {
            "n_seeds": seeds,
            "test_accuracy": {"mean": accuracy, "minimum": accuracy - 0.001, "maximum": accuracy + 0.001},
            "onset": over_seeds,
        },
    }


FAILED = {"parameter_count": None, "trainings": [{"error": "killed"}], "aggregate": None}
EARLY, LATE, LATER = (5, 8), (7, 12), (14, 20)


def pair(first: str, second: str, difference: float, significant: bool = True) -> dict[str, Any]:
    """A comparison with a made-up verdict."""
    return {
        "models": [first, second],
        "difference": difference,
        "ci95": [difference - 0.01, difference + 0.01],
        "significant": significant,
        "verdict": "THE VERDICT",
    }


def answers(models: dict[str, Any], *comparisons: dict[str, Any]) -> list[str]:
    """The answers: CNN or dense, overfitting stopped, accuracy raised, sooner without, 99 %."""
    return [entry["answer"] for entry in answer_questions(models, comparisons)]


@pytest.mark.parametrize(
    ("difference", "significant", "beginning"),
    [(-0.02, True, "Yes: "), (0.02, True, "No: "), (-0.02, False, "Not shown: ")],
)
def test_cnn_against_dense_follows_the_verdict(difference: float, significant: bool, beginning: str) -> None:
    """Yes only if the CNN is significantly better; the parameters of both are given."""
    models = {"dense": model(), "cnn": model()}
    answer = answers(models, pair("dense", "cnn", difference, significant))[0]
    assert answer == f"{beginning}THE VERDICT; cnn has 1,000 parameters and dense 1,000."


@pytest.mark.parametrize(
    ("plain", "regularized", "beginning"),
    [
        (("overfits", EARLY), ("not_observed", None), "Yes, as far as the epochs trained can show: "),
        (("overfits", EARLY), ("inconclusive", None), "At least it was put off beyond the epochs trained: "),
        (("overfits", EARLY), ("overfits", LATER), "No, it only came later: "),
        (("overfits", EARLY), ("overfits", LATE), "No: "),
        (("not_observed", None), ("not_observed", None), "There was none to stop: "),
        (("too_short", None), ("too_short", None), "Not decided: "),
        (("overfits", EARLY), ("diverged", None), "Not decided: "),
    ],
)
def test_whether_regularising_stopped_it(plain: Any, regularized: Any, beginning: str) -> None:
    """The answer follows from what is known of both onsets; overlapping intervals are no "later"."""
    answer = answers({"cnn": model(*plain), "regularized_cnn": model(*regularized)})[1]
    assert answer.startswith(beginning)


@pytest.mark.parametrize(
    ("deep", "regularized", "beginning"),
    [
        (("overfits", EARLY), ("not_observed", None), "Yes: "),
        (("overfits", EARLY), ("inconclusive", None), "Yes: "),
        (("overfits", EARLY), ("overfits", LATER), "Yes: "),
        (("overfits", LATER), ("overfits", EARLY), "No, later: "),
        (("overfits", EARLY), ("overfits", LATE), "Both overfit, and which sooner is unclear: "),
        (("not_observed", None), ("overfits", EARLY), "No: "),
        (("too_short", None), ("overfits", EARLY), "Not decided: "),
        (("overfits", EARLY), ("diverged", None), "Not decided: "),
    ],
)
def test_whether_it_overfits_sooner_without_dropout(deep: Any, regularized: Any, beginning: str) -> None:
    """The same layers without dropout and L2, judged by their onsets."""
    answer = answers({"deep_cnn": model(*deep), "regularized_cnn": model(*regularized)})[3]
    assert answer.startswith(beginning)


def test_most_seeds_decide_whether_a_network_overfits() -> None:
    """Two of three seeds with an onset make a network that overfits, one of three does not."""
    regularized = model()
    two = model("overfits", EARLY, seeds=3, observed=2)
    one = model("overfits", EARLY, seeds=3, observed=1)
    assert answers({"cnn": two, "regularized_cnn": regularized})[1].startswith("Yes")
    assert answers({"cnn": one, "regularized_cnn": regularized})[1].startswith("Not decided")


def test_whether_accuracy_rose_names_the_cost_too() -> None:
    """With deep_cnn in the run, the answer adds what dropout and L2 cost the same layers."""
    models = {"cnn": model(), "regularized_cnn": model(), "deep_cnn": model()}
    comparisons = pair("cnn", "regularized_cnn", 0.04), pair("regularized_cnn", "deep_cnn", -0.05)
    assert answers(models, *comparisons)[2] == (
        "No: THE VERDICT; against the same layers without dropout and L2: THE VERDICT."
    )


@pytest.mark.parametrize(
    ("accuracy", "beginning"),
    [
        (0.993, "Yes: "),
        (0.991, "Measured, but not beyond doubt: "),
        (0.989, "No, but it is within reach: "),
        (0.980, "No: "),
    ],
)
def test_whether_99_percent_is_reached(accuracy: float, beginning: str) -> None:
    """The best model's interval of 0.2 points decides how sure the answer is."""
    answer = answers({"dense": model(accuracy=0.9), "cnn": model(accuracy=accuracy)})[4]
    assert answer.startswith(f"{beginning}cnn has {100 * accuracy:.2f} % (")


def test_a_missing_model_is_said_plainly() -> None:
    """What was not trained, and what failed, leave the question unanswered and say why."""
    first, second, *_ = answers({"cnn": FAILED})
    assert first == "Not answered: dense was not part of this run and cnn failed."
    assert second == "Not answered: regularized_cnn was not part of this run and cnn failed."
    assert answers({})[1] == "Not answered: cnn and regularized_cnn were not part of this run."


def test_without_a_result_nothing_is_reached() -> None:
    """If every model failed there is no best one."""
    assert answers({"cnn": FAILED})[4] == "No model has a result."


@pytest.mark.parametrize(
    ("status", "interval", "phrase"),
    [
        ("overfits", EARLY, "cnn from epoch 6 (5-8)"),
        ("not_observed", None, "cnn not observed in 20 epochs"),
        ("inconclusive", None, "cnn undecided after 20 epochs (lowest loss near the end)"),
        ("too_short", None, "cnn undecided, 20 epochs being too few to judge"),
        ("a new status", None, "cnn a new status"),
    ],
)
def test_onsets_in_a_few_words(status: str, interval: tuple[int, int] | None, phrase: str) -> None:
    """Each status has its words, and one that is not known yet breaks nothing."""
    assert onsets_in_words({"cnn": model(status, interval)}, ["cnn"]) == phrase


def test_equal_onsets_are_said_once() -> None:
    """Models of which the same is known share their words."""
    models = {"dense": model("overfits", EARLY), "cnn": model(), "deep_cnn": model()}
    assert onsets_in_words(models, list(models)) == (
        "dense from epoch 6 (5-8); cnn and deep_cnn not observed in 20 epochs"
    )


def test_the_first_sentence_ranks_no_tie() -> None:
    """The model that measures highest is named together with those it is tied with."""
    models = {"dense": model(accuracy=0.97), "cnn": model(accuracy=0.98), "deep_cnn": model(accuracy=0.979)}
    comparisons = pair("dense", "cnn", -0.01), pair("cnn", "deep_cnn", 0.001, significant=False)
    assert summarize(models, comparisons, [], [], None)[0] == (
        "Highest test accuracy: cnn, 98.00 % (97.80 to 98.20) on 10,000 images; "
        "in these trainings better than dense, tied with deep_cnn."
    )


def test_the_first_sentence_does_not_turn_a_verdict_round() -> None:
    """The highest mean may belong to the network that lost on the seeds that both have, if others failed."""
    models = {"dense": model(accuracy=0.945), "cnn": model(accuracy=0.957, seeds=3)}
    assert summarize(models, [pair("dense", "cnn", 0.015)], [], [], None)[0].endswith(
        "worse on shared seeds than dense."
    )


def test_a_single_model_needs_no_comparison() -> None:
    """One model: its accuracy, its onset, and whether 99 % is reached."""
    assert summarize({"cnn": model("overfits", EARLY)}, [], [], [], None) == [
        "Highest test accuracy: cnn, 98.00 % (97.80 to 98.20) on 10,000 images.",
        "Overfitting: cnn from epoch 6 (5-8).",
        "Is 99 % reached? No: cnn has 98.00 % (97.80 to 98.20) on 10,000 images.",
    ]


def test_failures_and_gates_come_last() -> None:
    """What went wrong follows the answer: steps with their seeds, and gates with their messages."""
    failures = [{"task": "train-cnn", "seed": seed, "error": "killed.\nmore"} for seed in (0, 1)]
    gates = [{"passed": False, "message": f"gate {number}"} for number in range(5)]
    assert summarize({"cnn": FAILED}, [], failures, gates, None) == [
        "Failed: train-cnn (seeds 0 and 1): killed.",
        "5 gates failed: gate 0; gate 1; gate 2; and 2 more.",
    ]


def test_a_change_since_the_previous_run_is_summarised() -> None:
    """Only changes beyond chance are named."""
    line = {"model": "cnn", "verdict": "worse than before (-1.00 points, -1.50 to -0.50)"}
    still = {"model": "dense", "verdict": "unchanged: the same test images are recognised"}
    sentences = summarize({}, [], [], [], {"run": "earlier", "models": [still, line]})
    assert sentences == ["Compared with earlier: cnn worse than before (-1.00 points, -1.50 to -0.50)."]
    sentences = summarize({}, [], [], [], {"run": "earlier", "models": [still]})
    assert sentences == ["Compared with earlier: no accuracy changed beyond chance."]
