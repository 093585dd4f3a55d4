"""Is there a separate group of low scores? Valleys of a density, and gaps between scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from ._base import Scores

Floats = NDArray[np.float64]

# Bandwidths that are tried, as multiples of the bulk's scale: a valley that is real shows at
# one of them, whatever the width of the two groups.
BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
# The scale of the bulk counts as at least this share of its centre: scores that are quantised,
# or equal but for rounding, have no scale of their own.
LEAST_RELATIVE_SCALE = 0.02
LARGEST_SHARE = 0.5  # of the scores that may be "the low group"; above it is the bulk
GAP_WIDTH = 1.0  # least width of a gap, in scales of the bulk
GAP_DISTANCE = 3.0  # least distance of a gap from the bulk's median, in scales
CLEAR_GAP = 3.0  # empty space around a valley, in scales of the bulk, that leaves no doubt
_NORMAL_QUARTILE = 1.349  # interquartile range of a standard normal
_MAD = 1.4826  # standard deviation over median absolute deviation, for a normal


class LowMode(NamedTuple):
    """A group of low scores, apart from the bulk.

    Attributes
    ----------
    threshold : float
        Lies between the group and the bulk.
    size : int
        How many scores lie below it.
    kind : str
        "valley" (of the density) or "gap" (between neighbouring scores).
    clear : bool
        Whether the space around the threshold is empty over several scales of the bulk.
    """

    threshold: float
    size: int
    kind: str
    clear: bool = False


def bulk_scale(ordered: Scores) -> tuple[float, float]:
    """Return the centre and the scale of the shortest half of sorted scores.

    Other than median and median absolute deviation, they stay where the bulk is when up to
    half of the scores belong to another group.

    Parameters
    ----------
    ordered : ndarray of shape (n,)
        Sorted.

    Returns
    -------
    centre, scale : float
        Median of the shortest interval that holds half of the scores, and its length over
        that of a standard normal.
    """
    half = len(ordered) // 2 + 1
    lengths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    shortest = np.flatnonzero(lengths <= lengths.min() * (1 + 1e-12))
    start = shortest[len(shortest) // 2]
    inside = ordered[start : start + half]
    return float(np.median(inside)), float((inside[-1] - inside[0]) / _NORMAL_QUARTILE)


def least_scale(centre: float) -> float:
    """Return what the scale of a bulk counts as at least."""
    return max(LEAST_RELATIVE_SCALE * abs(centre), 1e-9)


def median_and_scale(values: Scores) -> tuple[float, float]:
    """Median, and median absolute deviation in units of a normal's standard deviation."""
    median = float(np.median(values))
    return median, _MAD * float(np.median(np.abs(values - median)))


def lower_scale(values: Scores) -> tuple[float, float]:
    """Median, and the scale of the half below it: quality scores are skewed."""
    median = float(np.median(values))
    below = values[values <= median]
    return median, _MAD * float(np.median(median - below))


# ------------------------------------------------------------------------------- valleys


def find_valleys(
    ordered: Scores, *, separation: float, depth: float, significance: float, cap: float
) -> list[LowMode]:
    """Find, at each bandwidth, the valley that divides a low group from the bulk.

    The density is estimated with Gaussian kernels of several bandwidths. Its peaks are merged
    until each valley between two neighbours is at most ``depth`` times the lower peak, and
    until the scores counted in the valley and at the peak differ significantly (binomial
    test). The bulk is the basin with most scores. The first peak to its left that lies at
    least ``separation`` scales below the bulk's median is the low group. A group whose
    peak lies above ``cap`` is good images of another kind; one that only begins there may be,
    so where the space around a lower valley is clear, that one is taken.

    Parameters
    ----------
    ordered : ndarray of shape (n,)
        Sorted, at least two distinct values.
    separation : float
        In scales (robust standard deviations) of the bulk.
    depth : float in (0, 1)
        Density of the valley over that of the lower peak.
    significance : float in (0, 1)
        Level of the binomial test.
    cap : float
        Where good images of any kind are to be expected, in the unit of the scores.

    Returns
    -------
    valleys : list of LowMode
        From the finest bandwidth to the coarsest; those without a valley are left out.
    """
    n = len(ordered)
    centre, scale = bulk_scale(ordered)
    smallest = least_scale(centre)
    scale = max(scale, smallest)
    widest = (ordered[-1] - ordered[0]) / 3
    valleys: list[LowMode] = []
    if ordered[-1] - ordered[0] < max(separation, 0.01) * smallest:
        return valleys  # too close together for two groups; they may be adjacent floats
    for relative in BANDWIDTHS:
        # Coarser with fewer scores, but slowly: the groups keep their width.
        bandwidth = max(relative * scale * (n / 1000) ** -0.1, smallest / 2)
        if bandwidth >= widest and valleys:
            break
        bandwidth = min(bandwidth, widest)
        grid, density = _density(ordered, bandwidth)
        peaks, cuts = _basins(grid, density, ordered, bandwidth, depth, significance)
        valley = _valley_below_bulk(ordered, grid[peaks], grid[cuts], separation, cap)
        if valley is not None:
            valleys.append(valley)
        if bandwidth == widest:
            break
    return valleys


def choose_valley(valleys: Sequence[LowMode], cap: float) -> LowMode | None:
    """Choose the finest bandwidth whose group is at least half as large as the largest found.

    A fine bandwidth places the cut best, but may split the low group itself.

    Parameters
    ----------
    valleys : sequence of LowMode
        From the finest bandwidth to the coarsest.
    cap : float
        Valleys above it do not count where there is a clear one below.

    Returns
    -------
    valley : LowMode or None
    """
    if not valleys:
        return None
    below_cap = [valley for valley in valleys if valley.threshold <= cap]
    allowed = below_cap if any(valley.clear for valley in below_cap) else valleys
    largest = max(valley.size for valley in allowed)
    return next(valley for valley in allowed if valley.size >= largest / 2)


def _density(ordered: Scores, bandwidth: float) -> tuple[Floats, Floats]:
    """Gaussian kernel density on a grid, by convolution of a fine histogram."""
    low, high = ordered[0] - 3 * bandwidth, ordered[-1] + 3 * bandwidth
    with np.errstate(over="ignore"):
        cells = int(np.clip(5 * (high - low) / bandwidth, 64, 20_000))
    counts, edges = np.histogram(ordered, bins=cells, range=(low, high))
    width = edges[1] - edges[0]
    reach = int(np.ceil(4 * bandwidth / width))
    with np.errstate(over="ignore"):
        step = min(width / bandwidth, 40.0)  # 40 bandwidths away the kernel is 0 anyway
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step) ** 2)
    smooth = np.convolve(counts.astype(np.float64), kernel / kernel.sum(), mode="full")
    return (edges[1:] + edges[:-1]) / 2, smooth[reach : reach + cells]


def _basins(
    grid: Floats,
    density: Floats,
    ordered: Scores,
    bandwidth: float,
    depth: float,
    significance: float,
) -> tuple[list[int], list[int]]:
    """Peaks that stay apart and the valleys between them, as positions on the grid."""
    peaks, valleys = _extrema(density)

    def counted(position: int) -> int:
        left, right = grid[position] - 1.5 * bandwidth, grid[position] + 1.5 * bandwidth
        return int(
            np.searchsorted(ordered, right, "right") - np.searchsorted(ordered, left, "left")
        )

    while valleys:
        # Of the two peaks beside each valley, the lower one (by position in ``peaks``).
        lower = [
            k if density[peaks[k]] < density[peaks[k + 1]] else k + 1 for k in range(len(valleys))
        ]
        ratio = [density[v] / density[peaks[k]] for v, k in zip(valleys, lower, strict=True)]
        weakest = int(np.argmax(ratio))
        if ratio[weakest] <= depth:
            doubtful = []
            for position, (valley, k) in enumerate(zip(valleys, lower, strict=True)):
                in_valley, at_peak = counted(valley), counted(peaks[k])
                if bdtr(in_valley, in_valley + at_peak, 0.5) > significance:
                    doubtful.append((-at_peak, position))
            if not doubtful:
                break
            weakest = max(doubtful)[1]
        k = lower[weakest]
        # The lower peak disappears, with the shallower of the valleys beside it.
        if k == 0:
            del valleys[0]
        elif k == len(peaks) - 1:
            del valleys[-1]
        else:
            del valleys[k - 1 if density[valleys[k - 1]] > density[valleys[k]] else k]
        del peaks[k]
    return peaks, valleys


def _extrema(density: Floats) -> tuple[list[int], list[int]]:
    """Peaks of a density and the lowest point between each two of them; plateaus by middle."""
    starts = np.flatnonzero(np.r_[True, density[1:] != density[:-1]])
    ends = np.r_[starts[1:], len(density)] - 1
    heights = density[starts]
    is_peak = (heights > np.r_[-np.inf, heights[:-1]]) & (heights > np.r_[heights[1:], -np.inf])
    peaks = ((starts + ends) // 2)[is_peak].tolist()
    valleys = []
    for left, right in pairwise(peaks):
        between = density[left : right + 1]
        # Wherever it is empty between two groups, the valley is a plain; its middle is fair.
        bottom = np.flatnonzero(between <= between.min() * (1 + 1e-7) + 1e-9)
        valleys.append(left + int(bottom[len(bottom) // 2]))
    return peaks, valleys


def _valley_below_bulk(
    ordered: Scores, peaks: Floats, cuts: Floats, separation: float, cap: float
) -> LowMode | None:
    first = np.r_[0, np.searchsorted(ordered, cuts), len(ordered)]  # of the scores in each basin
    bulk = int(np.argmax(np.diff(first)))
    above_cap = None
    centre, bulk_width = bulk_scale(ordered)
    bulk_width = max(bulk_width, LEAST_RELATIVE_SCALE * abs(centre))
    for basin in range(bulk, 0, -1):
        above = ordered[first[basin] : first[bulk + 1]]
        median, scale = median_and_scale(above)
        scale = max(scale, LEAST_RELATIVE_SCALE * abs(centre))
        if first[basin] > LARGEST_SHARE * len(ordered):
            continue
        if median - peaks[basin - 1] >= separation * scale:
            size = int(first[basin])
            clear = ordered[size] - ordered[size - 1] >= CLEAR_GAP * max(bulk_width, 1e-9)
            valley = LowMode(float(cuts[basin - 1]), size, "valley", bool(clear))
            if valley.threshold <= cap and (above_cap is None or clear):
                return valley
            if above_cap is None and peaks[basin - 1] <= cap:
                above_cap = valley
    return above_cap


# ---------------------------------------------------------------------------------- gaps


def find_gap(ordered: Scores, *, significance: float) -> LowMode | None:
    """Find a gap that divides at least two of the lowest scores from all others.

    In a tail that falls off exponentially, the spacings of the lowest scores, each times its
    rank, are exponential with one mean; each is compared with the mean of the next twenty by
    an F test, with Bonferroni's correction. The gap must also be at least one scale wide and
    begin at least three scales below the median. This finds groups too small for a peak.

    Parameters
    ----------
    ordered : ndarray of shape (n,)
        Sorted.
    significance : float in (0, 1)
        Level of the test.

    Returns
    -------
    gap : LowMode or None
        The highest such gap; its threshold is the middle.
    """
    n = len(ordered)
    median, scale = median_and_scale(ordered)
    scale = max(scale, LEAST_RELATIVE_SCALE * abs(bulk_scale(ordered)[0]))
    n_compared = min(20, n // 4)
    n_tested = int(min(max(20, 0.02 * n), n // 4))
    least_mean = 0.05 * scale
    if n_tested < 2 or least_mean == 0:
        return None
    spacings = np.diff(ordered[: n_tested + n_compared + 1])
    rank = np.arange(1, len(spacings) + 1)
    cumulative = np.r_[0.0, np.cumsum(rank * spacings)]
    following = cumulative[n_compared + 1 :] - cumulative[1 : len(spacings) - n_compared + 1]
    mean_following = np.maximum(following[:n_tested] / n_compared, least_mean)
    rank, width = rank[:n_tested], spacings[:n_tested]
    # Survival function of F with 2 and 2·n_compared degrees of freedom, in closed form.
    with np.errstate(over="ignore"):
        log_p = -n_compared * np.log1p(rank * width / mean_following / n_compared)
    is_gap = (
        (log_p <= np.log(significance) - np.log(n_tested))
        & (width >= GAP_WIDTH * scale)
        & (median - ordered[:n_tested] >= GAP_DISTANCE * scale)
        & (rank >= 2)
    )
    if not is_gap.any():
        return None
    last = int(np.flatnonzero(is_gap)[-1])
    middle = (ordered[last] + ordered[last + 1]) / 2
    return LowMode(float(middle), last + 1, "gap")
