"""`python -m tasks.report RUN_FOLDER`."""

import sys

from tasks.report.write import main

sys.exit(main(sys.argv[1:]))
