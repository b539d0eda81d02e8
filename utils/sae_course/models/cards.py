"""A model's card: what it is, how it was trained, what it was measured to do. JSON, beside its weights."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from ..runtime import CourseError, home, read_json
from .specs import ModelSpec, TrainingSpec

if TYPE_CHECKING:
    from rich.table import Table

FORMAT = 1
SHIPPED = Path(__file__).parent / "shipped"
Unit = Literal["%", "nats", ""]

# How far a figure may be from its card when it is measured again: another CPU rounds differently, and a few
# of thousands of near-ties fall the other way.
TOLERANCE: dict[str, float] = {"%": 0.3, "nats": 0.005, "": 0.01}


@dataclass(frozen=True)
class Behaviour:
    """Something a model was measured to do, with the same measure on its random-weights twin."""

    name: str
    value: float
    """In ``unit``; a percentage is between 0 and 100."""
    what: str
    """One sentence: what is measured."""
    sample: str
    """What it was measured on: ``2,000 held-out stories``."""
    unit: Unit = ""
    target: float | None = None
    better: Literal[">=", "<="] = ">="
    control: float | None = None
    """The random-weights twin's value."""

    @property
    def reached(self) -> bool | None:
        """Whether the target was reached; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == ">=" else self.value <= self.target

    @property
    def tolerance(self) -> float:
        """How far a second measurement may be from this one, in ``unit``."""
        return TOLERANCE[self.unit]

    def __str__(self) -> str:
        """``pronouns 97.2 % (target ≥ 95)``."""
        text = f"{self.name} {amount(self.value, self.unit)}"
        if self.target is None:
            return text
        return f"{text} (target {'≥' if self.better == '>=' else '≤'} {self.target:.4g})"


@dataclass(frozen=True)
class TrainingRecord:
    """How the weights came about."""

    tokens: int
    seconds: float
    command: str
    machine: str
    threads: int
    torch: str
    curve: tuple[tuple[int, float, float | None], ...]
    """Lines of (step, loss, held-out loss or None); losses in nats per token."""


@dataclass(frozen=True)
class Card:
    """One model's card. Shows itself as a table in a terminal and in a notebook."""

    name: str
    stands_in_for: str
    spec: ModelSpec
    parameters: int
    dtype: Literal["float16", "bfloat16"]
    """Of the weight file; a model is loaded as float32."""
    weights_sha256: str
    weights_bytes: int
    training: TrainingRecord
    held_out_loss: float
    """Nats per token."""
    behaviours: tuple[Behaviour, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Card":
        """The card in a JSON file.

        Raises:
            CourseError: when the file is missing, truncated, of a newer course, or no card.
        """
        try:
            return cls.from_json(read_json(path))
        except FileNotFoundError as error:
            raise CourseError(f"{path} is missing: a model's card stands beside its weights.") from error
        except CourseError as error:
            raise CourseError(f"{path} is not a model's card that can be read: {error}") from error

    @classmethod
    def from_json(cls, value: Any) -> "Card":
        """The card that `to_json` wrote.

        Raises:
            CourseError: when ``value`` is of a newer format, or something is missing or of another type.
        """
        if not isinstance(value, dict) or not isinstance(value.get("format"), int):
            raise CourseError('it has no "format", the number that every card begins with.')
        if value["format"] > FORMAT:
            raise CourseError(
                f"it has format {value['format']} and this course knows up to {FORMAT}: update the course."
            )
        spec = _fields(value.get("spec"), ModelSpec, "spec")
        spec["training"] = TrainingSpec(**_fields(spec["training"], TrainingSpec, "spec.training"))
        training = _fields(value.get("training"), TrainingRecord, "training")
        training["curve"] = tuple(_curve_line(line) for line in training["curve"])
        card = _fields({key: item for key, item in value.items() if key != "format"}, cls, "card")
        behaviours = (Behaviour(**_fields(one, Behaviour, "behaviours")) for one in card["behaviours"])
        return cls(
            **card
            | {
                "spec": ModelSpec(**spec),
                "training": TrainingRecord(**training),
                "behaviours": tuple(behaviours),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """For a JSON file."""
        return {"format": FORMAT, **asdict(self)}

    def to_text(self) -> str:
        """`to_json` as text, with the curve on lines that a person can read."""
        value = self.to_json()
        curve = value["training"].pop("curve")
        lines = ",\n".join(f"   {json.dumps(line)}" for line in curve)
        value["training"]["curve"] = "@"
        text = json.dumps(value, indent=1, ensure_ascii=False)
        return text.replace('"curve": "@"', f'"curve": [\n{lines}\n  ]') + "\n"

    def __rich__(self) -> "Table":
        from .card_view import one_card  # noqa: PLC0415 - the view imports this module

        return one_card(self)

    def __str__(self) -> str:
        from .card_view import as_text  # noqa: PLC0415

        return as_text(self)

    def _repr_html_(self) -> str:
        from .card_view import as_html  # noqa: PLC0415

        return as_html(self)

    def __repr__(self) -> str:
        return (
            f"<card of {self.name}: {self.parameters:,} parameters, held-out loss {self.held_out_loss:.3f}>"
        )


@dataclass(frozen=True)
class Cards:
    """Several cards. Show themselves as a table, one line each."""

    cards: tuple[Card, ...]
    unreadable: tuple[str, ...] = ()
    """What is wrong with the card files that can't be read, one message each."""

    def __iter__(self) -> Iterator[Card]:
        return iter(self.cards)

    def __len__(self) -> int:
        return len(self.cards)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The models' names, in the table's order."""
        return tuple(card.name for card in self.cards)

    def __rich__(self) -> "Table":
        from .card_view import all_cards  # noqa: PLC0415 - the view imports this module

        return all_cards(self)

    def __str__(self) -> str:
        from .card_view import as_text  # noqa: PLC0415

        return as_text(self)

    def _repr_html_(self) -> str:
        from .card_view import as_html  # noqa: PLC0415

        return as_html(self)

    def __repr__(self) -> str:
        return str(self)


def own_models() -> Path:
    """The folder of the models that a learner trained."""
    return home() / "models"


def cards() -> Cards:
    """All cards: the shipped models' and then the learner's own, each by name.

    Where the learner trained a shipped model anew, theirs stands for it, as it does in `load_model`.
    One card that can't be read doesn't hide the others: what is wrong with it is in ``unreadable``.
    """
    found, unreadable = [], []
    own = own_models()
    for folder in (SHIPPED, own):
        for path in sorted(folder.glob("*.json")):
            if path.name.endswith(".tokenizer.json") or (folder != own and (own / path.name).exists()):
                continue
            try:
                found.append(Card.read(path))
            except CourseError as error:
                unreadable.append(str(error))
    return Cards(tuple(found), tuple(unreadable))


def amount(value: float, unit: Unit) -> str:
    """``97.3 %``, ``1.234 nats`` or ``0.87``."""
    if unit == "%":
        return f"{value:.1f} %" if value >= 0.1 or value == 0 else f"{value:.2g} %"
    return f"{value:.3f} nats" if unit == "nats" else f"{value:.3g}"


def _curve_line(line: Any) -> tuple[int, float, float | None]:
    if not isinstance(line, list | tuple) or len(line) != 3:
        raise CourseError(
            f"a line of its curve should be [step, loss, held-out loss or null]; one is {line!r}."
        )
    step, loss, held_out = line
    return step, loss, held_out


def _fields(value: Any, cls: type, where: str) -> dict[str, Any]:
    """``value`` as keyword arguments of the dataclass ``cls``: nothing missing, unknown or ill-typed."""
    if not isinstance(value, dict):
        raise CourseError(f'"{where}" should be an object with fields; it is {value!r}.')
    known = {field.name: field for field in fields(cls)}
    if unknown := sorted(set(value) - set(known)):
        raise CourseError(f'"{where}" has the unknown field {", ".join(unknown)}.')
    needs = [name for name, field in known.items() if field.default is field.default_factory]  # both MISSING
    if missing := [name for name in needs if name not in value]:
        raise CourseError(f'"{where}" lacks {", ".join(missing)}.')
    for name, item in value.items():
        if wrong := _wrong_type(item, known[name].type):
            raise CourseError(f'"{where}.{name}" should be {wrong}; it is {item!r}.')
    return dict(value)


def _wrong_type(item: Any, annotation: Any) -> str:
    """What the annotation asks for, if ``item`` is something else; what is nested is looked at by itself."""
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        return "" if item in choices else f"one of {', '.join(map(repr, choices))}"
    if get_origin(annotation) is tuple:
        return "" if isinstance(item, list | tuple) else "a list"
    whole = isinstance(item, int) and not isinstance(item, bool)
    number = whole or isinstance(item, float)
    expected: dict[Any, tuple[bool, str]] = {
        int: (whole, "a whole number"),
        float: (number, "a number"),
        str: (isinstance(item, str), "a text"),
        bool: (isinstance(item, bool), "true or false"),
        int | None: (item is None or whole, "a whole number or null"),
        float | None: (item is None or number, "a number or null"),
    }
    fine, words = expected.get(annotation, (True, ""))
    return "" if fine else words
