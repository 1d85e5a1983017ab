"""Artifacts in the Prefect UI: what they show lies on disk too, so a failing upload is a warning, no more."""

import contextlib
from collections.abc import Iterator

import httpx
from prefect import get_run_logger
from prefect.exceptions import PrefectException

from tasks.errors import explain

# The client raises RuntimeError where it gives up reaching the API.
UPLOAD_ERRORS = (httpx.HTTPError, PrefectException, RuntimeError)


@contextlib.contextmanager
def uploading(written: str) -> Iterator[None]:
    """Turn a failing upload into a warning; `written` says what lies on disk: "the report is written"."""
    try:
        yield
    except UPLOAD_ERRORS as error:
        get_run_logger().warning("%s, but Prefect did not take it: %s", written, explain(error))
