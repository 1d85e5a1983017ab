"""How much memory a data set takes, estimated before it is taken: a clear refusal instead of a kill."""

from pathlib import Path

import psutil

from tasks.errors import UserError

# Estimates of a training process: TensorFlow; for each training image's byte the float32 and, while it is made,
# another; a step's values of a convolutional network, of 64 maps forwards and backwards in float32. docs/data.md
# has what processes were seen to hold.
TENSORFLOW, FLOATS, MAPS = 900_000_000, 2 * 4, 64 * 4 * 4
CONTROL_GROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Return how many bytes may still be taken: what the machine has, or what is left of a container's limit."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((CONTROL_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no container, or one without a limit
        return free
    return min(free, max(0, limit - used))


def check_reading(name: str, image_bytes: int) -> None:
    """Raise UserError if so many bytes of images cannot be read: they are in memory twice, to be compared."""
    needed, free = 2 * image_bytes, free_memory()
    if needed > free:
        raise UserError(
            f"{name}: reading its images takes about {gigabytes(needed)} of memory, {gigabytes(free)} are free. "
            "Name a data set with fewer images, or smaller ones (of pictures: --image-size 64)."
        )


def check_training(
    name: str, counts: dict[str, int], image_shape: tuple[int, int, int], batch_size: int, at_a_time: int
) -> None:
    """Raise UserError if trainings on these images will not fit into the memory that is free.

    `counts` are those of the splits, `image_shape` is (height, width, channels); so many trainings run at a time.
    """
    height, width, channels = image_shape
    values = height * width * channels
    step = min(batch_size, counts["train"]) * height * width * MAPS
    base = TENSORFLOW + values * sum(counts.values()) + step
    needed, free = at_a_time * (base + FLOATS * values * counts["train"]), free_memory()
    if needed > free:
        fitting = (free // at_a_time - base) // (FLOATS * values)
        fewer = f"--train-samples {fitting}, " if fitting >= 10 else ""
        raise UserError(
            f"{name}: training on {counts['train']:,} images of {values:,} values, {at_a_time} at a time, takes "
            f"about {gigabytes(needed)} of memory, {gigabytes(free)} are free. Make do with less: "
            f"{fewer}--image-size, --batch-size or --parallel."
        )


def gigabytes(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{count / 1e9:,.1f} GB"
