"""Prompts run with an activation edited at some of their tokens, and the parts that an edit is made of.

An edit is a sum of parts, each of one unit of some source, ranked: the first k make the edit of k units. The
rule is the same for all sources: first, the part c d whose first-order effect on the logit difference D,
|c d · ∂D/∂x| summed over the edited tokens, is largest.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..runtime import CourseError
from .activations import flat_heads
from .splicing import replaced

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

    from ..data.indirect_objects import IndirectObjects

Position = int | Literal["all"]
Parts = Float[Tensor, "n units places d_in"]


class Asked(NamedTuple):
    """Prompts whose last token the answer follows, and where they are edited."""

    model: "HookedTransformer"
    rows: Int[Tensor, "n pos"]
    answer: Int[Tensor, "n 1"]
    other: Int[Tensor, "n 1"]
    hook_point: str
    places: list[int]

    def difference(self, logits: Float[Tensor, "n pos d_vocab"]) -> Float[Tensor, " n"]:
        """The answer's logit less the other's."""
        last = logits[:, -1]
        return (last.gather(1, self.answer) - last.gather(1, self.other))[:, 0]

    def some(self, which: Tensor) -> "Asked":
        """Some of the prompts, by number or as a mask; the same one as often as it is named."""
        return self._replace(rows=self.rows[which], answer=self.answer[which], other=self.other[which])


def edited_places(position: Position, giver_at: int, n_pos: int) -> list[int]:
    """The tokens that are edited, from the front.

    Raises:
        CourseError: for a position that there isn't.
    """
    if position == "all":
        return list(range(giver_at, n_pos))
    if not isinstance(position, int) or not -n_pos <= position < n_pos:
        raise CourseError(
            f'position is a place of these prompts of {n_pos} tokens, or "all"; this is {position!r}.'
        )
    return [position % n_pos]


def edited(
    asked: Asked, edits: Float[Tensor, "edits n places d_in"], *, batch: int
) -> Float[Tensor, "edits n"]:
    """The logit difference of every prompt with each edit added to its activation; on the CPU."""
    n = edits.shape[1]
    found = []
    for which in torch.arange(len(edits) * n, device=asked.rows.device).split(batch):
        some, change = asked.some(which % n), edits.flatten(0, 1)[which]

        def add(x: Float[Tensor, "n pos d_in"], change: Tensor = change) -> Float[Tensor, "n pos d_in"]:
            x = x.clone()
            x[:, asked.places] += change
            return x

        found.append(some.difference(replaced(asked.model, some.rows, asked.hook_point, add)))
    return torch.cat(found).reshape(-1, n).float().cpu()


@torch.enable_grad()
def gradient(asked: Asked, *, batch: int) -> Float[Tensor, "n places d_in"]:
    """Of each prompt's logit difference by its activation, at the places that are edited."""
    parts = []
    for which in torch.arange(len(asked.rows), device=asked.rows.device).split(batch):
        some = asked.some(which)
        kept: list[Tensor] = []

        def keep(value: Tensor, hook: Any, kept: list[Tensor] = kept) -> Tensor:
            kept.append(value.detach().requires_grad_())
            return kept[0]

        logits = asked.model.run_with_hooks(
            some.rows, return_type="logits", fwd_hooks=[(asked.hook_point, keep)]
        )
        (slope,) = torch.autograd.grad(some.difference(logits).sum(), kept[0])
        parts.append(flat_heads(slope, some.rows, asked.hook_point)[:, asked.places])
    return torch.cat(parts)


def ranked(
    change: Float[Tensor, "n places units"],
    directions: Float[Tensor, "units d_in"],
    slope: Float[Tensor, "n places d_in"],
    most: int,
) -> Parts:
    """The parts of units that write along directions, by what they change; at most so many."""
    return picked(change, directions, (change * (slope @ directions.T)).sum(1).abs(), most)


def at_random(
    change: Float[Tensor, "n places units"],
    directions: Float[Tensor, "units d_in"],
    most: int,
    stream: torch.Generator,
) -> Parts:
    """The same of units in random order, for each prompt another; those that change at all come first."""
    drawn = 1 - torch.rand(len(change), change.shape[2], generator=stream).to(change)
    return picked(change, directions, drawn * (change != 0).any(1), most)


def picked(
    change: Float[Tensor, "n places units"],
    directions: Float[Tensor, "units d_in"],
    score: Float[Tensor, "n units"],
    most: int,
) -> Parts:
    """The parts of the units with the highest score, the highest first."""
    chosen = score.topk(min(most, score.shape[1]), dim=1).indices
    along = change.gather(2, chosen[:, None].expand(-1, change.shape[1], -1)).transpose(1, 2)
    return along[..., None] * directions[chosen][:, :, None]


def swapped(
    samples: Float[Tensor, "samples places d_in"],
    seen: list[Int[Tensor, " samples"]],
    steps: list[tuple[Int[Tensor, " n"], Int[Tensor, " n"]]],
    slope: Float[Tensor, "n places d_in"],
) -> Parts:
    """The parts of true features: each feature's mean activation at its new value less that at its old one.

    Args:
        samples: activations that the means are taken of.
        seen: of each feature, its value in every sample.
        steps: of each feature, its old and its new value in every prompt.

    Raises:
        CourseError: for a value that no sample has.
    """
    parts = []
    for values, (old, new) in zip(seen, steps, strict=True):
        known, which = values.unique(return_inverse=True)
        missing = sorted(set(torch.cat([old, new]).tolist()) - set(known.tolist()))
        if missing:
            raise CourseError(
                f"The names with the tokens {missing} are in no prompt that chooses, so that their mean "
                "activation isn't known: take more prompts, or fewer names (n_names)."
            )
        sums = samples.new_zeros(len(known), *samples.shape[1:]).index_add_(0, which, samples)
        means = sums / which.bincount()[:, None, None]
        parts.append(means[torch.searchsorted(known, new)] - means[torch.searchsorted(known, old)])
    found = torch.stack(parts, dim=1)
    order = (found * slope[:, None]).sum((2, 3)).abs().argsort(dim=1, descending=True, stable=True)
    return found[torch.arange(len(found), device=found.device)[:, None], order]


def features(
    task: "IndirectObjects", choosing: Bool[Tensor, " n"]
) -> tuple[list[Tensor], list[tuple[Tensor, Tensor]]]:
    """Who gets, who gives, and whether the one who gets is named first; as `swapped` takes them.

    The samples are the prompts that choose, then their opposites; the steps are those of the other prompts.
    """
    answer, other, first = (
        torch.as_tensor(np.asarray(one)).long().to(choosing.device)
        for one in (task.answer, task.other, task.answer_first)
    )
    both = [(answer, other), (other, answer), (first, 1 - first)]
    return (
        [torch.cat([old[choosing], new[choosing]]) for old, new in both],
        [(old[~choosing], new[~choosing]) for old, new in both],
    )


def sums(parts: Parts, ks: Sequence[int]) -> list[Float[Tensor, "n places d_in"]]:
    """The edits of the first k units, or of all where there are fewer."""
    total = parts.cumsum(1)
    return [total[:, min(k, parts.shape[1]) - 1] for k in ks]


def components(samples: Float[Tensor, "samples places d_in"]) -> Float[Tensor, "components d_in"]:
    """Principal directions of activations, of length 1, that of largest variance first."""
    x = samples.flatten(0, 1)
    return torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh
