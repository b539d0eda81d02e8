"""Checks of the toy world: 1.1 the features, 1.2 the toy model, 1.3 its activations."""

import math
from typing import Any

import torch
from torch import Tensor

from ..cases import Case
from ..compare import difference
from ..core import exercise
from ..trial import Function, Trial, name_of

BATCH = 3000  # enough samples to judge probabilities by
AXES = ("batch", "inst", "features")
EACH = {"batch": "sample", "inst": "instance", "features": "feature"}


@exercise("1.1", "sample_features", minutes=4, hints=2)
def sample_features(t: Trial, student: Function) -> None:
    """Independent features: absent, or uniform between 0 and 1; from the given generator alone."""
    for case in t.cases(4):
        p = case.number(0.15, 0.35) if case.label[5] != "4" else 1.0
        shape = (BATCH, *case.shape("inst features"))
        names = ("batch_size", "n_inst", "n_features")
        arguments = {**dict(zip(names, shape, strict=True)), "feature_probability": p}
        x = _draw(t, student, arguments, " ".join(AXES), shape)
        _judge(t, x, p, name_of(student), 0.0)


@exercise("1.2", "toy_forward", minutes=4, hints=1)
def toy_forward(t: Trial, student: Function) -> None:
    """h = W x and the reconstruction ReLU(Wᵀ h + b), each instance with its own W and b."""
    for case in t.cases(5):
        t.against(
            student,
            {
                "W": case.normal("inst d_hidden features", grad=True),
                "b": case.normal("inst features", grad=True),
                "x": case.normal("batch inst features"),
            },
            _toy,
            axes=("batch inst d_hidden", "batch inst features"),
            wrt=["W", "b"],
            mistakes={
                "the bias b is missing.": lambda W, b, x: _toy(W, 0 * b, x),
                "the bias b is subtracted; it is to be added.": lambda W, b, x: _toy(W, -b, x),
                "the ReLU is missing.": lambda W, b, x: _toy(W, b, x, relu=False),
                "the bias b is added after the ReLU; it belongs inside.": lambda W, b, x: (
                    _toy(W, 0 * b, x)[0],
                    _toy(W, 0 * b, x)[1] + b,
                ),
                "h went through a ReLU; only the reconstruction does.": lambda W, b, x: _toy(
                    W, b, x, hidden_relu=True
                ),
                "every instance used the W of instance 0.": lambda W, b, x: _toy(W[:1].expand_as(W), b, x),
                "every instance used the bias of instance 0.": lambda W, b, x: _toy(W, b[:1].expand_as(b), x),
                "the instances were mixed: summed over inst, where each has its own W and x.": _mixed,
            },
        )


@exercise("1.3", "make_batch", minutes=3, hints=1)
def make_batch(t: Trial, student: Function) -> None:
    """Fresh activations h = W x, without a gradient; features are recovered from h and judged as in 1.1."""
    sizes = [(5, 5), (7, 5), (3, 7), (7, 7)]  # d_hidden, features: all but the third can be inverted
    for case, (d_hidden, n_features) in zip(t.cases(len(sizes)), sizes, strict=True):
        p = case.number(0.15, 0.35)
        W = _directions(case, d_hidden, n_features)
        W.requires_grad_(d_hidden != n_features or d_hidden == 5)
        what = name_of(student)
        arguments = {"W": W, "batch_size": BATCH, "feature_probability": p}
        h = _draw(t, student, arguments, "batch inst d_hidden", (BATCH, W.shape[0], d_hidden))
        t.require(
            not h.requires_grad,
            f"{what} gives activations that are tracked for gradients; the model that makes them is frozen.",
            kind="gradient",
            likely="torch.no_grad() or .detach() is missing.",
        )
        if d_hidden >= n_features:
            _judge(t, _recovered(t, h, W.detach(), what), p, what, 1e-4)
        else:
            _judge_mean(t, h, W.detach(), p, what)


def _toy(
    W: Tensor, b: Tensor, x: Tensor, *, relu: bool = True, hidden_relu: bool = False
) -> tuple[Tensor, Tensor]:
    h = torch.einsum("bif,idf->bid", x, W)
    h = h.relu() if hidden_relu else h
    x_hat = torch.einsum("bid,idf->bif", h, W) + b
    return h, x_hat.relu() if relu else x_hat


def _mixed(W: Tensor, b: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    h = torch.einsum("bif,idf->bd", x, W)[:, None].expand(-1, W.shape[0], -1)
    return h, (torch.einsum("bid,idf->bif", h, W) + b).relu()


def _draw(
    t: Trial, student: Function, arguments: dict[str, Any], axes: str, shape: tuple[int, ...]
) -> Tensor:
    """The learner's result, once it is known that all its randomness comes from the generator."""
    what = name_of(student)
    seed = int(torch.randint(2**31, (), generator=t.generator))
    generator = torch.Generator(device=t.device).manual_seed(seed)
    untouched, elsewhere = generator.get_state(), torch.get_rng_state()
    first = t.call(student, {**arguments, "generator": generator})
    failure = difference(first, torch.zeros(shape, device=t.device), what, axes)
    if failure is not None and failure.kind != "values":
        raise failure
    t.require(
        not torch.equal(generator.get_state(), untouched),
        f"{what} took no random number from the generator that it was given.",
        kind="generator",
        likely="generator=generator is missing in torch.rand(...).",
    )
    missing = "generator=generator is missing in one of the draws."
    t.require(
        torch.equal(torch.get_rng_state(), elsewhere),
        f"{what} touched torch's global random numbers; all randomness is to come from the generator.",
        kind="generator",
        likely=missing,
    )
    second = t.call(student, {**arguments, "generator": generator})
    t.require(
        not torch.equal(first, second),
        f"{what}, called twice with the same generator, gives the same values; each call is to give "
        "fresh ones.",
        kind="generator",
        likely="the generator is seeded anew inside the function.",
    )
    again = t.call(student, {**arguments, "generator": torch.Generator(device=t.device).manual_seed(seed)})
    t.require(
        torch.allclose(first, again),
        f"{what} gives other values for a generator with the same seed, so a run could not be repeated.",
        kind="generator",
        likely=missing,
    )
    return first


def _judge(t: Trial, x: Tensor, p: float, what: str, tiny: float) -> None:
    """Require ``[batch inst features]`` to be such features; entries up to ``tiny`` count as absent."""
    x = x.detach().double()
    present = x.abs() > tiny
    t.require(
        float(x.min()) >= -tiny and float(x.max()) <= 1 + tiny,
        f"the magnitudes in {what} range from {float(x.min()):.3g} to {float(x.max()):.3g}; expected 0 to 1.",
        likely="torch.randn where torch.rand is wanted." if float(x.min()) < -tiny else "",
    )
    t.require(bool(present.any()), f"in {what} no feature is ever present, with probability {p:.3g}.")
    if p >= 1:  # a uniform draw is exactly 0 once in millions
        absent = int((~present).sum())
        t.require(
            absent <= max(5, 1e-3 * x.numel()),
            f"with probability 1, {what} leaves {absent} of {x.numel()} features absent.",
            likely="> where < is wanted: a uniform number is *below* p with probability p.",
        )
    else:
        t.require(
            float(present.double().mean()) < 0.999,
            f"in {what} no feature is ever absent, though each is present with probability {p:.3g} only.",
            likely="feature_probability is not used.",
        )
        _judge_presence(t, present, p, what)
    _judge_magnitudes(t, x, present, p, what)


def _judge_presence(t: Trial, present: Tensor, p: float, what: str) -> None:
    for axis, name in enumerate(AXES):
        t.require(
            not bool((present == present.narrow(axis, 0, 1)).all()),
            f"in {what} presence is shared: whatever is present for one {EACH[name]} is for "
            f"every {EACH[name]}.",
            likely=f"presence was drawn once for the whole {name} axis; draw it with the full shape.",
        )
    share = float(present.double().mean())
    guesses = {
        1 - p: "> where < is wanted: a uniform number is *below* p with probability p.",
        p * p: "presence is drawn twice, and both times it must be.",
        p / present.shape[2]: "the probability was divided by the number of features.",
    }
    closest = min(guesses, key=lambda guess: abs(guess - share))
    likely = guesses[closest] if abs(closest - share) < abs(p - share) / 4 else ""
    rate = f"the share of features present in {what}"
    t.rate(int(present.sum()), present.numel(), p, rate, likely=likely)
    for axis in (1, 2):
        half = present.shape[axis] // 2
        both = present.narrow(axis, 0, half) & present.narrow(axis, half, half)
        pairs = f"the share of pairs of {EACH[AXES[axis]]}s that are both present in {what}"
        likely = "presence is not drawn for each entry by itself."
        t.rate(int(both.sum()), both.numel(), p * p, pairs, likely=likely)


def _judge_magnitudes(t: Trial, x: Tensor, present: Tensor, p: float, what: str) -> None:
    values = x[present]
    t.require(
        float((values - 1).abs().max()) > 1e-3,
        f"in {what} every feature that is present has magnitude 1; expected uniform between 0 and 1.",
        likely="the presence was returned without the magnitude.",
    )
    for axis, name in enumerate(AXES):
        most = x.masked_fill(~present, -math.inf).amax(axis)
        least = x.masked_fill(~present, math.inf).amin(axis)
        several = present.sum(axis) > 1
        t.require(
            not bool(((most - least)[several] < 1e-3).all()),
            f"in {what} the magnitudes are shared: the same for every {EACH[name]}.",
            likely=f"the magnitude was drawn once for the whole {name} axis; draw it with the full shape.",
        )
    t.require(
        p >= 1 or (float(values.max()) > 1.01 * p and float(values.min()) < 0.99 * (1 - p)),
        f"in {what} the magnitudes range from {float(values.min()):.3g} to {float(values.max()):.3g} only; "
        "expected 0 to 1.",
        likely="one draw says both whether and how large; two independent draws are needed.",
    )
    t.mean(values, 0.5, math.sqrt(1 / 12), f"the magnitude of present features in {what}")
    t.mean(values**2, 1 / 3, math.sqrt(4 / 45), f"the squared magnitude of present features in {what}")


def _directions(case: Case, d_hidden: int, n_features: int) -> Tensor:
    """``[inst d_hidden features]``: orthogonal where there is room, of lengths from 0.6 to 1.5."""
    size = max(d_hidden, n_features)
    n_inst = case.size("inst")
    square = torch.linalg.qr(torch.randn(n_inst, size, size, generator=case.generator))[0]
    lengths = 0.6 + 0.9 * torch.rand(n_inst, 1, n_features, generator=case.generator)
    return (square[:, :d_hidden, :n_features] * lengths).contiguous().to(case.device)


def _recovered(t: Trial, h: Tensor, W: Tensor, what: str) -> Tensor:
    """The features that ``h`` was made from; fails, with the likely mistake, where there are none."""
    h, W = h.detach().double(), W.double()
    x = _solved(h, W)
    if x is not None:
        return x
    guesses = {
        "every instance used the W of instance 0.": W[:1].expand_as(W),
        "W's columns were brought to length 1.": W / W.norm(dim=1, keepdim=True),
    }
    if W.shape[1] == W.shape[2]:
        guesses["W is the wrong way round: h = W x sums over the features."] = W.transpose(1, 2)
        guesses["the features x were returned, not h = W x."] = torch.eye(W.shape[1]).expand_as(W).to(W)
    named = [sentence for sentence, guess in guesses.items() if _solved(h, guess) is not None]
    if float(h.min()) >= 0 and not named:
        named.append("a ReLU on h: only the reconstruction goes through one.")
    t.require(
        False,
        f"the activations of {what} can't be W x for any features x between 0 and 1.",
        kind="values",
        likely=named[0] if named else "",
    )
    return h


def _solved(h: Tensor, W: Tensor) -> Tensor | None:
    """x between 0 and 1 with W x = h, if there is one."""
    x = torch.einsum("bid,ifd->bif", h, torch.linalg.pinv(W))
    fits = torch.allclose(torch.einsum("bif,idf->bid", x, W), h, atol=1e-4)
    return x if fits and float(x.min()) > -1e-3 and float(x.max()) < 1 + 1e-3 else None


def _judge_mean(t: Trial, h: Tensor, W: Tensor, p: float, what: str) -> None:
    """The mean activation of every hidden neuron, where h can't be inverted."""
    W = W.double()
    for i in range(W.shape[0]):
        for d in range(W.shape[1]):
            sd = float((W[i, d] ** 2).sum().mul(p / 3 - p * p / 4).sqrt())
            t.mean(
                h[:, i, d], float(W[i, d].sum()) * p / 2, sd, f"hidden neuron {d} of instance {i} in {what}"
            )
