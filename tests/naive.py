"""Brute-force references: every definition once more, in plain loops and without cleverness."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from scipy import optimize

# --- thresholds: histograms ---------------------------------------------------------------------


def bin_counts(scores, bins):
    """Scores in each of ``bins`` equal bins over [min, max]; the last bin holds the maximum."""
    edges = [float(edge) for edge in np.linspace(min(scores), max(scores), bins + 1)]
    counts = [0] * bins
    for score in scores:
        counts[min(bisect_right(edges, score) - 1, bins - 1)] += 1
    return counts


def _classes(counts, split):
    """(position, count) of the low class, bins 0 … split, and of the high class."""
    pairs = list(enumerate(counts))
    return pairs[: split + 1], pairs[split + 1 :]


def _moments(pairs):
    """Weight, mean, and summed squared distances from the mean."""
    weight = math.fsum(count for _, count in pairs)
    mean = math.fsum(count * position for position, count in pairs) / weight
    scatter = math.fsum(count * (position - mean) ** 2 for position, count in pairs)
    return weight, mean, scatter


def otsu(counts):
    """Between-class variance of every split, from each class's distance to the overall mean."""
    total, overall_mean, _ = _moments(list(enumerate(counts)))
    criterion = []
    for split in range(len(counts) - 1):
        variance = 0.0
        for pairs in _classes(counts, split):
            weight, mean, _ = _moments(pairs)
            variance += weight / total * (mean - overall_mean) ** 2
        criterion.append(variance)
    return criterion


def minimum_error(counts):
    """Kittler and Illingworth's J of every split; NaN where a class has no variance."""
    total = sum(counts)
    criterion = []
    for split in range(len(counts) - 1):
        j = 1.0
        for pairs in _classes(counts, split):
            weight, _, scatter = _moments(pairs)
            share = weight / total
            if sum(count > 0 for _, count in pairs) < 2:
                j = math.nan
            else:
                deviation = math.sqrt(scatter / weight)
                j += 2 * share * math.log(deviation) - 2 * share * math.log(share)
        criterion.append(j)
    return criterion


def max_entropy(counts):
    """Kapur, Sahoo and Wong's sum of the two classes' entropies, for every split."""
    criterion = []
    for split in range(len(counts) - 1):
        entropy = 0.0
        for pairs in _classes(counts, split):
            weight = sum(count for _, count in pairs)
            for _, count in pairs:
                if count > 0:
                    entropy -= count / weight * math.log(count / weight)
        criterion.append(entropy)
    return criterion


def generalized_histogram(counts, nu, tau, kappa, omega):
    """Barron's score of every split; NaN where a class's variance is zero."""
    total = sum(counts)
    criterion = []
    for split in range(len(counts) - 1):
        score = 0.0
        for pairs, believed in zip(_classes(counts, split), (omega, 1 - omega), strict=True):
            weight, _, scatter = _moments(pairs)
            share = weight / total
            variance = (share * nu * tau**2 + scatter) / (share * nu + weight)
            if variance == 0:
                score = math.nan
            else:
                score += -scatter / variance - weight * math.log(variance)
                score += 2 * (weight + kappa * believed) * math.log(weight)
        criterion.append(score)
    return criterion


def modified_valley_emphasis(counts, smoothing):
    """Between-class variance times the mapped second difference, of the smoothed histogram."""
    bins = len(counts)

    def mirrored(position):
        while not 0 <= position < bins:
            position = -1 - position if position < 0 else 2 * bins - 1 - position
        return position

    window = range(-smoothing, smoothing + 1)
    smooth = [
        sum(counts[mirrored(position + step)] for step in window) / len(window)
        for position in range(bins)
    ]
    bends = []
    for position in range(bins):
        before = smooth[max(position - 1, 0)]
        after = smooth[min(position + 1, bins - 1)]
        bends.append(before - 2 * smooth[position] + after)
    flattest, sharpest = min(bends), max(bends)
    criterion = []
    for bend, variance in zip(bends, otsu(smooth), strict=False):
        weight = (bend - flattest) / (sharpest - flattest) if sharpest > flattest else 1.0
        criterion.append(variance * weight)
    return criterion


# --- thresholds: Li -----------------------------------------------------------------------------


def _li_classes(scores, threshold):
    """Heights above the lowest score, up to the threshold and above it."""
    lowest = min(scores)
    low = [score - lowest for score in scores if score <= threshold]
    high = [score - lowest for score in scores if score > threshold]
    return low, high


def li_update(scores, threshold):
    """One step of Li and Tam's iteration."""
    low, high = _li_classes(scores, threshold)
    mean_low, mean_high = math.fsum(low) / len(low), math.fsum(high) / len(high)
    step = (mean_high - mean_low) / (math.log(mean_high) - math.log(mean_low))
    return min(scores) + step


def li_loss(height, mean):
    """What a score adds to the cross-entropy, without what no split can change."""
    return mean - height * math.log(mean)


def cross_entropy(scores, threshold):
    """Cross-entropy of a split, without what all splits share (Li and Lee's equation 9)."""
    loss = 0.0
    for heights in _li_classes(scores, threshold):
        mean = math.fsum(heights) / len(heights)
        if mean > 0:
            loss -= math.fsum(heights) * math.log(mean)
    return loss


# --- thresholds: gamma mixture ------------------------------------------------------------------


def gamma_mixture_log_likelihood(scores, weights, shapes, scales):
    """Summed log density of the scores under a mixture of gamma distributions."""
    total = 0.0
    for score in scores:
        logs = [
            math.log(weight)
            + (shape - 1) * math.log(score)
            - score / scale
            - math.lgamma(shape)
            - shape * math.log(scale)
            for weight, shape, scale in zip(weights, shapes, scales, strict=True)
        ]
        largest = max(logs)
        total += largest + math.log(sum(math.exp(value - largest) for value in logs))
    return total


def best_gamma_mixture(scores):
    """The largest log-likelihood that a general-purpose optimiser finds, from a moment start."""
    ordered = sorted(scores)
    half = len(ordered) // 2
    start = [0.0]
    for part in (ordered[:half], ordered[half:]):
        mean, variance = np.mean(part), np.var(part)
        start += [math.log(mean**2 / variance), math.log(variance / mean)]

    def loss(parameters):
        weight = 1 / (1 + math.exp(-parameters[0]))
        shapes = [math.exp(parameters[1]), math.exp(parameters[3])]
        scales = [math.exp(parameters[2]), math.exp(parameters[4])]
        return -gamma_mixture_log_likelihood(scores, [weight, 1 - weight], shapes, scales)

    return -optimize.minimize(loss, start, method="Nelder-Mead", options={"maxfev": 1500}).fun
