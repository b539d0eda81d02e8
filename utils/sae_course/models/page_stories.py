"""What the page shows of the models that read stories."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from ..data.stories import lexicon
from ..data.stories.rows import story
from ..data.stories.vocabulary import WORD_IDS, WORDS, decode
from ..figures.models import (
    Bars,
    Control,
    draw_attention,
    draw_beside_control,
    draw_loss,
    draw_next_words,
    percent,
)
from .cards import Card
from .measures.stories import Case, held_out_rows, pronoun_cases
from .page_sampling import next_probabilities, tell_on
from .page_section import Findings, Picture, stories_told

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

N_STORIES, LENGTH, TEMPERATURE = 10, 200, 0.8
# Rows of the card's held-out sample on which a head is looked for.
HEAD_ROWS = 200
SHOWN_WORDS = 5
LONGEST_OPENING = 24  # tokens: what still can be read on an axis
_PEOPLE = {
    WORD_IDS[word]: gender
    for word, gender in (lexicon.NAME_GENDER | lexicon.FAMILY_GENDER | lexicon.PEOPLE_GENDER).items()
}
_SUBJECTS = {WORD_IDS["he"]: "male", WORD_IDS["she"]: "female"}
_PRONOUNS = {WORD_IDS[word] for word in ("he", "she", "him", "her", "his")}


def generations(model: "HookedSAETransformer", n: int = N_STORIES, length: int = LENGTH) -> list[str]:
    """Ten stories told on from held-out openings, as Markdown."""
    openings = [
        [WORD_IDS[word] for word in story(index, split="test").sentences[0].words.split()]
        for index in range(n)
    ]
    length = min(length, model.cfg.n_ctx)
    return stories_told(tell_on(model, openings, length=length, temperature=TEMPERATURE), TEMPERATURE, length)


def loss_picture(card: Card) -> Picture:
    """The training's curve; of what it reads, so with the drills where there are any."""
    last = next(held for _, _, held in reversed(card.training.curve) if held is not None)
    drills = card.spec.data == "stories and drills"
    mixed = ", drills of random words among them," if drills else ""
    floor = _five_gram(card)
    title = f"Held-out loss falls to {last:.3f} nats per token"
    if floor is not None:
        side = "below" if last < floor.value else "above"
        title += f", {abs(floor.value - last):.2f} {side} what a 5-gram model reaches"
    return Picture(
        "loss",
        draw_loss(card.training.curve, title, floor),
        f"Loss curve of {card.name}",
        f"Training loss is the mean since the point before; held out is one batch of "
        f"{card.spec.training.rows} rows{mixed} that training never read. On the card's larger sample of "
        f"stories the loss is "
        f"{card.held_out_loss:.3f}.",
    )


def _five_gram(card: Card) -> Control | None:
    """The 5-gram model's loss, where the card says how far below it the model is."""
    for one in card.behaviours:
        if one.name == "below a 5-gram model":
            return Control("5-gram model", card.held_out_loss + one.value)
    return None


def tiny_stories(model: "HookedSAETransformer", twin: "HookedSAETransformer", card: Card) -> Findings:
    """The one-layer model: how it knows whether it is he or she."""
    return Findings(
        [loss_picture(card), pronoun_picture(model, twin), *person_head_pictures(model, twin)],
        generations(model),
    )


class Swapped(NamedTuple):
    """The words before a story's first "he" or "she", with the person in them and with somebody else."""

    name: str
    rows: tuple[list[int], list[int]]
    other: str
    answers: tuple[int, int]
    """The pronoun that each asks for."""


def swapped_opening(rows: np.ndarray) -> Swapped:
    """The first row whose first pronoun is "he" or "she", after exactly one person, who has a name.

    The other person is the first name of the other gender.

    Raises:
        ValueError: when there is no such row.
    """
    wanted = {"male": WORD_IDS[lexicon.FEMALE_NAMES[0]], "female": WORD_IDS[lexicon.MALE_NAMES[0]]}
    he, she = WORD_IDS["he"], WORD_IDS["she"]
    names = {WORD_IDS[word] for word in lexicon.NAME_GENDER}
    for ids in rows.tolist():
        first = next((pos for pos, token in enumerate(ids) if token in _PRONOUNS), None)
        if first is None or first > LONGEST_OPENING or ids[first] not in _SUBJECTS:
            continue
        people = [token for token in ids[:first] if token in _PEOPLE]
        if len(people) == 1 and people[0] in names and _PEOPLE[people[0]] == _SUBJECTS[ids[first]]:
            person = people[0]
            other = wanted[_PEOPLE[person]]
            changed = [other if token == person else token for token in ids[:first]]
            answers = (ids[first], he + she - ids[first])
            return Swapped(WORDS[person], (ids[:first], changed), WORDS[other], answers)
    raise ValueError("no row has a pronoun after exactly one named person")


def pronoun_picture(model: "HookedSAETransformer", twin: "HookedSAETransformer") -> Picture:
    """The next word in a held-out story before its first pronoun, and with another name in it."""
    case = swapped_opening(held_out_rows(model))
    p, control = next_probabilities(model, case.rows), next_probabilities(twin, case.rows)
    panels = {}
    for row, ids in enumerate(case.rows):
        top = np.argsort(-p[row])[:SHOWN_WORDS]
        panels[decode(ids[1:])] = {
            WORDS[token]: (float(p[row, token]), float(control[row, token])) for token in top
        }
    said = [
        f"after {name}, “{WORDS[answer]}” has {percent(p[row, answer])}"
        for row, (name, answer) in enumerate(zip((case.name, case.other), case.answers, strict=True))
    ]
    title = f"One name decides the pronoun: {said[0]}; {said[1]}"
    if any(p[row, answer] <= p[row, other] for row, (answer, other) in enumerate(_pairs(case.answers))):
        title = f"The name does not decide the pronoun: {said[0]}; {said[1]}"
    return Picture(
        "pronoun",
        draw_next_words(panels, title),
        "The likeliest next words after two openings that differ in one name",
        "Left: the first held-out row whose first pronoun comes after one named person. Right: the same "
        f"with {case.other} for {case.name}.",
    )


def _pairs(answers: tuple[int, int]) -> list[tuple[int, int]]:
    return [(answers[0], answers[1]), (answers[1], answers[0])]


@torch.no_grad()
def attention_to_person(
    model: "HookedSAETransformer", rows: np.ndarray, cases: Sequence[Case]
) -> Float[np.ndarray, "layer head"]:
    """From the word before a pronoun, the mean attention to all words for a person of its gender."""
    patterns = [f"blocks.{layer}.attn.hook_pattern" for layer in range(model.cfg.n_layers)]
    total = np.zeros((model.cfg.n_layers, model.cfg.n_heads))
    people = np.zeros((len(WORDS), 2), dtype=bool)
    for token, gender in _PEOPLE.items():
        people[token, int(gender == "female")] = True
    for number, ids in enumerate(rows):
        here = [case for case in cases if case.row == number]
        if not here:
            continue
        _, cache = model.run_with_cache(
            torch.from_numpy(ids[None]).to(model.cfg.device),
            return_type=None,
            names_filter=lambda name: name in patterns,
        )
        stacked = np.stack([cache[name][0].float().cpu().numpy() for name in patterns])
        for case in here:
            is_right = people[ids, int(WORDS[case.answer] in ("she", "her"))]
            total += (stacked[:, :, case.pos - 1] * is_right).sum(-1)
    return total / max(len(cases), 1)


def person_head_pictures(model: "HookedSAETransformer", twin: "HookedSAETransformer") -> list[Picture]:
    """Which head looks at the person before a pronoun, and its pattern on one opening."""
    rows = held_out_rows(model)
    found = rows[:HEAD_ROWS]
    cases = pronoun_cases(found)
    scores, control = (attention_to_person(one, found, cases) for one in (model, twin))
    layer, head = divmod(int(scores.argmax()), model.cfg.n_heads)
    every = [f"{at}.{number}" for at in range(model.cfg.n_layers) for number in range(model.cfg.n_heads)]
    bars = draw_beside_control(
        [f"head {name}" for name in every],
        Bars((100 * scores.ravel()).round(2).tolist()),
        Bars((100 * control.ravel()).round(2).tolist()),
        f"Before a pronoun, head {layer}.{head} gives {percent(scores.max())} of its attention to people "
        f"of that "
        f"gender; with random weights no head gives more than {percent(control.max())}",
        axis="attention, %",
        control_name="random weights",
    )
    opening = swapped_opening(rows).rows[0]
    pattern = attention_pattern(model, opening, layer, head)
    person = next(at for at, token in enumerate(opening) if token in _PEOPLE)
    words = [WORDS[token] for token in opening]
    text = draw_attention(
        {f"head {layer}.{head}": pattern},
        words,
        f"Where the pronoun comes next, head {layer}.{head} gives {percent(pattern[-1, person])} of its "
        f"attention "
        f"to {words[person]}",
    )
    sample = f"{len(cases):,} pronouns in {len(found)} held-out rows"
    return [
        Picture(
            "person-heads", bars, "Attention to the right person before a pronoun, by head",
            f"Mean over {sample}: attention from the word before he, she, his, him or her to all names and "
            "other words for somebody of its gender.",
        ),
        Picture(
            "person-head", text, "Attention pattern of that head on the opening of a story",
            f"The opening with {words[person]}; at its last word the pronoun is predicted.",
        ),
    ]  # fmt: skip


@torch.no_grad()
def attention_pattern(
    model: "HookedSAETransformer", ids: Sequence[int], layer: int, head: int
) -> Float[np.ndarray, "to from"]:
    """One head's attention on one row of token ids."""
    name = f"blocks.{layer}.attn.hook_pattern"
    _, cache = model.run_with_cache(
        torch.tensor([list(ids)]).to(model.cfg.device), return_type=None, names_filter=name
    )
    return cache[name][0, head].float().cpu().numpy()
