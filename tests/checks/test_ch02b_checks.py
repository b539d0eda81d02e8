"""The references of chapter 02b's checks agree with what knows nothing of them."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from bank import failure_of
from bank_ch02b_noise import bank as noises
from scipy.optimize import linprog
from scipy.stats import kurtosis
from torch.testing import assert_close

from sae_course.checks import ch02b
from sae_course.checks.cases import Case
from sae_course.checks.ch02b import absorption, noise_law, reference
from sae_course.checks.ch02b.noise import _activations
from sae_course.checks.ch02b.pairs import _with_negatives
from sae_course.data import toys

SIZES = {"inst": 3, "batch": 11, "d_in": 7, "d_sae": 13}


@pytest.fixture
def case():
    return Case(torch.Generator().manual_seed(0), "cpu", SIZES, "")


def saelens_cosines(one, other):
    from sae_lens.util import cosine_similarities  # noqa: PLC0415 - seconds

    return torch.stack([cosine_similarities(*pair) for pair in zip(one, other, strict=True)])


def test_a_check_waits_for_nothing_slow():
    slow = "('sae_lens', 'pandas', 'plotly', 'transformers')"
    code = f"import sys; from sae_course.checks import ch02b; print([m for m in {slow} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_activations_are_a_linear_program_s(case):
    """The smallest sum of non-negative activations with which the three latents give the point."""
    x = torch.cat([case.uniform("batch 2", 0.0, 1.0), torch.tensor([[0.0, 0.0], [0.0, 0.7], [0.4, 0.4]])])
    rows = reference.DICTIONARY.double().numpy()
    for point, latents in zip(x.double(), reference.rotated_latents(x), strict=True):
        best = linprog(np.ones(3), A_eq=rows.T, b_eq=point.numpy(), bounds=(0, None))
        assert_close(latents.double(), torch.tensor(best.x), atol=1e-5, rtol=1e-5)
        assert float(latents.sum()) == pytest.approx(2**0.5 * float(point.max()), abs=1e-5)


@pytest.mark.parametrize("p", [0.03, 0.5, 0.879, 1.0])
def test_the_costs_are_a_toy_world_s(p):
    world = toys.ToyWorld(
        torch.eye(2)[None], torch.full((2,), p), torch.tensor([[0.5, 0.0]] * 2), uniform=True
    )
    x = world.sample(1_000_000, torch.Generator().manual_seed(0)).features[0]
    true, rotated = reference.l1_costs(p)
    assert float(x.sum(1).mean()) == pytest.approx(true, abs=3e-3)
    assert float(reference.rotated_latents(x).sum(1).mean()) == pytest.approx(rotated, abs=3e-3)


def test_the_costs_cross_where_the_chapter_says():
    crossing = 3 * (1 - 0.5**0.5)
    assert reference.l1_costs(1.0) == pytest.approx((1, 2 * 2**0.5 / 3))
    for p, cheaper in [(crossing - 1e-4, False), (crossing + 1e-4, True)]:
        true, rotated = reference.l1_costs(p)
        assert (rotated < true) == cheaper


def test_the_cosines_are_saelens(case):
    W_dec, other = _with_negatives(case, 0.6), case.normal("inst 5 d_in")
    cosine = saelens_cosines(W_dec, W_dec).numpy()
    above = np.triu_indices(13, 1)
    for i, one in enumerate(cosine):
        assert int(reference.negated_pairs(W_dec, 0.6)[i]) == int((one[above] < -0.6).sum()) > 0
        assert float(reference.decoder_cosine(W_dec)[i]) == pytest.approx(np.abs(one[above]).mean(), rel=1e-5)
    nearest = saelens_cosines(W_dec, other).numpy().max(2).mean(1)
    np.testing.assert_allclose(reference.agreement(W_dec, other), nearest, rtol=1e-5)
    assert not torch.allclose(reference.agreement(W_dec, other), reference.agreement(other, W_dec))


def test_no_cosine_is_near_a_threshold():
    """Rounding must not decide: 60 draws."""
    for seed in range(60):
        case = Case(torch.Generator().manual_seed(seed), "cpu", {"inst": 7, "d_sae": 11, "d_in": 5}, "")
        W_dec = _with_negatives(case, 0.75)
        cosine = reference.cosine_pairs(W_dec.double())
        assert float((cosine.abs() - 0.75).abs().min()) > 5e-4
        assert len(set(reference.negated_pairs(W_dec, 0.75).tolist())) > 1


def test_the_tied_encoder_is_saelens_with_the_transpose(case):
    import sae_lens  # noqa: PLC0415 - seconds

    h, W_dec = case.normal("inst batch d_in"), case.normal("inst d_sae d_in")
    b_enc, b_dec = case.normal("inst d_sae"), case.normal("inst d_in")
    ours = reference.tied_pre_activations(h, W_dec, b_enc, b_dec)
    for i in range(3):
        sae = sae_lens.StandardTrainingSAE(
            sae_lens.StandardTrainingSAEConfig(d_in=7, d_sae=13, apply_b_dec_to_input=True)
        )
        with torch.no_grad():
            sae.W_enc.copy_(W_dec[i].T)
            sae.b_enc.copy_(b_enc[i])
            sae.b_dec.copy_(b_dec[i])
            assert_close(ours[i], sae.encode_with_hidden_pre(h[i])[1])


def test_the_start_is_where_a_constant_errs_least(case):
    h = case.normal("inst batch d_in", grad=True)
    start = reference.starting_bias(h)
    assert not start.requires_grad
    np.testing.assert_allclose(start, h.detach().numpy().mean(1), rtol=1e-4, atol=1e-6)
    constant = start.clone().requires_grad_()
    (h.detach() - constant[:, None]).pow(2).sum().backward()
    assert constant.grad.abs().max() < 1e-4


def test_absorption_by_hand():
    """Six samples: the child in two, the parent alone in three, neither in one."""
    parent = torch.tensor([[1, 1, 1, 1, 1, 0]] * 4, dtype=torch.bool)
    child = torch.tensor([[1, 1, 0, 0, 0, 0]] * 3 + [[0] * 6], dtype=torch.bool)
    fires = torch.tensor(
        [[0, 0, 1, 1, 1, 0], [0, 1, 0, 1, 1, 0], [1, 1, 0, 0, 0, 1], [0, 0, 1, 1, 1, 0]], dtype=torch.bool
    )
    assert_close(
        reference.absorption_rate(fires, parent, child), torch.tensor([1.0, 1 / 2 - 1 / 3, -1.0, 0.0])
    )


@pytest.mark.parametrize("number", range(5))
def test_absorption_is_numpy_s(number):
    case = Case(torch.Generator().manual_seed(number), "cpu", {"inst": 5, "batch": 43}, "")
    given = absorption._samples(case, number)
    fires, parent, child = (one.numpy() for one in given.values())
    for i, rate in enumerate(reference.absorption_rate(**given).tolist()):
        both, alone = parent[i] & child[i], parent[i] & ~child[i]
        if both.any() and alone.any():
            assert rate == pytest.approx(fires[i][alone].mean() - fires[i][both].mean(), abs=1e-6)
        else:
            assert rate == 0
            assert number >= 2


@pytest.mark.parametrize("gaps", [False, True])
def test_the_law_is_numpy_s(gaps):
    case = Case(torch.Generator().manual_seed(0), "cpu", {"inst": 4, "batch": 1500, "d_in": 6}, "")
    h = _activations(case, gaps=gaps)
    law = noise_law.law_of(h)
    for i, one in enumerate(h.double().numpy()):
        np.testing.assert_allclose(law.mean[i], one.mean(0), rtol=1e-6)
        np.testing.assert_allclose(law.covariance[i], np.cov(one.T, ddof=0), atol=1e-9)
    ranks = [int(torch.linalg.matrix_rank(C, rtol=1e-6)) for C in law.covariance]
    assert ranks == ([6, 3, 5, 5] if gaps else [6, 6, 6, 6])
    white, beyond = noise_law.whitened(h[1], noise_law.each(law)[1])
    assert_close(white.mT @ white / 1500, torch.eye(ranks[1]).double())
    assert beyond.shape[1] == 6 - ranks[1]
    assert float(beyond.abs().sum()) < 1e-2


def test_the_features_are_in_the_tails(case):
    """Activations, as noise of their own law: right but for what makes them no noise."""
    case.sizes.update(inst=3, batch=2000, d_in=6)
    h = _activations(case, gaps=False)
    law = noise_law.law_of(h)
    assert noise_law.fits(h, law)
    assert noise_law.tails(h, law) > 2 * noise_law.TAILS_OFF


def test_the_tails_in_one_dimension_are_scipy_s():
    noise = torch.rand(1, 2000, 1, generator=torch.Generator().manual_seed(0)).double().exp()
    excess = float(kurtosis(noise.numpy().ravel()))
    assert noise_law.tails(noise, noise_law.law_of(noise)) == pytest.approx(excess / (24 / 2000) ** 0.5)


def test_bounds_on_noise_are_far_from_chance_and_from_slips():
    """What the bounds' docstrings say, over 100 draws."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        turn = torch.linalg.qr(torch.randn(3, 6, 6, generator=generator))[0]
        spread = (turn * torch.linspace(0.3, 3.0, 6)).double()
        law = noise_law.Law(torch.randn(3, 6, generator=generator).double(), spread @ spread.mT)
        L = torch.linalg.cholesky(law.covariance)
        normal, flat = (draw(3, 2000, 6, generator=generator) for draw in (torch.randn, torch.rand))
        right = law.mean[:, None] + normal.double() @ L.mT
        uniform = law.mean[:, None] + (flat.double() - 0.5) * 12**0.5 @ L.mT
        for one, its in zip(right, noise_law.each(law), strict=True):
            found = noise_law.deviation(one, its)
            assert found.mean < 0.8 * noise_law.MEAN_OFF
            assert found.covariance < 0.7 * noise_law.COVARIANCE_OFF
            assert found.outside == 0
        assert abs(noise_law.tails(right, law)) < 0.5 * noise_law.TAILS_OFF
        assert noise_law.fits(uniform, law)
        assert noise_law.tails(uniform, law) < -1.8 * noise_law.TAILS_OFF


@pytest.mark.parametrize("name", ["cholesky_with_jitter", "by_svd", "by_eigenvalues"])
def test_right_noise_passes_with_many_seeds(name):
    for seed in range(10, 40):
        assert failure_of(ch02b.noise_like, noises.rights[name], seed) is None


def test_an_instance_that_fills_less_than_its_space_is_asked_for():
    """Without jitter, the failure comes on the second case, and says why."""

    def no_jitter(h, generator):
        centred = h - h.mean(1, keepdim=True)
        L = torch.linalg.cholesky(centred.mT @ centred / h.shape[1])
        return h.mean(1, keepdim=True) + torch.randn(h.shape, generator=generator) @ L.mT

    for seed in range(5):
        failure = failure_of(ch02b.noise_like, no_jitter, seed)
        assert failure.case.startswith("Case 2 of 3")
        assert "singular covariance" in str(failure)
