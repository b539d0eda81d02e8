"""Several SAEs that learn from the same activations: each step equals SAELens' own, several times as fast.

`learner` is what a training loop drives, `compatible` says which configurations it can take. The mathematics:
`gradients` (the loss and its derivatives, written out), `active` (which latents fire), `revival` (TopK's loss
for dead latents). The machine: `products` (bf16 products of float32 tensors), `workers` (an SAE to a thread).
"""

from .compatible import can_batch
from .learner import BatchedLearner

__all__ = ["BatchedLearner", "can_batch"]
