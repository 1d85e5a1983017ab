"""What is told of a training that goes on."""

import logging

import pytest

from tasks.training.progress import ProgressReport

FIGURES = dict.fromkeys(("loss", "accuracy", "train_nll", "val_nll", "val_accuracy"), 0.5)


def test_time_left(caplog: pytest.LogCaptureFixture) -> None:
    """The first epoch of a process, in which TensorFlow compiles, tells nothing of the others; the next does."""
    caplog.set_level(logging.INFO)
    report = ProgressReport("dense", 0, 10, logging.getLogger(__name__))
    report.begins({"epochs_done": 3, "epochs": 10, "train_nll": [0.5] * 3, "val_nll": [0.5] * 3})
    for epoch, seconds, left in ((4, 6.0, None), (5, 2.0, 2.0)):
        report.epoch({"epoch": epoch, "seconds": seconds, **FIGURES})
        assert report.record.epoch_seconds == left
    assert caplog.messages[-2].endswith("6.0 s, with compiling")
    assert caplog.messages[-1].endswith("2.0 s, about 10 s left")
