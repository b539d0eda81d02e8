"""Check of 5.5: activation times gradient, from every source latent to one target latent."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
import torch.autograd.forward_ad as forward
from torch import Tensor

from ...evals.sites import Site
from ..core import exercise
from ..failure import CheckFailed
from ..mistakes import Guesses
from ..trial import Function, Trial, name_of
from .subject import KINDS, SIZES, Before, before, half_firing, leaves_no_trace, tiny_arguments


def _right(
    now: Before, *, model: Any, source: Site, target: Site, tokens: Tensor, latent: int, where: Tensor
) -> Tensor:
    """How fast the sum of b grows as each source latent is turned up: forward, one tangent for each latent.

    In a single run: a block of rows for each latent, in which that latent alone has a tangent, of its own
    size at every token.
    """
    n = now.a.shape[-1]
    # [latent rows pos d_source], 0 but for the latent itself.
    tangent = torch.diag_embed(now.a).permute(3, 0, 1, 2)
    many, kept = now.a.repeat(n, 1, 1), {}

    def put(value: Tensor, hook: Any) -> Tensor:
        dual = forward.make_dual(many, tangent.flatten(0, 1))
        return now.z.repeat(n, 1, 1, 1) + source.sae.decode(dual) - source.sae.decode(many)

    def read(value: Tensor, hook: Any) -> None:
        kept["b"] = forward.unpack_dual(target.sae.encode(value)[..., latent]).tangent

    hooks = [(source.hook_point, put), (target.hook_point, read)]
    with torch.no_grad(), forward.dual_level():
        model.run_with_hooks(tokens.repeat(n, 1), return_type=None, fwd_hooks=hooks)
    return (kept["b"].unflatten(0, (n, -1)) * where).sum(dim=(1, 2))


def _summed(a: Tensor, gradient: Tensor, where: Tensor) -> Tensor:
    return (a * gradient).sum(dim=(0, 1))


# Right but for what is made of a and the gradient: of a, the gradient [rows pos d_source] and where.
ENDS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "every gradient is 0: decode(a) is added and taken away again. The second must be detached.": (
        lambda a, gradient, where: torch.zeros_like(a[0, 0])
    ),
    "the gradient alone was summed: multiply it by a first.": (
        lambda a, gradient, where: gradient.sum(dim=(0, 1))
    ),
    "a was summed and the gradient was summed, and then they were multiplied: multiply first, token by "
    "token.": lambda a, gradient, where: a.sum(dim=(0, 1)) * gradient.sum(dim=(0, 1)),
    "the sum goes over the latents, and leaves one number a token: sum over the tokens, dim=(0, 1).": (
        lambda a, gradient, where: (a * gradient).sum(dim=-1)
    ),
    "the tokens are not summed yet: .sum(dim=(0, 1)).": lambda a, gradient, where: a * gradient,
    "this is the mean over the source's tokens: their sum is wanted.": (
        lambda a, gradient, where: (a * gradient).mean(dim=(0, 1))
    ),
    "this is the mean of b: the gradient of its sum is wanted.": (
        lambda a, gradient, where: _summed(a, gradient, where) / where.sum()
    ),
    "absolute values were summed: an attribution keeps its sign.": (
        lambda a, gradient, where: (a * gradient).abs().sum(dim=(0, 1))
    ),
    "only the source's last position was taken: sum over all of them.": (
        lambda a, gradient, where: (a * gradient)[:, -1].sum(dim=0)
    ),
    "the source's tokens were picked by `where`: it says which b count, and a counts at every token.": (
        lambda a, gradient, where: (a * gradient)[where].sum(dim=0)
    ),
}
NORM = "the length of the decoder's rows was multiplied in: it is in the gradient already, by decode."
NOWHERE = "`where` is ignored: only the b of its tokens are summed, b[where]."
ALL = "every target latent was summed: one is asked for, encode(z)[..., latent]."
BELOW = (
    "the target's pre-activation: where it is below the threshold the latent is silent, and nothing counts. "
    "Take encode's result."
)
NO_ERROR = (
    "the SAE's error is lost: z was replaced by decode(a). Return z + written − written.detach(), which "
    "changes no value."
)
LATE = {
    "not have been used in the graph": (
        "b was not made from a. Does the source's hook return z + written − written.detach(), with the "
        "same a that is kept? Is the source's hook at the source, and the target's at the target?"
    ),
    "does not require grad": (
        "torch.no_grad() around the run, or a .detach() that cuts b from a. "
        "a = encode(z).detach().requires_grad_() is a leaf, and decode(a) carries its gradient."
    ),
}


@exercise("5.5", "attribute", minutes=12, hints=3)
def attribute(t: Trial, student: Function) -> None:
    """Three kinds of SAE with errors and biases, a target latent that fires at about half of the tokens.

    The result comes without its graph, and no hook stays on the model.
    """
    for number, case in enumerate(t.cases(len(KINDS), **SIZES)):
        arguments = tiny_arguments(case, KINDS[number])
        now = before(**arguments)
        arguments |= {"latent": half_firing(now.b), "where": case.mask("rows pos")}
        sentences = [*ENDS, NORM, NOWHERE, ALL, BELOW, NO_ERROR]
        try:
            result = t.against(
                student,
                arguments,
                _right(now, **arguments),
                axes="d_source",
                mistakes=Guesses(sentences, partial(_guesses, now, **arguments)),
            )
        except CheckFailed as failure:
            for words, likely in LATE.items():
                if failure.kind == "raised" and words in failure.problem:
                    failure.likely = likely
            raise
        t.require(
            not result.requires_grad,
            f"{name_of(student)} gives the right values, but with their graph (requires_grad is True): it "
            "keeps the whole run in memory, and a plot refuses them.",
            likely="a .detach() at the end is missing.",
            kind="graph",
        )
        if number == 0:
            leaves_no_trace(t, student, arguments)


def _guesses(
    now: Before, *, model: Any, source: Site, target: Site, tokens: Tensor, latent: int, where: Tensor
) -> dict[str, Tensor]:
    """Backward, unlike the reference."""
    (z, a, _), reader, writer = now, cast(Any, target.sae), cast(Any, source.sae)
    leaf = a.clone().requires_grad_()

    def at_target(new: Tensor) -> Tensor:
        kept: dict[str, Tensor] = {}
        hooks = [
            (source.hook_point, lambda value, hook: new),
            (target.hook_point, lambda value, hook: kept.update(z=value)),
        ]
        model.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
        return kept["z"]

    def part(b: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(b.sum(), leaf, retain_graph=True)
        return gradient

    seen = at_target(z + source.sae.decode(leaf) - source.sae.decode(a).detach())
    b, alone = target.sae.encode(seen), target.sae.encode(at_target(source.sae.decode(leaf)))
    gradient = part(b[where][:, latent])
    read = reader.W_enc[:, latent]  # what is added to make the pre-activation has no gradient
    return {
        **{sentence: end(a, gradient, where) for sentence, end in ENDS.items()},
        NORM: _summed(a, gradient, where) * writer.W_dec.detach().norm(dim=1),
        NOWHERE: _summed(a, part(b[..., latent]), where),
        ALL: _summed(a, part(b[where]), where),
        BELOW: _summed(a, part(seen[where].flatten(1) @ read), where),
        NO_ERROR: _summed(a, part(alone[where][:, latent]), where),
    }
