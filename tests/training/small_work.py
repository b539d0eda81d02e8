"""A made-up run of small primes: a product says which sizes are in it."""

from dataclasses import replace

from sae_course.training.planner.shapes import ModelShape
from sae_course.training.planner.workload import GPU, Workload

PLAIN = ModelShape(n_layers=2, d_model=3, n_heads=2, d_head=5, d_mlp=7, d_vocab=11, n_ctx=13)
WORK = Workload(
    model="none",
    scale="full",
    shape=PLAIN,
    layers=1,
    architecture="standard",
    d_in=3,
    d_sae=8,
    context_size=10,
    row_tokens=6,
    training_tokens=1000,
    train_batch_size_tokens=30,
    n_batches_in_buffer=9,
    store_batch_size_prompts=2,
    eval_batch_size_prompts=3,
)


def on_gpu() -> Workload:
    """The same, all of it on a GPU."""
    return replace(WORK, device=GPU, llm_device=GPU, act_store_device=GPU)
