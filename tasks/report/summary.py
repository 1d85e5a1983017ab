"""The summary of a run: at most five sentences, the answer first, then what went wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.report.answers import (
    Comparisons,
    Models,
    accuracy_phrase,
    effect_of_regularising,
    find_pair,
    is_target_reached,
    leads,
    missing,
    onsets_in_words,
    succeeded,
    yes_or_no,
)
from tasks.wording import and_list, counted


def summarize(
    models: Models,
    comparisons: Comparisons,
    failures: Sequence[Mapping[str, Any]],
    gates: Sequence[Mapping[str, Any]],
    previous: Mapping[str, Any] | None,
) -> list[str]:
    """At most five sentences; the first three are the answer: accuracy, overfitting, regularisation."""
    named = [model for model in models if models[model]["aggregate"]]
    sentences = []
    if named:
        sentences.append(_most_accurate(models, comparisons))
        sentences.append(f"Overfitting: {onsets_in_words(models, named)}.")
        needed = ("cnn", "regularized_cnn")
        if not missing(models, needed):
            effect = effect_of_regularising(models)
            accuracy = yes_or_no(find_pair(comparisons, "regularized_cnn", "cnn"), "regularized_cnn")
            sentences.append(f"Did regularising stop it? {effect}. Did that raise the accuracy? {accuracy}.")
        else:
            sentences.append(f"Is 99 % reached? {is_target_reached(models, comparisons)}")
    if failures:
        sentences.append(_what_failed(failures))
    failed_gates = [gate["message"] for gate in gates if not gate["passed"]]
    if failed_gates:
        more = f"; and {len(failed_gates) - 3} more" if len(failed_gates) > 3 else ""
        words = "; ".join(failed_gates[:3]) + more
        sentences.append(f"{counted(len(failed_gates), 'gate')} failed: {words}.")
    elif previous and previous["models"] and len(sentences) < 5:
        changed = [f"{line['model']} {line['verdict']}" for line in previous["models"] if _changed(line)]
        words = "; ".join(changed[:3]) or "no accuracy changed beyond chance"
        sentences.append(f"Compared with {previous['run']}: {words}.")
    return sentences


def _most_accurate(models: Models, comparisons: Comparisons) -> str:
    """Who measures highest, and against whom that is more than chance."""
    named = [name for name in models if models[name]["aggregate"]]
    best = max(named, key=lambda name: models[name]["aggregate"]["test_accuracy"]["mean"])
    sentence = f"Highest test accuracy: {best}, {accuracy_phrase(models[best])}"
    groups: dict[str, list[str]] = {
        "better than": [],
        "tied with": [],
        "too few seeds to tell it from": [],
        "worse on shared seeds than": [],
    }
    beaten, tied, undecided, ahead = groups.values()
    for name in named:
        pair = find_pair(comparisons, best, name)
        if pair is not None:
            decided = beaten if leads(pair, best) else ahead
            (decided if pair["significant"] else tied if pair["ci95"] else undecided).append(name)
    parts = [f"{words} {and_list(others)}" for words, others in groups.items() if others]
    if parts and len(succeeded(models[best])) == 1:
        parts[0] = f"in these trainings {parts[0]}"
    return "; ".join([sentence, *([", ".join(parts)] if parts else [])]) + "."


def _what_failed(failures: Sequence[Mapping[str, Any]]) -> str:
    """Name the steps that failed, each with its seeds and the first line of its first error."""
    steps: dict[str, list[Mapping[str, Any]]] = {}
    for failure in failures:
        steps.setdefault(failure["task"], []).append(failure)
    parts = []
    for task, group in steps.items():
        seeds = [str(failure["seed"]) for failure in group if failure["seed"] is not None]
        of_seeds = f" (seed{'s' * (len(seeds) > 1)} {and_list(seeds)})" if seeds else ""
        reason = str(group[0]["error"] or "no reason given").splitlines()[0].rstrip(".")
        parts.append(f"{task}{of_seeds}: {reason}")
    return f"Failed: {'; '.join(parts)}."


def _changed(line: Mapping[str, Any]) -> bool:
    return str(line["verdict"]).startswith(("better", "worse"))
