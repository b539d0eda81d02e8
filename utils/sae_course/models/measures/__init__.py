"""What each mini model can do, measured on held-out data: the figures on its card.

``measure(name, model)`` gives them again; `sae-course models NAME --measure` prints them beside the card's.

| file | holds |
|---|---|
| `stories` | pronouns, indirect objects, successors: what the truth of the stories lets one ask |
| `ngram` | the 5-gram model that a transformer has to beat |
| `heads` | previous-token and induction heads, and the loss on repeated random words |
| `othello` | illegal moves, and the board read by a linear probe |
"""

from typing import TYPE_CHECKING

from ...runtime import CourseError

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

    from ..cards import Behaviour


def measure(name: str, model: "HookedSAETransformer", share: float = 1.0) -> "list[Behaviour]":
    """Every behaviour on the card of the mini model ``name``, measured on ``model``.

    Args:
        name: which of the four; it decides what is measured.
        model: the model itself, its random-weights twin as a control, or a learner's own of the same kind.
        share: of the card's sample; less is quicker and less exact.

    Raises:
        CourseError: for a model that is none of the four.
    """
    from . import heads, othello, stories  # noqa: PLC0415

    measures = {
        "tiny-stories-1L-21M": stories.tiny_stories,
        "attn-only-2l-demo": heads.attention_only,
        "othello-gpt": othello.othello,
        "gemma-2-2b": stories.gemma,
    }
    if name not in measures:
        raise CourseError(f'There are no measures for "{name}"; there are for {", ".join(measures)}.')
    return measures[name](model, share)
