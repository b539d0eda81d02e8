"""Autoencoders whose every number is known beforehand, and one of SAELens that was never trained."""

from typing import Any

import torch
from sae_lens import StandardSAE, StandardSAEConfig
from sae_lens.saes.sae import SAEMetadata
from torch import Tensor

HOOK = "blocks.0.hook_mlp_out"


class Identity:
    """Reconstructs perfectly."""

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, a: Tensor) -> Tensor:
        return a


class Constant:
    """Says the same of every input."""

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def encode(self, x: Tensor) -> Tensor:
        return torch.zeros(*x.shape[:-1], 3)

    def decode(self, a: Tensor) -> Tensor:
        return self.value.expand(*a.shape[:-1], -1)


class Scaled(Identity):
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def decode(self, a: Tensor) -> Tensor:
        return self.factor * a


class Own(torch.nn.Module):
    """A learner's own: a ReLU SAE with random weights."""

    def __init__(self, d_in: int, d_sae: int, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.W_enc = torch.nn.Parameter(torch.randn(d_in, d_sae, generator=g) / d_in**0.5)
        self.W_dec = torch.nn.Parameter(torch.randn(d_sae, d_in, generator=g) / d_sae**0.5)
        self.b_enc = torch.nn.Parameter(torch.randn(d_sae, generator=g) - 0.5)
        self.b_dec = torch.nn.Parameter(torch.randn(d_in, generator=g))

    def encode(self, x: Tensor) -> Tensor:
        return (x @ self.W_enc + self.b_enc).relu()

    def decode(self, a: Tensor) -> Tensor:
        return a @ self.W_dec + self.b_dec


def theirs(hook_point: str, d_in: int, d_sae: int = 64, **settings: Any) -> Any:
    """An SAE of SAELens with random weights and biases."""
    metadata = SAEMetadata(hook_name=hook_point, hook_head_index=None)
    sae = StandardSAE(
        StandardSAEConfig(
            d_in=d_in, d_sae=d_sae, dtype="float32", device="cpu", metadata=metadata, **settings
        )
    )
    own = Own(d_in, d_sae)
    for name in ("W_enc", "W_dec", "b_enc", "b_dec"):
        getattr(sae, name).data = getattr(own, name).data
    return sae
