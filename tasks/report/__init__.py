"""A run folder in, pages and pictures out: report.md, report.html, draw.html, the figures, the Prefect artifacts.

All sentences about results are written here and nowhere else: about one network in `network_words`, about a run in
`words`, `answers` and `summary`, the page around them in the templates. Nothing is measured or judged here: a fact
that a sentence needs is to be added to results.json by evaluation or comparison.
"""
