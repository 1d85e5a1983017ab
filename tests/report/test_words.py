"""Facts in, exact sentences out."""

import pytest
from hand_made import (
    FAILED,
    against_previous,
    failure,
    gate,
    network,
    pair,
    run,
    training,
)

from tasks.report.words import (
    change,
    failures_in_words,
    gate_in_words,
    gates_in_short,
    how_it_ended,
    loss_verdict,
    unlike_the_tutorial,
    verdict,
)
from tasks.results.comparison import Gate, LossDifference
from tasks.results.enums import Change, GateName, GateOutcome, GateReason, Origin, Verdict


def test_verdict_on_these_trainings() -> None:
    """With one seed the better one is named with its lead and the lead's interval, whichever comes first."""
    words = "cnn is better than dense by 4.00 points (2.76 to 5.22 on other images) in these trainings"
    assert verdict(pair("dense", "cnn", Verdict.SECOND_BETTER, -0.04, interval=(-0.0522, -0.0276))) == words
    assert verdict(pair("cnn", "dense", Verdict.FIRST_BETTER, 0.04, interval=(0.0276, 0.0522))) == words


def test_verdict_on_the_networks() -> None:
    """From two seeds on the words are about the networks, and about both kinds of luck."""
    facts = {"seeds": [0, 1, 2], "interval": (0.037, 0.047)}
    assert verdict(pair("cnn", "dense", Verdict.FIRST_BETTER, 0.042, **facts)) == (
        "cnn is the better network, 4.20 points above dense "
        "(3.70 to 4.70 on other images and in other trainings; 3 seeds)"
    )
    assert verdict(pair("a", "b", Verdict.TIED, 0.0, seeds=[0, 1, 2])) == (
        "tied: the data cannot tell the networks apart "
        "(a minus b: 0.00 points, -1.00 to 1.00 on other images and in other trainings; 3 seeds)"
    )


def test_ties() -> None:
    """A tie shows the interval; where that leaves zero out, the number of pairs is the reason."""
    assert verdict(pair("a", "b", Verdict.TIED, -0.005)) == (
        "tied: the data cannot tell them apart (a minus b: -0.50 points, -1.50 to 0.50 on other images)"
    )
    assert verdict(pair("a", "b", Verdict.TIED, 0.02, interval=(0.01, 0.03), pairs=6)) == (
        "tied: with 6 pairs to allow for, the data cannot tell them apart "
        "(a minus b: 2.00 points, 1.00 to 3.00 on other images, for this pair taken alone)"
    )


@pytest.mark.parametrize(
    ("p_adjusted", "words"),
    [
        (0.01, "test NLL: b is lower, by 0.0200 (0.0100 to 0.0300)"),
        (0.06, "test NLL: the data cannot tell them apart (a minus b: 0.0200, 0.0100 to 0.0300)"),
    ],
)
def test_verdict_on_the_loss(p_adjusted: float, words: str) -> None:
    """The network with the lower loss is named if the adjusted p-value says so."""
    loss = LossDifference(difference=0.02, interval=(0.01, 0.03), p_value=0.01, p_adjusted=p_adjusted)
    assert loss_verdict(pair("a", "b", Verdict.TIED, loss=loss)) == words


def test_how_it_ended() -> None:
    """Time, trainings with results, where they came from and why, which diverged."""
    models = {
        "dense": network(training(0, origin=Origin.REUSED), training(1), training(2)),
        "cnn": network(training(1, diverged=True), training(2, diverged=True)),
        "deep_cnn": FAILED,
    }
    assert how_it_ended(run(models)) == (
        "after 12 min 34 s: 5 of 6 trainings have results; no gate was set. Origin: 4 trained (nothing to reuse); "
        "1 reused (nothing to reuse). Diverged, the loss stopped being a finite number: cnn (seeds 1 and 2)."
    )
    assert how_it_ended(run({"cnn": network()}, gates=[gate(outcome=GateOutcome.HELD)])) == (
        "after 12 min 34 s: 1 of 1 training has results, 1 of 1 gate held. Origin: 1 trained (nothing to reuse)."
    )


def test_each_failure_has_its_own_reason() -> None:
    """Network, seed and reason of each; only what failed for the same reason stands together."""
    failures = [
        failure("cnn", 0, "killed."),
        failure("cnn", 1, "killed."),
        failure("dense", 0, "no memory.\nmore"),
        failure("deep_cnn", 0, "killed."),
        failure("dense", 1, "killed.", task="evaluate"),
    ]
    assert failures_in_words(failures) == [
        "train cnn (seeds 0 and 1) and deep_cnn (seed 0): killed",
        "train dense (seed 0): no memory",
        "evaluate dense (seed 1): killed",
    ]


def test_gates_in_short() -> None:
    """What was not judged is counted apart: it did not hold, and it did not fail."""
    outcomes = (GateOutcome.HELD, GateOutcome.NOT_HELD, GateOutcome.NOT_JUDGED)
    judged = [gate(outcome=outcome) for outcome in outcomes]
    assert gates_in_short(judged) == "1 of 3 gates held, 1 not judged"
    assert gates_in_short(judged[:1]) == "1 of 1 gate held"


def drop(observed: float, limit: float, outcome: GateOutcome) -> Gate:
    """A gate on a drop over one seed, with a bound half a point below."""
    facts = {"observed": observed, "limit": limit, "at_least": observed - 0.005, "level": 0.95}
    facts |= {"seeds": 1, "since": "earlier"}
    return gate(GateName.MAX_ACCURACY_DROP, outcome=outcome, **facts)


def not_judged(reason: GateReason) -> Gate:
    """A gate on a drop that nothing can be held against."""
    return gate(GateName.MAX_ACCURACY_DROP, outcome=GateOutcome.NOT_JUDGED, reason=reason)


@pytest.mark.parametrize(
    ("judged", "words"),
    [
        (
            gate(outcome=GateOutcome.HELD, observed=0.98),
            "cnn: test accuracy 98.00 % (97.80 to 98.20) on 10,000 images reaches the 97.00 % required",
        ),
        (
            gate(outcome=GateOutcome.NOT_HELD, observed=0.98, limit=0.99),
            "cnn: test accuracy 98.00 % (97.80 to 98.20) on 10,000 images is below the 99.00 % required",
        ),
        (
            gate(outcome=GateOutcome.NOT_HELD, reason=GateReason.NO_RESULT, model="deep_cnn"),
            "deep_cnn has no result to hold against the 97.00 % required",
        ),
        (
            gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN, model="dense"),
            "dense was not part of this run",
        ),
        (
            drop(0.02, 0.01, GateOutcome.NOT_HELD),
            "cnn: accuracy fell since earlier (drop 2.00 points, at least 1.50 at 95 %, 1 seed), "
            "more than the 1.00 allowed",
        ),
        (
            drop(0.003, 0.0, GateOutcome.HELD),
            "cnn: accuracy fell since earlier (drop 0.30 points, at least -0.20 at 95 %, 1 seed), "
            "more than the 0.00 allowed, but images and retraining may explain it",
        ),
        (
            drop(0.003, 0.01, GateOutcome.HELD),
            "cnn: accuracy fell since earlier (drop 0.30 points, at least -0.20 at 95 %, 1 seed), 1.00 allowed",
        ),
        (
            drop(-0.02, 0.01, GateOutcome.HELD),
            "cnn: accuracy did not fall since earlier (drop -2.00 points, at least -2.50 at 95 %, 1 seed), "
            "1.00 allowed",
        ),
        (
            not_judged(GateReason.NO_BASELINE),
            "cnn: no earlier completed run has it with these settings and a seed of this run",
        ),
    ],
)
def test_gate_in_words(judged: Gate, words: str) -> None:
    """A gate says what was measured beside its limit, or why nothing was."""
    results = run({"cnn": network(), "deep_cnn": FAILED})
    assert gate_in_words(judged, results) == words


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Change.UNCHANGED, "unchanged: the same test images are recognised"),
        (Change.BETTER, "better than before (1.00 points, 0.50 to 1.50)"),
        (Change.WORSE, "worse than before (1.00 points, 0.50 to 1.50)"),
        (Change.WITHIN_CHANCE, "no change beyond chance (1.00 points, 0.50 to 1.50)"),
    ],
)
def test_change(found: Change, words: str) -> None:
    """A change since the previous run stands with its interval."""
    assert change(against_previous(found, difference=0.01)) == words


def test_unlike_the_tutorial() -> None:
    """Only settings that differ are listed; those left to the network are the tutorial's."""
    usual = run({"cnn": network(epochs=20), "challenger": network(epochs=3)})
    assert unlike_the_tutorial(usual) == []
    parameters = {"batch_size": 64, "learning_rate": 0.01, "validation_split": 0.1}
    other = run({"cnn": network(epochs=5)}, parameters=parameters)
    assert unlike_the_tutorial(other) == [
        "cnn epochs 5, not 20",
        "batch_size 64, not 128",
        "learning_rate 0.01, not 0.001",
    ]
