"""One row of text, and on it what a model predicts, what latents do, or where heads attend."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..evals.activations import flat_heads, token_rows
from ..evals.autoencoder import encode, ready
from ..runtime import CourseError
from . import thin
from .circuitsvis_script import circuitsvis_document
from .page import Page
from .subject import Subject
from .tokens import TokenNames, html_token

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, Int
    from sae_lens import SAE
    from torch import Tensor
    from transformer_lens import HookedTransformer

_IN_NOTEBOOK = 256  # tokens of a row; more are on the page
_MOST_IN_NOTEBOOK = 25_000  # signs of coloured text, after which the tables say the rest


@torch.no_grad()
def token_log_probs(
    model: "HookedTransformer",
    tokens: "Int[Tensor, ' pos'] | Int[np.ndarray, ' pos'] | str",
    *,
    top_k: int = 10,
) -> Page:
    """How well the model expected each token of one row: log p(token | those before), in nats.

    The page is CircuitsVis' ``logits.token_log_probs``: redder is better expected, and over a token the mouse
    shows the ``top_k`` tokens that were expected most there. The first token is predicted from nothing and
    not shown.

    Args:
        tokens: one row of ids, BOS first; or a text.

    Raises:
        CourseError: for tokens that the model can't read, or several rows.
    """
    row = _row(model, tokens)
    name = TokenNames(model)
    log_probs = model(row[None], return_type="logits")[0, :-1].float().log_softmax(-1)
    of_came = log_probs.gather(1, row[1:, None])[:, 0]
    rank = (log_probs > of_came[:, None]).sum(-1).tolist()
    best = log_probs.topk(min(max(1, top_k), log_probs.shape[-1]))
    names = [name(token) for token in row.tolist()]
    top = [[name(token) for token in ids] for ids in best.indices.tolist()]
    values = of_came.tolist()
    mean = sum(values) / len(values)
    title = "Log-probability of each token"
    fact = f"{len(values)} tokens, {mean:.3f} nats each on average ({_percent(mean)} as a probability)."
    hover = [
        f"{value:.2f} nats ({_percent(value)}), rank {r + 1}; first: {first[0]}"
        for value, r, first in zip(values, rank, top, strict=True)
    ]
    line = _line(names[1:], [-value / 5 for value in values], hover, name)
    worst = sorted(range(len(values)), key=values.__getitem__)[:10]
    rows = [
        (
            str(i + 1),
            _code(names[i + 1]),
            f"{values[i]:.2f}",
            str(rank[i] + 1),
            f"{_code(top[i][0])} {_percent(float(best.values[i, 0]))}",
        )
        for i in worst
    ]
    head = ("position", "least expected", "nats", "rank", "expected instead")
    return Page(
        title=title,
        text=f"{title}: {fact}",
        thin=_thin(title, fact + " Orange: unexpected (5 nats: full).", line, thin.table(head, rows)),
        draw=lambda: circuitsvis_document(
            title,
            "TokenLogProbs",
            {
                "prompt": _spaced(names, name),
                "topKLogProbs": best.values.tolist(),
                "topKTokens": top,
                "correctTokenRank": rank,
                "correctTokenLogProb": values,
            },
            f"{fact} The redder, the better expected (white: below -5 nats). Move the mouse over a token for "
            "what was expected there; the ranks count from 0.",
            "#component td, #component th { padding: 1px 8px; text-align: left; }",
        ),
    )


@torch.no_grad()
def latent_on_text(
    model: "HookedTransformer",
    sae: "SAE[Any]",
    tokens: "Int[Tensor, ' pos'] | Int[np.ndarray, ' pos'] | str",
    latents: int | Iterable[int],
) -> Page:
    """Where latents fire in one row: CircuitsVis' coloured tokens.

    On the page, one latent is shown at a time, chosen above; the mouse shows the activations of all of them.

    Args:
        tokens: one row of ids, BOS first; or a text.

    Raises:
        CourseError: as `latent_dashboard` does; and for several rows.
    """
    subject = Subject.of(model, sae)
    chosen = subject.chosen(latents)
    row = _row(model, tokens)
    a = _activations(subject, row, chosen)
    name = TokenNames(model)
    names = [name(token) for token in row.tolist()]
    title = f"Latents at {subject.hook_point} on a text"
    facts: list[str] = []
    rows: list[tuple[str, ...]] = []
    lines: list[str] = []
    for latent, values in zip(chosen, a.T.tolist(), strict=True):
        most, times = max(values), sum(value > 0 for value in values)
        facts.append(f"latent {latent}: fires on {times} of {len(values)} tokens, at most {most:.3f}")
        best = sorted(range(len(values)), key=lambda i: -values[i])[: min(5, times)]
        where = " · ".join(f"{_code(names[i])} {values[i]:.2f} (at {i})" for i in best)
        rows.append((str(latent), str(times), where or "never"))
        if sum(map(len, lines)) < _MOST_IN_NOTEBOOK:
            strengths = [value / most if most else 0.0 for value in values]
            hover = [f"{value:.3f}" if value > 0 else "" for value in values]
            lines.append(_thin(f"Latent {latent}", "", _line(names, strengths, hover, name)))
    head = ("latent", f"fires on, of {len(names)}", "strongest")
    return Page(
        title=title,
        text="\n  ".join([title, *facts]),
        thin=_thin(title, "", "", thin.table(head, rows)) + "".join(lines),
        draw=lambda: circuitsvis_document(
            title,
            "ColoredTokensMulti",
            {
                "tokens": _spaced(names, name),
                "values": [[round(value, 5) for value in of_token] for of_token in a.tolist()],
                "labels": [f"latent {latent}" for latent in chosen],
            },
            f"{len(names)} tokens. Choose a latent; move the mouse over a token for the activations there.",
        ),
    )


@torch.no_grad()
def attention_patterns(
    model: "HookedTransformer", tokens: "Int[Tensor, ' pos'] | Int[np.ndarray, ' pos'] | str", layer: int
) -> Page:
    """Where the heads of a layer attend in one row: CircuitsVis' ``attention.attention_heads``.

    In the notebook, a table: how much each head attends on average to the first token, the token itself and
    the one before it.

    Args:
        tokens: one row of ids, BOS first; or a text. A short one: a pattern has a number for each pair.

    Raises:
        CourseError: for a layer that there isn't, tokens that the model can't read, or several rows.
    """
    if not 0 <= layer < model.cfg.n_layers:
        raise CourseError(
            f"The model has the layers 0 to {model.cfg.n_layers - 1}; there is no layer {layer}."
        )
    row = _row(model, tokens)
    place = f"blocks.{layer}.attn.hook_pattern"
    _, cache = model.run_with_cache(row[None], names_filter=place, stop_at_layer=layer + 1, return_type=None)
    pattern = cache[place][0].float()
    name = TokenNames(model)
    names = [name(token) for token in row.tolist()]
    title = f"Attention of layer {layer}"
    inner = pattern[:, 1:]  # the first token has only itself
    rows = [
        tuple([f"{layer}.{head}"] + [f"{float(value):.1%}" for value in found])
        for head, found in enumerate(
            torch.stack(
                [
                    inner[..., 0].mean(-1),
                    inner.diagonal(1, -2, -1).mean(-1),
                    inner.diagonal(0, -2, -1).mean(-1),
                ],
                dim=-1,
            )
        )
    ]
    fact = f"{len(names)} tokens, {len(rows)} heads. On average, over all tokens but the first:"
    head = ("head", "to the first token", "to itself", "to the one before")
    return Page(
        title=title,
        text="\n  ".join([title, *("  ".join(cells) for cells in [head, *rows])]),
        thin=_thin(title, fact, "", thin.table(head, rows)),
        draw=lambda: circuitsvis_document(
            title,
            "AttentionHeads",
            {
                "tokens": _spaced(names, name),
                "attention": [
                    [[round(v, 4) for v in line] for line in of_head] for of_head in pattern.tolist()
                ],
                "attentionHeadNames": [f"{layer}.{head}" for head in range(len(rows))],
            },
            "Click a head to see it large; in the text, a token shows where it attends to.",
        ),
    )


def _row(model: "HookedTransformer", tokens: "Tensor | np.ndarray | str") -> "Int[Tensor, ' pos']":
    """One row of ids on the model's device.

    Raises:
        CourseError: when it is no such row.
    """
    if isinstance(tokens, str):
        if model.tokenizer is None:
            raise CourseError("This model has no tokenizer: give a row of token ids instead of a text.")
        tokens = model.to_tokens(tokens)
    given = torch.as_tensor(tokens)
    if given.ndim == 2 and len(given) == 1:
        given = given[0]
    if given.ndim != 1:
        raise CourseError(
            f"This page shows one row, and these are {list(given.shape)} tokens: take tokens[0]."
        )
    return token_rows(model, given[None], least=2)[0]


def _activations(
    subject: Subject, row: "Int[Tensor, ' pos']", chosen: list[int]
) -> "Float[Tensor, 'pos latent']":
    _, cache = subject.model.run_with_cache(
        row[None], names_filter=subject.hook_point, stop_at_layer=subject.layer + 1, return_type=None
    )
    with ready(subject.sae):
        found = encode(subject.sae, flat_heads(cache[subject.hook_point], row[None], subject.hook_point)[0])
    return found[:, chosen].float().cpu() * subject.counted(row[None])[0].cpu()[:, None]


def _line(
    names: Sequence[str],
    strengths: Sequence[float],
    hover: Sequence[str],
    name: TokenNames,
) -> str:
    shown = slice(_IN_NOTEBOOK)
    more = len(names) - _IN_NOTEBOOK
    text = thin.coloured(names[shown], strengths[shown], hover[shown], apart=name.apart)
    return text + (f" … and {more} more tokens on the page" if more > 0 else "")


def _thin(title: str, fact: str, line: str, table: str = "") -> str:
    words = f" {html_token(fact)}" if fact else ""
    return f'<div style="margin-top:6px"><b>{html_token(title)}</b>{words}</div><div>{line}</div>{table}'


def _spaced(names: Sequence[str], name: TokenNames) -> list[str]:
    """Tokens for CircuitsVis, which sets them side by side."""
    return [f"{one} " for one in names] if name.apart else list(names)


def _code(name: str) -> str:
    return f"<code>{html_token(name)}</code>"


def _percent(log_prob: float) -> str:
    return f"{100 * float(torch.tensor(log_prob).exp()):.2g}%"
