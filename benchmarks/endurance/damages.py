"""Files damaged at random: is each damage told or mended, and nothing damaged used?

    python -m benchmarks.endurance.damages [--damages 1800] [--repairs 30] [--runs 6] [--seed 0]

A store of two runs of dense and cnn on little data. Each time one of its files is damaged: a bit flips, the end is
lost, the file is gone, or it is swapped with one of its kind (with history.csv where there is none). Then the
function of the pipeline that reads such a file is called; what it says, and what it mends, is judged. Nobody reads
reports and pictures: they are made again, many at a time. Some files of trainings are mended by the training's own
code, in this process, and compared to the bit; and whole runs find twenty damages each. Prints what came of them
by kind of file and writes damages.json; ends with 1 if anything damaged was used without a word.
"""

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from benchmarks import common
from benchmarks.endurance.damaged_store import KINDS, Store, damaged
from benchmarks.endurance.stage import digits, put_strangers, strangers_touched
from tasks import files
from tasks.errors import UserError
from tasks.report.history import update_history
from tasks.report.write import write_report
from tasks.results.file import read_results
from tasks.store.ownership import MARKER
from tasks.store.sealed import DamagedError, read_record
from tasks.training import fit
from tasks.training.networks import MODELS
from tasks.training.process import tensorflow_environment
from tasks.training.train import keep_specification
from tests.pipeline_runs import Run, bits_of, bits_of_training, finished, temporary_files

RESULTS = Path(__file__).with_name("damages.json")
FLAGS = ("--models", "dense", "cnn", "--epochs", "2")
DERIVED = ("report.md", "report.html", "comparison.png", "draw.html", "figures/*.png")
REPORTS = 6  # that are damaged all over and made again
DAMAGES_OF_A_RUN = 20
UNNOTICED = "UNNOTICED"


def one_damage(store: Store, kind: str, chance: random.Random) -> tuple[str, bool, str]:
    """Damage a file of a kind and let it be read; return how, whether it was below 4 KiB, and what came of it."""
    paths = store.files_of(kind)
    path, said = chance.choice(paths), []
    before, small = path.read_bytes(), path.stat().st_size < 4096
    others = [other for other in paths if other != path] or [store.copy.root / "history.csv"]
    how = damaged(path, others, chance)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            store.read(path, said.append)
        except (DamagedError, UserError) as error:
            said.append(str(error))
        sound = store.mended(path)
    told = any(path.name in text for text in (*said, printed.getvalue()))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(before)
    shutil.rmtree(store.copy.damaged, ignore_errors=True)
    return how, small, "told" if told else "means the same or mended" if sound else UNNOTICED


def derived_damages(store: Store, chance: random.Random) -> list[tuple[str, bool, str]]:
    """Damage all reports and pictures of a run, and make them again; return what came of each."""
    run = store.copy.latest.resolve()
    paths = [path for pattern in DERIVED for path in sorted(run.glob(pattern))] + [
        store.copy.root / "history.csv"
    ]
    before = {path: path.read_bytes() for path in paths}
    damages = {}
    for path in paths:
        others = [other for other in paths if other != path and other.exists()]
        damages[path] = damaged(path, others, chance)
    results = read_results(run)
    write_report(run, results)
    update_history(run, results)
    same = {path: path.is_file() and path.read_bytes() == before[path] for path in paths}
    return [
        (damages[path], len(before[path]) < 4096, "made again" if same[path] else UNNOTICED) for path in paths
    ]


def retrained(store: Store, chance: random.Random) -> tuple[str, bool, str]:
    """Damage a file of a training of cnn and let the training's own code mend it; return what came of it."""
    store.renew()
    (folder,) = store.copy.trainings.glob("cnn-*/")
    (other,) = store.copy.trainings.glob("dense-*/")
    (prepared,) = store.copy.data.glob("prepared-*.npz")
    path = chance.choice([path for path in sorted(folder.iterdir()) if path.name not in ("log.txt", MARKER)])
    twins = [each for each in sorted(other.iterdir()) if each.suffix == path.suffix]
    small, said = path.stat().st_size < 4096, []
    how = damaged(path, twins, chance)
    specified = store.specifications[folder.name]
    keep_specification(folder, specified, MODELS["cnn"].build, SimpleNamespace(warn=said.append))
    import keras  # it takes seconds

    keras.utils.clear_session()  # as in a process of its own: layers are numbered, and weights named after them
    go = threading.Event()
    go.set()
    arguments = argparse.Namespace(folder=folder, data=prepared, refresh=False)
    fit.train_under_lock(arguments, lambda event, **facts: said.append(json.dumps([event, facts])), go)
    told = any(path.name in text for text in said) or how == "deleted"
    equal = bits_of_training(folder) == bits_of_training(store.sound / "trainings" / folder.name)
    whole = (
        read_record(folder / "training.json", spec=store.specifications[folder.name].to_json()) is not None
    )
    return how, small, "mended, equal to the bit" if told and equal and whole else UNNOTICED


def whole_run(store: Store, flags: tuple[str, ...], chance: random.Random) -> list[tuple[str, bool, str]]:
    """Damage many files, several of one training too, and run; return what came of each."""
    store.renew()
    put_strangers(store.copy.root)
    kinds = {path: kind for kind in KINDS if kind != "marker" for path in store.files_of(kind)}
    damages = []
    for path in chance.sample(sorted(kinds), DAMAGES_OF_A_RUN):
        twins = [each for each in store.files_of(kinds[path]) if each != path]  # that are still there
        others = twins or [store.copy.root / "history.csv"]
        damages.append((path.stat().st_size < 4096, damaged(path, others, chance)))
    run = Run(store.copy.root, flags, store.copy.root.parent / "log")
    well = run.wait() == 0 and "Traceback" not in run.output
    well = well and bits_of(store.copy.root) == bits_of(store.sound)
    well = well and not temporary_files(store.copy.root) + strangers_touched(store.copy.root)
    came = "the run ended well, equal to the bit" if well and not run.leftovers() else UNNOTICED
    if came == UNNOTICED:
        print(run.output)
    return [(how, small, came) for small, how in damages]


def main(*, damages: int = 1800, repairs: int = 30, runs: int = 6, seed: int = 0) -> int:
    """Damage so many files that are read one by one, and more; return the exit code, 1 if one was not noticed."""
    os.environ.update(tensorflow_environment())  # trainings are mended in this process
    chance, begun = random.Random(seed), time.monotonic()
    found: list[tuple[str, str, bool, str]] = []
    with tempfile.TemporaryDirectory(prefix="mnist-pipeline-damages-") as made:
        folder = Path(made) / "sound"
        folder.mkdir()
        flags = (*FLAGS, "--dataset", str(digits(Path(made) / "few.npz")))
        store = Store(finished(folder, flags) and finished(folder, flags), Path(made) / "few.npz")
        while len(found) < damages:
            kind = chance.choice(list(KINDS))
            found.append((kind, *one_damage(store, kind, chance)))
        for _ in range(repairs):
            found.append(("any of a training, mended by its code", *retrained(store, chance)))
        store.renew()
        for _ in range(REPORTS):
            found += [("report, picture, history", *each) for each in derived_damages(store, chance)]
        for _ in range(runs):
            found += [
                ("any but reports, read by a whole run", *each) for each in whole_run(store, flags, chance)
            ]
            print(Counter(each[-1] for each in found), flush=True)
    counts = {
        "damages": len(found),
        "of files below 4 KiB": sum(small for _, _, small, _ in found),
        "how": Counter(how for _, how, _, _ in found),
        "what came of them": {
            kind: Counter(outcome for other, _, _, outcome in found if other == kind)
            for kind in dict.fromkeys(each[0] for each in found)
        },
        "unnoticed": [each for each in found if each[-1] == UNNOTICED],
    }
    print(json.dumps(counts, indent=1))
    hours = round((time.monotonic() - begun) / 3600, 2)
    files.write_json(RESULTS, {**counts, "seed": seed, "hours": hours, **common.circumstances()})
    return 1 if counts["unnoticed"] else 0


if __name__ == "__main__":
    common.run(main)
