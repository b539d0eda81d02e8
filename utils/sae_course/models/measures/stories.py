"""Pronouns, indirect objects and successors: questions whose answers the stories hold."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int

from ...data.stories import lexicon
from ...data.stories.rows import rows
from ...data.stories.vocabulary import WORD_IDS, WORDS
from ..cards import Behaviour
from .ngram import NGram

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

HELD_OUT_ROWS = 1000
# Read by the 5-gram model.
NGRAM_TOKENS = 10_000_000
_AT_ONCE = 50

Rows = Int[np.ndarray, "row pos"]


class Case(NamedTuple):
    """At a position, the answer and the words it has to beat."""

    row: int
    pos: int  # of the answer; the model sees what comes before
    answer: int
    rivals: tuple[int, ...]


def held_out_rows(model: "HookedSAETransformer", share: float = 1.0) -> Rows:
    """Rows of stories that no training read."""
    return rows(max(int(HELD_OUT_ROWS * share), 50), model.cfg.n_ctx, split="test").astype(np.int64)


@torch.no_grad()
def _logits(
    model: "HookedSAETransformer", tokens: Rows
) -> Iterator[tuple[int, Float[np.ndarray, "row pos d_vocab"]]]:
    for first in range(0, len(tokens), _AT_ONCE):
        part = torch.from_numpy(tokens[first : first + _AT_ONCE]).to(model.cfg.device)
        yield first, model(part, return_type="logits").float().cpu().numpy()


@torch.no_grad()
def held_out_loss(model: "HookedSAETransformer", share: float = 1.0) -> Behaviour:
    """Cross-entropy on held-out stories."""
    tokens = held_out_rows(model, share)
    losses = []
    for first in range(0, len(tokens), _AT_ONCE):
        part = torch.from_numpy(tokens[first : first + _AT_ONCE]).to(model.cfg.device)
        losses.append(model(part, return_type="loss").item() * len(part))
    return Behaviour(
        name="held-out loss",
        value=sum(losses) / len(tokens),
        target=None,
        better="<=",
        unit="nats",
        what="cross-entropy per token on stories that training never read",
        sample=f"{len(tokens):,} rows of {tokens.shape[1]} tokens",
    )


def accuracy(model: "HookedSAETransformer", tokens: Rows, cases: Sequence[Case]) -> float:
    """The share of cases, in percent, in which the answer has a higher logit than every rival."""
    by_row: dict[int, list[Case]] = {}
    for case in cases:
        by_row.setdefault(case.row, []).append(case)
    right = 0
    for first, logits in _logits(model, tokens):
        for row in range(first, first + len(logits)):
            for case in by_row.get(row, ()):
                here = logits[row - first, case.pos - 1]
                right += bool(here[case.answer] > here[list(case.rivals)].max())
    return 100 * right / max(len(cases), 1)


def _ids(words: Sequence[str]) -> list[int]:
    return [WORD_IDS[word] for word in words]


_GENDER = {WORD_IDS[word]: gender for word, gender in lexicon.NAME_GENDER.items()} | {
    WORD_IDS[word]: gender
    for word, gender in (lexicon.FAMILY_GENDER | lexicon.PEOPLE_GENDER).items()
    if word in WORD_IDS
}
# "her" is object and possessive, so it has to beat both.
_PRONOUNS = {
    "he": ("male", ("she",)),
    "she": ("female", ("he",)),
    "his": ("male", ("her",)),
    "him": ("male", ("her",)),
    "her": ("female", ("his", "him")),
}


def pronoun_cases(tokens: Rows) -> list[Case]:
    """Every gendered pronoun that comes after somebody of its gender in the same row."""
    pronouns = {WORD_IDS[word]: (gender, tuple(_ids(rivals))) for word, (gender, rivals) in _PRONOUNS.items()}
    cases = []
    for row, ids in enumerate(tokens.tolist()):
        seen = set()
        for pos, token in enumerate(ids):
            if token in _GENDER:
                seen.add(_GENDER[token])
            elif token in pronouns and pronouns[token][0] in seen:
                cases.append(Case(row, pos, token, pronouns[token][1]))
    return cases


_MARKS = frozenset(_ids((".", "!", "?", "<bos>", "<eos>")))
_NAMES = frozenset(_ids(tuple(lexicon.NAME_GENDER)))


def indirect_object_cases(tokens: Rows) -> list[Case]:
    """ "When A and B …, B gave … to" A: the name that was not repeated, against the one that was.

    The task of Wang et al. 2022, "Interpretability in the Wild", in the stories' own sentences, both orders.
    """
    to, both = WORD_IDS["to"], WORD_IDS["and"]
    cases = []
    for row, ids in enumerate(tokens.tolist()):
        names: list[int] = []
        paired = False
        for pos, token in enumerate(ids):
            if token in _MARKS:
                names, paired = [], False
            elif token in _NAMES:
                if len(names) == 3 and paired and ids[pos - 1] == to:
                    first, second, giver = names
                    if first != second and giver in (first, second) and token == first + second - giver:
                        cases.append(Case(row, pos, token, (giver,)))
                paired = paired or (len(names) == 1 and ids[pos - 1] == both)
                names.append(token)
    return cases


def successor_cases(tokens: Rows) -> list[Case]:
    """Numbers counted aloud, days in order, places in a row: the successor against all others of its class.

    A number counts where it follows its predecessor and a comma; a day or an ordinal, where the last one of
    its class in the row was its predecessor.
    """
    comma = WORD_IDS[","]
    classes = [_ids(lexicon.NUMBERS), _ids(lexicon.DAYS), _ids(lexicon.ORDINALS)]
    place = {token: (kind, at) for kind, members in enumerate(classes) for at, token in enumerate(members)}
    cases = []
    for row, ids in enumerate(tokens.tolist()):
        last: dict[int, int] = {}
        for pos, token in enumerate(ids):
            if token not in place:
                continue
            kind, at = place[token]
            counted = pos >= 2 and ids[pos - 1] == comma and place.get(ids[pos - 2]) == (kind, at - 1)
            if counted if kind == 0 else last.get(kind) == at - 1:
                rivals = tuple(other for other in classes[kind] if other != token)
                cases.append(Case(row, pos, token, rivals))
            last[kind] = at
    return cases


def _task(
    model: "HookedSAETransformer", tokens: Rows, cases: list[Case], *, name: str, target: float, what: str
) -> Behaviour:
    return Behaviour(
        name=name,
        value=accuracy(model, tokens, cases),
        target=target,
        better=">=",
        unit="%",
        what=what,
        sample=f"{len(cases):,} places in {len(tokens):,} held-out rows",
    )


def _pronouns(model: "HookedSAETransformer", tokens: Rows) -> Behaviour:
    return _task(
        model,
        tokens,
        pronoun_cases(tokens),
        name="pronoun agreement",
        target=95.0,
        what="where the story has he, his, him, she or her, the right gender beats the wrong one",
    )


def tiny_stories(model: "HookedSAETransformer", share: float = 1.0) -> list[Behaviour]:
    """The figures of the one-layer model's card."""
    tokens = held_out_rows(model, share)
    loss = held_out_loss(model, share)
    n_rows = max(int(NGRAM_TOKENS * share) // model.cfg.n_ctx, 100)
    ngram = NGram(rows(n_rows, model.cfg.n_ctx), len(WORDS))
    return [
        loss,
        Behaviour(
            name="below a 5-gram model",
            value=ngram.loss(tokens) - loss.value,
            target=0.2,
            better=">=",
            unit="nats",
            what="nats per token below the loss of an interpolated 5-gram model (Witten-Bell)",
            sample=f"the same held-out rows; the 5-gram model read {n_rows * model.cfg.n_ctx:,} tokens",
        ),
        _pronouns(model, tokens),
    ]


def gemma(model: "HookedSAETransformer", share: float = 1.0) -> list[Behaviour]:
    """The figures of the Gemma 2 stand-in's card."""
    tokens = held_out_rows(model, share)
    return [
        held_out_loss(model, share),
        _pronouns(model, tokens),
        _task(
            model,
            tokens,
            indirect_object_cases(tokens),
            name="indirect object",
            target=90.0,
            what="in “when A and B …, B gave … to”, A is more probable than B",
        ),
        _task(
            model,
            tokens,
            successor_cases(tokens),
            name="successors",
            target=90.0,
            what="the next number, day or ordinal of a sequence is the most probable of its class",
        ),
    ]
