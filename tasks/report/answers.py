"""The tutorial's own questions, answered by the numbers of a run.

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
        ("Is 99 % reached?", (), is_target_reached),
    ]
    return [
        {"question": question, "answer": missing(models, needed) or answer(models, comparisons)}
        for question, needed, answer in questions
    ]


def onsets_in_words(models: Models, names: Sequence[str]) -> str:
    """What is known of each onset: "dense from epoch 11 (9-14); cnn and deep_cnn not observed in 20 epochs"."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_onset_in_words(models[name]), []).append(name)
    return "; ".join(f"{and_list(alike)}{words}" for words, alike in groups.items())


def _onset_in_words(model: Mapping[str, Any]) -> str:
    trainings = succeeded(model)
    if len(trainings) > 1:
        sentence = str(model["aggregate"]["onset"]["sentence"]).rstrip(".")
        return f", {sentence[:1].lower()}{sentence[1:]}"
    onset = trainings[0]["onset"]
    epochs = counted(len(trainings[0]["history"]["val_nll"]), "epoch")
    first_last = "-".join(map(str, onset["interval"] or []))
    words = {
        "overfits": f"from epoch {onset['epoch']} ({first_last})",
        "not_observed": f"not observed in {epochs}",
        "inconclusive": f"undecided after {epochs} (lowest loss near the end)",
        "too_short": f"undecided, {epochs} being too few to judge",
        "diverged": "diverged (loss not finite)",
        "degrading": f"getting worse on both sets from epoch {onset['epoch']} on, which is not overfitting",
        "recovered": "recovered (the loss rose, then fell below its earlier minimum)",
    }
    return f" {words.get(onset['status'], onset['status'])}"


def accuracy_phrase(model: Mapping[str, Any]) -> str:
    """A model's test accuracy with what belongs to it: interval and images, or seeds and range."""
    aggregate = model["aggregate"]["test_accuracy"]
    trainings = succeeded(model)
    if len(trainings) > 1:
        limits = span([aggregate["minimum"], aggregate["maximum"]])
        return f"{percent(aggregate['mean'])} (mean of {len(trainings)} seeds, range {limits})"
    test = trainings[0]["test"]
    return f"{percent_with_interval(test['accuracy'], test['accuracy_ci95'])} on {test['n']:,} images"


def _cnn_against_dense(models: Models, comparisons: Comparisons) -> str:
    sizes = {name: models[name]["parameter_count"] for name in ("cnn", "dense")}
    answer = yes_or_no(find_pair(comparisons, "cnn", "dense"), "cnn")
    return f"{answer}; cnn has {sizes['cnn']:,} parameters and dense {sizes['dense']:,}."


def _did_regularising_stop_it(models: Models, comparisons: Comparisons) -> str:
    return f"{effect_of_regularising(models)}: {onsets_in_words(models, ('cnn', 'regularized_cnn'))}."


def effect_of_regularising(models: Models) -> str:
    """Whether regularized_cnn lacks the overfitting that cnn shows, in a few words."""
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
    answer = yes_or_no(find_pair(comparisons, "regularized_cnn", "cnn"), "regularized_cnn")
    same_layers = find_pair(comparisons, "regularized_cnn", "deep_cnn")
    if same_layers is not None:
        answer += f"; against the same layers without dropout and L2: {same_layers['verdict']}"
    return f"{answer}."


def _would_it_overfit_sooner(models: Models, comparisons: Comparisons) -> str:
    deep, regularized = (_overfits(models[name]) for name in ("deep_cnn", "regularized_cnn"))
    facts = onsets_in_words(models, ("deep_cnn", "regularized_cnn"))
    if deep and regularized:
        order = _order(models["deep_cnn"], models["regularized_cnn"])
        words = {
            "sooner": "Yes",
            "later": "No, later",
            "unclear": "Both overfit, and which sooner is unclear",
        }
        return f"{words[order]}: {facts}."
    if deep and (regularized is False or _still_improving(models["regularized_cnn"])):
        return f"Yes: {facts}."
    if deep is False and regularized is not None:
        return f"No: {facts}."
    return f"Not decided: {facts}."


def is_target_reached(models: Models, comparisons: Comparisons) -> str:
    """Whether the best model's test accuracy is 99 %, and how surely."""
    named = [name for name in models if models[name]["aggregate"]]
    if not named:
        return "No model has a result."
    best = max(named, key=lambda name: models[name]["aggregate"]["test_accuracy"]["mean"])
    aggregate = models[best]["aggregate"]["test_accuracy"]
    trainings = succeeded(models[best])
    low, high = trainings[0]["test"]["accuracy_ci95"]
    if len(trainings) > 1:
        low, high = aggregate["minimum"], aggregate["maximum"]
    facts = f"{best} has {accuracy_phrase(models[best])}"
    if aggregate["mean"] >= TARGET_ACCURACY:
        return f"{'Yes' if low >= TARGET_ACCURACY else 'Measured, but not beyond doubt'}: {facts}."
    return f"No{', but it is within reach' if high >= TARGET_ACCURACY else ''}: {facts}."


def missing(models: Models, needed: Sequence[str]) -> str | None:
    """Say which of the models a question is about have no result, and why."""
    absent = [name for name in needed if name not in models]
    failed = [name for name in needed if name in models and not models[name]["aggregate"]]
    reasons = []
    if absent:
        reasons.append(f"{and_list(absent)} {'was' if len(absent) == 1 else 'were'} not part of this run")
    if failed:
        reasons.append(f"{and_list(failed)} failed")
    return f"Not answered: {' and '.join(reasons)}." if reasons else None


def yes_or_no(pair: Mapping[str, Any] | None, hoped: str) -> str:
    """Whether the model hoped for is the better one, followed by the verdict."""
    if pair is None:
        return "Not decided, for want of a seed that both were trained with"
    word = ("Yes" if leads(pair, hoped) else "No") if pair["significant"] else "Not shown"
    return f"{word}: {pair['verdict']}"


def leads(pair: Mapping[str, Any], name: str) -> bool:
    """Whether the named model of the pair has the higher accuracy."""
    return bool(pair["difference"] > 0 if pair["models"][0] == name else pair["difference"] < 0)


def find_pair(comparisons: Comparisons, *names: str) -> Mapping[str, Any] | None:
    """The comparison of two models, in whichever order it names them."""
    return next((pair for pair in comparisons if set(pair["models"]) == set(names)), None)


def succeeded(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The trainings of a model that have a result."""
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
    trainings = succeeded(model)
    limits = model["aggregate"]["onset"]["range"] if len(trainings) > 1 else trainings[0]["onset"]["interval"]
    return limits[0], limits[1]
