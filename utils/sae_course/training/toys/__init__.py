"""SAEs on toy data: six architectures over one common class, many independent copies in one tensor.

The common class (``sae``); those whose sparsity a penalty buys (``penalised``, with the straight-through
gradients of ``jump``); those that keep the largest activations (``topk``); a setting with several values over
a batch of instances (``sweep``); training (``loop``), and measuring what came of it (``score``). SAELens' own
classes beside them (``saelens``). Chapter 02a's settings (``config``), its comparison (``compare``)
and what lies beneath it (``beneath``: ``baselines``, over ``coding`` in a given dictionary), and how
that was recorded (``record``, ``recorded``).
"""

from .loop import train_toys
from .penalised import Gated, JumpReLUSAE, Standard
from .sae import Pass, ToySAE, squared_error
from .saelens import saelens_differences
from .score import score_toys
from .topk import BatchTopK, Matryoshka, TopK

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
