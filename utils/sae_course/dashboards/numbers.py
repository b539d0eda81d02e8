"""Everything a page says about latents, as numbers: where they fire, how strongly, with which others."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..evals.activations import flat_heads
from ..evals.autoencoder import encode, ready
from ..evals.lens import logit_lens
from .examples import Choice, Example, Group, around, spread, strongest
from .probes import ProbeCosines
from .subject import Subject

BINS = 50
TOP_LOGITS = 10
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
    """Equal parts of its range, the highest first."""
    correlated: list[tuple[int, float, float]] = field(default_factory=list)
    """Latents that fire with it: which, Pearson's r, cosine of the activations; the highest r first."""
    neurons: list[tuple[int, float, float]] = field(default_factory=list)
    """Of an SAE on neurons: those of its decoder's largest entries, the entry, its part of the L1 norm."""
    fire_with: list[tuple[int, float, float]] = field(default_factory=list)
    """Of an SAE on neurons: those most correlated with it, as in ``correlated``."""
    probes: list[ProbeCosines] = field(default_factory=list)
    """Of an SAE on Othello: how far it reads and writes what linear probes read."""

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
    subject: Subject,
    tokens: Int[Tensor, "rows pos"],
    chosen: list[int],
    reading: Reading,
    choice: Choice = Choice(),  # noqa: B008 - frozen
) -> list[LatentNumbers]:
    """The numbers of the chosen latents on these tokens; what they did to predictions is still to come."""
    directions = subject.directions(chosen)
    logits = logit_lens(subject.model, subject.sae, chosen, hook_point=subject.hook_point)
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
            _add_examples(of_latent, tokens.cpu(), a, logits[i], choice)
        found.append(of_latent)
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
    choice: Choice,
) -> None:
    of.strongest = [around(tokens, a, *place, choice) for place in strongest(a, choice.strongest)]
    of.groups = [
        Group(low, high, share, [around(tokens, a, *place, choice) for place in places])
        for low, high, share, places in spread(a, choice.parts, choice.per_part, seed=of.latent)
    ]
    ids = sorted({token for one in of.examples for token in one.tokens})
    of.token_logits = dict(zip(ids, logits[ids].tolist(), strict=True))
