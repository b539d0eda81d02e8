"""A report: every number of an SAE with its error, and the same number of every baseline beside it."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..runs.view import table
from ..runtime import CourseError, read_json, write_json
from .uncertainty import Estimate, detectable

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

OWN = "SAE"
"""What the SAE itself is called in a report."""
NOT_RUN = "not run"
_FORMAT = 1


class Score(NamedTuple):
    """One number of one dictionary."""

    section: str
    metric: str
    whose: str
    """``SAE``, or a baseline's name."""
    value: float
    """NaN where it wasn't run."""
    error: float
    """Standard error; NaN where it isn't known."""
    samples: str
    """What the error is over."""
    better: int
    """1 where more is better, −1 where less is, 0 where neither is."""
    why: str = ""
    """Why it wasn't run."""

    @property
    def words(self) -> str:
        """``0.887 ± 0.002``, or ``not run``."""
        return NOT_RUN if self.why else str(Estimate(self.value, self.error))


@dataclass(frozen=True, repr=False)
class Report:
    """Of one SAE: a row for each metric, a column for it and for each baseline. Never a blank: see `why`.

    Shows itself as text and table, draws itself (`figure`), and is saved as JSON.
    """

    name: str
    hook_point: str
    model: str
    n_rows: int
    n_tokens: int
    scores: tuple[Score, ...] = field(repr=False)
    details: dict[str, Any] = field(repr=False)
    """By section: all that was measured of the SAE, as plain values."""

    @property
    def metrics(self) -> list[str]:
        """Their names, in order."""
        return list(dict.fromkeys(score.metric for score in self.scores))

    @property
    def run(self) -> list[str]:
        """The metrics of which anything was measured."""
        return [metric for metric in self.metrics if any(not self.of(metric, who).why for who in self.whose)]

    @property
    def whose(self) -> list[str]:
        """The SAE and its baselines, in order."""
        return list(dict.fromkeys(score.whose for score in self.scores))

    def of(self, metric: str, whose: str = OWN) -> Score:
        """One number.

        Raises:
            CourseError: when there is no such metric, or nobody of that name.
        """
        for score in self.scores:
            if (score.metric, score.whose) == (metric, whose):
                return score
        if metric not in self.metrics:
            raise CourseError(f'The report has no metric "{metric}": it has {", ".join(self.metrics)}.')
        raise CourseError(f'The report knows no "{whose}": it knows {", ".join(self.whose)}.')

    def why(self) -> dict[str, str]:
        """What wasn't run, and the reason: "metric, whose" → why."""
        return {f"{score.metric}, {score.whose}": score.why for score in self.scores if score.why}

    def detectable(self, metric: str, whose: str) -> float:
        """The smallest difference between the SAE and a baseline that this report would have noticed.

        From both errors as if they were independent; pairs of one sample would tell a little more.
        """
        errors = [self.of(metric, one).error for one in (OWN, whose)]
        return detectable(math.hypot(*(0.0 if math.isnan(error) else error for error in errors)))

    def frame(self) -> "pd.DataFrame":
        """A row for each number; the columns are the fields of `Score`."""
        import pandas as pd  # noqa: PLC0415 - half a second

        return pd.DataFrame(self.scores)

    @property
    def table(self) -> "pd.DataFrame":
        """In words: a row for each metric that was run, a column for the SAE and each baseline."""
        import pandas as pd  # noqa: PLC0415 - half a second

        cells = {who: [self.of(metric, who).words for metric in self.run] for who in self.whose}
        return pd.DataFrame(cells, index=pd.Index(self.run, name="metric"))

    def figure(self, title: str | None = None) -> "go.Figure":
        """Each metric that lies between 0 and 1, of the SAE, and of its baselines in grey.

        Args:
            title: the finding; the SAE's name when not given.
        """
        from ..figures.scorecard import draw_report  # noqa: PLC0415 - plotly

        shown = [score for score in self.scores if not math.isnan(score.value) and 0 <= score.value <= 1]
        shares = [metric for metric in self.metrics if self._is_share(metric)]
        return draw_report(
            shares,
            {
                who: {s.metric: (s.value, s.error) for s in shown if s.whose == who and s.metric in shares}
                for who in self.whose
            },
            OWN,
            title or f"{self.name} beside its baselines, on {self.n_tokens:,} tokens",
            lower=[s.metric for s in shown if s.better < 0],
        )

    def _is_share(self, metric: str) -> bool:
        own = self.of(metric)
        return own.better != 0 and 0 <= own.value <= 1

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        whole = asdict(self) | {
            "format": _FORMAT,
            "scores": [
                {key: _plain(value) for key, value in score._asdict().items()} for score in self.scores
            ],
        }
        return {key: whole[key] for key in ("format", *[name for name in whole if name != "format"])}

    def save(self, path: Path | str) -> Path:
        """Write it as JSON, whole or not at all."""
        place = Path(path)
        write_json(place, self.as_dict())
        return place

    @classmethod
    def load(cls, path: Path | str) -> "Report":
        """A saved one.

        Raises:
            CourseError: when there is none, or the file is something else.
        """
        place = Path(path)
        if not place.is_file():
            raise CourseError(f"There is no report at {place}.")
        return cls.from_dict(read_json(place))

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Report":
        """From `as_dict`.

        Raises:
            CourseError: when that is no report of this format.
        """
        if not isinstance(saved, dict) or saved.get("format") != _FORMAT:
            raise CourseError("That is no report of this version of the course: make it again.")
        given = {key: value for key, value in saved.items() if key != "format"}
        scores = tuple(
            Score(**(one | {key: _number(one[key]) for key in ("value", "error")})) for one in given["scores"]
        )
        return cls(**(given | {"scores": scores}))

    def __str__(self) -> str:
        lines = [self._head()]
        for metric in self.run:
            cells = [f"{who} {self.of(metric, who).words}" for who in self.whose]
            lines.append(f"{metric}: {', '.join(cells)}")
        return "\n  ".join([*lines, *self._foot()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = {metric: [self.of(metric, who).words for who in self.whose] for metric in self.run}
        return "<br>".join([self._head(), table(self.whose, rows), *self._foot()])

    def _head(self) -> str:
        return (
            f"{self.name}: {self.hook_point} of {self.model}, {self.n_rows:,} rows, {self.n_tokens:,} tokens"
        )

    def _foot(self) -> list[str]:
        """Each reason once, with all that it is a reason for."""
        reasons: dict[str, list[str]] = {}
        for metric in self.metrics:
            for who in self.whose if metric in self.run else self.whose[:1]:
                if why := self.of(metric, who).why:
                    reasons.setdefault(why, []).append(f"{metric} ({who})" if metric in self.run else metric)
        return [f"{NOT_RUN}, {why}: {_short(what)}" for why, what in reasons.items()]


def _short(what: Sequence[str]) -> str:
    return ", ".join(what) if len(what) <= 3 else f"{', '.join(what[:2])} and {len(what) - 2} more"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
