"""A dictionary of latents beside the true one, for several instances at once.

The definitions are those of SAELens' ``synthetic.evals``, which a test compares; its functions take one
SAE at a time, and its import takes seconds.
"""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from ..runtime import CourseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from jaxtyping import Bool, Float
    from torch import Tensor


@dataclass(frozen=True)
class DictionaryScores:
    """How SAEs do where the truth is known: each a number for every instance, [inst]."""

    explained_variance: "Float[Tensor, ' inst']"
    """``1 - sum |h - h_hat|² / sum |h - mean h|²``."""
    mcc: "Float[Tensor, ' inst']"
    """Mean absolute cosine of latents and features that are paired one to one so that its sum is largest."""
    f1: "Float[Tensor, ' inst']"
    """Of each latent as a detector of the feature nearest to its decoder vector: the mean, dead ones 0."""
    precision: "Float[Tensor, ' inst']"
    recall: "Float[Tensor, ' inst']"
    l0: "Float[Tensor, ' inst']"
    """Latents that fire on a sample, on average."""
    shrinkage: "Float[Tensor, ' inst']"
    """Mean of ``|h_hat| / |h|`` where ``h`` isn't 0: below 1, the output is too small."""
    dead: "Float[Tensor, ' inst']"
    """Share of latents that fire on no sample."""
    decoder_cosine: "Float[Tensor, ' inst']"
    """Mean absolute cosine between two latents' decoder vectors."""
    least_decoder_cosine: "Float[Tensor, ' inst']"
    """The smallest cosine between two latents' decoder vectors: near -1, one is the other's negative."""

    def rows(self) -> "list[dict[str, float]]":
        """A dictionary for each instance."""
        columns = {field.name: getattr(self, field.name).tolist() for field in fields(self)}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def dictionary_scores(
    activations: "Float[Tensor, 'inst batch d_in']",
    reconstruction: "Float[Tensor, 'inst batch d_in']",
    latents: "Float[Tensor, 'inst batch d_sae']",
    *,
    features: "Float[Tensor, 'inst batch features']",
    decoder: "Float[Tensor, 'inst d_sae d_in']",
    directions: "Float[Tensor, 'inst features d_in']",
) -> DictionaryScores:
    """Everything that can be said of SAEs beside the truth.

    Args:
        activations: what was encoded, on samples that no training saw.
        reconstruction, latents: what the SAEs made of them.
        features: the true magnitudes.
        decoder: the latents' directions, of any length.
        directions: the features'.

    Raises:
        CourseError: when instances or batches don't fit together.
    """
    import torch  # noqa: PLC0415 - a second

    if len({len(one) for one in (activations, reconstruction, latents, features, decoder, directions)}) > 1:
        raise CourseError("dictionary_scores takes tensors with the same number of instances.")
    sizes = [one.shape[1] for one in (activations, reconstruction, latents, features)]
    if len(set(sizes)) > 1:  # a batch of 1 would be repeated without a word
        raise CourseError(
            "dictionary_scores takes activations, reconstruction, latents and features of the same batch, "
            f"not of {sizes} samples."
        )
    error = (activations - reconstruction).pow(2).sum((1, 2))
    variance = (activations - activations.mean(1, keepdim=True)).pow(2).sum((1, 2))
    size, present = activations.norm(dim=-1), activations.norm(dim=-1) > 1e-6
    ratio = torch.where(present, reconstruction.norm(dim=-1) / size.clamp(min=1e-6), 0)
    cosine = cosines(decoder, directions)
    fires = latents != 0
    precision, recall, f1 = detection(fires, features > 0, cosine)
    among = cosines(decoder, decoder)
    same = torch.eye(among.shape[-1], dtype=torch.bool, device=among.device)
    pairs = max(1, int((~same).sum()))
    return DictionaryScores(
        explained_variance=1 - error / variance,
        mcc=paired_cosine(cosine),
        f1=f1.mean(-1),
        precision=precision.mean(-1),
        recall=recall.mean(-1),
        l0=fires.float().sum(-1).mean(-1),
        shrinkage=ratio.sum(-1) / present.sum(-1).clamp(min=1),
        dead=1 - fires.any(1).float().mean(-1),
        decoder_cosine=among.abs().masked_fill(same, 0).sum((1, 2)) / pairs,
        least_decoder_cosine=among.masked_fill(same, 1).amin((1, 2)),
    )


def cosines(
    one: "Float[Tensor, 'inst n d_in']", other: "Float[Tensor, 'inst m d_in']"
) -> "Float[Tensor, 'inst n m']":
    """Between every vector of the one and every vector of the other; 0 for a vector of zeros."""
    from torch.nn.functional import normalize  # noqa: PLC0415

    return normalize(one, dim=-1) @ normalize(other, dim=-1).transpose(1, 2)


def paired_cosine(cosine: "Float[Tensor, 'inst n m']") -> "Float[Tensor, ' inst']":
    """MCC: mean absolute cosine of the one-to-one pairing with the largest sum."""
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    values = cosine.abs()
    means = [
        values[i][linear_sum_assignment(values[i].cpu(), maximize=True)].mean() for i in range(len(values))
    ]
    return values.new_tensor(means)


def detection(
    fires: "Bool[Tensor, 'inst batch d_sae']",
    present: "Bool[Tensor, 'inst batch features']",
    cosine: "Float[Tensor, 'inst d_sae features']",
) -> "tuple[Float[Tensor, 'inst d_sae'], Float[Tensor, 'inst d_sae'], Float[Tensor, 'inst d_sae']]":
    """Precision, recall and F1 of each latent as a detector of the feature nearest to it by absolute cosine.

    Where one isn't defined (a latent that never fires), it is 0.
    """
    best = cosine.abs().argmax(-1)
    truth = present.gather(2, best[:, None].expand(-1, present.shape[1], -1))
    hits = (fires & truth).float().sum(1)
    precision = hits / fires.float().sum(1).clamp(min=1)
    recall = hits / truth.float().sum(1).clamp(min=1)
    return precision, recall, 2 * precision * recall / (precision + recall).clamp(min=1e-12)


def scores_table(results: "Mapping[str, DictionaryScores]", columns: "Sequence[str]") -> "pd.DataFrame":
    """Scores side by side: a row for each result, mean ± standard deviation over its instances.

    Args:
        results: by name.
        columns: of `DictionaryScores`.

    Raises:
        CourseError: for a column that there isn't.
    """
    import pandas as pd  # noqa: PLC0415 - half a second

    known = [field.name for field in fields(DictionaryScores)]
    if unknown := [name for name in columns if name not in known]:
        raise CourseError(f"There is no score {unknown[0]!r}: there are {', '.join(known)}.")
    rows = {name: [_spread(getattr(found, column)) for column in columns] for name, found in results.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))


def _spread(values: "Float[Tensor, ' inst']") -> str:
    return f"{values.mean():.3f} ± {values.std():.3f}" if len(values) > 1 else f"{values.mean():.3f}"
