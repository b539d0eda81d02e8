"""Bank for 5.8 through_one_input."""

# ruff: noqa: PLR0917 - as the chapter's function

import torch
from bank import Bank
from bank_ch05_ablation import ablated, zero

from sae_course.checks import ch05 as check

one_input = Bank(check.through_one_input)


def at(target, part):
    return target.hook_point.replace("hook_z", f"hook_{part}")


@torch.no_grad()
def values(model, tokens, point, hooks=()):
    """What a run with hooks has at a hook point."""
    kept = {}
    reads = (point, lambda value, hook: kept.update(it=value))
    model.run_with_hooks(tokens, return_type=None, fwd_hooks=[*hooks, reads])
    return kept["it"]


def made(
    edit=ablated,
    parts=lambda part: part,
    again=False,
    layer=lambda target: target,
    read=lambda sae, z: sae.encode(z),
):
    """The right answer, but for the part that is given.

    ``parts``: those that are put in place, for the one that is asked for. ``again``: the source is ablated
    in the second run, and not in the first.
    """

    @torch.no_grad()
    def variant(model, source, target, tokens, latent, part):
        ablation = [(source.hook_point, lambda z, hook: edit(z, source.sae, latent))]
        points = [at(layer(target), one) for one in parts(part)]
        kept = {point: values(model, tokens, point, [] if again else ablation) for point in points}
        put = [(point, lambda value, hook: kept[hook.name]) for point in points]
        hooks = (ablation if again else []) + put
        return read(target.sae, values(model, tokens, target.hook_point, hooks))

    return variant


@one_input.right
@torch.no_grad()
def with_two_caches(model, source, target, tokens, latent, part):
    point = target.hook_point[: -len("z")] + part

    def at_source(z, hook):
        a = source.sae.encode(z)
        return z - source.sae.decode(a) + source.sae.decode(zero(a, (..., latent)))

    with model.hooks(fwd_hooks=[(source.hook_point, at_source)]):
        _, ablated_cache = model.run_with_cache(tokens)
    with model.hooks(fwd_hooks=[(point, lambda value, hook: ablated_cache[point])]):
        _, cache = model.run_with_cache(tokens)
    return target.sae.encode(cache[target.hook_point])


@one_input.right
def both_in_one_run(model, source, target, tokens, latent, part):
    """The first half of the rows is clean, the second ablated; with its graph."""
    n, point, kept = len(tokens), at(target, part), []

    def at_source(z, hook):
        return torch.cat([z[:n], ablated(z[n:], source.sae, latent)])

    def at_part(value, hook):
        return value[n:].repeat(2, 1, 1, 1)

    def at_target(z, hook):
        kept.append(target.sae.encode(z[:n]))

    hooks = [(source.hook_point, at_source), (point, at_part), (target.hook_point, at_target)]
    model.run_with_hooks(tokens.repeat(2, 1), fwd_hooks=hooks)
    return kept[0]


@one_input.right
@torch.no_grad()
def the_other_two_put_back(model, source, target, tokens, latent, part):
    """One ablated run, with the two others as in the clean one."""
    others = [at(target, other) for other in "qkv" if other != part]
    _, clean = model.run_with_cache(tokens)
    hooks = [(source.hook_point, lambda z, hook: ablated(z, source.sae, latent))]
    hooks += [(point, lambda value, hook: clean[hook.name]) for point in others]
    return target.sae.encode(values(model, tokens, target.hook_point, hooks))


@one_input.right
@torch.no_grad()
def in_layer_one(model, source, target, tokens, latent, part):
    """The layer's number is fixed: the chapter has two, and says which."""
    point = f"blocks.1.attn.hook_{part}"
    row = source.sae.W_dec[latent].unflatten(0, (-1, model.cfg.d_head))
    kept = {}
    model.add_hook(source.hook_point, lambda z, hook: z - source.sae.encode(z)[..., latent, None, None] * row)
    model.add_hook(point, lambda value, hook: kept.update(x=value.clone()))
    model(tokens)
    model.reset_hooks()
    model.add_hook(point, lambda value, hook: kept["x"])
    model.add_hook(target.hook_point, lambda z, hook: kept.update(b=target.sae.encode(z)))
    model(tokens)
    model.reset_hooks()
    return kept["b"]


def wrong(name, message, **part):
    variant = made(**part)
    variant.__name__ = name
    one_input.wrong(message)(variant)


wrong("always_q", "the queries .hook_q. know", parts=lambda part: "q")
wrong("always_k", "the keys .hook_k. know", parts=lambda part: "k")
wrong("always_v", "the values .hook_v. know", parts=lambda part: "v")
wrong("all_three", "queries, keys and values all know", parts=lambda part: "qkv")
wrong("the_others", "all but the part know", parts=lambda part: set("qkv") - {part})
wrong("runs_swapped", "all but the part know", again=True)
wrong("no_part", "without any ablation", parts=lambda part: "")
wrong(
    "at_the_source",
    "without any ablation. Is the part kept in the ablated run, at the target's own layer",
    layer=lambda target: target._replace(hook_point=target.hook_point.replace("1", "0")),
)
wrong("z_returned", "the target's z; its latents are wanted", read=lambda sae, z: z)
wrong(
    "error_dropped",
    "the SAE's error is dropped",
    edit=lambda z, sae, j: sae.decode(zero(sae.encode(z), (..., j))),
)
wrong(
    "last_position",
    "values are wrong; this one",
    edit=lambda z, sae, j: torch.cat([z[:, :-1], ablated(z, sae, j)[:, -1:]], dim=1),
)


@one_input.wrong(r"without any ablation(.|\n)*begin with a\.clone\(\)")
def in_place(model, source, target, tokens, latent, part):
    def edit(z, sae, latent):
        a = sae.encode(z)
        b = a
        b[..., latent] = 0
        return z + sae.decode(b) - sae.decode(a)

    return made(edit)(model, source, target, tokens, latent, part)


@one_input.wrong("without any ablation")
def nothing_put_back(model, source, target, tokens, latent, part):
    kept = values(
        model, tokens, at(target, part), [(source.hook_point, lambda z, hook: ablated(z, source.sae, latent))]
    )

    def put(value, hook):
        value = kept  # noqa: F841 - a new name for it changes nothing

    return target.sae.encode(values(model, tokens, target.hook_point, [(at(target, part), put)]))


@one_input.wrong("queries, keys and values all know")
def source_ablated_in_both(model, source, target, tokens, latent, part):
    ablation = (source.hook_point, lambda z, hook: ablated(z, source.sae, latent))
    kept = values(model, tokens, at(target, part), [ablation])
    hooks = [ablation, (at(target, part), lambda value, hook: kept)]
    return target.sae.encode(values(model, tokens, target.hook_point, hooks))


@one_input.wrong("is the one that is read")
def read_in_the_first_run(model, source, target, tokens, latent, part):
    ablation = (source.hook_point, lambda z, hook: ablated(z, source.sae, latent))
    made()(model, source, target, tokens, latent, part)
    return target.sae.encode(values(model, tokens, target.hook_point, [ablation]))


@one_input.wrong("this is the change of the target's latents")
def difference(model, source, target, tokens, latent, part):
    clean = target.sae.encode(values(model, tokens, target.hook_point))
    return made()(model, source, target, tokens, latent, part) - clean


@one_input.wrong("a hook is left on the model, at blocks.1.attn.hook_q")
def hook_left(model, source, target, tokens, latent, part):
    point = at(target, part)
    kept = values(model, tokens, point, [(source.hook_point, lambda z, hook: ablated(z, source.sae, latent))])
    model.add_hook(point, lambda value, hook: kept)
    return target.sae.encode(values(model, tokens, target.hook_point))


@one_input.wrong(r"raised (KeyError|AssertionError|ValueError|AttributeError)")
def name_put_together_wrongly(model, source, target, tokens, latent, part):
    made()(model, source, target, tokens, latent, part)
    point = f"{target.hook_point}_{part}"
    return target.sae.encode(model.run_with_cache(tokens, names_filter=point)[1][point])
