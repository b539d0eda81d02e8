"""Bank for 7.2 folded."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from bank import Bank
from torch import Tensor

from sae_course.checks.ch07.folding import folded

foldings = Bank(folded)


class Weights(NamedTuple):
    """As in the chapter."""

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    threshold: Tensor


@dataclass
class Plain:
    """No tuple at all."""

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    threshold: Tensor


def right(weights, scale):
    W_enc, b_enc, W_dec, b_dec, threshold = weights
    return Weights(W_enc * scale, b_enc, W_dec / scale, b_dec / scale, threshold)


@foldings.right
def as_in_the_chapter(weights, scale):
    return Weights(
        W_enc=weights.W_enc * scale,
        b_enc=weights.b_enc,
        W_dec=weights.W_dec / scale,
        b_dec=weights.b_dec / scale,
        threshold=weights.threshold,
    )


@foldings.right
def replaced(weights, scale):
    return weights._replace(
        W_enc=scale * weights.W_enc, W_dec=weights.W_dec / scale, b_dec=weights.b_dec / scale
    )


@foldings.right
def unpacked(weights, scale):
    W_enc, b_enc, W_dec, b_dec, threshold = (w.clone() for w in weights)
    return W_enc.mul_(scale), b_enc, W_dec.div_(scale), b_dec.mul_(1 / scale), threshold


@foldings.right
def no_tuple(weights, scale):
    powers = torch.tensor([1.0, 0.0, -1.0, -1.0, 0.0])
    return Plain(*(w * scale**k for w, k in zip(weights, powers, strict=True)))


@foldings.right
def as_parameters_in_double_precision(weights, scale):
    return Weights(*(torch.nn.Parameter(w.double()) for w in right(weights, scale)))


@foldings.right
def through_the_pre_activations_at_some_points(weights, scale):
    """The encoder's weights from what they do at 0 and at each unit vector, float32."""
    d_in = len(weights.W_enc)
    points = torch.cat([torch.zeros(1, d_in), torch.eye(d_in)])
    before = (scale * points - weights.b_dec) @ weights.W_enc + weights.b_enc
    W_enc, b_dec = before[1:] - before[0], weights.b_dec / scale
    return [W_enc, before[0] + b_dec @ W_enc, weights.W_dec / scale, b_dec, weights.threshold]


@foldings.wrong("this is the SAE as it was")
def unchanged(weights, scale):
    return weights


@foldings.wrong("only W_enc is changed")
def encoder_alone(weights, scale):
    return weights._replace(W_enc=weights.W_enc * scale)


@foldings.wrong("only the decoder is changed")
def decoder_alone(weights, scale):
    return weights._replace(W_dec=weights.W_dec / scale, b_dec=weights.b_dec / scale)


@foldings.wrong("only W_dec is changed")
def decoder_weights_alone(weights, scale):
    return weights._replace(W_dec=weights.W_dec / scale)


@foldings.wrong("b_dec is as it was")
def b_dec_forgotten(weights, scale):
    return right(weights, scale)._replace(b_dec=weights.b_dec)


@foldings.wrong("W_dec is as it was")
def w_dec_forgotten(weights, scale):
    return right(weights, scale)._replace(W_dec=weights.W_dec)


@foldings.wrong("only the decoder is changed")
def w_enc_forgotten(weights, scale):
    return right(weights, scale)._replace(W_enc=weights.W_enc)


@foldings.wrong(r"b_dec is multiplied by the scale: s·x − b_dec")
def b_dec_multiplied(weights, scale):
    return right(weights, scale)._replace(b_dec=weights.b_dec * scale)


@foldings.wrong("W_enc is divided by the scale")
def w_enc_divided(weights, scale):
    return right(weights, scale)._replace(W_enc=weights.W_enc / scale)


@foldings.wrong("W_dec is multiplied by the scale")
def w_dec_multiplied(weights, scale):
    return right(weights, scale)._replace(W_dec=weights.W_dec * scale)


@foldings.wrong("the decoder is multiplied by the scale")
def decoder_multiplied(weights, scale):
    return right(weights, scale)._replace(W_dec=weights.W_dec * scale, b_dec=weights.b_dec * scale)


@foldings.wrong("this is the wrong way round")
def the_other_way(weights, scale):
    return right(weights, 1 / scale)


@foldings.wrong("b_enc is multiplied by the scale: it is added after")
def b_enc_multiplied(weights, scale):
    return right(weights, scale)._replace(b_enc=weights.b_enc * scale)


@foldings.wrong("b_enc is divided by the scale: it is added after")
def b_enc_divided(weights, scale):
    return right(weights, scale)._replace(b_enc=weights.b_enc / scale)


@foldings.wrong("the threshold is multiplied by the scale")
def threshold_multiplied(weights, scale):
    return right(weights, scale)._replace(threshold=weights.threshold * scale)


@foldings.wrong("the threshold is divided by the scale")
def threshold_divided(weights, scale):
    return right(weights, scale)._replace(threshold=weights.threshold / scale)


@foldings.wrong("b_enc and the threshold are multiplied by the scale, too")
def whole_encoder_multiplied(weights, scale):
    return right(weights, scale)._replace(b_enc=weights.b_enc * scale, threshold=weights.threshold * scale)


@foldings.wrong("latents' activations have changed: they are divided by the scale")
def smaller_latents(weights, scale):
    return weights._replace(
        b_enc=weights.b_enc / scale, b_dec=weights.b_dec / scale, threshold=weights.threshold / scale
    )


@foldings.wrong("latents' activations have changed: they are multiplied by the scale")
def larger_latents(weights, scale):
    W_enc, b_enc, W_dec, b_dec, threshold = right(weights, scale)
    return Weights(W_enc * scale, b_enc * scale, W_dec / scale, b_dec, threshold * scale)


@foldings.wrong("all five are multiplied by the scale")
def all_multiplied(weights, scale):
    return Weights(*(w * scale for w in weights))


@foldings.wrong("all five are divided by the scale")
def all_divided(weights, scale):
    return tuple(w / scale for w in weights)


@foldings.wrong("b_dec is taken off twice")
def b_dec_into_b_enc(weights, scale):
    return right(weights, scale)._replace(b_enc=weights.b_enc - weights.b_dec @ weights.W_enc)


@foldings.wrong(r"reconstruction of x is[^|]*b_enc makes up for b_dec in the encoder")
def b_enc_makes_up(weights, scale):
    return right(weights, scale)._replace(
        b_dec=weights.b_dec, b_enc=weights.b_enc + (scale - 1) * weights.b_dec @ weights.W_enc
    )


# Without a sentence of their own: which weights are wrong is said.


@foldings.wrong("look at W_enc and b_enc again; the others are right")
def two_slips(weights, scale):
    return right(weights, scale)._replace(W_enc=weights.W_enc / scale, b_enc=weights.b_enc / scale)


@foldings.wrong("look at b_dec and threshold again")
def two_others(weights, scale):
    return right(weights, scale)._replace(b_dec=weights.b_dec, threshold=weights.threshold / scale)


@foldings.wrong(r"the activation of a latent is[^|]*look at threshold again; the others are right")
def no_threshold(weights, scale):
    return right(weights, scale)._replace(threshold=torch.zeros_like(weights.threshold))


@foldings.wrong(r"the reconstruction of x is[^|]*look at W_dec again")
def decoder_of_norm_one(weights, scale):
    return right(weights, scale)._replace(W_dec=weights.W_dec / weights.W_dec.norm(dim=-1, keepdim=True))


@foldings.wrong("look at W_dec again")
def not_a_number(weights, scale):
    return right(weights, scale)._replace(W_dec=weights.W_dec / 0)


@foldings.wrong("look at threshold again")
def threshold_not_a_number(weights, scale):
    return right(weights, scale)._replace(threshold=weights.threshold * float("nan"))


@foldings.wrong("look at b_enc and b_dec again")
def no_biases(weights, scale):
    return right(weights, scale)._replace(
        b_enc=torch.zeros_like(weights.b_enc), b_dec=torch.zeros_like(weights.b_dec)
    )


@foldings.wrong("look at b_dec again")
def whole_numbers(weights, scale):
    return right(weights, scale)._replace(b_dec=weights.b_dec.long())


# What is no set of weights.


@foldings.wrong(r"field b_enc of another_order has shape")
def another_order(weights, scale):
    W_enc, b_enc, W_dec, b_dec, threshold = right(weights, scale)
    return W_enc, W_dec, b_enc, b_dec, threshold


@foldings.wrong("field W_enc of transposed has shape[^|]*wrong order")
def transposed(weights, scale):
    return right(weights, scale)._replace(W_enc=weights.W_enc.T * scale)


@foldings.wrong(r"returned a (tuple|Weights) of 3; expected 5")
def three_of_five(weights, scale):
    W_enc, _, W_dec, b_dec, _ = right(weights, scale)
    return W_enc, W_dec, b_dec


@foldings.wrong(r"expected Weights\(W_enc, b_enc, W_dec, b_dec, threshold\)")
def as_a_dictionary(weights, scale):
    return right(weights, scale)._asdict()


@foldings.wrong(r"expected Weights\(W_enc, b_enc, W_dec, b_dec, threshold\)[^|]*missing brackets")
def the_class_itself(weights, scale):
    return Weights


@foldings.wrong("field threshold of a_number_for_the_threshold returned a Python float")
def a_number_for_the_threshold(weights, scale):
    return right(weights, scale)._replace(threshold=0.5)


@foldings.wrong(r"field b_enc of a_field_forgotten returned nothing")
def a_field_forgotten(weights, scale):
    return right(weights, scale)._replace(b_enc=None)


@foldings.wrong("NamedTuple's fields can't be set")
def set_a_field(weights, scale):
    weights.W_enc = weights.W_enc * scale
    return weights


@foldings.wrong("NamedTuple can't be changed: return a new")
def set_an_item(weights, scale):
    weights[0] = weights[0] * scale
    return weights


@foldings.wrong("this multiplies the tuple")
def tuple_multiplied(weights, scale):
    return weights * scale


@foldings.wrong("this divides the tuple")
def tuple_divided(weights, scale):
    return weights / scale


@foldings.wrong(r"changed its input weights\.W_enc, ")
def in_place(weights, scale):
    weights.W_enc.mul_(scale)
    weights.W_dec.div_(scale)
    weights.b_dec.div_(scale)
    return weights


@foldings.wrong(r"changed its input weights\.b_dec, ")
def in_place_with_an_assignment(weights, scale):
    W_enc, b_enc, W_dec, b_dec, threshold = weights
    b_dec /= scale
    return Weights(W_enc * scale, b_enc, W_dec / scale, b_dec, threshold)


@foldings.wrong("is not written yet")
def as_in_the_notebook(weights, scale):
    raise NotImplementedError("Exercise 7.2")
