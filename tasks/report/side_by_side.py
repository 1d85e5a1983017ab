"""The networks side by side: tables, the finding in words, and whether the differences are real."""

from collections.abc import Callable
from typing import Any

from tasks.markdown import DASH, bullets, escape, paragraphs, sentence, table
from tasks.report.cells import (
    calibration,
    duration,
    epochs,
    finished,
    gap,
    has_several_seeds,
    nll,
    onset,
    onset_over_seeds,
    p_value,
    share,
    whole,
)
from tasks.report.names import COMPARISON
from tasks.wording import and_list, percent, percent_with_interval, points, span

Results = dict[str, Any]
Training = dict[str, Any]
Picture = Callable[[str, str], str]  # (what it shows, relative path) to Markdown

MEASURES = (
    "test accuracy",
    "overfitting onset",
    "best epoch",
    "test NLL",
    "calibration error",
    "train accuracy",
    "gap, train - test",
    "epochs",
    "fitting",
    "origin",
)
SEED_MEASURES = (
    "parameters",
    "epochs",
    "seeds with results",
    "test accuracy",
    "its range (%)",
    "overfitting onset",
    "test NLL",
    "its range",
)


def side_by_side(results: Results, picture: Picture) -> str:
    """Return the tables of all networks and the figure."""
    if has_several_seeds(results):
        tables = [seeds_table(results), "Every training:", training_table(results)]
    else:
        tables = [networks_table(results)]
    return paragraphs(
        "## The networks side by side",
        *tables,
        "In brackets: 95 % intervals; for the onset, the epochs at which it may as well have been. NLL in nats "
        "per image; calibration error and gap in percentage points; train accuracy with dropout off.",
        picture("Test accuracy, overfitting onset and learning curves of the networks", COMPARISON),
        f"*{finding(results)}*",
    )


def networks_table(results: Results) -> str:
    """Return one column per network, each with its one training."""
    columns = [
        [whole(model.get("parameter_count")), *measured(training, model.get("epochs"))]
        for model in results["models"].values()
        for training in (model.get("trainings") or [{}])[:1]
    ]
    rows = [list(row) for row in zip(("parameters", *MEASURES), *columns, strict=True)]
    return table(["", *map(escape, results["models"])], rows)


def training_table(results: Results) -> str:
    """Return one row per training, failed ones included."""
    rows = [
        [escape(name), str(training["seed"]), *measured(training, model.get("epochs"))]
        for name, model in results["models"].items()
        for training in model.get("trainings") or []
    ]
    return table(["network", "seed", *MEASURES], rows)


def measured(training: Training, planned_epochs: int | None) -> list[str]:
    """Return the cells of a training in the order of MEASURES."""
    test = training.get("test")
    if not test:
        return ["**failed**", *[DASH] * (len(MEASURES) - 1)]
    return [
        share(test),
        onset(training),
        whole(training.get("best_epoch")),
        nll(test),
        calibration(test),
        share(training.get("train")),
        gap(training),
        epochs(training, planned_epochs),
        duration(training.get("seconds")),
        escape(training.get("origin") or DASH),
    ]


def seeds_table(results: Results) -> str:
    """Return one column per network: mean, standard deviation and range over its seeds."""
    header, columns = [""], []
    for name, model in results["models"].items():
        found = model.get("aggregate") or {}
        accuracy, loss = found.get("test_accuracy") or {}, found.get("test_nll") or {}
        has_loss = loss.get("mean") is not None
        header.append(escape(name))
        columns.append(
            [
                whole(model.get("parameter_count")),
                whole(model.get("epochs")),
                f"{len(finished(model))} of {len(model.get('trainings') or [])}",
                percent(accuracy["mean"]) + deviation(accuracy, 100, 2) if accuracy else "**failed**",
                span((accuracy["minimum"], accuracy["maximum"])) if accuracy else DASH,
                onset_over_seeds(model),
                f"{loss['mean']:.4f}" + deviation(loss, 1, 4) if has_loss else DASH,
                f"{loss['minimum']:.4f} to {loss['maximum']:.4f}" if has_loss else DASH,
            ]
        )
    rows = [list(row) for row in zip(SEED_MEASURES, *columns, strict=True)]
    return paragraphs("Over seeds, mean ± standard deviation:", table(header, rows))


def deviation(spread: dict[str, Any], factor: float, decimals: int) -> str:
    """Return " ± standard deviation", or nothing where one seed shows none."""
    value = spread.get("standard_deviation")
    return "" if value is None else f" ± {factor * value:.{decimals}f}"


def finding(results: Results) -> str:
    """Return the caption of the comparison: the finding first, then how to read the picture."""
    models = {name: model for name, model in results["models"].items() if finished(model)}
    if not models:
        return "No network has a result."
    best = max(models, key=lambda name: models[name]["aggregate"]["test_accuracy"]["mean"])
    sentence = f"{escape(best)} gets the most test images right: {accuracy_in_words(models[best])}"
    if len(models) == 1:
        sentence = f"{escape(best)} gets {accuracy_in_words(models[best])} of the test images right"
    tied = [
        next(name for name in pair["models"] if name != best)
        for pair in results.get("comparisons") or []
        if best in pair["models"] and pair.get("ci95") and not pair["significant"]
    ]
    if tied:
        sentence += f"; the data cannot tell it from {escape(and_list(tied))}"
    seen: list[str] = []
    unseen: list[str] = []
    for name, model in models.items():
        trainings = finished(model)
        text = onset(trainings[0]) if len(trainings) == 1 else onset_over_seeds(model)
        is_seen = (model["aggregate"].get("onset") or {}).get("observed")
        (seen if is_seen else unseen).append(f"{escape(name)}: {text}" if is_seen else escape(name))
    sentence += (
        f". Start of overfitting: {'; '.join(seen)}." if seen else ". No start of overfitting was seen."
    )
    if seen and unseen:
        sentence += f" None was seen for {and_list(unseen)}."
    return sentence + (
        " Above: test accuracy and onset with their uncertainty. Below: the loss on train and validation "
        "images after each epoch, each network on its own scale."
    )


def accuracy_in_words(model: dict[str, Any]) -> str:
    """Return the accuracy with its 95 % interval, or mean and range over seeds."""
    trainings = finished(model)
    if len(trainings) == 1:
        test = trainings[0]["test"]
        return percent_with_interval(test["accuracy"], test["accuracy_ci95"])
    over = model["aggregate"]["test_accuracy"]
    spread = span((over["minimum"], over["maximum"]))
    return f"{percent(over['mean'])} on average over {len(trainings)} seeds ({spread})"


def pairwise(results: Results) -> str:
    """Return whether the differences in accuracy are real."""
    pairs = results.get("comparisons") or []
    if not pairs:
        return paragraphs("### Is the difference real?", "Fewer than two networks have results to compare.")
    header = ["first", "second", "seeds", "difference (points)", "level", "p", "p, Holm"]
    header += ["both right", "only first", "only second", "both wrong"]
    rows = [
        [
            *map(escape, pair["models"]),
            str(pair["n_seeds"]),
            points(pair["difference"]) + (f" ({span(pair['ci95'])})" if pair.get("ci95") else ""),
            f"{100 * pair['level']:.4g} %" if pair.get("level") else DASH,
            p_value(pair.get("p_value")),
            p_value(pair.get("p_adjusted")),
            *(whole(pair.get(key)) for key in ("both_right", "only_first", "only_second", "both_wrong")),
        ]
        for pair in pairs
    ]
    return paragraphs(
        "### Is the difference real?",
        bullets([sentence(pair["verdict"]) for pair in pairs]),
        table(header, rows, left=2),
        "Difference: test accuracy of the first minus that of the second, with its interval at the level in the "
        "next column. Over several seeds (Student's t) that is the level at which Holm's procedure judges the "
        "pair, 95 % or more. p: exact McNemar test, with one seed; Holm: adjusted "
        "for the number of pairs. The last four columns count test images.",
    )
