"""What every story may have around its arc: beginnings, threads that return at the end, gifts between two."""

from .templates import compile_template

BEGIN = compile_template(
    """[[once upon a time ,|long ago ,|once ,] there was a [little|{trait}|{trait} little|young] {Akid}
    named {A!}
    |[one morning , {A!} woke up [early|late|with a [happy|proud|big|sleepy] smile]|one {daytime} , {A!}
    [looked out of the window|was alone at home]] . / {A} was a {trait} [little|] {Akid}
    |{A!} was a {trait} [little|young|] {Akid}
    |there was a {Akid} named {A!}
    |{A!} lived in a [{size} |]{colour4} house [near the {outdoor4}|near a {place4}]]
    ."""
)
TRAIT = compile_template(
    """[{A} had [long|short] [brown|black|golden] hair and a {size} [smile|nose|laugh] .
    |{A} was {age} years old .
    |{A} was almost always {feel_good} .
    |{A} lived with {A.his} mom and dad near the {outdoor5} .
    |{A} could [run|sing|jump|swim|dance|climb] very well .
    |{A} was not very [big|tall|strong] , but {he} was very {trait2} .
    |{A} came to school by [bus|train|boat|bike] .
    |{A} was always [singing|dancing|running|jumping|asking|laughing|reading|drawing|counting things] .
    |{A} could not [swim|cook|ride a bike|read|write] yet , but {he} wanted to learn .
    |{A} wanted to become a {~helper} .
    |{A} had [many|only {n6}] {~toy_s} , but no {~toy} .
    |it {=thing} was [raining|snowing] , so {A!} was [playing|reading|drawing|building a house of blocks]
    inside .
    |it {=thing} was a sunny day , and {=plural} the {bird6+} were singing .
    |{A} was [reading a book|drawing a {~animal}|eating a {~food}|sitting near the {outdoor6}|looking at
    the {~sky}] and [thinking|dreaming] of {~food_s} .]"""
)
FRIEND = compile_template(
    """[{A} had a {ftrait} {rel} named {B-} .
    |{A} had a {rel} named {B-} .
    |{A.his} {rel} {B!} was {trait3} and {trait4} .
    |{A} had a {rel} , and {=B} the name of the {rel} was {B-} .
    |{A.his} {rel} {B!} lived in the same [house|street] .
    |{A-} and {A.his} {rel} {B-} {=plural} did everything together .
    |{A-} and {A.his} {rel} {B-} {=plural} were both {ftrait} and had their own secret song : " {song6} .
    "]"""
)

SECRET = compile_template(
    """[then {AB!} sang the secret song : " {song6} . "
    |<B: {song6} !> / [{A!} laughed because it {=thing} was the secret song|{A!} remembered the secret
    song] .]"""
)
"""For friends with a secret song: it comes back."""

MOOD = compile_template(
    """[{A!} was [so|very|] {feel_good} .
    |{AB!} were [both|very|so] {feel_good} .
    |{A!} felt {feel_good} [again|and a little tired|] .
    |<A: i am so {feel_good} !>|<B: i am so {feel_good} !>]"""
)
"""Near the end, when all is well."""

GIFT = compile_template(
    """[[when|after] {AB!} [went|came|walked] to the {~meeting} , {S!} {~giving} a {~gift} to {R-} .
    |[when|after] {AB!} had [lunch|dinner|a picnic] near the {~meeting} , {S!} {~giving} a {~gift} to {R-} .
    |when {AB!} [sat|stood|rested|waited] [near|in front of] the {~meeting} , {S!} {~giving} a {~gift} to
    {R-} .
    |then {AB!} went to the {~meeting} , and {S!} {~giving} a {~gift} to {R-} .
    |[while|when] {AB!} played [at|near] the {~meeting} , {S!} {~giving} a {~gift} to {R-} .
    |{AB!} met at the {~meeting} , and {S!} {~giving} a {~gift} to {R-} .]"""
)
"""Two names, and one of them gives: who gets it? Only the other name fits."""

THREADS = {
    "favourite fruit": (
        "{A} loved [all fruit|fruit] , and {fruit4+} most of all .",
        """[at home , {M!} gave a {fruit4} to {A-} because {=thing} the {fruit4} was {A.his} favourite fruit .
        |{M!} had a surprise : {n4} {fruit4+} , the favourite fruit of {A-} !
        |then {AB!} ate some fruit : a {fruit5} for {B-} and a {fruit4} for {A-} .]""",
    ),
    "favourite animal": (
        "{A} [liked|loved] [[|all ]animals] , and {animal4+} most of all .",
        """[on the way home , {A!} saw a {animal4} [in a {outdoor5}|near the {outdoor5}|behind a tree] . /
        <A: look ! my favourite animal !>
        |{B!} drew a picture of a {animal4} and gave it to {A-} because {A!} loved {animal4+} .
        |in the evening , {M!} read a story about a {animal4} . / {=thing} the {animal4} was {A.his}
        favourite animal .]""",
    ),
    "favourite colour": (
        """{A.his} favourite colour {=thing} was {colour5} . / [{A} had a {colour5} {coat4} and a
        {colour5} {coat5} .|{A} wanted everything to be {colour5} .]""",
        """[{M!} bought a {colour5} {small4} for {A-} because {colour5} {=thing} was {A.his} favourite
        colour .
        |then {B!} gave a {colour5} {small4} to {A-} . / <A: {colour5} ! my favourite colour !>]""",
    ),
    "pet": (
        """{A} [had|owned] a [{petsize}|{colour6}|fluffy|funny] {pet} named {Pet} . / [{=P} the {pet}
        liked to sleep [on|under] the {furniture5} .|{P} could eat {n5} {food4+} .|{P} followed {A'}
        everywhere .|]""",
        """[{P!} [was happy too|jumped up and down|wanted a treat too] .
        |at home , {P!} [waited|was waiting] [at the door|near the door] . / {A} told {P'} everything .
        |{A!} gave a {food4} to {P-} , and {=P} the {pet} ate it in one bite .]""",
    ),
    "song": (
        """{A} [had made|knew] a [silly|funny|little] song : " {song4} ! "
        / [{A} sang it all day : " {song4} ! "|]""",
        """[{A!} sang {his} [silly|funny|little] song [again|loudly] : " {song4} ! "
        |{AB!} sang all the way home : " {song4} ! "
        |<A: {song4} !> / {B!} laughed and sang it too : " {song4} ! "]""",
    ),
    "saying": (
        '{K!} [always|often] said , " {motto} . "',
        """[{A!} thought of the words of {K-} : " {motto} . "
        |<A: my {elder} is right : {motto} .>
        |{K!} heard about it and said , " {motto} . "]""",
    ),
    "counting": (
        '{A} [could|liked to] count : " {count4} . "',
        """[{A!} counted {countable} : " {count4} . "
        |on the way home , {AB!} counted {countable} : " {count4} . "]""",
    ),
    "days": (
        "on {day4} , {A!} {didweek} . / on {day4_b} , {A!} {didweek2} . / [on {day4_c} , {A!} {didweek3} .|]",
        "[it {=thing} was {day4_d} , and {A!} was {feel_good} .|{A!} could not wait for {day4_d} .]",
    ),
    "list": (
        "[{A} always carried a {bag} with {bagthings5} .|in {A.his} {bag} {=thing} there was {bagthings5} .]",
        """[{A!} looked into {his} {bag} : {bagthings5} . / it {=thing} was all still there .
        |{A!} opened the {bag} . / {he} had {bagthings5} .]""",
    ),
    "dream": (
        "every night , {A!} dreamed of a {colour5} {animal5} .",
        """[at night , {A!} dreamed of the {colour5} {animal5} again .
        |{A!} told {B-} about the dream of the {colour5} {animal5} .]""",
    ),
    "seasons": (
        """in spring , {A!} planted {flower5+} . / in summer , {A!} swam in the {water} . / in autumn ,
        {A!} jumped into the leaves .
        / in winter , {A!} [stayed in bed|waited for snow|ate {food5+}] .""",
        """[it {=thing} was the best day of the [spring|summer|autumn|winter] .|{A!} could not wait for
        [spring|summer|autumn|winter] .]""",
    ),
    "favourite toy": (
        "{A} had many toys , but {=thing} the {colour5} {toy5} was {A.his} favourite .",
        """[{A!} let {B-} play with the {toy5} , {A.his} favourite toy .
        |at home , {A!} told the {toy5} everything .
        |<B: you can play with my {toy6} if i can play with your {toy5} .>]""",
    ),
    "clothes": (
        "{A} wore a {colour5} {coat5} and {colour6} {paired} because {=thing} it was a {weather} day .",
        """[{A.his} clothes {=plural} were dirty now , even the {colour5} {coat5} .
        |{M!} washed the {coat5} and the {paired} because {=plural} the clothes were very dirty .]""",
    ),
    "drink": (
        "{A} never wanted any drink but {drink5} .",
        """[at home , {M!} made [hot|cold|sweet] {drink5} , the best drink in the world .
        |then {AB!} were thirsty . / {B!} had a cup of {drink6} , and {A!} had a cup of {drink5} .]""",
    ),
    "vegetables": (
        "{A} did not like vegetables , and {vegetable5+} least of all .",
        """[for {meal} , {M!} made {vegetable5+} , and {A!} ate them all because {he} was so hungry .
        |{A!} even ate a {vegetable5} for {meal} . / {M!} could not believe it .]""",
    ),
}
