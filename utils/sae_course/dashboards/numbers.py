"""Everything a page says about latents, as numbers: where they fire, how strongly, with which others."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..evals.activations import flat_heads
from ..evals.autoencoder import encode, ready
from ..evals.lens import logit_lens
from .effects import effects
from .examples import Example, Group, around, spread, strongest
from .sources import add_sources
from .subject import Subject

BINS = 50
TOP_LOGITS = 10
HOVER_LOGITS = 5
TOP_EXAMPLES, PARTS, PER_PART = 20, 10, 5
RELATED = 5
_ROWS_AT_ONCE = 16


@dataclass(frozen=True)
class Histogram:
    """Counts in equal bins from the lowest value to the highest."""

    counts: list[int]
    edges: list[float]

    @classmethod
    def of(cls, values: Float[Tensor, " n"]) -> "Histogram":
        """Of at least one value."""
        low, high = float(values.min()), float(values.max())
        if low == high:
            low, high = low - 0.5 * abs(low or 1), high + 0.5 * abs(high or 1)
        counts, edges = torch.histogram(values.double().cpu(), BINS, range=(low, high))
        return cls([int(count) for count in counts.tolist()], edges.tolist())


@dataclass
class LatentNumbers:
    """One latent on some tokens."""

    latent: int
    tokens: int
    """That were looked at; those that the SAE's training left out are not among them."""
    density: float
    """The part of them on which it fires."""
    maximum: float
    """Its highest activation; 0 if it never fired."""
    histogram: Histogram | None
    """Of its activations where it fires; None if it never did."""
    top: list[tuple[int, float]]
    """The tokens whose logits its direction raises most, with how much (`evals.logit_lens`)."""
    bottom: list[tuple[int, float]]
    """Those it lowers most."""
    logits: Histogram
    """Of what its direction adds to each token's logit."""
    token_logits: dict[int, float]
    """The same for the tokens that are shown."""
    strongest: list[Example]
    groups: list[Group]
    """Ten equal parts of its range, the highest first."""
    correlated: list[tuple[int, float, float]] = field(default_factory=list)
    """Latents that fire with it: which, Pearson's r, cosine of the activations; the highest r first."""
    neurons: list[tuple[int, float, float]] = field(default_factory=list)
    """Of an SAE on neurons: those of its decoder's largest entries, the entry, its part of the L1 norm."""
    fire_with: list[tuple[int, float, float]] = field(default_factory=list)
    """Of an SAE on neurons: those most correlated with it, as in ``correlated``."""

    @property
    def fired(self) -> bool:
        """Whether it fired at all on these tokens."""
        return self.histogram is not None

    @property
    def examples(self) -> list[Example]:
        """All that are shown, the strongest first."""
        return self.strongest + [example for group in self.groups for example in group.examples]

    def as_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


class Correlations:
    """Pearson's r and cosine between some columns and all of others, over tokens that come in parts."""

    def __init__(self) -> None:
        self.n = 0
        self.sums: list[Tensor] = []

    def add(self, x: Float[Tensor, "n some"], y: Float[Tensor, "n all"]) -> None:
        """Take in more tokens; sums are kept in double precision."""
        x, y = x.double(), y.double()
        new = [x.sum(0), y.sum(0), (x * x).sum(0), (y * y).sum(0), x.T @ y]
        self.sums = [old + more for old, more in zip(self.sums, new, strict=True)] if self.sums else new
        self.n += len(x)

    def top(self, k: int, but: list[int] | None = None) -> list[list[tuple[int, float, float]]]:
        """For each of some: the k of all with the highest r, leaving out itself (``but``) and r = 0."""
        x, y, xx, yy, xy = self.sums
        spread_of = torch.outer(self.n * xx - x * x, self.n * yy - y * y).clamp(min=0).sqrt()
        pearson = torch.where(spread_of > 0, (self.n * xy - torch.outer(x, y)) / spread_of, 0.0)
        size = torch.outer(xx, yy).sqrt()
        cosine = torch.where(size > 0, xy / size, 0.0)
        if but is not None:
            pearson[torch.arange(len(but)), torch.tensor(but)] = 0.0
        best = pearson.topk(min(k, pearson.shape[1]))
        return [
            [(i, r, float(cosine[row, i])) for i, r in zip(ids, values, strict=True) if r > 0]
            for row, (ids, values) in enumerate(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        ]


@dataclass
class Reading:
    """What the model and the SAE gave on the tokens."""

    activations: Float[Tensor, "latent rows pos"]
    """Of the chosen latents; 0 where the SAE's training didn't look."""
    residual: Float[Tensor, "rows pos d_model"]
    """After the last layer."""
    counted: int
    """Tokens that the SAE's training would have looked at."""
    latents: Correlations
    neurons: Correlations


@torch.no_grad()
def read(subject: Subject, tokens: Int[Tensor, "rows pos"], chosen: list[int]) -> Reading:
    """Run the model once over the tokens, a few rows at a time, and the SAE on what it gave."""
    model = subject.model
    last = f"blocks.{model.cfg.n_layers - 1}.hook_resid_post"
    names = [subject.hook_point, last]
    counted = subject.counted(tokens)
    correlations, neurons = Correlations(), Correlations()
    activations, residual = [], []
    for some, keep in zip(tokens.split(_ROWS_AT_ONCE), counted.split(_ROWS_AT_ONCE), strict=True):
        _, cache = model.run_with_cache(some, names_filter=lambda name: name in names, return_type=None)
        inputs = flat_heads(cache[subject.hook_point], some, subject.hook_point)
        with ready(subject.sae):
            found = encode(subject.sae, inputs.flatten(0, 1)).to(inputs.device, torch.float32)
        mine = found[:, chosen] * keep.flatten()[:, None]
        correlations.add(mine[keep.flatten()], found[keep.flatten()])
        if subject.reads_neurons:
            neurons.add(mine[keep.flatten()], inputs.flatten(0, 1)[keep.flatten()])
        activations.append(mine.T.reshape(len(chosen), *some.shape).cpu())
        residual.append(cache[last].cpu())
    return Reading(
        torch.cat(activations, dim=1), torch.cat(residual), int(counted.sum()), correlations, neurons
    )


@torch.no_grad()
def latent_numbers(
    subject: Subject, tokens: Int[Tensor, "rows pos"], chosen: list[int]
) -> list[LatentNumbers]:
    """The numbers of the chosen latents on these tokens."""
    model, reading = subject.model, read(subject, tokens, chosen)
    directions = subject.directions(chosen)
    residual_directions = subject.to_residual(directions)
    logits = logit_lens(model, subject.sae, chosen, hook_point=subject.hook_point)
    correlated = reading.latents.top(RELATED, chosen)
    fire_with = reading.neurons.top(RELATED) if subject.reads_neurons else [[] for _ in chosen]
    found = []
    for i, latent in enumerate(chosen):
        a = reading.activations[i]
        firing = a[a > 0]
        of_latent = LatentNumbers(
            latent=latent,
            tokens=reading.counted,
            density=len(firing) / max(1, reading.counted),
            maximum=float(firing.max()) if len(firing) else 0.0,
            histogram=Histogram.of(firing) if len(firing) else None,
            top=_largest(logits[i], TOP_LOGITS),
            bottom=[(token, -value) for token, value in _largest(-logits[i], TOP_LOGITS)],
            logits=Histogram.of(logits[i]),
            token_logits={},
            strongest=[],
            groups=[],
            correlated=correlated[i],
            neurons=_aligned(directions[i]) if subject.reads_neurons else [],
            fire_with=fire_with[i],
        )
        if len(firing):
            _add_examples(of_latent, tokens.cpu(), a, logits[i])
            _add_effects(
                subject,
                of_latent,
                tokens.cpu(),
                a,
                reading.residual,
                direction=residual_directions[i],
                logits=logits[i] * directions[i].norm(),
            )
        found.append(of_latent)
    if subject.reads_heads:
        add_sources(subject, tokens, found)
    return found


def _largest(values: Float[Tensor, " n"], k: int) -> list[tuple[int, float]]:
    best = values.topk(min(k, len(values)))
    return list(zip(best.indices.tolist(), best.values.tolist(), strict=True))


def _aligned(direction: Float[Tensor, " d_in"]) -> list[tuple[int, float, float]]:
    best = direction.abs().topk(min(RELATED, len(direction))).indices
    whole = float(direction.abs().sum())
    return [(int(i), float(direction[i]), abs(float(direction[i])) / whole) for i in best]


def _add_examples(
    of: LatentNumbers,
    tokens: Int[Tensor, "rows pos"],
    a: Float[Tensor, "rows pos"],
    logits: Float[Tensor, " d_vocab"],
) -> None:
    of.strongest = [around(tokens, a, *place) for place in strongest(a, TOP_EXAMPLES)]
    of.groups = [
        Group(low, high, share, [around(tokens, a, *place) for place in places])
        for low, high, share, places in spread(a, PARTS, PER_PART, seed=of.latent)
    ]
    ids = sorted({token for one in of.examples for token in one.tokens})
    of.token_logits = dict(zip(ids, logits[ids].tolist(), strict=True))


def _add_effects(
    subject: Subject,
    of: LatentNumbers,
    tokens: Int[Tensor, "rows pos"],
    a: Float[Tensor, "rows pos"],
    residual: Float[Tensor, "rows pos d_model"],
    *,
    direction: Float[Tensor, " d_model"],
    logits: Float[Tensor, " d_vocab"],
) -> None:
    """Fill in the effects, each place computed once however often it is shown."""
    # The token at ``pos`` was predicted at the one before.
    places = sorted(
        {
            (one.row, pos)
            for one in of.examples
            for pos in range(max(1, one.start), one.start + len(one.tokens))
            if a[one.row, pos - 1] > 0
        }
    )
    rows, after = torch.tensor(places, dtype=torch.long).reshape(-1, 2).T
    device = direction.device
    values = effects(
        subject.model,
        residual[rows, after - 1].to(device),
        a[rows, after - 1].to(device),
        direction=direction,
        logits=logits,
        came=tokens[rows, after].to(device),
        top=HOVER_LOGITS,
    )
    by_place = dict(zip(places, values, strict=True))
    for one in of.examples:
        one.effects = [by_place.get((one.row, one.start + i)) for i in range(len(one.tokens))]
