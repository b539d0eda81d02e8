"""Toy SAEs measured against their worlds."""

from typing import TYPE_CHECKING

import torch

from ...evals.dictionaries import DictionaryScores, dictionary_scores

if TYPE_CHECKING:
    from ...data.toys import ToyWorld
    from .sae import ToySAE


@torch.no_grad()
def score_toys(
    sae: "ToySAE", world: "ToyWorld", generator: torch.Generator, samples: int = 8192
) -> DictionaryScores:
    """Every instance against the world it was trained on, as `train_toys` spreads them.

    Args:
        generator: for samples that the training did not see: another stream than the training's.
        samples: of each world.
    """
    sample = world.sample(samples, generator)
    copies = len(sae.W_dec) // world.n_inst
    h = sample.activations.repeat(copies, 1, 1)
    latents = sae.encode(h)
    return dictionary_scores(
        h,
        sae.decode(latents),
        latents,
        features=sample.features.repeat(copies, 1, 1),
        decoder=sae.W_dec,
        directions=world.directions.repeat(copies, 1, 1),
    )
