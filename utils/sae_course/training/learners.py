"""Who learns from which activations: a learner for each SAE, or one for all that differ only in numbers."""

from typing import TYPE_CHECKING, Any

import torch
from sae_lens.training.activation_scaler import ActivationScaler
from torch import Tensor

from .batched import BatchedLearner, can_batch
from .buffer import Buffer
from .learner import Learner
from .one import OneSAE

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig as Config
    from sae_lens.multi_sae_training_runner import MultiSAETrainingRunner


def learners_for(
    cfgs: "dict[str, Config]",
    runner: "MultiSAETrainingRunner",
    *,
    estimate: bool,
    b_dec_init_method: str = "zeros",
) -> tuple[Buffer, list[Learner]]:
    """The buffer and the learners of a training.

    Args:
        estimate: whether to measure the scaling of activations, from the first batches as SAELens does, and
            their mean; a run that goes on has both in its checkpoint.
        b_dec_init_method: ``mean`` lets each SAE's ``b_dec`` begin at that mean.
    """
    first = next(iter(cfgs.values()))
    hooks = list(dict.fromkeys(cfg.hook_name for cfg in cfgs.values()))
    buffer = Buffer(runner.activations_store, hooks, first.seed)
    scalers = {name: ActivationScaler() for name in cfgs}
    if estimate:
        means = _estimate(cfgs, buffer, scalers, always=b_dec_init_method == "mean")
        if b_dec_init_method == "mean":
            _centre(runner.saes, cfgs, scalers, means)
    learners: list[Learner] = []
    for names in _groups(cfgs):
        members = {name: cfgs[name] for name in names}
        saes = {name: runner.saes[name] for name in names}
        if len(names) > 1 or _written_out(members):
            learners.append(BatchedLearner(members, saes, {name: scalers[name] for name in names}))
        else:
            (name,) = names
            learners.append(OneSAE(name, members[name], saes[name], scalers[name]))
    return buffer, learners


def _written_out(members: "dict[str, Config]") -> bool:
    """Whether a single SAE gains from gradients that are written out.

    On a CPU the whole training is 1.3 (Standard) to 2 times as fast (BatchTopK), on one core. Elsewhere it
    was not measured, and SAELens' own step is taken.
    """
    (cfg,) = members.values()
    return torch.device(cfg.device).type == "cpu" and not can_batch(members)


def _groups(cfgs: "dict[str, Config]") -> list[list[str]]:
    """Runs that can be trained as one batch of parameters, together; every other by itself."""
    groups: list[list[str]] = []
    for name, cfg in cfgs.items():
        for group in groups:
            if not can_batch({**{other: cfgs[other] for other in group}, name: cfg}):
                group.append(name)
                break
        else:
            groups.append([name])
    return groups


def _estimate(
    cfgs: "dict[str, Config]", buffer: Buffer, scalers: dict[str, ActivationScaler], *, always: bool
) -> dict[str, Tensor]:
    """Measure what activations are scaled with, on the first batches: once for each hook point.

    The average norm as `ActivationScaler.estimate_scaling_factor` measures it, without its progress bar and
    without holding the batches; whitening by SAELens itself, which needs them.

    Args:
        always: read the batches even where no scaling is wanted.

    Returns:
        The mean of each hook point's activations, unscaled; none when no batch was read.
    """
    modes = {name: cfg.sae.normalize_activations for name, cfg in cfgs.items()}
    if not always and not {"expected_average_only_in", "covariance_whitening"} & set(modes.values()):
        return {}
    whitened = {cfgs[name].hook_name for name, mode in modes.items() if mode == "covariance_whitening"}
    norms = dict.fromkeys(buffer.hooks, 0.0)
    means: dict[str, Tensor] = {}
    kept: dict[str, list[Tensor]] = {hook: [] for hook in whitened}
    n = next(iter(cfgs.values())).n_batches_for_norm_estimate
    for _ in range(n):
        batch = next(buffer)
        for hook, acts in batch.items():
            norms[hook] += acts.norm(dim=-1).float().mean().item() / n
            means[hook] = means.get(hook, 0) + acts.float().mean(0) / n
            if hook in kept:
                kept[hook].append(acts)
    for name, cfg in cfgs.items():
        if modes[name] == "expected_average_only_in":
            scalers[name].scaling_factor = cfg.sae.d_in**0.5 / norms[cfg.hook_name]
        elif modes[name] == "covariance_whitening":
            scalers[name].estimate_whitening(cfg.sae.d_in, iter(kept[cfg.hook_name]), n)
    return means


def _centre(
    saes: "dict[str, Any]",
    cfgs: "dict[str, Config]",
    scalers: dict[str, ActivationScaler],
    means: dict[str, Tensor],
) -> None:
    """Let each ``b_dec`` begin at the mean of what the SAE will read; whitening has removed that already."""
    for name, cfg in cfgs.items():
        if scalers[name].whitening is None:
            scale = scalers[name].scaling_factor or 1.0
            b_dec = saes[name].b_dec.data
            b_dec.copy_((means[cfg.hook_name] * scale).to(b_dec.device, b_dec.dtype))
