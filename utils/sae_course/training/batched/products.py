"""Products of float32 matrices in bf16, accumulated and kept in float32."""

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def bf16_products(enabled: bool) -> Iterator[None]:
    """Within it, matrix products round their factors to bf16, and nothing else.

    What ``autocast`` stands for here. SAELens' autocast rounds the products' results to bf16 as well; those
    stay float32 here, so that pre-activations have no ties for TopK to break, and no tensor is cast. On a CPU
    without bf16 instructions the products are float32's. On a GPU they are TF32's, which round less.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium" if enabled else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
