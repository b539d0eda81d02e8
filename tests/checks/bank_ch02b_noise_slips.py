"""Bank for 2b.3 noise_like: the wrong answers."""

import numpy as np
import torch
from bank_ch02b_noise import bank, factor, jittered, moments, weights_of_samples, white
from bank_ch02b_noise import cholesky_with_jitter as right


def with_law(law):
    """White noise for another law: mean and covariance, from the mean, the covariance and h."""

    def noise_like(h, generator):
        mean, covariance = law(*moments(h), h)
        return mean + white(h, generator) @ factor(covariance).mT

    return noise_like


def with_product(product):
    """The mean, and what is made of white noise and the covariance."""

    def noise_like(h, generator):
        mean, covariance = moments(h)
        return mean + product(white(h, generator), covariance)

    return noise_like


def outer(mean):
    return mean.mT @ mean


def spread(covariance):
    return torch.diag_embed(covariance.diagonal(dim1=1, dim2=2))


def pooled(h):
    return moments(h.flatten(0, 1)[None])[1].expand(len(h), -1, -1)


def correlation(covariance):
    unit = covariance.diagonal(dim1=1, dim2=2).sqrt().clamp(min=1e-12)
    return covariance / unit[:, None] / unit[:, :, None]


def same(covariance):
    return torch.eye(covariance.shape[-1]).expand_as(covariance)


def about_zero(h):
    return h.mT @ h / h.shape[1]


def eigen_in_place_of_rows(noise, covariance):
    size, axes = torch.linalg.eigh(covariance)
    return (noise * size.clamp(min=0).sqrt()[:, None]) @ axes


def eigen_without_root(noise, covariance):
    size, axes = torch.linalg.eigh(covariance)
    return (noise * size[:, None]) @ axes.mT


def eigen_below_zero(noise, covariance):
    size, axes = torch.linalg.eigh(covariance)
    return (noise * (size - 1e-6).sqrt()[:, None]) @ axes.mT


def rows_again(h, generator):
    places = torch.randint(h.shape[1], h.shape[:2], generator=generator)
    return h.gather(1, places[..., None].expand(-1, -1, h.shape[2]))


def shuffled(h, generator):
    return h[:, torch.randperm(h.shape[1], generator=generator)]


def dimensions_shuffled(h, generator):
    order = torch.rand(h.shape, generator=generator).argsort(dim=1)
    return h.gather(1, order)


def signs_flipped(h, generator):
    mean = h.mean(1, keepdim=True)
    signs = torch.randint(2, (*h.shape[:2], 1), generator=generator) * 2 - 1
    return mean + signs * (h - mean)


def two_rows_mixed(h, generator):
    mean = h.mean(1, keepdim=True)
    return mean + (rows_again(h, generator) - rows_again(h, generator)) / 2**0.5


def uniform(h, generator):
    mean, covariance = moments(h)
    return mean + (torch.rand(h.shape, generator=generator) - 0.5) * 12**0.5 @ factor(covariance).mT


def uniform_by_eigenvalues(h, generator):
    mean, covariance = moments(h)
    size, axes = torch.linalg.eigh(covariance)
    flat = (torch.rand(h.shape, generator=generator) - 0.5) * 12**0.5
    return mean + flat * size.clamp(min=0).sqrt()[:, None] @ axes.mT


def uniform_too_small(h, generator):
    mean, covariance = moments(h)
    return mean + (torch.rand(h.shape, generator=generator) - 0.5) @ factor(covariance).mT


def one_noise_for_the_batch(h, generator):
    mean, covariance = moments(h)
    noise = torch.randn(len(h), 1, h.shape[2], generator=generator) @ factor(covariance).mT
    return (mean + noise).expand_as(h)


def one_noise_for_all_instances(h, generator):
    mean, covariance = moments(h)
    return mean + torch.randn(h.shape[1:], generator=generator) @ factor(covariance).mT


def one_number_a_sample(h, generator):
    return h.mean(1, keepdim=True) + h.std(1, keepdim=True) * torch.randn(
        *h.shape[:2], 1, generator=generator
    )


def global_numbers(h, generator):
    mean, covariance = moments(h)
    return mean + torch.randn_like(h) @ factor(covariance).mT


def half_global(h, generator):
    mean, covariance = moments(h)
    noise = (white(h, generator) + torch.randn_like(h)) / 2**0.5
    return mean + noise @ factor(covariance).mT


def with_numpy_beside(h, generator):
    mean, covariance = moments(h)
    noise = torch.as_tensor(np.random.standard_normal(h.shape), dtype=h.dtype)
    return mean + (white(h, generator) + noise) / 2**0.5 @ factor(covariance).mT


def unseeded_numpy_beside(h, generator):
    mean, covariance = moments(h)
    noise = torch.as_tensor(np.random.default_rng().standard_normal(h.shape), dtype=h.dtype)
    return mean + (white(h, generator) + noise) / 2**0.5 @ factor(covariance).mT


def distribution(h, generator):
    mean, covariance = moments(h)
    law = torch.distributions.MultivariateNormal(mean[:, 0], jittered(covariance, 1e-5))
    return law.sample((h.shape[1],)).transpose(0, 1)


def seeded_anew(h, generator):
    return right(h, generator.manual_seed(0))


def own_generator(h, generator):
    return right(h, torch.Generator().manual_seed(0))


def no_jitter(h, generator):
    mean, covariance = moments(h)
    return mean + white(h, generator) @ torch.linalg.cholesky(covariance).mT


def in_place(h, generator):
    mean = h.mean(1, keepdim=True)
    h -= mean
    return mean + white(h, generator) @ factor(h.mT @ h / h.shape[1]).mT


for name, message, wrong in [
    ("no_mean", "the mean is missing: add", with_law(lambda m, C, h: (0, C))),
    (
        "only_spread",
        "only each dimension's own spread is right \\(",
        with_law(lambda m, C, h: (m, spread(C))),
    ),
    (
        "std_times_noise",
        "only each dimension's own spread is right \\(",
        lambda h, generator: h.mean(1, keepdim=True) + h.std(1, keepdim=True) * white(h, generator),
    ),
    ("spread_without_mean", "and the mean is missing, too", with_law(lambda m, C, h: (0, spread(C)))),
    ("dimensions_shuffled", "only each dimension's own spread", dimensions_shuffled),
    ("about_zero", "covariance is taken about zero: ", with_law(lambda m, C, h: (m, about_zero(h)))),
    ("about_zero_only", "in place of the mean", with_law(lambda m, C, h: (0, C + outer(m)))),
    ("no_root", r"a \*factor\* of the covariance", with_product(lambda noise, C: noise @ C)),
    ("eigenvalues", r"a \*factor\* of the covariance", with_product(eigen_without_root)),
    ("not_transposed", "factor is the wrong way round", with_product(lambda noise, C: noise @ factor(C))),
    ("axes_not_transposed", "wrong directions", with_product(eigen_in_place_of_rows)),
    ("variances", "variances stand", with_product(lambda noise, C: noise @ spread(C))),
    (
        "all_together",
        "one mean and covariance for all instances together",
        with_law(lambda m, C, h: (m.mean(0), pooled(h))),
    ),
    ("one_covariance", "one covariance for all instances together", with_law(lambda m, C, h: (m, pooled(h)))),
    (
        "mean_covariance",
        "the mean one of theirs",
        with_law(lambda m, C, h: (m, C.mean(0, keepdim=True).expand_as(C))),
    ),
    ("first_law", "noise of instance 0's law", with_law(lambda m, C, h: (m[:1], C[:1].expand_as(C)))),
    ("first_covariance", "covariance of instance 0", with_law(lambda m, C, h: (m, C[:1].expand_as(C)))),
    ("mean_of_means", "got the mean of all", with_law(lambda m, C, h: (m.mean(0), C))),
    ("one_number", "mean is one number", with_law(lambda m, C, h: (h.mean((1, 2), keepdim=True), C))),
    ("white", "the noise is white", with_law(lambda m, C, h: (m, same(C)))),
    ("standard", "neither mean nor covariance", white),
    (
        "round",
        "one standard deviation for all dimensions",
        with_law(lambda m, C, h: (m, same(C) * C.diagonal(dim1=1, dim2=2).mean(1)[:, None, None])),
    ),
    ("correlation", "corrcoef", with_law(lambda m, C, h: (m, correlation(C)))),
    ("added", "the noise was added to it", lambda h, generator: h + right(h, generator)),
    (
        "added_centred",
        "noise without a mean was added",
        lambda h, generator: h + right(h, generator) - h.mean(1, keepdim=True),
    ),
    ("summed", "divide by the number of samples", with_law(lambda m, C, h: (m, C * h.shape[1]))),
    (
        "weights_too_large",
        "divide by the number of samples",
        lambda h, generator: (
            (weights_of_samples(h, generator) - h.mean(1, keepdim=True)) * h.shape[1] ** 0.5
            + h.mean(1, keepdim=True)
        ),
    ),
    ("uniform_too_small", "1/12", uniform_too_small),
    ("uniform", "too light", uniform),
    ("uniform_by_eigenvalues", "too light", uniform_by_eigenvalues),
    ("rows_again", "are rows of h", rows_again),
    ("shuffled", "are rows of h", shuffled),
    ("itself", "took no random number", lambda h, generator: h.clone()),
    ("signs_flipped", "are rows of h", signs_flipped),
    ("two_rows_mixed", "too heavy", two_rows_mixed),
    ("one_for_the_batch", "same noise for every sample", one_noise_for_the_batch),
    ("one_for_all_instances", "share their noise", one_noise_for_all_instances),
    (
        "one_number_a_sample",
        "covariance of dimensions|variance of dimension|leaves the space",
        one_number_a_sample,
    ),
    ("global_numbers", "took no random number", global_numbers),
    ("half_global", "touched the global", half_global),
    ("with_numpy_beside", "touched the global", with_numpy_beside),
    ("unseeded_numpy_beside", "could not be repeated", unseeded_numpy_beside),
    ("distribution", "took no random number", distribution),
    ("seeded_anew", "gives the same noise", seeded_anew),
    ("own_generator", "took no random number", own_generator),
    ("no_jitter", "add a little to the diagonal", no_jitter),
    ("eigen_below_zero", "clamp\\(min=0\\)", with_product(eigen_below_zero)),
    ("too_much_jitter", "too much jitter", with_law(lambda m, C, h: (m, jittered(C, 0.01)))),
    ("as_wide_as_the_first", "gives|is .*; h has|that of h", with_law(lambda m, C, h: (m, 1.3 * C))),
    ("one_for_an_instance", "axis batch is missing", lambda h, generator: right(h, generator)[:, 0]),
    ("of_64", "has shape", lambda h, generator: right(h[:, :64], generator)),
    ("in_double", "dtype", lambda h, generator: right(h, generator).double()),
    ("swapped", "wrong order", lambda h, generator: right(h, generator).transpose(0, 1)),
    ("in_place", "changed its input h", in_place),
]:
    wrong.__name__ = name
    bank.wrong(message)(wrong)
