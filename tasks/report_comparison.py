"""The networks side by side: tables, the finding in words, and whether the differences are real."""

from collections.abc import Callable
from typing import Any

from tasks.figures import COMPARISON
from tasks.markdown import DASH, bullets, escape, paragraphs, sentence, table
from tasks.report_numbers import (
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
from tasks.wording import and_list, percent, percent_with_interval, points, span

Results = dict[str, Any]
Picture = Callable[[str, str], str]  # (what it shows, relative path) to Markdown


def side_by_side(results: Results, picture: Picture) -> str:
    """Return the tables of all networks and the figure."""
    return paragraphs(
        "## The networks side by side",
        seeds_table(results) if has_several_seeds(results) else "",
        "Every training:" if has_several_seeds(results) else "",
        training_table(results),
        "In brackets: 95 % intervals; for the onset, the epochs that the minimum of the loss cannot be told "
        "from. NLL in nats per image; calibration error and gap in percentage points; train accuracy with "
        "dropout off.",
        picture("Test accuracy, overfitting onset and learning curves of the networks", COMPARISON),
        f"*{finding(results)}*",
    )


def seeds_table(results: Results) -> str:
    """Return one row per network: mean, standard deviation and range over its seeds."""
    header = [
        "network",
        "parameters",
        "epochs",
        "seeds",
        "test accuracy",
        "range",
        "test NLL",
        "range",
        "onset",
    ]
    rows = []
    for name, model in results["models"].items():
        found = model.get("aggregate") or {}
        accuracy, loss = found.get("test_accuracy") or {}, found.get("test_nll") or {}
        rows.append(
            [
                escape(name),
                whole(model.get("parameter_count")),
                whole(model.get("epochs")),
                f"{len(finished(model))} of {len(model.get('trainings') or [])}",
                percent(accuracy["mean"]) + deviation(accuracy, 100, 2) if accuracy else "no result",
                span((accuracy["minimum"], accuracy["maximum"])) if accuracy else DASH,
                f"{loss['mean']:.4f}" + deviation(loss, 1, 4) if loss.get("mean") is not None else DASH,
                f"{loss['minimum']:.4f} to {loss['maximum']:.4f}" if loss.get("mean") is not None else DASH,
                onset_over_seeds(model),
            ]
        )
    return paragraphs("Over seeds: mean ± standard deviation, and the range.", table(header, rows))


def deviation(spread: dict[str, Any], factor: float, decimals: int) -> str:
    """Return " ± standard deviation", or nothing where one seed shows none."""
    value = spread.get("standard_deviation")
    return "" if value is None else f" ± {factor * value:.{decimals}f}"


def training_table(results: Results) -> str:
    """Return one row per training, failed ones included."""
    several = has_several_seeds(results)
    header = ["network", *(["seed"] if several else []), "parameters", "epochs", "test accuracy", "test NLL"]
    header += ["calibration error", "train accuracy", "gap", "onset", "best epoch", "fitting", "origin"]
    rows = []
    for name, model in results["models"].items():
        for training in model.get("trainings") or []:
            row = [escape(name), *([str(training["seed"])] if several else [])]
            row.append(whole(model.get("parameter_count")))
            test = training.get("test")
            if not test:
                row += [DASH, "**failed**", *[DASH] * (len(header) - len(row) - 2)]
                rows.append(row)
                continue
            row += [epochs(training, model.get("epochs")), share(test), nll(test), calibration(test)]
            row += [share(training.get("train")), gap(training), onset(training)]
            row += [whole(training.get("best_epoch")), duration(training.get("seconds"))]
            rows.append([*row, escape(training.get("origin") or DASH)])
    return table(header, rows)


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
        if best in pair["models"] and not pair["significant"]
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
    header = ["first", "second", "seeds", "difference (points)", "p", "p, Holm"]
    header += ["both right", "only first", "only second", "both wrong"]
    rows = [
        [
            *map(escape, pair["models"]),
            str(pair["n_seeds"]),
            points(pair["difference"]) + (f" ({span(pair['ci95'])})" if pair.get("ci95") else ""),
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
        "Difference: test accuracy of the first minus that of the second, with its 95 % interval; the last "
        "four columns count test images. p: exact McNemar test; Holm: adjusted for the number of pairs.",
    )
