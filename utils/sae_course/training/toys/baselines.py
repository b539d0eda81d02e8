"""Dictionaries that no SAE learned, to lay trained ones beside.

PCA, ICA and online dictionary learning are scikit-learn's; K-SVD and directions drawn at random are here.
Each gives a sample ``k`` latents, by a search that takes longer than an SAE's encoder; over a dictionary that
is given, such as the true one, `with_dictionary` does.

Where latents aren't centred, a sample of zeros has none: that is all but PCA and the random directions, and
their mean L0 is the smaller for it.
"""

import warnings
from collections.abc import Callable
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from ...runtime import CourseError, generator
from ...runtime.streams import stream_seed
from .coding import fista_at_l0, fits, omp, possible

if TYPE_CHECKING:
    import numpy as np

ROUNDS, ENOUGH = 15, 8192
"""K-SVD's rounds, and how many samples, the first ones, it learns from."""

PASSED = 20_000
"""Samples that dictionary learning sees, the same ones more than once where there are fewer."""

RELATIVE_L1 = 0.1
"""Its penalty, in units of the samples' root mean square length; half and twice as much do nearly as well."""


class Coded(NamedTuple):
    """A dictionary, and what samples are in its terms."""

    decoder: Float[Tensor, "inst d_sae d_in"]
    latents: Float[Tensor, "inst batch d_sae"]
    """Of either sign, except FISTA's."""
    reconstruction: Float[Tensor, "inst batch d_in"]


def pca(
    train: Float[Tensor, "inst n d_in"], test: Float[Tensor, "inst batch d_in"], d_sae: int, k: int, seed: int
) -> Coded:
    """Principal components; of each sample the ``k`` largest scores are kept, of either sign.

    Centred: a score is a deviation from the mean, which is added back, and a sample of zeros has ``k`` too.

    Args:
        train: what the components are computed from.
        test: what is coded.
        d_sae: components; ``d_in`` where it is more than that.
        k: latents of each sample.
        seed: without effect unless scikit-learn chooses its randomised solver.

    Raises:
        CourseError: when shapes don't fit together, ``k`` isn't between 1 and ``min(d_sae, d_in)``, or
            ``train`` has fewer than ``d_sae`` samples other than 0.
    """
    from sklearn.decomposition import PCA  # noqa: PLC0415 - a second

    _check(train, test, d_sae, k)
    n = min(d_sae, train.shape[2])
    fitted = [PCA(n, random_state=_number(seed, i)).fit(_array(train[i])) for i in range(len(train))]
    decoder = _tensor([one.components_ for one in fitted], test)
    mean = _tensor([one.mean_[None] for one in fitted], test)
    latents = _largest((test - mean) @ decoder.mT, decoder, k)
    return Coded(decoder, latents, latents @ decoder + mean)


def ica(
    train: Float[Tensor, "inst n d_in"], test: Float[Tensor, "inst batch d_in"], d_sae: int, k: int, seed: int
) -> Coded:
    """Independent components (FastICA); of each sample the ``k`` largest contributions are kept.

    A latent's contribution is ``|latent| |decoder vector|``. Latents are not centred, so that one which finds
    a feature is 0 where the feature is absent; what part of the mean lies outside the components' span is
    added back.

    Where FastICA hasn't converged after its 200 iterations, what it has is taken, without a word. Under its
    default contrast it can settle on the sum and the difference of two features that are not rare (seen with
    features present in 15 % of the samples).

    Args:
        train, test, k: as for `pca`.
        d_sae: components; the number of dimensions that the samples vary in where it is more than that.
        seed: for the first guess.

    Raises:
        CourseError: as for `pca`, with the samples' own number of dimensions in place of ``d_in``.
    """
    from sklearn.decomposition import FastICA  # noqa: PLC0415 - a second
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    _check(train, test, d_sae, k)
    # whitening would blow up directions in which nothing varies
    n = min(d_sae, int(torch.linalg.matrix_rank(train - train.mean(1, keepdim=True), rtol=1e-4).min()))
    possible(k, d_sae, n)
    fitted = []
    for i in range(len(train)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = FastICA(n, whiten="unit-variance", random_state=_number(seed, i))
            fitted.append(model.fit(_array(train[i])))
    decoder = _tensor([one.mixing_.T for one in fitted], test)
    encoder = _tensor([one.components_.T for one in fitted], test)
    mean = _tensor([one.mean_[None] for one in fitted], test)
    latents = _largest(test @ encoder, decoder, k)
    return Coded(decoder, latents, latents @ decoder + mean - mean @ encoder @ decoder)


def dictionary_learning(
    train: Float[Tensor, "inst n d_in"], test: Float[Tensor, "inst batch d_in"], d_sae: int, k: int, seed: int
) -> Coded:
    """Online dictionary learning (Mairal et al., 2009), which is scikit-learn's; coded by `omp`.

    It learns with latents of at least 0 and an L1 penalty, from samples that start as the dictionary.

    Args:
        train, test, k: as for `pca`.
        d_sae: vectors, of length 1 or, where unused, less.
        seed: for the samples' order.

    Raises:
        CourseError: as for `pca`.
    """
    from sklearn.decomposition import MiniBatchDictionaryLearning  # noqa: PLC0415 - a second
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415

    _check(train, test, d_sae, k)
    learned = []
    for i, samples in enumerate(train):
        model = MiniBatchDictionaryLearning(
            d_sae,
            alpha=RELATIVE_L1 * samples.pow(2).sum(-1).mean().sqrt().item(),
            max_iter=ceil(PASSED / len(samples)),
            batch_size=64,
            fit_algorithm="cd",
            positive_code=True,
            dict_init=_array(_some(samples, d_sae, generator(f"baseline/{i}", seed, "cpu"))),
            random_state=_number(seed, i),
            tol=0,
            max_no_improvement=None,
        )
        with warnings.catch_warnings():  # about single samples' codes, not about the dictionary
            warnings.simplefilter("ignore", ConvergenceWarning)
            learned.append(model.fit(_array(samples)).components_)
    return with_dictionary(_tensor(learned, test), test, k, "OMP")


def k_svd(
    train: Float[Tensor, "inst n d_in"], test: Float[Tensor, "inst batch d_in"], d_sae: int, k: int, seed: int
) -> Coded:
    """K-SVD (Aharon et al., 2006, figure 2): codes by `omp`, then each vector anew with its own latents.

    Fifteen rounds on the first 8192 samples that aren't 0, from random directions.

    Args:
        train, test, k: as for `pca`.
        d_sae: vectors, of length 1.
        seed: for the first directions.

    Raises:
        CourseError: as for `pca`.
    """
    _check(train, test, d_sae, k)
    learned = []
    for i, several in enumerate(train):
        samples = several[several.norm(dim=-1) > 0][:ENOUGH]
        unit = _directions(d_sae, train.shape[2], generator(f"baseline/{i}", seed, "cpu")).to(samples)
        for _ in range(ROUNDS):
            _update(unit, samples, omp(unit[None], samples[None], k)[0])
        learned.append(unit)
    return with_dictionary(torch.stack(learned), test, k, "OMP")


def _update(
    unit: Float[Tensor, "d_sae d_in"],
    samples: Float[Tensor, "n d_in"],
    latents: Float[Tensor, "n d_sae"],
) -> None:
    """Each vector in turn, in place: the best one for the samples that use it, the others held.

    A vector that no sample uses becomes the largest of all residuals (the paper: its sample).
    """
    residual = samples - latents @ unit
    for j in range(len(unit)):
        users = latents[:, j].nonzero()[:, 0]
        if len(users):
            missing = residual[users] + latents[users, j, None] * unit[j]
            unit[j] = torch.linalg.eigh(missing.T @ missing).eigenvectors[:, -1]  # of its SVD, the first
            latents[users, j] = missing @ unit[j]
            residual[users] = missing - latents[users, j, None] * unit[j]
        else:
            worst = residual.norm(dim=-1).argmax()
            if residual[worst].any():
                unit[j] = normalize(residual[worst], dim=-1)
                residual[worst] = 0  # else a second unused vector would become the same


def random_dictionary(
    train: Float[Tensor, "inst n d_in"], test: Float[Tensor, "inst batch d_in"], d_sae: int, k: int, seed: int
) -> Coded:
    """Directions drawn at random, coded by `omp`: what ``k`` latents reconstruct when nothing is learned.

    Nothing but the mean, that is, which is taken off before and added back, as a frozen SAE's bias does.

    Args:
        train: for its mean.
        test, k: as for `pca`.
        d_sae: directions, of length 1.
        seed: for the directions.

    Raises:
        CourseError: as for `pca`.
    """
    _check(train, test, d_sae, k)
    streams = (generator(f"baseline/{i}", seed, "cpu") for i in range(len(train)))
    decoder = torch.stack([_directions(d_sae, train.shape[2], stream) for stream in streams]).to(test)
    mean = train.mean(1, keepdim=True)
    latents = omp(decoder, test - mean, k)
    return Coded(decoder, latents, latents @ decoder + mean)


def with_dictionary(
    dictionary: Float[Tensor, "inst d_sae d_in"], test: Float[Tensor, "inst batch d_in"], k: int, how: str
) -> Coded:
    """Samples in terms of a dictionary that is given, such as the features' true directions.

    Args:
        dictionary: vectors of any length.
        test: what is coded, not centred.
        k: latents of each sample; with FISTA on average over the samples, within 2 %.
        how: ``"OMP"`` or ``"FISTA"``. The latter's latents are at least 0, and shrunk by the penalty.

    Raises:
        CourseError: as `omp` or `fista_at_l0` does; for another ``how``.
    """
    if how not in ("OMP", "FISTA"):
        raise CourseError(f'how is "OMP" or "FISTA": {how!r}.')
    dictionary = dictionary.detach()
    latents = omp(dictionary, test, k) if how == "OMP" else fista_at_l0(dictionary, test, k)[0]
    return Coded(dictionary, latents, latents @ dictionary)


BASELINES: dict[str, Callable[[Tensor, Tensor, int, int, int], Coded]] = {
    "PCA": pca,
    "ICA": ica,
    "dictionary learning": dictionary_learning,
    "K-SVD": k_svd,
    "random dictionary, OMP": random_dictionary,
}
"""Name -> ``(train, test, d_sae, k, seed) -> Coded``."""


def _check(train: Tensor, test: Tensor, d_sae: int, k: int) -> None:
    fits(train, test)
    possible(k, d_sae, train.shape[2])
    least = int((train.norm(dim=-1) > 0).sum(-1).min())
    if least < d_sae:
        raise CourseError(f"{least} samples other than 0 to learn from; at least d_sae = {d_sae} are needed.")


def _largest(
    latents: Float[Tensor, "inst batch n"], decoder: Float[Tensor, "inst n d_in"], k: int
) -> Float[Tensor, "inst batch n"]:
    """Each sample's ``k`` latents with the largest contributions; 0 elsewhere."""
    places = (latents.abs() * decoder.norm(dim=-1)[:, None]).topk(k, -1, sorted=False).indices
    return torch.zeros_like(latents).scatter(-1, places, latents.gather(-1, places))


def _directions(n: int, d_in: int, stream: torch.Generator) -> Float[Tensor, "n d_in"]:
    return normalize(torch.randn(n, d_in, generator=stream), dim=-1)


def _some(samples: Float[Tensor, "n d_in"], n: int, stream: torch.Generator) -> Float[Tensor, "n d_in"]:
    """``n`` of the samples that aren't 0, each at length 1."""
    present = samples[samples.norm(dim=-1) > 0]
    return normalize(present[torch.randperm(len(present), generator=stream)[:n]], dim=-1)


def _number(seed: int, instance: int) -> int:
    """scikit-learn's seed, which has 32 bits."""
    return stream_seed(f"baseline/{instance}", seed) % 2**32


def _array(tensor: Tensor) -> "np.ndarray":
    return tensor.cpu().numpy()


def _tensor(arrays: "list[np.ndarray]", like: Tensor) -> Tensor:
    """One array for each instance, as a tensor of the same kind as ``like``."""
    return torch.stack([torch.from_numpy(array) for array in arrays]).to(like)
