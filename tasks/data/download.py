"""download-mnist: one verified npz file, from the user's path or the first source that serves MNIST."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tasks.data.arrays import Arrays, Report, content_digest, keep, read_npz
from tasks.data.checks import LabelledImages, checked, size_of
from tasks.data.sources import SOURCES, SourceError
from tasks.data.user_dataset import KNOWN_NAMES, name_of, read_user_dataset
from tasks.errors import UserError, writing_to
from tasks.files import digest_of, lock, path_of, remove_temporary_files

# What `content_digest` makes of MNIST: type, shape and SHA-256 of the bytes of each array.
MNIST = {
    "x_train": ["|u1", [60000, 28, 28], "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"],
    "y_train": ["|u1", [60000], "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"],
    "x_test": ["|u1", [10000, 28, 28], "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161"],
    "y_test": ["|u1", [10000], "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"],
}
MNIST_DIGEST = digest_of(MNIST)
DIGITS = list("0123456789")


@dataclass(frozen=True)
class VerifiedDataset:
    """The four arrays of `LabelledImages` on disk, verified."""

    name: str  # "mnist", "fashion-mnist", or from the name of the user's file or folder
    path: str  # npz file with the four arrays
    digest: str  # SHA-256 over shapes and bytes of the four arrays
    source: str  # which source served, in words
    is_mnist: bool  # whether the content is exactly MNIST's
    class_names: list[str]  # by label
    broken_pictures: int = 0  # that were left out
    test_set_aside: bool = False  # whether the test images were drawn from those given for training


class TemporaryError(UserError):
    """No source served, but one of them might when asked again."""


def download(
    dataset: str,
    folder: Path,
    report: Report,
    warn: Report | None = None,
    *,
    image_size: int | None = None,
    skip_broken: bool = False,
) -> VerifiedDataset:
    """Return the verified data set, kept as an npz file in `folder`.

    `dataset` is "mnist", or the path of an npz file, a folder of IDX files or a folder of pictures. The path is
    read at each call, so its content always is what is used. Raises UserError; TemporaryError, if asking again
    might help.
    """
    warn = warn or report
    with writing_to(folder), lock(folder):  # two runs at once: the second finds what the first stored
        remove_temporary_files(folder)
        if dataset != "mnist":
            path = path_of(dataset)
            found = read_user_dataset(path, image_size, skip_broken, warn)
            return kept(found, name_of(path), str(path), folder, report, warn)
        original = mnist(folder, report, warn)
        if image_size is None:
            return original
        found = checked(read_npz(Path(original.path), original.path), original.path, image_size)
        return kept(found, f"mnist-{image_size}x{image_size}", original.source, folder, report, warn)


def mnist(folder: Path, report: Report, warn: Report) -> VerifiedDataset:
    """Return MNIST from `folder`, downloaded first unless a sound copy is there."""
    path = folder / "mnist.npz"
    if path.exists():
        try:
            if content_digest(checked(read_npz(path, str(path)), str(path)).arrays) == MNIST_DIGEST:
                report(f"MNIST: {path}, stored earlier, verified.")
                return VerifiedDataset(
                    "mnist", str(path), MNIST_DIGEST, "stored by an earlier run", True, DIGITS
                )
            warn(f"{path} does not hold MNIST's images; it is replaced.")
        except UserError as error:
            warn(f"{error} It is replaced.")
    started = time.monotonic()
    source, arrays = first_that_serves(report)
    keep(path, arrays, warn=lambda _: None)  # the warning has been given
    report(f"MNIST: served by {source} in {time.monotonic() - started:.1f} s, verified, stored as {path}.")
    return VerifiedDataset("mnist", str(path), MNIST_DIGEST, source, True, DIGITS)


def first_that_serves(report: Report) -> tuple[str, Arrays]:
    """Return the name of the first source that serves exactly MNIST, and the arrays."""
    failures: list[str] = []
    transient = False
    for name, read in SOURCES:
        try:
            arrays = checked(read(), "content").arrays
            if content_digest(arrays) == MNIST_DIGEST:
                return name, arrays
            failures.append(f"{name}: served something other than MNIST")
        except Exception as error:  # whatever a source or its bytes do: the next one is asked
            failures.append(f"{name}: {error}")
            transient |= isinstance(error, SourceError) and error.transient
        report(failures[-1])
    message = "\n  ".join(["No source served MNIST:", *failures])
    message += "\nGet mnist.npz, or the folder of its four IDX files, elsewhere and name it: --dataset PATH"
    raise TemporaryError(message) if transient else UserError(message)


def kept(
    found: LabelledImages, name: str, source: str, folder: Path, report: Report, warn: Report
) -> VerifiedDataset:
    """Return a data set of the user's once it is kept in `folder` under a name that has its digest."""
    digest = content_digest(found.arrays)
    is_mnist = digest == MNIST_DIGEST
    name = "mnist" if is_mnist else name
    copy = folder / ("mnist.npz" if is_mnist else f"{name}-{digest[:12]}.npz")
    keep(copy, found.arrays, warn)
    train, test = found.arrays["x_train"], found.arrays["x_test"]
    report(
        f"{source}: {'MNIST' if is_mnist else name}, {len(train)} + {len(test)} images of {size_of(train)}, "
        f"{len(found.class_names)} classes."
    )
    if found.test_set_aside:
        report(
            "There is no folder test: a fifth of the pictures of each class, drawn by seed 0, is set aside."
        )
    names = KNOWN_NAMES.get(digest, found.class_names) if found.unnamed else found.class_names
    return VerifiedDataset(
        name, str(copy), digest, source, is_mnist, names, found.broken_pictures, found.test_set_aside
    )


def might_recover(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell Prefect to retry what might succeed then, not the user's mistakes."""
    return isinstance(state.result(raise_on_failure=False), TemporaryError)


@task(
    name="download-mnist",
    task_run_name="download-mnist",
    retries=2,
    retry_delay_seconds=[2, 10],
    retry_condition_fn=might_recover,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def download_mnist(
    dataset: str, artifacts_dir: str, image_size: int | None = None, skip_broken: bool = False
) -> VerifiedDataset:
    """Get the data set, verified, into `artifacts_dir`/data."""
    logger = get_run_logger()
    return download(
        dataset,
        Path(artifacts_dir).resolve() / "data",
        logger.info,
        logger.warning,
        image_size=image_size,
        skip_broken=skip_broken,
    )
