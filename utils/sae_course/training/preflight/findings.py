"""What the pre-flight check found: data that shows itself in a terminal, a notebook and as a dictionary."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal, get_args

from ...runtime import CourseError

Severity = Literal["stops", "wastes", "notice"]
MARKS: dict[Severity, str] = {"stops": "✘", "wastes": "!", "notice": "·"}
WIDTH = 100
NOTHING = "✔ Nothing found that would stop or waste this run."


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a configuration, and what to write instead."""

    code: str
    """Short and stable, such as ``hook-unknown``."""
    severity: Severity
    """``stops``: the run fails, at its start, later, or when its SAE is used; ``wastes``: it ends with a
    worse SAE than it need, or with figures that mean nothing; ``notice``: perhaps it is meant."""
    what: str
    """What was found, with the values seen."""
    why: str
    """Why it matters."""
    change: str
    """What to write in the configuration."""

    def __str__(self) -> str:
        head = f"{MARKS[self.severity]} {self.code} ({self.severity}): {self.what}"
        lines = (head, self.why, f"Change: {self.change}")
        return "\n".join(
            textwrap.fill(
                line,
                WIDTH,
                initial_indent="" if line is head else "  ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for line in lines
        )


@dataclass(frozen=True)
class Report:
    """The findings, the worst first; empty, and true, where a configuration is sound."""

    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, found: Iterator[Finding] | list[Finding]) -> "Report":
        order = get_args(Severity)
        return cls(tuple(sorted(found, key=lambda finding: order.index(finding.severity))))

    @property
    def ok(self) -> bool:
        """Whether nothing stops or wastes the run; there may be notices."""
        return all(finding.severity == "notice" for finding in self.findings)

    def __bool__(self) -> bool:
        return self.ok

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def codes(self) -> list[str]:
        """The codes of the findings, in order."""
        return [finding.code for finding in self.findings]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"ok": self.ok, "findings": [asdict(finding) for finding in self.findings]}

    def raise_if_stops(self) -> None:
        """
        Raises:
            CourseError: that lists the findings that stop the run, if there are any.
        """
        stops = [finding for finding in self.findings if finding.severity == "stops"]
        if stops:
            things = "One thing stops" if len(stops) == 1 else f"{len(stops)} things stop"
            raise CourseError("\n".join([f"{things} this run before it can give an SAE.", *map(str, stops)]))

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.findings)) if self.findings else NOTHING

    def _repr_html_(self) -> str:
        if not self.findings:
            return f"<p>{NOTHING}</p>"
        left = ' style="text-align:left; vertical-align:top"'
        head = "".join(f"<th{left}>{name}</th>" for name in ("", "found", "why it matters", "change"))
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td{left}>{cell}</td>"
                for cell in (
                    MARKS[finding.severity],
                    f"<b>{escape(finding.code)}</b> ({finding.severity})<br>{escape(finding.what)}",
                    escape(finding.why),
                    escape(finding.change),
                )
            )
            + "</tr>"
            for finding in self.findings
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
