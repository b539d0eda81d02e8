"""What each chapter reads from the hub at full scale."""

import re
from dataclasses import dataclass

from ...models.names import MODELS
from ...models.streams import HELD_OUT
from ...runtime import CourseError
from .. import gemma, induction, othello
from ..preset_values import PRESETS
from ..published import PUBLISHED

_ROUNDED = 1_000
_AHEAD = 1_000
"""Rows that a mixed stream holds in memory (`models.streams`)."""
_NORM_BATCHES = 100
"""From which a run estimates its activations' mean norm (`presets`)."""


@dataclass(frozen=True)
class Reads:
    """A published model, and rows of the tokens that go with it."""

    model: str
    rows: int
    """The first 2,000 are the test split."""


def training_rows(preset: str, tokens: int) -> int:
    """Rows of a dataset that a training at full scale reads, held-out rows included; rounded up.

    A full buffer and the estimate of the norm are read beyond the tokens that are trained on.
    """
    wanted = PRESETS[preset]
    at = wanted.full
    positions = len(range(at.context)[slice(*wanted.settings.get("seqpos_slice", (None,)))])
    rows = -(-(tokens + _NORM_BATCHES * at.batch) // positions) + 2 * at.buffer + _AHEAD
    return HELD_OUT + -(-rows // _ROUNDED) * _ROUNDED


def _share(preset: str, parts: int = 1) -> int:
    return training_rows(preset, PRESETS[preset].full.tokens // parts)


def chapters() -> dict[str, tuple[Reads, ...]]:
    """Each chapter's models, with as many rows as its notebook trains and measures on at full scale."""
    stories = Reads("tiny-stories-1L-21M", _share("tinystories"))
    attention = Reads("attn-only-2l-demo", _share("attn-only-2l", induction.InductionConfig().live_share))
    games = Reads("othello-gpt", _share("othello-resid", othello.OthelloConfig().live_share))
    text = Reads("gemma-2-2b", training_rows("gemma", gemma.GemmaConfig().live_tokens))
    held_out = Reads("tiny-stories-1L-21M", HELD_OUT + _ROUNDED)
    return {
        "01": (),
        "02a": (),
        "02b": (),
        "03a": (stories,),
        "03b": (stories,),
        "04": (),
        "05": (attention, held_out),
        "06": (games,),
        "07": (text,),
        "08": (held_out,),
    }


def published_of(chapter: str) -> list[str]:
    """The presets of which a chapter (``03b``; ``03`` is both) reads published SAEs."""
    # Whoever reads 03a goes on to 03b, whose they are; chapter 08 measures what 03 ends with.
    measured = {"08": ("03b",)}.get(chapter, (chapter,))
    wanted = {one[:2] for one in measured}
    return [preset for preset, one in PUBLISHED.items() if one.chapter[:2] in wanted]


def numbers(asked: tuple[str, ...]) -> list[str]:
    """The chapters that are meant: ``3`` and ``03`` are 03a and 03b; all when none is named.

    Raises:
        CourseError: for a chapter that there isn't.
    """
    there = chapters()
    if not asked:
        return list(there)
    found = []
    for text in asked:
        match = re.fullmatch(r"0?(\d)([a-z]?)(_\w*)?", text.strip().lower())
        wanted = f"0{match[1]}{match[2]}" if match else ""
        fitting = [one for one in there if one == wanted or (one[:2] == wanted and one[2:])]
        if not fitting:
            raise CourseError(f'There is no chapter "{text}": there are {", ".join(there)}.')
        found += fitting
    return sorted(set(found))


def together(chosen: list[str], rows: int | None = None) -> list[Reads]:
    """What these chapters read, each model once, with the most rows that one of them asks for.

    Args:
        rows: of each dataset, in place of the chapters' own numbers.

    Raises:
        CourseError: for fewer rows than are held out.
    """
    if rows is not None and rows <= HELD_OUT:
        raise CourseError(
            f"--rows is {rows:,}, and the first {HELD_OUT:,} rows are the test split: ask for more."
        )
    most: dict[str, int] = {}
    for number in chosen:
        for one in chapters()[number]:
            most[one.model] = max(most.get(one.model, 0), one.rows)
    return [Reads(model, rows or most[model]) for model in MODELS if model in most]
