"""What the documents say about the pipeline, measured: a folder holds a question, its programs and their numbers.

`python -m benchmarks.FOLDER` (or FOLDER.FILE) from the repository; --help tells what it does and needs.
"""
