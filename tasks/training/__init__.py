"""Prepared arrays in, trained networks out, each in a folder of its own that is known by a key.

In comes a specification; out goes a folder with the model, its history and its predictions, trained, resumed or
reused. What decides the numbers of a training is in `networks.py` and `loop.py`, and only that is in the key; the
rest starts, follows and keeps it. TensorFlow is loaded in the training process alone. No test label belongs here.
"""
