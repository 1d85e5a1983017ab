"""A run folder in, pages and pictures out: report.md, report.html, draw.html, the figures, the Prefect artifacts.

All sentences about results are written here, in `words.py` and the templates, and nowhere else. Nothing is
measured or judged here: a fact that a sentence needs is to be added to results.json by evaluation or comparison.
"""
