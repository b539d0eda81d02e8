"""Bank for 5.5 attribute."""

# ruff: noqa: PLR0917 - as the chapter's function

import torch
from bank import Bank

from sae_course.checks import ch05 as check

attribution = Bank(check.attribute)


def product(a, gradient, where):
    return (a * gradient).sum(dim=(0, 1))


def in_front(z, written):
    return z + written - written.detach()


def one(sae, z, latent):
    return sae.encode(z)[..., latent]


def made(put=in_front, read=one, of=lambda b, where: b[where].sum(), end=product):
    """The right answer, but for the part that is given."""

    def variant(model, source, target, tokens, latent, where):
        kept = {}

        def at_source(z, hook):
            kept["a"] = source.sae.encode(z).detach().requires_grad_()
            return put(z, source.sae.decode(kept["a"]))

        def at_target(z, hook):
            kept["b"] = read(target.sae, z, latent)

        hooks = [(source.hook_point, at_source), (target.hook_point, at_target)]
        model.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
        (gradient,) = torch.autograd.grad(of(kept["b"], where), kept["a"])
        return end(kept["a"].detach(), gradient, where)

    return variant


def wrong(name, message, **part):
    variant = made(**part)
    variant.__name__ = name
    attribution.wrong(message)(variant)


@attribution.right
def by_backward(model, source, target, tokens, latent, where):
    """It fills the gradients of the model and the SAEs, too."""
    kept = {}

    def at_source(z, hook):
        a = source.sae.encode(z).detach()
        error = (z - source.sae.decode(a)).detach()
        kept["a"] = a.requires_grad_(True)
        return source.sae.decode(kept["a"]) + error

    def at_target(z, hook):
        kept["b"] = target.sae.encode(z)[:, :, latent]

    with model.hooks(fwd_hooks=[(source.hook_point, at_source), (target.hook_point, at_target)]):
        model(tokens)
    (kept["b"] * where).sum().backward()
    with torch.no_grad():
        return torch.einsum("rps,rps->s", kept["a"], kept["a"].grad)


@attribution.right
def no_leaf(model, source, target, tokens, latent, where):
    """The activations are in the middle of a graph: they have a gradient all the same."""
    kept = {}

    def at_source(z, hook):
        kept["a"] = source.sae.encode(z)
        written = source.sae.decode(kept["a"])
        return written + (z - written).detach()

    def at_target(z, hook):
        kept["b"] = target.sae.encode(z)

    model.reset_hooks()
    model.add_hook(source.hook_point, at_source)
    model.add_hook(target.hook_point, at_target)
    model(tokens, return_type="logits")
    model.reset_hooks()
    total = kept["b"][..., latent].masked_fill(~where, 0).sum()
    gradient = torch.autograd.grad(total, kept["a"])[0]
    return (kept["a"] * gradient).flatten(0, 1).sum(0).detach()


@attribution.right
def through_the_decoder(model, source, target, tokens, latent, where):
    """The gradient with respect to z, then along each decoder row."""
    kept = {}

    def at_source(z, hook):
        kept["z"] = z.detach().requires_grad_()
        return kept["z"]

    def at_target(z, hook):
        kept["b"] = target.sae.encode(z)[..., latent]

    hooks = [(source.hook_point, at_source), (target.hook_point, at_target)]
    model.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
    (gradient,) = torch.autograd.grad(kept["b"][where].sum(), kept["z"])
    with torch.no_grad():
        a = source.sae.encode(kept["z"])
        return (a * (gradient.flatten(2) @ source.sae.W_dec.T)).sum((0, 1))


@attribution.right
def by_turning_each_latent_up(model, source, target, tokens, latent, where):
    """One number that multiplies each latent: its gradient is the sum over tokens already."""
    up = torch.ones(source.sae.cfg.d_sae, requires_grad=True)
    b = []

    def at_source(z, hook):
        a = source.sae.encode(z).detach()
        return z.detach() + source.sae.decode(a * up) - source.sae.decode(a)

    hooks = [
        (source.hook_point, at_source),
        (target.hook_point, lambda z, hook: b.append(target.sae.encode(z)[where][:, latent].sum())),
    ]
    model.run_with_hooks(tokens, return_type=None, fwd_hooks=hooks)
    return torch.autograd.grad(b[0], up)[0]


@attribution.right
def by_saelens(model, source, target, tokens, latent, where):
    """SAELens' own error term, with the leaf put in by a hook on the SAE."""
    kept, sae = {}, source.sae

    def leaf(a, hook):
        kept["a"] = a.detach().requires_grad_()
        return kept["a"]

    def at_target(z, hook):
        kept["b"] = target.sae.encode(z)

    sae.use_error_term = True
    try:
        with sae.hooks(fwd_hooks=[("hook_sae_acts_post", leaf)]):
            hooks = [(source.hook_point, lambda z, hook: sae(z)), (target.hook_point, at_target)]
            model.run_with_hooks(tokens, fwd_hooks=hooks)
    finally:
        sae.use_error_term = False
    gradient = torch.autograd.grad(kept["b"][where, latent].sum(), kept["a"])[0]
    return sum((a * g).sum(0) for a, g in zip(kept["a"].detach(), gradient, strict=True))


wrong("error_lost", "the SAE's error is lost", put=lambda z, written: written)
wrong("nothing_detached", "The second must be detached", put=lambda z, written: z + written - written)
wrong("gradient_alone", "the gradient alone was summed", end=lambda a, g, where: g.sum((0, 1)))
wrong(
    "product_of_sums",
    "a was summed and the gradient was summed",
    end=lambda a, g, where: a.sum((0, 1)) * g.sum((0, 1)),
)
wrong("over_latents", "the sum goes over the latents", end=lambda a, g, where: (a * g).sum(-1))
wrong("not_summed", "the tokens are not summed yet", end=lambda a, g, where: a * g)
wrong("mean", "the mean over the source's tokens", end=lambda a, g, where: (a * g).mean((0, 1)))
wrong("mean_of_b", "this is the mean of b", of=lambda b, where: b[where].mean())
wrong("absolute", "absolute values were summed", end=lambda a, g, where: (a * g).abs().sum((0, 1)))
wrong("last_position", "only the source's last position", end=lambda a, g, where: (a * g)[:, -1].sum(0))
wrong(
    "source_where",
    "the source's tokens were picked by `where`",
    end=lambda a, g, where: (a * g)[where].sum(0),
)
wrong("where_ignored", "`where` is ignored", of=lambda b, where: b.sum())
wrong("all_targets", "every target latent was summed", read=lambda sae, z, latent: sae.encode(z))
wrong(
    "pre_activation",
    "the target's pre-activation",
    read=lambda sae, z, latent: (z.flatten(2) - sae.b_dec) @ sae.W_enc[:, latent] + sae.b_enc[latent],
)


@attribution.wrong("length of the decoder's rows")
def times_decoder_norm(model, source, target, tokens, latent, where):
    right = made()(model, source, target, tokens, latent, where)
    return right * source.sae.W_dec.detach().norm(dim=-1)


@attribution.wrong(
    r"raised RuntimeError(.|\n)*b was not made from a(.|\n)*Is the source's hook at the source"
)
def swapped(model, source, target, tokens, latent, where):
    return made()(model, target, source, tokens, 0, where)


@attribution.wrong(r"raised RuntimeError(.|\n)*b was not made from a")
def hook_returns_nothing(model, source, target, tokens, latent, where):
    return made(put=lambda z, written: None)(model, source, target, tokens, latent, where)


@attribution.wrong(r"raised RuntimeError(.|\n)*Likely: torch\.no_grad\(\) around the run")
def without_gradients(model, source, target, tokens, latent, where):
    with torch.no_grad():
        return made()(model, source, target, tokens, latent, where)


@attribution.wrong(r"with their graph(.|\n)*\.detach\(\) at the end")
def graph_kept(model, source, target, tokens, latent, where):
    def end(a, gradient, where):
        return (a.requires_grad_() * gradient).sum((0, 1))

    return made(end=end)(model, source, target, tokens, latent, where)


@attribution.wrong("a hook is left on the model, at blocks.0.attn.hook_z")
def hooks_left(model, source, target, tokens, latent, where):
    model.add_hook(source.hook_point, lambda z, hook: z)
    return made()(model, source, target, tokens, latent, where)
