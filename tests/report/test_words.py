"""Facts in, exact sentences out."""

import pytest
from hand_made import (
    FAILED,
    after_best,
    against_previous,
    failure,
    gate,
    mistake,
    network,
    on_test,
    onset,
    pair,
    previous,
    run,
    seeds_with,
    training,
)

from tasks.report.network_words import (
    accuracy,
    accuracy_cell,
    after_best_epoch,
    confusion,
    mistakes_shown,
    network_onset_cell,
    network_onset_sentence,
    onset_cell,
    onset_phrase,
    onset_sentence,
)
from tasks.report.words import (
    change,
    changed_since,
    failures_in_words,
    gate_in_words,
    gates_in_short,
    how_it_ended,
    not_compared,
    unlike_the_tutorial,
    verdict,
)
from tasks.results.enums import (
    AccuracyChange,
    Change,
    GateName,
    GateOutcome,
    GateReason,
    OnsetStatus,
    Origin,
    Verdict,
)
from tasks.results.run import Difference, Gate
from tasks.results.training import Onset


def test_accuracy_of_one_training() -> None:
    """It stands with its 95 % interval and the number of images."""
    assert accuracy(network()) == "98.00 % (97.80 to 98.20) on 10,000 images"


def test_accuracy_over_seeds() -> None:
    """The mean stands with the number of seeds and their range; in a cell with the range alone."""
    model = seeds_with([0.96, 0.98, 0.985])
    assert accuracy(model) == "97.50 % (mean of 3 seeds, range 96.00 to 98.50)"
    assert accuracy_cell(model) == "97.50 % (96.00 to 98.50)"


def diverged(before: OnsetStatus, epoch: int | None = None) -> Onset:
    """A training whose loss broke in epoch 13."""
    return onset(OnsetStatus.DIVERGED, epoch, epochs=12, before_divergence=before)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            onset(OnsetStatus.OVERFITS, 8, severity=65.4),
            "Overfits: the validation loss rises from epoch 8 (between 7 and 9). "
            "It ends 65 % above its lowest level.",
        ),
        (
            onset(OnsetStatus.OVERFITS, 8),
            "Overfits: the validation loss rises from epoch 8 (between 7 and 9).",
        ),
        (
            onset(OnsetStatus.DEGRADING, 8),
            "Degrading, not overfitting: from epoch 8 (between 7 and 9) both losses rise; "
            "the training itself fails.",
        ),
        (
            onset(OnsetStatus.RECOVERED, earlier_low=6, lowest_at=19),
            "Recovered: the loss rose after epoch 6, then fell to a new low (epoch 19).",
        ),
        (
            onset(OnsetStatus.INCONCLUSIVE, lowest_at=18),
            "Inconclusive: lowest at epoch 18 of 20, too near the end; train longer to see.",
        ),
        (
            onset(OnsetStatus.TOO_SHORT, epochs=7),
            "Too short to judge: 7 epochs, at least 8 are needed.",
        ),
        (
            onset(smallest_detectable_rise=3.14),
            "No overfitting observed in 20 epochs; a rise of 3.1 % would have been seen.",
        ),
        (onset(), "No overfitting observed in 20 epochs."),
        (
            diverged(OnsetStatus.NOT_OBSERVED),
            "Diverged: the loss is not a finite number at epoch 13.",
        ),
        (
            diverged(OnsetStatus.OVERFITS, 8),
            "Diverged: the loss is not a finite number at epoch 13. Judged up to there: "
            "Overfits: the validation loss rises from epoch 8 (between 7 and 9).",
        ),
        (
            diverged(OnsetStatus.DEGRADING),
            "Diverged: the loss is not a finite number at epoch 13. Judged up to there: "
            "Degrading, not overfitting: both losses rise; the training itself fails.",
        ),
    ],
)
def test_onset_sentence(found: Onset, sentence: str) -> None:
    """Each verdict has its sentence, with the epochs and sizes that it has."""
    assert onset_sentence(found) == sentence


@pytest.mark.parametrize(
    ("found", "cell", "phrase"),
    [
        (onset(OnsetStatus.OVERFITS, 8), "epoch 8 (7 to 9)", " from epoch 8 (7-9)"),
        (
            onset(OnsetStatus.DEGRADING, 8),
            "both losses rise; epoch 8 (7 to 9)",
            " getting worse on both sets from epoch 8 on, which is not overfitting",
        ),
        (diverged(OnsetStatus.OVERFITS, 8), "diverged; epoch 8 (7 to 9)", " diverged (loss not finite)"),
        (diverged(OnsetStatus.TOO_SHORT), "diverged", " diverged (loss not finite)"),
        (
            onset(smallest_detectable_rise=3.14),
            "not observed (a rise of 3.1 % would show)",
            " not observed in 20 epochs",
        ),
        (
            onset(OnsetStatus.INCONCLUSIVE),
            "inconclusive",
            " undecided after 20 epochs (lowest loss near the end)",
        ),
        (
            onset(OnsetStatus.TOO_SHORT, epochs=1),
            "too few epochs to judge",
            " undecided, 1 epoch being too few to judge",
        ),
        (
            onset(OnsetStatus.RECOVERED),
            "rose, then recovered",
            " recovered (the loss rose, then fell below its earlier minimum)",
        ),
    ],
)
def test_onset_in_short(found: Onset, cell: str, phrase: str) -> None:
    """In a table and after a name there are but a few words; no epoch is called an onset that is none."""
    assert (onset_cell(found), onset_phrase(network(training(onset=found)))) == (cell, phrase)


def over_seeds(*found: Onset) -> tuple[str, str]:
    """Sentence and cell of a network with these onsets."""
    model = network(*(training(seed, onset=each) for seed, each in enumerate(found)))
    return network_onset_sentence(model), network_onset_cell(model)


def test_onset_over_seeds() -> None:
    """Seeds with an onset are counted among all, with median and range; undecided ones apart."""
    seen = [onset(OnsetStatus.OVERFITS, epoch) for epoch in (8, 9, 11)]
    unseen, undecided = onset(), onset(OnsetStatus.INCONCLUSIVE)
    assert over_seeds(*seen, unseen, undecided) == (
        "3 of 5 seeds overfit within 20 epochs, median epoch 11 (8-11); 1 undecided.",
        "3 of 5 seeds, median epoch 11 (8 to 11), 1 undecided",
    )
    assert over_seeds(seen[0], unseen, unseen) == (
        "1 of 3 seeds overfit within 20 epochs, at epochs 8-8.",
        "1 of 3 seeds (8 to 8)",
    )
    assert over_seeds(undecided, onset(OnsetStatus.TOO_SHORT)) == (
        "0 of 2 seeds overfit within 20 epochs; 2 undecided.",
        "0 of 2 seeds, 2 undecided",
    )


SIZE = (
    "after epoch 7 (0.22 points, -0.11 to 0.55, on 6,000 validation images: "
    "44 right only with the best epoch's weights, 57 only with the last)."
)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (AccuracyChange.ROSE, f"Accuracy rose {SIZE}"),
        (AccuracyChange.FELL, f"Accuracy fell {SIZE}"),
        (AccuracyChange.NOT_MEASURABLE, f"Accuracy did not change measurably {SIZE}"),
        (
            AccuracyChange.LAST_EPOCH_IS_BEST,
            "The last epoch has the lowest validation loss: there is no training on to judge.",
        ),
        (AccuracyChange.NO_FINITE_LOSS, "No epoch has a finite validation loss."),
    ],
)
def test_after_best_epoch(found: AccuracyChange, sentence: str) -> None:
    """The change of accuracy stands with its interval and the images behind it."""
    assert after_best_epoch(training(after_best=after_best(found))) == sentence


def test_confusion() -> None:
    """The most frequent mistake is named, with how many others are as frequent; seeds are added."""
    one = training(test=on_test(n=9))
    assert confusion([one]) == ("1 mistake on 9 test images; most often, 1 time, a 0 was taken for a 1.")
    other = training(test=on_test(n=9, confusion=[[4, 0], [1, 4]]))
    assert confusion([one, other]) == (
        "2 mistakes on 18 test images (all 2 seeds added); most often, 1 time, a 0 was taken for a 1 "
        "(as often: 1 other pair)."
    )
    assert confusion([training(test=on_test(n=9, confusion=[[4, 0], [0, 5]]))]) == (
        "No mistake on 9 test images."
    )


def test_images_without_an_answer() -> None:
    """Images for which a diverged network gives no finite probability are not passed over in silence."""
    silent = training(test=on_test(n=9, confusion=[[3, 1], [0, 0]]))
    assert confusion([silent]) == (
        "5 of 9 test images have no answer: no probability is finite. 1 mistake on the others."
    )


def test_mistakes_shown() -> None:
    """A mistake is told with index, truth, prediction and probability; a known label error is named."""
    listed = [mistake(), mistake(index=3, probability=0.5, known_label_error=False)]
    assert mistakes_shown("cnn", listed) == (
        "The most confident mistakes of cnn: #947, an 8 taken for a 9 (> 99.99 %, known label error); "
        "#3, an 8 taken for a 9 (50.00 %)"
    )
    assert mistakes_shown("cnn", []) == "The most confident mistakes of cnn: none"


def test_verdict_on_these_trainings() -> None:
    """With one seed the better one is named with its lead and the lead's interval, whichever comes first."""
    facts = {"interval": (-0.0522, -0.0276)}
    assert verdict(pair("dense", "cnn", Verdict.SECOND_BETTER, -0.04, **facts)) == (
        "cnn is better than dense by 4.00 points (2.76 to 5.22) in these trainings"
    )
    assert verdict(pair("cnn", "dense", Verdict.FIRST_BETTER, 0.04, interval=(0.0276, 0.0522))) == (
        "cnn is better than dense by 4.00 points (2.76 to 5.22) in these trainings"
    )


def test_verdict_on_the_networks() -> None:
    """From three seeds on the words are about the networks."""
    facts = {"seeds": [0, 1, 2], "interval": (0.037, 0.047)}
    assert verdict(pair("cnn", "dense", Verdict.FIRST_BETTER, 0.042, **facts)) == (
        "cnn is the better network, 4.20 points above dense (3.70 to 4.70 over 3 seeds)"
    )
    assert verdict(pair("a", "b", Verdict.TIED, 0.0, seeds=[0, 1, 2])) == (
        "tied: 3 seeds cannot tell the networks apart (a minus b: 0.00 points, -1.00 to 1.00)"
    )


def test_ties() -> None:
    """A tie shows the interval; where that leaves zero out, the number of pairs is the reason."""
    assert verdict(pair("a", "b", Verdict.TIED, -0.005)) == (
        "tied: the data cannot tell them apart (a minus b: -0.50 points, -1.50 to 0.50)"
    )
    assert verdict(pair("a", "b", Verdict.TIED, 0.02, pairs=6)) == (
        "tied: with 6 pairs to allow for, the data cannot tell them apart "
        "(a minus b: 2.00 points, 1.00 to 3.00 for this pair taken alone)"
    )


def test_two_seeds_give_no_verdict() -> None:
    """Both differences are shown, and how many seeds it takes."""
    facts = {"seeds": [0, 1], "differences": [0.04, 0.06], "interval": None, "level": None}
    assert verdict(pair("a", "b", Verdict.TOO_FEW_SEEDS, 0.05, **facts)) == (
        "no verdict: 2 seeds are too few, 3 are needed (a minus b: 4.00 and 6.00 points)"
    )


def test_how_it_ended() -> None:
    """Time, trainings with results, where they came from, which diverged."""
    models = {
        "dense": network(training(0, origin=Origin.REUSED), training(1), training(2)),
        "cnn": network(training(1, diverged=True), training(2, diverged=True)),
        "deep_cnn": FAILED,
    }
    assert how_it_ended(run(models)) == (
        "after 12 min 34 s: 5 of 6 trainings have results; no gate was set. Origin: 4 trained and 1 reused. "
        "Diverged, the loss stopped being a finite number: cnn (seeds 1 and 2)."
    )
    assert how_it_ended(run({"cnn": network()}, gates=[gate(outcome=GateOutcome.HELD)])) == (
        "after 12 min 34 s: 1 of 1 training has results, 1 of 1 gate held. Origin: 1 trained."
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
    judged = [
        gate(outcome=GateOutcome.HELD),
        gate(outcome=GateOutcome.NOT_HELD),
        gate(outcome=GateOutcome.NOT_JUDGED, reason=GateReason.NOT_IN_THIS_RUN),
    ]
    assert gates_in_short(judged) == "1 of 3 gates held, 1 not judged"
    assert gates_in_short(judged[:1]) == "1 of 1 gate held"


def drop(observed: float, limit: float, outcome: GateOutcome) -> Gate:
    """A gate on a drop over one seed, with an interval of half a point on either side."""
    interval = (observed - 0.005, observed + 0.005)
    facts = {"observed": observed, "limit": limit, "interval": interval, "seeds": 1}
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
            "cnn: accuracy fell since earlier (drop 2.00 points, 1.50 to 2.50, 1 seed), "
            "more than the 1.00 allowed",
        ),
        (
            drop(0.003, 0.0, GateOutcome.HELD),
            "cnn: accuracy fell since earlier (drop 0.30 points, -0.20 to 0.80, 1 seed), "
            "more than the 0.00 allowed, but not more than chance",
        ),
        (
            drop(0.003, 0.01, GateOutcome.HELD),
            "cnn: accuracy fell since earlier (drop 0.30 points, -0.20 to 0.80, 1 seed), allowed: 1.00",
        ),
        (
            drop(-0.02, 0.01, GateOutcome.HELD),
            "cnn: accuracy did not fall since earlier (drop -2.00 points, -2.50 to -1.50, 1 seed), "
            "allowed: 1.00",
        ),
        (
            not_judged(GateReason.NOT_IN_PREVIOUS_RUN),
            "cnn: not comparable with the previous run: earlier has none of its trainings",
        ),
    ],
)
def test_gate_in_words(judged: Gate, words: str) -> None:
    """A gate says what was measured beside its limit, or why nothing was."""
    results = run({"cnn": network(), "deep_cnn": FAILED}, previous_run=previous())
    assert gate_in_words(judged, results) == words


def test_gate_without_a_previous_run() -> None:
    """The first run has nothing to drop from; predictions that cannot be read are named."""
    models = {"cnn": network()}
    assert gate_in_words(not_judged(GateReason.NO_PREVIOUS_RUN), run(models)) == "cnn: no previous run"
    damaged = run(models, previous_run=previous(unreadable=["cnn with seed 0"]))
    assert gate_in_words(not_judged(GateReason.NOT_IN_PREVIOUS_RUN), damaged) == (
        "cnn: not comparable with the previous run: its predictions cannot be read: cnn with seed 0"
    )


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


def test_what_was_not_compared() -> None:
    """Trainings that cannot be read are named, and a run that has nothing in common says so."""
    unreadable = ["dense with seed 0"]
    line = against_previous(Change.UNCHANGED)
    assert not_compared(previous(line)) == ""
    assert not_compared(previous()) == (
        "No training was compared: it has no model and seed in common with this run."
    )
    assert not_compared(previous(line, unreadable=unreadable)) == (
        "Not all trainings were compared: its predictions cannot be read: dense with seed 0."
    )


def test_what_changed_since() -> None:
    """Parameters and versions are listed with both values."""
    changed = {
        "parameters_changed": [Difference(name="dense epochs", before="50", now="5")],
        "versions_changed": [Difference(name="keras", before="3.14.0", now="3.15.1")],
    }
    assert changed_since(previous(**changed)) == (
        "Changed since: dense epochs: 50 -> 5; keras: 3.14.0 -> 3.15.1."
    )
    assert changed_since(previous()) == "Parameters and versions are the same."


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
