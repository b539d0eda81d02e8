"""Story arcs about toys, games and friends: (opening, problem, ending) in the notation of ``templates``."""

ARCS = {
    "lost toy": (
        """
        - {A} had a [{size} |{quality} |]{colour} {toy} [and took it everywhere|and {he} loved it|from
          {A.his} {kin}|] .
        """,
        """
        - [one day ,|but one day ,] {A!} could not find {his} {toy} [|anywhere] . / [|<A sadly: where is my
          {toy} ?>]
        - {A} looked [under|behind] the {furniture} , [under|behind] the {furniture2} and in the {hideout} ,
          but {=thing} the {toy} was not there .
        ? {A} felt {feel_bad} because {=thing} the {toy} was {A.his} [best|favourite] toy .
        ? [<B: do not worry . i [can|will] help you .>|{B} wanted to help . / <B: we will find it together
          !>]
        ? {AB} asked the {helper} , but {=neutral} the {helper} had seen [nothing|only a {animal6}] .
        - [{B!} had an idea . /|] <B: where did you play last ?> / <A=: i was in the {outdoor} .>
        """,
        """
        - [in the end ,|at last ,] [{A!}|{B!}] saw something {colour} [under a bush|behind a rock|in the
          long grass|near a tree|next to the path] in the {outdoor} . / it {=thing} was the {toy} !
        ? {A!} [hugged|picked up] the {toy} and [laughed|smiled|danced around] . / [<A happily: thank you !
          you are [my best|a very good|a true] friend !>|{B!} was [glad|happy|proud] too .]
        - [from that day on , {A!} always [put the {toy} on the {furniture}|put the {toy} back in the
          {hideout}|put all the toys away at night] .|{A!} never lost the {toy} again .]
        """,
    ),
    "sharing": (
        """
        - {A} [loved|liked] treats , and {treat+} most of all . / [{M} often [made|baked] {treat+} on {day}
          .|]
        """,
        """
        - [one day ,|but one day ,] {=thing} there was only one {treat} [on the plate|in the box|left in the
          kitchen] .
        - <A: the {treat} is mine !> / <B: no , it is mine !>
        ? {AB} pulled and pulled , and {=thing} the {treat} fell on the floor .
        - {A!} was [angry|upset] , and {B!} [started to cry|was angry too|cried] .
        - {M!} came into the [room|kitchen] . / [<M: what is all this noise ?>|<M: a good friend can share
          .>]
        ? {A!} looked at [the floor|{his} feet] [and was ashamed|] .
        """,
        """
        - [in the end|at last] , {A!} cut the {treat} into two pieces and gave [the big piece|the best
          piece|one piece] to {B-} .
        ? <B happily: thank you ! you are very [kind|nice] !>
        - {AB} sat [on the floor|under the {furniture}|side by side] and ate . / {=thing} the treat was
          [sweet and|very|so] good .
        - [from that day on , {AB!} shared [all the treats|everything] .|{M!} smiled and made {n} more
          {treat+} .]
        """,
    ),
    "race": (
        """
        ? {A} [could run very fast|loved to run] . / [|on {day} , {=plural} the children always had a race
          .]
        """,
        """
        - one day , {A-} and {B-} {=plural} were in a big race . / {=thing} the prize was a {colour}
          {treasure} .
        ? <M: one , two , three , go !>
        - {A!} was first , {B!} was second and {C!} was third . / [|{=plural} the children ran [down the
          hill|along the path|over the bridge|around the pond|through the {outdoor}] .]
        - but {B!} [fell over a rock|stepped in a hole|fell into a puddle] and hurt {his} {limb} . /
          [|<B sadly: oh no , my {limb} !>]
        - {A!} looked at the {treasure} . / {A} looked at {B-} . / [{A} wanted to win , but {he} did not
          want to leave a friend alone . /|] {A} [stopped|turned around] and ran back . / [|<A: hold my hand
          ! we [can|will] walk together !>]
        """,
        """
        - in the end , {C!} won the race . / [{AB!} came last , but {he} [were not sad|laughed]|{A!} came
          {ord} , and {B!} came {ord_b}] .
        - {C!} gave the {treasure} to {A-} , and {=plural} the people clapped . / [<C: {A-} is the best
          friend in the world !> |<C: this is for the kind heart of {A-} !>|]
        - [<B: thank you for waiting .>|{A!} was very {feel_good} .|{A!} hugged {B-} .|from that day on ,
          {AB!} always ran together .]
        """,
    ),
    "new friend": (
        """
        - every {day} , {A!} went to the {outdoor} with a {colour} {toy} , but {he} [always played alone|had
          no friends there] .
        """,
        """
        - one day , {A!} saw a new {Bkid} [on the bench|under a tree|near the gate|behind the fence] . /
          {=B} the {Bkid} looked [shy|lonely|sad|nervous] .
        ? {A!} [felt shy too|was nervous] [and thought for a minute|] .
        - {A!} [walked|went] [over|to the {Bkid}] and smiled . / <A: hello ! my name is {A-} . what is your
          name ?>
        - [<B= softly: i am {B-} .>|<B= softly: i am {B-} . i am new here .>]
        - <A: do you want to play with my {toy} ?> / [<B=: yes , please !>|{B!} nodded .]
        ? {B!} knew a game with {n} {small+} , and {AB!} played until {=thing} the sun went down .
        """,
        """
        - at last , {M!} called , " time to go home ! "
        - {B!} gave a {colour2} {small} to {A-} . / [<B: can you come again tomorrow ?> / <A= happily: yes
          !>|]
        - from that day on , [{AB!} played together every day|{AB!} were best friends|{A!} was never alone
          again] .
        """,
    ),
    "kite in a tree": (
        """
        - {A} had a new {flier} . / [it {=thing} was {colour} and {colour2} [with a long tail|with {n}
          {colour3} stars] . /|] {AB} took it to the {outdoor} because {=thing} the day was windy .
        """,
        """
        - suddenly , {=thing} the wind blew very hard , and {=thing} the {flier} flew [up , up , up|away]
          into a tall tree .
        ? <A: oh no ! it is too high !>
        - first , {A!} jumped , but {he} was too small . / second , {B!} threw a {small} , but {=thing} the
          {small} came down on {A.his} head . / [|third , {AB!} pulled a branch , but {=thing} the branch
          broke .]
        ? there {=animal} was a {bird} in the tree . / it {=animal} seemed to [laugh|smile] .
        ? {A} felt {feel_bad} . / <A sadly: we will never get it down .>
        - {B!} ran [home|to {M-}|to the {helper}] and came back with a [ladder|long rope|broom|big spoon] .
        """,
        """
        - at last , {=thing} the {flier} was [free|down] . / [it {=thing} had a [small|big] hole , but {B!}
          [fixed|mended] it with some [glue|string|ribbon] .|]
        - {=thing} the {flier} flew again , and {AB} ran after it . / [<A happily: look how high it is !>|]
        - [from that day on , {A!} stayed away from trees|in the evening , {AB} walked home together|it
          {=thing} was a good day] .
        """,
    ),
    "shy singer": (
        """
        - {A} [liked|loved] to sing , but only when {he} was alone . / {A.his} song {=thing} went like this
          : " {song} ! "
        """,
        """
        - one day , {A!} had to sing for everyone at [the {indoor}|a big party] . / {=plural} the people
          waited .
        - {A} [stood on a chair|opened {his} mouth] , but {he} could not make a sound . / [<A softly: i am
          too [shy|scared] .>|]
        ? {=plural} the children whispered , and {A!} felt {feel_bad} .
        - {B!} [came|walked|ran] up and [held|took] {A.his} hand . / <B: [we can|let us] sing it together .>
          / [{B} started very quietly . /|] <B: {song} !>
        - [then|soon] {A!} sang too [|, first softly and then loudly] . / <A: {song} !>
        """,
        """
        - in the end , {=plural} the people clapped [and clapped|for a long time] , and {=plural} the
          children sang : " {song} ! "
        ? {M!} was so proud and gave a {flower} to {A-} .
        - [<A: it is more fun with a friend .>|{A!} was not shy any more .|from that day on , {A!} sang
          everywhere , even in the bath .]
        """,
    ),
}
