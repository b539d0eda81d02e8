"""The figures of a card, measured: when the model is shipped, and again by whoever doubts one."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from .batches import batches
from .cards import Behaviour, Card
from .measures import measure
from .own_text import OwnText, text_behaviours
from .specs import ModelSpec

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer

HELD_OUT = "held-out loss"
_AT_ONCE = 32
_BATCHES = 8


@dataclass(frozen=True)
class Compared:
    """One figure of a card, beside the same measured again."""

    name: str
    card: float
    again: float
    behaviour: Behaviour
    control: bool = False
    """Whether it is the random-weights twin's."""

    @property
    def same(self) -> bool:
        """Whether the two differ by no more than the behaviour's tolerance."""
        return abs(self.card - self.again) <= self.behaviour.tolerance


def figures(
    spec: ModelSpec, model: "HookedSAETransformer", own: OwnText | None = None
) -> tuple[float, list[Behaviour]]:
    """The held-out loss of ``model``, in nats per token, and its behaviours.

    Args:
        spec: says which behaviours.
        own: the text of a learner's own model.
    """
    if own is not None:
        behaviours = text_behaviours(_loss_on_rows(model, own), own, spec.d_vocab)
    else:
        behaviours = measure(spec.name, model)
    for behaviour in behaviours:
        if behaviour.name == HELD_OUT:
            return behaviour.value, behaviours
    return _loss_on_batches(spec, model), behaviours


def with_controls(behaviours: list[Behaviour], twin: list[Behaviour]) -> list[Behaviour]:
    """The behaviours with the same of the random-weights twin as their controls."""
    controls = {behaviour.name: behaviour.value for behaviour in twin}
    return [replace(behaviour, control=controls.get(behaviour.name)) for behaviour in behaviours]


def compare(
    card: Card, held_out_loss: float, behaviours: list[Behaviour], twin: list[Behaviour]
) -> list[Compared]:
    """Every figure of the card beside the one just measured, which is NaN where there was none."""
    loss = Behaviour(name=HELD_OUT, value=card.held_out_loss, what="", sample="", unit="nats")
    out = [Compared(HELD_OUT, card.held_out_loss, held_out_loss, loss)]
    for found, control in ((behaviours, False), (twin, True)):
        again = {behaviour.name: behaviour.value for behaviour in found}
        for behaviour in card.behaviours:
            told = behaviour.control if control else behaviour.value
            if told is not None and (control or behaviour.name != HELD_OUT):
                value = again.get(behaviour.name, float("nan"))
                out.append(Compared(behaviour.name, told, value, behaviour, control))
    return out


@torch.no_grad()
def _loss_on_rows(model: "HookedSAETransformer", own: OwnText) -> float:
    """Over all held-out rows; in nats per token after the first of a row."""
    total = 0.0
    for first in range(0, len(own.held_out), _AT_ONCE):
        tokens = torch.from_numpy(own.held_out[first : first + _AT_ONCE].astype("int64"))
        total += model(tokens.to(model.cfg.device), return_type="loss").item() * len(tokens)
    return total / len(own.held_out)


@torch.no_grad()
def _loss_on_batches(spec: ModelSpec, model: "HookedSAETransformer") -> float:
    """Over the first held-out batches, as in training."""
    held_out = batches(spec, "test")
    losses = []
    for number in range(_BATCHES):
        batch = held_out(number).to(str(model.cfg.device))
        losses.append(batch.loss(model(batch.tokens, return_type="logits")).item())
    return sum(losses) / len(losses)
