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
    "John Tom Ben Sam Max Leo Tim Jack Peter David Paul Adam Noah Oscar Simon Henry Felix Hugo Omar Ravi Kenji"
    " Anton Oliver Daniel Lucas Theo"
)
NAME_GENDER: dict[str, str] = {n: "female" for n in FEMALE_NAMES} | {n: "male" for n in MALE_NAMES}
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
PEOPLE_PLURALS = _w("girls boys children people friends")
OTHER_PEOPLE = _w("child friend neighbour helper winner owner")

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
    "sweets": _w("cookie candy chocolate lollipop"),
    "baked": _w("cake pie muffin pancake bun loaf"),
    "meals": _w("soup bread cheese rice egg sandwich pizza porridge"),
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
MASS_FOODS = _w(
    "soup bread cheese rice porridge flour sugar butter honey salt cream candy chocolate fruit food"
)
"""Foods without an article or a plural in these stories ("some bread")."""
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
CONTAINERS = _w("box basket bag jar bowl pot pocket chest cup spoon plate")
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
    "animal pet bird bug vegetable treat toy drink colour name song story letter word game race picnic party gift"
    " surprise secret map clue treasure prize birthday trip home door window wall floor roof corner picture ribbon"
    " blanket pillow candle card flag sign note voice noise smell idea dream wish mistake mess promise rule turn"
    " line list number day night morning afternoon evening week year minute hour time way thing side top bottom"
    " middle piece part place room town world lunch dinner breakfast recipe notice oven glue wheel string button"
    " tear nap bath hug smile step reward club summer winter spring autumn clothes fruit food reason luck fun"
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
    "story": "stories",
    "party": "parties",
    "library": "libraries",
}


def plural(noun: str) -> str:
    """The plural of a countable noun of this lexicon."""
    return IRREGULAR_PLURALS.get(noun, noun + "s")


FOOD_PLURALS = tuple(plural(f) for group in FOODS.values() for f in group if f not in MASS_FOODS) + (
    "treats",
)
THING_PLURALS = tuple(
    plural(noun)
    for noun in (
        *(toy for group in TOYS.values() for toy in group),
        *CLOTHES,
        *TREASURES,
        *FLOWERS,
        *_w(
            "box basket bag jar cup spoon bowl plate candle chair shelf foot hand eye ear wing paw leg tree flower"
        ),
        *_w(
            "leaf rock cloud star animal pet bird bug vegetable toy drink colour name song story letter word game"
        ),
        *_w(
            "gift clue minute hour day week year friend step apple side line picture window tear dream branch"
        ),
    )
)

# --- adjectives ---------------------------------------------------------------------------------------
COLOURS = _w("red blue green yellow purple pink brown black white grey golden silver")
SIZES = _w("big small little tiny huge tall short long large")
QUALITIES = _w(
    "soft round shiny old new pretty fluffy wooden broken warm cold hot lovely special strange empty full"
    " heavy wet dry dirty clean muddy dark bright loud quiet fresh sweet sour hungry thirsty lost safe ready"
    " fast slow strong hurt asleep awake deep good bad nice best better favourite same different beautiful fair"
    " tasty easy hard wrong right whole free late early next funny sore closed young wide"
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
WEATHER_NOUNS = _w("rain snow wind storm fog thunder weather")

# --- numbers and order --------------------------------------------------------------------------------
NUMBERS = _w(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
ORDINALS = _w("first second third fourth fifth sixth seventh eighth ninth tenth")
DAYS = _w("monday tuesday wednesday thursday friday saturday sunday")

# --- verbs: base -> (past, -ing); "" for a form the stories do not use --------------------------------
_VERB_TABLE = """
be was being / have had having / go went going / come came coming / do did doing / make made making
give gave giving / show showed - / hand handed - / bring brought bringing / pass passed - / lend lent -
take took taking / get got getting / find found - / lose lost - / keep kept - / hold held holding
put put - / carry carried carrying / pull pulled pulling / push pushed - / throw threw - / catch caught -
share shared sharing / use used - / open opened - / - closed - / fix fixed - / mend mended - / - broke -
build built building / bake baked baking / cook cooked - / mix mixed - / stir stirred - / add added -
pour poured - / cut cut - / wash washed - / dry dried - / wait waited waiting / serve - - / eat ate eating
- tasted - / - drank - / want wanted - / need needed - / like liked - / love loved - / hate hated - / hope hoped -
wish wished - / know knew - / think thought - / forget forgot - / remember remembered - / learn learned -
see saw - / look looked looking / watch watched watching / hear heard - / listen listened - / feel felt -
- smelled - / say said - / ask asked - / tell told - / - shouted - / - whispered - / - replied -
- answered - / - cried crying / call called calling / sing sang singing / read read reading
write wrote writing / draw drew drawing / count counted counting / play played playing / run ran running
walk walked walking / jump jumped jumping / dance danced dancing / climb climbed - / ride rode -
swim swam - / fly flew flying / hide hid hiding / sit sat sitting / stand stood - / sleep slept sleeping
- fell - / rest rested - / stop stopped - / start started - / try tried - / help helped - / follow followed -
meet met - / visit visited - / stay stayed - / leave left - / live lived - / - hugged - / - smiled -
- laughed - / - nodded - / thank thanked - / - clapped - / - waved - / - pointed - / - barked - / - purred -
- rained raining / - snowed snowing / blow blew - / shine shone shining / - seemed - / grow grew -
plant planted - / win won - / teach taught - / worry worried - / guess guessed - / dig dug -
- happened - / - turned - / return returned - / - named - / let - - / become became - / - searched -
- dreamed - / - promised - / - knocked - / - yawned - / - shivered - / - hurried - / - rolled -
- dropped - / - decorated - / - wrapped - / - painted - / - tied - / - filled - / - covered - / fit fitted -
"""


def _verbs(table: str) -> dict[str, tuple[str, str, str]]:
    rows = [entry.split() for line in table.strip().splitlines() for entry in line.split(" / ")]
    return {(b if b != "-" else p): tuple("" if f == "-" else f for f in (b, p, i)) for b, p, i in rows}


VERBS: dict[str, tuple[str, str, str]] = _verbs(_VERB_TABLE)
"""Base form (or the past, where the base is not used) -> (base, past, -ing)."""
GIVING = _w("gave showed handed brought passed lent")
"""Past tenses that take an indirect object ("gave a ball to Mary")."""
SPEAKING = _w("said asked shouted whispered replied answered cried")
BE = _w("is are am was were be been")
MODALS = _w("can could will would must should do did does have has had")

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
OBJECT_PRONOUNS = _w("him her it them us me you")
POSSESSIVES = _w("his her its their our my your")
REFLEXIVES = _w("himself herself itself themselves")
INDEFINITES = _w("everyone everything something nothing someone nobody anything")
DEMONSTRATIVES = _w("this that these those")
QUANTIFIERS = _w("all both each every many more most much some any no another other last few lots enough")
CONJUNCTIONS = _w("and but or so because when while before after until if then than as")
PREPOSITIONS = _w(
    "to in on at of for with from by into under behind near over up down out off about around across through"
    " inside outside between next along away without onto"
)
NEGATION = _w("not no never nobody nothing")
QUESTION_WORDS = _w("what where who why how which")
ADVERBS = _w(
    "again also always back quickly slowly softly loudly quietly carefully gently happily sadly together too"
    " very really only just even still now soon suddenly once there here today tomorrow outside inside everywhere"
    " far away home later yes please hello goodbye perhaps almost high well far alone ever"
)
OTHER_WORDS = _w("dear notice ready end upon day time ago long else named o la hey hooray oh")

AMBIGUOUS = _w("her that so lost closed hurt home outside inside no back right well")
"""Words that belong to more than one class, whatever one does."""
