"""Bank for 6.3 as_classifier."""

from typing import NamedTuple

import numpy as np
import torch
from bank import Bank

from sae_course.checks.ch06 import classifier

classifiers = Bank(classifier.as_classifier)


class Classifier(NamedTuple):
    """As in the chapter."""

    precision: torch.Tensor
    recall: torch.Tensor
    f1: torch.Tensor


class Counts(NamedTuple):
    """What the variants are made of."""

    hits: torch.Tensor
    fired: torch.Tensor
    true: torch.Tensor
    n: int


def counts_of(latent, truth, thresholds):
    fires, true = (latent > thresholds[:, None]).float(), truth.float()
    return Counts(fires @ true, fires.sum(1, keepdim=True), true.sum(0), len(latent))


def scores(counts):
    hits, fired, true, _ = counts
    return Classifier(hits / fired.clamp(min=1), hits / true, 2 * hits / (fired + true))


def right(latent, truth, thresholds):
    return scores(counts_of(latent, truth, thresholds))


@classifiers.right
def as_in_the_chapter(latent, truth, thresholds):
    fires = (latent > thresholds[:, None]).float()
    true = truth.float()
    hits, fired, n_true = fires @ true, fires.sum(dim=1, keepdim=True), true.sum(dim=0)
    return Classifier(hits / fired.clamp(min=1), hits / n_true, 2 * hits / (fired + n_true))


@classifiers.right
def in_a_loop(latent, truth, thresholds):
    shape = len(thresholds), truth.shape[1]
    precision, recall, f1 = torch.zeros(shape), torch.zeros(shape), torch.zeros(shape)
    for i, threshold in enumerate(thresholds):
        fires = latent > threshold
        for j in range(shape[1]):
            tp = (fires & truth[:, j]).sum()
            fp = (fires & ~truth[:, j]).sum()
            fn = (~fires & truth[:, j]).sum()
            precision[i, j] = tp / (tp + fp) if tp + fp else 0
            recall[i, j] = tp / (tp + fn)
            f1[i, j] = 2 * tp / (2 * tp + fp + fn)
    return precision, recall, f1


@classifiers.right
def by_broadcasting(latent, truth, thresholds):
    fires = latent[:, None] > thresholds
    hits = (fires[:, :, None] & truth[:, None, :]).sum(0)
    precision = hits / fires.sum(0)[:, None]
    precision[precision.isnan()] = 0
    recall = hits / truth.sum(0)
    both = precision + recall
    f1 = torch.where(both > 0, 2 * precision * recall / both, torch.zeros_like(both))
    return Classifier(f1=f1, recall=recall, precision=precision)


@classifiers.right
def of_whole_numbers(latent, truth, thresholds):
    fires = torch.gt(latent.unsqueeze(0), thresholds.unsqueeze(1))
    hits = fires.long() @ truth.long()
    fired = fires.long().sum(-1, keepdim=True)
    precision = torch.where(fired == 0, 0.0, hits / fired)
    recall = hits / truth.long().sum(0, keepdim=True)
    f1 = 2 / (1 / precision + 1 / recall)  # 1/0 is ∞, and 2/∞ is 0
    return [precision, recall, f1]


@classifiers.right
def in_double_precision_with_a_small_number(latent, truth, thresholds):
    fires = (latent[None] > thresholds[:, None]).double()
    hits = torch.einsum("tn,np->tp", fires, truth.double())
    precision = hits / (fires.sum(1)[:, None] + 1e-9)
    recall = hits / truth.double().sum(0)
    return precision, recall, 2 * precision * recall / (precision + recall + 1e-9)


@classifiers.right
def of_means(latent, truth, thresholds):
    rows = []
    for threshold in thresholds.tolist():
        fires = latent > threshold
        precision = truth[fires].float().mean(0).nan_to_num(0.0)
        recall = torch.stack([fires[truth[:, j]].float().mean() for j in range(truth.shape[1])])
        rows.append(
            torch.stack([precision, recall, (2 * precision * recall / (precision + recall)).nan_to_num(0)])
        )
    return Classifier(*torch.stack(rows, dim=1))


@classifiers.right
def from_numpy(latent, truth, thresholds):
    a, true = latent.numpy(), truth.numpy()
    fires = a > thresholds.numpy()[:, None]
    hits = fires.astype(float) @ true
    found = hits / np.maximum(fires.sum(1), 1)[:, None], hits / true.sum(0)
    f1 = 2 * hits / np.add.outer(fires.sum(1), true.sum(0))
    return Classifier(*(torch.from_numpy(one) for one in (*found, f1)))


@classifiers.wrong("exactly at a threshold is not above it")
def at_the_threshold_too(latent, truth, thresholds):
    fires, true = (latent >= thresholds[:, None]).float(), truth.float()
    return scores(Counts(fires @ true, fires.sum(1, keepdim=True), true.sum(0), len(latent)))


@classifiers.wrong("these are the tokens below the threshold")
def the_wrong_way_round(latent, truth, thresholds):
    fires, true = (thresholds[:, None] > latent).float(), truth.float()
    return scores(Counts(fires @ true, fires.sum(1, keepdim=True), true.sum(0), len(latent)))


@classifiers.wrong("the activations were summed; count the tokens")
def weights_for_booleans(latent, truth, thresholds):
    fires, true = torch.where(latent > thresholds[:, None], latent, 0.0), truth.float()
    fired = fires.sum(1, keepdim=True)
    return Classifier(
        torch.where(fired > 0, fires @ true / fired, 0.0),
        fires @ true / true.sum(0),
        2 * (fires @ true) / (fired + true.sum(0)),
    )


@classifiers.wrong("the hits are weighted by their activations; count them")
def weighted_hits(latent, truth, thresholds):
    fires = latent > thresholds[:, None]
    return scores(counts_of(latent, truth, thresholds)._replace(hits=(latent * fires) @ truth.float()))


@classifiers.wrong("the thresholds are not shares of the maximum")
def shares_of_the_maximum(latent, truth, thresholds):
    return right(latent, truth, thresholds * latent.max())


@classifiers.wrong("the thresholds are not shares of the maximum")
def shares_of_the_maximum_by_division(latent, truth, thresholds):
    return right(latent / latent.max(), truth, thresholds)


@classifiers.wrong(r"field precision[^|]*this is the accuracy")
def accuracy(latent, truth, thresholds):
    agree = (latent > thresholds[:, None])[..., None] == truth
    return right(latent, truth, thresholds)._replace(precision=agree.float().mean(1))


@classifiers.wrong(r"field recall[^|]*this is the accuracy")
def accuracy_for_recall(latent, truth, thresholds):
    agree = (latent > thresholds[:, None])[..., None] == truth
    return right(latent, truth, thresholds)._replace(recall=agree.float().mean(1))


@classifiers.wrong("counted in int8, which ends at 127")
def small_numbers(latent, truth, thresholds):
    fires = (latent > thresholds[:, None]).to(torch.int8)
    return scores(counts_of(latent, truth, thresholds)._replace(hits=fires @ truth.to(torch.int8)))


@classifiers.wrong("this is recall: precision divides")
def another_order(latent, truth, thresholds):
    precision, recall, f1 = right(latent, truth, thresholds)
    return recall, precision, f1


@classifiers.wrong("this is recall: precision divides")
def names_swapped(latent, truth, thresholds):
    precision, recall, f1 = right(latent, truth, thresholds)
    return Classifier(precision=recall, recall=precision, f1=f1)


@classifiers.wrong(r"0/0; 0 is wanted: divide by fired\.clamp")
def nothing_fires(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    return scores(counts)._replace(precision=counts.hits / counts.fired)


@classifiers.wrong("where nothing is above the threshold, this is 1; 0 is wanted")
def vacuously_precise(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    return scores(counts)._replace(precision=(counts.hits / counts.fired).nan_to_num(1.0))


@classifiers.wrong(r"fired \+ 1 changes every precision")
def one_more(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    return scores(counts)._replace(precision=counts.hits / (counts.fired + 1))


@classifiers.wrong(r"field precision[^|]*divided by all tokens; divide by those above")
def precision_of_all(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    return scores(counts)._replace(precision=counts.hits / counts.n)


@classifiers.wrong("all tokens without the property are counted as false positives")
def false_positives_all_negatives(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    return scores(counts)._replace(precision=counts.hits / (counts.hits + (~truth).sum(0)))


@classifiers.wrong("where neither is so are counted as false positives")
def false_positives_true_negatives(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    neither = (latent <= thresholds[:, None]).float() @ (~truth).float()
    return scores(counts)._replace(precision=counts.hits / (counts.hits + neither))


@classifiers.wrong("this is precision: recall divides")
def recall_of_fired(latent, truth, thresholds):
    precision, _, f1 = right(latent, truth, thresholds)
    return precision, precision, f1


@classifiers.wrong(r"field recall[^|]*divided by all tokens; divide by those that have")
def recall_of_all(latent, truth, thresholds):
    hits = counts_of(latent, truth, thresholds).hits
    return right(latent, truth, thresholds)._replace(recall=hits / len(latent))


@classifiers.wrong("not above the threshold are counted as false negatives")
def false_negatives_all_silent(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    silent = (latent <= thresholds[:, None]).sum(1, keepdim=True)
    return scores(counts)._replace(recall=counts.hits / (counts.hits + silent))


@classifiers.wrong("where neither is so are counted as false negatives")
def false_negatives_true_negatives(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    neither = (latent <= thresholds[:, None]).float() @ (~truth).float()
    return scores(counts)._replace(recall=counts.hits / (counts.hits + neither))


@classifiers.wrong("divided by the tokens of all properties together")
def true_of_all_properties(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    return scores(counts)._replace(recall=counts.hits / truth.sum())


@classifiers.wrong("the share of the tokens without the property")
def false_positive_rate(latent, truth, thresholds):
    without = counts_of(latent, ~truth, thresholds)
    rate = without.hits / without.true.clamp(min=1)
    return right(latent, truth, thresholds)._replace(recall=rate)


@classifiers.wrong("this is half of F1")
def without_the_two(latent, truth, thresholds):
    hits, fired, true, _ = counts_of(latent, truth, thresholds)
    return right(latent, truth, thresholds)._replace(f1=hits / (fired + true))


@classifiers.wrong("this is half of F1")
def harmonic_without_the_two(latent, truth, thresholds):
    precision, recall, _ = right(latent, truth, thresholds)
    return precision, recall, precision * recall / (precision + recall)


@classifiers.wrong("the arithmetic mean of precision and recall")
def arithmetic_mean(latent, truth, thresholds):
    precision, recall, _ = right(latent, truth, thresholds)
    return precision, recall, (precision + recall) / 2


@classifiers.wrong("the geometric mean of precision and recall")
def geometric_mean(latent, truth, thresholds):
    precision, recall, _ = right(latent, truth, thresholds)
    return precision, recall, (precision * recall) ** 0.5


@classifiers.wrong("this is precision times recall")
def product(latent, truth, thresholds):
    precision, recall, _ = right(latent, truth, thresholds)
    return precision, recall, precision * recall


@classifiers.wrong("the smaller one of precision and recall")
def smaller(latent, truth, thresholds):
    precision, recall, _ = right(latent, truth, thresholds)
    return precision, recall, precision.minimum(recall)


@classifiers.wrong("divided by the tokens where either is so")
def intersection_over_union(latent, truth, thresholds):
    fires = (latent > thresholds[:, None])[..., None]
    share = (fires & truth).sum(1) / (fires | truth).sum(1)
    return right(latent, truth, thresholds)._replace(f1=share)


@classifiers.wrong(r"field f1[^|]*without any hits, precision and recall are 0")
def no_hits(latent, truth, thresholds):
    precision, recall, _ = right(latent, truth, thresholds)
    return Classifier(precision, recall, 2 * precision * recall / (precision + recall))


@classifiers.wrong(r"field f1[^|]*without any hits, precision and recall are 0")
def precision_mended_too_late(latent, truth, thresholds):
    hits, fired, true, _ = counts_of(latent, truth, thresholds)
    precision, recall = hits / fired, hits / true
    f1 = 2 * precision * recall / (precision + recall)
    return precision.nan_to_num(0.0), recall, f1


@classifiers.wrong(r"field f1[^|]*exactly at a threshold is not above it")
def at_the_threshold_in_f1_alone(latent, truth, thresholds):
    f1 = at_the_threshold_too(latent, truth, thresholds).f1
    return right(latent, truth, thresholds)._replace(f1=f1)


@classifiers.wrong("axes threshold and property are in the wrong order")
def transposed(latent, truth, thresholds):
    return Classifier(*(one.T for one in right(latent, truth, thresholds)))


@classifiers.wrong("axis property is missing")
def averaged_over_properties(latent, truth, thresholds):
    return tuple(one.mean(1) for one in right(latent, truth, thresholds))


@classifiers.wrong("booleans can't be multiplied as matrices")
def product_of_booleans(latent, truth, thresholds):
    return scores(Counts((latent > thresholds[:, None]) @ truth, 1, 1, 1))


@classifiers.wrong("one factor is boolean, the other is not")
def product_of_two_kinds(latent, truth, thresholds):
    return scores(Counts((latent > thresholds[:, None]).float() @ truth, 1, 1, 1))


@classifiers.wrong(r"an axis of size 1 is missing: thresholds\[:, None\]")
def no_new_axis(latent, truth, thresholds):
    return scores(Counts((latent > thresholds).float() @ truth.float(), 1, 1, 1))


@classifiers.wrong("an axis of size 1 is missing")
def no_keepdim(latent, truth, thresholds):
    counts = counts_of(latent, truth, thresholds)
    return scores(counts._replace(fired=counts.fired[:, 0]))


@classifiers.wrong("the tokens are what is summed over")
def fires_transposed(latent, truth, thresholds):
    return (latent[:, None] > thresholds).float() @ truth.float()


@classifiers.wrong("booleans have no mean")
def mean_of_booleans(latent, truth, thresholds):
    return (latent > thresholds[:, None]).mean(1)


@classifiers.wrong("returned a (tuple|Classifier) of 2; expected 3")
def two_of_three(latent, truth, thresholds):
    return right(latent, truth, thresholds)[:2]


@classifiers.wrong(r"a tensor of shape \(3, [^|]*expected Classifier\(precision, recall, f1\)")
def stacked(latent, truth, thresholds):
    return torch.stack(right(latent, truth, thresholds))


@classifiers.wrong("missing brackets after")
def the_class_itself(latent, truth, thresholds):
    return Classifier


@classifiers.wrong("changed its input latent")
def in_place(latent, truth, thresholds):
    latent -= 0.1
    return right(latent, truth, thresholds - 0.1)


@classifiers.wrong("is not written yet")
def as_in_the_notebook(latent, truth, thresholds):
    raise NotImplementedError("Exercise 6.3")
