"""What the script of report.html draws: the curves of each network, its onsets and smoothed curves, as JSON."""

from typing import Any

from tasks.report.names import pictures_of
from tasks.results.run import Results

Curves = dict[str, Any]


def curves_of(results: Results) -> Curves:
    """Return the numbers in each picture of learning curves: loss in nats per image, accuracy as a share."""
    return {
        pictures.curves: {
            "title": name,
            "trainings": [
                {
                    "seed": training.seed,
                    "loss": [training.history.train_nll, training.history.val_nll],
                    "accuracy": [training.history.train_accuracy_inference, training.history.val_accuracy],
                    "best": training.best_epoch,
                    "onset": training.onset.epoch if training.onset.status.shows_onset else None,
                    "interval": training.onset.interval if training.onset.status.shows_onset else None,
                    "smoothed": training.onset.smoothed or [],
                    "smoothed_from": training.onset.smoothed_from,
                }
                for training in results.models[name].finished
            ],
        }
        for name, pictures in pictures_of(results.finished).items()
    }
