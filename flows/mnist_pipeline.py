"""The pipeline: get MNIST, train the networks as parallel branches, evaluate, compare, report."""

if __name__ == "__main__":  # the server starts while the imports below go on
    from flows.cli.temporary_server import start_early

    start_early()

import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from flows.cli.plain_log import plain_log
from tasks.comparison.compare import Header, Limits, compare
from tasks.comparison.provenance import dataset_section, failures, keep_images, not_trained, plans, provenance
from tasks.data.download import download_mnist
from tasks.data.prepare import prepare_mnist
from tasks.evaluation.evaluate import evaluate
from tasks.files import path_of
from tasks.report.live import live_page
from tasks.report.summary import state_message
from tasks.report.write import report
from tasks.results.enums import Status
from tasks.results.file import read_results
from tasks.store import layout
from tasks.store.roots import check_links, check_networks_folder, check_roots
from tasks.training.catalogue import ModelName, NetworkName, chosen, files_of, name_of
from tasks.training.check import check_networks, doubtful, without
from tasks.training.own_network import own_network
from tasks.training.process import trainings_end_with_this
from tasks.training.runner import THREADS, TrainingRunner, trainings_at_a_time, wait_for_all, wait_until
from tasks.training.specification import quickest_first, specifications
from tasks.training.train import train
from tasks.wording import shortened

Accuracy = Annotated[float, Field(ge=0, le=1)]
DEFAULT_MODELS = ["dense", "cnn", "regularized_cnn"]


def run_name() -> str:
    """Return a name that tells the run from others, such as "mnist-dense-cnn-seed-0-5-epochs-2000-images"."""
    parameters = flow_run.parameters
    seeds = list(dict.fromkeys(parameters["seeds"]))
    seed = f"seed-{seeds[0]}" if len(seeds) == 1 else f"{len(seeds)}-seeds"
    words = [Path(parameters["dataset"]).stem, *dict.fromkeys(map(name_of, parameters["models"])), seed]
    for parameter, what in (("epochs", "epochs"), ("train_samples", "images")):
        words += [f"{parameters[parameter]}-{what}"] if parameters[parameter] else []
    return shortened(re.sub(r"[^\w.-]+", "-", "-".join(words)), 100)


@flow(
    name="mnist-pipeline",
    flow_run_name=run_name,
    task_runner=TrainingRunner(),  # type: ignore[arg-type]
)
def mnist_pipeline(
    dataset: str = "mnist",
    models: Annotated[list[ModelName], Field(min_length=1)] = DEFAULT_MODELS,
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)] = [0],  # noqa: B006
    epochs: Annotated[int | None, Field(ge=1, le=10_000)] = None,
    batch_size: Annotated[int, Field(ge=1, le=60_000)] = 128,
    validation_split: Annotated[float, Field(gt=0, lt=1)] = 0.1,
    learning_rate: Annotated[float | None, Field(gt=0, le=10)] = None,
    pixel_scaling: Literal["unit", "none"] = "unit",
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto",
    train_samples: Annotated[int | None, Field(ge=10)] = None,
    image_size: Annotated[int | None, Field(ge=8, le=256)] = None,
    skip_broken: bool = False,
    training_timeout: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None,
    min_test_accuracy: Accuracy | dict[NetworkName, Accuracy] | None = None,
    max_accuracy_drop: Accuracy | None = None,
    refresh: bool = False,
    artifacts_dir: str | None = None,
) -> State[Any]:
    """Train networks on MNIST, compare their test accuracy and find where each starts to overfit.

    Args:
        dataset: "mnist", or a path: an npz file, a folder of IDX files, or one of pictures (train/CLASS/*.png).
        models: dense, cnn, regularized_cnn; deep_cnn, challenger, sprinter; "all"; FILE.py:FUNCTION for your own.
        seeds: each network is trained once with each seed; from two on, statements are about the network.
        epochs: passes over the training images; by default each network's own number.
        batch_size: images per optimizer step.
        validation_split: the share of the training images, at their end, that is kept for validation.
        learning_rate: of the Adam optimizer; by default each network's own.
        pixel_scaling: "unit" divides pixels by 255; "none" leaves 0..255, as the tutorial's code did.
        precision: of the arithmetic; "auto" is bfloat16 for all but dense and deep_cnn where the processor has it.
        train_samples: train on this many images, drawn evenly over the classes; by default on all.
        image_size: stretch the images to so many pixels each way; needed where pictures differ in size.
        skip_broken: go on without pictures that cannot be read; they are named and counted.
        training_timeout: seconds after which a training is ended.
        min_test_accuracy: the run fails if a network's test accuracy is below this (0 to 1), or one per network.
        max_accuracy_drop: the run fails if accuracy surely fell by more than this since the last such run.
        refresh: train anew even if a finished training could be reused.
        artifacts_dir: where data, trainings and runs are kept: else $MNIST_PIPELINE_ARTIFACTS or `artifacts`.
    """
    plain_log()
    started = datetime.now(UTC)
    parameters = dict(flow_run.parameters)
    deployment_name = deployment.name  # asked of the server, which may be away later
    check_roots(
        deployment_name is not None,
        dataset=None if dataset == "mnist" else dataset,
        artifacts_dir=artifacts_dir,
    )
    if dataset != "mnist":
        check_links(deployment_name is not None, path_of(dataset))
    artifacts = layout.claimed(artifacts_dir)
    check_networks_folder(deployment_name is not None, models=files_of(models))
    recipes, problems = chosen(models)

    data = download_mnist(dataset, str(artifacts), image_size, skip_broken)
    prepared = prepare_mnist(
        data, validation_split, train_samples, str(artifacts), batch_size, trainings_at_a_time()
    )
    specs = specifications(
        recipes,
        seeds,
        prepared.digest,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        pixel_scaling=pixel_scaling,
        precision=precision,
        threads=THREADS,
    )
    with trainings_end_with_this():
        if asked := doubtful(specs, recipes, prepared.shapes["x_train"][1:3], artifacts):
            problems |= check_networks(asked, recipes, prepared, training_timeout)
            specs = without(specs, problems)
    run_folder = layout.start_run(artifacts, flow_run.name, started)
    with live_page(run_folder, specs) as page, trainings_end_with_this():
        layout.point_latest_at(run_folder, get_run_logger().warning)
        get_run_logger().info("From now on to be seen in %s", page.path)
        branches: dict[str, tuple[Any, Any]] = {}  # by key: the futures of training and evaluation
        for spec in quickest_first(specs):
            trained: Any = train.with_options(name=f"train-{spec.model.replace('_', '-')}").submit(
                spec,
                prepared,
                str(artifacts),
                refresh,
                training_timeout,
                own_network(recipes[spec.model]),
                str(page.progress),
            )
            evaluated = evaluate.submit(trained, prepared, str(run_folder))
            if not branches:
                wait_until(partial(page.knows, spec), trained)  # so that the quickest is the first
            branches[spec.key] = trained, evaluated
        trainings, evaluations = ([branches[spec.key][part] for spec in specs] for part in (0, 1))
        wait_for_all(evaluations, page.update)
        keep_images(run_folder, prepared)
        header = Header(
            parameters=parameters,
            provenance=provenance(run_folder, started, parameters, specs, deployment_name),
            dataset=dataset_section(run_folder, prepared, pixel_scaling),
            plans=plans(specs),
        )
        compare(
            str(run_folder),
            header,
            [each.result() for each in evaluations if each.state.is_completed()],
            [*not_trained(problems, seeds), *failures(specs, trainings, evaluations)],
            Limits(min_test_accuracy, max_accuracy_drop),
        )
        path = report(str(run_folder))
    results = read_results(run_folder)
    ended = Completed if results.status is Status.COMPLETED else Failed
    return ended(message=state_message(results, path), data=path)


if __name__ == "__main__":
    from flows.cli.pipeline_command import main

    main(mnist_pipeline)
