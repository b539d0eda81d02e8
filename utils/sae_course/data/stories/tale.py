"""One story while it is being told: its cast, the words it has settled on, whose turn a pronoun is."""

import random
from typing import Any, NamedTuple

from .lexicon import ANIMAL_PARENTS, ANIMALS, DAYS, FOOD_PARENTS, FOODS, ORDINALS, plural
from .templates import Parts
from .words import CLASSES

PARENT_OF = {
    child: parents[group]
    for groups, parents in ((ANIMALS, ANIMAL_PARENTS), (FOODS, FOOD_PARENTS))
    for group, children in groups.items()
    for child in children
}
PRONOUNS = {
    "female": ("she", "her", "her"),
    "male": ("he", "his", "him"),
    "animal": ("it", "its", "it"),
    "thing": ("it", "its", "it"),
    "plural": ("they", "their", "them"),
}


class Sentence(NamedTuple):
    """One sentence with what the grammar knows about it."""

    words: str
    """Its tokens, separated by spaces."""
    phase: str | None
    """"opening", "problem" or "ending"; None in a notice."""
    subject: str
    """The first subject outside quotes: female, male, animal, thing, plural, neutral (a role noun) or ""."""
    subject_name: str
    """Who that is ("Mary", "her mom"), also where the text has a pronoun; "" where it has no role."""


class Role:
    """Somebody in the story."""

    __slots__ = ("forms", "gender", "name", "pronouns")

    def __init__(self, name: str, gender: str, forms: tuple[str, ...] = ()) -> None:
        self.name = name
        self.gender = gender
        self.forms = forms or (name,)
        self.pronouns = PRONOUNS.get(gender, PRONOUNS["thing"])


_THINGS = {kind: Role("", kind) for kind in (*PRONOUNS, "neutral")}
_NOBODY = Role("", "")


class Tale:
    """The state that templates read and write while they are expanded."""

    def __init__(self, rng: random.Random) -> None:
        self.random = rng.random
        self.cast: dict[str, Role] = {}
        self.values: dict[str, str] = {}
        self.sentences: list[Sentence] = []
        self.out: list[str] = []
        self.phase: str | None = "opening"
        self.current = _NOBODY  # the current clause's subject
        self._latest: dict[str, Role] = {}  # gender -> the latest subject of that gender
        self._when: dict[str, int] = {}  # gender -> the sentence that was
        self._first = _NOBODY  # this sentence's first subject

    # --- expanding ---------------------------------------------------------------------------------
    def expand(self, parts: Parts) -> None:
        """Write a template's words."""
        out = self.out
        for part in parts:
            kind = type(part)
            if kind is str:
                out.append(part)
            elif kind is tuple:
                self.expand(part[int(self.random() * len(part))])
            else:
                part(self)

    def tell(self, parts: Parts) -> None:
        """Write a template as one or more whole sentences."""
        self.expand(parts)
        self.end_sentence()

    def end_sentence(self) -> None:
        if self.out:
            words = f" {' '.join(self.out)}"
            if " a " in words:
                for vowel in "aeiou":
                    words = words.replace(f" a {vowel}", f" an {vowel}")
            first = self._first
            self.sentences.append(Sentence(words[1:], self.phase, first.gender, first.name))
            self.out.clear()
            self._first = _NOBODY

    # --- words --------------------------------------------------------------------------------------
    def pick(self, options: Any) -> Any:
        return options[int(self.random() * len(options))]

    def draw(self, name: str) -> str:
        options = CLASSES[name]
        if callable(options):
            return options(self, "")
        return options[int(self.random() * len(options))]

    def get(self, name: str) -> str:
        """The story's word for ``name``; "toy2" is a toy unlike "toy"."""
        value = self.values.get(name)
        if value is None:
            if name[-2:-1] == "_" and name not in CLASSES:  # day_b: the day after "day"
                before = self.get(name[:-2] if name[-1] == "b" else name[:-1] + chr(ord(name[-1]) - 1))
                row = DAYS if before in DAYS else ORDINALS
                value = row[(row.index(before) + 1) % len(row)]
            else:
                base = name.rstrip("23456")
                options = CLASSES[base]
                if callable(options):
                    value = options(self, name[len(base) :])
                else:
                    value = self.pick(options)
                    taken = [v for k, v in self.values.items() if k.startswith(base)]
                    while value in taken:
                        value = self.pick(options)
            self.values[name] = value
        return value

    def plural(self, name: str) -> str:
        return plural(self.get(name))

    # --- people -------------------------------------------------------------------------------------
    def refer(self, role_name: str, named: bool) -> None:
        """Write a role as a subject; as a pronoun only where it is the latest subject of its gender."""
        role = self.cast[role_name]
        gender = role.gender
        here = len(self.sentences)
        if (
            not named
            and gender != "neutral"
            and self._latest.get(gender) is role
            and here - self._when[gender] <= (1 if gender in ("animal", "plural") else 2)
            and self.random() < 0.7
        ):
            self.out.append(role.pronouns[0])
        else:
            forms = role.forms
            self.out.append(forms[int(self.random() * len(forms))] if len(forms) > 1 else role.name)
        self._set(role)

    def refer_again(self) -> None:
        """Write the current subject's pronoun, as the subject of another clause or of the next sentence."""
        self.out.append(self.current.pronouns[0])
        if self._first is _NOBODY:
            self._first = self.current

    def mention(self, role_name: str) -> None:
        """Write a role as an object: a pronoun unless it could be read as the subject, or as another."""
        role = self.cast[role_name]
        if (
            role.gender not in ("neutral", self.current.gender)
            and self._latest.get(role.gender) is role
            and len(self.sentences) - self._when[role.gender] <= 2
            and self.random() < 0.7
        ):
            self.out.append(role.pronouns[2])
        else:
            self.out.append(role.name)

    def set_subject(self, kind: str) -> None:
        """The clause's subject is a thing, an animal, people without a role."""
        self._set(self.cast[kind] if kind in self.cast else _THINGS[kind])

    def _set(self, role: Role) -> None:
        gender = role.gender
        if gender == "plural":  # after "they", a "she" could be either of two girls
            self._latest.clear()
        elif gender in ("thing", "animal"):  # both are "it"
            self._latest.pop("animal", None)
        self._latest[gender] = role
        self._when[gender] = len(self.sentences)
        self.current = role
        if self._first is _NOBODY:
            self._first = role
