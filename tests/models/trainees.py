"""Models and a text small enough for a test."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sae_course.models.batches import Batches, batches
from sae_course.models.specs import ModelSpec, TrainingSpec

TRAINING = TrainingSpec(rows=4, steps=20, warm_up=3)
PLAIN = ModelSpec(
    "tiny",
    "text",
    TRAINING,
    n_layers=1,
    n_ctx=16,
    d_vocab=40,
    d_model=16,
    n_heads=2,
    d_head=8,
    d_mlp=32,
    attn_scale=False,
)
ATTENTION_ONLY = replace(PLAIN, n_layers=2, attn_only=True, shortformer=True, attn_scale=True)
GEMMA = replace(
    PLAIN,
    n_layers=2,
    n_heads=4,
    d_head=4,
    n_key_value_heads=2,
    window=4,
    gemma2=True,
    attn_scale=True,
)
SPECS = {"plain": PLAIN, "attention only": ATTENTION_ONLY, "gemma": GEMMA}


def training(spec: ModelSpec, **settings: Any) -> ModelSpec:
    return replace(spec, training=replace(spec.training, **settings))


def rows(spec: ModelSpec = PLAIN, n_rows: int = 30, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).integers(3, spec.d_vocab, (n_rows, spec.n_ctx)).astype(np.uint16)
    found[:, 0] = 1
    return found


def reading(spec: ModelSpec = PLAIN, seed: int = 0) -> Batches:
    return batches(spec, rows=rows(spec, seed=seed))


def stirred(model: torch.nn.Module, seed: int = 0, by: float = 0.3) -> torch.nn.Module:
    """Every weight, bias and norm moved, so that one left out of a conversion shows."""
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=stream))
    return model


def text(n_sentences: int = 2500, seed: int = 0) -> str:
    """Sentences with a pattern to learn: who likes what is always the same."""
    stream = np.random.default_rng(seed)
    who = ["Anna", "Béla", "Chris", "Dora", "Emil"]
    what = ["apples", "bridges", "cats", "drums", "snow"]
    picked = stream.integers(0, len(who), n_sentences)
    return "".join(f"{who[i]} likes {what[i]}.\n" for i in picked)
