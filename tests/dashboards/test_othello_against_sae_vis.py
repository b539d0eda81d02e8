"""The Othello page's data beside that of sae_vis' own computation in its Othello layout."""

from typing import Any

import numpy as np
import pytest
import specimens
import torch
from torch import Tensor

from sae_course.dashboards import othello_dashboard
from sae_course.dashboards.sae_vis_script import latent_data
from sae_course.dashboards.tokens import TokenNames
from sae_course.data.othello import full_games

LATENTS = [7, 2]
# At the last residual stream theirs fails: it looks for it in the cache, where the SAE took its place.
HOOKS = ["blocks.0.mlp.hook_post", "blocks.0.hook_resid_post"]
PROBES = ("mine", "empty")
Latents = dict[str, dict[str, Any]]
Lengths = dict[tuple[str, str], float]
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:Using a non-tuple sequence", "ignore:To copy construct"
)


def probes() -> dict[str, Tensor]:
    """Of length 1, so that sae_vis' products are cosines but for the latent's length."""
    return {
        name: torch.nn.functional.normalize(probe, dim=0)
        for name, probe in zip(PROBES, specimens.probes().values(), strict=True)
    }


def right_logits(x: Tensor, model: Any) -> Tensor:
    """sae_vis divides by the variance; with the root of it, its losses can be compared."""
    x = x - x.mean(-1, keepdim=True)
    return x / (x.pow(2).mean(-1, keepdim=True) + model.cfg.eps).sqrt() @ model.W_U + model.b_U


@pytest.fixture(scope="module", params=HOOKS)
def both(
    request: pytest.FixtureRequest,
) -> tuple[Latents, Latents, dict[str, Any], Lengths]:
    """Ours, theirs, their page's METADATA, and the length of what each latent reads and writes."""
    from sae_vis import data_fetching_fns  # noqa: PLC0415 - seconds
    from sae_vis.data_config_classes import SaeVisConfig, SaeVisLayoutConfig  # noqa: PLC0415
    from sae_vis.data_storing_fns import SaeVisData  # noqa: PLC0415
    from sae_vis.model_fns import load_othello_vocab, to_resid_dir  # noqa: PLC0415
    from sae_vis.utils_fns import othello_valid_legal_moves_as_target_distribution  # noqa: PLC0415

    model = specimens.model(layers=2, othello=True)
    sae = specimens.sae(request.param, seqpos_slice=(5, -5))
    with torch.no_grad():
        sae.W_dec /= sae.W_dec.norm(dim=-1, keepdim=True)
    # Their engine knows no passes: it leaves out the games that have one.
    whole = torch.from_numpy(full_games(40, split="test").tokens).long()
    whole, targets = othello_valid_legal_moves_as_target_distribution(whole)
    tokens = whole[:, :59]
    name = TokenNames(model)
    numbers = othello_dashboard(model, sae, tokens, LATENTS, probes=probes()).latents.values()
    ours = {str(one.latent): latent_data(one, name) for one in numbers}

    folded, old = specimens.as_sae_vis_expects(model, sae)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_fetching_fns, "resid_final_pre_layernorm_to_logits", right_logits)
        data = SaeVisData.create(
            sae=old,
            model=folded,
            tokens=tokens,
            target_logits=targets,
            linear_probes=[
                (side, kind, probe.flatten(1))
                for kind, probe in probes().items()
                for side in ("input", "output")
            ],
            cfg=SaeVisConfig(
                features=LATENTS,
                seqpos_slice=(5, -5),
                feature_centric_layout=SaeVisLayoutConfig.default_othello_layout(),
            ),
            vocab_dict=load_othello_vocab(),
        )
    layout = data.cfg.feature_centric_layout
    theirs = {
        str(latent): {
            part: parts[part].data(layout=layout, decode_fn=data.decode_fn) for part in layout.components
        }
        for latent, parts in data.feature_data_dict.items()
    }
    with torch.no_grad():
        lengths = {
            (str(latent), side): float(to_resid_dir(row[None], old, folded, input=side == "input").norm())
            for latent in LATENTS
            for side, row in (("input", old.W_enc[:, latent]), ("output", old.W_dec[latent]))
        }
    return ours, theirs, layout.metadata, lengths


def test_the_data_has_their_keys(both: Any) -> None:
    ours, theirs, metadata, _ = both

    mine, their = specimens.keys(ours), specimens.keys(theirs)
    their = {path.replace("seqGroupId", "seqGroupID") for path in their}  # their script reads the other
    their = {path for path in their if "neuronAlignment" not in path}  # of residual dimensions: left out
    added = {path for path in mine - their if not path.endswith(".said") and "neuronAlignment" not in path}
    assert {path.split(".")[2] for path in added} == {"logitsHistogram"}
    assert their - mine == set()
    assert metadata["othello"]
    assert metadata["layout"][0] == ["featureTables"]


def test_the_same_logits_and_probes(both: Any) -> None:
    ours, theirs, _, lengths = both
    for latent in map(str, LATENTS):
        mine, their = ours[latent], theirs[latent]
        written = their["logitsTable"]
        for side in ("posLogits", "negLogits"):
            symbols = [course_name(row["symbol"]) for row in written[side]]
            assert [row["symbol"] for row in mine["logitsTable"][side]] == symbols
            a = [row["value"] for row in mine["logitsTable"][side]]
            assert a == pytest.approx([row["value"] for row in written[side]], abs=0.0051)
        assert list(mine["probeLogitsTables"]) == list(their["probeLogitsTables"])
        for title, table in mine["probeLogitsTables"].items():
            length = lengths[latent, "input" if "INPUT" in title else "output"]
            other = their["probeLogitsTables"][title]
            for side in ("posLogits", "negLogits"):
                symbols = [course_name(row["symbol"]) for row in other[side]]
                assert [row["symbol"] for row in table[side]] == symbols
                a = [row["value"] * length for row in table[side]]
                assert a == pytest.approx([row["value"] for row in other[side]], abs=0.0055)
            assert table["maxLogits"] * length == pytest.approx(other["maxLogits"], abs=1e-3)


def course_name(symbol: str) -> str:
    """Their "C4", row letter and column from 0, is our E3."""
    if symbol == "pass":
        return symbol
    return "ABCDEFGH"[int(symbol[1])] + str("ABCDEFGH".index(symbol[0]) + 1)


def test_a_board_shown_by_both_is_the_same(both: Any) -> None:
    ours, theirs, _, _ = both

    def shown(latent: dict[str, Any]) -> dict[str, dict[str, Any]]:
        boards = [one["seqData"] for group in latent["seqMultiGroup"] for one in group["seqGroupData"]]
        return {str(np.array(board["board"]).tolist()): board for board in boards}

    compared = 0
    for latent in map(str, LATENTS):
        mine, their = shown(ours[latent]), shown(theirs[latent])
        for place in mine.keys() & their.keys():
            a, b = mine[place], their[place]
            for part in ("board", "valid", "move", "captured"):
                assert np.array(a[part]).tolist() == np.array(b[part]).tolist()
            assert a["act"] == pytest.approx(b["act"], abs=2e-3)
            assert a["loss"] == pytest.approx(b["loss"], abs=2e-3)
            compared += 1
        tops = [data[latent]["seqMultiGroup"][0]["seqGroupData"][0]["seqData"] for data in (ours, theirs)]
        assert tops[0]["board"] == tops[1]["board"]
    assert compared > 20
