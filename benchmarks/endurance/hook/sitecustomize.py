"""Loaded by every Python process that finds this folder on PYTHONPATH; lets one of them end itself in a write.

MNIST_PIPELINE_DIES says who, when and at which write: "tasks.training.fit before 3" kills the training process by
SIGKILL before it renames its third file, "mnist_pipeline.py after 3" the run after that, when the folder is not
synced yet. Standard library only.
"""

import itertools
import os
import signal
import sys

PREFIX = ".mnist-pipeline-"  # of the pipeline's temporary files; Prefect renames files of its own

if wish := os.environ.get("MNIST_PIPELINE_DIES"):
    program, moment, number = wish.split()
    if any(word.endswith(program) for word in sys.orig_argv):
        replace, writes = os.replace, itertools.count(1)

        def dying_replace(source, target, **options):
            """Rename a file, unless it is the one at which this process dies."""
            last = os.path.basename(source).startswith(PREFIX) and next(writes) == int(number)
            if last and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            replace(source, target, **options)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = dying_replace
