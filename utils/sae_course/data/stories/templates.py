"""The notation the stories are written in, compiled once to nested tuples that are fast to expand.

A template is text with these marks; everything else is words, separated by spaces:

    [a|b c|]         one of the alternatives, nested as deep as you like
    {toy} {toy2}     a word of class "toy", drawn when first used and then remembered; toy2 differs from toy
    {toy+} {~toy}    its plural; a fresh draw
    {day_b} {day_c}  the day after "day", and the one after that (ordinals too)
    {A} {A!}         role A as subject: pronoun where it cannot be misread, else the name; A! always names
    {A'} {A-}        role A as object, pronoun where possible; A- the bare name, no subject
    {he} {his} {him} the current clause's subject again; {A.his} role A's possessive, wherever
    {=thing}         the clause's subject is something without a role
    <A sadly: no .>  A says it; the adverb is optional; <A=: yes .> is an answer
    /                ends a sentence (the end of a template does, too)
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .tale import Tale

Op = Callable[["Tale"], None]
Part = Any  # str (words), tuple of alternatives (each a list of parts), or Op
Parts = list[Part]

ROLES = ("A", "B", "C", "AB", "S", "R", "M", "K", "O", "N", "P", "X", "D", "E", "F")
PRONOUN_CASES = ("he", "his", "him")
_TOKEN = re.compile(r"\[|\]|\||\{[^}]*\}|<[^:<>]*:|>|/|[^\s\[\]|{}<>/]+")
_SPEECH_VERBS = {".": "said", "!": "shouted said said", "?": "asked"}
_MOOD_VERBS = {"softly": "whispered", "sadly": "cried"}
_ANSWER_VERBS = {".": "said replied answered", "!": "shouted said said", "?": "asked"}


def compile_template(text: str) -> Parts:
    """The parts of one template."""
    tokens = _TOKEN.findall(text)
    tokens.reverse()
    parts = _sequence(tokens, "")
    if tokens:
        raise ValueError(f"a stray {tokens[-1]!r} in the template {text!r}")
    return parts


def compile_beats(text: str) -> list[Parts]:
    """Templates of a block: each starts on a line with "- " (or "? ": left out three times of four)."""
    beats: list[Parts] = []
    for beat in re.split(r"(?m)^\s*(?=[-?] )", text.strip()):
        if not beat.strip():
            continue
        parts = compile_template(beat[2:])
        beats.append(parts if beat[0] == "-" else [((parts, [], [], []))])
    return beats


def _sequence(tokens: list[str], close: str) -> Parts:
    parts: Parts = []
    words: list[str] = []

    def flush() -> None:
        if words:
            parts.append(" ".join(words))
            words.clear()

    while tokens and tokens[-1] not in ("]", "|", ">"):
        token = tokens.pop()
        if token[0] not in "[{</":
            words.append(token)
            continue
        flush()
        if token == "[":
            parts.append(_choice(tokens))
        elif token == "/":
            parts.append(_end_sentence)
        elif token[0] == "<":
            parts.append(_speech(token[1:-1], _sequence(tokens, ">")))
            _expect(tokens, ">")
        else:
            parts.append(_slot(token[1:-1]))
    flush()
    if close and (not tokens):
        raise ValueError(f"a template lacks its {close!r}: {parts!r}")
    return parts


def _expect(tokens: list[str], close: str) -> None:
    if not tokens or tokens.pop() != close:
        raise ValueError(f"a template lacks its {close!r}")


def _choice(tokens: list[str]) -> tuple[Parts, ...]:
    alternatives = [_sequence(tokens, "]")]
    while tokens and tokens[-1] == "|":
        tokens.pop()
        alternatives.append(_sequence(tokens, "]"))
    _expect(tokens, "]")
    return tuple(alternatives)


def _end_sentence(tale: "Tale") -> None:
    tale.end_sentence()


def _speech(head: str, said: Parts) -> Part:
    """The two ways to set a quote: "…" said A, and A said "…"; a full stop before "said" is a comma."""
    role, _, adverb = head.partition(" ")
    mark = said[-1][-1] if isinstance(said[-1], str) else ""
    if mark not in _SPEECH_VERBS:
        raise ValueError(f"a quote must end with . ! or ?, not with {said[-1]!r}")
    verbs = _ANSWER_VERBS if role.endswith("=") else _SPEECH_VERBS
    role = role.rstrip("=")
    said_verb: Part = tuple([verb] for verb in verbs[mark].split())
    if adverb in _MOOD_VERBS and mark != "?":
        said_verb = (*said_verb, [_MOOD_VERBS[adverb]])
    how: Parts = [([], [adverb])] if adverb and adverb not in _MOOD_VERBS else []
    before = [*said[:-1], (said[-1][:-1].strip() + " ,").strip()] if mark == "." else said
    after_quote: Parts = ['"', *before, '"', said_verb, _subject(role, True), *how, "."]
    before_quote: Parts = [_subject(role, False), said_verb, *how, ', "', *said, '"']
    return (after_quote, before_quote)


def _subject(role: str, named: bool) -> Op:
    return lambda tale: tale.refer(role, named)


def _slot(name: str) -> Op:
    if name[0] == "=":
        return lambda tale: tale.set_subject(name[1:])
    if name == "he":
        return lambda tale: tale.refer_again()
    if name in PRONOUN_CASES:
        index = PRONOUN_CASES.index(name)
        return lambda tale: tale.out.append(tale.current.pronouns[index])
    role, _, case = name.rstrip("!'-").partition(".")
    return _role(role, case, name[-1]) if role in ROLES else _word(name)


def _role(role: str, case: str, mark: str) -> Op:
    if case:
        index = PRONOUN_CASES.index(case)
        return lambda tale: tale.out.append(tale.cast[role].pronouns[index])
    if mark == "'":
        return lambda tale: tale.mention(role)
    if mark == "-":
        return lambda tale: tale.out.append(tale.cast[role].name)
    return _subject(role, mark == "!")


def _word(name: str) -> Op:
    if name[0] == "~":
        return lambda tale: tale.out.append(tale.draw(name[1:]))
    if name[-1] == "+":
        return lambda tale: tale.out.append(tale.plural(name[:-1]))
    return lambda tale: tale.out.append(tale.get(name))
