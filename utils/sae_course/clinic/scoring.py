"""Scoring a doctor on runs that it has not seen: how often it is right, and what it takes for what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..runs import Run
from ..runtime import CourseError
from . import shelf
from .causes import CAUSES
from .doctor import NOT_SURE

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Doctor = Callable[[Run], str]


@dataclass(frozen=True)
class Score:
    """What a doctor said of runs whose cause is known. Shows itself as a table."""

    truth: tuple[str, ...]
    """The cause of each run: n."""
    said: tuple[str, ...]
    """What the doctor called it: n."""

    @property
    def right(self) -> int:
        """Of how many runs the cause was named; "not sure" is not naming it."""
        return sum(a == b for a, b in zip(self.truth, self.said, strict=True))

    @property
    def accuracy(self) -> float:
        """Share of the runs whose cause was named."""
        return self.right / len(self.truth)

    @property
    def confusion(self) -> "pd.DataFrame":
        """Counts: a row for each true cause, a column for each that was named, "not sure" last."""
        import pandas as pd  # noqa: PLC0415 - half a second

        rows = [cause for cause in CAUSES if cause in self.truth]
        others = [cause for cause in CAUSES if cause in self.said and cause not in rows]
        unsure = [NOT_SURE] if NOT_SURE in self.said else []
        counts = pd.DataFrame(0, index=rows, columns=[*rows, *others, *unsure])
        for cause, said in zip(self.truth, self.said, strict=True):
            counts.loc[cause, said] += 1
        return counts.rename_axis("true cause")

    def worst(self) -> tuple[str, str, int] | None:
        """The most frequent mistake: the true cause, what it was called, how often; None if there is none."""
        wrong = [pair for pair in zip(self.truth, self.said, strict=True) if pair[0] != pair[1]]
        if not wrong:
            return None
        cause, said = max(dict.fromkeys(wrong), key=wrong.count)
        return cause, said, wrong.count((cause, said))

    def figure(self) -> "go.Figure":
        """The confusion matrix."""
        from ..figures.confusion import draw_confusion  # noqa: PLC0415 - plotly

        table = self.confusion
        return draw_confusion(list(table.index), table.to_numpy(), str(self), named=list(table.columns))

    def __str__(self) -> str:
        return f"right on {self.right} of {len(self.truth)} runs ({self.accuracy:.0%})"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>{self.confusion.to_html()}"


def score(doctor: Doctor, part: str = "held out") -> Score:
    """What a doctor makes of the runs of a part of the record.

    Args:
        doctor: from a run to a cause of `causes.CAUSES`, or ``not sure``. It gets sealed runs: metrics and
            histograms, no configuration, and a name that says nothing.
        part: ``held out``: the ward's seven causes at many severities; ``held out, beyond``: the others.

    Raises:
        CourseError: when the doctor names a cause that there isn't, or the record can't be read.
    """
    return judge(doctor, list(shelf.runs(part).items()))


def judge(doctor: Doctor, runs: Sequence[tuple[str, Run]]) -> Score:
    """`score`, on recorded runs of one's choice, by their keys."""
    truth, said = [], []
    for key, run in runs:
        word = doctor(run)
        if word not in CAUSES and word != NOT_SURE:
            raise CourseError(
                f'A doctor names one of the causes ({", ".join(CAUSES)}) or says "{NOT_SURE}", not {word!r}.'
            )
        truth.append(shelf.answers()[key]["cause"])
        said.append(str(word))
    return Score(tuple(truth), tuple(said))
