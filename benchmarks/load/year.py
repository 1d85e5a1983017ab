"""A year of nights: how large do Prefect's database and the artifacts folder become, with and without retention?

    python -m benchmarks.load.year [--nights 365] [--keep 30]

The real flow with the networks and the kinds of gates of `nightly`, against a real server on SQLite, but all in
this process, without a worker. The first night trains (on 500 images, each network with all its epochs), the
others reuse that, as nights without a change do. As their pictures are the first night's, they are copied; the
trend is drawn every night. Then the nights are made as old as they would be, and the server's vacuum and
`housekeeping --keep` do their work, once. Prints what was measured and writes it to benchmarks/load/year.json.
"""

import json
import os
import shutil
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks import common
from benchmarks.load.sweep import megabytes
from tasks.files import write_json
from tasks.housekeeping import keep_house
from tasks.store.layout import Artifacts, held_until_the_end
from tests.prefect_server import Server, database, make_older, server, until

RESULTS = Path(__file__).with_name("year.json")
CHECKPOINTS = (1, 30, 90, 180, 365)
RECORDS = ("flow_run", "task_run", "flow_run_state", "task_run_state", "log", "artifact", "events")


def night(artifacts: Path, pictures: Path) -> None:
    """Run the flow once; draw its pictures only if the folder `pictures` does not have them."""
    from flows.mnist_pipeline import mnist_pipeline
    from tasks.report import figures, write

    def draw_or_copy(run_folder: Path, results: Any) -> list[Path]:
        if not pictures.exists():
            drawn = figures.draw_figures(run_folder, results)
            for path in drawn:
                kept = pictures / path.relative_to(run_folder)
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, kept)
        shutil.copytree(pictures, run_folder, dirs_exist_ok=True)
        return []

    write.draw_figures = draw_or_copy  # type: ignore[attr-defined]
    floors = dict.fromkeys(("dense", "cnn", "regularized_cnn"), 0.05)
    state = mnist_pipeline(
        train_samples=500,
        min_test_accuracy=floors,
        max_accuracy_drop=0.002,
        artifacts_dir=str(artifacts),
        return_state=True,
    )
    held_until_the_end.close()  # as if the process of that night had ended
    assert state.is_completed(), state.message


def prefect_settings(made: Server) -> AbstractContextManager[object]:
    """Let flows of this process use the server, and its home instead of this machine's."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    home = made.environment["PREFECT_HOME"]
    return temporary_settings({PREFECT_API_URL: made.api_url, PREFECT_HOME: home})


def sizes(folder: Path) -> dict[str, Any]:
    """Return the sizes of the database's content and of the artifacts folder, and how many records there are."""
    artifacts = folder / "artifacts"
    with database(folder) as connection:
        one = lambda query: connection.execute(query).fetchone()[0]  # noqa: E731
        pages = one("PRAGMA page_count") - one("PRAGMA freelist_count")
        used = pages * one("PRAGMA page_size") / 1e6
        counts = {table: one(f"SELECT count(*) FROM {table}") for table in RECORDS}
    return {
        "database_megabytes": used,
        "runs_megabytes": megabytes(artifacts.glob("runs/**/*")),
        "trainings_and_data_megabytes": megabytes(
            [*artifacts.glob("trainings/**/*"), *artifacts.glob("data/*")]
        ),
        "history_csv_megabytes": megabytes([artifacts / "history.csv"]),
        "records": counts,
    }


def too_old(folder: Path) -> list[int]:
    """Return how many runs, events and artifacts are there that prefect.toml's times do not allow."""
    queries = (
        "SELECT count(*) FROM flow_run WHERE end_time < datetime('now', '-90 days')",
        "SELECT count(*) FROM events WHERE occurred < datetime('now', '-7 days')",
        "SELECT count(*) FROM artifact WHERE flow_run_id NOT IN (SELECT id FROM flow_run)",
    )
    with database(folder) as connection:
        return [connection.execute(query).fetchone()[0] for query in queries]


def measure(folder: Path, nights: int, keep: int) -> dict[str, Any]:
    """Run the nights and return the sizes after some of them, and after retention."""
    artifacts = folder / "artifacts"
    (artifacts / "data").mkdir(parents=True)
    shutil.copy(common.mnist(), artifacts / "data" / "mnist.npz")
    began, ended, found = [], [], {}
    with server(folder) as made, prefect_settings(made):
        for number in range(1, nights + 1):
            began.append(time.time())
            night(artifacts, folder / "pictures")
            ended.append(time.time())
            print(f"night {number}: {ended[-1] - began[-1]:.1f} s", flush=True)
            if number in {*CHECKPOINTS, nights}:
                time.sleep(10)  # events are written a few seconds later
                found[f"after {number} nights"] = sizes(folder)
    for number, start in enumerate(began):
        make_older(folder, days=nights - number, since=start, before=[*began, time.time()][number + 1])
    with server(folder, PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS="10") as made:
        until(lambda: not any(too_old(folder)), made.log)
    keep_house(Artifacts(artifacts), keep=keep)
    found[f"after {nights} nights, with retention"] = sizes(folder)
    file = megabytes([folder / "prefect" / "prefect.db"])
    with database(folder) as connection:
        connection.execute("VACUUM")
    found["database_file_megabytes"] = {
        "before VACUUM": file,
        "after VACUUM": sizes(folder)["database_megabytes"],
    }
    seconds = [end - start for start, end in zip(began, ended, strict=True)]
    found["seconds_per_night"] = {"second": seconds[1], "last": seconds[-1]}
    return found | {"keep": keep} | common.circumstances()


def main(*, nights: int = 365, keep: int = 30) -> None:
    """Measure in a folder that is removed afterwards; keep the numbers."""
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-year-") as folder:
        os.environ["MNIST_PIPELINE_SLOTS"] = f"{folder}/slots"  # not to wait for another process's trainings
        measured = measure(Path(folder), nights, keep)
    measured = json.loads(json.dumps(measured), parse_float=lambda text: round(float(text), 3))
    write_json(RESULTS, measured)
    print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    common.run(main)
