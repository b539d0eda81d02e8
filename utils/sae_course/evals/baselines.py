"""What an SAE has to beat: dictionaries that nobody trained, on the same tokens, with as many firing at once.

Each is `Units`, as the SAE itself is. Whatever has to be fitted (principal axes, the true features' own
directions) is fitted on the choosing rows, and used on all.

- **PCA**: the directions of largest variance, two units each (one for either sign), as many directions as
  the SAE's L0. The best linear reconstruction of that size, and no reason why a unit should mean something.
- **neurons**: of an MLP its own neurons, otherwise the coordinates of the activation; the largest in size at
  each token, with as many as the SAE's L0.
- **frozen random decoder**: as many random directions as the SAE has latents, and the best code of its L0
  that can be found for them, by iterative hard thresholding (Blumensath and Davies 2009, "Iterative hard
  thresholding for compressed sensing"). What a sparse code is worth without a dictionary that was learned.
- **true features**: where they are known, the labels themselves as units, each writing the direction that
  explains the activations best together with the others (least squares).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..data.labels import Labels
from ..runtime.streams import stream_seed
from .activations import harvest
from .units import Units

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

PCA, NEURONS, RANDOM, TRUE = "PCA", "neurons", "frozen random decoder", "true features"
TWIN = "random twin's SAE"
"""The SAE of the same architecture with random weights: it has to be trained, so it is given and not made."""
NAMES = (TWIN, RANDOM, PCA, NEURONS, TRUE)
"""All baselines, in the order in which they are shown."""
_STEPS, _STEP = 10, 3.0
"""Of iterative hard thresholding, and how long they are beside 1 / ‖D‖², the length that is safe for codes
that aren't sparse. Measured at the mini models' hook points: 25 steps explain .01 more of the variance, and
steps of 1 / ‖D‖² explain .03 to .1 less."""
_AT_ONCE = 4096
_RIDGE = 1e-3
"""Of the true features' least squares, as a share of a feature's own variance: some are sums of others."""


@torch.no_grad()
def pca_units(x: Float[Tensor, "rows pos d_in"], k: int, fit: Bool[Tensor, " rows"]) -> Units:
    """The first k principal directions of the fitting rows, as 2 k units that are never negative."""
    known = x[fit].flatten(0, 1)
    mean = known.mean(0)
    covariance = ((known - mean).T @ (known - mean) / len(known)).cpu().double()
    axes = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, : min(k, x.shape[-1])].to(x.device, x.dtype)
    along = (x - mean) @ axes
    a = torch.cat([along, -along], dim=-1).relu()
    directions = torch.cat([axes.T, -axes.T])
    return Units(PCA, x, a, directions, a @ directions + mean)


@torch.no_grad()
def neuron_units(
    x: Float[Tensor, "rows pos d_in"],
    k: int,
    fit: Bool[Tensor, " rows"],
    neurons: Float[Tensor, "rows pos d_mlp"] | None = None,
    W_out: Float[Tensor, "d_mlp d_in"] | None = None,
) -> Units:
    """The k units largest at each token less their mean over the fitting rows: neurons, or coordinates.

    Args:
        neurons, W_out: of an MLP whose output x is; the coordinates of x when not given.
    """
    if neurons is None or W_out is None:
        values, directions = x, torch.eye(x.shape[-1], device=x.device, dtype=x.dtype)
    else:
        values, directions = neurons, _norm_after(neurons, W_out, x, fit)
    mean_value, mean = values[fit].mean((0, 1)), x[fit].mean((0, 1))
    kept = _largest(values - mean_value, min(k, values.shape[-1]))
    return Units(NEURONS, x, kept, directions, kept @ directions + mean)


def _norm_after(
    values: Float[Tensor, "rows pos d_mlp"],
    W_out: Float[Tensor, "d_mlp d_in"],
    x: Float[Tensor, "rows pos d_in"],
    fit: Bool[Tensor, " rows"],
) -> Float[Tensor, "d_mlp d_in"]:
    """W_out, each output dimension scaled so that it fits the activations best.

    Some architectures (Gemma 2) have a norm between the MLP and the hook point: its scale is fitted here.
    """
    made = values[fit].flatten(0, 1) @ W_out
    made, known = made - made.mean(0), x[fit].flatten(0, 1)
    known = known - known.mean(0)
    return W_out * ((made * known).sum(0) / made.square().sum(0).clamp(min=1e-30))


@torch.no_grad()
def random_units(
    x: Float[Tensor, "rows pos d_in"], d_sae: int, k: int, fit: Bool[Tensor, " rows"], *, seed: int = 0
) -> Units:
    """d_sae random directions, of which k or fewer code each activation; the mean is taken off first.

    a ← the k largest of relu(y + η D (x − Dᵀy)), from 0, with y the last a and a share of the last change
    (Nesterov's momentum, as in FISTA: Beck and Teboulle 2009).
    """
    stream = torch.Generator().manual_seed(stream_seed("frozen random decoder", seed))
    D = torch.randn(d_sae, x.shape[-1], generator=stream)
    D = (D / D.norm(dim=1, keepdim=True)).to(x.device, x.dtype)
    step = float(_STEP / torch.linalg.matrix_norm(D, 2) ** 2)
    mean = x[fit].mean((0, 1))
    parts = []
    for some in (x - mean).flatten(0, 1).split(_AT_ONCE):
        a = ahead = some.new_zeros(len(some), d_sae)
        t, length, least = 1.0, step, float(some.square().sum())
        for _ in range(_STEPS):
            last, a = a, _largest((ahead + length * ((some - ahead @ D) @ D.T)).relu(), min(k, d_sae))
            error = float((some - a @ D).square().sum())
            if error > least:  # too long a step for a code this dense: back, and more slowly
                a, t, length, ahead = last, 1.0, length / 2, last
                continue
            least, before, t = error, t, (1 + (1 + 4 * t**2) ** 0.5) / 2
            ahead = a + (before - 1) / t * (a - last)
        parts.append(a)
    a = torch.cat(parts).reshape(*x.shape[:2], d_sae)
    return Units(RANDOM, x, a, D, a @ D + mean)


@torch.no_grad()
def true_units(x: Float[Tensor, "rows pos d_in"], labels: Labels, fit: Bool[Tensor, " rows"]) -> Units:
    """The labels as units. What they leave unexplained is what nobody has a name for."""
    a = torch.from_numpy(labels.values).to(x.device, x.dtype)
    known, target = a[fit].flatten(0, 1), x[fit].flatten(0, 1)
    mean_a, mean = known.mean(0), target.mean(0)
    centred = known - mean_a
    variance = centred.square().mean(0)
    gram = centred.T @ centred / len(centred) + torch.diag(_RIDGE * variance + 1e-9)
    directions = torch.linalg.solve(gram, centred.T @ (target - mean) / len(centred))
    return Units(TRUE, x, a, directions, (a - mean_a) @ directions + mean)


def _behind(
    model: "HookedTransformer", tokens: Int[Tensor, "rows pos"], hook_point: str, positions: slice
) -> "tuple[Tensor | None, Tensor | None]":
    """The neurons behind an MLP's output, and what each writes; nothing of another hook point."""
    block, _, end = hook_point.rpartition(".")
    if end != "hook_mlp_out":
        return None, None
    values = harvest(model, tokens, f"{block}.mlp.hook_post")[:, positions]
    mlp: Any = model.blocks[int(block.split(".")[1])].mlp
    return values, mlp.W_out.detach()


def _largest(values: Float[Tensor, "*batch n"], k: int) -> Float[Tensor, "*batch n"]:
    """Those of the k largest size at each place, with their sign; 0 for the others."""
    places = values.abs().topk(k, dim=-1).indices
    return torch.zeros_like(values).scatter_(-1, places, values.gather(-1, places))


def baseline_units(
    model: "HookedTransformer",
    tokens: Int[Tensor, "rows pos"],
    hook_point: str,
    own: Units,
    fit: Bool[Tensor, " rows"],
    *,
    labels: Labels | None = None,
    positions: slice = slice(None),
    seed: int = 0,
) -> "tuple[dict[str, Units], dict[str, str]]":
    """All of them for one SAE's units; and for each that there isn't, why.

    Args:
        tokens: whole rows; ``own`` is of their ``positions``.
        fit: rows on which axes and directions are fitted.
    """
    k = max(1, round(float((own.a != 0).sum(-1).double().mean())))
    wanted: dict[str, Callable[[], Units]] = {
        PCA: lambda: pca_units(own.x, k, fit),
        NEURONS: lambda: neuron_units(own.x, k, fit, *_behind(model, tokens, hook_point, positions)),
        RANDOM: lambda: random_units(own.x, own.a.shape[-1], k, fit, seed=seed),
    }
    missing: dict[str, str] = {}
    if labels is None or not len(labels):
        missing[TRUE] = (labels.missing if labels is not None else "") or "no truth was given"
    else:
        wanted[TRUE] = lambda: true_units(own.x, labels, fit)
    return {name: make() for name, make in wanted.items()}, missing
