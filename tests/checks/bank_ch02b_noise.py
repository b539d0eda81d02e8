"""Bank for 2b.3 noise_like: the right answers; `bank_ch02b_noise_slips` holds the wrong ones."""

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch02b import noise

bank = Bank(noise.noise_like)


def white(h, generator):
    return torch.randn(h.shape, generator=generator)


def moments(h):
    centred = h - h.mean(1, keepdim=True)
    return h.mean(1, keepdim=True), centred.mT @ centred / h.shape[1]


def jittered(covariance, size=1e-5):
    # 1e-6 is the size of float32's own rounding: on some processors the factor then doesn't exist.
    return covariance + size * torch.eye(covariance.shape[-1])


def factor(covariance):
    return torch.linalg.cholesky(jittered(covariance))


@bank.right
def cholesky_with_jitter(h, generator):
    mean, covariance = moments(h)
    return mean + white(h, generator) @ factor(covariance).mT


@bank.right
def cholesky_in_double(h, generator):
    mean, covariance = moments(h.double())
    L = torch.linalg.cholesky(jittered(covariance, 1e-8))
    return (mean + white(h, generator).double() @ L.mT).float()


@bank.right
def much_jitter(h, generator):
    mean, covariance = moments(h)
    return mean + white(h, generator) @ torch.linalg.cholesky(jittered(covariance, 1e-3)).mT


@bank.right
def by_eigenvalues(h, generator):
    covariance = torch.stack([torch.cov(one.T) for one in h])
    size, axes = torch.linalg.eigh(covariance)
    along = torch.randn(h.shape, generator=generator) * size.clamp(min=0).sqrt()[:, None]
    return h.mean(dim=1, keepdim=True) + along @ axes.transpose(1, 2)


@bank.right
def by_symmetric_root(h, generator):
    mean, covariance = moments(h)
    size, axes = torch.linalg.eigh(covariance)
    root = axes * size.clamp_min(0).sqrt()[:, None] @ axes.mT
    return mean + torch.einsum("ibd,ide->ibe", white(h, generator), root)


@bank.right
def by_svd(h, generator):
    mean = h.mean(1, keepdim=True)
    _, size, axes = torch.linalg.svd(h - mean, full_matrices=False)
    return mean + (white(h, generator) * size[:, None] / (h.shape[1] - 1) ** 0.5) @ axes


@bank.right
def by_qr(h, generator):
    mean = h.mean(1, keepdim=True)
    R = torch.linalg.qr(h - mean).R
    return mean + white(h, generator) @ R / h.shape[1] ** 0.5


@bank.right
def weights_of_samples(h, generator):
    n, mean = h.shape[1], h.mean(1, keepdim=True)
    weights = torch.randn(len(h), n, n, generator=generator) / n**0.5
    return mean + weights @ (h - mean)


@bank.right
def one_weighting_of_different_samples(h, generator):
    n, mean = h.shape[1], h.mean(1, keepdim=True)
    return mean + torch.randn(n, n, generator=generator) / n**0.5 @ (h - mean)


@bank.right
def instance_by_instance(h, generator):
    made = []
    for one in h:
        covariance = torch.cov(one.T).double()
        size, axes = torch.linalg.eigh(covariance)
        root = axes @ torch.diag(size.relu().sqrt())
        made.append(one.mean(0) + torch.randn(one.shape, generator=generator) @ root.T.float())
    return torch.stack(made)


@bank.right
def numpy_seeded_from_generator(h, generator):
    seed = int(torch.randint(2**31, (), generator=generator))
    stream = np.random.default_rng(seed)
    made = [
        stream.multivariate_normal(one.mean(0), np.cov(one.T), size=len(one), method="eigh")
        for one in h.double().numpy()
    ]
    return torch.tensor(np.stack(made), dtype=h.dtype)
