"""Bank for 8.5 absorbed, continued: shapes, kinds, and what torch says."""

# ruff: noqa: PLR0917 - the exercise takes six arguments

import torch
from bank_ch08_absorbing import absorptions, as_in_the_chapter, cosines, is_silent, positive_sum, rule


@absorptions.wrong("gives the right tokens as dtype float32; booleans are wanted")
def floats(*given):
    return as_in_the_chapter(*given).float()


@absorptions.wrong("gives the right tokens as dtype int64; booleans are wanted")
def whole_numbers(*given):
    return as_in_the_chapter(*given).long()


@absorptions.wrong("has shape")
def numbers_of_tokens(*given):
    return as_in_the_chapter(*given).nonzero().squeeze(-1)


@absorptions.wrong("an axis too many")
def with_keepdim(*given):
    return as_in_the_chapter(*given)[:, None]


@absorptions.wrong(r"has shape \(\)")
def rate(*given):
    return as_in_the_chapter(*given).float().mean()


@absorptions.wrong("returned a list")
def a_list(*given):
    return as_in_the_chapter(*given).tolist()


@absorptions.wrong("a NumPy array")
def an_array(*given):
    return as_in_the_chapter(*given).numpy()


@absorptions.wrong("changed its input a")
def main_set_to_zero(a, W_dec, probe, main, least_cosine, least_share):
    found = as_in_the_chapter(a, W_dec, probe, main, least_cosine, least_share)
    a[:, main] = 0
    return found


@absorptions.wrong("changed its input W_dec")
def normalised_in_place(a, W_dec, probe, main, least_cosine, least_share):
    found = as_in_the_chapter(a, W_dec, probe, main, least_cosine, least_share)
    W_dec /= W_dec.norm(dim=-1, keepdim=True)
    return found


@absorptions.wrong(r"max along an axis gives \.values and \.indices")
def max_as_it_is(a, W_dec, probe, main, least_cosine, least_share):
    given = a * (W_dec @ probe)
    return is_silent(a, main) & (given.max(-1) / positive_sum(given) >= least_share)


@absorptions.wrong(r"main latents are a\[:, main\]")
def rows_for_columns(a, W_dec, probe, main, least_cosine, least_share):
    silent = (a[main] == 0).all(-1)
    given = a * (W_dec @ probe)
    best = given.argmax(-1)
    share = given.amax(-1) / positive_sum(given)
    return rule(silent, cosines(W_dec, probe)[best], share, least_cosine, least_share)


@absorptions.wrong(r"decoder vector's length is \.norm\(dim=-1\)")
def length_along_the_wrong_axis(a, W_dec, probe, main, least_cosine, least_share):
    return is_silent(a, main) & ((W_dec @ probe / W_dec.norm(dim=0))[a.argmax(-1)] >= least_cosine)


@absorptions.wrong("of every latent is W_dec @ probe")
def transposed(a, W_dec, probe, main, least_cosine, least_share):
    return is_silent(a, main) & ((a * (probe @ W_dec)).amax(-1) >= least_share)


@absorptions.wrong("second axis of a: a")
def rows_out_of_bounds(a, W_dec, probe, main, least_cosine, least_share):
    return (a.T[: len(main)][main + len(main)] == 0).all(0)


@absorptions.wrong("nothing is absorbed here")
def all_zero(a, *_):
    return torch.zeros(len(a), dtype=torch.bool)


@absorptions.wrong("gives")
def one_length_for_all(a, W_dec, probe, main, least_cosine, least_share):
    given = a * (W_dec @ probe)
    cosine = (W_dec @ probe / W_dec.norm())[given.argmax(-1)]
    return rule(is_silent(a, main), cosine, given.amax(-1) / positive_sum(given), least_cosine, least_share)
