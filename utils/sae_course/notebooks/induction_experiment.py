"""Chapter 05's experiment as one function of two SAEs, for its record: the chapter's steps and settings."""

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ..training.induction import MODEL, induction_config
from .recording import Row

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from ..data.repeats import Repeats
    from ..evals import Site


@cache
def model() -> Any:
    """The mini model, on the CPU, so that a record can be reproduced anywhere."""
    from ..models import load_model  # noqa: PLC0415 - seconds

    return load_model(MODEL, "mini", device="cpu", quiet=True)


@cache
def lists(n_rows: int, seed: int) -> "Repeats":
    """The chapter's lists: its words, its seeds."""
    import numpy as np  # noqa: PLC0415

    from ..data.repeats import common_tokens, repeated_lists  # noqa: PLC0415
    from ..models import token_stream  # noqa: PLC0415

    chapter, tokenizer = induction_config(), model().tokenizer
    read = np.array([row["tokens"] for row in token_stream(MODEL, "mini").take(400)])
    words = common_tokens(read, chapter.n_words, without=set(tokenizer.all_special_ids))
    return repeated_lists(words, n_rows, chapter.period, bos=tokenizer.bos_token_id, seed=seed)


class Found(NamedTuple):
    """What the scores of part 3 find on the lists."""

    latents: "dict[int, Float[Tensor, 'rows pos d_sae']]"
    previous: "Bool[Tensor, ' d_sae']"
    """Layer 0's previous-token latents."""
    induction: "Bool[Tensor, ' d_sae']"
    """Layer 1's induction latents."""
    words: float
    """Of the median previous-token latent: previous words after which it fires more often than not."""


def found(sites: "dict[int, Site]") -> Found:
    """Previous-token and induction latents by the chapter's scores and thresholds."""
    import torch  # noqa: PLC0415

    from ..evals import explained_by, harvest, latent_activations  # noqa: PLC0415

    chapter = induction_config()
    repeats = lists(chapter.find_rows, 0)
    tokens = torch.from_numpy(repeats.tokens)
    latents = {
        layer: latent_activations(site.sae, harvest(model(), tokens, site.hook_point))
        for layer, site in sites.items()
    }
    before, lower = tokens[:, :-1].flatten(), latents[0][:, 1:].flatten(0, 1)
    live = (latents[0] > 0).sum((0, 1)) >= chapter.least_tokens
    previous = live & (explained_by(lower, before) > chapter.previous_token)
    first, second = torch.from_numpy(repeats.first), torch.from_numpy(repeats.second)
    f, s = latents[1][first].mean(0), latents[1][second].mean(0)
    induction = (latents[1][first | second] > 0).sum(0) >= chapter.least_tokens
    induction &= torch.where(s + f > 0, (s - f) / (s + f), 0.0) > chapter.repeat
    _, which = before.unique(return_inverse=True)
    fires = (lower[:, previous] > 0).float()
    by_word = torch.zeros(int(which.max()) + 1, fires.shape[1]).index_add_(0, which, fires)
    by_word /= torch.bincount(which)[:, None]
    return Found(latents, previous, induction, float((by_word > 0.5).sum(0).float().median()))


def experiment(sites: "dict[int, Site]") -> Row:
    """The chapter's parts 3 and 4: candidates, their ablation with the control, random pairs."""
    import torch  # noqa: PLC0415
    from scipy.stats import spearmanr  # noqa: PLC0415

    from ..evals import ablations, controls, joint_firing, latent_attribution  # noqa: PLC0415

    chapter, ends, here = induction_config(), (sites[0], sites[1]), found(sites)
    repeats, test = lists(chapter.find_rows, 0), lists(chapter.test_rows, 1)
    few = torch.from_numpy(repeats.tokens)[: chapter.attribution_rows]
    on_few: Row = {"where": repeats.second[: len(few)], "source_at": repeats.followed[: len(few)]}
    on_test: Row = {"where": test.second, "source_at": test.followed}
    test_tokens = torch.from_numpy(test.tokens)
    joint = joint_firing(here.latents[0], here.latents[1], repeats.second, repeats.followed)
    together = joint >= chapter.least_tokens
    among = together & here.previous[:, None] & here.induction
    plain = latent_attribution(model(), *ends, few, where=on_few["where"])
    pairs = plain.pairs(chapter.n_pairs, among=among)
    chosen = list(zip(pairs["source"], pairs["target"], strict=True))
    table = ablations(model(), *ends, test_tokens, chosen, **on_test).table
    density = (here.latents[0] > 0).float().mean((0, 1))
    instead = controls(density, pairs["source"].tolist(), without=here.previous.nonzero().flatten().tolist())
    beside = list(zip(instead, pairs["target"], strict=True))
    events = pairs["source"].tolist()
    control = ablations(model(), *ends, test_tokens, beside, events=events, **on_test).table
    enough = table["tokens"] >= chapter.least_tokens
    order = torch.randperm(int(together.sum()), generator=torch.Generator().manual_seed(0))
    drawn = together.nonzero()[order[: chapter.n_random_pairs]]
    random = ablations(model(), *ends, few, drawn.tolist(), **on_few).table
    integrated = latent_attribution(model(), *ends, few, where=on_few["where"], steps=chapter.steps)
    correlations = [
        float(spearmanr(one.total[drawn[:, 0], drawn[:, 1]].numpy(), random["lost"]).statistic)
        for one in (plain, integrated)
    ]
    over_half = table[enough & (table["drop"] > 0.5)]
    return {
        "previous-token latents": int(here.previous.sum()),
        "induction latents": int(here.induction.sum()),
        "candidates": int(among.sum()),
        "pairs measured": int(enough.sum()),
        "mean drop": float(table["drop"][enough].mean()),
        "largest drop": float(table["drop"][enough].max()),
        "control": float(control["drop"][enough].mean()),
        "pairs over half": len(over_half),
        "their sources": over_half["source"].nunique(),
        "their targets": over_half["target"].nunique(),
        "rank correlation": correlations[0],
        "… integrated": correlations[1],
    }
