"""The types of results.json: written once, read and checked once, then attributes.

In comes what evaluation and comparison measured, out goes the file that report, recognition and history read.
Facts only: numbers, names and enums. No sentence about a result and no computation of one belongs here.

Shares lie between 0 and 1, losses are in nats per image, epochs count from 1, an interval is (low, high).
"""
