"""Pages of latents: where they fire, how strongly, and what they write."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..evals.activations import token_rows
from ..runtime import CourseError
from . import thin
from .effects import add_effects
from .numbers import LatentNumbers, latent_numbers, read
from .page import Dashboard
from .sae_vis_script import dashboard_document
from .sources import add_sources
from .subject import Subject
from .tokens import TokenNames

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int
    from sae_lens import SAE
    from torch import Tensor
    from transformer_lens import HookedTransformer


def latent_dashboard(
    model: "HookedTransformer",
    sae: "SAE[Any]",
    tokens: "Int[Tensor, 'rows pos'] | Int[np.ndarray, 'rows pos']",
    latents: int | Iterable[int],
    *,
    first: int | None = None,
    title: str = "",
) -> Dashboard:
    """A page for each of some latents, over some tokens.

    On it: the histogram of the latent's activations where it fires; the tokens whose logits it raises and
    lowers, and the histogram over the vocabulary (`evals.logit_lens`); the tokens where it is
    strongest, at most one of neighbours; five tokens from each tenth of its range; the latents that fire with
    it (Pearson's r over these tokens), and for an SAE on neurons, the neurons. Over a token, the mouse shows
    what the latent, active at the token before, did to its probability (`Effect`): its part is taken out of
    the stream after the last layer, all else as it was. That is exact where no later layer reads the hook
    point; elsewhere, only the straight way is counted.

    The SAE and the model stay as they are. Of an SAE for training, the inference version is shown.

    Args:
        tokens: ids; a few dozen rows say more than one.
        latents: one, or several; their order is the page's.
        first: the latent that is open at the start, and in the notebook; the first one if not given.
        title: of the page; says the hook point if not given.

    Raises:
        CourseError: for a latent that the SAE doesn't have; an SAE of another model, or at a hook point
            without such a page; tokens that the model can't read.
    """
    subject = Subject.of(model, sae)
    chosen = subject.chosen(latents)
    rows = token_rows(model, tokens, least=2)
    front = in_front(first, chosen)
    reading = read(subject, rows, chosen)
    numbers = latent_numbers(subject, rows, chosen, reading)
    add_effects(subject, rows, reading, numbers)
    if subject.reads_heads:
        add_sources(subject, rows, numbers)
    heading = title or f"Latents at {subject.hook_point}"
    name = TokenNames(model)
    by_latent = {one.latent: one for one in numbers}
    return Dashboard(
        title=heading,
        text=summary(heading, numbers, name),
        thin=thin.dashboard(heading, by_latent, front, name),
        draw=lambda: dashboard_document(heading, numbers, front, name, _legend(subject, numbers)),
        latents=by_latent,
        first=front,
    )


def in_front(first: int | None, chosen: list[int]) -> int:
    """The latent that is open at the start.

    Raises:
        CourseError: when ``first`` is none of the chosen ones.
    """
    if first is not None and first not in chosen:
        raise CourseError(f"first={first} is not among the latents {chosen[:10]}: add it there.")
    return chosen[0] if first is None else first


def straight_way(subject: Subject) -> str:
    """What a legend says of effects, unless no later layer reads the hook point."""
    last = subject.layer == subject.model.cfg.n_layers - 1
    exact = last and not subject.hook_point.endswith(("hook_resid_pre", "hook_resid_mid", "hook_attn_out"))
    exact = exact and (not subject.reads_heads or subject.model.cfg.attn_only)
    return "" if exact else ", on the straight way past the later layers"


def summary(title: str, numbers: list[LatentNumbers], name: TokenNames) -> str:
    """What ``print`` shows: a line for each latent."""
    lines = [title]
    for one in numbers:
        fires = f"fires on {one.density:.3%}, at most {one.maximum:.3f}" if one.fired else "never fired"
        raises = ", ".join(repr(name(token)) for token, _ in one.top[:5])
        lines.append(f"  latent {one.latent}: {fires}; raises {raises}")
    return "\n".join(lines)


def _legend(subject: Subject, numbers: list[LatentNumbers]) -> str:
    sources = (
        " On the left, green: how much the latent's input took from each token (direct attribution)."
        if subject.reads_heads
        else ""
    )
    return (
        f"{numbers[0].tokens:,} tokens. Orange: the latent's activation. Logits: what the latent's "
        "direction, at length 1, adds before the final norm divides. The line under a token is the latent's "
        f"effect on that token's loss{straight_way(subject)}: blue where it helped, red where it harmed. "
        "Move the mouse over a token for the numbers." + sources
    )
