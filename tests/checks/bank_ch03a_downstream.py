"""Banks for 3a.9 splice, 3a.10 loss_recovered and 3a.11 log_densities."""

# ruff: noqa: PLR0917 - arguments with defaults

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks import ch03a

FIRST = "blocks.0.hook_mlp_out"
splices = Bank(ch03a.splice)


@splices.right
@torch.no_grad()
def splice(model, sae, tokens, hook_point):
    return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, lambda a, hook: sae.decode(sae.encode(a)))])


@splices.right
def with_context(model, sae, tokens, hook_point):
    def replace(activation, hook):
        assert hook.name == hook_point
        activation[:] = sae.decode(sae.encode(activation)).detach()

    with torch.no_grad(), model.hooks(fwd_hooks=[(hook_point, replace)]):
        return model(tokens, return_type="logits")


@splices.right
def added_and_reset(model, sae, tokens, hook_point):
    model.add_hook(hook_point, lambda a, hook: sae.decode(sae.encode(a)))
    logits = model(tokens)
    model.reset_hooks()
    return logits


@splices.right
def row_by_row(model, sae, tokens, hook_point):
    return torch.cat([splice(model, sae, row[None], hook_point) for row in tokens])


def with_hook(model, tokens, hook_point, edit):
    with torch.no_grad():
        return model.run_with_hooks(tokens, fwd_hooks=[(hook_point, lambda a, hook: edit(a))])


def rebuilt(sae, a):
    return sae.decode(sae.encode(a))


def last_only(sae):
    def edit(a):
        a[:, -1] = rebuilt(sae, a[:, -1])
        return a

    return edit


for name, message, edit in [
    ("returns_nothing", r"does the hook \*return\*", lambda sae: lambda a: (rebuilt(sae, a), None)[1]),
    ("adds", "added to the activation", lambda sae: lambda a: a + rebuilt(sae, a)),
    ("error", "the SAE's error stands there", lambda sae: lambda a: a - rebuilt(sae, a)),
    ("zero", "set to 0; ", lambda sae: lambda a: 0 * a),
    ("last_only", "only the last position is", last_only),
    ("mean_row", "mean over the rows", lambda sae: lambda a: rebuilt(sae, a).mean(0).expand_as(a)),
    ("unscaled_twice", "a second time", lambda sae: lambda a: rebuilt(sae, a) / sae.scale),
    ("scaled_twice", "scaled before encode", lambda sae: lambda a: rebuilt(sae, sae.scale * a)),
    ("no_topk", "topk is missing", lambda sae: lambda a: sae.decode(sae.pre_activations(a))),
    ("latents", "raised RuntimeError", lambda sae: sae.encode),
]:

    def spliced(model, sae, tokens, hook_point, edit=edit):
        return with_hook(model, tokens, hook_point, edit(sae))

    spliced.__name__ = name
    splices.wrong(message)(spliced)


@splices.wrong("the hook point is fixed")
def fixed(model, sae, tokens, hook_point):
    return splice(model, sae, tokens, FIRST)


@splices.wrong("these are probabilities")
def probabilities(model, sae, tokens, hook_point):
    return splice(model, sae, tokens, hook_point).softmax(-1)


@splices.wrong("these are log-probabilities")
def log_probabilities(model, sae, tokens, hook_point):
    return splice(model, sae, tokens, hook_point).log_softmax(-1)


@splices.wrong("this is the loss")
def loss(model, sae, tokens, hook_point):
    hooks = [(hook_point, lambda a, hook: rebuilt(sae, a))]
    return model.run_with_hooks(tokens, return_type="loss", fwd_hooks=hooks)


@splices.wrong("the reconstruction itself")
def reconstruction(model, sae, tokens, hook_point):
    _, cache = model.run_with_cache(tokens)
    return rebuilt(sae, cache[hook_point])


@splices.wrong("only the last position's logits")
def last_logits(model, sae, tokens, hook_point):
    return splice(model, sae, tokens, hook_point)[:, -1]


@splices.wrong("leaves 1 hook on the model(.|\n)*reset_hooks")
def hook_left(model, sae, tokens, hook_point):
    model.add_hook(hook_point, lambda a, hook: rebuilt(sae, a))
    return model(tokens)


@splices.wrong("changed the model's weights")
def changes_weights(model, sae, tokens, hook_point):
    result = splice(model, sae, tokens, hook_point)
    model.unembed.b_U.data += 1
    return result


recovered = Bank(ch03a.loss_recovered)


def entropies(model, sae, tokens, hook_point, remove=torch.zeros_like, loss=None):
    def one(edit):
        logits = with_hook(model, tokens, hook_point, edit)
        if loss is not None:
            return loss(logits, tokens)
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

    return one(lambda a: a), one(lambda a: rebuilt(sae, a)), one(remove)


@recovered.right
def as_tensor(model, sae, tokens, hook_point):
    clean, spliced, ablated = entropies(model, sae, tokens, hook_point)
    return (ablated - spliced) / (ablated - clean)


@recovered.right
def with_return_type(model, sae, tokens, hook_point):
    def loss(edit):
        hooks = [(hook_point, lambda a, hook: edit(a))]
        return model.run_with_hooks(tokens, return_type="loss", fwd_hooks=hooks).item()

    clean, ablated = model(tokens, return_type="loss").item(), loss(lambda a: a.mul_(0.0))
    return 1 - (loss(lambda a: rebuilt(sae, a)) - clean) / (ablated - clean)


def by_rows(logits, tokens):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none").mean(1)


def unshifted(logits, tokens):
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten())


def last_prediction(logits, tokens):
    return F.cross_entropy(logits[:, -2], tokens[:, -1])


def summed(logits, tokens):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum")


@recovered.right
def by_sums(model, sae, tokens, hook_point):
    clean, spliced, ablated = entropies(model, sae, tokens, hook_point, loss=summed)
    return float((spliced - ablated) / (clean - ablated))


def share(clean, spliced, ablated):
    return (ablated - spliced) / (ablated - clean)


for name, message, formula, others in [
    ("lost", r"\*lost\*", lambda c, s, a: (s - c) / (a - c), {}),
    ("upside_down", "upside down", lambda c, s, a: (a - c) / (a - s), {}),
    ("clean_over_sae", "clean over SAE", lambda c, s, a: c / s, {}),
    ("sae_over_clean", "SAE over clean", lambda c, s, a: s / c, {}),
    ("sae_over_ablated", "SAE over ablated", lambda c, s, a: s / a, {}),
    ("over_ablated", "divided by the ablated", lambda c, s, a: 1 - s / a, {}),
    ("one_minus_over_ablated", "comes on top", lambda c, s, a: 1 - (s - c) / a, {}),
    ("cut_off", "cut off at 0", lambda c, s, a: share(c, s, a).clamp(0, 1), {}),
    ("undivided", "difference alone", lambda c, s, a: a - s, {}),
    ("cost", "that the SAE costs", lambda c, s, a: (s - c).item(), {}),
    ("sign", "sign is the wrong way", lambda c, s, a: (a - s) / (c - a), {}),
    ("percent", "in percent", lambda c, s, a: 100 * share(c, s, a), {}),
    ("to_the_mean", "not to the mean", share, {"remove": lambda a: a.mean((0, 1)).expand_as(a)}),
    ("row_ratios", "a ratio for each row", lambda c, s, a: share(c, s, a).mean(), {"loss": by_rows}),
    ("unshifted", "they are about the next one", share, {"loss": unshifted}),
    ("last_prediction", "only the last prediction", share, {"loss": last_prediction}),
    ("one_for_each_row", "expected a single number", share, {"loss": by_rows}),
]:

    def value(model, sae, tokens, hook_point, formula=formula, others=others):
        return formula(*entropies(model, sae, tokens, hook_point, **others))

    value.__name__ = name
    recovered.wrong(message)(value)


@recovered.wrong("the hook point is fixed")
def fixed_point(model, sae, tokens, hook_point):
    return as_tensor(model, sae, tokens, FIRST)


@recovered.wrong("leaves 1 hook")
def leaves_a_hook(model, sae, tokens, hook_point):
    result = as_tensor(model, sae, tokens, hook_point)
    model.add_hook(hook_point, lambda a, hook: a)
    return result


densities = Bank(ch03a.log_densities)


@densities.right
def by_mean(latents):
    return (latents > 0).float().mean(dim=0).log10()


@densities.right
def by_counts(latents):
    counts = latents.count_nonzero(0)
    return torch.log10(counts / latents.shape[0])


@densities.right
def with_where(latents):
    share = latents.gt(0).sum(0) / len(latents)
    return torch.where(share > 0, share.clamp(min=1e-9).log10(), -torch.inf)


def clamped(latents):
    return (latents > 0).float().mean(0).clamp(min=1e-10).log10()


for name, message, wrong in [
    ("natural", "natural logarithms", lambda x: (x > 0).float().mean(0).log()),
    ("base_two", "base 2", lambda x: (x > 0).float().mean(0).log2()),
    ("mean_activation", "of the mean activation", lambda x: x.mean(0).log10()),
    ("mean_of_logs", "mean of the activations' log", lambda x: x.clamp(min=1e-10).log10().mean(0)),
    ("each_token", "a number for each token", lambda x: (x > 0).float().mean(-1).log10()),
    ("counts", "the count of tokens", lambda x: (x > 0).sum(0).float().log10()),
    ("over_d_sae", "d_sae latents", lambda x: ((x > 0).sum(0) / x.shape[1]).log10()),
    ("of_firings", "among all latents' firings", lambda x: ((x > 0).sum(0) / (x > 0).sum()).log10()),
    ("shares", "logarithm is missing", lambda x: (x > 0).float().mean(0)),
    ("negative", "sign is the wrong way", lambda x: -(x > 0).float().mean(0).log10()),
    ("silent", r"\*silent\*", lambda x: (x == 0).float().mean(0).log10()),
    ("together", "all latents together", lambda x: (x > 0).float().mean().log10()),
    ("above_one", "not above 1", lambda x: (x > 1).float().mean(0).log10()),
    ("clamped", "clamp\\(min=", clamped),
    ("a_little_added", "clamp\\(min=", lambda x: ((x > 0).float().mean(0) + 1e-9).log10()),
    ("nan_for_never", "-inf", lambda x: by_mean(x).masked_fill((x == 0).all(0), torch.nan)),
    ("l0", "gives|missing|wrong", lambda x: (x > 0).sum(1).float().mean()),
]:
    wrong.__name__ = name
    densities.wrong(message)(wrong)
