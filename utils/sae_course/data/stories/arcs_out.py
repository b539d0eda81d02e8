"""Story arcs out in the world: (opening, problem, ending), and the class of the animal X."""

ARCS = {
    "treasure hunt": (
        """
        - {A} found an old map in the {indoor} . / [{=thing} the map had a {colour} line and a {colour2}
          star .|{A} showed it to {B-} .|]
        """,
        """
        - one day , {AB!} followed the map . / <A: first , we walk {n} steps from the {landmark} .> / {AB}
          counted : " {count} . "
        ? <B: second , we turn [left|right] .>
        - {AB} dug a [deep|big] hole , but {=thing} the hole was empty . / [<B sadly: there is no treasure
          .>|{B!} was [tired|{feel_bad}] .|]
        - {A!} turned the map around . / <A: oh ! the map was upside down !>
        """,
        """
        - at last , {A!} found a {quality} box [under the {landmark2}|behind the {landmark2}] .
        - in the box {=thing} there were {n2} {treasure+} and a {colour2} {treasure2} .
        - {A!} gave the {treasure2} to {B-} , and {B!} gave the [best|biggest] {treasure} to {A-} .
        - from that day on , {AB!} looked at every map very carefully .
        """,
    ),
    "helping a neighbour": (
        """
        - near {A.his} house {=thing} there was a [small|little|{colour}] house with an old {oldman} in it .
        """,
        """
        - one day , {O!} looked {feel_bad} . / [<A: what is wrong ?> / <O=: i lost my {colour} {lostthing}
          .>|<O: i lost my {colour} {lostthing} .>]
        ? <O: my eyes are too old to look for it .>
        - {B!} looked [under|behind] the {furniture} , and {A!} looked in the {hideout} . / {AB} found a
          {tool} , {n} {small+} and a [sleeping|very fat] {pet} , but no {lostthing} .
        - then {A!} looked at {O-} and [began to laugh|laughed] . / <A: it is on your head !>
        """,
        """
        - [in the end|at last] , {O!} laughed too . / [<O: my head is as old as my eyes !>|]
        - {O!} gave {m} {treat+} to {AB'} [and told a story about a {wild}|] .
        - from that day on , {AB!} visited {O-} every {day} [and always brought {baked+}|] .
        """,
    ),
    "lost at the market": (
        """
        - on {day} , {A!} went to the market with {K-} . / [<K: we need {shop} .>|]
        """,
        """
        - suddenly , {A!} could not see {K-} any more . / [{A} had looked at the {toy+} for too long .|{A}
          had stopped to look at a {pet} .|]
        ? {A} saw a {colour2} {coat} and ran to it , but {=thing} it was only a {helper} with the same
          {coat} .
        ? {A} felt {feel_bad} . / {A} looked left and right .
        - then {A!} [remembered the rule : stay in one place and sing .|had an idea .] / {A} [stood|sat]
          next to the {landmark} and sang : " {song} ! "
        - <N: what a funny song ! are you lost ?> / <A=: yes .> / {=neutral} the {helper} sang too : "
          {song} ! "
        """,
        """
        - at last , {K!} heard the song and [ran to {A'}|hurried back] . / [<K: there you are ! i looked
          everywhere !>|<A: i stayed in one place and sang .>|<K: you did the right thing .>|]
        - {A!} [jumped into|ran into] the arms of {K-} .
        - [from that day on , {A!} always held [the hand of {K-}|the basket with one hand and {K-} with the
          other]|{K!} thanked the {helper} and bought a {treat} for {A-}] .
        """,
    ),
    "message": (
        """
        - {K!} lived [over|behind] the hill , near the {outdoor} .
        """,
        """
        - one day , {M!} said , " go to your {elder} and say : {song} . "
        - {A!} walked [past|along] the {outdoor2} and said , " {song} . "
        - {A!} met a {wild} on the path . / [<X: where are you going ?> / <A=: i have a message : {song}
          .>|]
        - but then {A!} [fell into a puddle|saw a {bird} and looked up for too long] . / <A: oh no ! what
          was the message ?>
        ? {A} sat on a [rock|log] and thought very hard .
        - [{=X} the {wild} came back . /|] <X: i remember it ! the words were : {song} .>
        """,
        """
        - in the end , {A!} knocked on the door . / <A: i have a message : {song} .>
        - {K!} laughed until {he} had to sit down . / [<K: it is a secret song . it means : come for
          {baked+} on {day} !>|]
        - [{A!} brought a {baked} to the {wild} on the way home|from that day on , {A!} never forgot a
          message again] .
        """,
    ),
    "wrong bag": (
        """
        - every {day} , {A!} took a {colour} bag to school . / in the bag {=thing} there was {bagthings} .
        """,
        """
        - one day , {A!} opened the bag at school . / in the bag {=thing} there was {bagthings2} !
        - [<A: this is not my bag !>|<A: what is this ?>|{A} was very surprised .]
        ? {A} asked {B-} . / <B=: no , my bag [is {colour2}|has a {small} on it] .>
        ? {A} was {feel_bad} because {he} [was hungry|needed {his} things] .
        - then {A!} saw the {helper} near the {landmark} with a {colour} bag . / <N: where is my lunch ? i
          only have {bagthings} !>
        """,
        """
        - [in the end|at last] , {A-} and the {helper} {=plural} laughed and traded the bags .
        ? {A} looked into {his} bag : {bagthings} .
        ? <N: the two bags look the same . we need a sign on them .>
        - {A!} drew a {animal} on one bag , and {=neutral} the {helper} drew a {fruit} on the other .
        """,
    ),
    "snowman": (
        """
        - {A} loved winter and snow . / [{A} waited for it every {day} .|]
        """,
        """
        - one day , {=thing} the {outdoor} was white with snow ! / {AB} put on {wear} and ran [out|outside]
          .
        - first , {AB!} made a big ball . / second , {A!} gave it a {vegetable} for a nose , a {colour}
          {coat} and {n} [buttons|stones] .
        - but when {AB} came back after lunch , {=thing} the {vegetable} was not there . / [<B: who took the
          nose ?>|]
        ? {AB} saw [small|tiny] steps in the snow and counted : " {count} . "
        - [under|behind] the {landmark} {=X} there was a hungry {snowanimal} with the {vegetable} . /
          [<X sadly: i am so sorry .>|<X: i did not eat for {m} days .>]
        ? <A: you can keep it !>
        """,
        """
        - in the end , {A!} put a {vegetable2} on the face of the snowman . / [now {=thing} the snowman had
          a very [funny|strange] nose .|]
        ? {B!} gave some {birdfood} to the {snowanimal} .
        - [{=X} the animal [danced in the snow|jumped around the snowman] , and {AB!} laughed .|from that
          day on , {AB!} put food under the {landmark} every {day} .|{AB!} laughed , and {=thing} the
          snowman seemed to laugh too .]
        """,
        "snowanimal",
    ),
}
