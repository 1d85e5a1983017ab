"""The tutorial's own questions, answered by a run: a sentence each, also where a network is missing."""

from collections.abc import Callable, Sequence

from tasks.report.network_words import EXCLUDED, accuracy, accuracy_limits, onset_phrase, over_seeds
from tasks.report.words import verdict
from tasks.results.run import ModelResult, Results
from tasks.wording import and_list

TARGET_ACCURACY = 0.99  # the tutorial's challenge to its readers
ORDER_ALPHA = 0.05 / 2  # the tutorial asks for the order of two onsets: Bonferroni
SEEDS_FOR_AN_ORDER = 5  # of each network, for a permutation test at that level: 2 / 252; four give 2 / 70


def answers(results: Results) -> list[tuple[str, str]]:
    """Return what the tutorial asks, each with the answer of this run."""
    questions: list[tuple[str, tuple[str, ...], Callable[[Results], str]]] = [
        ("Does the CNN beat the dense network?", ("cnn", "dense"), _cnn_against_dense),
        ("Did regularising stop the overfitting?", ("cnn", "regularized_cnn"), _did_regularising_stop_it),
        ("Did regularising raise the accuracy?", ("cnn", "regularized_cnn"), _did_accuracy_rise),
        (
            "Without dropout and L2, would the deep network overfit sooner?",
            ("regularized_cnn", "deep_cnn"),
            _would_it_overfit_sooner,
        ),
        ("Is 99 % reached?", (), is_target_reached),
    ]
    return [(question, missing(results, needed) or answer(results)) for question, needed, answer in questions]


def onsets_in_words(results: Results, names: Sequence[str]) -> str:
    """Return each onset: "dense from epoch 11 (9-14); cnn and deep_cnn not observed in 20 epochs"."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(onset_phrase(results.models[name]), []).append(name)
    return "; ".join(f"{and_list(alike)}{words}" for words, alike in groups.items())


def _cnn_against_dense(results: Results) -> str:
    sizes = [f"{results.models[name].parameter_count:,}" for name in ("cnn", "dense")]
    answer = yes_or_no(results, "cnn", "dense")
    return f"{answer}; cnn has {sizes[0]} parameters and dense {sizes[1]}."


def _did_regularising_stop_it(results: Results) -> str:
    return f"{effect_of_regularising(results)}: {onsets_in_words(results, ('cnn', 'regularized_cnn'))}."


def effect_of_regularising(results: Results) -> str:
    """Return in a few words whether regularized_cnn lacks the overfitting that cnn shows."""
    return {
        "first does not": f"cnn shows no rise of more than {EXCLUDED} that it could stop",
        "only the first": "Yes, in these trainings",
        "undecided": "Not decided",
        "first sooner": f"No, it only came later{in_these_trainings(results, 'cnn')}",
        "first later": "No",
        "both": "No",
    }[who_overfits(results, "cnn", "regularized_cnn")]


def did_accuracy_rise(results: Results) -> str:
    """Return whether regularized_cnn is more accurate than cnn."""
    return yes_or_no(results, "regularized_cnn", "cnn")


def _did_accuracy_rise(results: Results) -> str:
    answer = did_accuracy_rise(results)
    if same_layers := results.pair("regularized_cnn", "deep_cnn"):
        answer += f"; against the same layers without dropout and L2: {verdict(same_layers)}"
    elif results.pair("regularized_cnn", "cnn"):
        answer += "; the two also differ in depth"
    return f"{answer}."


def _would_it_overfit_sooner(results: Results) -> str:
    answer = {
        "first does not": "Not in these trainings",
        "only the first": "Yes, in these trainings",
        "undecided": "Not decided",
        "first sooner": f"Yes{in_these_trainings(results, 'deep_cnn')}",
        "first later": f"No, later{in_these_trainings(results, 'deep_cnn')}",
        "both": f"Both overfit, and which sooner is not told apart{seeds_for_an_order(results, 'deep_cnn')}",
    }[who_overfits(results, "deep_cnn", "regularized_cnn")]
    return f"{answer}: {onsets_in_words(results, ('deep_cnn', 'regularized_cnn'))}."


def is_target_reached(results: Results) -> str:
    """Return whether the best network's test accuracy is 99 %, and how surely."""
    if results.best is None:
        return "No model has a result."
    best = results.models[results.best]
    low, high = accuracy_limits(best)
    if results.accuracy(results.best).mean >= TARGET_ACCURACY:
        answer = "Yes" if low >= TARGET_ACCURACY else "Measured, but not shown"
    else:
        answer = "Not measured, but not excluded" if high >= TARGET_ACCURACY else "No"
    return f"{answer}: {results.best} has {accuracy(best)}."


def missing(results: Results, needed: Sequence[str]) -> str | None:
    """Say which of the networks a question is about have no result, and why."""
    absent = [name for name in needed if name not in results.models]
    failed = [name for name in needed if name not in results.finished and name not in absent]
    reasons = []
    if absent:
        reasons.append(f"{and_list(absent)} {'was' if len(absent) == 1 else 'were'} not part of this run")
    if failed:
        reasons.append(f"{and_list(failed)} failed")
    return f"Not answered: {' and '.join(reasons)}." if reasons else None


def yes_or_no(results: Results, hoped: str, other: str) -> str:
    """Return whether the network hoped for is better than the other one, followed by the verdict."""
    pair = results.pair(hoped, other)
    if pair is None:
        return "Not decided, for want of a seed that both were trained with"
    answer = {hoped: "Yes", other: "No", None: "Not shown"}[pair.better]
    return f"{answer}: {verdict(pair)}"


def seeds_for_an_order(results: Results, name: str) -> str:
    """Return by how many seeds two onsets are not told apart, and how many it takes; with one, nothing."""
    seeds = len(results.models[name].finished)
    return f" by {seeds} seeds each (it takes {SEEDS_FOR_AN_ORDER} or more)" if seeds > 1 else ""


def who_overfits(results: Results, *names: str) -> str:
    """Return which of two networks overfits, or which sooner: one of the keys that the answers above have.

    "both": both do; with one seed the intervals overlap, with several the permutation test over seeds does not
    tell the onsets apart.
    """
    first, second = (results.models[name] for name in names)
    one, other = _overfits(first), _overfits(second)
    if one is False:
        return "first does not"
    if one and other is False:
        return "only the first"
    if one is None or other is None:
        return "undecided"
    if len(first.finished) == len(second.finished) == 1:
        (low, high), (other_low, other_high) = (onset_interval(model) for model in (first, second))
        return "first sooner" if high < other_low else "first later" if low > other_high else "both"
    pair = results.pair(*names)
    medians = [over_seeds(model).onset.median_epoch for model in (first, second)]
    if pair is None or pair.onset_p > ORDER_ALPHA or medians[0] is None or medians[1] is None:
        return "both"
    return "first sooner" if medians[0] < medians[1] else "first later"


def in_these_trainings(results: Results, name: str) -> str:
    """Return what limits an order of two onsets that one training of each shows."""
    return ", in these trainings" if len(results.models[name].finished) == 1 else ""


def _overfits(model: ModelResult) -> bool | None:
    """Whether most of a network's seeds overfit; False if each excludes a rise that matters; None: undecided."""
    onset = over_seeds(model).onset
    if 2 * onset.observed > onset.seeds:
        return True
    return False if onset.excluded == onset.seeds else None


def onset_interval(model: ModelResult) -> tuple[int, int]:
    """Return the interval of the onset of a network's one training; it must show one."""
    limits = model.finished[0].onset.interval
    assert limits is not None
    return limits
