"""The SAEs that were published for the published models: which, loaded, and measured."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..models.hub import Source, ask, fetching
from ..models.names import Entry
from ..runtime import CourseError, current

if TYPE_CHECKING:
    import pandas as pd
    from sae_lens import SAE


@dataclass(frozen=True)
class Published:
    """The SAEs of one preset's hook point."""

    repository: str
    """On the hub."""
    name: str
    """Of an SAE there, its layer left open."""
    layers: tuple[int, ...]
    chapter: str
    """That ends with an SAE at this hook point."""
    release: str = ""
    """SAELens' own name of the repository, where it reads the format by that."""


_ARENA = "callummcdougall/arena-demos"
PUBLISHED = {
    # Named by the hook point, as the code that trained it uploads it; `_name_there` looks for a later one.
    "tinystories": Published(
        "callummcdougall/arena-demos-tinystories", "blocks.{layer}.hook_mlp_out", (0,), "03b"
    ),
    "attn-only-2l": Published(
        "callummcdougall/arena-demos-attn2l", "blocks.{layer}.attn.hook_z-v2", (0, 1), "05"
    ),
    "othello": Published(
        "callummcdougall/arena-demos-othellogpt", "blocks.{layer}.mlp.hook_post-v1", (5,), "06"
    ),
    # 16 k latents; the canonical one has an L0 of 82.
    "gemma": Published(
        "google/gemma-scope-2b-pt-res",
        "layer_{layer}/width_16k/canonical",
        (12,),
        "07",
        "gemma-scope-2b-pt-res-canonical",
    ),
}
"""By preset. Those of the first three are Gated SAEs of the recipe "seed", Gemma's is a JumpReLU SAE."""


def of_chapter(number: str) -> list[str]:
    """The presets of which a chapter (``03b``) has published SAEs."""
    return [preset for preset, one in PUBLISHED.items() if one.chapter == number]


def published_sae(preset: str, layer: int | None = None, *, device: str | None = None) -> "SAE[Any]":
    """An SAE that was published for a preset's hook point, from the hub.

    Args:
        preset: a key of `PUBLISHED`.
        layer: the first that there is, when not given.

    Raises:
        CourseError: for a preset or layer that has none, and whatever can go wrong with the hub (see
            `models.hub.fetching`).
    """
    wanted = _find(preset, layer)
    layer = wanted.layers[0] if layer is None else layer
    from sae_lens import SAE  # noqa: PLC0415 - seconds

    name, source = wanted.name.format(layer=layer), source_of(preset)
    own = f"or train your own (sae-course train {preset} --scale full)."
    try:
        with fetching(source):
            ask(source)
            release = wanted.release or wanted.repository
            device = device or current().device
            try:
                return SAE.from_pretrained(release, name, device=device)
            except Exception as error:
                other = _name_there(wanted, layer) if _not_there(error) else None
                if other is None or other == name:
                    raise
                return SAE.from_pretrained(release, other, device=device)
    except CourseError as error:
        raise CourseError(f"{error} {own[0].upper()}{own[1:]}") from error
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise CourseError(
            f"The published SAE {name} of {wanted.repository} could not be loaded ({words}): see whether the "
            f"course has an update, {own}"
        ) from error


def source_of(preset: str) -> Source:
    """The repository of a preset's published SAEs, for `models.hub.fetching`.

    Raises:
        CourseError: for a preset that has none.
    """
    repository = _find(preset, None).repository
    return Source(Entry(repository, "text", "published SAEs", repository), "model")


def _find(preset: str, layer: int | None) -> Published:
    if preset not in PUBLISHED:
        raise CourseError(
            f'No SAE was published for "{preset}" that the course knows of: there are those of '
            f"{', '.join(PUBLISHED)}."
        )
    wanted = PUBLISHED[preset]
    if layer is not None and layer not in wanted.layers:
        raise CourseError(
            f"SAEs of {preset} were published for layer {' and '.join(map(str, wanted.layers))}, and none "
            f"for layer {layer!r}."
        )
    return wanted


def _not_there(error: BaseException) -> bool:
    return any(cls.__name__ == "EntryNotFoundError" for cls in type(error).__mro__)


def _name_there(wanted: Published, layer: int) -> str | None:
    """The last of the repository's SAEs at that hook point: a repository may hold ``…-v2`` beside or in place
    of the first."""
    from huggingface_hub import HfApi  # noqa: PLC0415

    hook = wanted.name.format(layer=layer).partition("-v")[0]
    folders = {path.rpartition("/")[0] for path in HfApi().list_repo_files(wanted.repository)}
    found = sorted(folder for folder in folders if folder == hook or folder.startswith(f"{hook}-v"))
    return found[-1] if found else None


def measure_published(preset: str, model: Any = None, *, rows: int = 32) -> "pd.DataFrame":
    """The published SAEs of a preset, attached to the published model and measured on held-out rows.

    Args:
        model: the published model, where it is loaded already.
        rows: of the dataset that goes with it.

    Returns:
        A row for each SAE: latents, L0, explained variance (about the mean), loss recovered, share dead.

    Raises:
        CourseError: as `published_sae` does.
    """
    import pandas as pd  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from .. import evals  # noqa: PLC0415
    from ..models import load_model, token_stream  # noqa: PLC0415
    from .presets import preset as preset_of  # noqa: PLC0415
    from .smoke import nearest_hook  # noqa: PLC0415

    found: dict[str, dict[str, float]] = {}
    for layer in _find(preset, None).layers:
        sae = published_sae(preset, layer)
        cfg = preset_of(preset, "full")
        model = load_model(cfg.model_name, "full", quiet=True) if model is None else model
        hook_point = nearest_hook(sae.cfg.metadata.hook_name, model.cfg.n_layers)
        stream = token_stream(cfg.model_name, "full", split="test", n_ctx=cfg.context_size)
        tokens = torch.tensor([row["tokens"] for row in stream.take(rows)], device=current().device)
        seen = slice(*(cfg.seqpos_slice or (None,)))
        acts = evals.harvest(model, tokens, hook_point)[:, seen].flatten(0, 1)
        quality, fired = evals.reconstruction(sae, acts), evals.densities(sae, acts)
        effect = evals.downstream(model, sae, tokens, hook_point, batch=cfg.eval_batch_size_prompts)
        found[f"{preset}, layer {layer}"] = {
            "latents": sae.cfg.d_sae,
            "L0": quality.l0,
            "explained variance": quality.explained_variance,
            "loss recovered": effect.loss_recovered,
            "dead": fired.dead_fraction,
        }
    return pd.DataFrame(found).T
