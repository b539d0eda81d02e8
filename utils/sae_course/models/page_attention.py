"""What the page shows of the attention-only model: its heads by score, and at work on a text that repeats."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ..data.stories.vocabulary import BOS, WORD_IDS
from ..figures.models import draw_attention, draw_heads, percent
from .cards import Card
from .measures.heads import PERIOD, head_scores, repeated_random
from .page_section import Findings, Picture
from .page_stories import attention_pattern, generations, loss_picture

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

N_SEQUENCES = 100
# Words that no story puts together, so that the second time only induction knows what comes next.
PHRASE = ("kite", "owl", "seven", "milk", "river", "brave", "drum", "queen")
_REPEATED = (BOS, *(WORD_IDS[word] for word in PHRASE * 2))


def attention_only(model: "HookedSAETransformer", twin: "HookedSAETransformer", card: Card) -> Findings:
    """The two heads of an induction circuit."""
    return Findings([loss_picture(card), *head_pictures(model, twin)], generations(model))


def head_pictures(model: "HookedSAETransformer", twin: "HookedSAETransformer") -> list[Picture]:
    """Both scores of every head, and the two winners' patterns."""
    tokens = repeated_random(N_SEQUENCES, model.cfg.d_vocab)
    before, induction = (scores.numpy() for scores in head_scores(model, tokens))
    controls = [scores.max().item() for scores in head_scores(twin, tokens)]
    previous, inducing = (_place(scores) for scores in (before, induction))
    scores = draw_heads(
        {"to the word before": before, "to what came next last time": induction},
        f"Head {_name(previous)} looks at the word before ({percent(before[previous])}), head "
        f"{_name(inducing)} "
        f"at what came next last time ({percent(induction[inducing])})",
    )
    patterns = draw_attention(
        {
            f"head {_name(previous)}: the word before": attention_pattern(model, _REPEATED, *previous),
            f"head {_name(inducing)}: what came next": attention_pattern(model, _REPEATED, *inducing),
        },
        ["<bos>", *PHRASE, *PHRASE],
        f"The second time round, head {_name(inducing)} finds what followed: "
        f"{percent(_on_phrase(attention_pattern(model, _REPEATED, *inducing)))} of its attention",
    )
    return [
        Picture(
            "heads", scores, "Two scores of every head",
            f"Mean attention in per cent on {N_SEQUENCES} sequences of {PERIOD} random words, twice. Among "
            f"the heads of the random-weights twin the highest are {percent(controls[0], 1)} and "
            f"{percent(controls[1], 1)}.",
        ),
        Picture(
            "patterns", patterns, "Attention patterns of the two heads on a phrase said twice",
            f"On “{' '.join(PHRASE)}”, twice.",
        ),
    ]  # fmt: skip


def _place(scores: Float[np.ndarray, "layer head"]) -> tuple[int, int]:
    layer, head = divmod(int(scores.argmax()), scores.shape[1])
    return layer, head


def _name(place: tuple[int, int]) -> str:
    return f"{place[0]}.{place[1]}"


def _on_phrase(pattern: Float[np.ndarray, "to from"]) -> float:
    """From the phrase's second round to what followed each word in the first, as `head_scores` counts it."""
    return float(np.diagonal(pattern, 1 - len(PHRASE))[2:].mean())
