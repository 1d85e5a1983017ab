"""The two automations that watch the runs: `python -m flows.cli.automations --webhook URL`.

Repeating the command changes what is there instead of adding to it. They watch the runs of this flow alone,
whoever else uses the server.
"""

import sys
from datetime import timedelta
from typing import Annotated, Any

import httpx
from cyclopts import Parameter
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CallWebhook, ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL
from prefect.types import SecretDict
from pydantic import SecretStr

from tasks.command_line import RUN_FAILED, run_command
from tasks.errors import UserError
from tasks.printable import without_passwords

FLOW = "mnist-pipeline"
BLOCK = "mnist-pipeline-notification"
LOST = "mnist-pipeline: mark runs Crashed that are no longer heard of"
NOTIFY = "mnist-pipeline: notify of runs that failed, crashed or did not start"
HEARTBEAT_SECONDS = 180  # Prefect's default, see PREFECT_FLOWS_HEARTBEAT_FREQUENCY
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)  # one late heartbeat is no crash, three missing ones are

# What Slack, Mattermost, Discord (with /slack after its address) and others take. tojson quotes and escapes.
MESSAGE = """{"text": {{ ("mnist-pipeline: " ~ flow_run.name ~ " is " ~ flow_run.state.name ~ ". "
 ~ (flow_run.state.message or "") ~ " " ~ (flow_run | ui_url)) | tojson }}}"""


def events(*states: str) -> set[str]:
    """Return the names of the events that tell of a flow run entering one of these states."""
    return {f"prefect.flow-run.{state}" for state in states}


def of_this_flow() -> dict[str, Any]:
    """Return the part of a trigger that makes it look at each run of this flow on its own."""
    return {
        "match": ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        "match_related": ResourceSpecification(
            {"prefect.resource.role": "flow", "prefect.resource.name": FLOW}
        ),
        "for_each": {"prefect.resource.id"},
    }


def mark_lost_runs(silence: timedelta = SILENCE) -> AutomationCore:
    """Return the automation that marks a run Crashed when nothing was heard of it for `silence`.

    A machine that dies takes run and worker along; without this the run would stay Running for ever, or Pending if
    it had just been taken.
    """
    return AutomationCore(
        name=LOST,
        description="Heartbeats come every 180 s, unless PREFECT_FLOWS_HEARTBEAT_FREQUENCY says otherwise.",
        trigger=EventTrigger(
            after=events("Pending", "Running", "heartbeat"),
            expect=events(
                *("Scheduled", "AwaitingConcurrencySlot", "Running", "heartbeat"),
                *("Completed", "Failed", "Cancelled", "Crashed", "TimedOut", "Paused"),
            ),
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
            **of_this_flow(),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                name=None,
                force=False,
                message=f"Nothing was heard of this run for {silence.total_seconds():.0f} s: its process or "
                "machine is gone. Finished epochs are kept; a new run goes on from there.",
            )
        ],
    )


def notify(webhook: Webhook) -> AutomationCore:
    """Return the automation that calls a saved webhook when a run failed, crashed or found no worker."""
    assert webhook._block_document_id is not None
    return AutomationCore(
        name=NOTIFY,
        description="Posts the run's name, state, reason and address.",
        trigger=EventTrigger(
            expect=events("Failed", "Crashed", "TimedOut", "Late"),
            posture=Posture.Reactive,
            threshold=1,
            **of_this_flow(),
        ),
        actions=[CallWebhook(block_document_id=webhook._block_document_id, payload=MESSAGE)],
    )


def saved_webhook(url: str) -> Webhook:
    """Save the address where notifications go, on the server, as a secret; return its block."""
    webhook = Webhook(url=SecretStr(url), headers=SecretDict({"Content-Type": "application/json"}))
    webhook.save(BLOCK, overwrite=True)
    return webhook


def put(automation: AutomationCore) -> str:
    """Create the automation, or change the one of the same name; return which it was."""
    with get_client(sync_client=True) as client:
        there = client.read_automations_by_name(automation.name)
        if there:
            client.update_automation(there[0].id, automation)
            return "updated"
        client.create_automation(automation)
        return "created"


def command(*, webhook: Annotated[str | None, Parameter(env_var="MNIST_PIPELINE_WEBHOOK")] = None) -> int:
    """Create two automations on the server of PREFECT_API_URL, or change them if they are there.

    One marks runs Crashed that are no longer heard of; one notifies of runs that failed, crashed or did not start.

    Args:
        webhook: the address where notifications are posted, as JSON with the key text.
    """
    address = PREFECT_API_URL.value()
    if not address:
        raise UserError(
            "PREFECT_API_URL is not set. Set it to the API of your server, such as http://127.0.0.1:4200/api."
        )
    try:
        print(f"{put(mark_lost_runs())}: {LOST}")
        if webhook:
            print(f"{put(notify(saved_webhook(webhook)))}: {NOTIFY}")
        else:
            print("No notification: give --webhook URL, or set MNIST_PIPELINE_WEBHOOK.")
    except (httpx.HTTPError, PrefectException, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        print(without_passwords(f"The server at {address} could not be used: {reason}"), file=sys.stderr)
        return RUN_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(run_command("automations", "python -m flows.cli.automations", command))
