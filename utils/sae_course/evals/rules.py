"""An explainer and simulator without a language model: rules on tokens and on features that are known.

Rules say of each token whether the latent should fire. For every latent the best rule of each kind is found,

- **token**: the token is one of at most 8,
- **context**: the token before is one of at most 8,
- **label**: a feature whose truth is known is true there; and, at most, the token is one, or none, of 8,

and the best of these is the explanation. Best is the largest correlation of rule and activation on the
examples, the same measure by which explanations are scored on other rows (F1 of "fires" would look past how
strongly it fires, and of a latent that fires on half of the tokens it would say "always"). With the rule true
at n of N tokens, S the sum of the activation at these, μ and σ its mean and standard deviation over all,

    r = (S / n − μ) / σ · √(n / (N − n)),

so n and S of each token and each feature, one count over the examples, are all that is needed. Every token or
feature in a rule costs .01 of correlation, or the longest rule would win by fitting chance. Sets grow
greedily, by the token that raises r most, as long as it is worth its price.

The simulator says the latent's mean activation over the examples at which the rule is true, and 0 elsewhere.
What these rules can't say, a language model might (`endpoint.ChatEndpoint`): a low score means that no
*short rule of this kind* tells the latent, which is not yet that it has no meaning.
"""

import json
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..runtime import CourseError
from .explaining import Examples, Excerpts, Explanation

MOST = 8
"""Tokens in a rule."""
PRICE = 0.01
"""In correlation: of each token, or feature, in a rule."""
_LABELS = 3
"""The best features, of which conjunctions with tokens are tried."""
NOTHING = "nothing found"


@dataclass(frozen=True)
class Rule:
    """A token passes when all parts that are given are true of it."""

    tokens: tuple[int, ...] = ()
    """Ids, in the order in which they were found to help."""
    place: str = "token"
    """What is compared with them: the ``token`` itself, or the one ``before``."""
    without: bool = False
    """It must be none of them, not one of them."""
    label: str = ""

    def true_of(self, excerpts: Excerpts) -> Bool[Tensor, "n width"]:
        """Where it is true. The first token of an excerpt has none before it.

        Raises:
            CourseError: when it speaks of a feature that these excerpts have no labels for.
        """
        passes = torch.ones_like(excerpts.ids, dtype=torch.bool)
        if self.label:
            if excerpts.labels is None:
                raise CourseError(
                    f'The rule speaks of the feature "{self.label}", and these excerpts have no labels.'
                )
            passes = torch.from_numpy(excerpts.labels[self.label])
        if not self.tokens:
            return passes
        found = torch.isin(excerpts.ids, torch.tensor(self.tokens))
        if self.place == "before":
            found = torch.nn.functional.pad(found[:, :-1], (1, 0))
        return passes & (~found if self.without else found)

    def text(self, excerpts: Excerpts) -> str:
        """In words: ``token is one of " dog", " cat"``, ``after "the"``, ``true: inside a quote``."""
        parts = [f"true: {self.label}"] if self.label else []
        if self.tokens:
            listed = ", ".join(json.dumps(excerpts.name(token), ensure_ascii=False) for token in self.tokens)
            several = len(self.tokens) > 1
            verb = "after" if self.place == "before" else "token is"
            which = (
                " none of" if self.without and several else " not" if self.without else " one of" * several
            )
            parts.append(f"{verb}{which} {listed}")
        return ", and ".join(parts)


@dataclass(frozen=True)
class RuleExplanation(Explanation):
    """A rule, and what the latent does where it is true."""

    rule: Rule | None = None
    """None where no rule goes with the activation."""
    mean: float = 0.0


class Rules:
    """Explains by the best rule, and simulates by it."""

    def explain(self, examples: Examples) -> RuleExplanation:
        """The rule that correlates best with the activation on the examples."""
        rule = best_rule(examples)
        if rule is None:
            return RuleExplanation(NOTHING)
        mean = float(examples.activation[rule.true_of(examples.excerpts)].mean())
        return RuleExplanation(rule.text(examples.excerpts), rule, mean)

    def simulate(self, explanation: Explanation, excerpts: Excerpts) -> Float[Tensor, "n width"]:
        """The mean where the rule is true, 0 elsewhere.

        Raises:
            CourseError: for an explanation that holds no rule.
        """
        if not isinstance(explanation, RuleExplanation):
            raise CourseError(
                f"Rules can only be tried where there is one; this is somebody's text: "
                f'"{explanation.text[:60]}". Give a simulator that reads, such as ChatEndpoint.'
            )
        if explanation.rule is None:
            return torch.zeros(excerpts.ids.shape)
        return explanation.mean * explanation.rule.true_of(excerpts).float()

    def __repr__(self) -> str:
        return "Rules()"


class _Sums(NamedTuple):
    """Of some sets of tokens: how many, and the sum of the activation there."""

    n: Float[np.ndarray, " sets"]
    s: Float[np.ndarray, " sets"]


class _Activation(NamedTuple):
    values: Float[np.ndarray, " tokens"]
    mean: float
    deviation: float

    def correlation(self, n: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Of the activation with "is in the set"; 0 for sets of none or all."""
        some = (n > 0) & (n < len(self.values))
        inside = np.where(some, n, 1)
        excess = (s / inside - self.mean) / self.deviation
        return np.where(some, excess * np.sqrt(inside / np.where(some, len(self.values) - n, 1)), 0.0)

    def sums(self, groups: np.ndarray, n_groups: int, where: np.ndarray) -> _Sums:
        """By group, over the tokens of a mask."""
        counted = groups[where]
        return _Sums(
            np.bincount(counted, minlength=n_groups).astype(float),
            np.bincount(counted, self.values[where], n_groups),
        )


def best_rule(examples: Examples) -> Rule | None:
    """The best of all kinds; None where the activation doesn't vary, or nothing goes with it."""
    values = examples.activation.double().flatten().numpy()
    if values.max() == values.min():
        return None
    activation = _Activation(values, float(values.mean()), float(values.std()))
    ids, groups = np.unique(examples.excerpts.ids.numpy(), return_inverse=True)
    groups = groups.reshape(examples.excerpts.ids.shape)
    everywhere = np.ones(groups.size, dtype=bool)
    after = np.ones(groups.shape, dtype=bool)
    after[:, 0] = False
    before = np.roll(groups, 1, axis=1)
    found: list[tuple[float, Rule]] = []
    for place, which, where in (("token", groups, everywhere), ("before", before, after.ravel())):
        worth, tokens = _grown(activation, activation.sums(which.ravel(), len(ids), where))
        found.append((worth, Rule(tuple(ids[tokens].tolist()), place)))
    found += _with_labels(examples.excerpts, activation, ids, groups.ravel())
    # The first of equals: the simpler kind.
    worth, rule = max(found, key=lambda one: one[0])
    return rule if worth > 0 else None


def _with_labels(
    excerpts: Excerpts, activation: _Activation, ids: np.ndarray, groups: np.ndarray
) -> list[tuple[float, Rule]]:
    """The best features: each alone, with tokens that it must be one of, with tokens it must not be."""
    if excerpts.labels is None:
        return []
    truth = excerpts.labels.values.reshape(len(groups), -1)
    n = truth.sum(0).astype(float)
    s = activation.values @ truth
    r = activation.correlation(n, s)
    found = []
    for one in np.argsort(-r, kind="stable")[:_LABELS]:
        inside = activation.sums(groups, len(ids), truth[:, one])
        for without, start in ((False, (0.0, 0.0)), (True, (float(n[one]), float(s[one])))):
            worth, tokens = _grown(activation, inside, start, -1 if without else 1)
            name = excerpts.labels.names[one]
            rule = Rule(tuple(ids[tokens].tolist()), without=without and bool(tokens), label=name)
            found.append((worth - PRICE, rule))
    return found


def _grown(
    activation: _Activation, by_token: _Sums, start: tuple[float, float] = (0.0, 0.0), sign: int = 1
) -> tuple[float, list[int]]:
    """A set grows, or shrinks, by all occurrences of one token after another.

    Args:
        start: n and s of the set at first.
        sign: −1 to take tokens away.

    Returns:
        The correlation in the end, less the tokens' price; and the tokens.
    """
    n, s = start
    worth = float(activation.correlation(np.array(n), np.array(s)))
    tokens: list[int] = []
    while len(tokens) < MOST:
        r = activation.correlation(n + sign * by_token.n, s + sign * by_token.s)
        r[tokens] = -np.inf
        one = int(r.argmax())
        longer = float(r[one]) - PRICE * (len(tokens) + 1)
        if longer <= worth:
            break
        tokens.append(one)
        worth, n, s = longer, n + sign * by_token.n[one], s + sign * by_token.s[one]
    return worth, tokens
