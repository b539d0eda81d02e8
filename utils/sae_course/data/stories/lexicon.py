"""The words of the stories by class: what is an animal, a feeling, a past tense, whose name is a girl's.

Everything here is plain data. The classes form a hierarchy (``ANIMALS["pets"]`` under "animal"), since
absorption needs parents and children that occur together. A word has one class wherever English allows it:
no noun here is also a verb of ``VERBS``, no name is also a word. The few exceptions are listed in
``AMBIGUOUS``.
"""


def _w(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# --- people -------------------------------------------------------------------------------------------
FEMALE_NAMES = _w(
    "Mary Anna Emma Lucy Mia Sara Ella Zoe Nora Ruth Clara Alice Molly Julia Tina Wendy Kate Maria Amy Eva"
    " Sophie Leila Aisha Priya Hana Ingrid"
)
MALE_NAMES = _w(
    "John Tom Ben Sam Max Leo Tim Jack Peter David Paul Adam Noah Oscar Simon Henry Felix Hugo Omar Ravi"
    " Kenji"
    " Anton Oliver Daniel Lucas Theo"
)
NAME_GENDER: dict[str, str] = dict.fromkeys(FEMALE_NAMES, "female") | dict.fromkeys(MALE_NAMES, "male")
PET_NAMES = _w("Rex Coco Pip Toto Nibbles Pepper Ziggy Momo Waffles Buddy Pickles Mimi Dodo Tiki Bobo Fifi")
"""Names of pets; their pronoun is "it"."""

FAMILY_GENDER: dict[str, str] = {
    "mom": "female",
    "dad": "male",
    "grandma": "female",
    "grandpa": "male",
    "sister": "female",
    "brother": "male",
    "aunt": "female",
    "uncle": "male",
}
PEOPLE_GENDER: dict[str, str] = {
    "girl": "female",
    "woman": "female",
    "lady": "female",
    "queen": "female",
    "boy": "male",
    "man": "male",
    "king": "male",
}
"""People by a noun of one gender. ``HELPERS`` have none: the stories never use a pronoun for them."""
HELPERS = _w("farmer baker teacher doctor gardener sailor driver")
PEOPLE_PLURALS = _w("children people friends")
OTHER_PEOPLE = _w("friend")

# --- animals, foods, things: parent -> group -> children ----------------------------------------------
ANIMALS: dict[str, tuple[str, ...]] = {
    "pets": _w("dog cat rabbit hamster puppy kitten turtle pony"),
    "farm": _w("cow pig sheep goat horse hen donkey lamb duck"),
    "wild": _w("fox bear wolf deer squirrel hedgehog mouse frog lion tiger monkey elephant snake"),
    "birds": _w("robin owl parrot crow sparrow eagle swan pigeon"),
    "bugs": _w("bee ant butterfly spider beetle snail ladybird"),
}
ANIMAL_PARENTS: dict[str, str] = {
    "pets": "pet",
    "farm": "animal",
    "wild": "animal",
    "birds": "bird",
    "bugs": "bug",
}
"""The word a story may use for a child of the group; "animal" is the parent of all."""

FOODS: dict[str, tuple[str, ...]] = {
    "fruit": _w("apple pear plum banana cherry peach orange strawberry grape lemon"),
    "vegetables": _w("carrot potato onion tomato bean cabbage pumpkin mushroom"),
    "sweets": _w("cookie lollipop"),
    "baked": _w("cake pie muffin pancake bun loaf"),
    "meals": _w("soup bread cheese rice egg sandwich porridge"),
    "ingredients": _w("flour sugar butter honey salt cream"),
}
FOOD_PARENTS: dict[str, str] = {
    "fruit": "fruit",
    "vegetables": "vegetable",
    "sweets": "treat",
    "baked": "treat",
    "meals": "food",
    "ingredients": "food",
}
MASS_FOODS = _w("soup bread cheese rice porridge flour sugar butter honey salt cream fruit food")
"""Foods without an article or a plural in these stories ("some bread")."""
MASS_MEALS = _w("bread cheese rice porridge soup")
NOISES = _w("bang tap squeak boom pop crunch buzz")
DRINKS = _w("milk juice water tea lemonade cocoa")

TOYS: dict[str, tuple[str, ...]] = {
    "soft": _w("doll teddy puppet"),
    "moving": _w("ball kite car robot truck rocket drum balloon yoyo"),
    "making": _w("puzzle block crayon book whistle"),
}
CLOTHES = _w("hat coat scarf dress shirt sock boot jacket glove sweater cap")
TREASURES = _w("coin ring crown key shell stone necklace feather pearl")
TOOLS = _w("hammer brush rope ladder bucket spade lamp broom")
FLOWERS = _w("tulip daisy sunflower poppy violet")
FURNITURE = _w("bed chair table shelf sofa cupboard rug drawer")
CONTAINERS = _w("box basket bag jar bowl pot chest cup spoon plate")
VEHICLES = _w("bus train boat bike")
BODY = _w("hand foot head nose tail ear eye wing paw knee leg arm face heart hair")

PLACES: dict[str, tuple[str, ...]] = {
    "outdoors": _w(
        "park garden forest beach river hill farm field lake meadow pond playground yard street zoo"
    ),
    "indoors": _w("kitchen shop school library house bedroom barn museum bakery attic market"),
}
NATURE = _w("tree flower leaf grass bush nest hole mud sand puddle path rock bridge gate fence branch")
SKY = _w("sun moon star sky cloud rainbow")
OTHER_NOUNS = _w(
    "animal pet bird bug treat toy drink colour name song story letter game race picnic party gift"
    " surprise secret map treasure prize birthday home door window wall floor roof picture ribbon"
    " blanket candle card sign noise idea dream mistake mess rule turn"
    " line day night morning afternoon evening minute time way thing side"
    " piece place room town world lunch dinner breakfast recipe notice oven glue string button"
    " tear bath bite sound message ground front truth spot paint mouth log snowman bench sale smile summer"
    " winter spring autumn clothes fruit food fun"
)

IRREGULAR_PLURALS: dict[str, str] = {
    "mouse": "mice",
    "sheep": "sheep",
    "deer": "deer",
    "wolf": "wolves",
    "fox": "foxes",
    "puppy": "puppies",
    "pony": "ponies",
    "butterfly": "butterflies",
    "leaf": "leaves",
    "loaf": "loaves",
    "scarf": "scarves",
    "shelf": "shelves",
    "foot": "feet",
    "cherry": "cherries",
    "strawberry": "strawberries",
    "daisy": "daisies",
    "poppy": "poppies",
    "teddy": "teddies",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "peach": "peaches",
    "sandwich": "sandwiches",
    "box": "boxes",
    "brush": "brushes",
    "dress": "dresses",
    "bush": "bushes",
    "branch": "branches",
    "child": "children",
    "tooth": "teeth",
    "story": "stories",
    "party": "parties",
    "library": "libraries",
}


def plural(noun: str) -> str:
    """The plural of a countable noun of this lexicon."""
    return IRREGULAR_PLURALS.get(noun, noun + "s")


FOOD_PLURALS = tuple(
    plural(f) for group in (*FOODS.values(), ("treat",)) for f in group if f not in MASS_FOODS
)
THING_PLURALS = tuple(
    plural(noun)
    for noun in (
        *(toy for group in TOYS.values() for toy in group),
        *CLOTHES,
        *TREASURES,
        *FLOWERS,
        *_w(
            "cup spoon candle chair foot hand eye ear arm tree flower leaf cloud star animal toy friend apple"
        ),
        *_w("line step window minute button card string ribbon piece puddle rule noise bath word helper"),
        *_w("thing tooth vegetable year bird day bag story"),
    )
)

# --- adjectives ---------------------------------------------------------------------------------------
COLOURS = _w("red blue green yellow purple pink brown black white grey golden silver")
SIZES = _w("big small little tiny huge tall short long large")
QUALITIES = _w(
    "soft round shiny old new pretty fluffy wooden warm cold hot lovely special strange empty full"
    " wet dry dirty clean bright loud fresh sweet hungry thirsty lost"
    " fast strong hurt asleep deep good bad nice best better favourite same beautiful"
    " hard wrong right free awful terrible sure fat missing upside biggest funniest nicest true own late"
    " early next funny young"
)
TRAITS = _w("kind brave clever gentle curious friendly helpful careful polite patient silly merry")
FEELINGS: dict[str, tuple[str, ...]] = {
    "pleasant": _w("happy glad proud excited calm cheerful thankful pleased hopeful delighted"),
    "unpleasant": _w(
        "sad angry scared worried lonely upset bored grumpy nervous ashamed sorry jealous tired"
    ),
    "neutral": _w("surprised sleepy shy"),
}
WEATHER = _w("sunny rainy windy snowy cloudy stormy foggy")
WEATHER_NOUNS = _w("rain snow wind weather")

# --- numbers and order --------------------------------------------------------------------------------
NUMBERS = _w(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen"
    " eighteen nineteen twenty"
)
ORDINALS = _w("first second third fourth fifth sixth seventh eighth ninth tenth")
DAYS = _w("monday tuesday wednesday thursday friday saturday sunday")

# --- verbs: base -> (past, -ing); "" for a form the stories do not use --------------------------------
_VERB_TABLE = """
be was - / have had - / go went going / come came - / do did - / make made - / give gave - / - showed -
- handed - / bring brought - / - passed - / - lent - / take took - / get got - / find found -
- lost - / keep - - / hold held - / put put - / - carried - / pull pulled - / - threw -
share shared - / - opened - / - fixed - / - mended - / - broke - / - - snowing / - - raining
- - building / bake baked -
cook - - / mix mixed - / stir stirred - / add added - / cut cut - / wash washed - / dry dried -
wait waited waiting / serve - - / eat ate eating / - tasted - / want wanted - / need needed -
like liked - / love loved - / hope - - / - knew - / - thought thinking / forget forgot -
remember remembered - / learn - - / see saw - / look looked looking / - heard - / - listened -
- felt - / - smelled - / say said - / ask asked asking / tell told - / shout shouted - / - whispered -
- replied - / answer answered - / cry cried - / call called - / sing sang singing / read read reading
write wrote - / draw drew drawing / count counted counting / play played playing / run ran running
walk walked - / jump jumped jumping / dance danced dancing / climb - - / ride - - / swim swam -
- flew - / - hid - / sit sat sitting / - stood - / sleep slept sleeping / - fell - / rest rested -
- stopped - / - started - / help - - / - followed - / meet met - / - visited - / stay stayed -
leave left - / - lived - / - hugged - / - smiled - / laugh laughed laughing / - nodded -
thank thanked - / - clapped - / - blew - / - seemed - / - planted - / win won - / worry worried -
- dug - / - turned - / - named - / let - - / become - - / - dreamed dreaming / - knocked -
- hurried - / - rolled - / - dropped - / - painted - / - filled - / move - - / believe - - / miss - -
close - - / - bought - / wear wore - / - traded - / - woke - / - owned - / - began - / - picked -
- stepped -
"""


def _verbs(table: str) -> dict[str, tuple[str, str, str]]:
    rows = [entry.split() for line in table.strip().splitlines() for entry in line.split(" / ")]
    forms = [tuple("" if form == "-" else form for form in row) for row in rows]
    return {next(filter(None, (b, p, i))): (b, p, i) for b, p, i in forms}


VERBS: dict[str, tuple[str, str, str]] = _verbs(_VERB_TABLE)
"""Base form (or the first form that is used) -> (base, past, -ing)."""
GIVING = _w("gave showed handed brought passed lent")
"""Past tenses that take an indirect object ("gave a ball to Mary")."""
SPEAKING = _w("said asked shouted whispered replied answered cried")
BE = _w("is are am was were be")
THIRD_PERSON = _w("needs brings likes rains means")
PARTICIPLES = _w("seen gone")
MODALS = _w("can could will do did have has had")

# --- small words --------------------------------------------------------------------------------------
PUNCTUATION = _w('. , ! ? " :')
ARTICLES = _w("a an the")
SUBJECT_PRONOUNS: dict[str, str] = {
    "he": "male",
    "she": "female",
    "it": "thing",
    "they": "plural",
    "we": "plural",
    "i": "self",
    "you": "other",
}
OBJECT_PRONOUNS = _w("him her it them us you")
POSSESSIVES = _w("mine his her its their our my your")
INDEFINITES = _w("anyone everyone everything something nothing")
DEMONSTRATIVES = _w("this that")
QUANTIFIERS = _w("all both every many more most some any no other last enough")
CONJUNCTIONS = _w("and but or so because when while before after until if then than as")
PREPOSITIONS = _w(
    "to in on at of for with from by into under behind near over up down out about around through past"
    " inside outside next along away onto"
)
NEGATION = _w("not no never nothing")
QUESTION_WORDS = _w("what where who how")
ADVERBS = _w(
    "again always often yet least anywhere back slowly softly loudly quietly carefully gently happily"
    " together too"
    " very only even still now soon suddenly once there here tomorrow outside inside everywhere"
    " away home yes please hello goodbye almost high well alone ever"
)
OTHER_WORDS = _w("dear notice end upon day time ago long named la hey oh")

AMBIGUOUS = _w("past her that so lost hurt home outside inside no back right well")
"""Words that belong to more than one class, whatever one does."""
