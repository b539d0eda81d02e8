"""Check of 2a.9 matryoshka_loss: the first latents have to make do without the rest."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..core import exercise
from ..mistakes import Mistakes
from ..trial import Function, Trial
from . import reference
from .inputs import decoder

Loss = Callable[..., Tensor]


def _made_of(
    select: Callable[[Tensor, int, int], Tensor], bias: Callable[[int], float] = lambda i: 1
) -> Loss:
    """The loss with other latents: ``select`` is given all, and a width and the one before it.

    ``bias`` says how often the width's reconstruction contains it.
    """

    def wrong(h: Tensor, latents: Tensor, W_dec: Tensor, b_dec: Tensor, widths: Sequence[int]) -> Tensor:
        total = torch.zeros_like(h[:, 0, 0])
        for i, width in enumerate(widths):
            kept = select(latents, width, widths[i - 1] if i else 0)
            total = total + reference.squared_error(kept @ W_dec + bias(i) * b_dec[:, None], h)
        return total

    return wrong


def _first(latents: Tensor, width: int, _: int) -> Tensor:
    return latents * (torch.arange(latents.shape[-1], device=latents.device) < width)


def _widths(change: Callable[[Sequence[int], int], Sequence[int]]) -> Loss:
    """The right loss of other widths; ``change`` is given d_sae, too."""

    def wrong(h: Tensor, latents: Tensor, W_dec: Tensor, b_dec: Tensor, widths: Sequence[int]) -> Tensor:
        return reference.matryoshka_loss(h, latents, W_dec, b_dec, change(widths, latents.shape[-1]))

    return wrong


def _joined(join: Callable[[Tensor], Tensor]) -> Loss:
    """The widths' losses put together in another way."""

    def wrong(h: Tensor, latents: Tensor, W_dec: Tensor, b_dec: Tensor, widths: Sequence[int]) -> Tensor:
        each = [reference.matryoshka_loss(h, latents, W_dec, b_dec, [width]) for width in widths]
        return join(torch.stack(each))

    return wrong


def _mean_reconstruction(
    h: Tensor, latents: Tensor, W_dec: Tensor, b_dec: Tensor, widths: Sequence[int]
) -> Tensor:
    """The error of the sum of all widths' reconstructions."""
    together = torch.stack([_first(latents, width, 0) for width in widths]).sum(0)
    return reference.squared_error(together @ W_dec + len(widths) * b_dec[:, None], h)


def _tied(h: Tensor, latents: Tensor, W_dec: Tensor, b_dec: Tensor, widths: Sequence[int]) -> Tensor:
    again = torch.relu((h - b_dec[:, None]) @ W_dec.mT)
    return reference.matryoshka_loss(h, again, W_dec, b_dec, widths)


def _sums(change: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """The right loss, then something done to it that depends on the sizes of ``h``."""

    def wrong(h: Tensor, *rest: Any) -> Tensor:
        return change(reference.matryoshka_loss(h, *rest), h)

    return wrong


def _detached(which: int) -> Loss:
    """The right loss with one of its inputs detached."""

    def wrong(*inputs: Any) -> Tensor:
        given = list(inputs)
        given[which] = given[which].detach()
        return reference.matryoshka_loss(*given)

    return wrong


MISTAKES: Mistakes = {
    "slices that don't overlap, each by itself: every width begins at latent 0.": _made_of(
        lambda latents, width, before: _first(latents, width, 0) - _first(latents, before, 0)
    ),
    "the latents *from* the width on; the first ones, [..., :width].": _made_of(
        lambda latents, width, before: latents - _first(latents, width, 0)
    ),
    "every width has all latents; only the first ones, [..., :width].": _made_of(
        lambda latents, width, before: latents
    ),
    "a latent too few: [..., :width] has the latents 0 to width - 1.": _made_of(
        lambda latents, width, before: _first(latents, width - 1, 0)
    ),
    "b_dec is missing: each width's reconstruction has it.": _made_of(_first, lambda i: 0),
    "b_dec is in the first width's reconstruction only; in each.": _made_of(_first, lambda i: float(i == 0)),
    "b_dec is added anew at each width, and piles up; each reconstruction has it once.": _made_of(
        _first, lambda i: i + 1
    ),
    "b_dec is subtracted; add it.": _made_of(_first, lambda i: -1),
    "the last width is left out.": _widths(lambda widths, d_sae: widths[:-1]),
    "the first width is left out.": _widths(lambda widths, d_sae: widths[1:]),
    "only the last width counts; add up all of them.": _widths(lambda widths, d_sae: widths[-1:]),
    "only the first width counts; add up all of them.": _widths(lambda widths, d_sae: widths[:1]),
    "the whole SAE is counted whatever the widths: count those that are given.": _widths(
        lambda widths, d_sae: [*widths, d_sae]
    ),
    "the whole SAE takes the last width's place: count those that are given.": _widths(
        lambda widths, d_sae: [*widths[:-1], d_sae]
    ),
    "averaged over the widths; add them up.": _joined(lambda each: each.mean(0)),
    "the widths' losses are multiplied; add them up.": _joined(lambda each: each.prod(0)),
    "the largest of the widths' losses; add them up.": _joined(lambda each: each.amax(0)),
    "the widths' reconstructions are added up before the error; each is compared with h.": (
        _mean_reconstruction
    ),
    "the squared error is averaged over d_in; sum over it (squared_error does).": _sums(
        lambda loss, h: loss / h.shape[-1]
    ),
    "the squared error is summed over the batch; average over it.": _sums(lambda loss, h: loss * h.shape[1]),
    "the instances were averaged; each has a loss of its own.": _sums(lambda loss, h: loss.mean()),
    "the latents are computed anew with the decoder as encoder: they are not tied; take those given.": _tied,
    "the latents are detached: then no width teaches the encoder.": _detached(1),
    "the decoder is detached: the first latents' vectors are what this loss is to shape.": _detached(2),
    "b_dec is detached: it learns from every width.": _detached(3),
}


def _given_unit(loss: Function) -> Function:
    """The same of a decoder that is normalised before.

    Its gradient has then no part along the vectors: whether the learner normalises once more makes no
    difference, here as in training.
    """
    if not callable(loss):
        return loss

    @functools.wraps(loss)
    def of_any(h: Tensor, latents: Tensor, W_dec: Tensor, b_dec: Tensor, widths: Sequence[int]) -> Any:
        return loss(h, latents, reference.unit(W_dec), b_dec, widths)

    return of_any


@exercise("2a.9", "matryoshka_loss", minutes=7, hints=1)
def matryoshka_loss(t: Trial, student: Function) -> None:
    """Values and gradients: several widths or one, which need not end with the whole SAE's."""
    every: tuple[Sequence[int], ...] = ((4, 9, 16), (3, 8), [2, 5, 11, 16], (7,), [16], (1, 6, 10, 13))
    wrong = {sentence: _given_unit(mistake) for sentence, mistake in MISTAKES.items()}
    for case, widths in zip(t.cases(len(every), d_sae=16), every, strict=True):
        arguments: dict[str, Any] = {
            "h": case.normal("inst batch d_in", scale=2.0),
            "latents": case.uniform("inst batch d_sae", 0.1, 1.5, grad=True),
            "W_dec": decoder(case, grad=True),
            "b_dec": case.normal("inst d_in", grad=True),
            "widths": widths,
        }
        # Whether W_dec itself is left alone: below, what the learner is given is not the check's own
        t.call(student, arguments | {"W_dec": reference.unit(arguments["W_dec"]).detach()})
        t.against(
            _given_unit(student),
            arguments,
            _given_unit(reference.matryoshka_loss),
            axes="inst",
            wrt=["latents", "W_dec", "b_dec"],
            mistakes=wrong,
        )
