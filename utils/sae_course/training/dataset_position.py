"""Where a run is in its data, so that it can go on from there."""

import json
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..runtime import CourseError

if TYPE_CHECKING:
    from jaxtyping import Int
    from sae_lens import ActivationsStore


class Position:
    """Reads rows of tokens from SAELens' store and knows how to come back to a row.

    Tokenised data sets that know their own state (`datasets.IterableDataset.state_dict`) go on from it at
    once. Any other is read again up to the row: text that is tokenised on the way (a row holds the rest of
    the text before it), a stream shuffled through a buffer, whose contents its state leaves out, and the same
    rows from another place than before (a run that began on the hub goes on from prefetched rows).
    """

    def __init__(self, store: "ActivationsStore") -> None:
        self.store, self.count = store, 0
        self._unread: dict[str, Any] | None = None
        """The data set's state that was gone on from, as long as nothing was read since."""

    def rows(self, n: int) -> "Int[Tensor, 'n context']":
        """The next ``n`` rows, on the model's device."""
        try:
            tokens = self.store.get_batch_tokens(n)
        except StopIteration as error:
            raise CourseError(
                f"The data hold no row of {self.store.context_size} tokens: use a shorter context_size, or "
                "other data."
            ) from error
        self.count += n
        self._unread = None
        return tokens

    def state(self) -> dict[str, Any]:
        """JSON: rows read so far, and the data set's own state where it has one."""
        return {"rows": self.count, "dataset": self._dataset_state()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`, in a store that has read nothing yet."""
        self.count = state["rows"]
        dataset: Any = self.store.dataset
        if self.count and state["dataset"] is not None and _fits(state["dataset"], dataset):
            # To be put in place, the state takes a row that nobody has asked for: the data set is then one
            # row ahead, and a run stopped again before its buffer is filled would lose that row.
            self._unread = state["dataset"]
            dataset.load_state_dict(state["dataset"])
            first = next(self.store.iterable_sequences)
            # Otherwise the data set would begin every later epoch, too, at the state it was given.
            dataset.load_state_dict({})
            self.store.iterable_sequences = _chain(first, self.store.iterable_sequences)
            return
        for _ in range(self.count):
            self.store.get_batch_tokens(1, move_to_model_device=False)

    def _dataset_state(self) -> dict[str, Any] | None:
        if self._unread is not None:
            return self._unread
        dataset = self.store.dataset
        if not self.store.is_dataset_tokenized or not hasattr(dataset, "state_dict"):
            return None
        state = dataset.state_dict()
        return None if "BufferShuffled" in json.dumps(state) else state


def _fits(state: dict[str, Any], dataset: Any) -> bool:
    """Whether the state is of a data set that is read in the same way: made of the same kinds of steps."""
    return _kinds(state) == _kinds(dataset.state_dict())


def _kinds(state: Any) -> Any:
    if not isinstance(state, dict):
        return None
    inner = [value for _, value in sorted(state.items()) if isinstance(value, dict)]
    return state.get("type"), *map(_kinds, inner)


def _chain(first: Tensor, rest: Any) -> Any:
    yield first
    yield from rest
