"""Read a person's handwriting: pictures of one digit each, answered by the networks of a run."""

if __name__ == "__main__":  # the server starts while the imports below go on
    from flows.cli.temporary_server import start_early

    start_early()

from datetime import UTC, datetime
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from flows.cli.plain_log import plain_log
from tasks.files import path_of
from tasks.recognition import recognize
from tasks.recognition.show import introduction
from tasks.store import layout
from tasks.store.roots import check_networks_folder, check_roots
from tasks.wording import counted


def run_name() -> str:
    """Return a name that says what the flow run does, such as "recognize-2-pictures"."""
    return f"recognize-{counted(len(flow_run.parameters['images']), 'picture').replace(' ', '-')}"


@flow(name="recognize-digit", flow_run_name=run_name)
def recognize_digit(
    images: Annotated[list[str], Field(min_length=1)],
    run: str | None = None,
    artifacts_dir: str | None = None,
    networks: list[str] | None = None,
) -> State[Any]:
    """Find the digit in each picture, and ask every network of a run which one it is.

    Args:
        images: PNG or JPEG files, each a photo, scan or drawing of one digit, dark on light or light on dark.
        run: the folder of the run to ask; by default the completed run that is best on validation images.
        artifacts_dir: where runs and answers are kept; by default $MNIST_PIPELINE_ARTIFACTS, or `artifacts` here.
        networks: files with networks of your own whose code may be run, beside those in `networks` here.
    """
    plain_log()
    check_roots(deployment.id is not None, images=images, run=run, artifacts_dir=artifacts_dir)
    check_networks_folder(deployment.id is not None, networks=networks)
    artifacts = layout.claimed(artifacts_dir)
    asked = recognize.named_run(path_of(run)) if run else recognize.best_run(artifacts)
    get_run_logger().info(introduction(asked))
    folder = recognize.folder_of_call(artifacts, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{flow_run.name}")
    pictures = recognize.prepare_pictures(images, str(folder))
    said = recognize.ask_networks(pictures, asked.networks, networks or [])
    path = recognize.answer(pictures, asked, said)
    if not pictures.errors:
        return Completed(message=path, data=path)
    return Failed(
        message=f"{counted(len(pictures.errors), 'picture')} not answered; reasons: {path}", data=path
    )


if __name__ == "__main__":
    from flows.cli.recognize_command import main

    main(recognize_digit)
