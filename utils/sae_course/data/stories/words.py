"""The classes that a template's {slots} draw from, and the few that are made up on the spot."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import lexicon as lex
from .lexicon import ANIMALS, FOODS, NUMBERS, plural

if TYPE_CHECKING:
    from .tale import Tale

Invented = Callable[["Tale", str], str]


def _w(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _s(text: str) -> tuple[str, ...]:
    """Alternatives of several words, separated by "/"."""
    return tuple(part.strip() for part in text.split("/"))


_COUNTABLE_FRUIT = FOODS["fruit"]
_TOYS = tuple(toy for group in lex.TOYS.values() for toy in group)
_THINGS = (
    *_TOYS,
    *lex.CLOTHES,
    *lex.TREASURES,
    *lex.TOOLS,
    *lex.FLOWERS,
    *_w("candle ribbon button card letter"),
)
_SINGING = (
    *(a for group in ANIMALS.values() for a in group),
    *_COUNTABLE_FRUIT,
    *FOODS["vegetables"],
    *FOODS["baked"],
    *_THINGS,
    *lex.COLOURS,
    *lex.WEATHER,
    *lex.NATURE,
    *lex.SKY,
    *lex.BODY,
    *lex.DRINKS,
    *lex.SIZES,
    *lex.FURNITURE,
    *FOODS["ingredients"],
)
"""What invented songs and messages are made of."""


def _song(tale: "Tale", _: str) -> str:
    """Three to six words that nobody has sung before: only memory can repeat them."""
    pattern = tale.pick(
        (
            "w w w",
            "w w , w w",
            "w , w , w",
            "w w w w",
            "la la w w",
            "w w and w w",
            "hey w , oh w",
            "w w w , w w",
        )
    )
    words = iter(_different(tale, _SINGING, pattern.count("w")))
    return " ".join(next(words) if mark == "w" else mark for mark in pattern.split())


def _count(tale: "Tale", suffix: str) -> str:
    if suffix:  # for its own sake: from anywhere
        start = int(tale.random() * 15)
        return " , ".join(NUMBERS[start : start + 4 + int(tale.random() * 3)])
    return " , ".join(NUMBERS[: NUMBERS.index(tale.get("n" + suffix)) + 1])


def _n_less(tale: "Tale", suffix: str) -> str:
    return NUMBERS[NUMBERS.index(tale.get("n" + suffix)) - 1]


def _list(tale: "Tale", items: list[str]) -> str:
    return f"{' , '.join(items[:-1])} and {items[-1]}"


def _different(tale: "Tale", options: tuple[str, ...], number: int) -> list[str]:
    chosen: list[str] = []
    while len(chosen) < number:
        item = tale.pick(options)
        if item not in chosen:
            chosen.append(item)
    return chosen


def _bag_things(tale: "Tale", _: str) -> str:
    names = _different(tale, _BAG, 2 + int(tale.random() * 2.5))
    return _list(
        tale, [f"a {tale.pick(lex.COLOURS)} {n}" if tale.random() < 0.3 else f"a {n}" for n in names]
    )


def _picnic(tale: "Tale", _: str) -> str:
    return _list(tale, [plural(f) for f in _different(tale, _PICNIC, 2)] + [tale.pick(lex.MASS_MEALS)])


def _shop(tale: "Tale", _: str) -> str:
    items = [
        f"{tale.pick(NUMBERS[1:12])} {plural(f)}"
        for f in _different(tale, _MARKET, 1 + int(tale.random() * 2))
    ]
    return _list(tale, [*items, f"some {tale.pick((*lex.MASS_MEALS, *FOODS['ingredients']))}"])


def _wear(tale: "Tale", _: str) -> str:
    return _list(
        tale,
        [
            plural(c)
            for c in _different(tale, _w("hat coat scarf boot glove sweater jacket cap shirt sock"), 3)
        ],
    )


_BAG = (
    *_COUNTABLE_FRUIT,
    *FOODS["baked"],
    *_w("sandwich egg carrot tomato cookie"),
    *_THINGS,
    *_w("spoon cup bowl jar"),
)
_PICNIC = (*_COUNTABLE_FRUIT, *_w("sandwich egg cookie muffin bun pancake tomato carrot pie"))
_MARKET = (*_COUNTABLE_FRUIT, *FOODS["vegetables"], *_w("egg bun muffin loaf"))


def _motto(tale: "Tale", _: str) -> str:
    """A saying, half wise and half made up."""
    kind = int(tale.random() * 6)
    if kind == 0:
        wise = f"a {tale.pick(lex.TRAITS)} {tale.draw('animal')}"
        return f"{wise} is better than {tale.pick(NUMBERS[1:])} {plural(tale.draw('toy'))}"
    if kind == 1:
        return f"never give a {tale.draw('food')} to a {tale.draw('feeling')} {tale.draw('animal')}"
    if kind == 2:
        return f"a {tale.draw('weather')} day is a good day for {tale.pick(_PLURAL_FOOD)}"
    if kind == 3:
        sad = tale.draw("feel_bad")
        return f"if you are {sad} , count {tale.pick(NUMBERS[1:])} {plural(tale.draw('animal'))}"
    if kind == 4:
        return f"there is always room for one more {tale.draw('food')}"
    return f"you can not put a {tale.draw('animal')} in a {tale.draw('hideout')}"


def _did(tale: "Tale", _: str) -> str:
    """What somebody did on a day of the week."""
    kind = int(tale.random() * 5)
    if kind == 0:
        return f"went to the {tale.draw('place')}"
    if kind == 1:
        return f"played with a {tale.pick(lex.COLOURS)} {tale.draw('toy')}"
    if kind == 2:
        return f"ate {tale.pick(NUMBERS[1:8])} {plural(tale.draw('food'))}"
    if kind == 3:
        return f"{tale.pick(('painted', 'drew', 'saw'))} a {tale.pick(lex.COLOURS)} {tale.draw('animal')}"
    return f"found a {tale.draw('size')} {tale.draw('small')}"


def _gift(tale: "Tale", _: str) -> str:
    """Something to hand over, plain or described."""
    kind = int(tale.random() * 6)
    if kind == 0:
        return tale.draw("food")
    if kind == 1:
        return f"cup of {tale.draw('drink')}"
    if kind == 2:
        return tale.draw("flower")
    if kind == 3:
        return f"{tale.pick(lex.COLOURS)} {tale.pick(_THINGS)}"
    return tale.pick(_THINGS)


_PLURAL_FOOD = tuple(plural(f) for f in (*_COUNTABLE_FRUIT, *_w("cookie muffin pancake bun")))

CLASSES: dict[str, tuple[str, ...] | Invented] = {
    # made up
    "song": _song,
    "count": _count,
    "n_less": _n_less,
    "bagthings": _bag_things,
    "picnic": _picnic,
    "shop": _shop,
    "wear": _wear,
    "motto": _motto,
    "didweek": _did,
    "gift": _gift,
    "giving": lex.GIVING,
    # numbers and time
    "n": NUMBERS[1:6],
    "toy_s": tuple(plural(t) for t in _TOYS),
    "food_s": _PLURAL_FOOD,
    "sky": _w("sky clouds stars moon birds"),
    "water": _w("lake pond river"),
    "ord": lex.ORDINALS[2:-1],
    "paired": _w("boots gloves socks"),
    "m": NUMBERS[1:6],
    "age": NUMBERS[3:12],
    "big_n": NUMBERS[9:],
    "event": _w("party picnic race game market"),
    "extra": _w("sugar honey butter cream salt"),
    "manner": _w("slowly carefully gently"),
    "gift_noun": (*_TOYS, *lex.CLOTHES),
    "day": lex.DAYS,
    "daytime": _w("morning evening afternoon"),
    "meal": _w("breakfast lunch dinner"),
    "season": _s("summer / winter / spring / autumn"),
    # animals
    "pet": ANIMALS["pets"],
    "farm": ANIMALS["farm"],
    "wild": ANIMALS["wild"],
    "bird": ANIMALS["birds"],
    "bug": ANIMALS["bugs"],
    "animal": tuple(a for group in ANIMALS.values() for a in group),
    "snowanimal": _w("rabbit fox deer mouse squirrel hedgehog wolf bear"),
    "nightanimal": _w("mouse frog hedgehog squirrel owl cat kitten hamster"),
    "birdfood": _w("bread cheese rice"),
    # food
    "fruit": _COUNTABLE_FRUIT,
    "vegetable": FOODS["vegetables"],
    "treat": (*_w("cookie lollipop cake pie muffin pancake bun"),),
    "baked": FOODS["baked"][:-1],
    "drink": lex.DRINKS,
    "hotdrink": _w("tea milk cocoa soup"),
    "food": (*_COUNTABLE_FRUIT, *FOODS["vegetables"], *_w("cookie muffin pancake bun egg sandwich")),
    # things
    "toy": _TOYS,
    "soft": lex.TOYS["soft"],
    "flier": _w("kite balloon rocket"),
    "roller": _w("ball car drum robot yoyo truck"),
    "treasure": lex.TREASURES,
    "tool": lex.TOOLS,
    "flower": lex.FLOWERS,
    "coat": _w("hat coat scarf jacket cap sweater dress"),
    "lostthing": _w("hat cap"),
    "furniture": _w("bed chair table shelf sofa cupboard rug"),
    "hideout": _w("box basket bag drawer cupboard chest jar pot"),
    "tub": _w("bucket bath"),
    "dish": _w("bowl plate cup jar pot lamp"),
    "small": (*lex.TREASURES, *_w("button ribbon card string candle puzzle crayon block whistle")),
    "countable": _s(
        "the stars / the trees / the birds / the clouds / the steps / the flowers / the apples / the"
        " chairs / the windows"
    ),
    # places
    "outdoor": _w("park garden forest field meadow playground yard zoo"),
    "indoor": _w("kitchen school library bedroom barn museum bakery attic shop"),
    "place": _w(
        "park hill garden forest beach river hill farm field lake meadow pond zoo shop school library"
        " museum bakery market"
    ),
    "meeting": _w(
        "park garden forest beach river farm field lake meadow pond playground zoo shop school library"
        " museum bakery market"
    ),
    "limb": _w("knee foot leg hand arm"),
    "landmark": _w("gate fence bridge rock tree bench bush well"),
    # qualities
    "colour": lex.COLOURS,
    "petsize": _w("big small little tiny"),
    "under": _w("table bed"),
    "size": _w("big small little tiny huge long large"),
    "quality": _w("soft shiny old new pretty wooden lovely special beautiful"),
    "trait": lex.TRAITS,
    "ftrait": (*(t for t in lex.TRAITS if t != "friendly"), "good", "funny"),
    "feel_bad": _w("sad worried upset lonely angry nervous scared"),
    "feel_good": _w("happy glad proud excited calm cheerful thankful pleased delighted hopeful"),
    "helper": lex.HELPERS,
    "feeling": tuple(f for group in lex.FEELINGS.values() for f in group),
    "weather": lex.WEATHER,
    "noise": lex.NOISES,
    "bag": _w("basket bag box"),
}
