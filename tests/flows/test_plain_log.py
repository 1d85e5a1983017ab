"""What a log says in a sentence, and what it says with a traceback: a mistake of the program keeps it, always."""

import errno
import logging
import sys

import pytest
from prefect.exceptions import FailedRun

from flows.cli.plain_log import REPEATED, WRONG, tells_something
from flows.cli.script import is_for_a_person
from tasks.errors import UserError


def record_of(error: BaseException | None, said: str = "Encountered exception") -> logging.LogRecord:
    """A record as Prefect logs it where an error ends a run."""
    if error is None:
        return logging.makeLogRecord({"msg": said})
    try:
        raise error
    except BaseException:
        return logging.makeLogRecord({"msg": said, "exc_info": sys.exc_info()})


BUGS = [
    ValueError("x"),
    AssertionError(),
    FileNotFoundError(errno.ENOENT, "x"),
    KeyError("dense"),
    OSError("x"),
]


@pytest.mark.parametrize("error", BUGS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("said", ["Encountered exception", REPEATED, WRONG + "."])
@pytest.mark.parametrize("passes", [tells_something, is_for_a_person])
def test_mistakes_of_the_program(passes: logging.Filter, error: Exception, said: str) -> None:
    """An error that nobody foresaw is logged with its traceback, in the terminal and on the server."""
    record = record_of(error, said)
    assert passes(record)  # type: ignore[operator]
    assert record.exc_info is not None
    assert record.exc_info[1] is error
    assert record.getMessage() == said


@pytest.mark.parametrize("passes", [tells_something, is_for_a_person])
def test_mistakes_of_a_person(passes: logging.Filter) -> None:
    """What a person can mend is its sentence, without a traceback."""
    record = record_of(UserError("Name another folder."))
    assert passes(record)  # type: ignore[operator]
    assert (record.getMessage(), record.exc_info) == ("Name another folder.", None)


def test_a_full_disk() -> None:
    """What ails the machine is a sentence in the terminal; the server keeps the traceback."""
    full = OSError(errno.ENOSPC, "No space left on device", "/kept/x")
    on_server, in_terminal = record_of(full), record_of(full)
    assert tells_something(on_server)
    assert on_server.exc_info is not None
    assert is_for_a_person(in_terminal)
    assert in_terminal.exc_info is None
    assert in_terminal.getMessage().startswith("No space left on device at /kept/x: free some space")


def test_what_says_nothing() -> None:
    """Prefect's wrong last word on a cancelled run goes, and its second telling of a reason."""
    assert not tells_something(record_of(None, WRONG))
    assert not tells_something(record_of(UserError("x"), REPEATED))
    assert not tells_something(record_of(FailedRun("x"), REPEATED))
