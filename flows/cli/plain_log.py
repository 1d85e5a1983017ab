"""The log of a run, on the server and in the terminal, without the tracebacks that tell a person nothing."""

import logging

from prefect.exceptions import FailedRun

from tasks.errors import PlainError

LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
WRONG = "Finished in state Running()"  # Prefect's last word on a run that is cancelled
REPEATED = "Engine execution exited"  # with a traceback, after the state that holds the reason was logged


def plain_log() -> None:
    """Let the log of this process's runs say in a sentence what a sentence can say."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(tells_something)  # a filter that is there already is not added


def tells_something(record: logging.LogRecord) -> bool:
    """Return whether the record belongs into the log; that of a PlainError becomes its message."""
    error = record.exc_info[1] if record.exc_info else None
    said = record.getMessage()
    if said == WRONG or (isinstance(error, FailedRun | PlainError) and said.startswith(REPEATED)):
        return False
    if isinstance(error, PlainError):
        record.msg, record.args, record.exc_info, record.exc_text = str(error), (), None, None
    return True
