"""Story arcs about animals and pets: (opening, problem, ending), and the class of the animal X."""

ARCS = {
    "hurt bird": (
        """
        - {A} loved birds , and {bird+} most of all . / [{A} had a book about birds .|{A} knew the song of
          every bird .|]
        """,
        """
        - one day , {A!} heard a small sound in the {outdoor} . / it {=thing} was a [little|young|{colour}]
          {bird} with a hurt wing .
        ? <A: oh , do not be scared !>
        - {A} held it very [gently|carefully] and carried it home in {A.his} {coat} .
        ? {M!} looked at the wing . / <M: it needs rest , water and some {birdfood} .>
        - on {day} , {=X} the {bird} only slept . / on {day_b} , {=X} it ate a little . / on {day_c} , {=X}
          it jumped onto the {furniture} and sang .
        ? {A!} named the bird {Pet} .
        """,
        """
        - [at last|in the end] , {=X} the bird was strong again . / {A!} opened the window . / [{A} was sad
          and happy at the same time .|<A: goodbye , little bird !>|]
        - {=X} the {bird} flew [up into the sky|over the trees|around {A.his} head and away] .
        - from that day on , {=X} the {bird} came back every [{day}|morning] and sang outside the window .
        """,
        "bird",
    ),
    "muddy pet": (
        """
        - {A} had a {petsize} {pet} named {Pet} . / {P} loved [water|mud|puddles] and {food+} .
        """,
        """
        - one day , {A-} and {P-} {=plural} went out after the rain . / [{=thing} the {outdoor} was full of
          puddles .|]
        - {P!} [jumped into|rolled in|ran through] the [biggest puddle|mud] . / now {=P} the {pet} was
          [brown|black] from head to tail .
        - {P!} ran home . / there {=thing} was mud on the {furniture} , on the {furniture2} and even on the
          {furniture3} !
        ? {M!} saw the mess . / <M: {Pet} needs a bath !>
        - {A!} filled a {tub} with warm water , but {P!} [hid under the {furniture}|did not like baths] .
        - {A!} held up a {treat} . / {=P} the {pet} [smelled|saw] it and jumped into the water .
        """,
        """
        - [in the end|at last] , {=P} the {pet} was clean , but {A!} was very wet .
        ? {M!} [laughed|had to laugh] . / <M: now you need a bath too !>
        - [{P!} ate the {treat} and slept [under|on] the {furniture} .|{A!} dried {P-} with a
          [{colour}|soft] blanket .|from that day on , {A!} always washed the pet in the yard .]
        """,
    ),
    "missing animal": (
        """
        - {K!} had a farm with {n} {farm+} . / every morning , {A!} counted the animals : " {count} . "
        """,
        """
        - one day , {A!} counted only {n_less} . / <A: oh no ! one {farm} is [gone|lost|missing] .>
        - {AB} looked for the animal in the barn , in the {outdoor} and [behind|near] the {outdoor2} .
        ? <B: did you see a {colour} {farm} ?> / <N=: no , but i heard a noise in the {indoor} .>
        - {AB} listened . / there {=thing} was a noise [behind the door|in the {indoor}] : " {noise} ! "
        - {B!} opened the door very slowly . / {=X} the {farm} was [asleep on the {furniture}|in a big
          {hideout}|on the {furniture} with a {coat} on its head] .
        """,
        """
        - in the end , {AB} [carried|took] the {farm} home . / {A!} counted again : " {count} ! "
        ? <K: thank you ! you are [a good farmer|good helpers] !>
        - {K!} gave a {fruit} to {A-} and a {fruit2} to {B-} . / [{=thing} the fruit was [sweet|fresh] , and
          {=X} the {farm} wanted some too .|]
        """,
        "farm",
    ),
    "cannot sleep": (
        """
        - it {=thing} was [late|night] , and {A!} was in bed with {his} {soft} . / [{=thing} the moon was
          [bright|big and round] .|]
        """,
        """
        - suddenly , {A!} heard a noise : " {noise} , {noise} ! " / [{A} pulled the blanket over {his} head
          .|<A softly: what is it ?>|]
        ? {A} thought of a {wild} with big [eyes|ears|feet|teeth] .
        - {A} counted {farm+} : " {count} . " / but {=thing} the noise came again : " {noise} , {noise} ! "
        - {A} called {M-} , and {M!} came with a [lamp|candle] . / <M: it is only the [wind|rain|window] .>
        ? {A} was not so sure . / <A: can we look ?>
        """,
        """
        - at last , {A!} saw a [tiny|little|funny] {nightanimal} [on the floor|behind the {furniture}|near
          the window] . / {=X} the animal [had a {treat} in its mouth|had a sock on its head|looked as
          scared as {A-}] .
        - {A!} laughed . / <A: it is only a {nightanimal} !>
        - [{M!} [sang a song|read a story] , and soon {A!} was asleep .|from that day on , {A!} was not
          scared of noises .|{=X} the {nightanimal} went home , and {A!} slept until the morning .]
        """,
        "nightanimal",
    ),
}
