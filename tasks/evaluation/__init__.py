"""One finished training in, its numbers with their uncertainty out.

In come loss curves, predictions and labels; out come accuracy, NLL, calibration and the onset of overfitting, as
facts. The one task that reads the test labels is here. What needs a second training belongs to `comparison`,
sentences to `report`.
"""
