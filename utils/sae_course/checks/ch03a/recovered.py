"""Check of 3a.10 loss_recovered: three cross-entropies made one number."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ..cases import Case
from ..core import exercise
from ..trial import Function, Trial
from . import tiny
from .reference import cross_entropy, next_token_log_probs

ROWS, POS = 17, 9


class Blurred(nn.Module):
    """An "SAE" whose reconstruction is the activation times something, plus something."""

    def __init__(self, case: Case, keep: float, blur: float) -> None:
        super().__init__()
        self.keep, self.blur = keep, blur
        self.mix = nn.Parameter(torch.empty(tiny.D_MODEL, tiny.D_MODEL, device=case.device))
        case.fill(self, 1.0)

    def encode(self, x: Tensor) -> Tensor:
        """Twice ``x``."""
        return 2 * x

    def decode(self, latents: Tensor) -> Tensor:
        """What the latents were made of, blurred."""
        x = latents / 2
        return self.keep * x + self.blur * torch.tanh(x @ self.mix)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction."""
        return self.decode(self.encode(x))


def _row_losses(logits: Tensor, tokens: Tensor) -> Tensor:
    return -next_token_log_probs(logits, tokens).mean(-1)


def _unshifted(logits: Tensor, tokens: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(-1, tokens[..., None]).mean()


def _last_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    return cross_entropy(logits[:, -2:], tokens[:, -2:])


class Losses:
    """The losses of one case, each forward pass made when it is first asked for."""

    def __init__(self, model: Any, sae: Any, tokens: Tensor, hook_point: str) -> None:
        edits: dict[str, Callable[[Tensor], Tensor]] = {
            "clean": lambda value: value,
            "sae": sae,
            "ablated": torch.zeros_like,
            "mean": lambda value: value.mean(dim=(0, 1), keepdim=True).expand_as(value),
        }
        self.tokens = tokens
        self.logits = cache(
            lambda name, at: tiny.run(model, tokens, at or hook_point, edits[name])  # with its own arguments
        )

    def value(
        self,
        formula: Callable[..., Any],
        loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy,
        ablated: str = "ablated",
        at: str = "",
    ) -> float:
        """``formula(clean, with the SAE, ablated)``."""
        return float(
            formula(*(loss(self.logits(name, at), self.tokens) for name in ("clean", "sae", ablated)))
        )


def _share(clean: Tensor, spliced: Tensor, ablated: Tensor) -> Tensor:
    return (ablated - spliced) / (ablated - clean)


FORMULAS: dict[str, Callable[..., Any]] = {
    "this is the share of the loss that is *lost*: 1 minus the one that is wanted.": (
        lambda clean, spliced, ablated: (spliced - clean) / (ablated - clean)
    ),
    "upside down: the whole way from ablated to clean is the denominator.": (
        lambda clean, spliced, ablated: (ablated - clean) / (ablated - spliced)
    ),
    "a ratio of cross-entropies (clean over SAE); of differences from the ablated one.": (
        lambda clean, spliced, ablated: clean / spliced
    ),
    "a ratio of cross-entropies (SAE over clean); of differences from the ablated one.": (
        lambda clean, spliced, ablated: spliced / clean
    ),
    "a ratio of cross-entropies (SAE over ablated); of differences from the ablated one.": (
        lambda clean, spliced, ablated: spliced / ablated
    ),
    "divided by the ablated cross-entropy; by the difference between ablated and clean.": (
        lambda clean, spliced, ablated: (ablated - spliced) / ablated
    ),
    "the difference alone, in nats: divide by ablated minus clean.": (
        lambda clean, spliced, ablated: ablated - spliced
    ),
    "this is the cross-entropy that the SAE costs, in nats; a share is wanted.": (
        lambda clean, spliced, ablated: spliced - clean
    ),
    "the sign is the wrong way round: above and below stands ablated minus something.": (
        lambda clean, spliced, ablated: (spliced - ablated) / (ablated - clean)
    ),
    "the loss that comes on top, over the ablated cross-entropy; over ablated minus clean.": (
        lambda clean, spliced, ablated: 1 - (spliced - clean) / ablated
    ),
    "cut off at 0: an SAE may do more harm than an ablation, and is told so.": (
        lambda *three: _share(*three).clamp(min=0)
    ),
    "in percent; a share, 1 for everything, is wanted.": lambda *three: 100 * _share(*three),
}
OTHERS: dict[str, dict[str, Any]] = {
    "ablated means set to 0 here, not to the mean activation.": {"ablated": "mean"},
    "the mean over rows of a ratio for each row; one ratio of the mean cross-entropies.": {
        "formula": lambda *three: _share(*three).mean(),
        "loss": _row_losses,
    },
    "logits at a position go with the token there; they are about the next one.": {"loss": _unshifted},
    "only the last prediction counts; all are to.": {"loss": _last_loss},
    'the hook point is fixed to "blocks.0.hook_mlp_out": take the one that is given.': {
        "at": "blocks.0.hook_mlp_out"
    },
}
MISTAKES = {sentence: {"formula": formula} for sentence, formula in FORMULAS.items()} | OTHERS


def _world(case: Case, places: list[str]) -> tuple[Any, dict[str, Tensor]]:
    """A model, and for each hook point rows of tokens on each of which ablation costs at least 0.05 nats.

    The share's denominator is then no rounding error. Half of what the model writes is taken, the half on
    which it costs most; models for which that is not enough are not used.
    """
    while True:
        model = tiny.tiny_model(case)
        stories = tiny.written(model, case, 2 * ROWS, POS)
        found = {}
        for place in places:
            losses = Losses(model, nn.Identity(), stories, place)
            clean, ablated = (_row_losses(losses.logits(name, ""), stories) for name in ("clean", "ablated"))
            cost, rows = (ablated - clean).sort(descending=True)
            if float(cost[ROWS - 1]) < 0.05:
                break
            found[place] = stories[rows[:ROWS]]
        else:
            return model, found


def _made(losses: Losses, settings: dict[str, Any]) -> Callable[..., float]:
    """A mistake as a function of the exercise's arguments, which it knows already."""
    return lambda *_: losses.value(**{"formula": _share, **settings})


@exercise("3a.10", "loss_recovered", minutes=6, hints=1)
def loss_recovered(t: Trial, student: Function) -> None:
    """A perfect SAE gives 1; a good, a poor and a harmful one what three cross-entropies say."""
    model: Any = None
    kinds = [(0.2, 0.3), (0.7, 0.4), (-1.0, 0.2), (1.0, 0.0)]
    places = [tiny.HOOK_POINTS[i] for i in (1, 2, 3, 0)]
    for case, blur, hook_point in zip(t.cases(len(kinds)), kinds, places, strict=True):
        if model is None:
            model, stories = _world(case, places)
            before = tiny.weights(model)
        watched = tiny.Watched(student)
        chosen = torch.randperm(ROWS, generator=case.generator)[: case.size("rows")]
        arguments = {
            "model": model,
            "sae": Blurred(case, *blur),
            "tokens": stories[hook_point][chosen.to(case.device)],
            "hook_point": hook_point,
        }
        losses = Losses(*arguments.values())
        t.against(
            watched.function,
            arguments,
            _made(losses, {}),
            mistakes={sentence: _made(losses, settings) for sentence, settings in MISTAKES.items()},
            rtol=5e-4,
            atol=5e-4,
        )
        watched.require_clean(t, model, before)
