"""What a linear probe can read off activations: the ceiling for any single direction, an SAE's too."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..data.labels import Labels
from ..runs.view import table
from ..runtime import CourseError
from .classifying import Classified, best_threshold, classified
from .halves import Rows, halves, left_out_words
from .ranking import auroc

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Probes:
    """One logistic regression for each labelled feature: p(feature) = sigmoid(x · direction + bias)."""

    features: tuple[str, ...]
    """That were probed."""
    directions: Float[Tensor, "features d_in"] = field(repr=False)
    """In the activations' own scale."""
    biases: Float[Tensor, " features"] = field(repr=False)
    auroc: Float[Tensor, " features"] = field(repr=False)
    """On the measuring half, as the next two."""
    scores: Classified = field(repr=False)
    """At the threshold that has the best F1 on the training half."""
    left_out: dict[str, int]
    """Features too rare, or too common, and the smaller half's number of true tokens."""
    n_trained: int
    """Tokens that the probes were trained on."""
    n_tokens: int
    """In the measuring half."""

    def auroc_of(self, name: str) -> float:
        """The AUROC of one feature's probe; NaN where it wasn't probed."""
        return float(self.auroc[self.features.index(name)]) if name in self.features else float("nan")

    @cached_property
    def table(self) -> "pd.DataFrame":
        """A row per feature, in the labels' order: ``AUROC``, ``F1``, ``precision``, ``recall``."""
        import pandas as pd  # noqa: PLC0415 - half a second

        values = {
            "AUROC": self.auroc,
            "F1": self.scores.f1,
            "precision": self.scores.precision,
            "recall": self.scores.recall,
        }
        columns = {name: column.numpy() for name, column in values.items()}
        return pd.DataFrame(columns, index=pd.Index(self.features, name="feature"))

    def as_dict(self) -> dict[str, Any]:
        """The scores as plain values, without the directions."""
        return {
            "features": list(self.features),
            "auroc": self.auroc.tolist(),
            "f1": self.scores.f1.tolist(),
            "left out": self.left_out,
            "n_trained": self.n_trained,
            "n_tokens": self.n_tokens,
        }

    def __str__(self) -> str:
        lines = [f"{name}: {value}" for name, value in self._summary().items()]
        return "\n  ".join([f"linear probes of {len(self.features)} features", *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return table(["linear probes"], {name: [value] for name, value in self._summary().items()})

    def _summary(self) -> dict[str, str]:
        good = (self.auroc >= 0.9).double().mean()
        return {
            "AUROC ≥ 0.9": f"{100 * good:.0f} % of {len(self.features)} features",
            "median AUROC": f"{self.auroc.median():.3f}",
            "tokens": f"trained on {self.n_trained:,}, measured on {self.n_tokens:,} of other rows",
        } | ({"features": words} if (words := left_out_words(self.left_out)) else {})


def linear_probes(
    activations: Float[Tensor, "rows pos d_in"],
    labels: Labels,
    *,
    seed: int = 0,
    choose: Rows | None = None,
    penalty: float = 1.0,
    most: int = 100_000,
    steps: int = 150,
) -> Probes:
    """Train a logistic regression for every labelled feature at once, on one half of the rows.

    Each minimises Σ −log p(truth) + penalty / 2 · ‖w‖² over the training half, where w acts on inputs of mean
    0 and standard deviation 1 (scikit-learn's default is penalty 1). They are trained together by L-BFGS. Two
    changes of variable make that quick and leave each one's optimum where it is: w is written in the inputs'
    principal axes at unit variance, and the loss of a feature that is true at a share p of tokens is divided
    by p (1 − p), so that a rare feature has as steep a valley as a common one.

    Args:
        activations: of the labels' tokens.
        seed: of the training tokens that are drawn, where there are more than ``most``.
        choose: rows to train on; even rows when not given, and odd ones measure, as in `feature_scores`.
        penalty: how strongly large weights are held back.
        most: tokens to train on.
        steps: of L-BFGS.

    Raises:
        CourseError: when activations and labels are not of the same tokens, or activations aren't finite.
    """
    parts = halves(labels, choose)
    train, test = (half.float() for half in parts.split(activations, "Activations"))
    if not train.isfinite().all() or not test.isfinite().all():
        raise CourseError("Some activations are NaN or infinite: no probe can be trained on them.")
    truth = parts.choosing
    drawn = _draw(len(train), most, seed)
    directions, biases = _fit(train[drawn.to(train.device)], truth[drawn], penalty, steps)
    read = [(half @ directions + biases).cpu() for half in (train, test)]
    return Probes(
        features=parts.names,
        directions=directions.T.cpu(),
        biases=biases.cpu(),
        auroc=torch.cat(
            [auroc(read[1][:, [i]], parts.measuring[:, [i]])[0] for i in range(len(parts.names))]
        ),
        scores=classified(read[1], parts.measuring, best_threshold(read[0], truth)),
        left_out=parts.left_out,
        n_trained=len(drawn),
        n_tokens=len(test),
    )


def _draw(n: int, most: int, seed: int) -> Tensor:
    if n <= most:
        return torch.arange(n)
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:most]


def _fit(
    x: Float[Tensor, "n d_in"], truth: Tensor, penalty: float, steps: int
) -> tuple[Float[Tensor, "d_in features"], Float[Tensor, " features"]]:
    """Directions and biases in the activations' own scale."""
    n = len(x)
    mean, deviation = x.mean(0), x.std(0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    x = (x - mean) / deviation
    axes = _whitening(x)
    y = truth.to(x.device, x.dtype)
    rate = y.mean(0).clamp(1 / n, 1 - 1 / n)
    white = x @ axes
    v = torch.zeros(axes.shape[1], y.shape[1], device=x.device, requires_grad=True)
    bias = (rate / (1 - rate)).log().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [v, bias],
        max_iter=steps,
        max_eval=2 * steps,
        history_size=20,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        error = F.binary_cross_entropy_with_logits(white @ v + bias, y, reduction="none").mean(0)
        size = penalty / (2 * n) * (axes @ v).square().sum(0)
        total = ((error + size) / (rate * (1 - rate))).sum()
        total.backward()
        return total

    optimiser.step(loss)  # takes gradients, whatever the caller has switched off
    w = (axes @ v.detach()) / deviation[:, None]
    return w, bias.detach() - mean @ w


def _whitening(x: Float[Tensor, "n d_in"]) -> Float[Tensor, "d_in d"]:
    """The principal axes divided by their deviations; those without variance left out."""
    covariance = (x.T @ x / len(x)).cpu().double()
    values, axes = torch.linalg.eigh(covariance)
    kept = values > 1e-6 * values[-1]
    return (axes[:, kept] / values[kept].sqrt()).to(x.device, x.dtype)
