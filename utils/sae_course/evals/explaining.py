"""Who explains a latent, and who tries the explanation: the two roles of automatic interpretability.

An **explainer** reads examples, excerpts of text with the latent's activation at each token, and says in
words when it fires. A **simulator** reads these words alone, and predicts the activation at each token of
excerpts that it has not seen (Bills et al. 2023, "Language models can explain neurons in language models").
Whatever has the method can have the role: the rules of `rules.Rules`, a language model behind
`endpoint.ChatEndpoint`, a class of your own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ..data.labels import Labels
from ..runtime import CourseError

Decode = Callable[[int], str] | Any
"""A token's text from its id: a function, or a tokenizer with ``decode``."""
See = Literal["all", "top and random", "top"]
"""Which excerpts an explainer is shown."""


@dataclass(frozen=True)
class Excerpts:
    """Pieces of rows, all of the same length: tokens, and what is true of them. Nothing of any latent."""

    ids: Int[Tensor, "n width"] = field(repr=False)
    name: Callable[[int], str] = field(repr=False)
    """A token's text."""
    labels: Labels | None = None
    """[n, width, features]; None where no truth is known."""

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, places: Int[Tensor, " m"]) -> "Excerpts":
        """Some of them, in that order."""
        if self.labels is None:
            return Excerpts(self.ids[places], self.name)
        values = self.labels.values[places.numpy()]
        return Excerpts(self.ids[places], self.name, Labels(self.labels.names, values, self.labels.missing))

    def words(self, place: int) -> list[str]:
        """The text of each token of one excerpt."""
        return [self.name(token) for token in self.ids[place].tolist()]


@dataclass(frozen=True)
class Examples:
    """What an explainer sees of one latent."""

    excerpts: Excerpts
    """Those with the largest activations first, then others."""
    activation: Float[Tensor, "n width"] = field(repr=False)
    """Never below 0."""
    n_top: int
    """How many of them were taken for their large activation."""


@dataclass(frozen=True)
class Explanation:
    """When a latent fires. An explainer may return a subclass that holds what its own simulator needs."""

    text: str
    """Empty where the explainer found nothing to say."""


@runtime_checkable
class Explainer(Protocol):
    """Says when a latent fires."""

    def explain(self, examples: Examples) -> Explanation: ...


@runtime_checkable
class Simulator(Protocol):
    """Predicts, from an explanation alone."""

    def simulate(self, explanation: Explanation, excerpts: Excerpts) -> Float[Tensor, "n width"]:
        """In any unit, 0 for silence; NaN in an excerpt of which it could make nothing."""
        ...


def cut(values: Shaped[Tensor, "rows pos *rest"], width: int | None) -> Shaped[Tensor, "n width *rest"]:
    """Rows in pieces of about ``width``, all of one length, in order; whole rows when it is None.

    As many pieces as come closest to that width; fewer tokens than there are pieces may fall off the end.

    Raises:
        CourseError: for a width below 1.
    """
    if width is not None and width < 1:
        raise CourseError(f"width is a number of tokens, 1 or more, or None for whole rows; not {width}.")
    n_rows, n_pos = values.shape[:2]
    pieces = 1 if width is None else max(1, round(n_pos / width))
    length = n_pos // pieces
    return values[:, : pieces * length].reshape(n_rows * pieces, length, *values.shape[2:])


def excerpts_of(
    tokens: Int[Tensor, "rows pos"], decode: Decode, labels: Labels | None, width: int | None
) -> Excerpts:
    """The tokens and their truth, in pieces.

    Raises:
        CourseError: when tokens, or labels, are of other rows, or decode makes no text.
    """
    if labels is not None and labels.values.shape[:2] != tuple(tokens.shape):
        raise CourseError(
            f"The labels are of {list(labels.values.shape[:2])} tokens, [rows, pos], and the tokens are "
            f"{list(tokens.shape)}: both must be of the same rows."
        )
    truth = None
    if labels is not None and len(labels):
        truth = Labels(labels.names, cut(torch.from_numpy(labels.values), width).numpy(), labels.missing)
    return Excerpts(cut(tokens, width), _namer(decode), truth)


def _namer(decode: Decode) -> Callable[[int], str]:
    # A tokenizer can be called too, and then encodes: its `decode` goes first.
    if hasattr(decode, "decode"):
        return lambda token: decode.decode([token], clean_up_tokenization_spaces=False)
    if not callable(decode):
        raise CourseError(
            "decode makes a token's text from its id: pass a tokenizer (model.tokenizer), or a function such "
            f"as str; not {type(decode).__name__}."
        )
    return decode


def examples_of(
    excerpts: Excerpts,
    activation: Float[Tensor, "n width"],
    see: See,
    sizes: tuple[int, int],
    stream: torch.Generator,
) -> Examples:
    """What an explainer is shown of these excerpts.

    Args:
        sizes: how many with the largest activations, and how many others.

    Raises:
        CourseError: when ``see`` isn't one of those.
    """
    top, rest = sizes
    if see not in get_args(See):
        raise CourseError(f'An explainer sees "all", "top and random" or "top"; not "{see}".')
    first = strongest(activation, top)
    kept = {"top": 0, "top and random": rest, "all": len(excerpts)}[see]
    places = torch.cat([first, others(len(excerpts), first, stream)[:kept]])
    return Examples(excerpts[places], activation[places], top)


def strongest(activation: Float[Tensor, "n width"], top: int) -> Int[Tensor, " top"]:
    """The excerpts with the largest activations; of equals those that come first."""
    return activation.amax(1).argsort(descending=True, stable=True)[:top]


def others(n: int, without: Int[Tensor, " top"], stream: torch.Generator) -> Int[Tensor, " rest"]:
    """The rest of n excerpts, in random order."""
    drawn = torch.randperm(n, generator=stream)
    return drawn[~torch.isin(drawn, without)]
