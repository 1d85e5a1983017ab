"""check-networks: what cannot be trained is said before anything is, and the other branches run."""

import contextlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from tasks.data.prepare import PreparedData
from tasks.errors import UserError
from tasks.printable import in_one_line
from tasks.training.networks import Recipe
from tasks.training.own_network import own_network
from tasks.training.process import Deadline, end, how_it_ended, messages, processes, start_module
from tasks.training.specification import Specification

TRY = "tasks.training.try_networks"
SURE_PIXELS = 28  # on images that are as high and wide, each of our networks can be built


def doubtful(
    specifications: Sequence[Specification],
    recipes: Mapping[str, Recipe],
    image_size: Sequence[int],
    artifacts: Path,
) -> list[Specification]:
    """Return one specification of each network that might not be trainable: one's own, and ours on small images.

    What was begun before has been tried before.
    """
    of_model: dict[str, list[Specification]] = {}
    for each in specifications:
        of_model.setdefault(each.model, []).append(each)
    return [
        seeds[0]
        for name, seeds in of_model.items()
        if (own_network(recipes[name]) or min(image_size) < SURE_PIXELS)
        and not any((each.folder(artifacts) / "spec.json").exists() for each in seeds)
    ]


def tried(
    asked: Sequence[Specification], recipes: Mapping[str, Recipe], data_path: str, timeout: float | None
) -> tuple[list[str | None], str]:
    """Let a process try the networks in order; return what it said of each, and how it ended if too soon."""
    owns = [own_network(recipes[each.model]) for each in asked]
    requests = [
        {"spec": each.to_json(), "own": own and own.texts} for each, own in zip(asked, owns, strict=True)
    ]
    deadline = Deadline(timeout)
    with tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        process = start_module(TRY, data_path, log=log)
        processes.add(process)
        stack.callback(end, process)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(requests) + "\n")
            process.stdin.flush()
        found = [message["problem"] for message in messages(process, deadline)]
        if deadline.past:
            return found, f"it was not built within training_timeout, {deadline.seconds:g} s"
        stack.close()
        log.seek(0)
        said = log.read().decode(errors="replace").strip().splitlines()
        return found, in_one_line(
            f"{how_it_ended(process.returncode)}: {said[-1] if said else 'it said nothing'}"
        )


@task(name="check-networks", task_run_name="check-networks", cache_policy=NO_CACHE, persist_result=False)
def check_networks(
    asked: list[Specification], recipes: dict[str, Recipe], prepared: PreparedData, timeout: float | None
) -> dict[str, str]:
    """Return why networks cannot be trained on the data, by name; empty if all can."""
    problems: dict[str, str] = {}
    left = list(asked)
    while left:
        found, ended = tried(left, recipes, prepared.path, timeout)
        problems |= {each.model: words for each, words in zip(left, found, strict=False) if words}
        left = left[len(found) :]
        if left:  # the code of the first one that is left has ended the process
            problems[left.pop(0).model] = ended
    for name, words in problems.items():
        get_run_logger().error("%s is not trained: %s", name, words)
    return problems


def without(specifications: Sequence[Specification], problems: Mapping[str, str]) -> list[Specification]:
    """Return the specifications of the networks that have no problem. Raises UserError if none is left."""
    left = [each for each in specifications if each.model not in problems]
    if not left:
        raise UserError(" ".join(dict.fromkeys(problems.values())))
    return left
