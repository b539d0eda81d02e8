"""Checks of part 4: replacing dead latents, directions by squared loss, and an auxiliary loss."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..cases import Case, fresh
from ..chance import binomial_bounds
from ..core import exercise
from ..failure import CheckFailed
from ..trial import Trial
from . import reference
from .reference import PARAMETERS, Output, Parameters

MOMENTS = ("exp_avg", "exp_avg_sq")


def _trained(case: Case, steps: int) -> tuple[Parameters, torch.optim.Adam]:
    """An SAE, and an Adam that remembers ``steps`` steps."""
    sae = reference.random_sae(case)
    optimiser = torch.optim.Adam(sae.parameters(), lr=0.01)
    for _ in range(steps):
        for name, axes in PARAMETERS.items():
            sae.get_parameter(name).grad = case.normal(axes)
        optimiser.step()
    return sae, optimiser


def _encoders(
    sae: Parameters, dead: Tensor, directions: Tensor, scale: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """The right W_enc, and what likely mistakes make of it."""
    old = sae.W_enc.detach()
    norms = old.norm(dim=1)
    live = [norms[i][~dead[i]] for i in range(len(dead))]
    own = torch.stack([x.mean() if len(x) else norms.new_ones(()) for x in live])[:, None]
    transposed = directions.transpose(1, 2)

    def put(length: Any, where: Tensor = dead, new: Tensor = transposed) -> Tensor:
        length = torch.as_tensor(length, device=old.device).expand(dead.shape)
        return torch.where(where[:, None], length[:, None] * new, old)

    everywhere = torch.cat(live).mean()
    mistakes = {
        "the encoder is not replaced.": old,
        "`scale` is not used: the encoder's length is scale × the mean norm of the live ones.": put(own),
        "the encoder has length `scale`; multiply by the mean norm of the instance's live encoders.": put(
            scale
        ),
        "the encoder is left at length 1; it is scale × the mean norm of the instance's live encoders.": put(
            1.0
        ),
        "the mean norm is taken over all latents, the dead too: over the live ones only.": put(
            scale * norms.mean(dim=1, keepdim=True)
        ),
        "the mean norm is taken over all instances: each instance has its own.": put(scale * everywhere),
        "the mean norm is taken over the dead latents: over the live ones.": put(
            scale * torch.where(dead, norms, torch.nan).nanmean(1, keepdim=True)
        ),
        "live latents' encoders are replaced too.": put(scale * own, torch.ones_like(dead)),
        "W_enc is [inst d_in d_sae]: its columns are the latents, so swap the axes with transpose, not "
        "reshape or view.": put(scale * own, new=directions.reshape(transposed.shape)),
        "the norms are taken along the wrong axis: a latent's encoder vector is a column, dim=1.": put(
            scale * _row_norm(old, dead)
        ),
    }
    return put(scale * own), mistakes


def _row_norm(W_enc: Tensor, dead: Tensor) -> Tensor:
    return W_enc.norm(dim=2).mean(dim=1, keepdim=True).expand(dead.shape)


def _expected(
    sae: Parameters, dead: Tensor, directions: Tensor, scale: float
) -> dict[str, tuple[Tensor, dict[str, Tensor]]]:
    """Each parameter's right value afterwards, and the likely mistakes'."""
    b_enc, W_dec = sae.b_enc.detach(), sae.W_dec.detach()
    return {
        "W_dec": (
            torch.where(dead[..., None], directions, W_dec),
            {
                "the decoder is not replaced.": W_dec,
                "live latents' decoders are replaced too: only where `dead` is True.": directions,
                "live latents are replaced and dead ones kept: the mask is the wrong way round.": torch.where(
                    dead[..., None], W_dec, directions
                ),
                "`scale` is for the encoder; the decoder's vector has length 1.": torch.where(
                    dead[..., None], scale * directions, W_dec
                ),
            },
        ),
        "W_enc": _encoders(sae, dead, directions, scale),
        "b_enc": (
            b_enc.masked_fill(dead, 0),
            {
                "the encoder's bias is not set to 0 for dead latents.": b_enc,
                "the encoder's bias is set to 0 for live latents too.": torch.zeros_like(b_enc),
            },
        ),
        "b_dec": (
            sae.b_dec.detach(),
            {"b_dec belongs to no latent: leave it alone.": torch.zeros_like(sae.b_dec)},
        ),
    }


def _compare_moments(
    t: Trial, before: Any, after: Any, masks: dict[str, Tensor], mine: dict[str, Any]
) -> None:
    """Adam's state: zero at the dead latents' places, as it was elsewhere."""
    for name in PARAMETERS:
        old = before["optimiser"].state[getattr(before["sae"], name)]
        new = after.state.get(mine[name], {})
        for key in MOMENTS:
            t.require(
                key in new,
                f"after replace_latents the optimiser has no {key} for {name} any more.",
                likely=(
                    "the whole state was thrown away; set it to 0 where a latent is dead, and nowhere else."
                ),
            )
            mask = masks.get(name)
            right = old[key] if mask is None else old[key].masked_fill(mask, 0)
            zero = torch.zeros_like(old[key])
            t.close(
                new[key],
                right,
                f"after replace_latents, Adam's {key} of {name}",
                axes=PARAMETERS[name],
                mistakes={
                    f"Adam's memory is not erased: {key} of {name} must become 0 where "
                    f"a latent is dead.": old[key],
                    f"all of Adam's {key} of {name} is erased; live latents and b_dec keep theirs.": zero,
                },
            )
        t.require(
            float(new["step"]) == float(old["step"]),
            f"after replace_latents, Adam's step count of {name} is {float(new['step']):g}; it was "
            f"{float(old['step']):g}.",
            likely="it is shared by all latents, so leave it alone: erase exp_avg and exp_avg_sq only.",
        )


@exercise("1.12", "replace_latents", minutes=8, hints=3)
def replace_latents(t: Trial, student: Any) -> None:
    """The dead latents' parameters and Adam's moments, in place; all else as it was.

    Cases: an instance with no live latent and one with no dead latent; before the first step of Adam.
    """
    for i, case in enumerate(t.cases(5, inst=5, d_sae=7)):
        sae, optimiser = _trained(case, steps=0 if i == 4 else 3)
        dead = case.mask("inst d_sae", 0.4)
        dead[:, 0], dead[:, 1] = True, False
        if i >= 2:
            dead[1], dead[2] = True, False
        before: dict[str, Any] = {
            "sae": sae,
            "optimiser": optimiser,
            "dead": dead,
            "directions": case.unit("inst d_sae d_in", along="d_in"),
            "scale": case.number(0.2, 0.7),
        }
        after = fresh(before)
        mine = {name: getattr(after["sae"], name) for name in PARAMETERS}
        try:
            t.call(student, after, may_change=["sae", "optimiser"])
        except CheckFailed as failure:
            if "KeyError" in failure.problem:
                failure.likely = (
                    "before its first step Adam has no exp_avg and exp_avg_sq yet: look "
                    "whether they are there."
                )
            raise
        expected = _expected(sae, dead, before["directions"], before["scale"])
        for name, (right, mistakes) in expected.items():
            now = getattr(after["sae"], name)
            t.require(
                now is mine[name],
                f"sae.{name} is another object now: the optimiser still holds the old "
                f"one, and would train that.",
                likely=(
                    "a new nn.Parameter was made; change the old one in place, as in sae.W_dec.copy_(...)."
                ),
            )
            t.require(
                now.requires_grad and now.is_leaf,
                f"after replace_latents sae.{name} is no trainable parameter any more.",
                likely="requires_grad was changed; @torch.no_grad() above the function is enough.",
            )
            if name == "W_enc":
                none_live = dead.all(dim=1)
                t.require(
                    torch.isfinite(now[none_live]).all(),
                    "sae.W_enc is NaN or infinite in an instance whose latents are all dead.",
                    likely=(
                        "the mean over no live latents is 0/0; there the encoder's length is `scale` itself."
                    ),
                )
            what = f"after replace_latents, sae.{name}"
            t.close(now, right, what, axes=PARAMETERS[name], mistakes=mistakes)
        masks = {"W_dec": dead[..., None], "W_enc": dead[:, None], "b_enc": dead}
        if i != 4:
            _compare_moments(t, before, after["optimiser"], masks, mine)


DRAWS = 2003
_POWERS = {
    0.0: "every sample is equally likely; the probability is proportional to the squared loss.",
    0.5: "the probability is proportional to the root of the loss, a distance; it must be the loss squared.",
    1.0: "the probability is proportional to the loss; it must be the loss squared: loss.pow(2).",
    4.0: "the loss is squared once too often: loss.pow(2), where the loss is the summed squared error.",
    -2.0: "samples with a small loss are preferred, not those with a large one.",
}


def _tables(sae: Parameters, h: Tensor, out: Output) -> dict[str, Tensor]:
    """What the drawn vectors may be: likely mistake -> candidates ``[batch inst d_in]``; '' is right."""
    centred = h - sae.b_dec.detach()
    to_reconstruction = out.reconstruction - sae.b_dec.detach()

    def unit(x: Tensor) -> Tensor:
        return x / x.norm(dim=-1, keepdim=True).clamp(min=1e-8)

    return {
        "": unit(centred),
        "the directions are not normalised: each must have length 1.": centred,
        "the directions are measured from the origin; measure them from b_dec: h - b_dec.": unit(h),
        "the inputs themselves, neither centred by b_dec nor normalised.": h,
        "these are directions of reconstructions; take those of the inputs, h - b_dec.": unit(
            to_reconstruction
        ),
        "these are directions of reconstructions; take those of the inputs.": unit(out.reconstruction),
        "these are directions of the error h - ĥ; take those of the inputs, h - b_dec.": unit(
            h - out.reconstruction
        ),
        "the directions point the opposite way: h - b_dec, not b_dec - h.": -unit(centred),
        "b_dec is added; it must be subtracted: h - b_dec.": unit(h + sae.b_dec.detach()),
    }


def _drawn(directions: Tensor, candidates: Tensor) -> Tensor:
    """Which sample of its own instance each latent got ``[inst d_sae]``; -1 if none."""
    gap = (directions[:, :, None] - candidates.transpose(0, 1)[:, None]).abs().amax(-1)
    return torch.where(gap.amin(-1) < 1e-4 * candidates.abs().max(), gap.argmin(-1), -1)


def _require_own_samples(t: Trial, directions: Tensor, sae: Parameters, h: Tensor, out: Output) -> Tensor:
    """The drawn samples; raises when a direction is none of them."""
    tables = _tables(sae, h, out)
    drawn = _drawn(directions, tables[""])
    if bool((drawn >= 0).all()):
        return drawn
    t.require(
        torch.isfinite(directions).all(),
        "directions_by_loss gives NaN or infinite values.",
        likely="a division by zero: an instance without any loss, or a vector of zeros.",
    )
    guess = next((name for name, table in tables.items() if bool((_drawn(directions, table) >= 0).all())), "")
    if not guess:
        stray = [_tables(sae, torch.roll(h, i, dims=1), out)[""] for i in range(h.shape[1])]
        if bool((torch.stack([_drawn(directions, table) for table in stray]).amax(0) >= 0).all()):
            guess = "samples of other instances are used: index h with the instance too, h[drawn, instance]."
    missing = int((drawn < 0).sum())
    raise CheckFailed(
        f"{missing} of {drawn.numel()} directions are not the unit vector of h - b_dec "
        f"of any sample of their instance.",
        kind="directions",
        likely=guess,
    )


def _likely_power(counts: Tensor, loss: Tensor) -> str:
    """Which other rule explains the counts ``[inst batch]`` best."""
    scores = {}
    rules = {sentence: (loss + 1e-9).pow(power) for power, sentence in _POWERS.items()}
    rules[""] = loss.pow(2) + 1e-9
    rules["the losses of instance 0 are used for all: each instance draws by its own."] = rules[""][
        :1
    ].expand_as(loss)
    rules["the losses are mixed over the instances: each instance draws by its own."] = (
        loss.sum(0, keepdim=True).pow(2).expand_as(loss)
    )
    for sentence, weight in rules.items():
        scores[sentence] = float((counts * (weight / weight.sum(1, keepdim=True) + 1e-9).log()).sum())
    return max(scores, key=lambda sentence: scores[sentence])


def _require_rates(t: Trial, drawn: Tensor, loss: Tensor) -> None:
    """Each sample drawn as often as its squared loss says; ``loss`` is ``[inst batch]``."""
    counts = torch.stack([(drawn == b).sum(1) for b in range(loss.shape[1])], dim=1).cpu()
    loss = loss.cpu().double()
    weight = loss.pow(2)
    weight = torch.where(weight.sum(1, keepdim=True) > 0, weight, 1.0)
    probability = weight / weight.sum(1, keepdim=True)
    for i in range(len(loss)):
        for b in range(loss.shape[1]):
            least, most = binomial_bounds(DRAWS, float(probability[i, b]))
            if not least <= int(counts[i, b]) <= most:
                likely = _likely_power(counts, loss)
                what = f"how often sample {b} of instance {i} is drawn"
                t.rate(int(counts[i, b]), DRAWS, float(probability[i, b]), what, likely=likely)


@exercise("1.13", "directions_by_loss", minutes=6, hints=2)
def directions_by_loss(t: Trial, student: Any) -> None:
    """Unit vectors of h - b_dec of samples of the own instance, drawn by squared loss with the generator.

    2003 latents draw from 7 samples, so that wrong probabilities show; the last case has an instance
    without any loss.
    """
    for i, case in enumerate(t.cases(4, inst=3, batch=7, d_in=5, d_sae=DRAWS)):
        sae = reference.random_sae(case)
        h = case.normal("batch inst d_in")
        order = torch.stack([torch.randperm(7, generator=case.generator) for _ in range(3)], dim=1).to(
            t.device
        )
        size = torch.tensor([0.0, 1.0, 1.2, 1.4, 1.6, 1.8, 2.2], device=t.device)[order]
        reconstruction = h - size[..., None].sqrt() * case.unit("batch inst d_in", along="d_in")
        if i == 3:
            reconstruction[:, 1] = h[:, 1]
        pre = case.normal("batch inst d_sae")
        out = Output(pre, pre.relu(), reconstruction)
        seed = int(torch.randint(2**31, (), generator=case.generator))

        def draw(seed: int, sae: Any = sae, h: Tensor = h, out: Output = out) -> tuple[Tensor, bool]:
            stream = torch.Generator(t.device).manual_seed(seed)
            state = stream.get_state()
            result = t.call(student, {"sae": sae, "h": h, "out": out, "generator": stream})
            return result, not torch.equal(state, stream.get_state())

        try:
            directions, used = draw(seed)
        except CheckFailed as failure:
            if i == 3 and failure.kind == "raised":
                failure.likely = (
                    "an instance without any loss: all weights are 0 there; make every sample equally likely."
                )
            raise
        t.close(fresh(directions), _shaped(directions, case), "directions_by_loss", axes="inst d_sae d_in")
        if i == 3:
            t.require(
                torch.isfinite(directions).all(),
                "directions_by_loss gives NaN where an instance has no loss at all.",
                likely=(
                    "0/0: the losses are divided by their sum, which is 0; there every "
                    "sample is equally likely."
                ),
            )
        drawn = _require_own_samples(t, directions, sae, h, out)
        t.require(
            (drawn != drawn[:, :1]).any(1).all(),
            "every latent of an instance gets the same sample.",
            likely="the worst sample was taken for all, or one draw; draw once for each latent.",
        )
        t.require(
            used and torch.equal(directions, draw(seed)[0]),
            "the same generator, set to the same seed, gives other directions.",
            likely="generator=generator is missing: the draw uses PyTorch's global random numbers.",
        )
        t.require(
            not torch.equal(directions, draw(seed + 1)[0]),
            "another seed of the generator gives the same directions.",
            likely="nothing is drawn at random, or the seed is set inside the function.",
        )
        _require_rates(t, drawn, (h - out.reconstruction).pow(2).sum(-1).T)


def _shaped(directions: Any, case: Case) -> Any:
    """The result itself if its type, shape and dtype are right, so that only these are compared."""
    zeros = torch.zeros(case.shape("inst d_sae d_in"), device=case.device)
    same = (
        isinstance(directions, Tensor) and directions.shape == zeros.shape and directions.dtype == zeros.dtype
    )
    return (
        directions.detach().nan_to_num()
        if same and bool(torch.isfinite(directions).all())
        else (directions.detach() if same else zeros)
    )


Auxiliary = Callable[[Parameters, Tensor, Tensor], Tensor]


def _auxiliary(
    *,
    detach: bool = True,
    relu: bool = False,
    hide_live: bool = True,
    all_dead: bool = False,
    for_batch: bool = False,
    largest: bool = False,
    normalise: bool = True,
    bias: bool = False,
    detach_pre: bool = False,
    target: Callable[[Tensor, Tensor], Tensor] = lambda h, reconstruction: h - reconstruction,
    reduce: Callable[[Tensor], Tensor] = lambda e: e.pow(2).mean(dim=(0, 2)),
    empty: bool = True,
) -> Auxiliary:
    """The auxiliary loss, with one thing changed."""

    def run(sae: Parameters, h: Tensor, dead: Tensor) -> Tensor:
        out = reference.forward(sae, h)
        residual = target(h, out.reconstruction)
        residual = residual.detach() if detach else residual
        pre = out.pre_activations.relu() if relu else out.pre_activations
        pre = pre.detach() if detach_pre else pre
        allowed = dead if hide_live else torch.ones_like(dead)
        rank = (pre.abs() if largest else pre).detach().masked_fill(~allowed, -torch.inf)
        if for_batch:
            rank = rank.mean(0, keepdim=True).expand_as(rank)
        chosen = torch.zeros_like(rank, dtype=torch.bool).scatter(-1, rank.argmax(-1, keepdim=True), True)
        chosen = (allowed.expand_as(chosen) if all_dead else chosen) & allowed
        W_dec = reference.unit(sae.W_dec) if normalise else sae.W_dec
        explained = torch.einsum("bik,ikd->bid", torch.where(chosen, pre, 0.0), W_dec)
        error = reduce(residual - explained - (sae.b_dec if bias else 0.0))
        return torch.where(dead.any(-1), error, 0.0) if empty else error

    return run


AUXILIARY_MISTAKES: dict[str, Auxiliary] = {
    "the residual is not detached: it is a target, so (h - out.reconstruction).detach().": _auxiliary(
        detach=False
    ),
    "the activations after the ReLU are used: take out.pre_activations, which have a "
    "gradient below 0.": _auxiliary(relu=True),
    "live latents take part: only where `dead` is True.": _auxiliary(hide_live=False),
    "all dead latents take part: only the strongest of each sample does.": _auxiliary(all_dead=True),
    "one latent is chosen for the whole batch: each sample has its own strongest "
    "(argmax over the last axis).": (_auxiliary(for_batch=True)),
    "the latent with the largest absolute value is taken; the strongest is the "
    "largest, sign included.": _auxiliary(largest=True),
    "this looks like W_dec without normalising: use unit_decoder(sae.W_dec).": _auxiliary(normalise=False),
    "b_dec is added: the residual is explained without a bias.": _auxiliary(bias=True),
    "the pre-activations are detached: no gradient reaches the dead latents' encoders.": _auxiliary(
        detach_pre=True
    ),
    "the target is h; it is what the live latents left over, h - out.reconstruction.": _auxiliary(
        target=lambda h, reconstruction: h
    ),
    "the residual's sign is wrong: h - out.reconstruction.": _auxiliary(
        target=lambda h, reconstruction: reconstruction - h
    ),
    "the error is summed over d_in, not averaged.": _auxiliary(reduce=lambda e: e.pow(2).sum(-1).mean(0)),
    "the error is summed over the batch, not averaged.": _auxiliary(
        reduce=lambda e: e.pow(2).mean(-1).sum(0)
    ),
    "an instance without dead latents has a loss; it must be 0 there.": _auxiliary(empty=False),
}


def _own_forward(student: Any, spoiled: list[str]) -> Any:
    """The learner's function with the forward pass before it, so that gradients reach the parameters."""
    if not callable(student):
        return student

    def auxiliary_loss(sae: Parameters, h: Tensor, dead: Tensor) -> Any:
        out = reference.forward(sae, h)
        before = [x.detach().clone() for x in out]
        result = student(sae, h, out, dead)
        pairs = zip(out._fields, out, before, strict=True)
        spoiled.extend(name for name, now, old in pairs if not torch.equal(now, old))
        return result

    return auxiliary_loss


@exercise("1.14", "auxiliary_loss", minutes=8, hints=2)
def auxiliary_loss(t: Trial, student: Any) -> None:
    """Values and gradients; an instance without dead latents gives 0, and a batch without any, too."""
    spoiled: list[str] = []
    mine = _own_forward(student, spoiled)
    wrt = [f"sae.{name}" for name in PARAMETERS]
    for i, case in enumerate(t.cases(5, inst=5, d_sae=11)):
        dead = case.mask("inst d_sae", 0.5)
        dead[:, :3], dead[:, 3] = True, False
        if i >= 1:
            dead[1], dead[2] = False, True
        sae = reference.random_sae(case)
        if i == 4:
            dead[:] = False
        arguments = {"sae": sae, "h": case.normal("batch inst d_in"), "dead": dead}
        right = _auxiliary()
        if i == 4:  # a zero without a graph is as good
            t.against(mine, arguments, torch.zeros(5, device=t.device), axes="inst")
        else:
            t.against(mine, arguments, right, axes="inst", wrt=wrt, mistakes=AUXILIARY_MISTAKES)
        t.require(
            not spoiled,
            f"auxiliary_loss changed out.{spoiled[0] if spoiled else ''}, which its caller still needs.",
            likely="an in-place operation (out.pre_activations[...] = ..., masked_fill_); use masked_fill or "
            "torch.where, which make a new tensor.",
            kind="changed input",
        )
