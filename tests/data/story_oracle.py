"""The stories' truth read slowly: one word after the other, with a memory of plain variables.

Written from the meanings in ``features``, without the arrays of ``labels``: an oracle to compare with.
"""

import story_oracle_words as w

from sae_course.data.stories import lexicon as lex
from sae_course.data.stories.vocabulary import WORDS


class Reader:
    """Reads one story from its first word on."""

    def __init__(self):
        self.words = []
        self.quoted = False
        self.question = self.after_when = self.negated = self.verb = self.tag_before = False
        self.first_at = -1
        self.clauses = set()  # the words that opened a subordinate clause which is not over
        self.waiting = dict.fromkeys(
            [*w.OPENERS, "subject", "time", "join"], False
        )  # phrases whose noun is to come
        self.item, self.item_after_and, self.bare_noun = 1, False, []
        self.subject, self.by_pronoun, self.heads = None, False, []
        self.speaker, self.joined_noun, self.there = None, False, False
        self.met = {"female": False, "male": False}
        self.met_here = {"female": False, "male": False}
        self.pair, self.pair_again, self.given = None, False, False
        self.names = []
        self.feeling, self.phase, self.sentences = None, "opening", 0
        self.sentence, self.sentence_quoted = [], False
        self.rank = dict.fromkeys(w.SERIES, 0)
        self.counted_on = False

    def read(self, word):
        """The names of what is true at this word."""
        self.true = {name for name, words in w.LOOKUP.items() if word in words}
        self.word = word
        self.one, self.two, self.three = [*reversed(self.words[-3:]), "", "", ""][:3]  # the words before
        self.ends = word in w.MARKS or word == '"'
        self.was_waiting, self.verb_before = dict(self.waiting), self.verb
        for step in (
            self.read_marks, self.read_clauses, self.read_phrases, self.read_list, self.read_subject,
            self.read_pronouns, self.read_names, self.read_memory, self.read_series, self.read_story,
        ):  # fmt: skip
            step()
        self.words.append(word)
        return self.true

    def note(self, name, condition):
        if condition:
            self.true.add(name)

    def read_marks(self):
        was_quoted = self.quoted
        if self.word == '"':
            self.quoted = not self.quoted
        self.opens = self.quoted and not was_quoted
        tag = self.one == '"' and not was_quoted and self.word in lex.SPEAKING
        fresh = not self.words or self.one in w.MARKS
        fresh = fresh or (self.one == '"' and (was_quoted or self.two in w.MARKS))
        self.first = fresh and not self.ends and not tag
        self.tag_verb = tag
        asks = self.one in ("do", "have") and self.first_at == len(self.words) - 1
        asks = asks and self.word in lex.SUBJECT_PRONOUNS
        if self.first:
            self.first_at = len(self.words)
            self.sentence, self.sentence_quoted = [], self.quoted
            asks = self.word in w.QUESTIONS
        self.question = (self.question or asks) and not self.ends
        self.note("inside a quote", self.quoted)
        self.note("first word of a sentence", self.first)
        self.note("question", self.question)

    def read_clauses(self):
        word = self.word
        if self.ends:
            self.after_when = False
        elif word == "," and self.clauses & {"when", "while", "before", "after"}:
            self.after_when = True
        if self.ends or word == ",":
            self.clauses = set()
        elif word in w.SUBORDINATE:
            self.clauses.add(word)
        self.note("subordinate clause", self.clauses)
        self.note("subordinate clause: when", "when" in self.clauses)
        self.note("subordinate clause: because", "because" in self.clauses)
        self.note("after a when-clause", self.after_when)
        if word in lex.NEGATION:
            self.negated = True
        elif self.ends or word in w.CLAUSE_ENDS:
            self.negated = False
        self.note("negated clause", self.negated)
        if word in w.VERBS and not self.waiting["noun due"]:
            self.verb = True
        elif self.ends or word == "," or word in w.VERB_ENDS:
            self.verb = False
        self.note("verb has come", self.verb)
        self.note("base verb after to", word in w.BASE and self.one == "to")

    def wait(self, name, opened):
        self.waiting[name] = opened or (self.waiting[name] and self.word in w.FILLERS)

    def read_phrases(self):
        for name, openers in w.OPENERS.items():
            self.wait(name, self.word in openers)
            self.note(name, self.waiting[name] and name not in ("verb", "definite"))

    def read_list(self):
        is_item = self.word in w.ITEM
        separated = self.one in {",", "and"} and self.bare_noun[-2:-1] == [True]
        separated = separated or ([self.two, self.one] == [",", "and"] and self.bare_noun[-3:-2] == [True])
        self.bare_noun.append(self.word in w.NOUNS and not self.was_waiting["definite"])
        if is_item and separated:
            self.item += 1
            self.item_after_and = self.one == "and"
        elif not is_item and self.word not in (",", "and"):
            self.item = 1
        self.note("list", self.item > 1)
        if is_item:
            self.note("list: second item", self.item == 2)
            self.note("list: third item or later", self.item > 2)
            self.note("list: item after and", self.item > 1 and self.item_after_and)

    def is_head(self, place):
        if self.word in ("he", "she", "they", "we", "i"):
            return True
        if self.word in ("it", "you"):
            clause = place and self.one not in ("after", "before")
            return clause or self.one in w.BEFORE_IT
        called = self.quoted and self.one == ","
        if self.word in w.NAMES and place and not called and self.one != "dear":
            return True
        if self.word in w.RELATIVES and place and not called and not self.was_waiting["noun due"]:
            return True
        if self.word in ("everyone", "there"):
            return place
        timed = w.kind_of(self.word) == "thing" and self.was_waiting["time"]
        return self.word in w.NOUNS and self.was_waiting["subject"] and not timed

    def read_subject(self):
        splits = self.one == "and" and self.two not in w.NAMED
        place = splits or (not self.verb_before and self.one not in lex.PREPOSITIONS)
        place = place or (self.one == "named" and self.there) or self.tag_before
        self.there = (self.there or self.word == "there") and not self.ends
        joins = self.one == "and" and self.heads[-2:-1] == [True]
        joined_noun = self.word in w.NOUNS and self.was_waiting["join"]
        joined = joined_noun or (self.word in w.NAMES and (joins or self.joined_noun))
        self.joined_noun = joined_noun
        head = joined or self.is_head(place)
        definite = self.word in w.DEFINITE
        self.wait("subject", (definite and place) or (self.word in ("a", "an") and self.first))
        self.wait("time", definite and self.one in ("after", "before"))
        self.wait("join", definite and joins)
        if self.opens:
            self.speaker = self.subject
        if head:
            self.subject = "plural" if joined else w.kind_of(self.word)
            self.by_pronoun = self.word in lex.SUBJECT_PRONOUNS
        elif self.ends or (self.word == "," and self.one in w.NAMES and self.quoted):
            self.subject = None
        if self.word in w.OBJECTS and not head:
            self.note("object of the verb", self.was_waiting["verb"])
            self.note("object of a preposition", self.was_waiting["noun due: after a preposition"])
        self.note(f"subject: {self.subject}", self.subject not in (None, "listener", "other person"))
        self.note("subject: by pronoun", self.subject and self.by_pronoun)
        self.note("quote: speaker female", self.quoted and self.speaker == "female")
        self.note("quote: speaker male", self.quoted and self.speaker == "male")
        self.note("quote: speaker not known", self.quoted and self.speaker is None)
        self.heads.append(head)
        self.tag_before = self.tag_verb

    def read_pronouns(self):
        for gender, pronouns, people in (("female", w.HER, w.FEMALE), ("male", w.HIM, w.MALE)):
            if self.word in pronouns:
                self.note("pronoun: antecedent in this sentence", self.met_here[gender])
                self.note(
                    "pronoun: antecedent before this sentence", self.met[gender] > self.met_here[gender]
                )
            elif self.word in people:
                self.met[gender] = self.met_here[gender] = True
        if self.ends:
            self.met_here = {"female": False, "male": False}

    def read_names(self):
        if self.ends:
            self.pair, self.pair_again = None, False
        if self.word in w.NAMES:
            self.note("name: seen before", self.word in self.words)
            self.note("name: first time", self.word not in self.words)
            if self.one == "and" and self.two in w.NAMES:
                self.pair = (self.two, self.word)
            elif self.pair and self.word in self.pair:
                self.pair_again = True
            self.names.append(self.word)
            self.given = False
        self.given = self.given or self.word in lex.GIVING
        last = lex.NAME_GENDER.get(self.names[-1]) if self.names else None
        self.note(f"last name: {last}", last)
        self.note("one name so far", len(set(self.names)) == 1)
        self.note("three or more names so far", len(set(self.names)) > 2)
        self.note("two names together", self.pair)
        self.note("two names together, one again", self.pair_again)
        self.note("the other name is due", self.pair_again and self.given and self.word == "to")

    def read_memory(self):
        told = [*self.words, self.word]
        self.note("content word again", self.word in self.words and self.word in w.CONTENT)
        for length, name in ((2, "pair again"), (3, "run of three again")):
            run = told[-length:]
            earlier = [told[i : i + length] for i in range(len(told) - length)]
            self.note(name, len(run) == length and run in earlier)

    def read_series(self):
        self.note("next number due", self.word == "," and (self.counted_on or self.one == "one"))
        self.note("next day due", self.word == "on" and self.rank["day"])
        self.counted_on = False
        for series, members in w.SERIES.items():
            if self.word in members:
                rank = members.index(self.word) + 1
                follows = self.rank[series] > 0 and rank == self.rank[series] + 1
                self.note(f"{series}: next in order", follows)
                self.counted_on = self.counted_on or (follows and series == "number")
                self.rank[series] = rank

    def read_story(self):
        self.note("story: first sentence", self.sentences == 0)
        self.sentences += self.word in w.MARKS
        self.sentence.append(self.word)
        begin = " ".join(self.sentence[1:] if self.sentence[0] == "but" else self.sentence)
        if self.first_at >= 0 and not self.sentence_quoted:
            if begin in ("in the end", "at last", "from that day on"):
                self.phase = "ending"
            elif begin in ("one day", "suddenly") and self.phase == "opening":
                self.phase = "problem"
        register = {"notice": "notice", "recipe": "recipe", "dear": "letter"}.get([*self.words, self.word][0])
        self.true.add(f"register: {register}" if register else f"story: {self.phase}")
        for mood in lex.FEELINGS:
            if self.word in lex.FEELINGS[mood]:
                self.feeling = mood
        self.note(f"mood: {self.feeling}", self.feeling in ("pleasant", "unpleasant"))


def read_row(row):
    """For each token of a row of ids, the set of names of the features that are true there."""
    reader, truth = Reader(), []
    for token in row:
        word = WORDS[token]
        if word in w.SPECIAL:
            reader = Reader()
            truth.append(set())
        else:
            truth.append(reader.read(word))
    return truth
