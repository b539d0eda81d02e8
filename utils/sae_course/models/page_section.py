"""One model's part of the page: what its card says, its loss curve, its pictures and its samples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .batches import DRILL_EVERY, DRILLS_FIRST, FIRST_PERIODS
from .card_view import architecture, duration, size
from .cards import Behaviour, Card, amount
from .page_sampling import Told

if TYPE_CHECKING:
    import plotly.graph_objects as go


_DATA = {
    "stories": "stories",
    "stories and drills": "stories and drills (random words, repeated)",
    "othello": "random Othello games",
    "text": "a text",
}
_READING = {
    "stories and drills": (
        f" The first {DRILLS_FIRST} steps read nothing but drills of at most {FIRST_PERIODS} words; then one "
        f"row in {DRILL_EVERY} is a drill."
    ),
    "othello": (
        " Its targets are the true distribution of the next move, uniform over the legal ones: the gradient "
        "that predicting the move which was drawn has on average, with less noise."
    ),
}


@dataclass(frozen=True)
class Picture:
    """A figure with its place on the page."""

    name: str
    """Of the file, without the model's name before it and ``.png`` behind."""
    figure: "go.Figure"
    alt: str
    """For who can't see it."""
    note: str
    """What was measured, on what; Markdown."""


@dataclass(frozen=True)
class Findings:
    """What the page's run finds out about one model."""

    pictures: list[Picture] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)
    """Lines of Markdown: ten stories or ten games."""


def section(card: Card, findings: Findings, folder: str) -> list[str]:
    """The model's part, as lines of Markdown.

    Args:
        folder: of the pictures, as seen from the page.
    """
    lines = [f"## {card.name}", "", f"Stands in for {card.stands_in_for}.", "", f"{_facts(card)}", ""]
    lines += [*_behaviours(card), ""]
    for picture in findings.pictures:
        path = f"{folder}/{card.name}-{picture.name}.png"
        lines += [f"![{picture.alt}]({path})", "", picture.note, ""]
    return [*lines, *findings.samples]


def _facts(card: Card) -> str:
    training = card.training
    return (
        f"{architecture(card)}, vocabulary {card.spec.d_vocab:,}: {card.parameters:,} parameters, "
        f"{size(card.weights_bytes)} in {card.dtype} (SHA-256 `{card.weights_sha256[:16]}…`). "
        f"`{training.command}` trained it on {training.tokens / 1e6:.1f} million tokens of "
        f"{_DATA[card.spec.data]} "
        f"(seed {card.spec.training.seed}, {card.spec.training.steps:,} steps), which took "
        f"{duration(training.seconds)} ({training.machine}, {_threads(training.threads)}, torch "
        f"{training.torch}).{_READING.get(card.spec.data, '')}"
    )


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _behaviours(card: Card) -> list[str]:
    lines = [
        "| measured | value | target | reached? | random weights | what it is | on |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in card.behaviours:
        control = "" if one.control is None else amount(one.control, one.unit)
        cells = (
            one.name,
            amount(one.value, one.unit),
            goal(one),
            _verdict(one),
            control,
            one.what,
            one.sample,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if missed := [one for one in card.behaviours if one.reached is False]:
        told = "; ".join(f"{one.name} is {amount(one.value, one.unit)}, not {goal(one)}" for one in missed)
        lines += ["", f"**Missed:** {told}."]
    return lines


def goal(one: Behaviour) -> str:
    """``≥ 95.0 %``, or nothing where there is no target."""
    if one.target is None:
        return ""
    return f"{'≥' if one.better == '>=' else '≤'} {amount(one.target, one.unit)}"


def _verdict(one: Behaviour) -> str:
    return {True: "yes", False: "**missed**", None: ""}[one.reached]


def stories_told(stories: Sequence[Told], temperature: float, length: int) -> list[str]:
    """The generations as Markdown, what was given in bold."""
    lines = [
        f"Ten stories. In bold the opening of a held-out story (the first ten, none left out); the rest is "
        f"the model's, drawn at temperature {temperature:g}, up to {length} tokens (then “…”).",
        "",
    ]
    for number, told in enumerate(stories, start=1):
        rest = told.rest + ("" if told.ended else " …")
        lines.append(f"{number}. **{_plain(told.opening)}**{_plain(rest)}")
    return lines


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing to do."""
    for sign in "\\`*_<>[]|":
        text = text.replace(sign, f"&#{ord(sign)};")
    return text
