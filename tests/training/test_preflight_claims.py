"""What the pre-flight check says of SAELens, tried on SAELens: a finding must not outlive its cause."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from sae_lens import (
    SAE,
    ActivationsStore,
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUTrainingSAEConfig,
    StandardTrainingSAEConfig,
    TopKTrainingSAEConfig,
    TrainingSAE,
)
from sae_lens.saes.sae import TrainStepInput
from sae_lens.training.optim import get_lr_scheduler
from test_preflight import ATTN, TINY, config, of, rows, tiny  # noqa: F401 - fixtures

from sae_course.models import load_model
from sae_course.training.preflight.amounts import buffer_tokens


@pytest.fixture(scope="module")
def attn() -> Any:
    return load_model(ATTN, "mini", device="cpu", quiet=True)


def attached(model: Any, hook: str, reshape: str, tmp_path: Any) -> torch.Tensor:
    """The logits with an SAE at ``hook``, saved and loaded as SAELens does after training."""
    sae = TrainingSAE.from_dict(
        StandardTrainingSAEConfig(d_in=128, d_sae=64, reshape_activations=reshape).to_dict()
    )
    sae.cfg.metadata.hook_name = hook
    sae.save_inference_model(tmp_path)
    finished = SAE.load_from_disk(tmp_path)
    with torch.no_grad():
        return model.run_with_saes(torch.ones(1, 8, dtype=torch.long), saes=[finished])


def test_hook_z_can_be_attached_only_with_its_reshaping(attn: Any, tmp_path: Any) -> None:
    hook = "blocks.0.attn.hook_z"
    assert attached(attn, hook, "hook_z", tmp_path).shape == (1, 8, 1096)
    with pytest.raises(RuntimeError, match=r"must match|shape"):
        attached(attn, hook, "none", tmp_path)


@pytest.mark.parametrize("which", ["q", "k", "v"])
def test_q_k_and_v_cannot_be_attached_in_either_way(attn: Any, tmp_path: Any, which: str) -> None:
    with pytest.raises(RuntimeError, match=r"must match|shape"):
        attached(attn, f"blocks.0.attn.hook_{which}", "none", tmp_path)
    with pytest.raises(ValueError, match="only be called for hook_z"):
        attached(attn, f"blocks.0.attn.hook_{which}", "hook_z", tmp_path)


def test_the_reshaping_is_refused_at_another_hook(tiny: Any, tmp_path: Any) -> None:  # noqa: F811
    with pytest.raises(ValueError, match="only be called for hook_z"):
        attached(tiny, "blocks.0.hook_mlp_out", "hook_z", tmp_path)


def store(model: Any, tokens: torch.Tensor, **changes: Any) -> ActivationsStore:
    name = ATTN if model.cfg.attn_only else TINY
    return ActivationsStore.from_config(model, config(name, **changes), override_dataset=of(tokens))


def test_the_buffer_counts_rows_and_is_refused_late(tiny: Any, rows: torch.Tensor) -> None:  # noqa: F811
    many = store(tiny, rows, n_batches_in_buffer=7, store_batch_size_prompts=32)
    assert buffer_tokens(config(n_batches_in_buffer=7)) == 7 * 256
    with pytest.raises(ValueError, match="Buffer size must be greater"):
        next(many)
    assert next(store(tiny, rows, n_batches_in_buffer=8, store_batch_size_prompts=1)).shape == (2048, 128)


def test_the_buffer_is_float32_whatever_the_dtype(tiny: Any, rows: torch.Tensor) -> None:  # noqa: F811
    low = store(tiny, rows, dtype="bfloat16", sae__dtype="bfloat16")
    assert low.get_activations(rows[:2]).dtype == torch.float32


def test_no_bos_is_added_to_tokenised_rows(tiny: Any, rows: torch.Tensor) -> None:  # noqa: F811
    without = store(tiny, rows[:, 1:], context_size=255, prepend_bos=True)
    assert torch.equal(without.get_batch_tokens(4), rows[:4, 1:])


def test_only_the_first_rows_length_is_looked_at(tiny: Any, rows: torch.Tensor) -> None:  # noqa: F811
    with pytest.raises(ValueError, match="context_size 200"):
        store(tiny, rows[:, :200])
    uneven = config()
    data = [rows[0].tolist(), rows[1, :100].tolist()]
    late = ActivationsStore.from_config(tiny, uneven, override_dataset=of_lists(data))
    with pytest.raises(RuntimeError, match="equal size"):
        late.get_batch_tokens(2)


def of_lists(rows_: list[list[int]]) -> Any:
    from datasets import Dataset  # noqa: PLC0415

    return Dataset.from_dict({"tokens": rows_})


def step(sae: Any, dead: bool) -> Any:
    return TrainStepInput(
        sae_in=torch.randn(64, sae.cfg.d_in, generator=torch.Generator().manual_seed(0)),
        coefficients={},
        dead_neuron_mask=torch.full((sae.cfg.d_sae,), dead),
        n_training_steps=0,
        is_logging_step=False,
    )


@pytest.mark.parametrize("normalised", ["layer_norm", "constant_norm_rescale"])
def test_auxk_refuses_normalised_activations_at_the_first_dead_latent(normalised: str) -> None:
    sae = TrainingSAE.from_dict(
        TopKTrainingSAEConfig(d_in=16, d_sae=32, k=4, normalize_activations=normalised).to_dict()
    )
    sae.training_forward_pass(step(sae, dead=False))
    with pytest.raises(ValueError, match="does not support activation normalization"):
        sae.training_forward_pass(step(sae, dead=True))


@pytest.mark.parametrize("cls", [TopKTrainingSAEConfig, BatchTopKTrainingSAEConfig])
def test_more_latents_than_there_are_cannot_be_active(cls: Any) -> None:
    sae = TrainingSAE.from_dict(cls(d_in=16, d_sae=32, k=33).to_dict())
    with pytest.raises(RuntimeError, match="out of range"):
        sae.training_forward_pass(step(sae, dead=False))


def test_the_threshold_is_a_running_mean_from_zero() -> None:
    sae = BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(d_in=16, d_sae=32, k=4))
    for _ in range(97):
        sae.update_topk_threshold(torch.full((8, 32), 2.0))
    assert sae.topk_threshold.item() == pytest.approx(2.0 * (1 - 0.99**97))


def test_the_quadratic_loss_needs_its_target() -> None:
    cfg = JumpReLUTrainingSAEConfig(d_in=16, d_sae=32, jumprelu_sparsity_loss_mode="quadratic")
    with pytest.raises(ValueError, match="target_l0 must be set"):
        TrainingSAE.from_dict(cfg.to_dict())


def rates(name: str, warm_up: int, decay: int, total: int = 100) -> list[float]:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_lr_scheduler(name, optimizer, total, 1.0, warm_up, decay, 0.1, 1)
    found = []
    for _ in range(total):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_a_warm_up_and_a_decay_that_overlap_make_the_rate_jump() -> None:
    def jump(found: list[float]) -> float:
        return max(abs(one - other) for one, other in pairwise(found))

    assert jump(rates("constant", 40, 40)) < 0.03
    assert jump(rates("constant", 60, 60)) > 0.3
    assert max(rates("constant", 150, 0)) < 0.7
    assert min(rates("constant", 0, 150)) > 0.3
    assert jump(rates("cosineannealing", 60, 40)) > 0.5
    with pytest.raises(ZeroDivisionError):
        rates("cosineannealing", 100, 0)
    with pytest.raises(ValueError, match="T_0"):
        rates("cosineannealingwarmrestarts", 60, 40)
