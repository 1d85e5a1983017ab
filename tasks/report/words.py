"""A run in words: which network is better, what failed, whether the gates held, what changed since the last run.

Plain text, not Markdown. A sentence ends with a full stop, a phrase or the cell of a table does not.
"""

from collections import Counter
from collections.abc import Sequence

from tasks.evaluation.statistics import ALPHA, excludes_zero
from tasks.report.cells import duration
from tasks.report.network_words import accuracy
from tasks.results.comparison import AgainstPrevious, Gate, Pair, PreviousRun
from tasks.results.enums import Change, GateName, GateOutcome, GateReason, Step, Verdict
from tasks.results.run import Failure, Results
from tasks.wording import and_list, counted, percent, points, span

TUTORIAL = {"dense epochs": 50, "cnn epochs": 20, "regularized_cnn epochs": 30} | {
    "batch_size": 128,
    "learning_rate": 0.001,
    "validation_split": 0.1,
    "train_samples": "all",
}


def verdict(pair: Pair) -> str:
    """Return which network of a pair is better and by how much, or that the data cannot tell."""
    seeds = len(pair.seeds)
    luck = "on other images" if seeds == 1 else f"on other images and in other trainings; {seeds} seeds"
    if pair.better is not None:
        low, high = pair.interval
        limits = span((low, high) if pair.verdict is Verdict.FIRST_BETTER else (-high, -low))
        lead, worse = points(abs(pair.difference)), pair.other(pair.better)
        if seeds == 1:
            return (
                f"{pair.better} is better than {worse} by {lead} points ({limits} {luck}) in these trainings"
            )
        return f"{pair.better} is the better network, {lead} points above {worse} ({limits} {luck})"
    whom = "them" if seeds == 1 else "the networks"
    difference = (
        f"{' minus '.join(pair.models)}: {points(pair.difference)} points, {span(pair.interval)} {luck}"
    )
    if excludes_zero(pair.interval):
        return (
            f"tied: with {pair.pairs} pairs to allow for, the data cannot tell {whom} apart "
            f"({difference}, for this pair taken alone)"
        )
    return f"tied: the data cannot tell {whom} apart ({difference})"


def loss_verdict(pair: Pair) -> str:
    """Return which network of a pair has the lower test NLL and by how much, or that the data cannot tell."""
    if pair.loss is None:
        return "test NLL: a training has none"
    low, high = pair.loss.interval
    if pair.loss.p_adjusted > ALPHA:
        limits = f"{pair.loss.difference:.4f}, {low:.4f} to {high:.4f}"
        return f"test NLL: the data cannot tell them apart ({' minus '.join(pair.models)}: {limits})"
    lower = pair.models[pair.loss.difference > 0]
    near, far = sorted((abs(low), abs(high)))
    return f"test NLL: {lower} is lower, by {abs(pair.loss.difference):.4f} ({near:.4f} to {far:.4f})"


def how_it_ended(results: Results) -> str:
    """Return after what time the run ended, how many trainings have results, where they came from, gates."""
    finished = [training for model in results.models.values() for training in model.finished]
    planned = sum(len(model.trainings) for model in results.models.values())
    gates = f", {gates_in_short(results.gates)}" if results.gates else "; no gate was set"
    words = (
        f"after {duration(results.provenance.duration_seconds)}: {len(finished)} of "
        f"{counted(planned, 'training')} {'has' if len(finished) == 1 else 'have'} results{gates}."
    )
    origins = Counter(f"{training.origin} ({training.origin_reason})" for training in finished)
    if origins:
        words += f" Origin: {'; '.join(f'{count:,} {origin}' for origin, count in origins.most_common())}."
    seeds = {name: [t.seed for t in model.finished if t.diverged] for name, model in results.models.items()}
    if diverged := [in_seeds(name, those) for name, those in seeds.items() if those]:
        words += f" Diverged, the loss stopped being a finite number: {and_list(diverged)}."
    return words


def in_seeds(name: str, seeds: Sequence[int]) -> str:
    """Return a network with some of its seeds: "cnn (seeds 1, 2 and 3)"."""
    return f"{name} (seed{'s' if len(seeds) > 1 else ''} {and_list([str(seed) for seed in seeds])})"


def failed_steps(failures: Sequence[Failure]) -> list[tuple[str, str]]:
    """Return what failed, as "train cnn (seeds 0 and 1)", with its whole reason; equal reasons stand together."""
    alike: dict[tuple[Step, str], dict[str, list[int]]] = {}
    for failure in failures:
        networks = alike.setdefault((failure.task, failure.error), {})
        networks.setdefault(failure.model, []).append(failure.seed)
    return [
        (f"{task} {and_list([in_seeds(name, seeds) for name, seeds in networks.items()])}", error)
        for (task, error), networks in alike.items()
    ]


def failures_in_words(failures: Sequence[Failure]) -> list[str]:
    """Return each failed step with the first line of its reason."""
    return [
        f"{step}: {(error.splitlines() or ['no reason given'])[0].rstrip('.')}"
        for step, error in failed_steps(failures)
    ]


def gates_in_short(gates: Sequence[Gate]) -> str:
    """Return how many gates held: "1 of 3 gates held, 1 not judged"."""
    outcomes = [gate.outcome for gate in gates]
    held, not_judged = outcomes.count(GateOutcome.HELD), outcomes.count(GateOutcome.NOT_JUDGED)
    rest = f", {not_judged} not judged" if not_judged else ""
    return f"{held} of {counted(len(gates), 'gate')} held{rest}"


def gates_not_held(results: Results) -> list[str]:
    """Return in words each gate that did not hold."""
    return [gate_in_words(gate, results) for gate in results.gates if gate.outcome is GateOutcome.NOT_HELD]


def gate_in_words(gate: Gate, results: Results) -> str:
    """Return what a gate asked of a network, and what was measured or why nothing was."""
    if gate.reason is GateReason.NOT_IN_THIS_RUN:
        return f"{gate.model} was not part of this run"
    if gate.reason is GateReason.NO_RESULT:
        return f"{gate.model} has no result to hold against the {percent(gate.limit)} required"
    if gate.name is GateName.MIN_TEST_ACCURACY:
        relation = "reaches" if gate.outcome is GateOutcome.HELD else "is below"
        measured = accuracy(results.models[gate.model])
        return f"{gate.model}: test accuracy {measured} {relation} the {percent(gate.limit)} required"
    if gate.observed is None or gate.at_least is None or gate.level is None:
        return f"{gate.model}: no earlier completed run has it with these settings and a seed of this run"
    words = f"{points(gate.limit)} allowed"
    if gate.observed > gate.limit:
        surely = gate.outcome is GateOutcome.NOT_HELD
        words = f"more than the {words}" + ("" if surely else ", but images and retraining may explain it")
    return (
        f"{gate.model}: accuracy {'fell' if gate.observed > 0 else 'did not fall'} since {gate.since} (drop "
        f"{points(gate.observed)} points, at least {points(gate.at_least)} at {100 * gate.level:.4g} %, "
        f"{counted(gate.seeds, 'seed')}), {words}"
    )


def change(line: AgainstPrevious) -> str:
    """Return whether a training is better than the same one of the run before."""
    size = f"({points(line.difference)} points, {span(line.difference_ci95)})"
    return {
        Change.UNCHANGED: "unchanged: the same test images are recognised",
        Change.BETTER: f"better than before {size}",
        Change.WORSE: f"worse than before {size}",
        Change.WITHIN_CHANCE: f"no change beyond chance {size}",
    }[line.change]


def why_not_compared(previous: PreviousRun) -> str:
    """Return why some or all trainings were not compared with the run before; nothing if all were."""
    if previous.unreadable:
        return f"its predictions cannot be read: {', '.join(previous.unreadable)}"
    return "" if previous.trainings else "it has no model and seed in common with this run"


def unlike_the_tutorial(results: Results) -> list[str]:
    """Return which settings of a run are not the tutorial's."""
    ours = {f"{name} epochs": model.epochs for name, model in results.models.items()} | results.parameters
    ours["train_samples"] = results.dataset.train_samples
    return [
        f"{name} {ours[name]}, not {value}"
        for name, value in TUTORIAL.items()
        if name in ours and ours[name] not in (None, value)  # None: the network's own, or all images
    ]
