"""SAEs on toy data: six architectures over one common class, many independent copies in one tensor.

The common class (``sae``); those whose sparsity a penalty buys (``penalised``, with the straight-through
gradients of ``jump``); those that keep the largest activations (``topk``); a setting with several values over
a batch of instances (``sweep``); training (``loop``), and measuring what came of it (``score``). SAELens' own
classes beside them (``saelens``). Chapter 02a's settings (``config``), its comparison (``compare``) and what
lies beneath it (``beneath``: ``baselines``, over ``coding`` in a given dictionary), and how that was recorded
(``record``, ``recorded``). Chapter 02b's settings (``wrong_config``) and record (``wrong_recorded``).
"""

from typing import TYPE_CHECKING

from ...runtime.lazy import lazily

if TYPE_CHECKING:
    from .loop import train_toys
    from .penalised import Gated, JumpReLUSAE, Standard
    from .sae import Pass, ToySAE, squared_error
    from .saelens import saelens_differences
    from .score import score_toys
    from .topk import BatchTopK, Matryoshka, TopK

# Where each name is: a file is imported when it is asked for, since torch takes a second.
_PLACES = {
    "BatchTopK": "topk",
    "Gated": "penalised",
    "JumpReLUSAE": "penalised",
    "Matryoshka": "topk",
    "Pass": "sae",
    "Standard": "penalised",
    "TopK": "topk",
    "ToySAE": "sae",
    "saelens_differences": "saelens",
    "score_toys": "score",
    "squared_error": "sae",
    "train_toys": "loop",
}

__all__ = [
    "BatchTopK",
    "Gated",
    "JumpReLUSAE",
    "Matryoshka",
    "Pass",
    "Standard",
    "TopK",
    "ToySAE",
    "saelens_differences",
    "score_toys",
    "squared_error",
    "train_toys",
]

__getattr__ = lazily(__name__, _PLACES)
