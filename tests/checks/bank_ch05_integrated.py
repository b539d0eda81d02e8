"""Bank for 5.7 integrated_gradients."""

import warnings

import torch
from bank import Bank

from sae_course.checks import ch05 as check

integrated = Bank(check.integrated_gradients)


def gradient(f, at):
    leaf = at.detach().clone().requires_grad_()
    return torch.autograd.grad(f(leaf), leaf)[0]


@integrated.right
def leaf_by_leaf(f, a, steps):
    total = 0
    for k in range(1, steps + 1):
        total = total + gradient(f, (k - 0.5) / steps * a)
    return a.detach() * total / steps


@integrated.right
def by_backward(f, a, steps):
    shares = (torch.arange(steps) + 0.5) / steps
    found = []
    for share in shares:
        leaf = (share * a).detach().requires_grad_(True)
        f(leaf).backward()
        found.append(leaf.grad)
    return a * torch.stack(found).mean(dim=0)


@integrated.right
def by_functional_transforms(f, a, steps):
    points = torch.linspace(0.5 / steps, 1 - 0.5 / steps, steps)[:, None] * a
    return torch.vmap(torch.func.grad(f))(points).mean(0) * a


@integrated.right
def all_at_once(f, a, steps):
    points = torch.outer((torch.arange(steps) + 0.5) / steps, a).detach().requires_grad_()
    (gradients,) = torch.autograd.grad(sum(f(point) for point in points), points)
    return gradients.mean(0).mul(a).detach()


@integrated.right
def by_jacobian(f, a, steps):
    parts = [torch.autograd.functional.jacobian(f, a * (2 * k + 1) / (2 * steps)) for k in range(steps)]
    return a * sum(parts) / len(parts)


@integrated.right
def one_leaf_reset(f, a, steps):
    leaf = torch.zeros_like(a, requires_grad=True)
    total = torch.zeros_like(a)
    for k in range(steps):
        leaf.data = a.detach() * (k + 0.5) / steps
        leaf.grad = None
        f(leaf).backward()
        total += leaf.grad
    return (a * total / steps).detach()


def points(name, message, shares):
    """Right but for the points."""

    def variant(f, a, steps):
        gradients = [gradient(f, share * a) for share in shares(steps)]
        return a.detach() * torch.stack(gradients).mean(0)

    variant.__name__ = name
    integrated.wrong(message)(variant)


points("ends", "at the end of each step", lambda n: [k / n for k in range(1, n + 1)])
points("beginnings", "at the beginning of each step", lambda n: [k / n for k in range(n)])
points("linspace", "n points from 0 to 1", lambda n: torch.linspace(0, 1, n))
points("linspace_and_one", r"n \+ 1 points from 0 to 1", lambda n: torch.linspace(0, 1, n + 1))
points("from_0_minus_half", "k begins at 0 here", lambda n: [(k - 0.5) / n for k in range(n)])
points("from_1_plus_half", "k begins at 1 here", lambda n: [(k + 0.5) / n for k in range(1, n + 1)])
points("at_a", "the gradient at a itself", lambda n: [1.0] * n)
points("half_way", "one gradient alone, half way", lambda n: [0.5])


@integrated.wrong("the trapezoidal rule")
def trapezoid(f, a, steps):
    gradients = torch.stack([gradient(f, k / steps * a) for k in range(steps + 1)])
    return a * torch.trapezoid(gradients, dx=1 / steps, dim=0)


def made_of(name, message, rule):
    """Something else made of a, the points and their gradients."""

    def variant(f, a, steps):
        at = torch.stack([(k + 0.5) / steps * a.detach() for k in range(steps)])
        return rule(a.detach(), at, torch.stack([gradient(f, point) for point in at]))

    variant.__name__ = name
    integrated.wrong(message)(variant)


made_of("not_multiplied", "is not multiplied by a", lambda a, at, gradients: gradients.mean(0))
made_of("summed", "the gradients are summed", lambda a, at, gradients: a * gradients.sum(0))
made_of("by_the_point", "once too often: either", lambda a, at, gradients: (at * gradients).mean(0))


@integrated.wrong("once too often: either")
def with_respect_to_a(f, a, steps):
    leaf = a.detach().clone().requires_grad_()
    total = sum(torch.autograd.grad(f((k + 0.5) / steps * leaf), leaf)[0] for k in range(steps))
    return a * total / steps


@integrated.wrong(r"backward\(\) adds to .grad. Take a new leaf")
def never_reset(f, a, steps):
    leaf = torch.zeros_like(a, requires_grad=True)
    total = torch.zeros_like(a)
    for k in range(steps):
        leaf.data = a.detach() * (k + 0.5) / steps
        f(leaf).backward()
        total += leaf.grad
    return (a * total / steps).detach()


@integrated.wrong(r"backward\(\) adds to .grad., and is taken with respect to a")
def never_reset_on_a(f, a, steps):
    leaf = a.detach().clone().requires_grad_()
    total = torch.zeros_like(a)
    for k in range(steps):
        f((k + 0.5) / steps * leaf).backward()
        total += leaf.grad
    return a * total / steps


@integrated.wrong("though a doesn't: every step's graph is kept")
def graph_kept(f, a, steps):
    leaves = [((k + 0.5) / steps * a).detach().requires_grad_() for k in range(steps)]
    gradients = [torch.autograd.grad(f(leaf), leaf, create_graph=True)[0] for leaf in leaves]
    return a * sum(gradients) / steps


@integrated.wrong("its input a requires a gradient")
def graph_from_a(f, a, steps):
    a.requires_grad_()
    return leaf_by_leaf(f, a, steps)


@integrated.wrong("f takes one vector")
def in_a_batch(f, a, steps):
    at = (((torch.arange(steps) + 0.5) / steps)[:, None] * a).detach().requires_grad_()
    return a * torch.autograd.grad(f(at).sum(), at)[0].mean(0)


@integrated.wrong("here a requires a gradient itself")
def grad_of_no_leaf(f, a, steps):
    total = torch.zeros_like(a)
    for k in range(steps):
        at = (k + 0.5) / steps * a
        at.requires_grad_()
        f(at).backward()
        with warnings.catch_warnings(action="ignore"):
            total += at.grad
    return a.detach() * total / steps


@integrated.wrong("changed its input a")
def in_place(f, a, steps):
    result = leaf_by_leaf(f, a, steps)
    with torch.no_grad():
        a *= (steps - 0.5) / steps
    return result
