"""New anonymous patients for a workshop: drawn from a seed, trained, sealed; their answers lie apart."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..runs import Run
from ..runs.files import HISTOGRAMS, METRICS, RUN
from ..runs.view import duration
from ..runtime import CourseError, home, locking, write_atomic, write_json
from . import archive, pool
from .causes import CAUSES, HEALTHY
from .draw import Drawn, draw
from .reference import NOTE, reference


@dataclass(frozen=True)
class Made:
    """Where a set is. Shows itself as text."""

    folder: Path
    answers: Path
    names: tuple[str, ...]

    def __str__(self) -> str:
        first = next(name for name in self.names if name != HEALTHY)
        return (
            f"{len(self.names) - 1} patients and a healthy run are in {self.folder}, the answers in "
            f"{self.answers}.\nTo begin with: sae-course runs {self.folder / HEALTHY} {self.folder / first}"
        )


def new_patients(
    seed: int,
    folder: Path | str | None = None,
    *,
    patients: int = 6,
    kinds: Sequence[str] = (),
    answers: Path | str | None = None,
    jobs: int | None = None,
) -> Made:
    """Train a set of patients, and write their sealed runs and, apart from them, the answers.

    A run in the folder is curves and histograms under a name that says nothing. Stopped at any moment, the
    same call goes on; on a CPU, where all is trained, the same seed gives the same numbers.

    Args:
        seed: of the draw, and through it of every training.
        folder: that holds nothing yet; ``clinic-SEED`` in the working folder if not given.
        patients: 1 to 12.
        kinds: causes to draw from; all if none is given.
        answers: a file outside the folder; ``clinic-SEED-answers.json`` if not given.
        jobs: processes at once, one thread each; as many as there are cores if not given.

    Raises:
        CourseError: for a set that can't be drawn, a place that is taken or can't be written, and whatever
            can go wrong in training.
        KeyboardInterrupt: when it was interrupted; what was trained is kept.
    """
    everything = draw(seed, patients, kinds)
    folder = Path(f"clinic-{seed}") if folder is None else Path(folder)
    answers = Path(f"clinic-{seed}-answers.json") if answers is None else Path(answers)
    if answers.resolve().is_relative_to(folder.resolve()):
        raise CourseError(f"{answers} is in {folder}, where the patients will lie: name a file outside it.")
    scratch = home() / "clinic" / f"new-{seed}-{_digest(everything)}"
    with locking.exclusive(scratch.with_name(f".{scratch.name}.lock"), f"The set of seed {seed}"):
        complete = scratch / "answers.json"
        if not complete.exists():  # where it does, a call was stopped between writing and tidying up
            _check_free(folder, answers)
            _train(everything, scratch, jobs or pool.cores())
        runs = _alike({one.name: Run.load(trained(scratch, one)) for one in everything}, scratch)
        found = {"seed": seed, "answers": {one.name: _answer(one, runs[one.name]) for one in everything}}
        write_json(complete, found)
        _put_answers(complete, answers)
        _put_runs(runs, folder)
        shutil.rmtree(scratch)
    return Made(folder, answers, tuple(runs))


def _train(everything: list[Drawn], scratch: Path, jobs: int) -> None:
    """Train what isn't trained yet. Says how far it is, and nothing that tells one run from another."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is in it says all
    todo = [one for one in everything if not (trained(scratch, one) / RUN).exists()]
    # The slow one first, so that the processes end together.
    todo.sort(key=_seconds, reverse=True)
    jobs = min(jobs, max(1, len(todo)))
    seconds = max([0.0, *map(_seconds, todo), sum(map(_seconds, todo)) / jobs])
    done = len(everything) - len(todo)
    ahead = f" The others take about {duration(seconds)}, {jobs} at a time on quiet cores." if todo else ""
    print(f"{done} of {len(everything)} runs are trained.{ahead}", flush=True)
    begun = time.monotonic()
    for _ in pool.in_processes(partial(train_one, scratch=scratch), todo, jobs):
        done += 1
        passed = duration(time.monotonic() - begun)
        print(f"{done} of {len(everything)} runs are trained ({passed}).", flush=True)


def _seconds(one: Drawn) -> float:
    """That training takes about, on a quiet core, with a process's beginning."""
    from .patients import RECIPES  # noqa: PLC0415 - only here

    width = RECIPES[one.cause].settings(one.severity).get("d_sae", 512)
    return 30 + max(0, width - 512) * 0.025


def trained(scratch: Path, one: Drawn) -> Path:
    """Where a set's sealed run lies until all of them are there."""
    return scratch / "sealed" / one.name


def train_one(one: Drawn, scratch: Path) -> None:
    """Train a run of a set on the CPU, on one thread, and seal it; stopped, the same call goes on."""
    import torch  # noqa: PLC0415 - a second

    from .patients import train_patient  # noqa: PLC0415

    torch.set_num_threads(1)
    place, goal = scratch / one.name, trained(scratch, one)
    run = train_patient(one.cause, one.seed, one.severity, place, device="cpu")
    shutil.rmtree(goal, ignore_errors=True)  # half-written by a call that was killed
    seal(run, one.name).save(goal)
    shutil.rmtree(place)


def seal(run: Run, name: str) -> Run:
    """A run as it is handed out, `archive.sealed`; marked as one of a set, so that it is known again."""
    role = "healthy" if name == HEALTHY else "patient"
    return replace(archive.sealed(run, name), notes={NOTE: {"is": role}})


def _alike(runs: dict[str, Run], scratch: Path) -> dict[str, Run]:
    """The runs with no other metrics than the healthy one has, of 32 bits, in one order: the record's format.

    Another architecture has metrics of its own, and what was computed afterwards has more digits.
    """
    shown = set(runs[HEALTHY].final) | {"step"}
    same = {}
    for name, run in runs.items():
        lines = [{key: line[key] for key in line if key in shown} for line in run.lines_of(METRICS)]
        same[name] = replace(run, lines={METRICS: lines, HISTOGRAMS: list(run.lines_of(HISTOGRAMS))})
    archive.write(scratch / "tables", same)
    read = archive.read(scratch / "tables")
    return {name: replace(run, notes=runs[name].notes) for name, run in read.items()}


def _answer(one: Drawn, run: Run) -> dict[str, Any]:
    """What a run was trained with, and what the reference doctor says of it."""
    from .doctor import diagnose  # noqa: PLC0415
    from .patients import changed  # noqa: PLC0415

    beside = reference(run)
    opinion = diagnose(run, None if beside is None else beside.runs)
    rows = changed(one.cause, one.seed, one.severity)
    return {
        **asdict(one),
        "was": CAUSES[one.cause].was,
        "changed": {name: value for name, (value, _) in rows.items()},
        "doctor": {
            "said": opinion.cause,
            "right": opinion.cause == one.cause,
            "why": str(opinion).splitlines(),
        },
    }


def _digest(everything: list[Drawn]) -> str:
    """Tells one set from another of the same seed."""
    return hashlib.sha256(json.dumps([asdict(one) for one in everything]).encode()).hexdigest()[:8]


def _check_free(folder: Path, answers: Path) -> None:
    """See, before an hour's walk for nothing, that both can be written, and neither is there."""
    if answers.exists():
        raise _taken(answers)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise _taken(folder)
    for place in (folder, answers.parent):
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise _refused(place, error) from error


def _put_answers(source: Path, answers: Path) -> None:
    if not answers.exists():
        write_atomic(answers, source.read_bytes())
    elif answers.read_bytes() != source.read_bytes():
        raise _taken(answers)


def _put_runs(runs: dict[str, Run], folder: Path) -> None:
    """All of them at once: the folder holds the whole set, or none of it."""
    making = folder.with_name(f".{folder.name}.making")
    try:
        shutil.rmtree(making, ignore_errors=True)
        for name, run in runs.items():
            run.save(making / name)
        if folder.is_dir() and any(folder.iterdir()):
            if _contents(folder) != _contents(making):
                raise _taken(folder)
            shutil.rmtree(making)
            return
        if folder.exists():
            folder.rmdir()  # Windows renames over nothing that is there
        os.rename(making, folder)
    except OSError as error:
        raise _refused(folder, error) from error


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def _taken(place: Path) -> CourseError:
    what = "holds something" if place.is_dir() else "is there"
    return CourseError(
        f"{place} {what} already, and nothing is overwritten: name another place with --folder and "
        "--answers, or take it away."
    )


def _refused(place: Path, error: OSError) -> CourseError:
    return CourseError(
        f"{place} can't be written ({error.strerror or error}): name another place with --folder and "
        "--answers."
    )
