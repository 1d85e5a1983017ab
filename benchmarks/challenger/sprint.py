"""How soon 99 % is reached on a CPU: test accuracy by seconds of fitting, ours beside Keras and PyTorch, in turn.

    PEERS_PYTHON=peers/bin/python python -m benchmarks.challenger.sprint [--seeds 0 1 2 3 4]

Each program trains with each seed for one and two epochs: our sprinter, what train_mnist_fast describes in
PyTorch, and the tutorial's cnn in plain Keras. Where the number of epochs decides how a training goes, each
number has a training of its own. All get huge pages. And whole commands are timed: our loop alone, the PyTorch
script, and `python flows/mnist_pipeline.py --models sprinter` with an empty store and Prefect's database there.
Writes sprint.json and docs/images/sprint.png, prints a table.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import mean, median
from typing import Any

from scipy import stats

from benchmarks.common import PROJECT, circumstances, mnist, run
from benchmarks.speed import watched
from tasks import pictures
from tasks.files import write_json
from tasks.markdown import table
from tasks.training.process import HUGE_PAGES

RESULTS = Path(__file__).with_name("sprint.json")
PICTURE = PROJECT / "docs" / "images" / "sprint.png"
PEERS_PYTHON = os.environ.get("PEERS_PYTHON", sys.executable)
OURS, KERAS, PYTORCH = "our sprinter", "Keras as in the tutorial, cnn", "PyTorch, as train_mnist_fast"
PIPELINE = "our sprinter, by the pipeline"
AIM = 0.99
Points = list[list[float]]  # seconds of fitting, accuracy


def trained(program: str, model: str, seed: int, epochs: int) -> tuple[Points, float]:
    """Return the points of one training by our loop or by Keras, and the seconds of the whole command."""
    command = [sys.executable, "-m", "benchmarks.challenger.after_each_epoch", "--program", program]
    more = ["--model", model, "--epochs", str(epochs), "--seed", str(seed)]
    line, seconds, _ = watched.run([*command, *more], GLIBC_TUNABLES=HUGE_PAGES)
    return json.loads(line), seconds


def by_pytorch(seed: int, epochs: int) -> tuple[list[float], float]:
    """Return the point of one training by PyTorch, and the seconds of the whole command."""
    command = [PEERS_PYTHON, "-m", "benchmarks.challenger.one_epoch_pytorch"]
    line, seconds, _ = watched.run(
        [*command, "--epochs", str(epochs), "--seed", str(seed)], GLIBC_TUNABLES=HUGE_PAGES
    )
    found = json.loads(line)
    return [found["seconds"], found["test_accuracy"]], seconds


def by_pipeline(seed: int, prefect_home: Path) -> float:
    """Return the seconds of the pipeline's command for the sprinter with an empty store."""
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as kept:
        artifacts = Path(kept, "artifacts")
        (artifacts / "data").mkdir(parents=True)
        (artifacts / "data" / "mnist.npz").symlink_to(mnist())
        command = [sys.executable, "flows/mnist_pipeline.py", "--models", "sprinter", "--seeds", str(seed)]
        command += ["--artifacts-dir", str(artifacts)]
        return watched.run(command, PREFECT_HOME=str(prefect_home), PREFECT_API_URL="")[1]


def measure(seeds: tuple[int, ...]) -> dict[str, Any]:
    """Run each program with each seed, one after the other; keep what is measured at once."""
    points: dict[str, list[Points]] = {OURS: [], PYTORCH: [], KERAS: []}
    commands: dict[str, list[float]] = {OURS: [], PYTORCH: [], PIPELINE: []}
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-benchmark-") as home:
        by_pipeline(0, Path(home))  # makes Prefect's database
        for number, seed in enumerate(seeds, start=1):
            pairs = [(trained("ours", "sprinter", seed, each), by_pytorch(seed, each)) for each in (1, 2)]
            ours, pytorch = zip(*pairs, strict=True)
            points[OURS].append([of_epochs[-1] for of_epochs, _ in ours])
            points[PYTORCH].append([point for point, _ in pytorch])
            points[KERAS].append(trained("keras", "cnn", seed, 2)[0])
            commands[OURS].append(ours[0][1])
            commands[PYTORCH].append(pytorch[0][1])
            commands[PIPELINE].append(by_pipeline(seed, Path(home)))
            found = {
                "seeds": seeds[:number],
                "points": points,
                "command_seconds": commands,
                **circumstances(),
            }
            write_json(RESULTS, found)
            print(seed, {name: each[-1] for name, each in points.items()}, file=sys.stderr, flush=True)
    return found


def of_epoch(points: list[Points], epoch: int) -> tuple[list[float], list[float]]:
    """Return seconds and accuracies of all seeds after an epoch, which counts from 0."""
    return [each[epoch][0] for each in points], [each[epoch][1] for each in points]


def interval(values: list[float]) -> tuple[float, float]:
    """Return Student's 95 % interval of the mean, for other trainings on the same images."""
    low, high = stats.t.interval(0.95, len(values) - 1, mean(values), stats.sem(values))
    return float(low), float(high)


def sprint_table(measured: dict[str, Any]) -> str:
    """Return the table of accuracy by seconds, and the seconds of the whole commands."""
    rows = []
    for name, points in measured["points"].items():
        for epoch in range(len(points[0])):
            seconds, accuracies = of_epoch(points, epoch)
            low, high = interval(accuracies)
            spread = f"{mean(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"
            rows.append([name, str(epoch + 1), spread, f"{mean(accuracies):.2%} ({low:.2%} to {high:.2%})"])
    ours, pytorch = (of_epoch(measured["points"][name], 0)[0] for name in (OURS, PYTORCH))
    ratios = [theirs / mine for mine, theirs in zip(ours, pytorch, strict=True)]
    whole = [
        f"{name} {mean(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
        for name, seconds in measured["command_seconds"].items()
    ]
    closing = [
        f"PyTorch's seconds of fitting, as multiples of ours, one epoch, seed by seed: {median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}).",
        f"Whole commands, one epoch: {'; '.join(whole)}.",
    ]
    return "\n\n".join([table(["program", "epochs", "seconds of fitting", "test accuracy"], rows), *closing])


def draw(measured: dict[str, Any]) -> None:
    """Draw accuracy against seconds: a line of means for each program, a dot for each training."""
    from tasks.report import charts

    figure = pictures.new_figure(4)
    axes = figure.subplots()
    colours = {OURS: pictures.TRAIN, PYTORCH: pictures.VALIDATION, KERAS: pictures.MUTED}
    for name, points in measured["points"].items():
        middle = [tuple(map(mean, of_epoch(points, epoch))) for epoch in range(len(points[0]))]
        axes.plot(
            *zip(*[(x, 100 * y) for x, y in middle], strict=True), color=colours[name], marker="s", label=name
        )
        dots = [point for each in points for point in each]
        axes.plot(
            [x for x, _ in dots], [100 * y for _, y in dots], ".", color=colours[name], alpha=charts.SHADE
        )
    axes.axhline(100 * AIM, color=pictures.MUTED, linestyle=":")
    axes.legend(frameon=False)
    charts.tidy(axes, f"Test accuracy, %; {len(measured['seeds'])} trainings each", "seconds of fitting")
    pictures.save(figure, PICTURE)


def main(*, seeds: tuple[int, ...] = (0, 1, 2, 3, 4)) -> None:
    """Measure, draw and print the table."""
    measured = measure(seeds)
    draw(measured)
    print(sprint_table(measured))


if __name__ == "__main__":
    run(main)
