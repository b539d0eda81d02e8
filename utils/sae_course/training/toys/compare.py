"""Chapter 02a's comparison: each architecture over a range of sparsity, in worlds of families."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ...data.toy_worlds import family_world
from ...runtime import generator
from .config import VariantsConfig
from .loop import train_toys
from .penalised import Gated, JumpReLUSAE, Standard
from .sae import ToySAE
from .score import score_toys
from .topk import BatchTopK, Matryoshka, TopK

Make = Callable[[VariantsConfig, int, int, Sequence[float]], ToySAE]
"""An untrained SAE: from the settings, the number of instances, d_in, and how sparse."""


@dataclass(frozen=True)
class Variant:
    """An architecture in the comparison."""

    make: Make
    values: tuple[float, ...]
    """Of the setting that says how sparse: so that L0 goes from about 2 to about 10."""


def _weights() -> torch.Generator:
    return generator("sae", 0, "cpu")


def _whole(values: Sequence[float]) -> list[int]:
    return [int(value) for value in values]


def _frozen(cfg: VariantsConfig, n_inst: int, d_in: int, k: Sequence[float]) -> ToySAE:
    sae = BatchTopK(n_inst, d_in, cfg.d_sae, _weights(), k=_whole(k), threshold_rate=cfg.threshold_rate)
    sae.W_dec.requires_grad_(False)
    return sae


_K = (2, 3, 4, 5, 6, 8, 10)
VARIANTS: dict[str, Variant] = {
    "L1": Variant(
        lambda cfg, n, d_in, values: Standard(n, d_in, cfg.d_sae, _weights(), coefficient=values),
        (0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
    ),
    "Gated": Variant(
        lambda cfg, n, d_in, values: Gated(n, d_in, cfg.d_sae, _weights(), coefficient=values),
        (0.2, 0.3, 0.4, 0.55, 0.7, 0.9, 1.2),
    ),
    "JumpReLU": Variant(
        lambda cfg, n, d_in, values: JumpReLUSAE(
            n,
            d_in,
            cfg.d_sae,
            _weights(),
            coefficient=values,
            threshold=cfg.threshold,
            bandwidth=cfg.bandwidth,
        ),
        (0.01, 0.02, 0.03, 0.05, 0.08, 0.15, 0.3),
    ),
    "TopK": Variant(lambda cfg, n, d_in, values: TopK(n, d_in, cfg.d_sae, _weights(), k=_whole(values)), _K),
    "BatchTopK": Variant(
        lambda cfg, n, d_in, values: BatchTopK(
            n, d_in, cfg.d_sae, _weights(), k=_whole(values), threshold_rate=cfg.threshold_rate
        ),
        _K,
    ),
    "Matryoshka": Variant(
        lambda cfg, n, d_in, values: Matryoshka(
            n,
            d_in,
            cfg.d_sae,
            _weights(),
            k=_whole(values),
            widths=cfg.widths,
            threshold_rate=cfg.threshold_rate,
        ),
        _K,
    ),
    "frozen random decoder": Variant(_frozen, _K),
}


def train_variant(name: str, cfg: VariantsConfig, steps: int | None = None) -> list[dict[str, float]]:
    """Train an architecture at every sparsity in every world, all at once, and measure it.

    Args:
        name: of `VARIANTS`.
        cfg: chapter 02a's settings.
        steps: other than ``cfg.steps``.

    Returns:
        For each SAE its ``value``, its ``world`` and its scores.
    """
    variant = VARIANTS[name]
    world = family_world(cfg.n_inst, generator("world", 0, "cpu"))
    sae = variant.make(cfg, cfg.n_inst * len(variant.values), world.d_in, variant.values)
    train_toys(
        sae,
        world,
        generator("data", 0, "cpu"),
        steps=steps or cfg.steps,
        batch_size=cfg.batch_size,
        lr=cfg.lr,
        decay=cfg.decay,
        dead_window=cfg.dead_window,
    )
    rows = score_toys(sae, world, generator("evaluation", 0, "cpu")).rows()
    return [
        {"value": variant.values[i // cfg.n_inst], "world": i % cfg.n_inst, **row}
        for i, row in enumerate(rows)
    ]
