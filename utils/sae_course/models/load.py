"""One way to get a model, at either scale; and the only place that talks to TransformerLens about it."""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Iterator
from functools import reduce
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..runtime import CourseError, current
from .cards import Card
from .hub import Source, ask, fetching
from .names import Entry, Files, choose_scale, dtype_name, entry, files, retrained
from .specs import ModelSpec

if TYPE_CHECKING:
    from sae_lens import HookedSAETransformer
    from transformers import PreTrainedTokenizerBase

_READS = {
    "stories": "stories",
    "stories and drills": "stories and drills",
    "othello": "games",
    "text": "your text",
}


def load_model(
    name: str,
    scale: str | None = None,
    *,
    device: str | None = None,
    dtype: str = "float32",
    quiet: bool = False,
) -> "HookedSAETransformer":
    """The model called ``name``: at mini scale the course's stand-in, at full scale the published one.

    Both are in evaluation mode, and float32 unless asked otherwise. Their weights are as trained:
    TransformerLens' processing (folding LayerNorm, centring) is left out at either scale, as SAELens does, so
    that an SAE fits the activations that others see.

    Args:
        name: TransformerLens' name, one of `MODELS`, or that of a model you trained.
        scale: ``mini`` or ``full``; the session's (see `setup`) when not given, and never the other.
        device: the session's when not given.
        dtype: of the weights: ``float32``, ``bfloat16`` or ``float16``. Half of the memory, and activations
            of 8 or 11 bits of precision.
        quiet: don't print the line that says what was loaded.

    Raises:
        CourseError: for an unknown name or scale; a missing, damaged or foreign file; and whatever can go
            wrong with the hub (see `hub.fetching`).
    """
    wanted = entry(name)
    chosen = choose_scale(wanted, scale)
    device = device or current().device
    dtype = dtype_name(dtype)
    if chosen == "full":
        model, what, trained = _published(wanted, device, dtype)
    else:
        model, what, trained = _mini(wanted, device)
        if dtype != "float32":
            model = model.to(getattr(torch, dtype))
    if not quiet:
        size = sum(parameter.numel() for parameter in model.parameters())
        layers = f"{model.cfg.n_layers} layer{'s' * (model.cfg.n_layers != 1)}"
        shape = f"{layers}, d_model {model.cfg.d_model}, {_count(size)} parameters"
        print(f"{name} ({chosen}): {what}, {shape}{trained}")
    return model


def hooked_model(
    spec: ModelSpec,
    state: dict[str, Tensor],
    device: str = "cpu",
    tokenizer: "PreTrainedTokenizerBase | None" = None,
) -> "HookedSAETransformer":
    """A mini model from its weights, under TransformerLens' names (for Gemma 2: `transformers`').

    Raises:
        CourseError: when the weights are not those of ``spec``: a name or a shape differs.
    """
    cfg = spec.hooked_config(device)
    cfg.init_weights = False  # every weight is replaced, as is checked below
    with deprecated():
        from sae_lens import HookedSAETransformer  # noqa: PLC0415 - seconds

        model = HookedSAETransformer(cfg, tokenizer)
    try:
        found = model.load_state_dict(_gemma_to_hooked(state, cfg) if spec.gemma2 else state, strict=False)
    except (RuntimeError, AttributeError, KeyError) as error:
        raise _not_of(spec, str(error).splitlines()[-1].strip()) from error
    missing = sorted(set(found.missing_keys) - {name for name, _ in model.named_buffers()})
    if missing or found.unexpected_keys:
        raise _not_of(spec, f"missing {missing[:2]}, unknown {found.unexpected_keys[:2]}")
    return model.eval()


@contextlib.contextmanager
def deprecated() -> Iterator[None]:
    """TransformerLens 3 warns at each use of HookedTransformer, on which SAELens builds. Only here, not."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="HookedTransformer", category=DeprecationWarning)
        yield


def mini_card(wanted: Entry) -> Card:
    """The card of a mini model.

    Raises:
        CourseError: when it is missing, damaged or another model's.
    """
    path = files(wanted).card
    if not path.exists():
        raise CourseError(f"{path} is missing. {_again(wanted)}")
    card = Card.read(path)
    if card.name != wanted.name:
        raise CourseError(f"{path} is the card of {card.name}, not of {wanted.name}. {_again(wanted)}")
    return card


def mini_tokenizer(wanted: Entry) -> "PreTrainedTokenizerBase | None":
    """The tokenizer that goes with a mini model; Othello's has none."""
    if wanted.data == "othello":
        return None
    if wanted.own:
        from ..data.tokenizers import read  # noqa: PLC0415

        return read(files(wanted).tokenizer)
    from ..data.stories.tokenizer import tokenizer  # noqa: PLC0415

    return tokenizer()


def _mini(wanted: Entry, device: str) -> tuple["HookedSAETransformer", str, str]:
    card = mini_card(wanted)
    state = _weights(wanted, files(wanted), card)
    model = hooked_model(card.spec, state, device, mini_tokenizer(wanted))
    what = "your own model" if wanted.own else "our stand-in"
    if retrained(wanted):
        what += f", as you trained it ({files(wanted).weights.parent})"
    return model, what, f", trained on {_count(card.training.tokens)} tokens of {_READS[card.spec.data]}"


def _weights(wanted: Entry, at: Files, card: Card) -> dict[str, Tensor]:
    """The weights as float32, after their checksum."""
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load  # noqa: PLC0415

    try:
        data = at.weights.read_bytes()
    except FileNotFoundError as error:
        raise CourseError(f"{at.weights} is missing. {_again(wanted)}") from error
    except OSError as error:
        raise CourseError(f"{at.weights} can't be read ({error.strerror or error}).") from error
    if len(data) != card.weights_bytes:
        raise CourseError(
            f"{at.weights} has {len(data):,} bytes and its card says {card.weights_bytes:,}: it is cut "
            f"off, or another model's. {_again(wanted)}"
        )
    if hashlib.sha256(data).hexdigest() != card.weights_sha256:
        raise CourseError(f"{at.weights} is damaged: its checksum is not its card's. {_again(wanted)}")
    try:
        return {name: value.float() for name, value in load(data).items()}
    except SafetensorError as error:
        raise CourseError(f"{at.weights} is no safetensors file ({error}). {_again(wanted)}") from error


def _again(wanted: Entry) -> str:
    if wanted.own:
        return f"Train it again: sae-course train-model {wanted.name} --text FILE."
    if retrained(wanted):
        return (
            f"It is of your own training: delete {files(wanted).card} to have the course's, or train it "
            f"anew: sae-course train-model {wanted.name} --again."
        )
    return (
        "Install the course again, or in a clone take the file back with git checkout, or train the model "
        f"again: sae-course train-model {wanted.name}."
    )


def _not_of(spec: ModelSpec, what: str) -> CourseError:
    return CourseError(f"These are not the weights of {spec.name} as its card describes it ({what}).")


def _gemma_to_hooked(state: dict[str, Tensor], cfg: Any) -> dict[str, Tensor]:
    """TransformerLens' own conversion. It reads attributes, so dotted names become a tree of them."""
    from transformer_lens.pretrained.weight_conversions.gemma import convert_gemma_weights  # noqa: PLC0415

    tied = {"lm_head.weight": state["model.embed_tokens.weight"]} | state
    return convert_gemma_weights(_tree(tied), cfg)


def _tree(state: dict[str, Tensor]) -> SimpleNamespace:
    """``tree.model.layers[0].mlp.up_proj.weight`` from ``{"model.layers.0.mlp.up_proj.weight": …}``."""
    root: dict[str, Any] = {}
    for name, value in state.items():
        *path, last = name.split(".")
        reduce(lambda node, part: node.setdefault(part, {}), path, root)[last] = value

    def grown(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        parts = {key: grown(value) for key, value in node.items()}
        if parts and all(key.isdigit() for key in parts):
            return [parts[str(index)] for index in range(len(parts))]
        return SimpleNamespace(**parts)

    return grown(root)


def published_config(wanted: Entry, device: str) -> Any:
    """TransformerLens' config of a published model, read from the hub where it is not built in."""
    from transformer_lens.loading_from_pretrained import get_pretrained_model_config  # noqa: PLC0415

    source = Source(wanted, "model")
    with fetching(source), deprecated():
        ask(source)
        return get_pretrained_model_config(wanted.name, device=device, first_n_layers=kept_layers(wanted))


def kept_layers(wanted: Entry) -> int | None:
    """The first layers of the published model that this session loads; None for all."""
    return wanted.smoke_layers if current().smoke else None


def _published(wanted: Entry, device: str, dtype: str) -> tuple["HookedSAETransformer", str, str]:
    kept = kept_layers(wanted)
    # The embedding, of which there are two copies, is most of what a few layers take.
    _enough_memory(wanted, (1.0 if dtype == "float32" else 0.5) * (1.0 if kept is None else 0.5))
    with deprecated():
        from sae_lens import HookedSAETransformer  # noqa: PLC0415 - seconds
    source = Source(wanted, "model")
    # TransformerLens prints a line of its own; ours says more.
    with fetching(source), deprecated(), contextlib.redirect_stdout(io.StringIO()):
        ask(source)
        model = HookedSAETransformer.from_pretrained_no_processing(
            wanted.name, device=device, dtype=dtype, first_n_layers=kept
        )
    part = f", the first {kept} layers" if kept else ""
    return model.eval(), f"the published {wanted.repository}{part}", ""


def _enough_memory(wanted: Entry, share: float) -> None:
    """Refuse what can't fit this machine at all; what may fit is tried.

    Args:
        share: of the memory that float32 takes.
    """
    import psutil  # noqa: PLC0415

    there = (psutil.virtual_memory().total + psutil.swap_memory().total) / 1e9
    needed = wanted.memory * share
    if there < needed:
        raise CourseError(
            f"Loading {wanted.repository} takes about {needed:.0f} GB of memory and this machine has "
            f'{there:.0f} GB: take a larger one, or go on with scale="mini".'
        )


def _count(number: int) -> str:
    """``4,096``, ``0.5 M``, ``33 M``, ``2.6 billion``."""
    for size, unit in ((1e9, "billion"), (1e6, "M")):
        if number >= size / 10:
            value = number / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{number:,}"
