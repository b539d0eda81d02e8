"""The activation buffer: a model's activations, mixed and served a batch at a time; resumed bit for bit."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..runtime import CourseError
from ..runtime.streams import stream_seed
from .dataset_position import Position

if TYPE_CHECKING:
    from jaxtyping import Float
    from sae_lens import ActivationsStore

# Attention scores of one forward pass, in bytes. A processor that finds them in its cache runs the 1-layer
# model 2.5 times as fast as on 32 rows at once (measured on 2 cores).
_IN_CACHE = 4 * 2**20


class Buffer:
    """Batches of activations at one or more hook points, as SAELens' `mixing_buffer` serves them.

    It holds ``size`` tokens. Each time that many are there, they are shuffled; all but the share ``mix`` is
    served, and the rest waits for the next shuffle. One permutation serves all hook points: row i of every
    batch is the same token. SAELens' own is a generator, whose state can't be saved.

    Args:
        store: of SAELens, built for these hook points (`ActivationsStore.from_config_multi_hook`).
        seed: of the shuffles.
    """

    def __init__(self, store: "ActivationsStore", hooks: list[str], seed: int) -> None:
        self.store, self.hooks = store, hooks
        self.batch_size = store.train_batch_size_tokens
        self.size = store.n_batches_in_buffer * store.training_context_size
        self.mix = store.activations_mixing_fraction
        if self.size < self.batch_size:
            raise CourseError(
                f"The activation buffer holds {self.size:,} tokens (n_batches_in_buffer "
                f"{store.n_batches_in_buffer} × {store.training_context_size} tokens of a row) and a batch "
                f"is {self.batch_size:,}: make n_batches_in_buffer at least "
                f"{-(-self.batch_size // store.training_context_size)}."
            )
        self._stream = torch.Generator().manual_seed(stream_seed("buffer", seed))
        self._position = Position(store)
        self._rows_at_once = _rows_at_once(store)
        self._held: dict[str, Float[Tensor, "n d_in"]] = {}
        self._order = torch.empty(0, dtype=torch.long)
        self._next, self._stop = 0, 0  # in the order: what is served next, and where serving stops

    def __iter__(self) -> "Buffer":
        return self

    def __next__(self) -> "dict[str, Float[Tensor, 'batch d_in']]":
        if self._next >= self._stop:
            self._fill()
        places = self._order[self._next : self._next + self.batch_size]
        self._next += self.batch_size
        return {hook: held[places] for hook, held in self._held.items()}

    @torch.no_grad()
    def _fill(self) -> None:
        left = self._order[self._stop :]
        parts = {hook: [held[left]] for hook, held in self._held.items()} or {hook: [] for hook in self.hooks}
        count = len(left)
        while count < self.size:
            new = self._activations()
            for hook in self.hooks:
                parts[hook].append(new[hook])
            count += len(new[self.hooks[0]])
        self._held = {hook: torch.cat(pieces) for hook, pieces in parts.items()}
        if self.mix > 0:
            self._order = torch.randperm(count, generator=self._stream).to(self.store.device)
        else:
            self._order = torch.arange(count, device=self.store.device)
        batches = max(1, (count - int(self.size * self.mix)) // self.batch_size)
        self._next, self._stop = 0, batches * self.batch_size

    def _activations(self) -> "dict[str, Float[Tensor, 'n d_in']]":
        """Of the next rows: one forward pass, in parts that fit the cache, without excluded tokens."""
        store = self.store
        tokens = self._position.rows(store.store_batch_size_prompts)
        parts = [store.get_multi_hook_activations(rows) for rows in tokens.split(self._rows_at_once)]
        read = tokens[:, slice(*store.seqpos_slice)].reshape(-1).to(store.device)
        keep = None
        if store.exclude_special_tokens is not None:
            keep = ~torch.isin(read, store.exclude_special_tokens)
        found = {}
        for hook in self.hooks:
            acts = torch.cat([part[hook].flatten(0, 1) for part in parts]).to(store.device, store.dtype)
            found[hook] = acts if keep is None else acts[keep]
        return found

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What `load` goes on from: what is held, in its order, and where the data are."""
        rest = self._order[self._next :]
        tensors = {f"held.{hook}": held[rest] for hook, held in self._held.items()}
        tensors["stream"] = self._stream.get_state()
        return tensors, {"to_serve": self._stop - self._next, "position": self._position.state()}

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Go on from a `state`."""
        held = {hook: tensors.get(f"held.{hook}") for hook in self.hooks}
        self._held = {hook: acts.to(self.store.device) for hook, acts in held.items() if acts is not None}
        count = len(self._held[self.hooks[0]]) if self._held else 0
        self._order = torch.arange(count, device=self.store.device)
        self._next, self._stop = 0, numbers["to_serve"]
        self._stream.set_state(tensors["stream"])
        self._position.load(numbers["position"])


def _rows_at_once(store: "ActivationsStore") -> int:
    """Rows of one forward pass: all of them on a GPU, what fits the cache on a CPU."""
    cfg = store.model.cfg
    if torch.device(cfg.device).type != "cpu":
        return store.store_batch_size_prompts
    scores = 4 * getattr(cfg, "n_heads", 1) * store.context_size**2
    return max(1, min(store.store_batch_size_prompts, _IN_CACHE // scores))
