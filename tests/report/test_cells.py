"""Numbers in the cells of tables."""

from hand_made import after_best, measures, network, on_test, run, training

from tasks.report import cells
from tasks.report.cells import duration, gap, layers, learning_rates, stopping_rules
from tasks.results.enums import AccuracyChange
from tasks.results.training import EarlyStopping


def test_durations_in_words() -> None:
    """Durations are rounded for a reader."""
    durations = [duration(seconds) for seconds in (0.84, 95, 120, 812.4, 7500)]
    assert durations == ["0.8 s", "95 s", "2 min 0 s", "13 min 32 s", "2 h 5 min"]


def test_epochs_that_are_missing_show() -> None:
    """The planned epochs stand there only if the training had fewer."""
    assert (cells.epochs(20, 20), cells.epochs(12, 20)) == ("20", "12 of 20")


def test_the_gap_has_the_interval_of_test() -> None:
    """The train images are no sample, so the interval is that of the test accuracy, turned round."""
    train = measures(0.99, accuracy_ci95=None)
    assert gap(train, on_test(0.90, accuracy_ci95=(0.888, 0.94))) == "9.00 (5.00 to 10.20)"


def test_a_network_on_its_splits() -> None:
    """Of several seeds: on test the mean with its interval, on the others the mean with the seeds' range."""
    model = network(
        training(0, train=measures(0.99, nll=0.02), test=on_test(0.97, nll=0.08)),
        training(1, train=measures(0.97, nll=0.06), test=on_test(0.98, nll=0.10)),
    )
    assert model.aggregate is not None
    assert cells.accuracy_on("train", model) == "98.00 % (97.00 to 99.00)"
    assert cells.accuracy_on("test", model) == "97.50 % (97.30 to 97.70)"
    assert cells.loss_on("train", model) == "0.0400 (0.0200 to 0.0600)"
    spread = model.aggregate.test_nll
    assert cells.deviation(spread, "{:.4f}") == " ± 0.0141"
    limits = (0.07, 0.11)
    judged = model.aggregate.model_copy(update={"test_nll": spread.model_copy(update={"interval": limits})})
    assert cells.loss_on("test", network(*model.finished, aggregate=judged)) == "0.0900 (0.0700 to 0.1100)"
    assert cells.loss_on("train", network(*model.finished, aggregate=judged)) == "0.0400 (0.0200 to 0.0600)"


def test_settings_that_are_not_set() -> None:
    """A setting that was left to its default is listed too."""
    assert cells.listed({"batch_size": 128, "epochs": None}) == "batch_size: 128; epochs: not set"


def test_accuracy_after_the_best_epoch() -> None:
    """A change within chance is not called one; where no epoch follows the best there is nothing to say."""
    changes = (AccuracyChange.ROSE, AccuracyChange.NOT_MEASURABLE, AccuracyChange.LAST_EPOCH_IS_BEST)
    size = "0.13 (-0.07 to 0.33), p 0.40"
    assert [cells.after_best(after_best(change)) for change in changes] == [
        f"higher: {size}",
        f"within chance: {size}",
        None,
    ]


def test_stopping_rules() -> None:
    """Four epochs in a row, of which a rule may have none."""
    assert (
        stopping_rules(EarlyStopping(keras_patience_5=16, gl_5=12, pq=None, up_3=30)) == "16, 12, never, 30"
    )


def test_learning_rates() -> None:
    """A rate that stays needs no word; a schedule does, and weights that are averaged."""
    networks = {
        "dense": network(),
        "mine": network(learning_rate_schedule="cosine", averages_weights=True),
        "challenger": network(learning_rate=0.003, averages_weights=True),
    }
    expected = "dense 0.001, mine 0.001 (cosine, weights averaged), challenger 0.003 (weights averaged)"
    assert learning_rates(run(networks)) == expected


def test_layers_from_keras() -> None:
    """Keras's table in one line: long names are put together, a shape stands where it changes."""
    table = (
        'Model: "n"\n'
        "┏━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━┓\n"
        "┃ Layer (type) ┃ Output Shape   ┃ Param # ┃\n"
        "┡━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━┩\n"
        "│ normal       │ (None, 28, 28, │      48 │\n"
        "│ (BatchNorm)  │ 1)             │         │\n"
        "├──────────────┼────────────────┼─────────┤\n"
        "│ re_lu (ReLU) │ (None, 28, 28, │       0 │\n"
        "│              │ 1)             │         │\n"
        "├──────────────┼────────────────┼─────────┤\n"
        "│ d (Dense)    │ (None, 10)     │   7,850 │\n"
        "└──────────────┴────────────────┴─────────┘\n"
        " Total params: 7,898\n"
    )
    assert layers(table) == "BatchNorm 28 x 28 x 1 (48), ReLU, Dense 10 (7,850)"
    assert layers(None) == ""
