"""Pictures of handwriting in, digits out: what the networks of a run say to each.

It stands beside `report`, not on it: it reads results.json and the trainings, brings a picture to MNIST's form and
asks the networks. How a run is compared and reported does not belong here.
"""
