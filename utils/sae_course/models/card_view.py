"""How cards show themselves: tables for a terminal and for a notebook."""

from html import escape
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from .cards import Behaviour, Card, Cards, amount

if TYPE_CHECKING:
    from .figures import Compared

WIDTH = 110  # of a table that goes to a file


def size(n_bytes: int) -> str:
    """``0.68 MB``."""
    return f"{n_bytes / 1e6:.2f} MB"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def architecture(card: Card) -> str:
    """``4 layers, d_model 128, 4 heads of 32, context 256``."""
    spec = card.spec
    layers = "1 layer" if spec.n_layers == 1 else f"{spec.n_layers} layers"
    kind = "attention only, " if spec.attn_only else "Gemma 2, " if spec.gemma2 else ""
    return (
        f"{layers}, {kind}d_model {spec.d_model}, {spec.n_heads} heads of {spec.d_head}, context {spec.n_ctx}"
    )


def _mark(behaviour: Behaviour) -> str:
    return {True: "✔", False: "✘", None: " "}[behaviour.reached]


def _target(behaviour: Behaviour) -> str:
    if behaviour.target is None:
        return ""
    return f"{'≥' if behaviour.better == '>=' else '≤'} {amount(behaviour.target, behaviour.unit)}"


def _optional(value: float | None, behaviour: Behaviour) -> str:
    return "" if value is None else amount(value, behaviour.unit)


def _facts(card: Card) -> list[tuple[str, str]]:
    training = card.training
    return [
        ("stands in for", card.stands_in_for),
        ("architecture", f"{architecture(card)}, vocabulary {card.spec.d_vocab}"),
        ("parameters", f"{card.parameters:,}"),
        ("weights", f"{size(card.weights_bytes)}, {card.dtype}, SHA-256 {card.weights_sha256[:16]}…"),
        ("data", f"{card.spec.data}, seed {card.spec.training.seed}"),
        ("trained on", f"{training.tokens:,} tokens in {card.spec.training.steps:,} steps"),
        ("took", f"{duration(training.seconds)} on {training.machine}, torch {training.torch}"),
        ("command", training.command),
        ("held-out loss", f"{card.held_out_loss:.3f} nats per token"),
    ]


def _list_row(card: Card) -> tuple[str, ...]:
    return (
        card.name,
        card.stands_in_for,
        architecture(card),
        f"{card.parameters / 1e6:.2f} M",
        f"{card.training.tokens / 1e6:.1f} M",
        f"{card.held_out_loss:.3f}",
        "\n".join(f"{_mark(one)} {one}" for one in card.behaviours if one.value != card.held_out_loss),
        size(card.weights_bytes),
    )


LIST_HEAD = ("model", "stands in for", "architecture", "params", "tokens", "loss", "measured", "size")
NUMBERS = (
    "params",
    "tokens",
    "loss",
    "size",
    "value",
    "target",
    "control",
    "card",
    "measured again",
    "may differ by",
)
CARD_HEAD = ("", "measured", "value", "target", "control", "what it is", "on")


def all_cards(cards: Cards) -> Table:
    """One line for each card; losses in nats per token on held-out data."""
    table = Table(box=None, pad_edge=False, show_lines=True, padding=(0, 2, 1, 0))
    _columns(table, LIST_HEAD)
    for card in cards:
        table.add_row(*(Text(cell) for cell in _list_row(card)))
    if cards.unreadable:
        table.caption, table.caption_justify = Text("\n".join(cards.unreadable)), "left"
    return table


def one_card(card: Card) -> Table:
    """All that a card says."""
    whole = Table.grid(padding=(1, 0))
    facts = Table.grid(padding=(0, 2))
    for name, value in _facts(card):
        facts.add_row(Text(name, "bold"), Text(value))
    whole.add_row(Text(card.name, "bold"))
    whole.add_row(facts)
    if card.behaviours:
        measured = Table(box=None, pad_edge=False)
        _columns(measured, CARD_HEAD)
        for row in map(_behaviour_row, card.behaviours):
            measured.add_row(*(Text(cell) for cell in row))
        whole.add_row(measured)
    return whole


def compared(rows: "list[Compared]") -> Table:
    """A card's figures beside the same measured again."""
    table = Table(box=None, pad_edge=False)
    _columns(table, ("", "figure", "card", "measured again", "may differ by"))
    for row in rows:
        unit = row.behaviour.unit
        name = f"{row.name} (random-weights twin)" if row.control else row.name
        cells = (amount(value, unit) for value in (row.card, row.again, row.behaviour.tolerance))
        table.add_row(*(Text(cell) for cell in ("✔" if row.same else "✘", name, *cells)))
    return table


def _behaviour_row(one: Behaviour) -> tuple[str, ...]:
    value = amount(one.value, one.unit)
    return (_mark(one), one.name, value, _target(one), _optional(one.control, one), one.what, one.sample)


def _columns(table: Table, names: tuple[str, ...]) -> None:
    for name in names:
        number = name in NUMBERS
        justify: JustifyMethod = "right" if number else "left"
        table.add_column(name, justify=justify, no_wrap=number or name == "model", overflow="fold")


def as_text(shown: Card | Cards | Table, width: int = WIDTH) -> str:
    """The table without colours."""
    if isinstance(shown, Cards) and not shown.cards:
        return "\n".join(("There is no model here yet.", *shown.unreadable))
    console = Console(file=StringIO(), width=width, color_system=None, force_jupyter=False)
    console.print(shown)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().split("\n"))  # type: ignore[attr-defined]


def as_html(shown: Card | Cards) -> str:
    """The same for a notebook; every text is escaped."""
    if isinstance(shown, Cards):
        if not shown.cards:
            return f"<p>{escape(str(shown))}</p>"
        notes = "".join(f"<p>{escape(note)}</p>" for note in shown.unreadable)
        return _html_table(LIST_HEAD, [_list_row(card) for card in shown]) + notes
    facts = _html_table((), _facts(shown))
    measured = _html_table(CARD_HEAD, [_behaviour_row(one) for one in shown.behaviours])
    return f"<h4>{escape(shown.name)}</h4>{facts}{measured if shown.behaviours else ''}"


def _html_table(head: tuple[str, ...], rows: list[tuple[str, ...]] | list[tuple[str, str]]) -> str:
    left = ' style="text-align:left"'
    top = "".join(f"<th{left}>{escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td{left}>{escape(cell).replace(chr(10), '<br>')}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
