"""Check of 3b.5: what a latent writes towards, read in the vocabulary."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..core import exercise
from ..mistakes import Guesses
from ..trial import Function, Trial
from .subject import tiny_model, tiny_sae

Lens = Callable[[Any, Any, list[int]], Tensor]


def _lens(model: Any, sae: Any, latents: list[int]) -> Tensor:
    return (sae.W_dec[latents] @ model.W_U).detach()


def _of(direction: Callable[[Any, list[int]], Tensor]) -> Lens:
    """Right but for the direction that is taken."""
    return lambda model, sae, latents: (direction(sae, latents) @ model.W_U).detach()


def _then(change: Callable[[Any, Tensor], Tensor]) -> Lens:
    """Right, with something more done to the logits."""
    return lambda model, sae, latents: change(model, _lens(model, sae, latents)).detach()


def _unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


MISTAKES: dict[str, Lens] = {
    "the columns of W_enc, which is what a latent reads; what it writes is its row of W_dec.": _of(
        lambda sae, latents: sae.W_enc.T[latents]
    ),
    "the directions were brought to length 1; take the rows of W_dec as they are.": _of(
        lambda sae, latents: _unit(sae.W_dec[latents])
    ),
    "b_dec was added: it belongs to no latent.": _of(lambda sae, latents: sae.W_dec[latents] + sae.b_dec),
    "W_E.T, the embedding, in place of the unembedding W_U.": lambda model, sae, latents: (
        sae.W_dec[latents] @ model.W_E.T
    ).detach(),
    "b_U was added: it belongs to no latent (model.unembed adds it; use model.W_U).": _then(
        lambda model, logits: logits + model.b_U
    ),
    "softmax was taken; the logits themselves are wanted.": _then(lambda model, logits: logits.softmax(-1)),
    "log_softmax was taken; the logits themselves are wanted.": _then(
        lambda model, logits: logits.log_softmax(-1)
    ),
    "the mean over the vocabulary was subtracted; take the logits as they are.": _then(
        lambda model, logits: logits - logits.mean(-1, keepdim=True)
    ),
    "the final norm was applied; it is left out here.": lambda model, sae, latents: (
        model.ln_final(sae.W_dec[latents][None])[0] @ model.W_U
    ).detach(),
    "the final norm was applied, and b_U added: W_dec goes straight to W_U.": lambda model, sae, latents: (
        model.unembed(model.ln_final(sae.W_dec[latents][None]))[0].detach()
    ),
    "the final norm's weights were multiplied in; it is left out here.": lambda model, sae, latents: (
        sae.W_dec[latents] * model.ln_final.w @ model.W_U
    ).detach(),
    "the first latents, whichever were asked for: pick the rows with W_dec[latents].": _of(
        lambda sae, latents: sae.W_dec[: len(latents)]
    ),
}


@exercise("3b.5", "logit_lens", minutes=4, hints=1)
def logit_lens(t: Trial, student: Function) -> None:
    """Rows of W_dec times W_U, nothing else: biases, norms and lengths are random and none of them 0 or 1."""
    for number, case in enumerate(t.cases(3, d_sae=13, d_vocab=17)):
        some = torch.randperm(13, generator=case.generator)[: 3 + number % 2].tolist()
        kind = ("standard", "jumprelu")[number % 2]
        arguments = {"model": tiny_model(case), "sae": tiny_sae(case, kind), "latents": some}
        t.against(
            student,
            arguments,
            _lens(**arguments),
            axes="latents d_vocab",
            mistakes=Guesses(MISTAKES, partial(_guesses, arguments)),
        )


def _guesses(arguments: dict[str, Any]) -> dict[str, Tensor]:
    return {sentence: wrong(*arguments.values()) for sentence, wrong in MISTAKES.items()}
