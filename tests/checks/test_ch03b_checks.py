"""What the banks of chapter 03b can't say: slow answers, the references against other people's numbers."""

import dataclasses
import time

import pytest
import torch
from bank import failure_of
from scipy.stats import mannwhitneyu

from sae_course import evals
from sae_course.checks import ch03b as check
from sae_course.checks.cases import make_cases
from sae_course.checks.ch03b import directions, effects, quality, ranking, subject


def cases(number, **sizes):
    return make_cases(number, torch.Generator().manual_seed(7), "cpu", sizes)


def test_a_loop_over_all_pairs_is_told_so():
    def pairs_in_python(scores, labels):
        if len(scores) > 1000:
            time.sleep(60)
        return ranking._auroc(scores, labels)

    failure = failure_of(dataclasses.replace(check.auroc, limit=0.5), pairs_in_python)
    assert failure is not None
    assert failure.kind == "time"
    assert "this case has 20,000 tokens" in str(failure)


@pytest.mark.parametrize("seed", range(3))
def test_auroc_is_mann_and_whitneys(seed):
    stream = torch.Generator().manual_seed(seed)
    scores = (torch.randn(300, generator=stream) * 2).round().relu()
    labels = torch.rand(300, generator=stream) < 0.2
    u = mannwhitneyu(scores[labels].double().numpy(), scores[~labels].double().numpy()).statistic
    expected = u / (int(labels.sum()) * int((~labels).sum()))
    assert ranking._auroc(scores, labels) == pytest.approx(expected, abs=1e-12)
    areas = ranking._areas(torch.stack([scores, -scores], dim=1), labels)
    assert areas.tolist() == pytest.approx([expected, 1 - expected], abs=1e-12)


def test_the_best_latent_is_not_the_best_anywhere_else():
    for case in cases(5, pos=13, d_sae=11, rows=9):
        inputs = ranking._tempting(case, silent=True)
        index, area = ranking._best(**inputs)
        even = evals.auroc(inputs["latents"][::2].flatten(0, 1), inputs["label"][::2].flatten()[:, None])[0]
        odd = evals.auroc(inputs["latents"][1::2].flatten(0, 1), inputs["label"][1::2].flatten()[:, None])[0]
        assert index == int(even.argmax()) != int(odd.argmax())
        assert area == pytest.approx(float(odd[index]))


def test_explained_variances_are_those_of_evals():
    class Known:
        def encode(self, x):
            return x

        def decode(self, a):
            return 0.7 * a + 0.1

    (case,) = cases(1, n=50)
    x = case.normal("n d_in") + case.normal("1 d_in")
    measured = evals.reconstruction(Known(), x)
    assert quality._right(x, Known().decode(x)) == pytest.approx(
        (
            measured.explained_variance,
            measured.explained_variance_about_zero,
            measured.explained_variance_per_token,
        ),
        rel=1e-4,
    )


@pytest.mark.parametrize("kind", subject.KINDS)
@pytest.mark.parametrize("hook_point", subject.HOOK_POINTS)
def test_scaling_a_latent_is_evals_intervene(kind, hook_point):
    for case in cases(2, pos=17, d_sae=13, d_vocab=11):
        arguments = effects._subject(case, kind, hook_point) | {"factor": 2.5}
        latent = arguments["latent"]

        def edit(a, latent=latent):
            a[..., latent] *= 2.5
            return a

        by_evals = evals.intervene(*list(arguments.values())[:4], edit)
        (expected,) = effects._logits(arguments, [effects._edit])
        torch.testing.assert_close(expected, by_evals, rtol=1e-4, atol=1e-4)
        (clean,) = effects._logits(arguments | {"factor": 1}, [effects._edit])
        torch.testing.assert_close(clean, arguments["model"](arguments["tokens"]), rtol=1e-4, atol=1e-4)
        assert not torch.allclose(expected, clean, atol=1e-2)


def test_the_lens_is_what_one_unit_of_a_latent_adds_before_the_norm():
    (case,) = cases(1, pos=5, d_sae=13, d_vocab=17)
    model, sae = subject.tiny_model(case), subject.tiny_sae(case, "standard")
    latents = torch.tensor([4, 0])
    one = torch.eye(13)[latents]
    adds = model.unembed((sae.decode(one) - sae.decode(0 * one))[None])[0] - model.b_U
    torch.testing.assert_close(directions._lens(model, sae, latents), adds.detach(), rtol=1e-4, atol=1e-5)
