"""Sparse probes: the units a slow loop would choose, scikit-learn's optimum, and nothing gained by luck."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals import linear_probes
from sae_course.evals.newton import logistic_fits
from sae_course.evals.sparse_probing import SparseProbes, sparse_probes
from sae_course.runtime import CourseError

ROWS, POS = 40, 25


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def labels() -> Labels:
    rates = torch.tensor([0.3, 0.1, 0.5, 0.01])
    values = torch.rand(ROWS, POS, 4, generator=rng(0)) < rates
    return Labels(("a", "b", "c", "rare"), values.numpy())


def told(labels: Labels, seed: int = 1) -> Tensor:
    """Dense units: 2 and 5 each know half of a, 7 is low where b is true; the others are noise."""
    x = torch.randn(ROWS, POS, 12, generator=rng(seed))
    a, b = (torch.from_numpy(labels[name]) for name in "ab")
    part = torch.rand(ROWS, POS, generator=rng(seed + 1)) < 0.5
    x[..., 2] += 4 * (a & part)
    x[..., 5] += 4 * (a & ~part)
    x[..., 7] -= 5 * b.float()
    return x


def f1(said: np.ndarray, true: np.ndarray) -> float:
    return 2 * float((said & true).sum()) / float(said.sum() + true.sum())


def halves_of(values: Tensor | np.ndarray) -> list[np.ndarray]:
    return [np.asarray(values[i::2]).reshape(-1, *values.shape[2:]) for i in (0, 1)]


def test_units_weights_and_scores_are_those_of_a_slow_loop(labels: Labels) -> None:
    units = told(labels) * torch.logspace(-2, 2, 12) + 3
    found = sparse_probes({"units": units}, labels, ks=(1, 3), penalty=2.0)
    assert found.features == ("a", "b", "c")
    train, test = (half.astype(float) for half in halves_of(units))
    for at, name in enumerate(found.features):
        y, y_test = halves_of(labels[name])
        apart = [abs(u[y].mean() - u[~y].mean()) / u.std() for u in train.T]
        order = np.argsort(apart)[::-1]
        for k in (1, 3):
            one = found.sources["units"][k]
            assert one.units[at].tolist() == order[:k].tolist()
            chosen = order[:k]
            mean, deviation = train[:, chosen].mean(0), train[:, chosen].std(0)
            x, x_test = ((half[:, chosen] - mean) / deviation for half in (train, test))
            model = LogisticRegression(C=0.5, tol=1e-8).fit(x, y)
            read, read_test = model.decision_function(x), model.decision_function(x_test)
            assert float(one.auroc[at]) == pytest.approx(roc_auc_score(y_test, read_test), abs=1e-4)
            between = (np.sort(read)[1:] + np.sort(read)[:-1]) / 2
            best = max(between[::-1], key=lambda t: f1(read > t, y))
            assert float(one.f1[at]) == pytest.approx(f1(read_test > best, y_test), abs=1e-6)


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_newton_finds_scikit_learns_optimum(penalty: float) -> None:
    x = torch.randn(9, 4, 500, generator=rng(3))
    x[0, 0] = (torch.rand(500, generator=rng(4)) < 0.02) * 7.0  # rare and large
    x[1, 2] = 0
    truth = (x[:, 0] + 2 * x[:, 1] + torch.randn(9, 500, generator=rng(5))) > 2
    weights, bias = logistic_fits(x, truth, penalty)
    assert weights.dtype == torch.float64
    for i in range(9):
        model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5000).fit(
            x[i].T.numpy(), truth[i].numpy()
        )
        np.testing.assert_allclose(weights[i], model.coef_[0], atol=2e-3)
        np.testing.assert_allclose(bias[i], model.intercept_[0], atol=2e-3)


@pytest.mark.parametrize("rarity", [1, 100, 449])
def test_newton_ends_where_classes_are_separated(rarity: int) -> None:
    truth = torch.arange(450)[None] % 450 >= rarity
    x = torch.stack([truth * 30.0 - 15, torch.randn(1, 450, generator=rng(6))], dim=1)
    weights, bias = logistic_fits(x, truth, 1e-3)
    assert weights.isfinite().all()
    assert bias.isfinite().all()
    said = (weights[:, None].float() @ x)[:, 0] + bias[:, None] > 0
    assert torch.equal(said, truth)


def test_a_tiny_penalty_is_as_good_as_none_but_no_failure() -> None:
    """Every probability is 0 or 1 before the penalty is felt: the curvature has no inverse."""
    truth = torch.arange(60)[None] >= 30
    weights, bias = logistic_fits((truth * 2.0 - 1)[:, None], truth, 1e-30)
    assert 10 < float(weights) < 100
    assert abs(float(bias)) < float(weights)


def test_many_features_are_fitted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(7, 2, 60, generator=rng(7))
    truth = x[:, 0] + torch.randn(7, 60, generator=rng(8)) > 0
    whole = logistic_fits(x, truth, 1.0)
    monkeypatch.setattr("sae_course.evals.newton._AT_ONCE", 250)
    for one, other in zip(whole, logistic_fits(x, truth, 1.0), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_noise_gains_nothing_by_choice_or_training(labels: Labels) -> None:
    """Chosen, trained and thresholded on the measuring rows, the best 5 of 2,000 would have about .7."""
    noise = torch.randn(ROWS, POS, 2000, generator=rng(9))
    found = sparse_probes({"noise": noise}, labels)
    for k in (1, 2, 5):
        assert abs(found.sources["noise"][k].auroc - 0.5).max() < 0.08
    # The same rows choose and measure: so large would the flattery be.
    twice = Labels(labels.names, labels.values[::2].repeat(2, axis=0))
    flattered = sparse_probes({"noise": noise[::2].repeat_interleave(2, dim=0)}, twice)
    assert flattered.sources["noise"][5].auroc.min() > 0.65


def test_other_rows_may_choose(labels: Labels) -> None:
    units = torch.randn(ROWS, POS, 6, generator=rng(10))
    units[:20, :, 4] += 9 * torch.from_numpy(labels["a"])[:20]
    first = sparse_probes({"u": units}, labels, choose=range(20)).sources["u"][1]
    assert first.units[0].tolist() == [4]
    assert abs(float(first.auroc[0]) - 0.5) < 0.08
    assert sparse_probes({"u": units}, labels, choose=range(20, 40)).sources["u"][1].units[0].tolist() != [4]


def test_a_feature_that_two_units_share_needs_two(labels: Labels) -> None:
    found = sparse_probes({"u": told(labels)}, labels).sources["u"]
    assert set(found[2].units[0].tolist()) == {2, 5}
    assert float(found[1].auroc[0]) < 0.82
    assert float(found[2].auroc[0]) > 0.94
    assert float(found[2].auroc[0]) == pytest.approx(float(found[5].auroc[0]), abs=0.02)


def test_a_unit_that_is_low_where_the_feature_is_true_is_read_too(labels: Labels) -> None:
    one = sparse_probes({"u": told(labels)}, labels).sources["u"][1]
    assert one.units[1].tolist() == [7]
    assert float(one.auroc[1]) > 0.99
    assert float(one.f1[1]) > 0.9


def test_large_units_are_not_preferred(labels: Labels) -> None:
    """By the plain difference of means, a loud unit of noise comes before a quiet one that knows."""
    units = told(labels)
    plain = sparse_probes({"u": units}, labels).sources["u"][2]
    units[..., 0] *= 1e4
    units[..., 7] *= 1e-3
    scaled = sparse_probes({"u": units}, labels).sources["u"][2]
    assert torch.equal(plain.units, scaled.units)
    torch.testing.assert_close(plain.auroc, scaled.auroc, atol=1e-4, rtol=0)


def test_a_unit_that_is_dead_where_units_are_chosen_is_no_input(labels: Labels) -> None:
    units = torch.zeros(ROWS, POS, 4)
    units[..., 1] = torch.randn(ROWS, POS, generator=rng(11))
    units[1::2, :, 2] = 1.0 * torch.from_numpy(labels["a"])[1::2]  # speaks in the measuring rows alone
    units[..., 3] = 0.7
    found = sparse_probes({"u": units}, labels, ks=(1, 4)).sources["u"]
    assert found[1].units.tolist() == [[1]] * 3
    assert [sorted(row) for row in found[4].units.tolist()] == [[-1, -1, -1, 1]] * 3
    torch.testing.assert_close(found[4].auroc, found[1].auroc)


def test_silent_units_know_nothing(labels: Labels) -> None:
    one = sparse_probes({"u": torch.zeros(ROWS, POS, 3)}, labels, ks=[2]).sources["u"][2]
    assert one.auroc.tolist() == [0.5] * 3
    base = torch.from_numpy(labels.values[1::2, :, :3]).double().mean((0, 1))
    torch.testing.assert_close(one.f1, 2 * base / (1 + base))  # "always"


@pytest.fixture(scope="module")
def shown(labels: Labels) -> SparseProbes:
    units = told(labels)
    noise = torch.randn(ROWS, POS, 4, generator=rng(12))
    probes = linear_probes(units, labels.only(["a", "b"]))
    return sparse_probes({"SAE": units, "noise": noise}, labels, ks=(2, 1, 2), probes=probes)


def test_means_and_differences_are_over_features(shown: SparseProbes) -> None:
    assert shown.ks == (1, 2)
    auroc = shown.sources["SAE"][2].auroc.numpy()
    mean = shown.mean("SAE", 2)
    assert mean.value == pytest.approx(auroc.mean())
    assert mean.error == pytest.approx(auroc.std(ddof=1) / 3**0.5)
    assert mean.samples == "3 features"
    assert shown.mean("SAE", 2, "F1").value == pytest.approx(float(shown.sources["SAE"][2].f1.mean()))
    apart = auroc - shown.sources["noise"][2].auroc.numpy()
    gap = shown.against("SAE", "noise", 2)
    assert (gap.value, gap.error) == pytest.approx((apart.mean(), apart.std(ddof=1) / 3**0.5))


def test_it_shows_itself(shown: SparseProbes) -> None:
    assert list(shown.table.index) == ["SAE", "noise"]
    assert list(shown.table.columns) == [("AUROC", 1), ("AUROC", 2), ("F1", 1), ("F1", 2)]
    assert shown.table.loc["SAE", ("F1", 2)] == shown.mean("SAE", 2, "F1").value
    assert "SAE (12 units): AUROC, k = 1" in str(shown)
    assert "1 left out" in str(shown)
    assert "a probe of all activations: AUROC" in str(shown)
    assert f"<th>noise (4 units)</th><td>{shown.mean('noise', 1)}</td>" in shown._repr_html_()
    plain = json.loads(json.dumps(shown.as_dict(), allow_nan=False))
    assert plain["dense auroc"][2] is None
    assert plain["sources"]["SAE"]["2"]["units"][1][0] == 7
    assert plain["n_tokens"] == ROWS // 2 * POS


def test_without_dense_probes_there_is_no_ceiling(labels: Labels) -> None:
    found = sparse_probes({"u": told(labels)}, labels, ks=[1])
    assert found.dense is None
    assert found.as_dict()["dense auroc"] is None
    assert "all activations" not in str(found)


def test_errors(labels: Labels, shown: SparseProbes) -> None:
    units = told(labels)
    with pytest.raises(CourseError, match="has 12 units, so a probe can't read 13"):
        sparse_probes({"SAE": units}, labels, ks=(1, 13))
    for ks in ((), (0, 1), (-2,)):
        with pytest.raises(CourseError, match="1 or more"):
            sparse_probes({"SAE": units}, labels, ks=ks)
    with pytest.raises(CourseError, match="penalty must be above 0"):
        sparse_probes({"SAE": units}, labels, penalty=0)
    with pytest.raises(CourseError, match="There are no units"):
        sparse_probes({}, labels)
    with pytest.raises(CourseError, match='The units "SAE" must be of the same tokens'):
        sparse_probes({"SAE": units[:, 1:]}, labels)
    for row in (4, 5):
        broken = units.clone()
        broken[row, 3, 2] = torch.nan if row == 4 else torch.inf
        with pytest.raises(CourseError, match="SAE are NaN or infinite"):
            sparse_probes({"SAE": broken}, labels)
    with pytest.raises(CourseError, match="no source"):
        shown.mean("PCA", 1)
    with pytest.raises(CourseError, match="no probe of 5 units"):
        shown.against("SAE", "noise", 5)
    with pytest.raises(CourseError, match="no measure"):
        shown.mean("SAE", 1, "accuracy")
