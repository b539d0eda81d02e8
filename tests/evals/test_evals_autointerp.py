"""Autointerp: a latent that is its rule scores 1, one that only looks like it doesn't, no score is lost."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sae_course.data.labels import Labels
from sae_course.evals.explaining import Examples, Excerpts, Explanation, cut, excerpts_of
from sae_course.evals.interpreting import AutoInterp, autointerp
from sae_course.evals.predicting import correlation, detection
from sae_course.evals.units import Units
from sae_course.runtime import CourseError

ROWS, POS, VOCABULARY = 40, 64, 50
SMALL: dict[str, Any] = {"decode": str, "width": 16, "top": 6, "rest": 12}


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(VOCABULARY, (ROWS, POS), generator=rng(0))


def units(*latents: Tensor, name: str = "SAE") -> Units:
    a = torch.stack([latent.float() for latent in latents], dim=-1)
    return Units(name, torch.zeros(ROWS, POS, 2), a)


def is_one_of(ids: Tensor, *tokens: int) -> Tensor:
    return torch.isin(ids, torch.tensor(tokens))


def at_random(share: float, seed: int = 1) -> Tensor:
    return (torch.rand(ROWS, POS, generator=rng(seed)) < share).float()


@dataclass
class Watching:
    """Explains nothing, simulates as told, and remembers what it was shown."""

    say: float | str = 0.0
    shown: list[Examples] = field(default_factory=list)
    tried: list[Excerpts] = field(default_factory=list)

    def explain(self, examples: Examples) -> Explanation:
        self.shown.append(examples)
        return Explanation("watched")

    def simulate(self, explanation: Explanation, excerpts: Excerpts) -> Tensor:
        self.tried.append(excerpts)
        if self.say == "ids":
            return excerpts.ids.float()
        return torch.full(excerpts.ids.shape, float(self.say))


class Mute:
    def explain(self, examples: Examples) -> Explanation:
        return Explanation("no more than this")

    def __repr__(self) -> str:
        return "Mute()"


def test_a_latent_that_is_a_set_of_tokens_scores_one_in_all_ways(tokens: Tensor) -> None:
    found = autointerp(units(3.0 * is_one_of(tokens, 3, 7, 9)), tokens, **SMALL)
    (one,) = found.latents
    assert (one.top, one.top_and_random, one.detection) == (1.0, 1.0, 1.0)
    assert one.fires == pytest.approx(float(is_one_of(tokens, 3, 7, 9)[1::2].double().mean()))
    assert not one.constant
    assert one.explanation.startswith('token is one of "')


def test_a_feature_that_is_known_scores_one_and_without_labels_it_does_not(tokens: Tensor) -> None:
    truth = at_random(0.2) > 0
    labels = Labels(("noise", "sunny"), torch.stack([at_random(0.2, 5) > 0, truth], -1).numpy())
    (one,) = autointerp(units(truth), tokens, labels=labels, **SMALL).latents
    assert (one.explanation, one.top_and_random, one.detection) == ("true: sunny", 1.0, 1.0)
    (blind,) = autointerp(units(truth), tokens, **SMALL).latents
    assert blind.top_and_random < 0.4


def test_top_flatters_a_latent_that_is_strong_at_a_token_now_and_then(tokens: Tensor) -> None:
    # At random, and very strongly at token 4 in 12 of all rows: elsewhere token 4 means nothing.
    latents = []
    for seed in range(4):
        spikes = (tokens == 4) & (torch.arange(ROWS)[:, None] < 12)
        latents.append(at_random(0.3, seed) + 9.0 * spikes)
    found = autointerp(units(*latents), tokens, **SMALL | {"rest": 40})
    for one in found.latents:
        assert one.top > 0.8
        assert one.top_and_random < one.top - 0.15
        assert one.detection < 0.2
    assert found.flattery.value == pytest.approx(found.top.value - found.top_and_random.value)
    assert found.flattery.seen
    assert "top flatters by: +" in str(found)


def test_an_explainer_that_sees_the_top_alone_is_fooled(tokens: Tensor) -> None:
    # In the rows with token 0 it is strongest, and 1 stands in each of them; it fires at 1 in no other row.
    rows = (tokens == 0).any(1, keepdim=True)
    fires = (tokens == 1) & rows
    often = torch.where(fires, 1.0, 0.0)
    tokens = tokens.clone()
    tokens[~rows.expand_as(tokens) & (tokens > 25)] = 1
    latent = units(often)
    naive, fair = (autointerp(latent, tokens, see=see, least=5, **SMALL) for see in ("top", "all"))
    assert naive.latents[0].explanation == 'token is "1"'
    assert naive.latents[0].top > naive.latents[0].top_and_random + 0.2
    assert (naive.see, fair.see) == ("top", "all")
    assert "the top excerpts" in str(naive)
    assert fair.latents[0].top <= naive.latents[0].top


def test_the_explanation_does_not_know_the_rows_that_it_is_tried_on(tokens: Tensor) -> None:
    # Tokens 60 and 61 are in measuring rows only, and there the latent fires at nothing else.
    tokens = tokens.clone()
    tokens[1::2][tokens[1::2] < 5] = 60
    fires = is_one_of(tokens, 60)
    fires[::2] = tokens[::2] == 7
    (one,) = autointerp(units(fires), tokens, least=5, **SMALL).latents
    assert one.explanation == 'token is "7"'
    assert one.top_and_random < 0.1
    assert one.detection == 0.0


@pytest.mark.parametrize("see", ["top", "top and random", "all"])
def test_an_explainer_sees_choosing_rows_and_a_simulator_the_others(tokens: Tensor, see: Any) -> None:
    marked = tokens + 100 * (torch.arange(ROWS)[:, None] % 2)
    latent, watching = at_random(0.2) * torch.rand(ROWS, POS, generator=rng(2)), Watching()
    autointerp(units(latent), marked, explainer=watching, see=see, **SMALL)
    (examples,), (excerpts,) = watching.shown, watching.tried
    assert (examples.excerpts.ids < 100).all()
    assert (excerpts.ids >= 100).all()
    assert len(examples.excerpts) == {"top": 6, "top and random": 18, "all": 80}[see]
    assert len({tuple(row) for row in examples.excerpts.ids.tolist()}) == len(examples.excerpts)
    known = cut(latent[::2], 16)
    assert examples.n_top == 6
    assert torch.equal(examples.activation[:6].amax(1), known.amax(1).sort(descending=True).values[:6])
    # The activation stays beside its tokens.
    place = (cut(marked[::2], 16) == examples.excerpts.ids[0]).all(1).nonzero().item()
    assert torch.equal(examples.activation[0], known[int(place)])


def test_what_is_tried_does_not_depend_on_what_was_seen(tokens: Tensor) -> None:
    tried = []
    for see in ("top", "all"):
        watching = Watching()
        autointerp(units(at_random(0.2)), tokens, explainer=watching, see=see, **SMALL)
        tried.append(watching.tried[0].ids)
    assert torch.equal(*tried)


def test_a_simulator_that_may_charge_is_asked_for_few_excerpts_once_each(tokens: Tensor) -> None:
    watching = Watching()
    autointerp(units(at_random(0.2)), tokens, explainer=watching, **SMALL)
    assert len(watching.tried) == 1
    assert 18 <= len(watching.tried[0]) <= 6 + 12 + 12
    autointerp(units(at_random(0.2)), tokens, explainer=watching, **SMALL | {"detect": 100})
    assert len(watching.tried[1]) == 80
    # The rules explain from all they have, whoever simulates.
    found = autointerp(units(at_random(0.2)), tokens, simulator=watching, **SMALL)
    assert found.see == "all"
    assert len(watching.tried[2]) <= 30


def test_scores_are_the_correlations_and_f1_of_what_was_simulated(tokens: Tensor) -> None:
    # Every excerpt is in top and random, and in detection.
    latent = at_random(0.3) * torch.rand(ROWS, POS, generator=rng(3))
    sizes = {"top": 6, "rest": 74, "detect": 80}
    (one,) = autointerp(units(latent), tokens, explainer=Watching("ids"), **SMALL | sizes).latents
    true, said = cut(latent[1::2], 16), cut(tokens[1::2], 16)
    first = true.amax(1).topk(6).indices
    for score, which in ((one.top, first), (one.top_and_random, slice(None))):
        wanted = np.corrcoef(true[which].flatten().numpy(), said[which].flatten().numpy())[0, 1]
        assert score == pytest.approx(wanted)
    hits = int(((true > 0) & (said > 0)).sum())
    assert one.detection == pytest.approx(2 * hits / int((true > 0).sum() + (said > 0).sum()))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_simulation_that_never_varies_scores_zero_and_counts(tokens: Tensor, value: float) -> None:
    good, noise = 1.0 * (tokens == 3), at_random(0.2)
    found = autointerp(units(good, noise), tokens, explainer=Watching(value), least=5, **SMALL)
    assert [(one.top, one.top_and_random, one.constant) for one in found.latents] == [(0.0, 0.0, True)] * 2
    assert (found.top.value, found.top.samples) == (0.0, "2 latents")
    assert "2 explanations predict the same everywhere, and count as 0" in str(found)
    always = [2 * one.fires / (1 + one.fires) for one in found.latents]
    whole = autointerp(
        units(good, noise), tokens, explainer=Watching(value), least=5, **SMALL | {"detect": 80}
    )
    assert [one.detection for one in whole.latents] == pytest.approx(always if value else [0.0, 0.0])


def test_a_simulation_that_varies_only_among_others_costs_the_score_on_top(tokens: Tensor) -> None:
    class Whole(Watching):
        def simulate(self, explanation: Explanation, excerpts: Excerpts) -> Tensor:
            return (excerpts.ids == 3).any(1, keepdim=True).float().expand(excerpts.ids.shape)

    (one,) = autointerp(units(tokens == 3), tokens, explainer=Whole(), least=5, **SMALL).latents
    assert (one.top, one.constant) == (0.0, False)
    assert one.top_and_random > 0


def test_what_was_not_asked_for_is_not_taken_for_silence(tokens: Tensor) -> None:
    (one,) = autointerp(units(at_random(0.8)), tokens, explainer=Watching(1.0), **SMALL).latents
    assert one.detection == pytest.approx(2 * 0.8 / 1.8, abs=0.05)


def test_an_excerpt_without_simulation_makes_its_scores_zero(tokens: Tensor) -> None:
    class Failing(Watching):
        def simulate(self, explanation: Explanation, excerpts: Excerpts) -> Tensor:
            found = (excerpts.ids == 3).float()
            found[(excerpts.ids == 3).any(1).nonzero()[0]] = torch.nan
            return found

    found = autointerp(units(1.0 * (tokens == 3)), tokens, explainer=Failing(), least=5, **SMALL)
    (one,) = found.latents
    assert (one.top_and_random, one.missing, found.missing) == (0.0, 1, 1)
    assert "no simulation of 1 excerpts: the scores with them count as 0" in str(found)


def test_correlation_and_detection_of_what_is_undefined_is_zero() -> None:
    rising, flat = torch.arange(6.0).reshape(2, 3), torch.full((2, 3), 0.1)
    broken = torch.where(rising == 2, torch.nan, rising)
    assert correlation(rising, 2 * rising + 1) == 1.0
    assert correlation(rising, -rising) == -1.0
    assert [correlation(rising, flat), correlation(flat, rising), correlation(rising, broken)] == [0, 0, 0]
    nothing = torch.zeros(2, 3)
    assert [detection(nothing, nothing), detection(rising, nothing), detection(rising, broken)] == [0, 0, 0]
    assert detection(rising, rising) == 1.0


def test_dead_and_rare_latents_are_not_drawn_and_the_rare_are_counted(tokens: Tensor) -> None:
    rare, one_half = torch.zeros(ROWS, POS), at_random(0.2)
    rare[:, 0] = 1  # 20 tokens in a half
    one_half[1::2] = 0
    dictionary = units(torch.zeros(ROWS, POS), rare, one_half, at_random(0.1), -at_random(0.1))
    found = autointerp(dictionary, tokens, **SMALL)
    assert ([one.latent for one in found.latents], found.left_out) == ([3], 2)
    assert "2 left out: firing on fewer than 30 tokens in a half" in str(found)
    assert len(autointerp(dictionary, tokens, least=20, **SMALL).latents) == 2
    assert len(autointerp(dictionary, tokens, least=21, **SMALL).latents) == 1


def test_below_zero_is_silence(tokens: Tensor) -> None:
    up, down = 1.0 * is_one_of(tokens, 3, 4), -5.0 * is_one_of(tokens, 8, 9)
    (one,) = autointerp(units(up + down), tokens, **SMALL).latents
    assert (one.top_and_random, one.detection) == (1.0, 1.0)


def test_latents_are_drawn_by_seed_and_each_at_most_once(tokens: Tensor) -> None:
    dictionary = units(*(at_random(0.1, seed) for seed in range(20)))
    drawn = [
        [one.latent for one in autointerp(dictionary, tokens, n=5, seed=seed, **SMALL).latents]
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 5
    assert drawn[0] != list(range(5))
    state = torch.get_rng_state()
    given = autointerp(dictionary, tokens, latents=[7, 2], **SMALL)
    assert torch.equal(torch.get_rng_state(), state)
    assert [one.latent for one in given.latents] == [7, 2]
    # A latent's numbers don't hang on which others are there.
    assert autointerp(dictionary, tokens, latents=[2], **SMALL).latents[0] == given.latents[1]
    other = autointerp(dictionary, tokens, latents=[2], seed=5, **SMALL).latents[0]
    assert other.top_and_random != given.latents[1].top_and_random


def test_other_rows_may_choose(tokens: Tensor) -> None:
    fires = torch.where(torch.arange(ROWS)[:, None] < 20, tokens == 3, tokens == 8)
    (first,) = autointerp(units(fires), tokens, choose=range(20), least=5, **SMALL).latents
    (last,) = autointerp(units(fires), tokens, choose=np.arange(ROWS) >= 20, least=5, **SMALL).latents
    assert (first.explanation, last.explanation) == ('token is "3"', 'token is "8"')
    assert first.fires == pytest.approx(float((tokens[20:] == 8).double().mean()))


def test_rows_are_cut_to_about_the_width() -> None:
    rows = torch.arange(2 * 100).reshape(2, 100)
    assert cut(rows, 64).tolist() == rows.reshape(4, 50).tolist()
    assert cut(rows, 30).shape == (6, 33)
    assert cut(rows, 30)[1, 0] == 33
    assert cut(rows, 30)[3, 0] == 100
    assert cut(rows, 300).shape == cut(rows, None).shape == (2, 100)
    assert cut(rows[..., None].expand(2, 100, 3), 50).shape == (4, 50, 3)


def test_excerpts_keep_their_truth_beside_them() -> None:
    ids = torch.arange(2 * 6).reshape(2, 6)
    labels = Labels(("even",), (ids % 2 == 0).numpy()[..., None])
    some = excerpts_of(ids, str, labels, 3)[torch.tensor([3, 1])]
    assert some.labels is not None
    assert some.words(0) == ["9", "10", "11"]
    assert torch.equal(torch.from_numpy(some.labels["even"]), some.ids % 2 == 0)


def test_a_tokenizer_decodes() -> None:
    class Tokenizer:
        def __call__(self, text: str) -> list[int]:
            raise AssertionError("encodes")

        def decode(self, ids: list[int], **settings: Any) -> str:
            assert settings == {"clean_up_tokenization_spaces": False}
            return f"<{ids}>"

    assert excerpts_of(torch.tensor([[1, 2]]), Tokenizer(), None, None).words(0) == ["<[1]>", "<[2]>"]


@pytest.fixture
def shown(tokens: Tensor) -> AutoInterp:
    return autointerp(units(3.0 * is_one_of(tokens, 3, 7), at_random(0.3), name="<twin>"), tokens, **SMALL)


def test_it_shows_itself_as_text_table_and_plain_values(shown: AutoInterp) -> None:
    text = str(shown)
    assert text.splitlines()[0] == "2 latents of <twin>, explained from all rows of one half, tried on others"
    assert 'latent 0 (1.00, 1.00, 1.00): token is one of "' in text
    assert text.index("latent 0") < text.index("latent 1")
    assert repr(shown) == text
    html = shown._repr_html_()
    assert "<th>detection</th>" in html
    assert "token is one of &quot;" in html
    assert "<twin>" not in html
    assert list(shown.table.columns) == [
        "explanation", "top", "top_and_random", "detection", "fires", "constant", "missing",
    ]  # fmt: skip
    assert shown.table.index.tolist() == [0, 1]
    plain = json.loads(json.dumps(shown.as_dict(), allow_nan=False))
    assert [one["latent"] for one in plain["latents"]] == [0, 1]
    assert plain["width"] == 16


def test_one_latent_alone_shows_itself_too(tokens: Tensor) -> None:
    found = autointerp(units(1.0 * is_one_of(tokens, 3, 7)), tokens, **SMALL)
    assert "flatters" not in str(found)
    with pytest.raises(CourseError, match="1 pairs of numbers"):
        _ = found.flattery


def test_what_was_not_explained_is_said(tokens: Tensor) -> None:
    class Silent(Watching):
        def explain(self, examples: Examples) -> Explanation:
            return Explanation("")

    assert "(no explanation)" in str(autointerp(units(at_random(0.3)), tokens, explainer=Silent(), **SMALL))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latents": [0, 1]}, r"\[1\] can't be explained: there are 2, and each must fire on 30"),
        ({"latents": [-1, 5]}, r"\[-1, 5\] can't be explained"),
        ({"latents": []}, "none at all can't be explained"),
        ({"least": 5000}, "No latent fires on 5000 tokens in both halves of these 40 rows"),
        ({"least": 0}, "least is a number of tokens, 1 or more; not 0"),
        ({"n": 0}, "n is a number of latents, 1 or more; not 0"),
        ({"top": 0}, r"1 or more; not \(0, 12, 80\)"),
        ({"detect": 0}, r"1 or more; not \(6, 12, 0\)"),
        ({"rest": 75}, "80 excerpts to explain from and 80 to try explanations on; 6 and 81 are asked for"),
        (
            {"choose": [0], "see": "top and random", "least": 5},
            "4 excerpts to explain from and 156 .* 18 and 18 are asked",
        ),
        ({"choose": [99]}, "choose names rows that there aren't: there are 40"),
        ({"choose": range(40)}, "40 of 40 rows choose: both halves"),
        ({"choose": np.zeros(ROWS, bool)}, "0 of 40 rows choose"),
        ({"see": "bottom"}, '"all", "top and random" or "top"; not "bottom"'),
        ({"width": 0}, "width is a number of tokens, 1 or more, or None for whole rows; not 0"),
        ({"decode": 3}, "pass a tokenizer .* not int"),
        ({"labels": Labels(("a",), np.zeros((ROWS, 5, 1), bool))}, r"labels are of \[40, 5\] .* \[40, 64\]"),
        ({"explainer": Mute()}, r"Mute\(\) explains, and can't simulate: pass the simulator"),
    ],
)
def test_what_cannot_be_measured_is_said(tokens: Tensor, settings: dict[str, Any], message: str) -> None:
    dictionary = units(at_random(0.2), torch.zeros(ROWS, POS))
    with pytest.raises(CourseError, match=message):
        autointerp(dictionary, tokens, **SMALL | settings)


def test_other_tokens_are_refused(tokens: Tensor) -> None:
    with pytest.raises(CourseError, match=r"SAE is of \[40, 64\] tokens, .* these are \[40, 63\]"):
        autointerp(units(at_random(0.2)), tokens[:, 1:], **SMALL)


def test_a_simulation_of_another_length_is_refused(tokens: Tensor) -> None:
    class Short(Watching):
        def simulate(self, explanation: Explanation, excerpts: Excerpts) -> Tensor:
            return torch.zeros(len(excerpts), 3)

    with pytest.raises(CourseError, match=r"simulated \[\d+, 3\] activations for excerpts of \[\d+, 16\]"):
        autointerp(units(at_random(0.2)), tokens, explainer=Short(), **SMALL)
