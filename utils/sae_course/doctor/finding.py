"""One line of the doctor's report."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "fail"]
MARKS: dict[Status, str] = {"ok": "✔", "note": "!", "fail": "✘"}
WIDTH = 16


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do."""

    status: Status
    """``ok``; ``note``: the course runs, but you may want to know; ``fail``: the course can't run,
    or couldn't keep your work."""
    name: str
    """What was looked at, in a word or two."""
    text: str
    """What was found."""
    advice: str = ""
    """What to do about it; empty when there is nothing to do."""

    @property
    def mark(self) -> str:
        """``✔``, ``!`` or ``✘``."""
        return MARKS[self.status]

    def __str__(self) -> str:
        advice = f": {self.advice}" if self.advice else ""
        return f"{self.mark} {self.name:<{WIDTH}} {self.text}{advice}"
