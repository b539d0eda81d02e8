"""Check of 8.2 kl_recovered: how much of the whole prediction survives the SAE."""

import math
from collections.abc import Callable

from torch import Tensor

from ..cases import Case
from ..core import exercise
from ..raised import meaning
from ..trial import Function, Trial

Rule = Callable[[Tensor, Tensor, Tensor], float]
"""From the three logits, all ``[n d_vocab]``."""
Apart = Callable[[Tensor, Tensor], Tensor]
"""How far one prediction is from the model's own, ``[n]``, from the log-probabilities of both."""
SIZES = ((7, 13), (5, 23), (11, 17), (1, 31), (3, 11))
"""Of each case: n, d_vocab."""
NOISE = (0.6, 0.9, 2.6, 0.7, 0.0)
"""In the third case the SAE is worse than an ablation, in the last one it changes nothing: 1."""
SAME = 0.0
LEAST = 0.03
"""How far the result is from 0 and from 1, so that rounding can't show."""


def _right(clean: Tensor, with_sae: Tensor, ablated: Tensor) -> float:
    """Token by token and word by word, in float64."""
    total = [0.0, 0.0]
    for p, *others in zip(clean.tolist(), with_sae.tolist(), ablated.tolist(), strict=True):
        log_p = _log_chances(p)
        for i, q in enumerate(others):
            pairs = zip(log_p, _log_chances(q), strict=True)
            total[i] += math.fsum(math.exp(one) * (one - other) for one, other in pairs)
    return 1 - total[0] / total[1]


def _log_chances(logits: list[float]) -> list[float]:
    top = max(logits)
    size = top + math.log(math.fsum(math.exp(x - top) for x in logits))
    return [x - size for x in logits]


def _kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def _backwards(log_p: Tensor, log_q: Tensor) -> Tensor:
    return _kl(log_q, log_p)


def _of(apart: Apart, other: Apart | None = None, dim: int = -1) -> Rule:
    """1 less the ratio of the means, of something else than the KL (``other`` for the ablation, if given)."""

    def wrong(clean: Tensor, with_sae: Tensor, ablated: Tensor) -> float:
        p, q, r = (logits.log_softmax(dim) for logits in (clean, with_sae, ablated))
        return float(1 - apart(p, q).mean() / (other or apart)(p, r).mean())

    return wrong


def _with(predict: Callable[[Tensor], Tensor]) -> Rule:
    """Something else in the place of the log-probabilities."""

    def wrong(*logits: Tensor) -> float:
        p, q, r = (predict(one) for one in logits)
        return float(1 - _kl(p, q).mean() / _kl(p, r).mean())

    return wrong


def _from(combine: Callable[[Tensor, Tensor], Tensor]) -> Rule:
    """Of the KL to the SAE and to the ablation, each ``[n]``."""

    def wrong(*logits: Tensor) -> float:
        p, q, r = (one.log_softmax(-1) for one in logits)
        return float(combine(_kl(p, q), _kl(p, r)))

    return wrong


def _of_logits(clean: Tensor, with_sae: Tensor, ablated: Tensor) -> float:
    """The right weights, on differences of logits."""
    p = clean.softmax(-1)
    return float(1 - (p * (clean - with_sae)).sum() / (p * (clean - ablated)).sum())


def _true_word(log_p: Tensor, log_q: Tensor) -> Tensor:
    """What cross-entropy asks, with the model's likeliest word as the true one."""
    word = log_p.argmax(-1, keepdim=True)
    return (log_p - log_q).gather(-1, word)


def _between(clean: Tensor, with_sae: Tensor, ablated: Tensor) -> float:
    p, q, r = (one.log_softmax(-1) for one in (clean, with_sae, ablated))
    return float(1 - _kl(p, q).mean() / _kl(q, r).mean())


def _between_upside_down(clean: Tensor, with_sae: Tensor, ablated: Tensor) -> float:
    p, q, r = (one.log_softmax(-1) for one in (clean, with_sae, ablated))
    return float(1 - _kl(p, q).mean() / _kl(r, q).mean())


def _nothing(*_: Tensor) -> float:
    return math.nan


MISTAKES: dict[str, Rule] = {
    "the KL is the wrong way round: this is KL(q‖p). The model's own prediction p comes first.": _of(
        _backwards
    ),
    "the KL to the SAE's prediction is the wrong way round: KL(p‖q).": _of(_backwards, _kl),
    "the KL to the ablated prediction is the wrong way round: KL(p‖r).": _of(_kl, _backwards),
    "below is the KL from the SAE's prediction to the ablated one; both start from the model's own.": (
        _between
    ),
    "below is the KL from the ablated prediction to the SAE's; both start from the model's own.": (
        _between_upside_down
    ),
    "the weights p_v are missing: this is a plain mean over the vocabulary.": _of(
        lambda log_p, log_q: (log_p - log_q).mean(-1)
    ),
    "the weights are log-probabilities; take their .exp().": _of(
        lambda log_p, log_q: (log_p * (log_p - log_q)).sum(-1)
    ),
    "this is of cross-entropies: log p_v is missing in what is weighted.": _of(
        lambda log_p, log_q: -(log_p.exp() * log_q).sum(-1)
    ),
    "log q_v is missing in what is weighted; log p_v alone is the model's own entropy.": _of(
        lambda log_p, log_q: (log_p.exp() * log_p).sum(-1),
        lambda log_p, log_q: -(log_p.exp() * log_q).sum(-1),
    ),
    "only the model's likeliest token is looked at, as by cross-entropy; sum over the whole vocabulary.": (
        _of(_true_word)
    ),
    "the logarithms are missing: this is of differences of probabilities.": _of(
        lambda log_p, log_q: (log_p.exp() * (log_p.exp() - log_q.exp())).sum(-1)
    ),
    "a probability stands where its logarithm should; F.kl_div takes log q first, then p.": _of(
        lambda log_p, log_q: (log_p.exp() * (log_p - log_q.exp())).sum(-1)
    ),
    "the logarithm is missing: p_v / q_v in the place of log p_v − log q_v.": _of(
        lambda log_p, log_q: (log_p.exp() * (log_p - log_q).exp()).sum(-1)
    ),
    "the difference lost its sign; in a KL terms of both signs are added.": _of(
        lambda log_p, log_q: (log_p.exp() * (log_p - log_q).abs()).sum(-1)
    ),
    "the difference is squared; in a KL it stands as it is.": _of(
        lambda log_p, log_q: (log_p.exp() * (log_p - log_q).square()).sum(-1)
    ),
    "this is how far the probabilities are apart, not their KL.": _of(
        lambda log_p, log_q: (log_p.exp() - log_q.exp()).abs().sum(-1)
    ),
    "this is how far the logarithms are apart, squared, not their KL.": _of(
        lambda log_p, log_q: (log_p - log_q).square().sum(-1)
    ),
    "these are differences of logits; a constant on all of a token's logits must not matter: log_softmax.": (
        _of_logits
    ),
    "the logits were taken for log-probabilities: log_softmax(-1) first.": _with(lambda logits: logits),
    "the softmax goes over the tokens; it goes over the vocabulary: log_softmax(-1).": _of(_kl, dim=0),
    "the softmax goes over all tokens at once; each token has its own: log_softmax(-1).": _with(
        lambda logits: logits.flatten().log_softmax(0).view_as(logits)
    ),
    "the softmax was taken twice, of probabilities: log_softmax takes the logits.": _with(
        lambda logits: logits.softmax(-1).log_softmax(-1)
    ),
    "the probabilities were taken for their logarithms: log_softmax(-1).": _with(
        lambda logits: logits.softmax(-1)
    ),
    "this is the mean of each token's own ratio; take both means first, then divide.": _from(
        lambda sae, ablated: (1 - sae / ablated).mean()
    ),
    "this is the median over tokens; the mean is wanted.": _from(
        lambda sae, ablated: 1 - sae.median() / ablated.median()
    ),
    "the KL to the SAE is averaged, the other one summed.": _from(
        lambda sae, ablated: 1 - sae.mean() / ablated.sum()
    ),
    "the 1 − is missing: this is the share that is lost.": _from(
        lambda sae, ablated: sae.mean() / ablated.mean()
    ),
    "this is the share that is lost, less 1: the wrong way round.": _from(
        lambda sae, ablated: sae.mean() / ablated.mean() - 1
    ),
    "this is upside down: the SAE's KL stands above, the ablation's below.": _from(
        lambda sae, ablated: 1 - ablated.mean() / sae.mean()
    ),
    "this is the difference of the two means; divide it by the ablation's.": _from(
        lambda sae, ablated: ablated.mean() - sae.mean()
    ),
    "the difference is divided by the sum of both; divide by the ablation's alone.": _from(
        lambda sae, ablated: (ablated.mean() - sae.mean()) / (ablated.mean() + sae.mean())
    ),
    "this is the SAE's KL itself; compare it with the ablation's.": _from(lambda sae, _: sae.mean()),
    "this is in percent; 1 is everything.": _from(
        lambda sae, ablated: 100 * (1 - sae.mean() / ablated.mean())
    ),
    "what is below 0 is cut off; an SAE can be worse than an ablation, and that should show.": _from(
        lambda sae, ablated: (1 - sae.mean() / ablated.mean()).clamp(min=0)
    ),
    "a logarithm of something negative: of the logits themselves (take log_softmax), or of log-probabilities "
    "(F.kl_div wants log_target=True with them).": _nothing,
}
RAISED = {
    "must match the size": "a sum over the vocabulary is one number for each token; or keepdim=True.",
    "only one element tensors": "a single number is wanted: the mean over tokens is missing.",
    "a Tensor with": "a single number is wanted: the mean over tokens is missing.",
}
"""What torch says when it can't go on -> what is meant."""


@exercise("8.2", "kl_recovered", minutes=6, hints=1)
def kl_recovered(t: Trial, student: Function) -> None:
    """SAEs better and worse than an ablation, a single token, and one that changes nothing."""
    for number, case in enumerate(t.cases(len(SIZES))):
        arguments = _inputs(case, number)
        with meaning(RAISED):
            t.against(student, arguments, _right, mistakes=MISTAKES)


def _inputs(case: Case, number: int) -> dict[str, Tensor]:
    """Logits of which no token's sum to a probability of 1, and tokens that are changed more or less."""
    case.sizes |= dict(zip(("n", "d_vocab"), SIZES[number], strict=True))
    while True:
        clean = case.normal("n d_vocab", scale=1.3) + case.normal("n 1", scale=1.5)
        made = clean + NOISE[number] * case.normal("n d_vocab") * case.uniform("n 1", 0.4, 1.6)
        inputs = {
            "clean": clean,
            "with_sae": made + case.normal("n 1", scale=0.7 * (NOISE[number] > SAME)),
            "ablated": clean + case.normal("n d_vocab", scale=1.4) * case.uniform("n 1", 0.5, 1.5),
        }
        inputs["ablated"] = inputs["ablated"] + case.normal("n 1", scale=0.9)
        value = _right(**inputs)
        if NOISE[number] == SAME or (abs(value) > LEAST and (value < 0) == (NOISE[number] > 2)):
            return inputs
