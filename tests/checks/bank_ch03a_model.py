"""Banks for 3a.1 next_token_log_probs and 3a.2 harvest."""

import math

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch03a import model as checks

log_probs = Bank(checks.next_token_log_probs)


@log_probs.right
def by_gather(logits, tokens):
    return logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1)


@log_probs.right
def by_cross_entropy(logits, tokens):
    loss = F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")
    return -loss


@log_probs.right
def in_a_loop(logits, tokens):
    out = torch.zeros(len(tokens), tokens.shape[1] - 1)
    for row in range(len(tokens)):
        for pos in range(tokens.shape[1] - 1):
            out[row, pos] = logits[row, pos].softmax(0)[tokens[row, pos + 1]].log()
    return out


@log_probs.wrong("which the model was given")
def no_shift(logits, tokens):
    return by_gather(logits, tokens.roll(1, 1))


@log_probs.wrong("nothing is shifted")
def no_shift_all(logits, tokens):
    return logits.log_softmax(-1).gather(-1, tokens[..., None])[..., 0]


@log_probs.wrong("the wrong way: ")
def shifted_backwards(logits, tokens):
    return logits.log_softmax(-1)[:, 1:].gather(-1, tokens[:, :-1, None])[..., 0]


@log_probs.wrong("both are shifted")
def shifted_both(logits, tokens):
    return logits.log_softmax(-1)[:, 1:].gather(-1, tokens[:, 1:, None])[..., 0]


@log_probs.wrong("last position's answer is still there")
def rolled(logits, tokens):
    return logits.log_softmax(-1).gather(-1, tokens.roll(-1, 1)[..., None])[..., 0]


@log_probs.wrong("their logarithm is missing")
def probabilities(logits, tokens):
    return logits[:, :-1].softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]


@log_probs.wrong("log_softmax is missing")
def raw(logits, tokens):
    return logits[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


@log_probs.wrong("base 2")
def bits(logits, tokens):
    return by_gather(logits, tokens).exp().log2()


@log_probs.wrong("base 10")
def tens(logits, tokens):
    return by_gather(logits, tokens) / math.log(10)


@log_probs.wrong("over the positions; ")
def over_positions(logits, tokens):
    return logits.log_softmax(1)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


@log_probs.wrong("over the positions but the last")
def over_fewer_positions(logits, tokens):
    return logits[:, :-1].log_softmax(dim=1).gather(-1, tokens[:, 1:, None])[..., 0]


@log_probs.wrong("over the rows")
def over_rows(logits, tokens):
    return logits.log_softmax(0)[:, :-1].gather(-1, tokens[:, 1:, None])[..., 0]


@log_probs.wrong("the largest log-probability")
def largest(logits, tokens):
    return logits[:, :-1].log_softmax(-1).max(-1).values


@log_probs.wrong("sign is the wrong way round")
def losses(logits, tokens):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none")


@log_probs.wrong("the mean was taken")
def average(logits, tokens):
    return by_gather(logits, tokens).mean()


@log_probs.wrong("this is the cross-entropy")
def cross_entropy(logits, tokens):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())


@log_probs.wrong("too many.*keepdim|axis too many")
def axis_kept(logits, tokens):
    return logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])


@log_probs.wrong("pos-1 is missing|missing")
def summed_over_positions(logits, tokens):
    return by_gather(logits, tokens).sum(-1)


harvests = Bank(checks.harvest)


@harvests.right
def with_cache(model, tokens, hook_point):
    with torch.no_grad():
        _, cache = model.run_with_cache(tokens, names_filter=hook_point)
    return cache[hook_point].flatten(0, 1)


@harvests.right
@torch.inference_mode()
def with_whole_cache(model, tokens, hook_point):
    activations = model.run_with_cache(tokens)[1][hook_point]
    return activations.reshape(-1, activations.shape[-1])


@harvests.right
def with_hook(model, tokens, hook_point):
    found = []
    model.run_with_hooks(tokens, return_type=None, fwd_hooks=[(hook_point, lambda a, hook: found.append(a))])
    return torch.cat(list(found[0].detach()))


@harvests.right
def row_by_row(model, tokens, hook_point):
    rows = []
    for row in tokens:
        _, cache = model.run_with_cache(row[None], names_filter=lambda name: name == hook_point)
        rows.append(cache[hook_point][0].data)
    return torch.concat(rows, dim=0)


def taken(model, tokens, hook_point):
    with torch.no_grad():
        return model.run_with_cache(tokens)[1][hook_point]


@harvests.wrong('fixed to "blocks.0.hook_mlp_out"')
def fixed(model, tokens, hook_point):
    return taken(model, tokens, "blocks.0.hook_mlp_out").flatten(0, 1)


@harvests.wrong("at the end of the model")
def at_the_end(model, tokens, hook_point):
    return taken(model, tokens, "blocks.1.hook_resid_post").flatten(0, 1)


@harvests.wrong("in the other layer")
def other_layer(model, tokens, hook_point):
    layer = 1 - int(hook_point.split(".")[1])
    return taken(model, tokens, f"blocks.{layer}.{hook_point.split('.')[2]}").flatten(0, 1)


@harvests.wrong("these are the logits")
def logits(model, tokens, hook_point):
    with torch.no_grad():
        return model(tokens).flatten(0, 1)


@harvests.wrong("rows and positions are not joined")
def not_flattened(model, tokens, hook_point):
    return taken(model, tokens, hook_point)


@harvests.wrong("flattened the wrong way round")
def positions_first(model, tokens, hook_point):
    return torch.cat(list(taken(model, tokens, hook_point).transpose(0, 1)))


@harvests.wrong(r"joined \(flatten\(1\)\)")
def flattened_behind(model, tokens, hook_point):
    return taken(model, tokens, hook_point).flatten(1)


@harvests.wrong("mixed up")
def transposed(model, tokens, hook_point):
    a = taken(model, tokens, hook_point)
    return a.mT.reshape(-1, a.shape[-1])


@harvests.wrong("first position of each row is left out")
def without_bos(model, tokens, hook_point):
    return taken(model, tokens, hook_point)[:, 1:].flatten(0, 1)


@harvests.wrong("only the last position")
def last(model, tokens, hook_point):
    return taken(model, tokens, hook_point)[:, -1]


@harvests.wrong("mean over each row")
def averaged(model, tokens, hook_point):
    return taken(model, tokens, hook_point).mean(1)


@harvests.wrong("only row 0")
def one_row(model, tokens, hook_point):
    return taken(model, tokens, hook_point)[0]


@harvests.wrong("requires_grad is True(.|\n)*no_grad")
def with_graph(model, tokens, hook_point):
    found = []
    model.run_with_hooks(tokens, fwd_hooks=[(hook_point, lambda a, hook: found.append(a))])
    return found[0].flatten(0, 1)


@harvests.wrong("leaves 1 hook on the model")
def hook_left(model, tokens, hook_point):
    found = []
    model.add_hook(hook_point, lambda a, hook: found.append(a.detach()))
    model(tokens)
    return found[0].flatten(0, 1)


@harvests.wrong("NumPy array")
def as_numpy(model, tokens, hook_point):
    return taken(model, tokens, hook_point).flatten(0, 1).numpy()


@harvests.wrong("expected d_in|gives")
def normalised(model, tokens, hook_point):
    return F.normalize(taken(model, tokens, hook_point).flatten(0, 1), dim=-1)
