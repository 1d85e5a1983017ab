"""download-mnist: one verified npz file, from the user's path or the first source that serves MNIST."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun

from tasks.data.arrays import Arrays, Report, checked, content_digest, keep, read_idx_folder, read_npz
from tasks.data.sources import SOURCES, SourceError
from tasks.errors import UserError, writing_to
from tasks.files import digest_of, lock, path_of, remove_temporary_files
from tasks.wording import shortened

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
    """Four arrays on disk, verified: x_train (n, 28, 28), y_train (n,), x_test and y_test alike, uint8."""

    name: str  # "mnist", "fashion-mnist", or from the name of the user's file or folder
    path: str  # npz file with the four arrays
    digest: str  # SHA-256 over shapes and bytes of the four arrays
    source: str  # which source served, in words
    is_mnist: bool  # whether the content is exactly MNIST's
    class_names: list[str]  # by label


class TemporaryError(UserError):
    """No source served, but one of them might when asked again."""


def download(dataset: str, folder: Path, report: Report, warn: Report | None = None) -> VerifiedDataset:
    """Return the verified data set, kept as an npz file in `folder`.

    `dataset` is "mnist", or the path of any 28 x 28 grey data set with labels 0..9: an npz file or a folder
    of IDX files. The path is read at each call, so its content always is what is used.
    Raises UserError; TemporaryError, if asking again might help.
    """
    with writing_to(folder), lock(folder):  # two runs at once: the second finds what the first stored
        remove_temporary_files(folder)
        if dataset == "mnist":
            return mnist(folder, report, warn or report)
        return user_dataset(path_of(dataset), folder, report, warn or report)


def mnist(folder: Path, report: Report, warn: Report) -> VerifiedDataset:
    """Return MNIST from `folder`, downloaded first unless a sound copy is there."""
    path = folder / "mnist.npz"
    if path.exists():
        try:
            if content_digest(checked(read_npz(path, str(path)), str(path))) == MNIST_DIGEST:
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
            arrays = checked(read(), "content")
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


def user_dataset(path: Path, folder: Path, report: Report, warn: Report) -> VerifiedDataset:
    """Return the data set at the user's `path`, copied to `folder` under a name that has its digest."""
    try:
        if path.is_dir():
            arrays = read_idx_folder(path)
        elif path.is_file():
            arrays = read_npz(path, str(path))
        else:
            raise UserError(
                f"There is no file or folder {path}. --dataset takes 'mnist', the path of an npz file "
                "or of a folder with the four IDX files."
            )
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    arrays = checked(arrays, str(path))
    digest = content_digest(arrays)
    is_mnist = digest == MNIST_DIGEST
    name = "mnist" if is_mnist else name_of(path)
    copy = folder / ("mnist.npz" if is_mnist else f"{name}-{digest[:12]}.npz")
    keep(copy, arrays, warn)
    report(
        f"{path}: {'MNIST' if is_mnist else name}, {len(arrays['x_train'])} + {len(arrays['x_test'])} images."
    )
    return VerifiedDataset(name, str(copy), digest, str(path), is_mnist, DIGITS)


def name_of(path: Path) -> str:
    """Return a name for the data set at `path`, fit for files and headings; never "mnist"."""
    name = re.sub(r"[\W_]+", "-", path.name.removesuffix(".npz").lower()).strip("-") or "unnamed"
    return "not-mnist" if name == "mnist" else shortened(name, 100)


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
def download_mnist(dataset: str, artifacts_dir: str) -> VerifiedDataset:
    """Get the data set, verified, into `artifacts_dir`/data."""
    logger = get_run_logger()
    return download(dataset, Path(artifacts_dir).resolve() / "data", logger.info, logger.warning)
