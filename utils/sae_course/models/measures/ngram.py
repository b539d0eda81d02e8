"""The model that knows nothing but the last four words: interpolated n-grams."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class _Order(NamedTuple):
    """Counts of one length: sorted keys of context and word, and of context alone."""

    keys: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    kinds: np.ndarray  # different words seen after each context


class NGram:
    """An n-gram model with Witten-Bell interpolation, which needs no tuning.

    P(w | context) = (c(context w) + T(context) P(w | shorter context)) / (c(context) + T(context)), where T
    is the number of different words seen after the context (Witten and Bell 1991; Chen and Goodman 1999,
    section 2.5).
    """

    def __init__(self, tokens: Int[np.ndarray, "row pos"], d_vocab: int, n: int = 5) -> None:
        """Count in ``tokens``; a context does not reach over the beginning of a row.

        d_vocab**n must fit into 63 bits: 6,000 words for n = 5.
        """
        self.n, self.d_vocab = n, d_vocab
        self.orders: list[_Order] = []
        rows = tokens.astype(np.int64)
        for length in range(1, n + 1):
            keys, counts = np.unique(self._keys(rows, length).ravel(), return_counts=True)
            firsts = np.flatnonzero(np.diff(keys // d_vocab, prepend=-1))
            self.orders.append(
                _Order(
                    keys,
                    counts,
                    keys[firsts] // d_vocab,
                    np.add.reduceat(counts, firsts),
                    np.diff(firsts, append=len(keys)),
                )
            )

    def _keys(self, rows: Int[np.ndarray, "row pos"], length: int) -> Int[np.ndarray, "row pos-length+1"]:
        """Each run of ``length`` tokens as one number in base d_vocab."""
        width = rows.shape[1] - length + 1
        keys = np.zeros((len(rows), max(width, 0)), dtype=np.int64)
        for place in range(length):
            keys = keys * self.d_vocab + rows[:, place : place + width]
        return keys

    def probabilities(self, tokens: Int[np.ndarray, "row pos"]) -> Float[np.ndarray, "row pos-1"]:
        """The probability of each token after the first, given up to n - 1 tokens before it."""
        rows = tokens.astype(np.int64)
        p = np.full((len(rows), rows.shape[1] - 1), 1 / self.d_vocab)
        for length, order in enumerate(self.orders, start=1):
            # Near a row's beginning the context is shorter, and the shorter estimate stays.
            skipped = max(length - 2, 0)
            keys = self._keys(rows, length)[:, 1 if length == 1 else 0 :]
            at = np.minimum(np.searchsorted(order.keys, keys), len(order.keys) - 1)
            count = np.where(order.keys[at] == keys, order.counts[at], 0)
            context = keys // self.d_vocab
            at = np.minimum(np.searchsorted(order.contexts, context), len(order.contexts) - 1)
            seen = order.contexts[at] == context
            total, kinds = np.where(seen, order.totals[at], 0), np.where(seen, order.kinds[at], 1)
            p[:, skipped:] = (count + kinds * p[:, skipped:]) / (total + kinds)
        return p

    def loss(self, tokens: Int[np.ndarray, "row pos"]) -> float:
        """Mean cross-entropy in nats per token after the first of a row."""
        return float(-np.log(self.probabilities(tokens)).mean())
