"""Bank for 6.2 probe_loss."""

import math

import torch
import torch.nn.functional as F
from bank import Bank

from sae_course.checks.ch06 import probe

losses = Bank(probe.probe_loss)


def logits_of(weight, bias, x):
    return torch.einsum("nd,dsc->nsc", x, weight) + bias


def classes_of(board):
    return board.long() % 3


def right_of(values, board):
    return values.gather(-1, classes_of(board)[..., None]).squeeze(-1)


def chances(weight, bias, x):
    return logits_of(weight, bias, x).softmax(-1)


@losses.right
def as_in_the_chapter(weight, bias, x, board):
    logits = torch.einsum("nd,dsc->nsc", x, weight) + bias
    return F.cross_entropy(logits.flatten(0, 1), (board.long() % 3).flatten())


@losses.right
def classes_along_axis_one(weight, bias, x, board):
    classes = board.long()
    classes[classes == -1] = 2
    logits = (x @ weight.flatten(1) + bias.flatten()).view(*board.shape, 3)
    return F.cross_entropy(logits.transpose(1, 2), classes)


@losses.right
def with_log_softmax_and_gather(weight, bias, x, board):
    log_p = logits_of(weight, bias, x).log_softmax(-1)
    return -right_of(log_p, board).mean(1).mean()


@losses.right
def with_masks(weight, bias, x, board):
    p = chances(weight, bias, x)
    right = p[..., 0] * (board == 0) + p[..., 1] * (board > 0) + p[..., 2] * (board < 0)
    return -right.log().mean()


@losses.right
def with_a_one_hot(weight, bias, x, board):
    right = torch.stack([board == 0, board == 1, board == -1], dim=-1)
    log_p = (logits_of(weight, bias, x)).log_softmax(dim=2)
    return -(right * log_p).sum() / board.numel()


@losses.right
def in_a_loop(weight, bias, x, board):
    table = torch.tensor([0, 1, 2])  # −1 is its last entry
    found = []
    for square in range(weight.shape[1]):
        logits = x @ weight[:, square] + bias[square]
        found.append(F.cross_entropy(logits, table[board[:, square].long()]))
    return sum(found) / len(found)


@losses.right
def softmax_that_changes_nothing(weight, bias, x, board):
    log_p = logits_of(weight, bias, x).log_softmax(-1).permute(0, 2, 1)
    return F.cross_entropy(log_p, torch.where(board == -1, 2, board).long())


@losses.right
def in_double_precision(weight, bias, x, board):
    logits = logits_of(weight.double(), bias.double(), x.double())
    return F.nll_loss(F.log_softmax(logits, dim=-1).transpose(1, 2), board.long().remainder(3))


@losses.right
def with_a_view_that_keeps_all_apart(weight, bias, x, board):
    logits = torch.tensordot(x, weight, dims=1).add(bias)
    return (
        F.cross_entropy(logits.reshape(-1, 3), classes_of(board).reshape(-1), reduction="sum") / board.numel()
    )


@losses.wrong("summed over tokens and squares; average over both")
def sum_over_everything(weight, bias, x, board):
    return F.cross_entropy(
        logits_of(weight, bias, x).flatten(0, 1), classes_of(board).flatten(), reduction="sum"
    )


@losses.wrong("summed over squares")
def sum_over_squares(weight, bias, x, board):
    entries = F.cross_entropy(logits_of(weight, bias, x).mT, classes_of(board), reduction="none")
    return entries.sum(dim=1).mean()


@losses.wrong("summed over tokens; average")
def sum_over_tokens(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).mT, classes_of(board), reduction="sum") / board.shape[1]


@losses.wrong("averaged over the three classes, too")
def mean_over_classes(weight, bias, x, board):
    return -(F.one_hot(classes_of(board), 3) * logits_of(weight, bias, x).log_softmax(-1)).mean()


@losses.wrong("the sign is turned")
def no_minus(weight, bias, x, board):
    return right_of(logits_of(weight, bias, x).log_softmax(-1), board).mean()


@losses.wrong(r"mine and theirs are swapped: \+1 is class 1")
def swapped(weight, bias, x, board):
    classes = torch.where(board == 1, 2, torch.where(board == -1, 1, 0))
    return F.cross_entropy(logits_of(weight, bias, x).flatten(0, 1), classes.flatten())


@losses.wrong(r"the classes are board \+ 1")
def board_plus_one(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).flatten(0, 1), (board.long() + 1).flatten())


@losses.wrong("theirs counts as mine here")
def theirs_is_mine(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).flatten(0, 1), board.abs().long().flatten())


@losses.wrong("theirs counts as empty here")
def as_bytes(weight, bias, x, board):
    classes = (board.to(torch.uint8) % 3).long()
    return F.cross_entropy(logits_of(weight, bias, x).flatten(0, 1), classes.flatten())


@losses.wrong("the bias is missing")
def no_bias(weight, bias, x, board):
    return F.cross_entropy(torch.einsum("nd,dsc->nsc", x, weight).flatten(0, 1), classes_of(board).flatten())


@losses.wrong("the softmax was taken over squares; it goes")
def softmax_over_squares(weight, bias, x, board):
    return -right_of(logits_of(weight, bias, x).log_softmax(dim=1), board).mean()


@losses.wrong("the softmax was taken over tokens")
def softmax_over_tokens(weight, bias, x, board):
    return -right_of(logits_of(weight, bias, x).softmax(0).log(), board).mean()


@losses.wrong("the softmax was taken over squares and classes together")
def softmax_over_both(weight, bias, x, board):
    log_p = logits_of(weight, bias, x).flatten(1).log_softmax(-1).view(*board.shape, 3)
    return -right_of(log_p, board).mean()


@losses.wrong("softmax was taken twice")
def softmax_twice(weight, bias, x, board):
    return F.cross_entropy(chances(weight, bias, x).flatten(0, 1), classes_of(board).flatten())


@losses.wrong("there is no softmax: nll_loss needs")
def nll_of_logits(weight, bias, x, board):
    return F.nll_loss(logits_of(weight, bias, x).flatten(0, 1), classes_of(board).flatten())


@losses.wrong("the logarithm is missing")
def no_logarithm(weight, bias, x, board):
    return F.nll_loss(chances(weight, bias, x).flatten(0, 1), classes_of(board).flatten())


@losses.wrong("1 minus the probability of the right class")
def one_minus_p(weight, bias, x, board):
    return (1 - right_of(chances(weight, bias, x), board)).mean()


@losses.wrong("the logarithm of the mean probability")
def log_of_the_mean(weight, bias, x, board):
    return -right_of(chances(weight, bias, x), board).mean().log()


@losses.wrong("mean squared error of the probabilities")
def squared_error(weight, bias, x, board):
    return (chances(weight, bias, x) - F.one_hot(classes_of(board), 3)).square().mean()


@losses.wrong("mean squared error of the logits")
def squared_error_of_logits(weight, bias, x, board):
    return (logits_of(weight, bias, x) - F.one_hot(classes_of(board), 3)).pow(2).mean()


@losses.wrong("each class is judged by itself")
def binary(weight, bias, x, board):
    p = logits_of(weight, bias, x).sigmoid()
    return F.binary_cross_entropy(p, F.one_hot(classes_of(board), 3).float())


@losses.wrong("empty squares are left out")
def occupied_only(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).mT, classes_of(board), ignore_index=0)


@losses.wrong("reshape mixes squares and classes")
def reshaped(weight, bias, x, board):
    logits = logits_of(weight, bias, x).reshape(len(x), 3, -1)
    return F.cross_entropy(logits, classes_of(board))


@losses.wrong("logits and classes no longer belong together")
def other_order(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).flatten(0, 1), classes_of(board).T.flatten())


@losses.wrong("no gradient flows back to weight")
def weight_detached(weight, bias, x, board):
    return as_in_the_chapter(weight.detach(), bias, x, board)


@losses.wrong("no gradient flows back to bias")
def bias_data(weight, bias, x, board):
    return as_in_the_chapter(weight, bias.data, x, board)


@losses.wrong("cut off from the parameters")
def without_gradients(weight, bias, x, board):
    with torch.no_grad():
        return as_in_the_chapter(weight, bias, x, board)


@losses.wrong("cut off from the parameters")
def made_anew(weight, bias, x, board):
    return torch.tensor(as_in_the_chapter(weight, bias, x, board).item())


@losses.wrong(r"with respect to weight, its gradient gives[^|]*cut off from some of the logits")
def half_detached(weight, bias, x, board):
    logits = logits_of(weight, bias, x)
    return logits.detach().logsumexp(-1).mean() - right_of(logits, board).mean()


@losses.wrong(r"a Python float; expected a tensor[^|]*leave out \.item")
def as_a_number(weight, bias, x, board):
    return as_in_the_chapter(weight, bias, x, board).item()


@losses.wrong(r"has shape \(\d+, \d+\)[^|]*a single number is wanted")
def not_averaged(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).mT, classes_of(board), reduction="none")


@losses.wrong(r"gives [\d.]+; expected [\d.]+\.\n")
def perplexity(weight, bias, x, board):
    return as_in_the_chapter(weight, bias, x, board).exp()


@losses.wrong("this is in bits")
def in_bits(weight, bias, x, board):
    return as_in_the_chapter(weight, bias, x, board) / math.log(2)


@losses.wrong("changed its input board")
def in_place(weight, bias, x, board):
    board[board == -1] = 2
    return F.cross_entropy(logits_of(weight, bias, x).mT, board.long())


@losses.wrong("−1 is no class: theirs has to become 2")
def no_classes(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).mT, board.long())


@losses.wrong("−1 is no class: theirs has to become 2")
def one_hot_of_boards(weight, bias, x, board):
    return -(F.one_hot(board.long(), 3) * logits_of(weight, bias, x).log_softmax(-1)).sum(-1).mean()


@losses.wrong("−1 is no class: theirs has to become 2")
def gathered_at_minus_one(weight, bias, x, board):
    return -logits_of(weight, bias, x).log_softmax(-1).gather(-1, board.long()[..., None]).mean()


@losses.wrong(r"classes as int64: board\.long")
def small_numbers(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).flatten(0, 1), (board % 3).flatten())


@losses.wrong(r"classes as int64: board\.long")
def one_hot_of_small_numbers(weight, bias, x, board):
    return -(F.one_hot(board % 3, 3) * logits_of(weight, bias, x).log_softmax(-1)).sum(-1).mean()


@losses.wrong("flatten tokens and squares together in both")
def classes_at_the_end(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x), classes_of(board))


@losses.wrong("flatten tokens and squares together in both")
def only_logits_flattened(weight, bias, x, board):
    return F.cross_entropy(logits_of(weight, bias, x).flatten(0, 1), classes_of(board))


@losses.wrong("the product takes the wrong axes")
def matrix_product(weight, bias, x, board):
    return F.cross_entropy((x @ weight + bias).flatten(0, 1), classes_of(board).flatten())


@losses.wrong("boards of this case don't have 64 squares")
def sixty_four(weight, bias, x, board):
    logits = (x @ weight.flatten(1)).reshape(-1, 64, 3) + bias
    return F.cross_entropy(logits.flatten(0, 1), classes_of(board).flatten())
