"""The page's data beside that of sae_vis' own computation, on a model as sae_vis expects it."""

import json
import re
from typing import Any

import pytest
import specimens
import torch
from transformer_lens.utilities import get_act_name

from sae_course.dashboards import latent_dashboard
from sae_course.dashboards.sae_vis_script import latent_data
from sae_course.dashboards.tokens import TokenNames

LATENTS = [7, 2]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Using a non-tuple sequence")


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Ours, theirs, and their page's METADATA."""
    from sae_vis.data_config_classes import SaeVisConfig  # noqa: PLC0415 - seconds
    from sae_vis.data_storing_fns import SaeVisData  # noqa: PLC0415

    model, sae = specimens.model(), specimens.sae("blocks.0.hook_mlp_out")
    with torch.no_grad():
        sae.W_dec /= sae.W_dec.norm(dim=-1, keepdim=True)
    tokens = specimens.tokens(rows=40)
    name = TokenNames(model)
    numbers = latent_dashboard(model, sae, tokens, LATENTS).latents.values()
    ours = {str(one.latent): latent_data(one, name) for one in numbers}

    processed, old = specimens.as_sae_vis_expects(model, sae)
    assert get_act_name("mlp_out", 0) == old.cfg.hook_name
    vocabulary = {i: specimens.Tokenizer().names[i] for i in range(specimens.D_VOCAB)}
    data = SaeVisData.create(
        sae=old,
        model=processed,
        tokens=tokens,
        cfg=SaeVisConfig(features=LATENTS),
        vocab_dict=dict.fromkeys(("embed", "unembed", "probes"), vocabulary),
    )
    layout = data.cfg.feature_centric_layout
    theirs = {
        str(latent): {
            part: parts[part].data(layout=layout, decode_fn=data.decode_fn) for part in layout.components
        }
        for latent, parts in data.feature_data_dict.items()
    }
    return ours, theirs, layout.metadata


def test_the_data_has_their_keys(both: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> None:
    """A new key in their page's data would be one that we don't fill in."""
    ours, theirs, _ = both

    mine, their = specimens.keys(ours), specimens.keys(theirs)
    spelled = {path.replace("seqGroupId", "seqGroupID") for path in their}  # their script reads the other
    their_neurons = {
        path for path in spelled if "neuronAlignment" in path
    }  # of residual dimensions: left out
    assert mine - spelled == set()
    assert spelled - mine == their_neurons
    json.dumps(ours, allow_nan=False)


def test_the_same_latents_logits_density_and_tables(
    both: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    ours, theirs, _ = both
    for latent in map(str, LATENTS):
        mine, their = ours[latent], theirs[latent]
        for side in ("posLogits", "negLogits"):
            a = [entry["value"] for entry in mine["logitsTable"][side]]
            assert a == pytest.approx([entry["value"] for entry in their["logitsTable"][side]], abs=0.0051)
        assert mine["logitsTable"]["maxLogits"] == pytest.approx(their["logitsTable"]["maxLogits"], abs=1e-3)
        for part in ("actsHistogram", "logitsHistogram"):
            assert sum(mine[part]["y"]) == sum(their[part]["y"])
            assert mine[part]["x"] == pytest.approx(their[part]["x"], abs=1e-3)
        density = [re.search(r"[\d.]+%", data["actsHistogram"]["title"]) for data in (mine, their)]
        assert density[0][0] == density[1][0]
        ranked = [
            [(row["index"], row["value"]) for row in data["featureTables"]["correlatedFeatures"][:3]]
            for data in (mine, their)
        ]
        assert ranked[0] == ranked[1]


def test_a_token_shown_by_both_has_the_same_activation_and_logit(
    both: tuple[dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    """Their probabilities differ: they divide by the variance, and test_numbers has the model's own."""
    ours, theirs, _ = both

    def shown(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return {
            token["tokPosn"]: token
            for group in data["seqMultiGroup"]
            for sequence in group["seqGroupData"]
            for token in sequence["seqData"]
        }

    compared = 0
    for latent in map(str, LATENTS):
        mine, their = shown(ours[latent]), shown(theirs[latent])
        for place in mine.keys() & their.keys():
            a, b = mine[place], their[place]
            assert a["tokID"] == b["tokID"]
            assert a.get("featAct", 0) == pytest.approx(b.get("featAct", 0), abs=2e-3)
            assert a["tokenLogit"] == pytest.approx(b["tokenLogit"], abs=2e-3)
            if "logitEffect" in a and "logitEffect" in b:
                # Theirs is not centred over the vocabulary unless W_U is; ours is.
                assert a["logitEffect"] == pytest.approx(b["logitEffect"], abs=5e-3)
            compared += 1
    assert compared > 100
