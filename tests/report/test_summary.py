"""The summary of a run, in words."""

import pytest
from hand_made import (
    FAILED,
    against_previous,
    failure,
    gate,
    network,
    network_with,
    pair,
    previous,
    run,
    seeds_with,
)

from tasks.report.summary import closing_lines, state_message, summary
from tasks.results.comparison import Difference
from tasks.results.enums import Change, GateOutcome, GateReason, OnsetStatus, Status, Verdict
from tasks.results.run import ModelResult


def accurate(**accuracies: float) -> dict[str, ModelResult]:
    """Networks with these test accuracies, one seed each."""
    return {name: seeds_with([accuracy]) for name, accuracy in accuracies.items()}


def test_the_first_sentence_ranks_no_tie() -> None:
    """The model that measures highest is named together with those it is tied with."""
    comparisons = (
        pair("dense", "cnn", Verdict.SECOND_BETTER, -0.01),
        pair("cnn", "deep_cnn", Verdict.TIED, 0.001),
    )
    results = run(accurate(dense=0.97, cnn=0.98, deep_cnn=0.979), *comparisons)
    assert summary(results)[0] == (
        "Highest test accuracy: cnn, 98.00 % (97.80 to 98.20) on 10,000 images; "
        "in these trainings better than dense, tied with deep_cnn."
    )


def test_the_first_sentence_does_not_turn_a_verdict_round() -> None:
    """The highest mean may belong to the network that lost on the seeds that both have, if others failed."""
    models = {**accurate(dense=0.945), "cnn": seeds_with([0.957] * 3)}
    results = run(models, pair("dense", "cnn", Verdict.FIRST_BETTER, 0.015))
    assert summary(results)[0].endswith("worse on shared seeds than dense.")


ALONE = [
    "Highest test accuracy: cnn, 98.00 % (97.80 to 98.20) on 10,000 images.",
    "Overfitting: cnn from epoch 6 (5-7).",
    "Is 99 % reached? No: cnn has 98.00 % (97.80 to 98.20) on 10,000 images.",
]


def test_a_single_model_needs_no_comparison() -> None:
    """One model: its accuracy, its onset, and whether 99 % is reached; in the terminal with the report's path."""
    results = run({"cnn": network_with(OnsetStatus.OVERFITS, 6)})
    assert summary(results) == ALONE
    assert closing_lines(results, "somewhere/report.md") == [*ALONE, "Report: somewhere/report.md"]
    assert state_message(results, "somewhere/report.md") == "somewhere/report.md"


def test_two_failures_keep_their_reasons() -> None:
    """Summary and state name each failure with its network, its seed and its own reason, and gates."""
    results = run(
        {"dense": FAILED, "cnn": FAILED},
        status=Status.FAILED,
        failures=[failure("dense", 0, "killed."), failure("cnn", 0, "no memory")],
        gates=[
            gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT),
            gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN, model="deep_cnn"),
        ],
    )
    failed = "train dense (seed 0): killed; train cnn (seed 0): no memory"
    missed = "cnn has no result to hold against the 97.00 % required"
    assert summary(results) == [f"Failed: {failed}.", f"1 gate failed: {missed}."]
    assert state_message(results, "somewhere/report.md") == (
        f"{failed}; {missed}. The report: somewhere/report.md"
    )


@pytest.mark.parametrize(("failed", "more"), [(3, ""), (4, "; and 1 more")])
def test_many_failed_gates_are_counted(failed: int, more: str) -> None:
    """Three of them are named."""
    missed = gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT)
    words = "; ".join(["cnn has no result to hold against the 97.00 % required"] * 3)
    assert summary(run({"cnn": FAILED}, gates=[missed] * failed)) == [
        f"{failed} gates failed: {words}{more}."
    ]


def test_a_change_since_the_previous_run_is_summarised() -> None:
    """Only changes beyond chance are named."""
    still = against_previous(Change.UNCHANGED, "dense")
    results = run({"cnn": FAILED}, previous_run=previous(still, against_previous(Change.WORSE)))
    assert summary(results) == [
        "Compared with earlier: cnn worse than before (-1.00 points, -1.50 to -0.50)."
    ]
    results = run({"cnn": FAILED}, previous_run=previous(still))
    assert summary(results) == ["Compared with earlier: no accuracy changed beyond chance."]


def test_other_settings_are_said_beside_a_change() -> None:
    """An accuracy that rose with the number of epochs is no progress of the network."""
    before = previous(
        against_previous(Change.BETTER),
        parameters_changed=[Difference(name="cnn epochs", before="3", now="20")],
    )
    (sentence,) = summary(run({"cnn": FAILED}, previous_run=before))
    assert sentence.startswith("Compared with earlier, a run with other settings: cnn better than before (")


def test_the_summary_is_short() -> None:
    """However much goes wrong, the summary has five sentences."""
    results = run(
        {"cnn": network(), "regularized_cnn": network(), "dense": FAILED},
        failures=[failure("dense", seed) for seed in range(9)],
        gates=[gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT)] * 9,
        previous_run=previous(against_previous(Change.WORSE)),
    )
    assert len(summary(results)) == 5
