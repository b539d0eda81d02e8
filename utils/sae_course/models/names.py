"""Which models there are, under TransformerLens' names: what stands for each at mini and at full scale."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from ..runtime import CourseError, current
from ..runtime.session import Scale
from . import cards

SMOKE_TOKENS = 24
"""Of each row of published text, in a smoke run (`Session.smoke`)."""


@dataclass(frozen=True)
class Dataset:
    """A published dataset of token rows, all of one length."""

    repository: str
    n_ctx: int
    """Tokens that the published SAE's training read of each row."""
    bos: bool
    """Whether rows begin with a BOS token."""


@dataclass(frozen=True)
class Entry:
    """One model, by the name under which both scales know it."""

    name: str
    data: Literal["stories", "othello", "text"]
    """What it reads at mini scale."""
    description: str
    repository: str = ""
    """Of the published model on the hub; empty for a learner's own."""
    dataset: Dataset | None = None
    """The published tokens that go with the published model."""
    licence: str = ""
    """The page on which a gated model's licence is accepted; empty where there is no gate."""
    memory: float = 1.0
    """Memory that loading the published model takes, in GB: its weights in float32, twice."""
    smoke_layers: int | None = None
    """Layers of it that a smoke run (`Session.smoke`) keeps; all when None."""

    @property
    def own(self) -> bool:
        """Whether a learner trained it, on a text of their own."""
        return not self.repository


class Files(NamedTuple):
    """Where a mini model lies."""

    weights: Path
    card: Path
    tokenizer: Path
    """Only a learner's own model has one; the stories' tokenizer is code."""


_ENTRIES = (
    Entry(
        "tiny-stories-1L-21M",
        "stories",
        "one layer that tells children's stories",
        "roneneldan/TinyStories-1Layer-21M",
        Dataset("apollo-research/roneneldan-TinyStories-tokenizer-gpt2", n_ctx=512, bos=True),
    ),
    Entry(
        "attn-only-2l-demo",
        "stories",
        "two layers of attention and nothing else, with an induction circuit",
        "NeelNanda/Attn-Only-2L512W-Shortformer-6B-big-lr",
        Dataset(
            "apollo-research/Skylion007-openwebtext-tokenizer-EleutherAI-gpt-neox-20b", n_ctx=1024, bos=True
        ),
    ),
    Entry(
        "othello-gpt",
        "othello",
        "plays legal moves of Othello, and knows the board",
        "Baidicoot/Othello-GPT-Transformer-Lens",
        Dataset("taufeeque/othellogpt", n_ctx=59, bos=False),
    ),
    Entry(
        "gemma-2-2b",
        "stories",
        "the Gemma 2 architecture",
        "google/gemma-2-2b",
        Dataset("chanind/openwebtext-gemma", n_ctx=1024, bos=True),
        licence="https://huggingface.co/google/gemma-2-2b",
        memory=21.0,
        smoke_layers=2,
    ),
)
MODELS: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def entry(name: str) -> Entry:
    """The model called ``name``: one of `MODELS`, or a learner's own (a card in ``home()/models``).

    Raises:
        CourseError: for a name that there isn't, with the nearest that there are.
    """
    if name in MODELS:
        return MODELS[name]
    own = own_names()
    if name in own:
        return Entry(name, "text", "your own model, trained on a text of yours")
    everything = [*MODELS, *own]
    near = _nearest(name, everything)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(everything)}."
    raise CourseError(
        f'There is no model "{name}": {hint} (A model of your own: sae-course train-model NAME --text FILE.)'
    )


def dtype_name(dtype: object) -> str:
    """``float32``, ``bfloat16`` or ``float16``, from a torch dtype or one of TransformerLens' words for it.

    Raises:
        CourseError: for any other.
    """
    name = str(dtype).removeprefix("torch.")
    for known, others in _DTYPES.items():
        if name == known or name in others:
            return known
    raise CourseError(f"A model's dtype is {', '.join([*_DTYPES][:-1])} or {[*_DTYPES][-1]}, not {dtype!r}.")


_DTYPES = {"float32": ("fp32",), "bfloat16": ("bf16",), "float16": ("fp16", "half")}


def own_names() -> list[str]:
    """The names of the learner's own models."""
    endings = (".json", ".tokenizer.json")
    found = sorted(path.name for path in cards.own_models().glob("*.json"))
    return [
        name.removesuffix(endings[0])
        for name in found
        if not name.endswith(endings[1]) and name.removesuffix(endings[0]) not in MODELS
    ]


def retrained(entry: Entry) -> bool:
    """Whether the learner trained one of the four anew (`sae-course train-model NAME`), to be used."""
    return not entry.own and (cards.own_models() / f"{entry.name}.json").exists()


def files(entry: Entry) -> Files:
    """Where the mini model's files are, or ought to be."""
    folder = cards.own_models() if entry.own or retrained(entry) else cards.SHIPPED
    return Files(
        folder / f"{entry.name}.safetensors",
        folder / f"{entry.name}.json",
        folder / f"{entry.name}.tokenizer.json",
    )


def choose_scale(entry: Entry, scale: str | None) -> Scale:
    """The scale asked for, or else the session's (see `setup`); a learner's own model has only mini.

    Raises:
        CourseError: for a scale that doesn't exist, or that this model doesn't have.
    """
    chosen = scale if scale is not None else "mini" if entry.own else current().scale
    if chosen not in get_args(Scale):
        raise CourseError(f"there is no scale {chosen!r}: use 'mini' or 'full'.")
    if entry.own and chosen == "full":
        raise CourseError(
            f'"{entry.name}" is your own model and has no published counterpart: leave out scale="full".'
        )
    return chosen  # type: ignore[return-value]


def _nearest(name: str, names: list[str]) -> list[str]:
    """The names that look like ``name``, or that have it as a part, or whose repository has."""
    wanted = name.lower().rpartition("/")[2]
    by_lower = {known.lower(): known for known in names}
    like = [by_lower[key] for key in difflib.get_close_matches(wanted, by_lower, n=3, cutoff=0.5)]
    repositories = {known: MODELS[known].repository.lower() if known in MODELS else "" for known in names}
    parts = [
        known for known in names if wanted and (wanted in known.lower() or wanted in repositories[known])
    ]
    return list(dict.fromkeys([*parts, *like]))[:3]
