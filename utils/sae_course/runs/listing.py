"""The runs in a folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..runtime import CourseError
from .files import RUN
from .metrics import short
from .run import Run


@dataclass(frozen=True)
class Runs:
    """Several runs, by name. Show themselves as a table, a row each."""

    runs: tuple[Run, ...]
    unreadable: tuple[str, ...] = ()
    """What is wrong with the runs that can't be loaded, one message each."""

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, which: int | str) -> Run:
        """By place, or by name. Raises CourseError for a name that no run, or more than one, has."""
        if isinstance(which, int):
            return self.runs[which]
        found = [run for run in self.runs if run.name == which]
        if len(found) == 1:
            return found[0]
        places = ", ".join(str(run.folder) for run in found)
        names = ", ".join(run.name for run in self.runs) or "none"
        raise CourseError(
            f'Several runs are called "{which}" ({places}): load the one you mean.'
            if found
            else f'There is no run "{which}" here. There are: {names}.'
        )

    def __str__(self) -> str:
        if not self.runs and not self.unreadable:
            return "no runs"
        return "\n".join([*map(str, self.runs), *(f"✘ {words}" for words in self.unreadable)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .view import main, number, table  # noqa: PLC0415

        if not self.runs and not self.unreadable:
            return "no runs"
        values = [main(run) for run in self.runs]
        names = list(dict.fromkeys(name for value in values for name in value))
        rows = {
            run.name if run.folder is None else str(run.folder.name): [
                run.status,
                *(number(value.get(name, float("nan"))) for name in names),
            ]
            for run, value in zip(self.runs, values, strict=True)
        }
        wrong = "".join(f"<br>✘ {escape(words)}" for words in self.unreadable)
        return table(["", *map(short, names)], rows) + wrong


def list_runs(folder: str | Path) -> Runs:
    """The runs in the folders below one. One that can't be loaded doesn't hide the others.

    Raises:
        CourseError: when there is no such folder, or it can't be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise CourseError(f"{folder} {what}: list_runs looks for runs in the folders below a folder.")
    found, unreadable = [], []
    try:
        places = sorted(path.parent for path in folder.rglob(f"*/{RUN}"))
    except OSError as error:
        raise CourseError(f"{folder} can't be read ({error.strerror or error}).") from error
    for place in places:
        try:
            run = Run.load(place)
            _ = run.final  # of an unfinished run: reads its lines, so that the table can be shown
            found.append(run)
        except CourseError as error:
            unreadable.append(str(error))
    return Runs(tuple(found), tuple(unreadable))
