"""prefect.yaml: what Prefect would silently ignore, a machine's paths, and limits that no run can keep."""

import inspect
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect import Flow
from prefect.cli.deploy._models import (
    ConcurrencyLimitSpec,
    DeploymentConfig,
    PrefectYamlModel,
    RawScheduleConfig,
    WorkPoolConfig,
)
from prefect.utilities.importtools import import_object
from pydantic import BaseModel

from flows.mnist_pipeline import mnist_pipeline
from flows.recognize_digit import recognize_digit

PROJECT = Path(__file__).resolve().parents[2]
CONTENT: dict[str, Any] = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
DEPLOYMENTS: dict[str, dict[str, Any]] = {each["name"]: each for each in CONTENT["deployments"]}
each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)


def flow_of(deployment: dict[str, Any]) -> Flow[..., Any]:
    """Return the flow that a deployment runs."""
    return recognize_digit if deployment["name"] == "handwriting" else mnist_pipeline


def unknown(keys: Any, model: type[BaseModel]) -> set[str]:
    """Return the keys that the model does not know."""
    aliases = {field.alias for field in model.model_fields.values()}
    return set(keys) - set(model.model_fields) - {alias for alias in aliases if alias}


def test_prefect_reads_it() -> None:
    """Prefect's own model takes the file and finds four deployments in it."""
    model = PrefectYamlModel.model_validate(CONTENT)
    names = [deployment.name for deployment in model.deployments]
    assert names == ["nightly", "weekly-seeds", "tutorial", "handwriting"]


def test_no_unknown_keys() -> None:
    """Every key is one that Prefect knows, but for `definitions`, which holds the anchors."""
    assert unknown(CONTENT, PrefectYamlModel) == {"definitions"}
    for deployment in DEPLOYMENTS.values():
        assert unknown(deployment, DeploymentConfig) == set()
        assert unknown(deployment["work_pool"], WorkPoolConfig) == set()
        assert unknown(deployment.get("concurrency_limit", {}), ConcurrencyLimitSpec) == set()
        for schedule in deployment.get("schedules", []):
            assert unknown(schedule, RawScheduleConfig) == set()


@each_deployment
def test_entrypoint(deployment: dict[str, Any]) -> None:
    """The entrypoint leads to the deployment's flow."""
    path, _, name = deployment["entrypoint"].partition(":")
    flow = flow_of(deployment)
    assert inspect.getfile(flow.fn) == str(PROJECT / path)
    assert import_object(f"{path.removesuffix('.py').replace('/', '.')}.{name}") is flow


@each_deployment
def test_parameters(deployment: dict[str, Any]) -> None:
    """The flow takes the parameters, once those are given that have no default."""
    given = deployment["parameters"] | ({"images": ["7.png"]} if deployment["name"] == "handwriting" else {})
    taken = flow_of(deployment).validate_parameters(given)  # raises if one is unknown or out of bounds
    assert given.items() <= taken.items()


def test_schedules() -> None:
    """What is scheduled names its time zone and its schedule, and runs one at a time; the others are not."""
    scheduled = {name: each for name, each in DEPLOYMENTS.items() if each.get("schedules")}
    assert set(scheduled) == {"nightly", "weekly-seeds"}
    for deployment in scheduled.values():
        [schedule] = deployment["schedules"]
        assert schedule["slug"]
        assert ZoneInfo(schedule["timezone"])
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_portable() -> None:
    """No absolute path: runs go to where the repository lies when it is deployed."""
    assert CONTENT["pull"] == [
        {"prefect.deployments.steps.set_working_directory": {"directory": "{{ repo-root.stdout }}"}}
    ]
    [build] = CONTENT["build"]
    step = build["prefect.deployments.steps.run_shell_script"]
    assert (step["id"], step["script"]) == ("repo-root", "pwd")
