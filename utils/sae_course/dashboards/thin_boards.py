"""A latent's boards in a notebook: text in tables, which needs no script.

Where styles are dropped (GitHub), the words and signs still say all: the last move stands above the board,
the discs it turned are underlined. The boards have a light background of their own: on a dark one, black
discs would look white.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data.othello.board import show
from ..data.othello.vocabulary import SQUARES
from .thin import Cell, Drawing, at, table
from .tokens import TokenNames, html_token

if TYPE_CHECKING:
    from .examples import Board, Example
    from .numbers import LatentNumbers
    from .probes import ProbeCosines

_STRONGEST, _ACROSS, _SQUARES = 6, 3, 5
_PRE = (
    "margin:0;padding:4px 6px;line-height:1.25;background:#f3f3f3;color:#000;"
    "font-family:Consolas,Menlo,'DejaVu Sans Mono',monospace"
)
_MOVED, _TURNED = "mediumseagreen", "yellowgreen"  # the page's own


def board(position: "Board") -> Cell:
    """A board as the engine shows it, with the last move and the discs it turned marked."""
    legal = sum(1 << square for square in position.legal)
    head, *lines = (list(line) for line in show(np.array(position.discs), legal).splitlines())
    marks = dict.fromkeys(position.turned, ("u", _TURNED))
    if position.move is not None:
        marks[position.move] = ("b", _MOVED)
    for square, (tag, colour) in marks.items():
        line, place = lines[square // 8], 2 + 2 * (square % 8)  # after the row's number and a space
        line[place] = f'<{tag} style="background:{colour}">{line[place]}</{tag}>'
    return f'<pre style="{_PRE}">' + "\n".join("".join(line) for line in [head, *lines]) + "</pre>"


def _one(example: "Example", one: "LatentNumbers", name: TokenNames) -> Cell:
    return f"{html_token(name(example.tokens[example.pos - example.start]))} ({_place(example)})"


def _all(one: "LatentNumbers", name: TokenNames) -> list[Cell]:
    top = [(_caption(example), example) for example in one.strongest[:_STRONGEST]]
    ranges = [
        (f"{group.low:.2f} to {group.high:.2f} ({group.share:.1%})<br>{_caption(group.examples[0])}",
         group.examples[0])
        for group in one.groups
        if group.examples
    ]  # fmt: skip
    key = "● black, ○ white, + may be played next; dark green: the last move, underlined: discs it turned"
    tables = [
        table((f"strongest ({key})",), _across(top)),
        table(("one from each part of its range (with the part's share of its tokens)",), _across(ranges)),
    ]
    return tables + ([_probes(one.probes)] if one.probes else [])


def _across(boards: "Sequence[tuple[Cell, Example]]") -> Iterator[Sequence[Cell]]:
    cells = [f"{words}{board(example.board)}" for words, example in boards if example.board]
    # One cell across, for the head has one.
    for start in range(0, len(cells), _ACROSS):
        inner = "".join(f'<td style="padding:2px 8px">{cell}</td>' for cell in cells[start : start + _ACROSS])
        yield (f"<table><tr>{inner}</tr></table>",)


def _caption(example: "Example") -> Cell:
    position = example.board
    loss = f", loss {position.loss:+.3f}" if position and position.loss is not None else ""
    who = f"{position.to_play} plays" if position and position.to_play else "over"
    move = f", {SQUARES[position.move]}" if position and position.move is not None else ""
    return f"<b>{at(example):.3f}</b>{loss}<br>{_place(example)}{move}: {who}"


def _place(example: "Example") -> str:
    return f"game {example.row}, pos {example.pos}"


def _probes(probes: "Sequence[ProbeCosines]") -> Cell:
    rows = [
        (
            html_token(probe.probe),
            {"input": "reads", "output": "writes"}[probe.side],
            _squares(probe.cosines[:_SQUARES]),
            _squares(probe.cosines[::-1][:_SQUARES]),
        )
        for probe in probes
    ]
    return table(("probe", "the latent", "highest cosines", "lowest"), rows)


def _squares(found: Sequence[tuple[int, float]]) -> Cell:
    return ", ".join(f"{SQUARES[square]} {value:+.2f}" for square, value in found)


BOARDS = Drawing(_one, _all)
