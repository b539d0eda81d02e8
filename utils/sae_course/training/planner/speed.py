"""Tokens a second, from the work of a token and what a machine does in practice.

    seconds of a token = FLOPs / (rate · efficiency) + bytes moved / (bandwidth · efficiency)

for the model and for the SAE. The model is run forward to the hook point: 2 FLOPs for each parameter, and
attention's pairs; what it moves are its activations, which TransformerLens reads and writes many times
between the products. An SAE's step is six products of d_in × d_sae, two forward and four backward:
12 · d_in · d_sae FLOPs; it moves [batch, d_sae] tensors, and at each step all parameters, for Adam.

A GPU that was never measured has the assumed efficiencies below, and the plan says so.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from .calibration import measured
from .machines import Machine
from .memory import FLOAT, own_step
from .workload import Workload

MODEL_EFFICIENCY, SAE_EFFICIENCY, BANDWIDTH_EFFICIENCY = 0.5, 0.5, 0.7
"""Of the peak rates, where nothing was measured. Assumed."""
MODEL_PASSES = 2.0
"""Times that `moved_by_model` is moved, where nothing was measured. Assumed."""
PRODUCTS = {"gated": 8}
"""Products in a step: six, but Gated SAEs decode twice, the second time through a decoder that gets no
gradient."""
CHUNK = 2**18
"""Pre-activations that the course's own step on a CPU holds at once (`gradients.CHUNK`): the weights are read
anew for each chunk."""
PASSES = {
    "standard": 30,
    "topk": 60,
    "batchtopk": 80,
    "matryoshka_batchtopk": 90,
    "gated": 45,
    "jumprelu": 40,
}
"""Times that a [batch, d_sae] tensor is read or written in SAELens' step, counted in its code; choosing the k
largest is counted as 30 for a row, 50 for a batch. Never measured on a GPU."""
ADAM_PASSES = 10
"""Over all parameters in a step: clipping, both averages, the update."""
EVALUATION_PASSES = 4
"""Through the whole model, at each evaluation: three with logits, one for sparsity and variance."""


@dataclass(frozen=True)
class Speed:
    """What a token takes, and so the run."""

    model_flops: float
    sae_flops: float
    """Of all SAEs."""
    seconds: float
    """For one token of training."""
    model_share: float
    """Of those seconds, the model's."""
    overhead: float
    """Seconds of the whole run that train nothing: normalisation and evaluations."""
    measured: str
    """When and on what the efficiencies were measured; empty when they are assumed."""

    @property
    def tokens_per_second(self) -> float:
        return 1 / self.seconds

    def hours(self, tokens: float) -> float:
        """Of a run."""
        return (tokens * self.seconds + self.overhead) / 3600


def speed(work: Workload, machine: Machine) -> Speed:
    """The speed of a run on a machine."""
    found = measured(machine.name)
    fitted: dict[str, Any] = {} if found is None else found["fitted"]
    if found is not None:  # the constants were fitted to measured rates, not to a data sheet's
        rates = {name: found["rates"][name] for name in ("float32", "bf16", "bandwidth")}
        machine = dataclasses.replace(machine, **rates)
    model, sae = seconds_of(work, machine, fitted)
    evaluated = work.n_evaluations * work.n_eval_batches * work.eval_batch_size_prompts * work.context_size
    shape = work.shape
    whole = shape.flops(shape.n_layers, work.context_size) + 2 * shape.d_model * shape.d_vocab
    overhead = work.n_saes * EVALUATION_PASSES * evaluated * whole / _model_rate(work, machine, fitted)
    overhead += model * work.n_batches_for_norm_estimate * work.train_batch_size_tokens
    return Speed(
        model_flops=model_flops(work),
        sae_flops=sae_flops(work),
        seconds=model + sae,
        model_share=model / (model + sae),
        overhead=overhead,
        measured="" if found is None else f"{found['rates']['machine']}, {found['rates']['date']}",
    )


def seconds_of(work: Workload, machine: Machine, fitted: dict[str, Any]) -> tuple[float, float]:
    """Of a token that is trained on: the model's seconds, and those of all SAEs.

    Args:
        fitted: what was measured on such a machine; empty where nothing was.
    """
    bandwidth = machine.bandwidth * fitted.get("bandwidth_efficiency", BANDWIDTH_EFFICIENCY)
    model = 0.0
    if not work.use_cached_activations:
        passes = fitted.get("model_passes", MODEL_PASSES)
        model = (
            model_flops(work) / _model_rate(work, machine, fitted) + passes * moved_by_model(work) / bandwidth
        )
    rate = (machine.bf16 if work.autocast else machine.float32) * fitted.get("sae_efficiency", SAE_EFFICIENCY)
    passes = fitted.get("passes", {}).get(work.architecture, PASSES[work.architecture])
    moved = work.n_saes * FLOAT * passes * work.d_sae + moved_weights(work)
    return model, sae_flops(work) / rate + moved / bandwidth


def model_flops(work: Workload) -> float:
    """Of the model, for one token that is trained on: it reads those that are cut off, too."""
    return work.shape.flops(work.layers, work.context_size) * work.context_size / work.row_tokens


def moved_by_model(work: Workload) -> float:
    """Bytes of activations in the model, for one token that is trained on: the stream, the MLP's hidden layer
    and attention's row of scores, each as often as operations between two products touch it."""
    shape = work.shape
    numbers = 20 * shape.d_model + 8 * shape.d_mlp + 6 * work.context_size * shape.n_heads
    return work.model_bytes * work.layers * numbers * work.context_size / work.row_tokens


def sae_flops(work: Workload) -> float:
    """Of all SAEs, for one token. The course's own BatchTopK encodes twice: it reads the whole
    batch first."""
    products = PRODUCTS.get(work.architecture, 6) + (own_step(work) and work.architecture == "batchtopk")
    return float(work.n_saes * products * 2 * work.d_in * work.d_sae)


def moved_weights(work: Workload) -> float:
    """Bytes of all SAEs' parameters that are moved, for one token: by Adam, and for each chunk of rows by the
    course's own step on a CPU."""
    times = ADAM_PASSES / work.train_batch_size_tokens
    if own_step(work) and work.on_cpu:
        times += PRODUCTS.get(work.architecture, 6) / 2 * work.d_sae / CHUNK
    return float(work.n_saes * FLOAT * work.sae_parameters * times)


def _model_rate(work: Workload, machine: Machine, fitted: dict[str, Any]) -> float:
    half = work.autocast_lm or work.model_bytes < FLOAT
    return (machine.bf16 if half else machine.float32) * fitted.get("model_efficiency", MODEL_EFFICIENCY)
