"""results.json to report.md: what a reader wants to know, in the order in which they want it."""

from collections.abc import Callable
from typing import Any

from tasks.markdown import bullets, code_block, escape, paragraphs, sentence, table
from tasks.report.background import how_to_read, reproducibility, the_data
from tasks.report.cells import duration, finished, p_value
from tasks.report.network import each_network
from tasks.report.side_by_side import pairwise, side_by_side
from tasks.report.tutorial import beside_the_tutorial
from tasks.wording import and_list, counted, percent, points, span

Results = dict[str, Any]
Picture = Callable[[str, str], str]  # (what it shows, relative path) to Markdown

LONGEST_ERROR = 3000  # characters; the log beside the training has it all


def linked_picture(shows: str, path: str) -> str:
    """Return a picture as a link relative to the run folder."""
    return f"![{escape(shows)}]({path})"


def report_markdown(
    results: Results, picture: Picture = linked_picture, first_zero: list[list[int]] | None = None
) -> str:
    """Return the report of a run as Markdown.

    `picture` turns a figure into Markdown: by default a relative link, something else where links lead
    nowhere. `first_zero` holds the 28 x 28 pixel values of x_train[1], which the data section prints.
    """
    return (
        paragraphs(
            f"# {escape(title(results))}",
            *map(sentence, results.get("summary") or []),
            contents(results),
            how_it_ended(results),
            side_by_side(results, picture),
            pairwise(results),
            questions(results),
            beside_the_tutorial(results),
            previous_run(results),
            each_network(results, picture),
            the_data(results, picture, first_zero),
            how_to_read(results),
            reproducibility(results),
        )
        + "\n"
    )


def title(results: Results) -> str:
    """Return the title: data set and networks."""
    data = results.get("dataset") or {}
    name = "MNIST" if data.get("is_mnist") else data.get("name") or "unknown data"
    networks = list(results["models"])
    return f"{name}: {and_list(networks)}" if 0 < len(networks) <= 5 else f"{name}: {len(networks)} networks"


def contents(results: Results) -> str:
    """Return one line of links; GitHub and report.html make the same anchors of the headings."""
    headings = ["How the run ended", "The networks side by side"]
    headings += ["The tutorial's questions"] if results.get("questions") else []
    headings += ["Beside the tutorial"] if (results.get("dataset") or {}).get("is_mnist") else []
    headings += ["Compared with the previous run"] if results.get("previous_run") else []
    headings += ["Each network", "The data", "How to read this", "Reproducing this run"]
    return " · ".join(f"[{h}](#{h.lower().replace(' ', '-').replace(chr(39), '')})" for h in headings)


def how_it_ended(results: Results) -> str:
    """Return state, failures and gates: what went wrong stands here, before any result."""
    trainings = [
        training for model in results["models"].values() for training in model.get("trainings") or []
    ]
    have_results = [training for training in trainings if training.get("test")]
    gates, failures = results.get("gates") or [], results.get("failures") or []
    held = sum(bool(gate["passed"]) for gate in gates)
    took = (results.get("provenance") or {}).get("duration_seconds")
    ended = "Completed" if results.get("status") == "completed" else "**Failed**"
    verb = "has" if len(have_results) == 1 else "have"
    said = [
        f"{ended} after {duration(took)}: "
        f"{len(have_results)} of {counted(len(trainings), 'training')} {verb} results"
        + (f", {held} of {counted(len(gates), 'gate')} held." if gates else "; no gate was set.")
    ]
    origins = [training.get("origin") for training in have_results]
    parts = [f"{origins.count(o)} {o}" for o in ("trained", "resumed", "reused") if o in origins]
    if parts:
        said.append(f"Origin: {and_list(parts)}.")
    diverged = [
        f"{name} ({seeds_in_words([t['seed'] for t in finished(model) if t.get('diverged')])})"
        for name, model in results["models"].items()
        if any(training.get("diverged") for training in finished(model))
    ]
    if diverged:
        said.append(f"Diverged, the loss stopped being a finite number: {escape(and_list(diverged))}.")
    return paragraphs("## How the run ended", " ".join(said), *failures_in_words(failures), gate_table(gates))


def failures_in_words(failures: list[dict[str, Any]]) -> list[str]:
    """Return each failure with its whole error text; seeds that failed alike stand together."""
    alike: dict[tuple[str, str], list[Any]] = {}
    for failure in failures:
        task, model = str(failure.get("task") or "unknown task"), str(failure.get("model") or "")
        where = task if model.replace("_", "-") in task.replace("_", "-") else f"{task} {model}"
        alike.setdefault((where, str(failure.get("error") or "no message")), []).append(failure.get("seed"))
    return [
        paragraphs(
            f"**Failed: {escape(where)}{', ' * (set(seeds) != {None})}{seeds_in_words(seeds)}**",
            code_block("…\n" + error[-LONGEST_ERROR:] if len(error) > LONGEST_ERROR else error),
        )
        for (where, error), seeds in alike.items()
    ]


def seeds_in_words(seeds: list[Any]) -> str:
    """Return "seed 1" or "seeds 1, 2 and 3"; nothing where no seed is known."""
    known = [str(seed) for seed in seeds if seed is not None]
    return f"seed{'s' if len(known) > 1 else ''} {and_list(known)}" if known else ""


def gate_table(gates: list[dict[str, Any]]) -> str:
    """Return the gates, those that did not hold in bold."""
    if not gates:
        return ""
    rows = [
        [
            "held" if gate["passed"] else "**not held**",
            escape(gate["name"]),
            escape(gate.get("message") or gate.get("model") or ""),
        ]
        for gate in gates
    ]
    return table(["state", "gate", "in words"], rows, left=3)


def questions(results: Results) -> str:
    """Return the tutorial's questions with the answers of this run."""
    asked = results.get("questions") or []
    items = [f"**{escape(q['question'])}** {sentence(q['answer'])}" for q in asked]
    return paragraphs("## The tutorial's questions", bullets(items)) if items else ""


def previous_run(results: Results) -> str:
    """Return what changed since the run before, and whether the accuracies changed by more than chance."""
    before = results.get("previous_run")
    if not before:
        return ""
    changed = [*(before.get("parameters_changed") or []), *(before.get("versions_changed") or [])]
    compared = before.get("models") or []
    rows = [
        [
            escape(row["model"]),
            str(row["seed"]),
            percent(row["accuracy_before"]),
            percent(row["accuracy_now"]),
            points(row["difference"]) + (f" ({span(row['ci95'])})" if row.get("ci95") else ""),
            p_value(row.get("p_value")),
        ]
        for row in compared
    ]
    header = ["network", "seed", "before", "now", "change (points)", "p"]
    return paragraphs(
        "## Compared with the previous run",
        f"The run before is {escape(before['run'])}. "
        + (
            f"Changed since: {escape('; '.join(changed))}."
            if changed
            else "Parameters and versions are the same."
        ),
        bullets(
            [f"{escape(row['model'])}, seed {row['seed']}: {sentence(row['verdict'])}" for row in compared]
        ),
        table(header, rows) if rows else "",
        f"{'Not all trainings were' if rows else 'No training was'} compared: {escape(before['note'])}."
        if before.get("note")
        else "",
    )
