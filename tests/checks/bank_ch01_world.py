"""Banks for 1.1 sample_features, 1.2 toy_forward and 1.3 make_batch."""

import numpy as np
import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks import ch01 as check

features = Bank(check.sample_features)


def rand(generator, *shape):
    return torch.rand(shape, generator=generator, device=generator.device)


@features.right
def where(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return torch.where(rand(generator, *u.shape) < feature_probability, u, torch.zeros_like(u))


@features.right
def bernoulli_first(batch_size, n_inst, n_features, feature_probability, generator):
    p = torch.full((batch_size, n_inst, n_features), feature_probability)
    present = torch.bernoulli(p, generator=generator)
    return present * torch.empty_like(present).uniform_(generator=generator)


@features.right
def from_above(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, 2, batch_size, n_inst, n_features)
    return u[0] * (u[1] >= 1 - feature_probability).float()


@features.right
def rescaled_draw(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)  # given u < p, u / p is uniform
    return torch.where(u < feature_probability, u / feature_probability, 0.0)


@features.wrong("> where < is wanted")
def above(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (rand(generator, *u.shape) > feature_probability)


@features.wrong("one draw says both")
def one_draw(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (u < feature_probability)


@features.wrong("one draw says both")
def one_draw_from_above(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (u > 1 - feature_probability)


@features.wrong("no feature is ever absent")
def always_present(batch_size, n_inst, n_features, feature_probability, generator):
    return rand(generator, batch_size, n_inst, n_features)


@features.wrong("took no random number from the generator")
def ignores_the_generator(batch_size, n_inst, n_features, feature_probability, generator):
    shape = (batch_size, n_inst, n_features)
    return torch.rand(shape) * (torch.rand(shape) < feature_probability)


@features.wrong("global random numbers")
def half_ignores_the_generator(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (torch.rand(u.shape) < feature_probability)


@features.wrong("same seed, so a run could not be repeated")
def presence_from_numpy(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * torch.as_tensor(np.random.default_rng().random(u.shape) < feature_probability)


@features.wrong("same values; each call is to give fresh")
def seeds_anew(batch_size, n_inst, n_features, feature_probability, generator):
    generator.manual_seed(0)
    return where(batch_size, n_inst, n_features, feature_probability, generator)


@features.wrong("presence is shared.*every sample")
def presence_for_all_samples(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (rand(generator, n_inst, n_features) < feature_probability)


@features.wrong("presence is shared.*every instance")
def presence_for_all_instances(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (rand(generator, batch_size, 1, n_features) < feature_probability)


@features.wrong("presence is shared.*every feature")
def presence_for_all_features(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (rand(generator, batch_size, n_inst, 1) < feature_probability)


@features.wrong("magnitudes are shared: the same for every sample")
def magnitude_per_batch(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return rand(generator, n_inst, n_features) * (u < feature_probability)


@features.wrong("magnitudes are shared: the same for every instance")
def data_for_all_instances(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return rand(generator, batch_size, 1, n_features) * (u < feature_probability)


@features.wrong("magnitudes are shared: the same for every feature")
def magnitude_per_sample(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return rand(generator, batch_size, n_inst, 1) * (u < feature_probability)


@features.wrong("presence was returned without the magnitude")
def presence_only(batch_size, n_inst, n_features, feature_probability, generator):
    return (rand(generator, batch_size, n_inst, n_features) < feature_probability).float()


@features.wrong("randn where")
def normal_magnitudes(batch_size, n_inst, n_features, feature_probability, generator):
    u = torch.randn(batch_size, n_inst, n_features, generator=generator)
    return u * (rand(generator, *u.shape) < feature_probability)


@features.wrong("randn where")
def normal_presence(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return torch.randn(u.shape, generator=generator) * (u < feature_probability)


@features.wrong("share of features present")
def normal_threshold(batch_size, n_inst, n_features, feature_probability, generator):
    u = rand(generator, batch_size, n_inst, n_features)
    return u * (torch.randn(u.shape, generator=generator) < feature_probability)


@features.wrong("magnitude of present features")
def squared_magnitudes(batch_size, n_inst, n_features, feature_probability, generator):
    return where(batch_size, n_inst, n_features, feature_probability, generator) ** 2


@features.wrong("presence is drawn twice")
def twice(batch_size, n_inst, n_features, feature_probability, generator):
    x = where(batch_size, n_inst, n_features, feature_probability, generator)
    return x * (rand(generator, *x.shape) < feature_probability)


@features.wrong("divided by the number of features|share of features present")
def expected_number(batch_size, n_inst, n_features, feature_probability, generator):
    return where(batch_size, n_inst, n_features, feature_probability / n_features, generator)


@features.wrong("wrong order")
def swapped_axes(batch_size, n_inst, n_features, feature_probability, generator):
    return where(n_inst, batch_size, n_features, feature_probability, generator)


toy = Bank(check.toy_forward)


@toy.right
def with_einsum(W, b, x):
    h = torch.einsum("idf,bif->bid", W, x)
    return h, torch.relu(b + torch.einsum("idf,bid->bif", W, h))


@toy.right
def with_matmul(W, b, x):
    h = (W @ x[..., None])[..., 0]
    return h, (W.mT @ h.unsqueeze(-1)).squeeze(-1).add(b).clamp(min=0)


@toy.right
def with_bmm(W, b, x):
    h = torch.bmm(x.transpose(0, 1), W.transpose(1, 2)).transpose(0, 1)
    return h, F.relu(torch.bmm(h.transpose(0, 1), W).transpose(0, 1) + b)


def _toy(W, x):
    h = torch.einsum("bif,idf->bid", x, W)
    return h, torch.einsum("bid,idf->bif", h, W)


@toy.wrong("the bias b is missing")
def no_bias(W, b, x):
    h, y = _toy(W, x)
    return h, y.relu()


@toy.wrong("b is subtracted")
def minus_bias(W, b, x):
    h, y = _toy(W, x)
    return h, (y - b).relu()


@toy.wrong("the ReLU is missing")
def no_relu(W, b, x):
    h, y = _toy(W, x)
    return h, y + b


@toy.wrong("after the ReLU")
def late_bias(W, b, x):
    h, y = _toy(W, x)
    return h, y.relu() + b


@toy.wrong("h went through a ReLU")
def relu_on_h(W, b, x):
    h = _toy(W, x)[0].relu()
    return h, (torch.einsum("bid,idf->bif", h, W) + b).relu()


@toy.wrong("W of instance 0")
def first_W(W, b, x):
    h = x @ W[0].T
    return h, (h @ W[0] + b).relu()


@toy.wrong("bias of instance 0")
def first_b(W, b, x):
    h, y = _toy(W, x)
    return h, (y + b[0]).relu()


@toy.wrong("instances were mixed")
def summed_over_inst(W, b, x):
    h = torch.einsum("bif,jdf->bijd", x, W).diagonal(dim1=1, dim2=2).sum(-1)
    h = torch.stack([h] * W.shape[0], 1)
    return h, (torch.einsum("bid,idf->bif", h, W) + b).relu()


@toy.wrong("gradient|cut off")
def detached(W, b, x):
    h, _ = _toy(W, x)
    return h, (torch.einsum("bid,idf->bif", h.detach(), W) + b).relu()


@toy.wrong("cut off|gradient")
def frozen(W, b, x):
    with torch.no_grad():
        return with_einsum(W, b, x)


@toy.wrong("shape")
def wrong_way_round(W, b, x):
    h, y = with_einsum(W, b, x)
    return y, h


@toy.wrong("changed its input x")
def in_place(W, b, x):
    h, x_hat = with_einsum(W, b, x)
    x.copy_(x_hat.detach())
    return h, x_hat


@toy.wrong("expected a tuple")
def reconstruction_only(W, b, x):
    return with_einsum(W, b, x)[1]


batches = Bank(check.make_batch)


def _features(W, n, p, generator):
    u = rand(generator, 2, n, W.shape[0], W.shape[2])
    return u[0] * (u[1] < p)


@batches.right
def no_grad(W, batch_size, feature_probability, generator):
    with torch.no_grad():
        return torch.einsum("bif,idf->bid", _features(W, batch_size, feature_probability, generator), W)


@batches.right
def detached_matmul(W, batch_size, feature_probability, generator):
    x = _features(W, batch_size, feature_probability, generator)
    return (W @ x[..., None]).squeeze(-1).detach()


@batches.wrong("tracked for gradients")
def tracked(W, batch_size, feature_probability, generator):
    return torch.einsum("bif,idf->bid", _features(W, batch_size, feature_probability, generator), W)


@batches.wrong("W of instance 0")
@torch.no_grad()
def one_W(W, batch_size, feature_probability, generator):
    return _features(W, batch_size, feature_probability, generator) @ W[0].T


@batches.wrong("W is the wrong way round")
@torch.no_grad()
def transposed(W, batch_size, feature_probability, generator):
    x = _features(W, batch_size, feature_probability, generator)
    return torch.einsum("bif,ifd->bid", x, W)


@batches.wrong("length 1")
@torch.no_grad()
def unit_W(W, batch_size, feature_probability, generator):
    return no_grad(F.normalize(W, dim=1), batch_size, feature_probability, generator)


@batches.wrong("features x were returned")
@torch.no_grad()
def x_itself(W, batch_size, feature_probability, generator):
    return _features(W, batch_size, feature_probability, generator)


@batches.wrong("a ReLU on h")
@torch.no_grad()
def relu(W, batch_size, feature_probability, generator):
    return no_grad(W, batch_size, feature_probability, generator).relu()


@batches.wrong("presence is shared.*every instance|magnitudes are shared")
@torch.no_grad()
def one_batch_for_all(W, batch_size, feature_probability, generator):
    x = _features(W[:1], batch_size, feature_probability, generator).expand(-1, W.shape[0], -1)
    return torch.einsum("bif,idf->bid", x, W)


@batches.wrong("share of features present")
@torch.no_grad()
def own_probability(W, batch_size, feature_probability, generator):
    return no_grad(W, batch_size, 0.05, generator)


@batches.wrong("never absent|ever absent")
@torch.no_grad()
def dense(W, batch_size, feature_probability, generator):
    return no_grad(W, batch_size, 1.0, generator)


@batches.wrong("has shape")
@torch.no_grad()
def own_batch_size(W, batch_size, feature_probability, generator):
    return no_grad(W, 64, feature_probability, generator)


@batches.wrong("took no random number")
@torch.no_grad()
def own_generator(W, batch_size, feature_probability, generator):
    return no_grad(W, batch_size, feature_probability, torch.Generator().manual_seed(0))


@batches.wrong("wrong order")
@torch.no_grad()
def instances_first(W, batch_size, feature_probability, generator):
    return no_grad(W, batch_size, feature_probability, generator).transpose(0, 1)


@batches.wrong("returned a tuple of 2")
@torch.no_grad()
def both(W, batch_size, feature_probability, generator):
    h = no_grad(W, batch_size, feature_probability, generator)
    return h, h


@batches.wrong("same values; each call")
@torch.no_grad()
def always_the_same(W, batch_size, feature_probability, generator):
    return no_grad(W, batch_size, feature_probability, generator.manual_seed(0))
