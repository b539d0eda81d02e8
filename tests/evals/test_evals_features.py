"""The best unit for each feature: planted ones are found, luck is not counted, baselines get their due."""

import json

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals import auroc, feature_scores, linear_probes
from sae_course.evals.classifying import best_threshold, classified
from sae_course.runtime import CourseError
from sae_course.runtime.theme import CONTROL

ROWS, POS = 40, 25


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def labels() -> Labels:
    rates = torch.tensor([0.3, 0.1, 0.5, 0.01, 0.995])
    values = torch.rand(ROWS, POS, 5, generator=rng(0)) < rates
    return Labels(("a", "b", "c", "rare", "nearly always"), values.numpy())


def planted(labels: Labels, seed: int = 1) -> Tensor:
    """Unit 3 fires on most of a, unit 5 on b and some more; the rest fire at random."""
    fires = torch.rand(ROWS, POS, 12, generator=rng(seed)) < 0.1
    size = 1 + torch.rand(ROWS, POS, 12, generator=rng(seed + 1))
    a, b = (torch.from_numpy(labels[name]) for name in "ab")
    fires[..., 3] = a & (torch.rand(ROWS, POS, generator=rng(seed + 2)) < 0.9)
    fires[..., 5] = b | (torch.rand(ROWS, POS, generator=rng(seed + 3)) < 0.05)
    return fires * size


def test_planted_units_are_found_and_measured_on_odd_rows(labels: Labels) -> None:
    units = planted(labels)
    scores = feature_scores({"SAE": units}, labels)
    assert scores.features == ("a", "b", "c")
    assert set(scores.left_out) == {"rare", "nearly always"}
    best = scores.best("SAE")
    assert (best.loc["a", "unit"], best.loc["b", "unit"]) == (3, 5)
    fires = units[1::2].reshape(-1, 12) > 0
    for name, unit in (("a", 3), ("b", 5)):
        true = torch.from_numpy(labels[name][1::2].reshape(-1))
        hits = int((fires[:, unit] & true).sum())
        precision, recall = hits / int(fires[:, unit].sum()), hits / int(true.sum())
        assert best.loc[name, "precision"] == pytest.approx(precision)
        assert best.loc[name, "recall"] == pytest.approx(recall)
        assert best.loc[name, "F1"] == pytest.approx(2 * precision * recall / (precision + recall))
        area = auroc(units[1::2].reshape(-1, 12), true[:, None])[0, unit]
        assert best.loc[name, "AUROC"] == pytest.approx(float(area))
        assert best.loc[name, "base rate"] == pytest.approx(float(true.double().mean()))
    assert best.index[0] == best["AUROC"].idxmax()
    assert scores.n_tokens == ROWS // 2 * POS


def test_the_best_of_many_random_units_is_not_flattered(labels: Labels) -> None:
    noise = torch.randn(ROWS * POS, 2000, generator=rng(5)).relu()
    half = torch.from_numpy(labels.values[::2, :, :3].reshape(-1, 3))
    lucky = auroc(noise.reshape(ROWS, POS, -1)[::2].flatten(0, 1), half).max(1).values
    assert lucky.min() > 0.55
    measured = feature_scores({"noise": noise}, labels).sources["noise"].auroc
    assert abs(measured - 0.5).max() < 0.06


def test_other_rows_may_choose(labels: Labels) -> None:
    units = planted(labels)
    units[20:, :, 3] = 0  # speaks in the first half of the rows only
    first = feature_scores({"SAE": units}, labels, choose=range(20))
    mask = feature_scores({"SAE": units}, labels, choose=np.arange(ROWS) < 20)
    assert first.sources["SAE"].unit[0] == 3
    assert first.sources["SAE"].auroc[0] == 0.5
    np.testing.assert_array_equal(mask.sources["SAE"].auroc, first.sources["SAE"].auroc)
    assert feature_scores({"SAE": units}, labels, choose=range(20, 40)).sources["SAE"].unit[0] != 3


def test_a_dense_source_gets_a_threshold_and_either_sign(labels: Labels) -> None:
    noise = torch.randn(ROWS, POS, 6, generator=rng(2))
    a, c = (torch.from_numpy(labels[name]).float() for name in "ac")
    noise[..., 1] -= 2 * a
    noise[..., 4] += 3 * c - 7  # always below 0
    scores = feature_scores({"neurons": noise, "SAE": planted(labels)}, labels)
    neurons = scores.sources["neurons"]
    assert neurons.dense
    assert not scores.sources["SAE"].dense
    assert (neurons.unit[0], neurons.sign[0]) == (1, -1)
    assert (neurons.unit[2], neurons.sign[2]) == (4, 1)
    assert neurons.auroc[[0, 2]].min() > 0.88
    assert neurons.f1[[0, 2]].min() > 0.7
    # The threshold is the choosing half's best: by trying all of them.
    true = labels["a"][::2].reshape(-1)
    values = -noise[::2, :, 1].reshape(-1).double().numpy()
    tried = {t: _f1(values > t, true) for t in np.sort(values) - 1e-9}
    assert _f1(values > neurons.threshold[0], true) == pytest.approx(max(tried.values()))
    assert "sign" in scores.best("neurons")
    assert "sign" not in scores.best("SAE")


def _f1(said: np.ndarray, true: np.ndarray) -> float:
    return 2 * float((said & true).sum()) / float(said.sum() + true.sum())


def test_signed_is_told_where_it_is_not_seen(labels: Labels) -> None:
    units = planted(labels)
    units[..., 7] = torch.from_numpy(~labels["c"]) & (torch.rand(ROWS, POS, generator=rng(8)) < 0.95)
    assert feature_scores({"SAE": units}, labels).sources["SAE"].auroc[2] < 0.6
    for told in (True, ["SAE"]):
        source = feature_scores({"SAE": units}, labels, signed=told).sources["SAE"]
        assert (source.unit[2], source.sign[2]) == (7, -1)
        assert source.auroc[2] > 0.9
        assert source.f1[2] > 0.9
    with pytest.raises(CourseError, match="signed names"):
        feature_scores({"SAE": units}, labels, signed=["neurons"])


def test_thresholds_keep_ties_together() -> None:
    scores = torch.tensor([[3.0, 1], [3, 1], [2, 1], [2, 1], [1, 1]])
    truth = torch.tensor([[1, 0], [1, 1], [1, 0], [0, 0], [0, 1]]).bool()
    threshold = best_threshold(scores, truth)
    assert threshold.tolist() == [1.5, -torch.inf]
    assert classified(scores, truth, threshold).f1.tolist() == pytest.approx([6 / 7, 4 / 7])
    nothing = classified(-scores, truth)
    assert nothing.precision.tolist() == nothing.f1.tolist() == [0, 0]


def test_shares(labels: Labels) -> None:
    units = planted(labels)
    scores = feature_scores({"SAE": units, "noise": torch.rand(ROWS, POS, 4, generator=rng(4))}, labels)
    assert scores.share(0.9) == {"SAE": pytest.approx(2 / 3), "noise": 0}
    assert scores.share(0.4)["noise"] == 1
    # Activations in which a and c can be read, and b can't.
    x = torch.randn(ROWS, POS, 8, generator=rng(6))
    for place, name in enumerate("ac"):
        x[..., place] += 5 * torch.from_numpy(labels[name])
    probes = linear_probes(x, labels)
    assert scores.readable(probes) == ["a", "c"]
    assert scores.share_of_readable(probes)["SAE"] == 0.5
    assert scores.share_of_readable(probes, unit=0.999)["SAE"] == 0
    assert np.isnan(scores.share_of_readable(probes, probe_auroc=1.1)["SAE"])


def test_it_shows_itself(labels: Labels) -> None:
    scores = feature_scores({"SAE": planted(labels), "twin": planted(labels)[..., :3]}, labels)
    assert "2 left out: true, or false, of fewer than 30 tokens" in str(scores)
    assert "SAE (12 units): AUROC ≥ 0.9 67 %" in str(scores)
    assert "<th>SAE</th><td>67 %</td>" in scores._repr_html_()
    assert list(scores.table.columns[:2]) == [("all", "base rate"), ("SAE", "unit")]
    assert len(scores.table) == 3
    assert json.loads(json.dumps(scores.as_dict()))["sources"]["SAE"]["unit"][0] == 3
    probes = linear_probes(planted(labels), labels)
    fig = scores.figure(controls=["twin"], probes=probes)
    assert [trace.name for trace in fig.data] == ["linear probe", "twin (control)", "SAE"]
    assert fig.data[1].marker.color == CONTROL
    order = np.argsort(-scores.sources["SAE"].auroc)
    assert list(fig.data[2].y) == pytest.approx(scores.sources["SAE"].auroc[order], abs=1e-4)
    assert list(fig.data[1].y) == pytest.approx(scores.sources["twin"].auroc[order], abs=1e-4)
    assert list(fig.layout.xaxis.ticktext) == [scores.features[i] for i in order]
    assert "SAE 67 %" in fig.layout.title.text.replace("<br>", " ")
    with pytest.raises(CourseError, match="no source"):
        scores.figure(controls=["PCA"])
    with pytest.raises(CourseError, match="no source"):
        scores.best("PCA")


def test_errors(labels: Labels) -> None:
    units = planted(labels)
    with pytest.raises(CourseError, match="same tokens as the labels"):
        feature_scores({"SAE": units[:, 1:]}, labels)
    with pytest.raises(CourseError, match="There are no units"):
        feature_scores({}, labels)
    with pytest.raises(CourseError, match="both halves"):
        feature_scores({"SAE": units}, labels, choose=range(ROWS))
    with pytest.raises(CourseError, match="rows that there aren't"):
        feature_scores({"SAE": units}, labels, choose=[ROWS])
    few = Labels(labels.names, labels.values[:2])
    with pytest.raises(CourseError, match="take more rows"):
        feature_scores({"SAE": units[:2]}, few)
