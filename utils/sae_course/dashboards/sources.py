"""Direct attribution of an attention latent to the tokens it attends to."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from .examples import Example, Sources
from .subject import Subject

if TYPE_CHECKING:
    from .numbers import LatentNumbers

_ROWS_AT_ONCE = 8
_BEFORE, _AFTER = 4, 3  # tokens shown around the one that gave most


@torch.no_grad()
def add_sources(subject: Subject, tokens: Int[Tensor, "rows pos"], numbers: "list[LatentNumbers]") -> None:
    """Fill in `Example.sources`, around the token that gave the most.

    With A_h the attention of head h from the example's token and v_h the values: source s gives
    sum over h of A_h[s] v_h[s] · W_enc[h], the latent's encoder vector cut into heads.
    """
    wanted: dict[int, list[tuple[int, Example]]] = {}
    for one in numbers:
        for example in one.examples:
            wanted.setdefault(example.row, []).append((one.latent, example))
    model, layer = subject.model, subject.layer
    names = [f"blocks.{layer}.attn.{kind}" for kind in ("hook_v", "hook_pattern")]
    encoder = subject.sae.W_enc.detach().to(model.cfg.device, torch.float32)
    for rows in torch.tensor(sorted(wanted), dtype=torch.long).split(_ROWS_AT_ONCE):
        _, cache = model.run_with_cache(
            tokens[rows], names_filter=lambda name: name in names, stop_at_layer=layer + 1, return_type=None
        )
        value, pattern = (cache[name].float() for name in names)
        value = value.repeat_interleave(pattern.shape[1] // value.shape[2], dim=2)  # heads that share values
        for i, row in enumerate(rows.tolist()):
            for latent, example in wanted[row]:
                heads = encoder[:, latent].reshape(value.shape[2], value.shape[3])
                given = torch.einsum("hs,shd,hd->s", pattern[i, :, example.pos], value[i], heads)
                most = int(given[: example.pos + 1].argmax())
                start, stop = max(0, most - _BEFORE), min(tokens.shape[1], most + _AFTER + 1)
                example.sources = Sources(start, tokens[row, start:stop].tolist(), given[start:stop].tolist())
