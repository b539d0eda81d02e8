"""The SAE that a page is about: read, never changed. The one place here that knows SAELens."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..evals.activations import check_hook_point
from ..runtime import CourseError

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

# Hook points whose values are added to the residual stream as they are.
_STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out")


@dataclass(frozen=True)
class Subject:
    """An SAE with what a page needs to know of it.

    sae_vis 0.3.7 reads ``sae.cfg.hook_name`` and the like, which SAELens 6 keeps in ``sae.cfg.metadata``, and
    puts the SAE into the model to run it. Here the model runs alone and the SAE reads what it gave, so that
    neither is touched.
    """

    model: "HookedTransformer"
    sae: "SAE[Any]"
    """For inference; the learner's own object, or a copy where that was a training one."""
    hook_point: str
    layer: int
    d_sae: int

    @classmethod
    def of(cls, model: "HookedTransformer", sae: "SAE[Any]") -> "Subject":
        """The SAE as one for inference, and where in the model it belongs.

        Raises:
            CourseError: when it is no SAE of SAELens, doesn't say its hook point, is a transcoder, or the
                model has no such hook point.
        """
        cfg: Any = getattr(sae, "cfg", None)
        metadata = getattr(cfg, "metadata", None)
        if metadata is None or not hasattr(sae, "W_dec"):
            raise CourseError(
                f"A page needs an SAE of SAELens 6, and this is a {type(sae).__name__}. Copy your weights "
                "into sae_lens.StandardSAE, or train with sae_course.training.train."
            )
        if "transcoder" in cfg.architecture():
            raise CourseError(
                "This is a transcoder: it writes at another hook point than it reads. Take an SAE."
            )
        hook_point = metadata.hook_name
        if not hook_point:
            raise CourseError(
                "This SAE doesn't say where in the model it belongs: set it, for example "
                'sae.cfg.metadata.hook_name = "blocks.0.hook_mlp_out".'
            )
        check_hook_point(model, hook_point)
        kind = hook_point.rpartition(".")[2]
        is_block = hook_point.startswith("blocks.")
        inside = hook_point.endswith((".attn.hook_z", ".mlp.hook_post"))
        if not is_block or (kind not in _STREAM and not inside):
            raise CourseError(
                f"There are pages for latents at {', '.join(_STREAM)}, attn.hook_z and mlp.hook_post; this "
                f'SAE was trained at "{hook_point}".'
            )
        if inside and getattr(model.cfg, "use_normalization_before_and_after", False):
            raise CourseError(
                f'What "{hook_point}" adds to this model is normalised before it reaches the residual '
                "stream, so that a latent there has no logits of its own. Take hook_mlp_out, "
                "hook_attn_out or a hook_resid."
            )
        return cls(model, _for_inference(sae), hook_point, int(hook_point.split(".")[1]), int(cfg.d_sae))

    @property
    def reads_neurons(self) -> bool:
        """Whether the SAE's inputs are neurons, each with a meaning of its own as far as it has one."""
        return self.hook_point.endswith("mlp.hook_post")

    @property
    def reads_heads(self) -> bool:
        """Whether the SAE's inputs are the heads' outputs, one after the other."""
        return self.hook_point.endswith("attn.hook_z")

    def chosen(self, latents: int | Iterable[int]) -> list[int]:
        """The latents asked for, as they were asked for, each once.

        Raises:
            CourseError: when there are none, or one that the SAE doesn't have.
        """
        given = [latents] if isinstance(latents, int) else [int(latent) for latent in latents]
        wrong = [latent for latent in given if not 0 <= latent < self.d_sae]
        if wrong:
            raise CourseError(
                f"This SAE has the latents 0 to {self.d_sae - 1}; there is no latent {wrong[0]}."
            )
        if not given:
            raise CourseError("Name at least one latent: latents=[3, 14], say.")
        return list(dict.fromkeys(given))

    def directions(self, latents: list[int]) -> Float[Tensor, "latent d_in"]:
        """What one unit of each latent adds to the reconstruction: its row of W_dec.

        SAELens' TopK family may leave the rows' lengths to the encoder; then a unit is a row of length 1.
        """
        rows: Tensor = self.sae.W_dec.detach()[latents]
        if getattr(self.sae.cfg, "rescale_acts_by_decoder_norm", False):
            rows = rows / rows.norm(dim=-1, keepdim=True)
        return rows.to(self.model.cfg.device, torch.float32)

    def to_residual(self, directions: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_model"]:
        """What these directions at the hook point add to the residual stream: times W_O or W_out inside."""
        if self.reads_heads:
            return directions @ self.model.W_O[self.layer].detach().flatten(0, 1).float()
        if self.reads_neurons:
            return directions @ self.model.W_out[self.layer].detach().float()
        return directions

    def encoders(self, latents: list[int]) -> Float[Tensor, "latent d_in"]:
        """What each latent reads at the hook point: its column of W_enc."""
        rows: Tensor = self.sae.W_enc.detach().T[latents]
        return rows.to(self.model.cfg.device, torch.float32)

    def from_residual(self, directions: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_model"]:
        """The directions of the residual stream before the layer that these, at the hook point, read.

        Inside, that is back through W_V or W_in and the weights w of the norm before it: w ⊙ (W d), less its
        mean where the norm centres. (sae_vis' definition, which expects a model whose norms were folded into
        its weights; it goes past the nonlinearity, and past which tokens the heads attend to.)
        """
        if not (self.reads_heads or self.reads_neurons):
            return directions
        block: Any = self.model.blocks[self.layer]
        if self.reads_heads:
            read, norm = self.model.W_V[self.layer].transpose(-1, -2).flatten(0, 1), block.ln1
        else:
            read, norm = self.model.W_in[self.layer].T, block.ln2
        found = directions @ read.detach().float() * getattr(norm, "w", torch.ones(())).detach()
        centred = str(self.model.cfg.normalization_type).startswith("LN")
        return found - found.mean(-1, keepdim=True) if centred else found

    def counted(self, tokens: Int[Tensor, "rows pos"]) -> Bool[Tensor, "rows pos"]:
        """Where the SAE was trained: without the special tokens and positions that its training left out."""
        metadata: Any = self.sae.cfg.metadata
        where = torch.zeros(tokens.shape, dtype=torch.bool, device=tokens.device)
        where[:, slice(*(metadata.seqpos_slice or (None,)))] = True
        left_out = metadata.exclude_special_tokens or []
        if left_out is True:
            left_out = getattr(self.model.tokenizer, "all_special_ids", [])
        return where & ~torch.isin(
            tokens, torch.tensor(list(left_out), dtype=torch.long, device=tokens.device)
        )


def _for_inference(sae: "SAE[Any]") -> "SAE[Any]":
    """``sae``, or its inference version where it is for training: BatchTopK's activations need it."""
    from sae_lens import SAE, TrainingSAE  # noqa: PLC0415 - seconds

    if not isinstance(sae, TrainingSAE):
        return sae
    state = {name: value.detach().clone() for name, value in sae.state_dict().items()}
    sae.process_state_dict_for_saving_inference(state)
    config = sae.cfg.get_inference_sae_cfg_dict()
    ready = SAE.from_dict(config | {"metadata": dict(config["metadata"]), "device": str(sae.W_dec.device)})
    ready.load_state_dict(state)
    return ready.eval()
