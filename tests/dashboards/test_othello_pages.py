"""Pages of an Othello model: the boards are the engine's, the numbers those of slow computations."""

import json
import re
from typing import Any

import numpy as np
import pytest
import specimens
import torch
from torch import Tensor

from sae_course.dashboards import Dashboard, othello_dashboard
from sae_course.data.othello import NAMES, SQUARES, boards, full_games, games, show
from sae_course.data.othello.rules import bits
from sae_course.models import load_model
from sae_course.runtime import CourseError
from sae_course.training import shipped_run

INSIDE, AFTER = "blocks.0.mlp.hook_post", "blocks.1.hook_resid_post"
LATENTS = [7, 5, 2]
DEAD = 5


def page(hook_point: str = INSIDE, tokens: Tensor | None = None, **more: Any) -> Dashboard:
    model, sae = specimens.model(layers=2, othello=True), specimens.sae(hook_point, seqpos_slice=(5, -5))
    return othello_dashboard(model, sae, specimens.games() if tokens is None else tokens, LATENTS, **more)


def data_of(board: Dashboard) -> dict[str, dict[str, Any]]:
    """What the page's script is given, by latent."""
    return dict(json.loads(re.search(r'id="data">([^<]+)<', board.html)[1])["latents"])


def drawn(latent: dict[str, Any]) -> list[tuple[int, int, str, dict[str, Any]]]:
    """Of each board on the page: game, position, who plays, and the board."""
    found = []
    for group in latent["seqMultiGroup"]:
        for one in group["seqGroupData"]:
            said = re.fullmatch(r"game (\d+), pos (\d+): (.+)", one["seqMetadata"]["said"])
            found.append((int(said[1]), int(said[2]), said[3], one["seqData"]))
    return found


def slow_activations(hook_point: str, tokens: Tensor) -> Tensor:
    model, sae = specimens.model(layers=2, othello=True), specimens.sae(hook_point)
    _, cache = model.run_with_cache(tokens)
    return sae.encode(cache[hook_point]).detach()


@pytest.mark.parametrize("hook_point", [INSIDE, AFTER])
def test_the_boards_on_the_page_are_the_engines(hook_point: str) -> None:
    tokens = specimens.games()
    truth, a = boards(tokens.numpy()), slow_activations(hook_point, tokens)
    turns_changed = 0
    for latent, data in data_of(page(hook_point)).items():
        shown = drawn(data)
        assert (len(shown) > 20) == (int(latent) != DEAD)
        for row, pos, who, board in shown:
            state = np.where(truth.state[row, pos] == -1, 2, truth.state[row, pos])
            assert np.array(board["board"]).flatten().tolist() == state.tolist()
            assert np.array(board["valid"]).flatten().tolist() == bits(truth.legal[row, pos]).tolist()
            assert np.array(board["captured"]).flatten().tolist() == bits(truth.flipped[row, pos]).tolist()
            assert np.array(board["move"]) @ [8, 1] == SQUARES.index(NAMES[tokens[row, pos]])
            assert who == ("black plays" if truth.black_next[row, pos] else "white plays")
            assert board["act"] == pytest.approx(float(a[row, pos, int(latent)]), abs=1e-4)
            turns_changed += truth.black_next[row, pos] == (pos % 2 == 0)
    assert turns_changed  # passes are resolved


def test_only_what_training_saw_is_shown_and_the_strongest_come_first() -> None:
    board, a = page(), slow_activations(INSIDE, specimens.games())
    a[:, :5], a[:, -5:] = 0, 0
    for latent, one in board.latents.items():
        assert one.tokens == 12 * 49
        assert one.density == pytest.approx(float((a[..., latent] > 0).sum()) / (12 * 49))
        assert all(5 <= example.pos < 54 for example in one.examples)
        if latent != DEAD:
            first = one.strongest[0]
            assert float(a[first.row, first.pos, latent]) == float(a[..., latent].max())
            assert len(first.tokens) == first.pos + 1  # the game so far
            assert len(one.groups) == 5


def test_the_loss_is_that_of_an_ablation_against_all_legal_moves() -> None:
    """After the last layer the straight way is the only one."""
    model, sae = specimens.model(layers=2, othello=True), specimens.sae(AFTER)
    tokens = specimens.games()
    truth = boards(tokens.numpy())
    for row, pos, _, board in drawn(data_of(page(AFTER))["7"])[:8]:
        alone = torch.zeros(1, 32)
        alone[0, 7] = slow_activations(AFTER, tokens)[row, pos, 7]

        def without(value: Tensor, hook: Any, pos: int = pos, alone: Tensor = alone) -> Tensor:
            value[0, pos] -= (sae.decode(alone) - sae.decode(torch.zeros(1, 32)))[0]
            return value

        with torch.no_grad():
            whole = model(tokens[[row]])[0, pos].log_softmax(-1)
            ablated = model.run_with_hooks(tokens[[row]], fwd_hooks=[(AFTER, without)])[0, pos].log_softmax(
                -1
            )
        moves = np.flatnonzero(truth.legal_tokens[row, pos])
        wanted = sum(float(ablated[move] - whole[move]) for move in moves) / len(moves)
        assert board["loss"] == pytest.approx(wanted, abs=1e-4)
        assert abs(wanted) > 1e-3


@pytest.mark.parametrize("norm", ["LN", "RMS"])
@pytest.mark.parametrize("hook_point", [INSIDE, AFTER, "blocks.1.attn.hook_z"])
def test_probes_are_cosines_with_what_the_latent_reads_and_writes(hook_point: str, norm: str) -> None:
    model = specimens.model(layers=2, othello=True, norm=norm)
    sae, probes = specimens.sae(hook_point), specimens.probes()
    probes["<b>mine</b>!"][:, 3, 4] = 0  # no probe of E4
    one = othello_dashboard(model, sae, specimens.games(), 7, probes=probes).latents[7]
    assert [(probe.probe, probe.side) for probe in one.probes] == [
        (name, side) for name in probes for side in ("input", "output")
    ]
    reads, writes = slow_directions(model, sae, hook_point, norm)
    for probe in one.probes:
        direction = reads if probe.side == "input" else writes
        found = dict(probe.cosines)
        assert (28 in found) == (probe.probe != "<b>mine</b>!")
        assert [value for _, value in probe.cosines] == sorted(found.values(), reverse=True)
        for square, value in found.items():
            p = [float(x) for x in probes[probe.probe][:, square // 8, square % 8]]
            dot = sum(x * y for x, y in zip(p, direction, strict=True))
            assert value == pytest.approx(dot / np.linalg.norm(p) / np.linalg.norm(direction), abs=1e-5)


def slow_directions(model: Any, sae: Any, hook_point: str, norm: str) -> tuple[list[float], list[float]]:
    """What latent 7 reads and writes in the residual stream, a dimension at a time."""
    encoder, decoder = sae.W_enc.detach()[:, 7], sae.W_dec.detach()[7]
    if hook_point == AFTER:
        return encoder.tolist(), decoder.tolist()
    if hook_point == INSIDE:
        into, out, weight = model.blocks[0].mlp.W_in, model.blocks[0].mlp.W_out, model.blocks[0].ln2.w
    else:
        heads = model.blocks[1].attn
        into = torch.cat([heads.W_V[head] for head in range(4)], dim=1)
        out, weight = torch.cat([heads.W_O[head] for head in range(4)]), model.blocks[1].ln1.w
    into, out, weight = (value.detach() for value in (into, out, weight))
    reads = [float(weight[i] * sum(into[i, j] * encoder[j] for j in range(len(encoder)))) for i in range(16)]
    mean = sum(reads) / 16 if norm == "LN" else 0
    writes = [float(sum(decoder[j] * out[j, i] for j in range(len(decoder)))) for i in range(16)]
    return [value - mean for value in reads], writes


def test_the_probes_tables_are_on_the_page() -> None:
    probes = specimens.probes()
    board = page(probes=probes)
    for latent, data in data_of(board).items():
        tables = data["probeLogitsTables"]
        assert list(tables)[:2] == ["PROBE '<b>mine</b>', INPUT SPACE", "PROBE '<b>mine</b>', OUTPUT SPACE"]
        for table, probe in zip(tables.values(), board.latents[int(latent)].probes, strict=True):
            assert [row["symbol"] for row in table["posLogits"]] == [
                SQUARES[s] for s, _ in probe.cosines[:10]
            ]
            lowest = [value for _, value in probe.cosines[:-11:-1]]
            assert [row["value"] for row in table["negLogits"]] == pytest.approx(lowest, abs=1e-4)
            biggest = max(abs(value) for _, value in probe.cosines)
            assert table["maxLogits"] == pytest.approx(biggest, abs=1e-4)
    flat = page(probes={name: probe.flatten(1).numpy() for name, probe in probes.items()})
    assert flat.html == board.html
    assert "probeLogitsTables" not in page().html


def test_the_notebooks_boards_are_the_engines() -> None:
    board, truth = page(probes=specimens.probes()), boards(specimens.games().numpy())
    thin = board._repr_html_()
    found = [re.sub("<[^>]+>", "", text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", thin, re.S)]
    one = board.latents[7]
    examples = one.strongest[:6] + [group.examples[0] for group in one.groups if group.examples]
    assert len(found) == len(examples) > 8
    for text, example in zip(found, examples, strict=True):
        at = example.row, example.pos
        assert text == show(truth.state[at], truth.legal[at])
    first = one.strongest[0]
    assert thin.count("<b style") == len(examples)  # each has a last move
    turned = sum(int(bits(truth.flipped[example.row, example.pos]).sum()) for example in examples)
    assert thin.count("<u style") == turned
    assert f"game {first.row}, pos {first.pos}, {SQUARES[first.board.move]}: {first.board.to_play}" in thin
    highest = one.probes[0].cosines[0]
    assert f"{SQUARES[highest[0]]} {highest[1]:+.2f}" in thin
    assert "&lt;b&gt;mine&lt;/b&gt;" in thin
    assert "never" in thin


def test_a_game_that_is_over_has_a_board_without_a_loss() -> None:
    short = games(3000, split="test")
    short = short[short.lengths < 55][:4]
    model, sae = specimens.model(layers=2, othello=True), specimens.sae(AFTER)
    board = othello_dashboard(model, sae, short.tokens[:, :59], range(32))
    examples = [example for one in board.latents.values() for example in one.examples]
    over = [example.board for example in examples if example.pos >= short.lengths[example.row]]
    assert over
    assert {(board.to_play, board.loss, board.move) for board in over} == {(None, None, None)}
    assert all(example.board.move is not None for example in examples if example.board not in over)
    json.dumps(board.as_dict(), allow_nan=False)
    assert "over" in {who for data in data_of(board).values() for _, _, who, _ in drawn(data)}


def test_the_shipped_model_and_sae_have_a_page() -> None:
    model, sae = load_model("othello-gpt", "mini", quiet=True), shipped_run("othello").sae("cpu")
    tokens = full_games(50, split="test").tokens[:, :59]
    board = othello_dashboard(model, sae, tokens, [809, 583], first=583, title="Boards of two latents")
    assert board.latents[583].tokens == 50 * 49
    assert all(5 <= example.pos < 54 for one in board.latents.values() for example in one.examples)
    assert {token for token, _ in board.latents[583].top} <= set(range(61))
    assert len(board._repr_html_().encode()) < 25_000
    assert len(board.html.encode()) < 2_400_000
    assert "latent 583: fires on" in str(board)


def cut(tokens: Tensor) -> Tensor:
    """Games whose first move is missing."""
    return tokens[:, 1:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": specimens.model}, "this model's 40 tokens are not Othello's"),
        ({"tokens": lambda: specimens.games() + 40}, "none of this model's"),
        ({"tokens": lambda: cut(specimens.games())}, "is no legal move for black"),
        ({"tokens": lambda: torch.zeros(2, 9, dtype=torch.long)}, "the game is not over"),
        ({"tokens": lambda: full_games(3).tokens}, "rows of 60 tokens"),
        ({"latents": lambda: [32]}, "there is no latent 32"),
        ({"first": lambda: 3}, "first=3 is not among"),
        ({"probes": lambda: {"mine": torch.zeros(16, 60)}}, 'probe "mine" has the shape [16, 60]'),
        ({"probes": lambda: {"mine": torch.zeros(8, 8, 16)}}, "[16, 8, 8] or [16, 64]"),
        ({"probes": lambda: {"mine": torch.full((16, 64), torch.nan)}}, "NaN or infinite"),
        ({"probes": lambda: torch.zeros(16, 8, 8)}, "a name for each probe"),
        ({"sae": lambda: specimens.sae("blocks.3.hook_mlp_out")}, "no hook point"),
    ],
)
def test_what_has_no_page(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {
        "model": specimens.model(layers=2, othello=True),
        "sae": specimens.sae(INSIDE),
        "tokens": specimens.games(),
        "latents": [7],
    }
    given |= {name: make() for name, make in change.items()}
    with pytest.raises(CourseError, match=re.escape(words)):
        othello_dashboard(**given)
