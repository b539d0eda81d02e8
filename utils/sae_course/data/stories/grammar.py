"""Children's stories from a grammar: a cast, an arc, threads that return, told sentence by sentence.

The language keeps to rules that make its truth computable from the tokens alone:

1. A sentence ends with . ! or ?; one plain quotation mark opens and closes; every quote closes in its story.
2. A word is of one class where English allows it (``lexicon.AMBIGUOUS`` lists the rest).
3. A clause's subject is a name, a pronoun or a definite noun phrase, and stands first in its clause: after a
   sentence mark, an opening quote, a comma or a conjunction. "and NAME" without a comma joins names.
4. Lists of objects are indefinite or bare.
5. He and she mean the latest subject of that gender; where that could be misread, the name stands.
6. The problem starts with "one day", "but one day" or "suddenly", once per story; the ending with
   "in the end", "at last" or "from that day on". A story is followed by ``<eos>``.
7. A notice says with its first words that it is one (``notices``).
"""

import random
from typing import NamedTuple

from . import arcs_animals, arcs_home, arcs_out, arcs_play, scenes
from .lexicon import FAMILY_GENDER, FEMALE_NAMES, MALE_NAMES, PET_NAMES
from .tale import PARENT_OF, Role, Sentence, Tale
from .templates import Parts, compile_beats, compile_template

NAMES = {"female": FEMALE_NAMES, "male": MALE_NAMES}
OTHER = {"female": "male", "male": "female"}
KID = {"female": "girl", "male": "boy"}
MAX_TOKENS = 230
ELDERS = ("grandma", "grandpa", "aunt", "uncle")


class Arc(NamedTuple):
    """A plot: three blocks of beats, and the class of the animal that plays in it."""

    opening: list[Parts]
    problem: list[Parts]
    ending: list[Parts]
    animal: str


ARCS: dict[str, Arc] = {
    name: Arc(compile_beats(texts[0]), compile_beats(texts[1]), compile_beats(texts[2]), (*texts, "wild")[3])
    for module in (arcs_play, arcs_animals, arcs_home, arcs_out)
    for name, texts in module.ARCS.items()
}
NEW_FRIEND = ARCS["new friend"]
_ARC_LIST = tuple(ARCS.values())
_THREADS = tuple(
    (compile_template(setup), compile_template(payoff)) for setup, payoff in scenes.THREADS.values()
)


def tell_story(rng: random.Random) -> list[Sentence]:
    """The sentences of one story, of ``MAX_TOKENS`` at most: a longer one is dropped and another told."""
    while True:
        sentences = _tell(Tale(rng))
        if sum(sentence.words.count(" ") + 1 for sentence in sentences) <= MAX_TOKENS:
            return sentences


def _tell(tale: Tale) -> list[Sentence]:
    chance = tale.random
    arc = tale.pick(_ARC_LIST)
    _cast(tale, arc)
    threads = _choose_threads(tale)
    tale.tell(scenes.BEGIN)
    if chance() < 0.2:
        tale.tell(scenes.TRAIT)
    for setup, _ in threads:
        tale.tell(setup)
    if arc is not NEW_FRIEND:
        tale.tell(scenes.FRIEND)
    gift = chance()
    if gift < 0.13 and arc is not NEW_FRIEND:
        tale.tell(scenes.GIFT)
    for beat in arc.opening:
        tale.tell(beat)
    tale.phase = "problem"
    for beat in arc.problem:
        tale.tell(beat)
    tale.phase = "ending"
    for beat in arc.ending[:-1]:
        tale.tell(beat)
    for _, payoff in threads:
        if len(tale.sentences) < 20 and chance() < 0.75:
            tale.tell(payoff)
    if "song6" in tale.values:
        tale.tell(scenes.SECRET)
    if gift > 0.62 and len(tale.sentences) < 20:
        tale.tell(scenes.GIFT)
    if len(tale.sentences) < 19 and chance() < 0.4:
        tale.tell(scenes.MOOD)
    tale.tell(arc.ending[-1])
    return tale.sentences


def _choose_threads(tale: Tale) -> list[tuple[Parts, Parts]]:
    """None, one or two of the things that an opening mentions and an ending comes back to."""
    first, second = tale.pick(_THREADS), tale.pick(_THREADS)
    threads = [first] if first is second or tale.random() < 0.94 else [first, second]
    return [] if tale.random() < 0.45 else threads


def _cast(tale: Tale, arc: Arc) -> None:
    chance, pick, cast, values = tale.random, tale.pick, tale.cast, tale.values
    gender = "female" if chance() < 0.5 else "male"
    friend_gender = OTHER[gender] if chance() < 0.75 else gender
    third_gender = OTHER[friend_gender] if chance() < 0.6 else friend_gender
    hero = pick(NAMES[gender])
    friend = third = hero
    while friend == hero:
        friend = pick(NAMES[friend_gender])
    while third in (hero, friend):
        third = pick(NAMES[third_gender])
    cast["A"] = a = Role(hero, gender)
    cast["B"] = Role(friend, friend_gender)
    cast["C"] = Role(third, third_gender)
    cast["S"], cast["R"] = (a, cast["B"]) if chance() < 0.5 else (cast["B"], a)
    pair, riap = f"{hero} and {friend}", f"{friend} and {hero}"
    cast["AB"] = Role(pair, "plural", (pair, pair, riap, "the children"))
    his = a.pronouns[1]
    parent = "mom" if chance() < 0.5 else "dad"
    cast["M"] = Role(f"{his} {parent}", FAMILY_GENDER[parent])
    elder = pick(ELDERS)
    cast["K"] = Role(f"{his} {elder}", FAMILY_GENDER[elder])
    old, old_gender = pick((("man", "male"), ("woman", "female"), ("lady", "female")))
    cast["O"] = Role(f"the old {old}", old_gender)
    helper = tale.get("helper")
    cast["N"] = Role(f"the {helper}", "neutral")
    pet, pet_name, animal = tale.get("pet"), pick(PET_NAMES), tale.get(arc.animal)
    cast["P"] = Role(pet_name, "animal", (pet_name, pet_name, f"the {pet}"))
    cast["X"] = Role(
        f"the {animal}", "animal", (f"the {animal}", f"the {animal}", f"the {PARENT_OF[animal]}")
    )
    values.update(
        Akid=KID[gender],
        Bkid=KID[friend_gender],
        oldman=old,
        Pet=pet_name,
        elder=elder,
        kin=pick(ELDERS),
        rel="friend" if chance() < 0.75 else ("sister" if friend_gender == "female" else "brother"),
    )
