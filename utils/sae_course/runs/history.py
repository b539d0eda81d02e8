"""What happened during a training run that lives in a notebook."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from torch import Tensor


@dataclass
class History:
    """Metrics and decoder snapshots of a run with several instances, every ``every`` steps.

    >>> history = History(every=50)                                   # doctest: +SKIP
    >>> history.add(step, sae.W_dec, mse=loss.mse, l0=l0)             # doctest: +SKIP
    """

    every: int = 50
    steps: list[int] = field(default_factory=list)
    metrics: "dict[str, list[Float[np.ndarray, ' inst']]]" = field(default_factory=dict)
    decoders: "list[Float[np.ndarray, 'inst d_sae d_in']]" = field(default_factory=list)

    def add(
        self,
        step: int,
        decoder: "Float[Tensor, 'inst d_sae d_in']",
        **metrics: "Float[Tensor, ' inst']",
    ) -> None:
        """Keep this step if it is due; does nothing, and costs nothing, between."""
        if step % self.every:
            return
        self.steps.append(step)
        self.decoders.append(decoder.detach().cpu().numpy().copy())
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append(value.detach().float().cpu().numpy().copy())
