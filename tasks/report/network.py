"""The section of each network: curves, onset, confusion, mistakes, and the network itself."""

from collections.abc import Callable
from typing import Any

from tasks.markdown import DASH, bullets, code, code_block, escape, paragraphs, sentence, table
from tasks.report.cells import STATUS_WORDS, duration, finished, onset, probability, whole
from tasks.report.names import model_figures
from tasks.wording import counted

Results = dict[str, Any]
Model = dict[str, Any]
Training = dict[str, Any]
Picture = Callable[[str, str], str]

RULES = {"keras_patience_5": "Keras, patience 5", "gl_5": "GL 5", "pq": "PQ", "up_3": "UP 3"}


def each_network(results: Results, picture: Picture) -> str:
    """Return the sections of all networks."""
    figures = model_figures(results)
    sections = [network(name, model, figures.get(name), picture) for name, model in results["models"].items()]
    return paragraphs("## Each network", *sections)


def network(name: str, model: Model, figures: dict[str, str] | None, picture: Picture) -> str:
    """Return the section of one network; of one without results, what it is and that it failed."""
    trainings = finished(model)
    heading = f"### {escape(name)}"
    if not trainings or figures is None:
        return paragraphs(
            heading,
            "No training of this network has a result; see [How the run ended](#how-the-run-ended).",
            summary(model),
        )
    return paragraphs(
        heading,
        picture(f"Loss and accuracy of {name} per epoch", figures["curves"]),
        f"*{curves_caption(model)}*",
        onset_table(trainings),
        rules_table(trainings),
        accuracy_verdicts(trainings),
        picture(f"Confusion matrix of {name} on the test images", figures["confusion"]),
        f"*{confusion_caption(trainings)}*",
        class_table(trainings),
        picture(mistakes_in_words(name, trainings[0]), figures["mistakes"]),
        f"*{mistakes_caption(trainings)}*",
        origins(trainings),
        summary(model),
    )


def curves_caption(model: Model) -> str:
    """Return the caption of the curves: what is to be seen, then how to read it."""
    trainings = finished(model)
    several = len(trainings) > 1
    found = (model.get("aggregate") or {} if several else trainings[0]).get("onset") or {}
    lines = (
        "Lines are medians over the seeds, bands their range from lowest to highest; diamonds mark each "
        "seed's lowest validation loss."
        if several
        else "The diamond marks the lowest validation loss."
    )
    finding = sentence(found.get("sentence") or "The onset was not judged")
    return f"{finding} {lines} Dotted: the accuracy that Keras logs while it trains, dropout on."


def onset_table(trainings: list[Training]) -> str:
    """Return the verdict of every seed."""
    rows = []
    for training in trainings:
        found = training.get("onset") or {}
        severity, rise = found.get("severity"), found.get("smallest_detectable_rise")
        status = str(found.get("status") or "not judged")
        rows.append(
            [
                str(training["seed"]),
                escape(STATUS_WORDS.get(status, status)),
                onset(training) if found.get("epoch") is not None else DASH,
                whole(training.get("best_epoch")),
                DASH if severity is None else f"{severity:.1f} %",
                DASH if rise is None else f"{rise:.1f} %",
                duration(training.get("seconds")),
            ]
        )
    header = ["seed", "verdict", "onset", "best epoch", "final rise", "visible from", "fitting"]
    return paragraphs(
        table(header, rows, left=2),
        "Best epoch: lowest validation loss. Final rise: how far the validation loss ends above its lowest; "
        "visible from: the smallest rise that would have been told from noise.",
    )


def rules_table(trainings: list[Training]) -> str:
    """Return the epoch at which usual early-stopping rules would have ended each training."""
    judged = [training for training in trainings if (training.get("onset") or {}).get("rules")]
    if not judged:
        return ""
    rows = [
        [
            str(training["seed"]),
            *(
                "never" if (stop := training["onset"]["rules"].get(rule)) is None else f"epoch {stop}"
                for rule in RULES
            ),
        ]
        for training in judged
    ]
    return paragraphs(
        "Where usual early-stopping rules would have ended the training:",
        table(["seed", *RULES.values()], rows),
    )


def accuracy_verdicts(trainings: list[Training]) -> str:
    """Return whether accuracy suffered between the best epoch and the last."""
    said = []
    for training in trainings:
        found = (training.get("onset") or {}).get("accuracy") or {}
        if found.get("verdict"):
            seed = f"Seed {training['seed']}: " if len(trainings) > 1 else ""
            said.append(seed + sentence(found["verdict"]))
        if found.get("verdict") and found.get("best_only") is not None:
            said[-1] += (
                f" ({counted(found['best_only'], 'validation image')} right only with the best epoch's, "
                f"{whole(found.get('final_only'))} only with the last.)"
            )
    return paragraphs("Accuracy of the best epoch's weights against the last:", bullets(said)) if said else ""


def confusion_caption(trainings: list[Training]) -> str:
    """Return the caption of the confusion matrix: the most frequent confusion."""
    pairs = [
        (sum(training["test"]["confusion"][truth][said] for training in trainings), truth, said)
        for truth in range(10)
        for said in range(10)
        if truth != said
    ]
    count, truth, said = max(pairs, key=lambda pair: pair[0])
    total = sum(pair[0] for pair in pairs)
    images = sum(training["test"]["n"] for training in trainings)
    added = f" (all {len(trainings)} seeds added)" if len(trainings) > 1 else ""
    unanswered = images - sum(sum(map(sum, training["test"]["confusion"])) for training in trainings)
    if unanswered:
        silent = f"{unanswered:,} of {images:,} test images{added} have no answer: no probability is finite."
        return f"{silent} {counted(total, 'mistake')} on the others."
    if not total:
        return f"No mistake on {images:,} test images{added}."
    others = sum(pair[0] == count for pair in pairs) - 1
    return (
        f"{counted(total, 'mistake')} on {images:,} test images{added}; most often, {counted(count, 'time')}, a "
        f"{truth} was taken for a {said}"
        + (f" (as often: {counted(others, 'other pair')})." if others else ".")
    )


def class_table(trainings: list[Training]) -> str:
    """Return the accuracy of each class with the number of its images."""
    counts = trainings[0]["test"]["per_class_n"]
    shares = []
    for label in range(10):
        known = [t["test"]["per_class_accuracy"][label] for t in trainings]
        known = [value for value in known if value is not None]
        shares.append(f"{100 * sum(known) / len(known):.1f} %" if known else DASH)
    name = "accuracy" if len(trainings) == 1 else f"accuracy, mean of {len(trainings)} seeds"
    rows = [[name, *shares], ["test images", *map(whole, counts)]]
    return table(["class", *map(str, range(10))], rows)


def mistakes_in_words(name: str, training: Training) -> str:
    """Return what the picture of the mistakes shows, for those who cannot see it."""
    listed = [
        f"#{mistake['index']}, a {mistake['truth']} taken for a {mistake['prediction']} "
        f"({probability(mistake['probability'])}"
        + (", known label error)" if mistake.get("known_label_error") else ")")
        for mistake in training.get("mistakes") or []
    ]
    return f"The most confident mistakes of {name}: {'; '.join(listed) or 'none'}"


def mistakes_caption(trainings: list[Training]) -> str:
    """Return the caption of the mistakes."""
    shown = trainings[0].get("mistakes") or []
    seed = f" of seed {trainings[0]['seed']}" if len(trainings) > 1 else ""
    if not shown:
        return f"No mistake{seed} to show."
    wrong = sum(bool(mistake.get("known_label_error")) for mistake in shown)
    framed = f" Framed: {wrong} whose label people judged wrong." if wrong else ""
    return f"The {counted(len(shown), 'most confident mistake')}{seed} on the test images.{framed}"


def origins(trainings: list[Training]) -> str:
    """Return where each training came from and where its files are."""
    rows = [
        [
            str(training["seed"]),
            escape(training.get("origin") or DASH),
            escape(training.get("origin_reason") or DASH),
            code(training.get("folder") or ""),
            escape(training.get("precision") or DASH),
            whole(training.get("threads")),
        ]
        for training in trainings
    ]
    return table(["seed", "origin", "why", "folder in artifacts", "precision", "threads"], rows, left=5)


def summary(model: Model) -> str:
    """Return the summary that Keras prints."""
    return code_block(model["summary"]) if model.get("summary") else ""
