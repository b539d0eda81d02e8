"""Bytes by part, phase and device: what a training holds at the moment of each phase's peak.

A training goes round four phases. **Loading**: `transformers`' model and TransformerLens' copy of it, in the
computer's memory. **Filling** the buffer: the old buffer is there until the new one is whole, as parts and as
one piece: three times its size; or twice, and a forward pass of the model. On a CPU the process keeps what
was freed, in pieces that later tensors seldom fit (measured). A **step**: gradients, and tensors of [batch,
d_sae]. **Evaluation**: SAELens keeps the logits of three passes, and the loss needs a copy or two.

The constants were read off the code and compared with traces of it (`traced`, docs/planner.md).
"""

from dataclasses import dataclass

from .calibration import process_bytes
from .workload import CPU, GPU, SECOND, Workload

FLOAT = 4
"""Bytes: SAEs, Adam and the buffer are float32 whatever the model is."""
CUDA_BYTES = int(0.6 * 2**30)
"""CUDA's context and its libraries' workspaces. Assumed: it could not be measured without a GPU."""
STEP = {
    "standard": 6.1,
    "topk": 6.8,
    "batchtopk": 7.8,
    "matryoshka_batchtopk": 8.8,
    "gated": 9.45,
    "jumprelu": 7.8,
}
"""Tensors of [batch, d_sae] alive at the peak of SAELens' step: pre-activations, activations, masks, their
gradients."""
STEP_INPUTS = 2.6
"""Of [batch, d_in], at the same time."""
OWN_INPUTS = 6.0
"""Of [batch, d_in] in the step that this course takes on a CPU for Standard, TopK and BatchTopK; its
[batch, d_sae] tensors are made a few hundred rows at a time."""
CPU_STEP = 1.35
"""Times as much as the traced tensors, on a CPU: measured; bf16 copies inside products, and gaps."""
OWN = ("standard", "topk", "batchtopk")
LOGITS = 4
"""Copies of an evaluation batch's logits: three passes', and the third one's log-probabilities. One more
where they are soft-capped."""
METRICS = {"gpu": 5, "cpu": 8, "cpu, choosing": 14}
"""Tensors of [evaluation tokens, d_sae] in SAELens' sparsity and variance metrics: counted as they are
made (4.4); in a process, measured; there, where the largest are chosen, sorting pairs of number and place."""
CHOOSING = ("topk", "batchtopk", "matryoshka_batchtopk")
PHASES = ("loading", "filling", "step", "evaluation")


@dataclass(frozen=True)
class Part:
    """Something that lies somewhere at the peak of a phase."""

    device: str
    phase: str
    name: str
    bytes: int


def parts(work: Workload) -> list[Part]:
    """All of them; those of 0 bytes left out."""
    found: list[Part] = []

    def add(device: str, phase: str, name: str, size: float) -> None:
        if size >= 1:
            found.append(Part(device, phase, name, int(size)))

    weights = work.model_bytes * work.shape.parameters
    sae = FLOAT * work.sae_parameters * work.n_saes
    own = own_step(work)
    buffer = buffer_bytes(work)
    forward, logits = forward_bytes(work), evaluation_bytes(work)
    if work.scale == "full":
        twice = work.shape.d_vocab * work.shape.d_model if work.shape.tied else 0
        add(CPU, "loading", "model, as loaded", work.model_bytes * (work.shape.parameters - twice))
        add(CPU, "loading", "model weights", weights)
        add(CPU, "loading", "Python and libraries", process_bytes())
    for phase in PHASES[1:]:
        for device in dict.fromkeys((work.device, work.llm_device, work.act_store_device)):
            name = "Python and libraries" if device == CPU else "CUDA"
            add(device, phase, name, process_bytes() if device == CPU else CUDA_BYTES)
        add(work.llm_device, phase, "model weights", weights)
        add(work.device, phase, "SAE weights", sae)
        add(work.device, phase, "Adam", 2 * sae)
        if phase == "step" or own:
            add(work.device, phase, "gradients", sae)
    together = work.llm_device == work.act_store_device
    copying = buffer >= forward or not together
    add(work.act_store_device, "filling", "activation buffer", (3 if copying else 2) * buffer)
    for phase in ("step", "evaluation"):  # see `keep_freed_memory`: what was freed stays the process's
        if work.act_store_device == CPU:
            add(CPU, phase, "kept from filling", (2 if copying else 1) * buffer)
        if work.llm_device == CPU and not (together and copying):
            add(CPU, phase, "kept from filling", forward)
    if not (together and copying):
        add(work.llm_device, "filling", "model activations", forward)
    for phase in ("step", "evaluation"):
        add(work.act_store_device, phase, "activation buffer", buffer)
    add(work.device, "step", "a step's tensors", step_bytes(work))
    add(work.llm_device, "evaluation", "evaluation", logits)
    return found


def own_step(work: Workload) -> bool:
    """Whether a step is the course's own, which keeps its gradients (see `learners`)."""
    return work.architecture in OWN and (work.on_cpu or work.n_saes > 1)


def buffer_bytes(work: Workload) -> int:
    """The buffer when it is full: whole model batches, until it holds what it should."""
    model_batch = work.store_batch_size_prompts * work.row_tokens
    tokens = -(-work.buffer_tokens // model_batch) * model_batch
    return FLOAT * work.d_in * tokens


def forward_bytes(work: Workload) -> int:
    """Tensors of the model's forward pass to the hook point at their peak: attention's, or the MLP's.

    On a CPU rows are read a few at a time, so that attention's scores fit the cache (see `Buffer`).
    """
    shape, context = work.shape, work.context_size
    rows = work.store_batch_size_prompts
    if work.llm_device == CPU:
        rows = max(1, min(rows, 2**20 // (shape.n_heads * context**2)))
    return _forward(work, rows)


def _forward(work: Workload, rows: int) -> int:
    shape, context = work.shape, work.context_size
    tokens = rows * context
    scores = rows * shape.n_heads * context**2
    heads, stream = tokens * shape.n_heads * shape.d_head, tokens * shape.d_model
    grouped = shape.n_key_value_heads is not None
    attention = 4 * scores + (3 if grouped else 4) * heads + (5 if shape.shortformer else 4) * stream
    projections = shape.n_heads * shape.d_head * shape.d_model + 5 * heads + 5 * stream
    mlp = 0
    if shape.d_mlp:
        hidden = tokens * shape.d_mlp
        weight = shape.d_model * shape.d_mlp if shape.gated else 0
        mlp = (3 if shape.gated else 4) * hidden + weight + (5 if shape.gated else 4) * stream
    size = work.model_bytes
    if work.autocast_lm and size == FLOAT:
        # Products are bf16, sums and norms are not; the weights' bf16 copies come on top.
        return int(FLOAT * max(0.78 * attention, 0.9 * mlp, projections))
    return int(size * max(attention, mlp, projections))


def step_bytes(work: Workload) -> int:
    """A step's tensors beside weights, gradients and Adam's averages. Several SAEs take turns on a GPU."""
    batch = work.train_batch_size_tokens
    if own_step(work) and work.on_cpu:
        return int(FLOAT * batch * work.d_in * OWN_INPUTS + 16 * 2**20)
    tensors = STEP[work.architecture] * work.d_sae + STEP_INPUTS * work.d_in
    return int(FLOAT * batch * tensors * (CPU_STEP if work.on_cpu else 1))


def evaluation_bytes(work: Workload) -> int:
    """SAELens' evaluation on one batch of rows: its loss, or its metrics of sparsity and variance."""
    tokens = work.eval_batch_size_prompts * work.context_size
    kind = "gpu" if not work.on_cpu else "cpu, choosing" if work.architecture in CHOOSING else "cpu"
    return int(max(loss_bytes(work), METRICS[kind] * FLOAT * tokens * work.d_sae))


def loss_bytes(work: Workload) -> int:
    """The part of an evaluation that needs logits.

    Those of two passes are kept. The third has its own, and what the loss makes of them; or, while they are
    made, a copy of the unembedding; or, before that, a forward pass's tensors.
    """
    one = logits_bytes(work)
    unembedding = work.model_bytes * work.shape.d_model * work.shape.d_vocab
    forward = _forward(work, work.eval_batch_size_prompts)
    kept = (LOGITS - 2) * one
    return int(max((LOGITS + work.shape.soft_cap) * one, kept + one + unembedding, kept + forward))


def logits_bytes(work: Workload) -> int:
    """One copy of an evaluation batch's logits."""
    return work.model_bytes * work.eval_batch_size_prompts * work.context_size * work.shape.d_vocab


def peak(found: list[Part], device: str) -> int:
    """The most that lies on a device in any phase."""
    return max((sum_of(found, device, phase) for phase in PHASES), default=0)


def sum_of(found: list[Part], device: str, phase: str) -> int:
    """All that lies on a device at the peak of a phase."""
    return sum(part.bytes for part in found if part.device == device and part.phase == phase)


def devices(found: list[Part]) -> list[str]:
    """The devices that something lies on, GPUs first."""
    there = {part.device for part in found}
    return [device for device in (GPU, SECOND, CPU) if device in there]
