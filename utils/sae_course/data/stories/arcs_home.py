"""Story arcs about home, food and family: (opening, problem, ending), and the class of the animal X."""

ARCS = {
    "baking day": (
        """
        - {K!} made the best {baked+} in [the world|town] [, and {A!} liked to help|] .
        """,
        """
        - one day , {A-} and {K-} {=plural} wanted to bake a {baked} [for {B-}|for dinner|for a party] .
        - {K!} read the recipe : " {m} cups of flour , {n} eggs , some butter and {n} spoons of sugar . "
        - first , {A!} [mixed|stirred] the flour and the butter . / [second , {he} added the eggs . /
          third|second] , {K!} put it in the oven .
        - {A!} [took a big bite|tasted the {baked}] . / <A: oh no ! it is [terrible|awful|so bad] !>
        - {A!} looked at the {colour} jar . / it {=thing} was salt !
        ? {A} [felt {feel_bad}|wanted to cry] , but {K!} laughed . / <K: i did the same thing when i was
          little .>
        """,
        """
        - [at last|in the end] , {A-} and {K-} {=plural} made a new {baked} . / [<A: no salt this time !>|]
        - {=thing} the {baked} was [warm and sweet|very good|big and round] . / {B!} ate {m} pieces [and
          asked for more|] .
        - [from that day on , {A!} always tasted the sugar first .|{A!} wrote " salt " on the {colour} jar
          .|the old {baked} {=thing} was for the birds , but {=plural} the birds did not want it .]
        """,
    ),
    "rainy picnic": (
        """
        - {AB} wanted to have a picnic [in|near] the {outdoor} . / {A} filled a basket with {picnic} .
        """,
        """
        - [suddenly ,|one day , {AB} sat down to eat , but then] {=thing} it started to rain . / [{=thing}
          the bread was wet , and {=thing} the blanket was wet too .|{=thing} the food was all wet .]
        - {AB} ran under a big tree , but {=thing} the rain came through the leaves . / [<A sadly: our
          picnic is over .>|{A!} was [cold|{feel_bad}] .]
        ? <B: we still have {picnic} .>
        - {A!} had an idea . / <A: we can have our picnic under the {under} !>
        ? {AB} ran home through the puddles , and {M!} brought [dry clothes|a dry blanket] and hot
          {hotdrink} .
        """,
        """
        - [in the end|at last] , {AB!} sat under the {under} and ate {picnic} .
        ? [{=thing} the rain sang on the roof , but inside {=thing} it was warm .|<B: this is the best
          picnic ever !>|{AB} told stories and laughed .]
        - then {=thing} the sun came out , and {AB!} saw a [big|beautiful] rainbow : red , yellow , green
          and blue .
        """,
    ),
    "broken dish": (
        """
        - {K!} had an old {colour} {dish} . / it {=thing} was a gift from a [queen|king|sailor|good friend]
          .
        """,
        """
        - one day , {A!} [played with a {roller}|danced around|ran too fast] in the {indoor} . / {=thing}
          the {dish} fell and broke into {n} pieces .
        - {A} was very [scared|ashamed|worried|sorry] . / {A} hid the pieces in a {hideout} [under the
          {furniture}|] .
        - <K: where is my {dish} ?> / {A!} [did not answer|looked at the floor|felt a tear on {his} face] .
        ? {B!} whispered , " you have to tell the truth . "
        ? {A!} could not eat {his} {baked} .
        - then {A!} went to {K-} . / <A: i broke it . i am so sorry .>
        """,
        """
        - [in the end|at last] , {A-} and {K-} {=plural} [mended|fixed] the {dish} with glue . / {A} put the
          pieces together : " {count} ! "
        ? <K: i am sad about the {dish} , but i am proud of you .>
        - [now {=thing} the {dish} had {colour2} lines all over , but {K!} liked it even better .|from that
          day on , {A!} never ran in the {indoor} again .|from that day on , {A!} always told the truth
          .|{K!} hugged {A-} , and {A!} felt {feel_good} again .]
        """,
    ),
    "birthday card": (
        """
        - it {=thing} was almost {day} , the birthday of {K-} . / {AB} wanted to make a [card|surprise] .
        """,
        """
        - one day , {AB!} started a big card in the {indoor} . / {A} [painted|drew] {n} {flower+} , and {B!}
          [painted|drew] a {colour} {bird} .
        ? <A softly: do not tell anyone ! it is a secret !>
        - then {B!} [dropped the brush|turned around too fast] , and {=thing} the [{colour2} paint|water]
          fell on the card .
        - {A!} was {feel_bad} . / [<B: i am so sorry .>|<B: it was a mistake .>|]
        - {A} looked at the card for a long time . / {=thing} the spot looked like a {animal4} . / [<A: look
          ! we can add eyes and a tail !>|]
        """,
        """
        - at last , {=thing} it was {day} . / {K!} opened the card and saw the {animal4} .
        - <K: it is the [funniest|best|nicest] card [in the world|ever] !>
        - {K!} [hugged {AB'}|put the card on the wall] , and {AB!} had a {baked} with {fruit+} .
        """,
    ),
    "giant vegetable": (
        """
        - {A} planted a [tiny|small] {vegetable} . / on {day} , {=thing} it was small . / on {day_b} ,
          {=thing} it was big . / on {day_c} , {=thing} it was as big as a [house|bear|table|horse|cow] .
        """,
        """
        - one day , {A!} wanted to pull the {vegetable} out of the ground . / {A} pulled and pulled , but
          {=thing} the {vegetable} did not move .
        - {A} called {K-} . / {A-} and {K-} {=plural} pulled and pulled , but {=thing} it did not move .
        ? {A!} called {B-} . / {A-} , {K-} and {B-} {=plural} pulled and pulled , but {=thing} the
          {vegetable} did not move .
        - {=X} the {bug} on the {furniture} laughed . / <X: i will help you !> / [{=plural} the children
          smiled because {=X} the {bug} was so small .|]
        """,
        """
        - in the end , {A-} , {K-} , {B-} and the {bug} {=plural} pulled together , and {=thing} the
          {vegetable} came out with a loud " pop " !
        ? {AB!} fell [on the grass|in the mud] and laughed .
        - {K!} made a big [soup|pie] with the {vegetable} , {vegetable2+} and {vegetable3+} . / [{=plural}
          the vegetables were [good|fresh] . /|] {=X} the {bug} got the first spoon . / [<X: you see ? small
          friends are strong too !>|]
        """,
        "bug",
    ),
}
