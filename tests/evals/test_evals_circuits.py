"""Circuits as data; what labels explain, against scipy; and latents that find their copies."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import f_oneway
from torch import Tensor
from torch.testing import assert_close

from sae_course.evals import Ablations, Attribution, circuit, explained_by, match_latents
from sae_course.evals.circuits import Edge, Node
from sae_course.runtime import CourseError

BELOW, ABOVE = "blocks.0.attn.hook_z", "blocks.1.attn.hook_z"


def attributed() -> Attribution:
    total = torch.arange(42.0).reshape(6, 7)
    return Attribution(BELOW, ABOVE, total, torch.full((7,), 100.0), 500, 1)


def ablated() -> Ablations:
    rows = [
        # source, target, tokens, drop
        (4, 2, 9, 0.6),
        (1, 2, 3, 0.5),
        (1, 6, 30, 0.95),
        (0, 3, 50, 0.49),
        (5, 5, 0, math.nan),
        (3, 0, 1, 0.99),
        (4, 1, 12, -0.8),
    ]
    table = pd.DataFrame(rows, columns=["source", "target", "tokens", "drop"])
    return Ablations(table.assign(lost=1.0, clean=2.0, ablated=2 - 2 * table["drop"]))


def test_edges_are_the_pairs_that_the_ablation_confirms() -> None:
    found = circuit(attributed(), ablated(), least_tokens=2)
    assert [(edge.source, edge.target) for edge in found.edges] == [(1, 6), (4, 2), (1, 2)]
    assert found.edges[0] == Edge(1, 6, pytest.approx(0.13), 0.95, 30)
    assert [edge.drop for edge in found.edges] == [0.95, 0.6, 0.5]
    assert found.nodes == (
        Node(BELOW, 1, "1"),
        Node(BELOW, 4, "4"),
        Node(ABOVE, 6, "6"),
        Node(ABOVE, 2, "2"),
    )
    assert len(circuit(attributed(), ablated()).edges) == 4
    assert len(circuit(attributed(), ablated(), least_drop=0.4, least_tokens=10).edges) == 2


def test_names_belong_to_a_side() -> None:
    found = circuit(attributed(), ablated(), labels=({1: "previous word"}, {2: "induction", 1: "wrong"}))
    label = {(node.layer, node.latent): node.label for node in found.nodes}
    assert label[BELOW, 1] == "previous word"
    assert label[BELOW, 4] == "4"
    assert label[ABOVE, 2] == "induction"
    lines = str(found).split("\n  ")
    assert lines[0] == f"{BELOW} → {ABOVE}, 4 edges"
    assert lines[2:4] == [
        "previous word → 6: −95% without it, over 30 tokens",
        "4 → induction: −60% without it, over 9 tokens",
    ]
    assert repr(found) == str(found)


def test_a_circuit_is_plain_json() -> None:
    found = json.loads(
        json.dumps(circuit(attributed(), ablated(), least_tokens=2).as_dict(), allow_nan=False)
    )
    assert found["nodes"][0] == {"layer": BELOW, "latent": 1, "label": "1"}
    assert found["edges"][1] == {
        "source": 4,
        "target": 2,
        "attributed": pytest.approx(0.3),
        "drop": 0.6,
        "tokens": 9,
    }


def test_the_picture_has_a_line_for_each_edge() -> None:
    found = circuit(attributed(), ablated(), labels=({4: "four"}, {}), least_tokens=2)
    fig = found.figure()
    lines = [trace for trace in fig.data if trace.mode == "lines"]
    assert [line.text for line in lines] == ["1 → 6: 95%", "four → 2: 60%", "1 → 2: 50%"]
    widths = [line.line.width for line in lines]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 3
    left, right = (trace for trace in fig.data if trace.mode == "markers+text")
    assert list(left.text) == ["1", "four"]
    assert list(right.text) == ["6", "2"]
    # Each line goes from its source's place to its target's.
    place = [dict(zip(side.text, side.y, strict=True)) for side in (left, right)]
    for line, (source, target) in zip(lines, [("1", "6"), ("four", "2"), ("1", "2")], strict=True):
        assert (list(line.x), list(line.y)) == ([0, 1], [place[0][source], place[1][target]])
    assert fig.layout.title.text == "3 edges that the ablation confirms"
    assert list(fig.layout.xaxis.ticktext) == [BELOW, ABOVE]
    assert found.figure("the finding").layout.title.text == "the finding"


@pytest.mark.parametrize(
    ("least_drop", "least_tokens", "message"),
    [
        (0.97, 2, r"loses 97% over 2 tokens or more \(the most is 95%\)"),
        (0.5, 31, r"31 tokens or more \(the most is 49%\)"),
        (0.5, 51, "none fires together on so many"),
    ],
)
def test_no_circuit_to_draw(least_drop: float, least_tokens: int, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        circuit(attributed(), ablated(), least_drop=least_drop, least_tokens=least_tokens)


def test_nothing_fires_together() -> None:
    silent = Ablations(ablated().table.iloc[[4]])
    with pytest.raises(CourseError, match="none fires together"):
        circuit(attributed(), silent)


# ---- what a label explains


def grouped(n: int = 400, d_sae: int = 9) -> tuple[Tensor, Tensor]:
    """Latents of which some follow their groups, and groups with gaps in their ids."""
    stream = torch.Generator().manual_seed(4)
    groups = torch.tensor([7, 1000, 3, 52, 11])[torch.randint(5, (n,), generator=stream)]
    noise = torch.randn(n, d_sae, generator=stream, dtype=torch.float64)
    effect = torch.randn(1001, d_sae, generator=stream, dtype=torch.float64)[groups]
    return (noise + effect * torch.linspace(0, 3, d_sae)).relu() + 5, groups


@pytest.mark.parametrize("chunk", [1, 4, 256])
def test_explained_variance_is_that_of_the_analysis_of_variance(chunk: int) -> None:
    latents, groups = grouped()
    found = explained_by(latents, groups, chunk=chunk)
    ids = groups.unique()
    n, between = len(groups), len(ids) - 1
    f = f_oneway(*(latents[groups == one].numpy() for one in ids)).statistic
    expected = torch.tensor(f * between / (f * between + n - between - 1))
    assert_close(found, expected)
    assert found[0] < 0.05
    assert found[-1] > 0.5
    shuffled = latents[torch.randperm(n, generator=torch.Generator().manual_seed(1))]
    assert (explained_by(shuffled, groups) < 0.06).all()


def test_explained_variance_at_its_ends() -> None:
    latents, groups = grouped()
    told = (groups == 52).double()
    found = explained_by(torch.stack([told, torch.zeros(len(groups))], dim=1), groups)
    assert found.tolist() == pytest.approx([1, 0], abs=1e-12)
    alone = explained_by(latents, torch.arange(len(groups)))
    assert_close(alone, torch.ones_like(alone))
    together = explained_by(latents, torch.full((len(groups),), 3))
    assert_close(together, torch.zeros_like(together))
    assert not explained_by(latents.requires_grad_(), groups).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [100, 1000, 50_001])
def test_rounding_is_no_variance(n: int, dtype: torch.dtype) -> None:
    """The mean of a constant may be a little beside it: the same "deviation" in every group."""
    for seed in range(5):
        value = torch.rand(1, generator=torch.Generator().manual_seed(seed), dtype=dtype)
        for width in (1, 2):
            assert not explained_by(value.expand(n, width).clone(), torch.arange(n) % 3).any()
    little = 1 + 1e-4 * (torch.arange(n, dtype=dtype) % 3)[:, None]
    assert float(explained_by(little, torch.arange(n) % 3)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("n", "n_groups"), [(60, 4), (60, 30)])
def test_with_no_connection_groups_explain_what_chance_has_them_explain(n: int, n_groups: int) -> None:
    stream = torch.Generator().manual_seed(0)
    groups = torch.arange(n) % n_groups
    found = explained_by(torch.randn(n, 4000, generator=stream), groups)
    error = float(found.std()) / math.sqrt(len(found))
    assert float(found.mean()) == pytest.approx((n_groups - 1) / (n - 1), abs=4 * error)


@pytest.mark.parametrize(
    ("latents", "groups", "message"),
    [
        (torch.zeros(5, 2), torch.zeros(4), r"\[5, 2\] and \[4\]"),
        (torch.zeros(5, 2, 2), torch.zeros(5), r"\[5, 2, 2\]"),
        (torch.zeros(5, 2), torch.zeros(5, 1), r"\[5, 1\]"),
        (torch.zeros(1, 2), torch.zeros(1), "of the same tokens"),
    ],
)
def test_labels_of_other_tokens(latents: Tensor, groups: Tensor, message: str) -> None:
    with pytest.raises(CourseError, match=message):
        explained_by(latents, groups.long())


# ---- which latents are the same


def copies(noise: float = 0.05, n: int = 1200, d: int = 30) -> tuple[Tensor, Tensor, Tensor]:
    """Sparse latents; the same permuted, scaled and noisy; and where each went."""
    stream = torch.Generator().manual_seed(6)
    fires = torch.rand(n, d, generator=stream) < torch.linspace(0.05, 0.4, d)
    a = fires * (0.5 + torch.rand(n, d, generator=stream))
    order = torch.randperm(d, generator=stream)
    b = a[:, order] * (0.1 + 9 * torch.rand(d, generator=stream))
    b = b * (1 + noise * torch.randn(n, d, generator=stream))
    return a.reshape(4, -1, d), b.reshape(4, -1, d), order.argsort()


def test_copies_are_found() -> None:
    a, b, where = copies()
    found = match_latents(a, b)
    assert found.latents.tolist() == list(range(30))
    assert torch.equal(found.partner, where)
    by_hand = [np.corrcoef(a[..., i].flatten(), b[..., int(where[i])].flatten())[0, 1] for i in range(30)]
    assert_close(found.correlation.double(), torch.tensor(by_hand), rtol=1e-4, atol=0)
    assert found.correlation.min() > 0.95
    assert found.shuffled.max() < 0.2
    assert (found.share(), found.shuffled_share()) == (1, 0)
    assert found.shuffled_share(float(found.shuffled.median())) == pytest.approx(0.5, abs=0.05)
    assert found.share(float(found.correlation.max()) + 0.01) == 0
    assert match_latents(a, a).correlation.max() <= 1


def test_the_control_is_another_order_of_the_same_tokens() -> None:
    a, b, _ = copies()
    one, again, other = (match_latents(a, b, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.shuffled, again.shuffled)
    assert not torch.equal(one.shuffled, other.shuffled)
    assert torch.equal(one.correlation, other.correlation)
    before = torch.get_rng_state()
    match_latents(a, b)
    assert torch.equal(before, torch.get_rng_state())
    # What the best of so many is worth by luck: more on fewer tokens.
    few = match_latents(a[:1, :100], b[:1, :100], least=3)
    assert few.shuffled.median() > 2 * one.shuffled.median()


def test_the_dead_and_the_rare_are_left_out() -> None:
    a, b, where = copies()
    a, b = a.clone(), b.clone()
    a[..., 3] = 0
    for latents, rare in ((a, 5), (b, int(where[8]))):  # fires at nine tokens
        latents[..., rare].view(-1)[:] = 0
        latents[0, :9, rare] = 1
    b[..., int(where[12])] = 0
    found = match_latents(a, b)
    assert found.latents.tolist() == [i for i in range(30) if i not in (3, 5)]
    assert not set(found.partner.tolist()) & {int(where[8]), int(where[12])}
    lost = [found.latents.tolist().index(i) for i in (8, 12)]
    assert found.correlation[lost].max() < 0.3
    others = [place for place in range(28) if place not in lost]
    assert torch.equal(found.partner[others], where[found.latents[others]])
    assert 5 in match_latents(a, b, least=9).latents.tolist()


@pytest.mark.parametrize("n", [100, 1000, 50_001])
def test_two_that_never_vary_do_not_go_together(n: int) -> None:
    stream = torch.Generator().manual_seed(0)
    for _ in range(8):
        one, other = torch.rand(2, 1, generator=stream)
        found = match_latents(one.expand(n, 1).clone(), other.expand(n, 1).clone())
        assert found.correlation.tolist() == found.shuffled.tolist() == [0]


def test_matches_say_what_they_are() -> None:
    a, b, where = copies()
    found = match_latents(a, b)
    assert str(found) == repr(found)
    median = float(found.correlation.median())
    assert str(found) == (
        "30 live latents: 100% have a partner with correlation ≥ 0.7 (shuffled tokens: 0%), "
        f"median {median:.2f}"
    )
    plain: dict[str, Any] = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["partner"] == where.tolist()
    assert list(plain) == ["latents", "partner", "correlation", "shuffled"]


def test_nothing_to_match() -> None:
    a, b, _ = copies()
    with pytest.raises(CourseError, match=r"\[4, 300\] and \[4, 299\]"):
        match_latents(a, b[:, :-1])
    for one, other in ((a, 0 * b), (0 * a, b)):
        with pytest.raises(CourseError, match="No latent fires on 10 of these 1,200 tokens"):
            match_latents(one, other)
