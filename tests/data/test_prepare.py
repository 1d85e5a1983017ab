"""The split, the samples, and the arrays that trainings read."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.logging import disable_run_logger
from small_datasets import changed, small_dataset

from tasks.data.arrays import Arrays, content_digest, holds, keep, read_npz
from tasks.data.download import DIGITS, VerifiedDataset
from tasks.data.prepare import (
    class_counts,
    prepare,
    prepare_mnist,
    preview,
    split,
    split_at,
)
from tasks.data.samples import even_sample, stratified_sample
from tasks.errors import UserError


def numbered_dataset(images: int = 100) -> Arrays:
    """Training images 0, 1, 2, ... whose first pixel is their number; labels 0..9 in turn."""
    x_train = np.zeros((images, 28, 28), np.uint8)
    x_train[:, 0, 0] = np.arange(images)
    return changed(x_train=x_train, y_train=(np.arange(images) % 10).astype(np.uint8))


def stored(folder: Path, arrays: Arrays) -> VerifiedDataset:
    """The record of a data set as the download leaves it."""
    path = folder / "digits.npz"
    keep(path, arrays, print)
    return VerifiedDataset("digits", str(path), content_digest(arrays), "a test", False, DIGITS)


@given(st.integers(50, 70000), st.floats(0.25, 0.75))
def test_the_split_is_that_of_keras(images: int, validation_split: float) -> None:
    """Keras computes int(math.floor(n * (1.0 - validation_split))); it must agree at every rounding."""
    assert split_at(images, validation_split, 10) == int(images * (1.0 - validation_split))


@pytest.mark.parametrize(
    ("images", "validation_split", "expected"),
    [
        *(
            (60000, outside, "a fraction between 0 and 1")
            for outside in (0.0, 1.0, -0.1, 1.5, np.nan, np.inf)
        ),
        *((*few, "at least 10 and 10") for few in ((100, 0.09), (100, 0.91), (10, 0.5))),
    ],
)
def test_an_impossible_split_is_an_error(images: int, validation_split: float, expected: str) -> None:
    """The split is a fraction, and leaves ten images on either side."""
    with pytest.raises(UserError, match=f"expected {expected}"):
        split_at(images, validation_split, 10)


def test_the_parts_are_disjoint_and_in_order() -> None:
    """Of 100 numbered images 0..89 are fitted and 90..99 are validation; test is as it was."""
    parts = split(numbered_dataset(), 0.1, None)
    assert parts["x_train"][:, 0, 0, 0].tolist() == list(range(90))
    assert parts["x_validation"][:, 0, 0, 0].tolist() == list(range(90, 100))
    assert np.array_equal(parts["x_test"][..., 0], small_dataset()["x_test"])


def test_images_get_a_channel_axis_and_nothing_else_changes() -> None:
    """(n, 28, 28) becomes (n, 28, 28, 1); everything stays uint8, scaling comes later."""
    parts = split(numbered_dataset(), 0.1, None)
    assert {name: (array.dtype.name, array.shape) for name, array in parts.items()} == {
        "x_train": ("uint8", (90, 28, 28, 1)),
        "y_train": ("uint8", (90,)),
        "x_validation": ("uint8", (10, 28, 28, 1)),
        "y_validation": ("uint8", (10,)),
        "x_test": ("uint8", (10, 28, 28, 1)),
        "y_test": ("uint8", (10,)),
        "train_sample": ("int64", (10,)),
    }


def test_a_sorted_dataset_whose_split_loses_a_class_is_an_error() -> None:
    """Classes 0 to 9 in blocks: the last tenth is all of class 9."""
    blocks = numbered_dataset() | {"y_train": np.repeat(np.arange(10, dtype=np.uint8), 10)}
    with pytest.raises(UserError, match=r"none of class \[9\] .* shuffle"):
        split(blocks, 0.1, None)


def test_a_stratified_sample_keeps_the_proportions() -> None:
    """Of 60 zeros, 30 ones and 10 twos, 10 images are 6, 3 and 1."""
    labels = np.repeat(np.array([0, 1, 2], np.uint8), [60, 30, 10])
    assert class_counts(labels[stratified_sample(labels, 10)], 10)[:3] == [6, 3, 1]


def test_a_stratified_sample_of_ten_has_every_class() -> None:
    """Even a class with one image in a thousand."""
    labels = np.append(np.arange(1000) % 9, 9).astype(np.uint8)
    assert class_counts(labels[stratified_sample(labels, 10)], 10) == [1] * 10


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200), st.data())
def test_a_stratified_sample_is_a_set_of_indices_and_larger_ones_contain_it(labels, data) -> None:
    """Sorted, without repetition, of the size asked for; the same at every call; nested."""
    array = np.array(labels, np.uint8)
    small, large = sorted(data.draw(st.tuples(*[st.integers(1, len(labels))] * 2)))
    sample = stratified_sample(array, small).tolist()
    assert sample == sorted(set(sample))
    assert len(sample) == small
    assert sample == stratified_sample(array, small).tolist()
    assert set(sample) <= set(stratified_sample(array, large).tolist())
    assert set(sample) <= set(range(len(labels)))


def test_the_sample_of_training_images_stays() -> None:
    """Another choice of images would retrain every network that is kept."""
    assert even_sample(100, 5).tolist() == [26, 30, 50, 61, 81]


@given(st.integers(1, 300), st.integers(1, 300))
def test_an_even_sample_is_a_set_of_indices(images: int, size: int) -> None:
    """Sorted, without repetition, all of them if there are no more than asked for."""
    sample = even_sample(images, size).tolist()
    assert sample == sorted(set(sample))
    assert len(sample) == min(images, size)
    assert set(sample) <= set(range(images))


def test_a_reduced_training_set_comes_from_the_fitted_part() -> None:
    """Validation stays whole, and none of its images is fitted."""
    parts = split(numbered_dataset(), 0.2, 30)
    chosen = parts["x_train"][:, 0, 0, 0].tolist()
    assert len(chosen) == 30
    assert max(chosen) < 80
    assert class_counts(parts["y_train"], 10) == [3] * 10
    assert (parts["y_train"] == np.array(chosen) % 10).all()
    assert parts["x_validation"][:, 0, 0, 0].tolist() == list(range(80, 100))


def test_all_samples_is_the_same_as_none() -> None:
    """Who asks for every image gets the same arrays, so the same trainings are reused."""
    asked, default = (split(numbered_dataset(), 0.1, train_samples) for train_samples in (90, None))
    assert content_digest(asked) == content_digest(default)


def test_the_train_sample_is_all_when_validation_is_larger() -> None:
    """10 fitted images and 20 of validation: the sample is the 10."""
    assert split(numbered_dataset(), 0.2, 10)["train_sample"].tolist() == list(range(10))


@pytest.mark.parametrize("train_samples", [-1, 0, 3, 9, 91, 10**9])
def test_train_samples_out_of_range_is_an_error(train_samples: int) -> None:
    """At least an image of each class, at most what validation leaves."""
    with pytest.raises(UserError, match=rf"train_samples is {train_samples}; expected 10 .* to 90"):
        split(numbered_dataset(), 0.1, train_samples)


def test_the_preview_is_the_first_image_of_each_class() -> None:
    """Of MNIST also `first_zero`, the second training image, as in the tutorial."""
    pictures = preview(numbered_dataset(), is_mnist=True)
    assert preview(numbered_dataset(), is_mnist=False).keys() == {"preview"}
    assert pictures["preview"].shape == (10, 28, 28)
    assert pictures["preview"][:, 0, 0].tolist() == list(range(10))
    assert pictures["first_zero"][0, 0] == 1


def test_what_is_prepared_is_on_disk_and_in_the_record(tmp_path) -> None:
    """The record is plain JSON and says what the files hold."""
    arrays = numbered_dataset()
    prepared = prepare(stored(tmp_path, arrays), 0.1, 50, tmp_path / "data", print)
    expected = split(arrays, 0.1, 50)
    assert holds(Path(prepared.path), expected)
    assert holds(Path(prepared.images_path), preview(arrays, is_mnist=False))
    assert prepared.digest == content_digest(expected)
    assert prepared.counts == {"train": 50, "validation": 10, "test": 10}
    assert prepared.class_counts == {"train": [5] * 10, "validation": [1] * 10, "test": [1] * 10}
    test_shapes = {"x_test": [10, 28, 28], "y_test": [10]}
    assert prepared.shapes == {"x_train": [100, 28, 28], "y_train": [100]} | test_shapes
    assert (prepared.y_test_head, prepared.y_test_tail) == ([0, 1, 2], [7, 8, 9])
    assert json.loads(json.dumps(asdict(prepared))) == asdict(prepared)


def test_repeated_and_blank_images_are_counted(tmp_path: Path) -> None:
    """A test image that is a training image too is counted, and so is one whose pixels are all equal."""
    arrays = numbered_dataset()
    images = np.zeros_like(arrays["x_test"])
    images[:, 1, 1] = np.arange(len(images)) + 1
    images[:2] = arrays["x_train"][5]
    prepared = prepare(stored(tmp_path, arrays | {"x_test": images}), 0.1, None, tmp_path / "data", print)
    assert prepared.repeated_test_images == 2
    assert prepared.blank_images == 1  # the first training image


def test_the_digest_does_not_depend_on_the_folder(tmp_path) -> None:
    """Another machine's folder gives the same keys of trainings."""
    dataset = stored(tmp_path, numbered_dataset())
    first, second = (prepare(dataset, 0.1, None, tmp_path / name, print) for name in ("one", "two"))
    assert first.path != second.path
    assert first.digest == second.digest


def test_a_damaged_prepared_file_is_replaced_with_a_warning(tmp_path) -> None:
    """A file cut short by a full disk is never trained on."""
    dataset = stored(tmp_path, numbered_dataset())
    path = Path(prepare(dataset, 0.1, None, tmp_path, print).path)
    path.write_bytes(path.read_bytes()[:-300])
    warnings: list[str] = []
    prepare(dataset, 0.1, None, tmp_path, print, warnings.append)
    assert warnings == [f"{path} was damaged or altered; written anew."]
    assert holds(path, split(numbered_dataset(), 0.1, None))


def test_preparing_at_once_from_several_runs_gives_the_same(tmp_path) -> None:
    """Runs share the folder."""
    dataset = stored(tmp_path, numbered_dataset())
    with ThreadPoolExecutor(4) as pool:
        records = list(pool.map(lambda _: prepare(dataset, 0.1, None, tmp_path, print), range(4)))
    assert all(record == records[0] for record in records)
    assert content_digest(dict(np.load(records[0].path))) == records[0].digest


def test_a_dataset_that_changed_since_its_download_is_refused(tmp_path) -> None:
    """The record says which content was verified; other content is never used silently."""
    dataset = stored(tmp_path, numbered_dataset())
    with pytest.raises(UserError, match="has changed since it was verified"):
        prepare(replace(dataset, digest="0" * 64), 0.1, None, tmp_path, print)


def test_a_validation_set_without_some_class_is_warned_of(tmp_path) -> None:
    """It can be meant, but often the data set is sorted."""
    labels = np.append(np.arange(90) % 10, [9] * 10).astype(np.uint8)
    warnings: list[str] = []
    dataset = stored(tmp_path, numbered_dataset() | {"y_train": labels})
    prepare(dataset, 0.1, None, tmp_path, print, warnings.append)
    assert warnings == ["Some class has no validation image; is the data set sorted by class? Shuffle it."]


def test_the_task_keeps_files_in_the_data_folder_of_the_artifacts(tmp_path) -> None:
    """What Prefect runs is the same function, on artifacts_dir/data."""
    with disable_run_logger():
        prepared = prepare_mnist.fn(stored(tmp_path, numbered_dataset()), 0.1, None, str(tmp_path))
    assert Path(prepared.path).parent == tmp_path.resolve() / "data"


def test_mnist_is_split_as_in_the_tutorial(mnist: Path) -> None:
    """54,000 and 6,000 images; the second training image is a zero."""
    arrays = read_npz(mnist, "mnist")
    parts = split(arrays, 0.1, None)
    counts = {name: len(parts[name]) for name in ("x_train", "y_train", "x_validation", "train_sample")}
    assert counts == {"x_train": 54000, "y_train": 54000, "x_validation": 6000, "train_sample": 6000}
    assert arrays["y_train"][1] == 0
