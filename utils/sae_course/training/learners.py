"""Who learns from which activations: a learner for each SAE, or one for all that differ only in numbers."""

from typing import TYPE_CHECKING, Any

from sae_lens.training.activation_scaler import ActivationScaler

from .batched import BatchedLearner, can_batch
from .buffer import Buffer
from .learner import Learner
from .one import OneSAE

if TYPE_CHECKING:
    from sae_lens import LanguageModelSAERunnerConfig as Config
    from sae_lens.multi_sae_training_runner import MultiSAETrainingRunner


def learners_for(
    cfgs: "dict[str, Config]", runner: "MultiSAETrainingRunner", *, estimate: bool
) -> tuple[Buffer, list[Learner]]:
    """The buffer and the learners of a training.

    Args:
        estimate: whether to measure the scaling of activations, from the first batches as SAELens does; a run
            that goes on has it in its checkpoint.
    """
    first = next(iter(cfgs.values()))
    hooks = list(dict.fromkeys(cfg.hook_name for cfg in cfgs.values()))
    buffer = Buffer(runner.activations_store, hooks, first.seed)
    scalers = {name: ActivationScaler() for name in cfgs}
    if estimate:
        _estimate(cfgs, buffer, scalers)
    learners: list[Learner] = []
    for names in _groups(cfgs):
        members = {name: cfgs[name] for name in names}
        saes = {name: runner.saes[name] for name in names}
        if len(names) > 1:
            learners.append(BatchedLearner(members, saes, {name: scalers[name] for name in names}))
        else:
            (name,) = names
            learners.append(OneSAE(name, members[name], saes[name], scalers[name]))
    return buffer, learners


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


def _estimate(cfgs: "dict[str, Config]", buffer: Buffer, scalers: dict[str, ActivationScaler]) -> None:
    """Measure each hook point's scaling once, and share it; with several, on one set of batches."""
    modes = {name: cfg.sae.normalize_activations for name, cfg in cfgs.items()}
    wanted = {
        (cfgs[name].hook_name, mode)
        for name, mode in modes.items()
        if mode in ("expected_average_only_in", "covariance_whitening")
    }
    if not wanted:
        return
    n = next(iter(cfgs.values())).n_batches_for_norm_estimate
    batches: Any = (next(buffer) for _ in range(n))
    if len(wanted) > 1:
        batches = list(batches)
    for hook, mode in sorted(wanted):
        alike = [name for name in cfgs if (cfgs[name].hook_name, modes[name]) == (hook, mode)]
        scaler, d_in = scalers[alike[0]], cfgs[alike[0]].sae.d_in
        provider = (batch[hook] for batch in batches)
        if mode == "expected_average_only_in":
            scaler.estimate_scaling_factor(d_in, provider, n)
        else:
            scaler.estimate_whitening(d_in, provider, n)
        for name in alike[1:]:
            scalers[name].scaling_factor, scalers[name].whitening = scaler.scaling_factor, scaler.whitening
