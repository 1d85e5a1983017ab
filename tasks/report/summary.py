"""The summary of a run, in the terminal, in Prefect and in the report: the answer, then what went wrong."""

from tasks.report.answers import (
    did_accuracy_rise,
    effect_of_regularising,
    is_target_reached,
    missing,
    onsets_in_words,
)
from tasks.report.network_words import accuracy
from tasks.report.remarks import remarks
from tasks.report.words import change, failures_in_words, gates_not_held
from tasks.results.enums import Change, Status
from tasks.results.run import Results
from tasks.wording import and_list, counted


def closing_lines(results: Results, report_path: str) -> list[str]:
    """Return what a person wants to know at the end of a run: the summary, remarks, and where the report is."""
    return [*summary(results), *remarks(results), f"Report: {report_path}"]


def state_message(results: Results, report_path: str) -> str:
    """Return the message of the flow run's last state: the report's path, and first why the run failed."""
    if results.status is Status.COMPLETED:
        return report_path
    reasons = [*failures_in_words(results.failures), *gates_not_held(results)]
    return f"{'; '.join(reasons)}. The report: {report_path}"


def summary(results: Results) -> list[str]:
    """Return at most five sentences; the first three are the answer: accuracy, overfitting, regularisation."""
    sentences = findings(results)
    if sentences and results.is_tutorial and not missing(results, ("cnn", "regularized_cnn")):
        sentences.append(
            f"Did regularising stop it? {effect_of_regularising(results)}. "
            f"Is regularized_cnn more accurate than cnn? {did_accuracy_rise(results)}."
        )
    elif sentences and results.dataset.is_mnist:
        sentences.append(f"Is 99 % reached? {is_target_reached(results)}")
    if results.failures:
        sentences.append(f"Failed: {'; '.join(failures_in_words(results.failures))}.")
    if gates := gates_not_held(results):
        sentences.append(f"{counted(len(gates), 'gate')} failed: {first_three(gates)}.")
    elif results.previous_run and results.previous_run.trainings and len(sentences) < 5:
        changed = [
            f"{line.model} {change(line)}"
            for line in results.previous_run.trainings
            if line.change in (Change.BETTER, Change.WORSE)
        ]
        words = first_three(changed) if changed else "no accuracy changed beyond chance"
        other = ", a run with other settings" if results.previous_run.parameters_changed else ""
        sentences.append(f"Compared with {results.previous_run.run}{other}: {words}.")
    return sentences


def first_three(phrases: list[str]) -> str:
    """Return the first three phrases, and how many more there are."""
    more = f"; and {len(phrases) - 3} more" if len(phrases) > 3 else ""
    return "; ".join(phrases[:3]) + more


def findings(results: Results) -> list[str]:
    """Return what was found: which network is the most accurate, and where each starts to overfit."""
    if results.best is None:
        return []
    return [
        most_accurate(results, results.best),
        f"Overfitting: {onsets_in_words(results, list(results.finished))}.",
    ]


def most_accurate(results: Results, best: str) -> str:
    """Return who measures highest, and against whom that is more than chance."""
    groups: dict[str, list[str]] = {
        "better than": [],
        "tied with": [],
        "worse on shared seeds than": [],
    }
    beaten, tied, ahead = groups.values()
    for name in results.finished:
        if pair := results.pair(best, name):
            group = tied if pair.better is None else beaten if pair.better == best else ahead
            group.append(name)
    parts = [f"{words} {and_list(others)}" for words, others in groups.items() if others]
    if parts and len(results.models[best].finished) == 1:
        parts[0] = f"in these trainings {parts[0]}"
    words = f"; {', '.join(parts)}" if parts else ""
    return f"Highest test accuracy: {best}, {accuracy(results.models[best])}{words}."
