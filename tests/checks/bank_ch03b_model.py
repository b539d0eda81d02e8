"""Banks for 3b.5 logit_lens and 3b.6 scale_latent."""

# ruff: noqa: PLR0917 - as the chapter's function

from functools import partial

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course import evals
from sae_course.checks import ch03b as check

lens = Bank(check.logit_lens)


@lens.right
def rows_times_unembedding(model, sae, latents):
    return sae.W_dec[latents] @ model.W_U


@lens.right
@torch.no_grad()
def by_einsum(model, sae, latents):
    directions = torch.stack([sae.W_dec[i] for i in latents])
    return torch.einsum("nd,dv->nv", directions, model.unembed.W_U)


@lens.right
def by_decoding(model, sae, latents):
    one_each = F.one_hot(torch.tensor(latents), sae.cfg.d_sae).float()
    directions = sae.decode(one_each) - sae.decode(torch.zeros_like(one_each))
    return F.linear(directions, model.W_U.T).detach()


@lens.right
def whole_then_chosen(model, sae, latents):
    return (sae.W_dec @ model.W_U).index_select(0, torch.tensor(latents))


@lens.right
def unembedded_less_bias(model, sae, latents):
    return model.unembed(sae.W_dec[latents][None])[0] - model.b_U


def direction(name, message, of):
    def variant(model, sae, latents):
        return of(sae, latents) @ model.W_U

    variant.__name__ = name
    lens.wrong(message)(variant)


def unit(x):
    return F.normalize(x, dim=-1)


direction("encoder", "W_enc, which is what a latent reads", lambda sae, i: sae.W_enc[:, i].T)
direction("at_length_1", "brought to length 1", lambda sae, i: unit(sae.W_dec[i]))
direction("decoded", "b_dec was added", lambda sae, i: sae.decode(torch.eye(sae.cfg.d_sae)[i]))
direction("first_rows", "the first latents", lambda sae, i: sae.W_dec[: len(i)])
direction("all_rows", r"has shape \(13, 17\); expected \[latents, d_vocab\]", lambda sae, i: sae.W_dec)
direction("columns", "raised (RuntimeError|IndexError)", lambda sae, i: sae.W_dec[:, i].T)


def logits(name, message, of):
    def variant(model, sae, latents):
        return of(model, sae.W_dec[latents])

    variant.__name__ = name
    lens.wrong(message)(variant)


logits("embedding", "W_E.T, the embedding", lambda model, rows: rows @ model.W_E.T)
logits("with_bias", "b_U was added", lambda model, rows: model.unembed(rows[None])[0])
logits("probabilities", "softmax was taken", lambda model, rows: (rows @ model.W_U).softmax(-1))
logits("log_probabilities", "log_softmax was taken", lambda model, rows: (rows @ model.W_U).log_softmax(-1))
logits(
    "centred",
    "mean over the vocabulary was subtracted",
    lambda model, rows: rows @ model.W_U - (rows @ model.W_U).mean(1, keepdim=True),
)
logits(
    "normed", "the final norm was applied; it", lambda model, rows: model.ln_final(rows[None])[0] @ model.W_U
)
logits(
    "to_the_end",
    "the final norm was applied, and b_U",
    lambda model, rows: model.unembed(model.ln_final(rows[None]))[0],
)
logits("weighted", "the final norm's weights", lambda model, rows: (model.ln_final.w * rows) @ model.W_U)
logits(
    "transposed", "axes latents and d_vocab are in the wrong order", lambda model, rows: (rows @ model.W_U).T
)
logits("an_axis_kept", "an axis too many", lambda model, rows: (rows @ model.W_U)[None])
logits("embedding_untransposed", "raised RuntimeError", lambda model, rows: rows @ model.W_E)


@lens.wrong("changed its input sae.W_dec")
def normalises_the_sae(model, sae, latents):
    sae.W_dec.data /= sae.W_dec.data.norm(dim=-1, keepdim=True)
    return sae.W_dec[latents] @ model.W_U


scaled = Bank(check.scale_latent)


@scaled.right
def with_the_error(model, sae, tokens, hook_point, latent, factor):
    def hook(x, hook):
        a = sae.encode(x)
        error = x - sae.decode(a)
        b = a.clone()
        b[:, :, latent] = factor * a[:, :, latent]
        return sae.decode(b) + error

    return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, hook)])


@scaled.right
@torch.no_grad()
def by_difference(model, sae, tokens, hook_point, latent, factor):
    def hook(x, hook):
        a = sae.encode(x)
        only = torch.zeros_like(a)
        only[..., latent] = (factor - 1) * a[..., latent]
        return x + sae.decode(only) - sae.decode(torch.zeros_like(a))

    with model.hooks(fwd_hooks=[(hook_point, hook)]):
        return model(tokens)


@scaled.right
def cached_first(model, sae, tokens, hook_point, latent, factor):
    _, cache = model.run_with_cache(tokens, names_filter=hook_point)
    x = cache[hook_point]
    a = sae.encode(x)
    mask = torch.ones(a.shape[-1], device=a.device)
    mask[latent] = factor
    new = x + sae.decode(a * mask) - sae.decode(a)
    return model.run_with_hooks(tokens, fwd_hooks=[(lambda name: name == hook_point, lambda x, hook: new)])


@scaled.right
def by_saelens(model, sae, tokens, hook_point, latent, factor):
    def scale(a, hook):
        a[..., latent] *= factor
        return a

    sae.use_error_term = True
    try:
        with torch.no_grad(), sae.hooks(fwd_hooks=[("hook_sae_acts_post", scale)]):
            return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, lambda x, hook: sae(x))])
    finally:
        sae.use_error_term = False


@scaled.right
def hook_added_and_reset(model, sae, tokens, hook_point, latent, factor):
    def hook(x, hook):
        a = sae.encode(x)
        before = sae.decode(a)
        a[..., latent] *= factor
        return x + (sae.decode(a) - before)

    model.reset_hooks()
    model.add_hook(hook_point, hook)
    try:
        return model(tokens)
    finally:
        model.reset_hooks()


@scaled.right
def along_the_direction(model, sae, tokens, hook_point, latent, factor):
    one = F.one_hot(torch.tensor(latent), sae.cfg.d_sae).to(sae.W_dec)
    adds = sae.decode(one) - sae.decode(0 * one)

    def hook(x, hook):
        return x + (factor - 1) * sae.encode(x)[..., latent].unsqueeze(-1) * adds

    return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, hook)])


@scaled.right
def of_evals(model, sae, tokens, hook_point, latent, factor):
    def edit(a):
        a[..., latent] *= factor
        return a

    return evals.intervene(model, sae, tokens, hook_point, edit)


def slip(name, message, edit):
    """A hook that makes of x: ``edit(x, a, sae, latent, factor)``."""

    def variant(model, sae, tokens, hook_point, latent, factor):
        def hook(x, hook):
            return edit(x, sae.encode(x), sae, latent, factor)

        return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, hook)])

    variant.__name__ = name
    scaled.wrong(message)(variant)


def times(a, latent, factor):
    b = a.clone()
    b[..., latent] *= factor
    return b


def change(a, latent, value):
    b = a.clone()
    b[..., latent] = value
    return b


slip("error_dropped", "the SAE's error is dropped", lambda x, a, sae, j, f: sae.decode(times(a, j, f)))
slip(
    "added_to_x",
    "the reconstruction was added to x",
    lambda x, a, sae, j, f: x + sae.decode(times(a, j, f)),
)
slip(
    "factor_for_its_change",
    "factor, where factor − 1 is wanted: ",
    lambda x, a, sae, j, f: x + sae.decode(times(a, j, f)) - sae.decode(times(a, j, 0)),
)
slip(
    "bias_too",
    "and b_dec comes in as well",
    lambda x, a, sae, j, f: x + sae.decode(change(0 * a, j, f * a[..., j])),
)
slip(
    "bias_once_too_often",
    "b_dec comes in once too often",
    lambda x, a, sae, j, f: x + sae.decode(change(0 * a, j, (f - 1) * a[..., j])),
)
slip(
    "wrong_sign",
    "the change is subtracted",
    lambda x, a, sae, j, f: x + sae.decode(a) - sae.decode(times(a, j, f)),
)
slip(
    "all_latents",
    "every latent was multiplied",
    lambda x, a, sae, j, f: x + sae.decode(f * a) - sae.decode(a),
)
slip(
    "whole_reconstruction",
    "the whole reconstruction was multiplied",
    lambda x, a, sae, j, f: x + (f - 1) * sae.decode(a),
)
slip(
    "others_dropped",
    "all other latents were dropped",
    lambda x, a, sae, j, f: x - sae.decode(a) + sae.decode(change(0 * a, j, f * a[..., j])),
)
slip(
    "all_others",
    "every latent but this one",
    lambda x, a, sae, j, f: x + sae.decode(change(f * a, j, a[..., j])) - sae.decode(a),
)
slip(
    "set_to_factor",
    "was set to factor",
    lambda x, a, sae, j, f: x + sae.decode(change(a, j, f)) - sae.decode(a),
)
slip(
    "factor_added",
    "factor was added to the latent",
    lambda x, a, sae, j, f: x + sae.decode(change(a, j, a[..., j] + f)) - sae.decode(a),
)
slip(
    "rows_of_W_dec",
    "which divides each row by its norm",
    lambda x, a, sae, j, f: x + (f - 1) * a[..., j, None] * sae.W_dec[j],
)
slip(
    "unit_rows",
    "the direction was brought to length 1",
    lambda x, a, sae, j, f: x + (f - 1) * a[..., j, None] * unit(sae.W_dec[j]),
)
slip(
    "reading_direction",
    "the column of W_enc",
    lambda x, a, sae, j, f: x + (f - 1) * a[..., j, None] * sae.W_enc[:, j],
)
slip("x_multiplied", "x itself was multiplied", lambda x, a, sae, j, f: f * x)


@partial(slip, "a_position", r"a\[:, latent\] is a position")
def edit_a_position(x, a, sae, j, f):
    b = a.clone()
    b[:, j] *= f
    return x + sae.decode(b) - sae.decode(a)


@partial(slip, "last_position", "only the last position")
def edit_last_position(x, a, sae, j, f):
    b = a.clone()
    b[:, -1, j] *= f
    return x + sae.decode(b) - sae.decode(a)


@partial(slip, "in_place", r"these are the clean logits(.|\n)*clone\(\)")
def edit_in_place(x, a, sae, j, f):
    b = a
    b[..., j] *= f
    return x + sae.decode(b) - sae.decode(a)


@partial(slip, "error_afterwards", "these are the clean logits")
def edit_error_afterwards(x, a, sae, j, f):
    a[..., j] *= f
    return sae.decode(a) + (x - sae.decode(a))


@partial(slip, "nothing_returned", "these are the clean logits. Does the hook return")
def edit_nothing_returned(x, a, sae, j, f):
    times(a, j, f)


@scaled.wrong("this is the change of the logits")
def difference_of_logits(model, sae, tokens, hook_point, latent, factor):
    return with_the_error(model, sae, tokens, hook_point, latent, factor) - model(tokens)


@scaled.wrong("whatever hook_point says")
def fixed_hook(model, sae, tokens, hook_point, latent, factor):
    return with_the_error(model, sae, tokens, "blocks.0.hook_mlp_out", latent, factor)


@scaled.wrong("a hook is left on the model, at blocks.0.hook_resid_mid")
def hook_left(model, sae, tokens, hook_point, latent, factor):
    def hook(x, hook):
        a = sae.encode(x)
        return x + sae.decode(times(a, latent, factor)) - sae.decode(a)

    model.add_hook(hook_point, hook)
    return model(tokens)


@scaled.wrong("a hook is left on the sae, at hook_sae_acts_post")
def hook_left_on_sae(model, sae, tokens, hook_point, latent, factor):
    def hook(x, hook):
        a = sae.encode(x)
        error = x - sae.decode(a)
        sae.add_hook("hook_sae_acts_post", lambda a, hook: times(a, latent, factor))
        return sae.decode(sae.encode(x)) + error

    return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, hook)])


@scaled.wrong("sae.use_error_term is True: it was False before")
def error_term_left_on(model, sae, tokens, hook_point, latent, factor):
    result = by_saelens(model, sae, tokens, hook_point, latent, factor)
    sae.use_error_term = True
    return result


@scaled.wrong(r"has shape \(\)")
def the_loss(model, sae, tokens, hook_point, latent, factor):
    hook = lambda x, hook: x  # noqa: E731
    return model.run_with_hooks(tokens, return_type="loss", fwd_hooks=[(hook_point, hook)])


@scaled.wrong("changed its input sae.W_dec")
def decoder_scaled(model, sae, tokens, hook_point, latent, factor):
    sae.W_dec.data[latent] *= factor
    return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, lambda x, hook: sae(x))])


@scaled.wrong("raised TypeError.*hook")
def hook_without_its_second_argument(model, sae, tokens, hook_point, latent, factor):
    return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, lambda x: x)])
