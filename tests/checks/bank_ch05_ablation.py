"""Bank for 5.6 without_latent."""

from functools import partial

import torch
from bank import Bank

from sae_course.checks import ch05 as check
from sae_course.evals import Site

ablation = Bank(check.without_latent)


def zero(a, where):
    b = a.clone()
    b[where] = 0
    return b


def ablated(z, sae, latent):
    a = sae.encode(z)
    return z + sae.decode(zero(a, (..., latent))) - sae.decode(a)


def made(edit=ablated, read=lambda source, target, z: target.encode(z)):
    """The right answer, but for the part that is given."""

    @torch.no_grad()
    def variant(model, source, target, tokens, latent):
        kept = {}

        def at_target(z, hook):
            kept["b"] = read(source.sae, target.sae, z)

        hooks = [
            (source.hook_point, lambda z, hook: edit(z, source.sae, latent)),
            (target.hook_point, at_target),
        ]
        model.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
        return kept["b"]

    return variant


@ablation.right
def error_kept_apart(model, source, target, tokens, latent):
    """With its graph: nothing asks for none."""

    def at_source(z, hook):
        a = source.sae.encode(z)
        error = z - source.sae.decode(a)
        mask = torch.ones_like(a)
        mask[:, :, latent] = 0
        return source.sae.decode(a * mask) + error

    with model.hooks(fwd_hooks=[(source.hook_point, at_source)]):
        _, cache = model.run_with_cache(tokens)
    return target.sae.encode(cache[target.hook_point])


@ablation.right
@torch.no_grad()
def row_cut_into_heads(model, source, target, tokens, latent):
    def at_source(z, hook):
        row = source.sae.W_dec[latent].unflatten(0, (-1, z.shape[-1]))
        return z - source.sae.encode(z)[..., latent, None, None] * row

    model.add_hook(source.hook_point, at_source)
    try:
        cache = model.run_with_cache(tokens, names_filter=lambda name: name == target.hook_point)[1]
    finally:
        model.reset_hooks()
    return target.sae.encode(cache[target.hook_point])


@ablation.right
@torch.no_grad()
def in_place_after_the_error(model, source, target, tokens, latent):
    _, cache = model.run_with_cache(tokens)
    z = cache[source.hook_point]
    a = source.sae.encode(z)
    error = z - source.sae.decode(a)
    a[..., latent] = 0.0
    new, seen = source.sae.decode(a) + error, []
    hooks = [
        (source.hook_point, lambda _, hook: new),
        (target.hook_point, lambda z, hook: seen.append(target.sae.encode(z))),
    ]
    model.run_with_hooks(tokens, fwd_hooks=hooks)
    return seen[-1]


@ablation.right
@torch.no_grad()
def row_by_row(model, source, target, tokens, latent):
    return torch.cat([made()(model, source, target, row[None], latent) for row in tokens])


@ablation.right
@torch.no_grad()
def by_saelens(model, source, target, tokens, latent):
    sae = source.sae
    sae.use_error_term = True
    try:
        with sae.hooks(fwd_hooks=[("hook_sae_acts_post", lambda a, hook: zero(a, (..., latent)))]):
            return made(lambda z, sae, latent: sae(z))(model, source, target, tokens, latent)
    finally:
        sae.use_error_term = False


def wrong(name, message, *part, **parts):
    variant = made(*part, **parts)
    variant.__name__ = name
    ablation.wrong(message)(variant)


def only(a, latent):
    return a - zero(a, (..., latent))


wrong(
    "error_dropped",
    "the SAE's error is dropped",
    lambda z, sae, j: sae.decode(zero(sae.encode(z), (..., j))),
)
wrong(
    "added_to_z",
    "the reconstruction was added to z",
    lambda z, sae, j: z + sae.decode(zero(sae.encode(z), (..., j))),
)
wrong("wrong_sign", "the sign is the wrong way round", lambda z, sae, j: 2 * z - ablated(z, sae, j))
wrong("bias_too", "b_dec was taken away", lambda z, sae, j: z - sae.decode(only(sae.encode(z), j)))
wrong(
    "every_latent",
    "every latent was ablated",
    lambda z, sae, j: z + sae.decode(0 * sae.encode(z)) - sae.decode(sae.encode(z)),
)
wrong(
    "all_others",
    "all other latents were ablated",
    lambda z, sae, j: z + sae.decode(only(sae.encode(z), j)) - sae.decode(sae.encode(z)),
)
wrong(
    "a_position",
    r"a\[:, latent\] is a position",
    lambda z, sae, j: z + sae.decode(zero(sae.encode(z), (slice(None), j))) - sae.decode(sae.encode(z)),
)
wrong(
    "last_position",
    "only the last position",
    lambda z, sae, j: torch.cat([z[:, :-1], ablated(z, sae, j)[:, -1:]], dim=1),
)


@partial(wrong, "in_place", r"without any ablation(.|\n)*begin with a\.clone\(\)")
def edit_in_place(z, sae, latent):
    a = sae.encode(z)
    changed = a
    changed[..., latent] = 0
    return z + sae.decode(changed) - sae.decode(a)


@partial(wrong, "nothing_returned", "without any ablation. Does the source's hook return")
def edit_nothing_returned(z, sae, latent):
    ablated(z, sae, latent)


wrong("z_returned", "the target's z; its latents are wanted", read=lambda source, target, z: z)
wrong("wrong_reader", "the source's SAE has read", read=lambda source, target, z: source.encode(z))
wrong(
    "row_without_heads",
    "raised RuntimeError: The size of tensor a",
    lambda z, sae, j: z - sae.encode(z)[..., j, None] * sae.W_dec[j],
)
wrong("reconstruction_read", "has shape", read=lambda source, target, z: target(z))


@ablation.wrong("this is the change of the target's latents")
def difference(model, source, target, tokens, latent):
    clean = made(lambda z, sae, latent: z)(model, source, target, tokens, latent)
    return made()(model, source, target, tokens, latent) - clean


@ablation.wrong("these are the source's latents")
def confused(model, source, target, tokens, latent):
    return made()(model, target, source, tokens, latent)


@ablation.wrong("the target's SAE was used at the source")
def wrong_writer(model, source, target, tokens, latent):
    return made()(model, Site(source.hook_point, target.sae), target, tokens, latent)


@ablation.wrong("a hook is left on the model, at blocks.0.attn.hook_z")
def hook_left(model, source, target, tokens, latent):
    model.add_hook(source.hook_point, lambda z, hook: ablated(z, source.sae, latent))
    _, cache = model.run_with_cache(tokens)
    return target.sae.encode(cache[target.hook_point])


@ablation.wrong("the source's SAE is not as it was")
def reshaping_left_off(model, source, target, tokens, latent):
    sae = source.sae

    def edit(z, sae, latent):
        sae.turn_off_forward_pass_hook_z_reshaping()
        return ablated(z.flatten(2), sae, latent).reshape(z.shape)

    return made(edit)(model, Site(source.hook_point, sae), target, tokens, latent)


@ablation.wrong("changed its input source.*W_dec")
def decoder_changed(model, source, target, tokens, latent):
    source.sae.W_dec.data[latent] = 0
    return made(lambda z, sae, latent: sae(z))(model, source, target, tokens, latent)
