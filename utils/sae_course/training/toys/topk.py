"""SAEs that keep the largest activations: TopK, BatchTopK and Matryoshka."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...runtime import CourseError
from .sae import Pass, ToySAE, squared_error
from .sweep import parts


def keep_per_sample(pre: Float[Tensor, "inst batch d_sae"], k: int) -> Float[Tensor, "inst batch d_sae"]:
    """The ``k`` largest of each sample, where they are positive; 0 elsewhere."""
    values, places = pre.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(pre).scatter(-1, places, values.relu())


def keep_per_batch(pre: Float[Tensor, "inst batch d_sae"], k: int) -> Float[Tensor, "inst batch d_sae"]:
    """The ``k * batch`` largest of each instance's whole batch, where they are positive; 0 elsewhere."""
    flat = pre.relu().flatten(1)
    values, places = flat.topk(k * pre.shape[1], dim=-1, sorted=False)
    return torch.zeros_like(flat).scatter(-1, places, values).view_as(pre)


class TopK(ToySAE):
    """Keeps the ``k`` latents with the largest contributions (Gao et al., 2024, section 2.3).

    Pre-activations are multiplied by the length of their decoder vectors, and decoded by vectors of length
    1: what is compared is what each latent would add to the reconstruction (SAELens'
    ``rescale_acts_by_decoder_norm``). Dead latents learn to explain the residual (section 2.4; `auxiliary`).
    """

    keep: Callable[[Tensor, int], Tensor] = staticmethod(keep_per_sample)

    def __init__(
        self, n_inst: int, d_in: int, d_sae: int, generator: torch.Generator, *, k: int | Sequence[int]
    ) -> None:
        """As `ToySAE`.

        Args:
            k: one for all, or several, each for as many consecutive instances.
        """
        super().__init__(n_inst, d_in, d_sae, generator)
        self.k = [k] if isinstance(k, int) else list(k)
        parts(len(self.k), n_inst)
        if not all(0 < one <= d_sae for one in self.k):
            raise CourseError(f"k has to lie between 1 and d_sae = {d_sae}: {self.k}.")

    def pre_activations(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        return super().pre_activations(h) * self.W_dec.norm(dim=-1)[:, None]

    def decode(self, latents: Float[Tensor, "inst batch d_sae"]) -> Float[Tensor, "inst batch d_in"]:
        return latents / self.W_dec.norm(dim=-1)[:, None] @ self.W_dec + self.b_dec[:, None]

    def encode(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        return self._kept(self.pre_activations(h))

    def training_pass(self, h: Float[Tensor, "inst batch d_in"], dead: Bool[Tensor, "inst d_sae"]) -> Pass:
        pre = self.pre_activations(h)
        latents = self._kept(pre)
        reconstruction = self.decode(latents)
        loss = squared_error(reconstruction, h)
        if dead.any():
            loss = loss + self.auxiliary((h - reconstruction).detach(), pre, dead)
        return Pass(latents, reconstruction, loss)

    def auxiliary(
        self,
        residual: Float[Tensor, "inst batch d_in"],
        pre: Float[Tensor, "inst batch d_sae"],
        dead: Bool[Tensor, "inst d_sae"],
    ) -> Float[Tensor, " inst"]:
        """AuxK: how badly the ``d_in // 2`` most active dead latents explain what the live ones left over.

        Scaled down where an instance has fewer dead latents than that; 0 where it has none.
        """
        most = min(residual.shape[-1] // 2, pre.shape[-1])
        values, places = pre.masked_fill(~dead[:, None], -torch.inf).topk(most, dim=-1, sorted=False)
        kept = torch.zeros_like(pre).scatter(-1, places, values.where(values > -torch.inf, 0))
        explained = self.decode(kept) - self.b_dec[:, None]
        scale = (dead.sum(-1) / (residual.shape[-1] // 2)).clamp(max=1)
        return scale * squared_error(explained, residual)

    def _kept(self, pre: Tensor) -> Tensor:
        return torch.cat([self.keep(part, k) for part, k in zip(pre.chunk(len(self.k)), self.k, strict=True)])


class BatchTopK(TopK):
    """Keeps ``k`` latents a sample on average over the batch (Bussmann et al., 2024).

    Which fire then depends on the other samples. For use, a threshold takes the batch's place: the running
    mean of the smallest activation that was kept.
    """

    keep = staticmethod(keep_per_batch)

    def __init__(
        self,
        n_inst: int,
        d_in: int,
        d_sae: int,
        generator: torch.Generator,
        *,
        k: int | Sequence[int],
        threshold_rate: float = 0.01,
    ) -> None:
        """As `TopK`.

        Args:
            k: as for `TopK`.
            threshold_rate: how much a batch moves the threshold, which starts at 0.
        """
        super().__init__(n_inst, d_in, d_sae, generator, k=k)
        self.threshold_rate = threshold_rate
        self.register_buffer("threshold", torch.zeros_like(self.b_enc[:, 0], dtype=torch.float64))
        self.threshold: Tensor

    def encode(self, h: Float[Tensor, "inst batch d_in"]) -> Float[Tensor, "inst batch d_sae"]:
        pre = self.pre_activations(h)
        return pre.relu() * (pre > self.threshold[:, None, None])

    def training_pass(self, h: Float[Tensor, "inst batch d_in"], dead: Bool[Tensor, "inst d_sae"]) -> Pass:
        result = super().training_pass(h, dead)
        self.update_threshold(result.latents.detach())
        return result

    def update_threshold(self, latents: Float[Tensor, "inst batch d_sae"]) -> None:
        """Move each instance's threshold towards the smallest activation above 0; none, and it stays."""
        smallest = latents.masked_fill(latents <= 0, torch.inf).flatten(1).amin(-1).to(self.threshold)
        moved = (1 - self.threshold_rate) * self.threshold + self.threshold_rate * smallest
        self.threshold = torch.where(smallest < torch.inf, moved, self.threshold)


class Matryoshka(BatchTopK):
    """A BatchTopK SAE whose first latents have to make do without the rest (Bussmann et al., 2025).

    ``loss = sum over widths of the squared error of the first so many latents``: a parent that is needed for
    a coarse reconstruction can't be taken apart by its children.
    """

    def __init__(
        self,
        n_inst: int,
        d_in: int,
        d_sae: int,
        generator: torch.Generator,
        *,
        k: int | Sequence[int],
        widths: Sequence[int],
        threshold_rate: float = 0.01,
    ) -> None:
        """As `BatchTopK`.

        Args:
            k, threshold_rate: as for `BatchTopK`.
            widths: rising, the last of them ``d_sae``.

        Raises:
            CourseError: when they aren't.
        """
        super().__init__(n_inst, d_in, d_sae, generator, k=k, threshold_rate=threshold_rate)
        self.widths = list(widths)
        if self.widths != sorted(set(self.widths)) or self.widths[:1] < [1] or self.widths[-1] != d_sae:
            raise CourseError(f"widths rise from at least 1 to d_sae = {d_sae}: {self.widths}.")

    def training_pass(self, h: Float[Tensor, "inst batch d_in"], dead: Bool[Tensor, "inst d_sae"]) -> Pass:
        result = super().training_pass(h, dead)
        unit = self.W_dec / self.W_dec.norm(dim=-1, keepdim=True)
        loss, partial, begin = result.loss, self.b_dec[:, None], 0
        for end in self.widths[:-1]:  # the last is the whole SAE, whose loss is there
            partial = partial + result.latents[..., begin:end] @ unit[:, begin:end]
            loss, begin = loss + squared_error(partial, h), end
        return result._replace(loss=loss)
