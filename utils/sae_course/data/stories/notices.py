"""The second register, over the same words: notices, recipes and letters. It stands in for "the wrong data".

Its first words say what it is ("notice :", "recipe :", "dear NAME ,"). Its statistics are others than the
stories': orders instead of a past tense, lists with numbers, "i" and "you" instead of he and she, no arcs.
"""

import random

from .lexicon import FEMALE_NAMES, MALE_NAMES, PET_NAMES
from .tale import Role, Sentence, Tale
from .templates import Parts, compile_template

NOTICE = [
    compile_template(text)
    for text in (
        """notice : [lost|found] near the {outdoor} , a {size} {colour} {pet} with [a white tail|black
        ears|{n} brown feet|a {colour2} nose] .
        / [please look in the {indoor} and under the {furniture} . /|] call {D-} at the {indoor2} .
        / [it likes {food+} and {drink} .|do not run after it .|the name is {Pet} .]
        [/ the prize is {m} {treat+} .|]""",
        """notice : [lost|found] on {day} , [{m} {small+} and|] a {colour} {toy} . / please bring it to
        {D-} in the {indoor} before {day2} .
        [/ thank you !|]""",
        """notice : [big|{season}] {event} at the {outdoor} on {day} ! / come with {m} friends and bring
        {shop} .
        / {D-} brings the {tool} . [/ if it rains , we meet in the {indoor} .|/ wear {wear} .]""",
        """notice : rules of the {indoor} . / first , do not [run|shout|jump] . / second , wash all the
        hands . / third , no {animal+} [, no {animal2+}|] and no {food+} .
        [/ fourth , always close the door .|] [/ fifth , be {trait} .|]""",
        """notice : for sale , {big_n} {toy+} , {m} {coat+} and a [{quality}|{colour}] {furniture} . / ask
        {D-} or the {helper} . / the {furniture} is not for [sleeping|jumping|dancing] .""",
    )
]
RECIPE = compile_template(
    """recipe : {baked} with {fruit+} . / take {n} cups of flour , {m} eggs , {big_n} {fruit+} and {m2}
    spoons of {extra} .
    / [wash|cut] the {fruit+} . / [mix the flour and the eggs|stir everything in a big bowl] [for {n}
    minutes|] .
    / [add the {fruit+} and stir {manner} .|add {m} more spoons of {extra2} .]
    / bake it for {big_n2} minutes . / [wait until it is [golden|brown] . /|] [serve it [warm|cold] with
    {drink} .|share it with {m} friends .]"""
)
SOUP = compile_template(
    """recipe : {vegetable} soup . / cut {n} {vegetable+} , {m} {vegetable2+} and {m2} {vegetable3+} . /
    put them into a pot with {n} cups of water and some {extra} .
    / cook it for {big_n2} minutes and stir {manner} . / [do not forget the {extra2} . /|] serve it
    [hot|warm] with [bread|rice|cheese] . / this is enough for {n} people or {m} {wild+} ."""
)
LETTER = compile_template(
    """dear {D-} , [how are you ?|thank you for the {colour} {gift_noun} !|i hope you are {feel_good} .]
    / [we are at the {outdoor} .|i am at home because the weather is {weather} .]
    / [every {day} , we [eat|count|draw] {food+} .|there are {big_n} {animal+} here .|i can see {n}
    {wild+} from my window .]
    / [please bring {shop} when you come .|can you come on {day2} ?|do you still have my {toy} ?|we have a
    new {pet} . / the name is {Pet} .]
    / [i miss you .|write soon !|say hello to {F-} .] / love , {E-} ."""
)


def tell_notice(rng: random.Random) -> list[Sentence]:
    """The sentences of one notice, recipe or letter."""
    tale = Tale(rng)
    tale.phase = None
    names = FEMALE_NAMES + MALE_NAMES
    for role in "DEF":
        tale.cast[role] = Role(tale.pick(names), "neutral")
    tale.values["Pet"] = tale.pick(PET_NAMES)
    kind = tale.random()
    template: Parts
    if kind < 0.4:
        template = tale.pick(NOTICE)
    elif kind < 0.7:
        template = RECIPE if kind < 0.57 else SOUP
    else:
        template = LETTER
    tale.tell(template)
    return tale.sentences
