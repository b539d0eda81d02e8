"""Metric names, which are SAELens' own: the ones that matter most, what their axes say, finding one."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from ..runtime import CourseError

MAIN = {
    "metrics/l0": "L0: latents that fire per token",
    "metrics/explained_variance": "explained variance",
    "sparsity/dead_features": "dead latents",
    "losses/mse_loss": "squared error per token",
    "model_performance_preservation.ce_loss_score": "share of the loss recovered",
}
"""The metrics that a run shows of itself, and what their axes say."""

_OTHERS = {
    "details/current_learning_rate": "learning rate",
    "details/n_training_samples": "tokens",
    "sparsity/mean_passes_since_fired": "steps since a latent fired, mean",
    "sparsity/below_1e-5": "latents that fire on fewer than 1 in 100,000 tokens",
    "sparsity/below_1e-6": "latents that fire on fewer than 1 in 1,000,000 tokens",
    "metrics/mean_log10_feature_sparsity": "log10 of the latents' firing frequency, mean",
    "model_performance_preservation.ce_loss_with_sae": "cross-entropy with the SAE, nats per token",
    "model_performance_preservation.ce_loss_without_sae": "cross-entropy without the SAE, nats per token",
    "model_performance_preservation.ce_loss_with_ablation": "cross-entropy with zeros, nats per token",
    "plots/feature_density_line_chart": "log10 of a latent's firing frequency",
    "weights/W_dec_norms": "length of a decoder vector",
}


def axis(name: str) -> str:
    """What an axis with this metric on it says."""
    return MAIN.get(name) or _OTHERS.get(name) or name


def short(name: str) -> str:
    """The last part of a name: ``l0`` of ``metrics/l0``."""
    return re.split(r"[/.]", name)[-1]


def find(name: str, names: Iterable[str], what: str = "metric") -> str:
    """The full name of a metric that is given in full or by its last part; of several, the one in `MAIN`.

    Raises:
        CourseError: when there is none, or several; it names the nearest.
    """
    known = list(dict.fromkeys(names))
    if name in known:
        return name
    fitting = [one for one in known if short(one) == name]
    fitting = [one for one in fitting if one in MAIN] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise CourseError(f'The {what} "{name}" may be {" or ".join(fitting)}: give the full name.')
    near = get_close_matches(name, known, n=5, cutoff=0.5) or [
        one for one in known if short(one) in get_close_matches(name, map(short, known), n=5, cutoff=0.5)
    ]
    words = f"The nearest: {', '.join(near)}." if near else f"There are: {', '.join(known) or 'none'}."
    raise CourseError(f'There is no {what} "{name}" here. {words}')
