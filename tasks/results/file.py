"""results.json in a run folder: written sealed, read and checked, and its JSON Schema."""

import json
from pathlib import Path

from pydantic import ValidationError

from tasks.errors import UserError
from tasks.files import digest_of, read_json, write_json
from tasks.results.run import SCHEMA_VERSION, Results

RESULTS = "results.json"  # in a run folder


class OtherVersionError(UserError):
    """Results of another version of the program."""


def write_results(run_folder: Path, results: Results) -> None:
    """Write results.json, sealed with a digest of its own."""
    content = results.model_dump(mode="json")
    write_json(run_folder / RESULTS, {**content, "digest": digest_of(content)})


def read_results(run_folder: Path) -> Results:
    """Return the results of a run. Raises UserError if there are none that this version can read.

    That is an OtherVersionError if another version of the program wrote them.
    """
    path = run_folder / RESULTS
    advice = "expected a run folder, for example artifacts/latest"
    if not path.is_file():
        raise UserError(
            f"{run_folder} holds no {RESULTS}, as of a run that goes on or was stopped; {advice}."
        )
    try:
        content = read_json(path)
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        version = content.get("schema_version")
        if version != SCHEMA_VERSION:
            raise OtherVersionError(
                f"{path} is of schema version {version}, and this version of the program reads {SCHEMA_VERSION}. "
                "Run the pipeline again to make the run anew."
            )
        if content.pop("digest", None) != digest_of(content):
            raise ValueError("it does not agree with its own digest")
        return Results.model_validate(content)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({reason_of(error)}); {advice}.") from error


def read_own_results(run_folder: Path) -> Results:
    """Return the results of a run among others. Raises UserError also if they are sound, but another run's."""
    results = read_results(run_folder)
    if results.provenance.run != run_folder.name:
        raise UserError(f"{run_folder / RESULTS} holds the results of another run, {results.provenance.run}.")
    return results


def reason_of(error: Exception) -> str:
    """Return in a few words what is wrong with a file."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error) or type(error).__name__


def json_schema() -> str:
    """Return the JSON Schema of results.json, as it is kept in docs/results.schema.json (`make schema`)."""
    return json.dumps(Results.model_json_schema(mode="serialization"), indent=1) + "\n"
