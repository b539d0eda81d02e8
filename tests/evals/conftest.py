"""A mini model, some of its held-out rows, and their activations."""

from itertools import islice
from typing import Any

import pytest
import torch
from known import HOOK
from torch import Tensor

from sae_course.evals import harvest
from sae_course.models import load_model, token_stream


@pytest.fixture(scope="session")
def model() -> Any:
    return load_model("tiny-stories-1L-21M", "mini", device="cpu", quiet=True)


@pytest.fixture(scope="session")
def tokens() -> Tensor:
    stream = token_stream("tiny-stories-1L-21M", "mini", split="test", n_ctx=48)
    return torch.tensor([row["tokens"] for row in islice(stream, 10)])


@pytest.fixture(scope="session")
def activations(model: Any, tokens: Tensor) -> Tensor:
    return harvest(model, tokens, HOOK)
