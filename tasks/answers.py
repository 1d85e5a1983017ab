"""The numbers of a run as sentences: the tutorial's own questions answered, and the summary.

Pure functions of the parts of results.json. Each answer is one sentence and says so where a model is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tasks.wording import and_list, counted, percent, percent_with_interval, span

Models = Mapping[str, Mapping[str, Any]]
Comparisons = Sequence[Mapping[str, Any]]

TARGET_ACCURACY = 0.99  # the tutorial's challenge to its readers


def answer_questions(models: Models, comparisons: Comparisons) -> list[dict[str, str]]:
    """Answer what the tutorial asks."""
    questions: list[tuple[str, tuple[str, ...], Callable[[Models, Comparisons], str]]] = [
        ("Does the CNN beat the dense network?", ("cnn", "dense"), _cnn_against_dense),
        ("Did regularising stop the overfitting?", ("cnn", "regularized_cnn"), _did_regularising_stop_it),
        ("Did stopping it raise the accuracy?", ("cnn", "regularized_cnn"), _did_accuracy_rise),
        (
            "Without dropout and L2, would the deep network overfit sooner?",
            ("regularized_cnn", "deep_cnn"),
            _would_it_overfit_sooner,
        ),
        ("Is 99 % reached?", (), _is_target_reached),
    ]
    return [
        {"question": question, "answer": _missing(models, needed) or answer(models, comparisons)}
        for question, needed, answer in questions
    ]


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
        sentences.append(f"Overfitting: {'; '.join(onset_phrase(name, models[name]) for name in named)}.")
        needed = ("cnn", "regularized_cnn")
        if not _missing(models, needed):
            effect = _effect_of_regularising(models)
            accuracy = _yes_or_no(_pair(comparisons, "regularized_cnn", "cnn"), "regularized_cnn")
            sentences.append(f"Did regularising stop it? {effect}. Did that raise the accuracy? {accuracy}.")
        else:
            sentences.append(f"Is 99 % reached? {_is_target_reached(models, comparisons)}")
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


def onset_phrase(name: str, model: Mapping[str, Any]) -> str:
    """What is known of a model's onset, in a few words: "cnn from epoch 7 (5-8)"."""
    trainings = _succeeded(model)
    if len(trainings) > 1:
        sentence = str(model["aggregate"]["onset"]["sentence"]).rstrip(".")
        return f"{name}, {sentence[:1].lower()}{sentence[1:]}"
    onset = trainings[0]["onset"]
    epochs = counted(len(trainings[0]["history"]["val_nll"]), "epoch")
    first_last = "-".join(map(str, onset["interval"] or []))
    return name + {
        "overfits": f" from epoch {onset['epoch']} ({first_last})",
        "not_observed": f" not observed in {epochs}",
        "inconclusive": f" still improving after {epochs}, so undecided",
        "too_short": f" undecided, {epochs} being too few to judge",
        "diverged": " diverged, its loss is not finite",
        "degrading": f" fails on both sets from epoch {onset['epoch']} on, which is not overfitting",
        "recovered": " recovered, its loss rose and later fell below its earlier minimum",
    }.get(onset["status"], f" {onset['status']}")


def accuracy_phrase(model: Mapping[str, Any]) -> str:
    """A model's test accuracy with what belongs to it: interval and images, or seeds and range."""
    aggregate = model["aggregate"]["test_accuracy"]
    trainings = _succeeded(model)
    if len(trainings) > 1:
        limits = span([aggregate["minimum"], aggregate["maximum"]])
        return f"{percent(aggregate['mean'])} (mean of {len(trainings)} seeds, range {limits})"
    test = trainings[0]["test"]
    return f"{percent_with_interval(test['accuracy'], test['accuracy_ci95'])} on {test['n']:,} images"


def _most_accurate(models: Models, comparisons: Comparisons) -> str:
    """Who measures highest, and against whom that is more than chance."""
    named = [name for name in models if models[name]["aggregate"]]
    best = max(named, key=lambda name: models[name]["aggregate"]["test_accuracy"]["mean"])
    sentence = f"Highest test accuracy: {best}, {accuracy_phrase(models[best])}"
    groups: dict[str, list[str]] = {"better than": [], "tied with": [], "too few seeds to tell it from": []}
    beaten, tied, undecided = groups.values()
    for name in named:
        pair = _pair(comparisons, best, name)
        if pair is not None:
            (beaten if pair["significant"] else tied if pair["ci95"] else undecided).append(name)
    parts = [f"{words} {and_list(others)}" for words, others in groups.items() if others]
    if parts and len(_succeeded(models[best])) == 1:
        parts[0] = f"in these trainings {parts[0]}"
    return "; ".join([sentence, *([", ".join(parts)] if parts else [])]) + "."


def _cnn_against_dense(models: Models, comparisons: Comparisons) -> str:
    sizes = {name: models[name]["parameter_count"] for name in ("cnn", "dense")}
    answer = _yes_or_no(_pair(comparisons, "cnn", "dense"), "cnn")
    return f"{answer}; cnn has {sizes['cnn']:,} parameters and dense {sizes['dense']:,}."


def _did_regularising_stop_it(models: Models, comparisons: Comparisons) -> str:
    return f"{_effect_of_regularising(models)}: {_onset_phrases(models, 'cnn', 'regularized_cnn')}."


def _effect_of_regularising(models: Models) -> str:
    plain, regularized = (_overfits(models[name]) for name in ("cnn", "regularized_cnn"))
    if plain is False:
        return "There was none to stop"
    if plain and regularized is False:
        return "Yes, as far as the epochs trained can show"
    if plain and _still_improving(models["regularized_cnn"]):
        return "At least it was put off beyond the epochs trained"
    if plain is None or regularized is None:
        return "Not decided"
    later = _order(models["cnn"], models["regularized_cnn"]) == "sooner"
    return "No, it only came later" if later else "No"


def _did_accuracy_rise(models: Models, comparisons: Comparisons) -> str:
    answer = _yes_or_no(_pair(comparisons, "regularized_cnn", "cnn"), "regularized_cnn")
    same_layers = _pair(comparisons, "regularized_cnn", "deep_cnn")
    if same_layers is not None:
        answer += f"; against the same layers without dropout and L2: {same_layers['verdict']}"
    return f"{answer}."


def _would_it_overfit_sooner(models: Models, comparisons: Comparisons) -> str:
    deep, regularized = (_overfits(models[name]) for name in ("deep_cnn", "regularized_cnn"))
    facts = _onset_phrases(models, "deep_cnn", "regularized_cnn")
    if deep and regularized:
        order = _order(models["deep_cnn"], models["regularized_cnn"])
        words = {
            "sooner": "Yes",
            "later": "No, later",
            "unclear": "Both overfit, and which sooner is unclear",
        }
        return f"{words[order]}: {facts}."
    if deep is None or (regularized is None and not deep):
        return f"Not decided: {facts}."
    return f"{'Yes' if deep else 'No'}: {facts}."


def _is_target_reached(models: Models, comparisons: Comparisons) -> str:
    named = [name for name in models if models[name]["aggregate"]]
    if not named:
        return "No model has a result."
    best = max(named, key=lambda name: models[name]["aggregate"]["test_accuracy"]["mean"])
    aggregate = models[best]["aggregate"]["test_accuracy"]
    trainings = _succeeded(models[best])
    low, high = trainings[0]["test"]["accuracy_ci95"]
    if len(trainings) > 1:
        low, high = aggregate["minimum"], aggregate["maximum"]
    facts = f"{best} has {accuracy_phrase(models[best])}"
    if aggregate["mean"] >= TARGET_ACCURACY:
        return f"{'Yes' if low >= TARGET_ACCURACY else 'Measured, but not beyond doubt'}: {facts}."
    return f"No{', but it is within reach' if high >= TARGET_ACCURACY else ''}: {facts}."


def _missing(models: Models, needed: Sequence[str]) -> str | None:
    """Say which of the models a question is about have no result, and why."""
    absent = [name for name in needed if name not in models]
    failed = [name for name in needed if name in models and not models[name]["aggregate"]]
    parts = [f"{and_list(absent)} {'was' if len(absent) == 1 else 'were'} not part of this run"] * bool(
        absent
    )
    parts += [f"{and_list(failed)} failed"] * bool(failed)
    return f"Not answered: {' and '.join(parts)}." if parts else None


def _yes_or_no(pair: Mapping[str, Any] | None, hoped: str) -> str:
    """Whether the model hoped for is the better one, followed by the verdict."""
    if pair is None:
        return "Not decided, for want of a seed that both were trained with"
    ahead = pair["difference"] > 0 if pair["models"][0] == hoped else pair["difference"] < 0
    word = ("Yes" if ahead else "No") if pair["significant"] else "Not shown"
    return f"{word}: {pair['verdict']}"


def _pair(comparisons: Comparisons, *names: str) -> Mapping[str, Any] | None:
    return next((pair for pair in comparisons if set(pair["models"]) == set(names)), None)


def _succeeded(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [training for training in model["trainings"] if training["error"] is None]


def _overfits(model: Mapping[str, Any]) -> bool | None:
    """Whether most of a model's seeds overfit; None if most neither show an onset nor exclude a clear one."""
    onset = model["aggregate"]["onset"]
    counts = onset["status_counts"]
    if 2 * onset["observed"] > onset["seeds"]:
        return True
    if 2 * (counts.get("not_observed", 0) + counts.get("recovered", 0)) > onset["seeds"]:
        return False
    return None


def _still_improving(model: Mapping[str, Any]) -> bool:
    """Whether no seed shows an onset and some reached their lowest loss only at the end."""
    counts = model["aggregate"]["onset"]["status_counts"]
    return "inconclusive" in counts and not counts.keys() - {"inconclusive", "not_observed", "recovered"}


def _order(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """Whether the first onset is "sooner" or "later"; "unclear" where intervals (or ranges) overlap."""
    (low, high), (other_low, other_high) = (_onset_limits(model) for model in (first, second))
    return "sooner" if high < other_low else "later" if low > other_high else "unclear"


def _onset_limits(model: Mapping[str, Any]) -> tuple[int, int]:
    trainings = _succeeded(model)
    limits = model["aggregate"]["onset"]["range"] if len(trainings) > 1 else trainings[0]["onset"]["interval"]
    return limits[0], limits[1]


def _onset_phrases(models: Models, *names: str) -> str:
    return "; ".join(onset_phrase(name, models[name]) for name in names)


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
