"""Every number of a reconstruction: by a slow loop, by SAELens, and where the answer is known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from known import HOOK, Constant, Identity, Own, Scaled, theirs
from sae_lens.evals import get_sparsity_and_variance_metrics
from sae_lens.training.activation_scaler import ActivationScaler
from torch import Tensor

from sae_course.evals import reconstruction
from sae_course.runtime import CourseError


def by_loop(x: Tensor, out: Tensor, a: Tensor) -> dict[str, float]:
    """One token at a time, in float64."""
    xs, outs, latents = (t.detach().double().numpy() for t in (x, out, a))
    mean = xs.mean(0)
    error, far, square, ratios, cosines = 0.0, 0.0, 0.0, [], []
    norm_in, norm_out, norm_ratios, product, square_out, l0, l1 = 0.0, 0.0, [], 0.0, 0.0, [], []
    for one, made, fires in zip(xs, outs, latents, strict=True):
        miss = float(((one - made) ** 2).sum())
        away = float(((one - mean) ** 2).sum())
        error, far, square = error + miss, far + away, square + float((one**2).sum())
        ratios.append(1 - miss / away)
        size, size_out = float(np.linalg.norm(one)), float(np.linalg.norm(made))
        cosines.append(float(one @ made) / (size * size_out))
        norm_in, norm_out = norm_in + size, norm_out + size_out
        norm_ratios.append(size_out / size)
        product, square_out = product + float(one @ made), square_out + size_out**2
        l0.append(sum(value != 0 for value in fires))
        l1.append(sum(abs(value) for value in fires))
    return {
        "n_tokens": len(xs),
        "l0": float(np.mean(l0)),
        "l1": float(np.mean(l1)),
        "mse": error / xs.size,
        "explained_variance": 1 - error / far,
        "explained_variance_about_zero": 1 - error / square,
        "explained_variance_per_token": float(np.mean(ratios)),
        "cosine": float(np.mean(cosines)),
        "shrinkage": norm_out / norm_in,
        "norm_ratio": float(np.mean(norm_ratios)),
        "relative_bias": square_out / product,
    }


@pytest.mark.parametrize("chunk", [7, 8192])
def test_against_a_slow_loop(chunk: int) -> None:
    x = 2 * torch.randn(4, 25, 12, generator=torch.Generator().manual_seed(1)) + 1
    sae = Own(12, 20)
    flat = x.reshape(-1, 12)
    expected = by_loop(flat, sae.decode(sae.encode(flat)), sae.encode(flat))
    assert reconstruction(sae, x, chunk=chunk).as_dict() == pytest.approx(expected, rel=1e-5)


def test_sums_are_taken_in_float64() -> None:
    x = torch.randn(900, 6, generator=torch.Generator().manual_seed(1)) + 1e4
    expected = by_loop(x, 0.9 * x, x)
    found = reconstruction(Scaled(0.9), x, chunk=500).as_dict()
    assert found.pop("l1") == pytest.approx(expected.pop("l1"), rel=1e-6)  # summed on the SAE's device
    assert found == pytest.approx(expected, rel=1e-10)


def test_against_saelens(model: Any, tokens: Tensor, activations: Tensor) -> None:
    sae = theirs(HOOK, activations.shape[-1])
    metrics, _ = get_sparsity_and_variance_metrics(
        sae,
        model,
        SimpleNamespace(get_batch_tokens=lambda n: tokens),
        ActivationScaler(),
        n_batches=1,
        compute_l2_norms=True,
        compute_sparsity_metrics=True,
        compute_variance_metrics=True,
        compute_featurewise_density_statistics=True,
        eval_batch_size_prompts=len(tokens),
        model_kwargs={},
    )
    ours = reconstruction(sae, activations)
    expected = {
        "l0": ours.l0,
        "l1": ours.l1,
        "mse": ours.mse * activations.shape[-1],
        "explained_variance": ours.explained_variance,
        "explained_variance_legacy": ours.explained_variance_per_token,
        "cossim": ours.cosine,
        "l2_ratio": ours.norm_ratio,
        "relative_reconstruction_bias": ours.relative_bias,
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_where_the_answer_is_known(activations: Tensor) -> None:
    perfect = reconstruction(Identity(), activations)
    for name in ("explained_variance", "explained_variance_about_zero", "explained_variance_per_token"):
        assert getattr(perfect, name) == 1
    assert perfect.mse == 0
    assert (perfect.cosine, perfect.shrinkage, perfect.relative_bias) == pytest.approx((1, 1, 1))

    half = reconstruction(Scaled(0.5), activations)
    assert (half.cosine, half.shrinkage, half.relative_bias) == pytest.approx((1, 0.5, 0.5))
    assert half.explained_variance_about_zero == pytest.approx(0.75)

    nothing = reconstruction(Constant(torch.zeros(activations.shape[-1])), activations)
    assert (nothing.explained_variance_about_zero, nothing.shrinkage, nothing.cosine, nothing.l0) == (
        0,
        0,
        0,
        0,
    )
    assert np.isnan(nothing.relative_bias)
    assert nothing.explained_variance < 0


def test_a_large_mean_makes_the_formulas_disagree() -> None:
    noise = torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    x = noise + 1000
    result = reconstruction(Constant(x.mean(0)), x)
    assert result.explained_variance == pytest.approx(
        0, abs=1e-6
    )  # needs float64: x² is a million times larger
    assert result.explained_variance_about_zero > 0.999998
    near = torch.cat([noise, noise.mean(0, keepdim=True) + 1e-5])
    pulled = reconstruction(Scaled(0.9), near)
    assert pulled.explained_variance == pytest.approx(0.99, abs=1e-3)
    assert pulled.explained_variance_per_token < -100


def test_tokens_that_are_zero_have_nothing_to_shrink() -> None:
    x = torch.eye(4)
    x[0] = 0
    made = reconstruction(Constant(torch.full((4,), 0.5)), x)
    assert (made.shrinkage, made.norm_ratio) == (1, 1)
    assert made.cosine == pytest.approx(3 / 4 * 0.5)


def test_an_sae_that_keeps_norms_between_encode_and_decode(activations: Tensor) -> None:
    sae = theirs(HOOK, activations.shape[-1], normalize_activations="layer_norm")
    flat = activations.reshape(-1, activations.shape[-1])
    expected = by_loop(flat, sae(flat), sae.encode(flat))
    assert reconstruction(sae, activations, chunk=100).as_dict() == pytest.approx(expected, rel=1e-4)


def test_the_sae_stays_as_it_was(activations: Tensor) -> None:
    sae = Own(activations.shape[-1], 8)
    seen = []
    sae.register_module("watched", torch.nn.Identity())
    encode = sae.encode
    sae.encode = lambda x: seen.append((sae.training, torch.is_grad_enabled())) or encode(x)  # type: ignore[method-assign]
    reconstruction(sae, activations.clone().requires_grad_())
    assert set(seen) == {(False, False)}
    assert sae.training
    assert sae.W_enc.grad is None


def test_sparse_latent_activations() -> None:
    class Sparse(Identity):
        def encode(self, x: Tensor) -> Tensor:
            return x.relu().to_sparse()

    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    assert reconstruction(Sparse(), x).l0 == pytest.approx((x > 0).float().sum(1).mean())


def test_errors_say_what_to_do(activations: Tensor) -> None:
    with pytest.raises(CourseError, match="width 64 and these have 128"):
        reconstruction(theirs(HOOK, 64), activations)
    with pytest.raises(CourseError, match="no activations here"):
        reconstruction(Identity(), activations[:0])
    with pytest.raises(CourseError, match="int64"):
        reconstruction(Identity(), torch.zeros(3, 4, dtype=torch.long))
    with pytest.raises(CourseError, match=r"shape \[480, 3\]"):
        reconstruction(Constant(torch.zeros(3)), activations)


def test_it_shows_itself(activations: Tensor) -> None:
    result = reconstruction(Scaled(0.5), activations)
    assert "shrinkage: 0.5" in str(result)
    assert "480 tokens" in str(result)
    assert "<th>shrinkage</th><td>0.5</td>" in result._repr_html_()
