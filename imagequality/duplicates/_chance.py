"""Which distance between two images is too small to be chance.

Every collection holds pairs of images that resemble each other by chance, and how many lie
within a given distance depends on what the images show. It can be counted on *decoys*: the
distances between each image and the mirror image of each other one. A mirror image has the
colours, the sharpness and the composition of a real one, but it is a copy of nothing. This is
the target-decoy method of proteomics, which searches for peptides among reversed sequences to
learn how many of the matches are chance.

The functions here see counts of pairs only; whoever calls them knows the images.

References
----------
J. E. Elias and S. P. Gygi, "Target-decoy search strategy for increased confidence in large-scale
protein identifications by mass spectrometry", Nature Methods 4, 2007.

B. Efron, "Size, power and false discovery rates", Annals of Statistics 35, 2007: the false
share of everything found, and of what was found last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv
from scipy.stats import poisson

_Floats = NDArray[np.float64]
_Null = Literal["decoys", "alternatives", "tail", "none"]

# The bulk is the window of distances within which an image has 10 to 100 neighbours, or in a
# small collection a hundredth to a tenth of all others. Chance rules there, not copies.
_BULK_PAIRS_PER_IMAGE = 50.0
_BULK_SHARE = 0.1
_BULK_SPAN = 10.0  # pairs at the far end / pairs at the near end
_BULK_STEPS = 5
_FEWEST_BULK_PAIRS = 50.0
# Decoys are comparable to the targets if in the bulk their counts differ by less than the
# factor, and if their logarithm grows at nearly the same pace.
_LARGEST_RATIO = 10.0
_LEAST_POWER = 0.8
# Counts of fewer observed pairs are too noisy; the line that replaces them is drawn through
# the first count above this number and the first one that is _TAIL_SPAN times as large.
_FEWEST_TAIL_PAIRS = 20.0
_TAIL_SPAN = 10.0
# The targets' own tail is taken from where there is one pair per image, and to be safe twice.
_OWN_TAIL_PAIRS_PER_IMAGE = 1.0
_OWN_TAIL_SPAN = 4.0
_OWN_TAIL_SAFETY = 2.0
# Decoys hold copies themselves where they exceed twice the alternatives' estimate and Poisson
# gives that a smaller probability than this.
_FEW_COPIES = 0.1  # decoys as a share of the targets
_EXCESS_SAFETY = 2.0
_EXCESS_PROBABILITY = 0.01


@dataclass(frozen=True)
class ChanceFit:
    """The distance up to which pairs are copies, and what chance gives at every distance.

    Attributes
    ----------
    distance : float or None
        Largest distance of a pair that is no chance; None: nothing but chance.
    expected : ndarray of shape (n_grid,), float
        Number of target pairs within each distance of the grid that chance explains. Infinite
        where nothing is known.
    null : {"decoys", "alternatives", "tail", "none"}
        What ``expected`` was read from: the decoys; other decoys, because the first ones hold
        copies or are not comparable; the targets' own tail; nothing.
    reason : str
        One sentence with the figures.
    """

    distance: float | None
    expected: _Floats
    null: _Null
    reason: str


def chance_distance(
    targets: ArrayLike,
    decoys: ArrayLike,
    grid: ArrayLike,
    n: int,
    *,
    alternatives: Sequence[ArrayLike] = (),
    resolution: ArrayLike = 1.0,
    found_resolution: ArrayLike | None = None,
    tail: Literal["exponential", "power"] = "exponential",
    max_false_share: float = 0.03,
    max_local_share: float = 0.1,
    significance: float = 0.001,
) -> ChanceFit:
    """Choose the distance up to which pairs are copies, from the counts of pairs.

    The rule, for cumulative counts T(t) of targets and D(t) of decoys within a distance t:

    0. A few decoys at small distances with a gap behind them are copies too, of images stored in
       several orientations, say: chance gives the more pairs the larger the distance. Where D is
       below a tenth of T, it is lowered to the largest convex curve below it.
    1. Expected chance E(t). In the bulk, where each image has about 10 to 100 neighbours, chance
       rules. There log T is fitted by a + b log D with b ≤ 1, and E = exp(a) D^b below. For
       mirror images a is about 0 and b about 1; decoys that are further away than chance, such
       as images upside down, are brought into line by it. Where D is made of fewer than 20
       observed pairs it is continued by its tail, between D and D plus one pair.
    2. Which decoys. If at small distances the decoys exceed what the alternatives let expect
       (twice the estimate, and a Poisson probability below 1 %), the decoys hold copies
       themselves: mirrored ones, if the decoys are mirror images. The alternatives' estimate,
       doubled, stands in there.
    3. No decoys comparable (mirrored text is no text): the targets' own tail is continued by an
       exponential from the distance where there is one pair per image, and doubled. This finds
       copies that are separated from the bulk by a gap.
    4. Among the distances t with E(t) ≤ ``max_false_share`` · T(t), take the one with the largest
       ``max_local_share`` · T(t) − E(t). From every smaller distance up to it, chance explains at
       most ``max_local_share`` of the pairs that were added: many close copies do not pay for
       false pairs further out. One or two pairs must in addition be improbable by chance.

    No step draws random numbers or depends on the order of the images.

    Parameters
    ----------
    targets : array_like of shape (n_grid,)
        Number of pairs of images i < j within each distance of the grid. Remove pairs that are
        known already (equal pixels) first, from the decoys as well.
    decoys : array_like of shape (n_grid,)
        The same for the distances between image i and the mirror image of j. To find mirrored
        copies, swap the two.
    grid : array_like of shape (n_grid,)
        Increasing distances, in any unit. It should reach to where the decoys are at least
        50 n or a tenth of all pairs.
    n : int
        Number of images.
    alternatives : sequence of array_like of shape (n_grid,), default=()
        Counts for other decoys: for direct and for mirrored copies alike, image j upside down
        and image j turned by 180°.
    resolution : float or array_like of shape (n_grid,), default=1.0
        What one observed pair counts for: 1 where all pairs were counted, (n / m)² where a
        sample of m images stands for all, n / (2 m) where their pairs with all images do. At
        least 1.
    found_resolution : float or array_like of shape (n_grid,), default=None
        The same for the targets, where it differs.
    tail : {"exponential", "power"}, default="exponential"
        How the number of chance pairs within a distance falls where too few are seen: with the
        distance t as exp(c t), for hashes; or as t^c, for vectors, c being half their intrinsic
        dimension for squared or cosine distances.
    max_false_share : float, default=0.03
        Largest expected share of chance among all pairs found, in (0, 1).
    max_local_share : float, default=0.1
        Largest expected share of chance among the pairs found last, at least
        ``max_false_share``, at most 1.
    significance : float, default=0.001
        Largest probability of as many pairs by chance, in (0, 1). It matters for one or two
        pairs only; the rule for more of them is stricter.

    Returns
    -------
    fit : ChanceFit

    Raises
    ------
    ValueError
        If the arrays differ in length, hold negative or non-finite values, or the grid does not
        increase; if a share lies outside its range.

    Notes
    -----
    Cumulative counts that fall where a sample takes over from an exact count are lifted to the
    largest count before. Pairs are treated as independent, which they are only nearly.

    Copies are missed where they are no closer than chance: a handful of strongly cropped images
    in a collection of many images. A second population of very similar images (frames of one
    film) is reported as copies, since mirror images do not explain it.

    Examples
    --------
    >>> import numpy as np
    >>> grid = np.arange(65)
    >>> chance = 500_000 * 0.5 ** (64 - grid)           # 1,000 unrelated images
    >>> chance_distance(np.floor(chance), np.floor(chance), grid, 1000).distance is None
    True
    >>> copies = 30 * (grid >= 9)                       # 30 pairs at a distance of 9
    >>> chance_distance(np.floor(chance) + copies, np.floor(chance), grid, 1000).distance
    9.0
    """
    distances, found, views, resolutions = _validated(
        grid, targets, [decoys, *alternatives], resolution
    )
    if not 0 < max_false_share <= max_local_share <= 1 or max_false_share == 1:
        raise ValueError(
            "0 < max_false_share <= max_local_share <= 1 and max_false_share < 1 must hold; got "
            f"max_false_share={max_false_share}, max_local_share={max_local_share}"
        )
    if tail not in {"exponential", "power"}:
        raise ValueError(f"tail must be 'exponential' or 'power'; got {tail!r}")
    if not 0 < significance < 1:
        raise ValueError(f"significance must lie in (0, 1); got {significance}")
    scale = distances
    if tail == "power":  # an exponential of the logarithm
        scale = np.log(np.maximum(distances, distances[1] / 2))
    expected, null = _expected_by_chance(found, views, scale, resolutions, n)
    units = resolutions
    if found_resolution is not None:
        units = _validated_resolution(found_resolution, distances)
    found = _surely_found(found, units)
    limit = np.minimum(
        max_false_share * found,
        # the mean at which so many observed pairs have just this probability
        units * gammaincinv(np.maximum(found / units, 1e-9), significance),
    )
    gain = np.where((found > 0) & (expected <= limit), max_local_share * found - expected, -np.inf)
    best = int(np.argmax(gain))
    distance = float(distances[best]) if np.isfinite(gain[best]) else None
    return ChanceFit(distance, expected, null, _reason(distance, best, found, expected, null))


def match_distance(
    expected: ArrayLike, grid: ArrayLike, n: int, max_false_matches: float = 0.01
) -> float | None:
    """Return the largest distance at which a new image has few chance matches.

    One image has on average 2 E(t) / n neighbours by chance among n others, if there are E(t)
    chance pairs.

    Parameters
    ----------
    expected : array_like of shape (n_grid,)
        ``ChanceFit.expected`` of the fitted images.
    grid : array_like of shape (n_grid,)
        Increasing distances.
    n : int
        Number of fitted images, at least 1.
    max_false_matches : float, default=0.01
        Largest expected number of chance matches of one image.

    Returns
    -------
    distance : float or None
        None if even at the smallest distance chance gives more.

    Examples
    --------
    >>> match_distance([0.1, 1.0, 10.0, 100.0], [0, 8, 16, 24], n=1000)
    8.0
    """
    few = 2 * np.asarray(expected, dtype=float) / n <= max_false_matches
    # The first distance with too many ends the search, whatever comes after it.
    length = len(few) if few.all() else int(np.argmin(few))
    return float(np.asarray(grid, dtype=float)[length - 1]) if length else None


def _validated(
    grid: ArrayLike, targets: ArrayLike, views: Sequence[ArrayLike], resolution: ArrayLike
) -> tuple[_Floats, _Floats, list[_Floats], _Floats]:
    distances = np.asarray(grid, dtype=float)
    if distances.ndim != 1 or len(distances) < 2 or not (np.diff(distances) > 0).all():
        raise ValueError("grid must hold at least two increasing distances")
    counts = [np.asarray(count, dtype=float) for count in (targets, *views)]
    for count in counts:
        if count.shape != distances.shape:
            raise ValueError(
                f"counts must have the shape of the grid, {distances.shape}; got {count.shape}"
            )
        if not (np.isfinite(count).all() and (count >= 0).all()):
            raise ValueError("counts must be finite and at least 0")
    found, *decoys = (np.maximum.accumulate(count) for count in counts)
    return distances, found, decoys, _validated_resolution(resolution, distances)


def _validated_resolution(resolution: ArrayLike, grid: _Floats) -> _Floats:
    resolutions = np.broadcast_to(np.asarray(resolution, dtype=float), grid.shape)
    if not (np.isfinite(resolutions).all() and (resolutions >= 1).all()):
        raise ValueError("resolution must be finite and at least 1")
    return resolutions


def _surely_found(counts: _Floats, resolution: _Floats) -> _Floats:
    """Lower a sample's counts by two standard errors: one sampled pair may stand for itself."""
    return np.maximum.accumulate(counts - 2 * np.sqrt((resolution - 1) * counts))


class _PowerLaw(NamedTuple):
    """How many targets chance gives, from the number of decoys."""

    log_factor: float
    power: float

    def __call__(self, decoys: _Floats) -> _Floats:
        return np.asarray(math.exp(self.log_factor) * decoys**self.power)


def _expected_by_chance(
    targets: _Floats, views: list[_Floats], grid: _Floats, resolution: _Floats, n: int
) -> tuple[_Floats, _Null]:
    """Return the expected chance pairs on the grid, and where they come from."""
    views = [without_copies(view, targets, grid) for view in views]
    laws = [_align(targets, view, resolution, n) for view in views]
    others = [
        law(_extrapolate(view, grid, resolution))
        for law, view in zip(laws[1:], views[1:], strict=True)
        if law is not None
    ]
    if laws[0] is None:
        if others:
            return np.asarray(np.max(others, axis=0)), "alternatives"
        return _own_tail(targets, grid, resolution, n)
    first = laws[0](_extrapolate(views[0], grid, resolution))
    if not others:
        return first, "decoys"
    # The median, of two the larger: one of the alternatives may hold copies as well.
    second = _EXCESS_SAFETY * np.sort(others, axis=0)[len(others) // 2]
    observed = np.rint(laws[0](views[0]) / resolution)
    improbable = poisson.sf(observed - 1, second / resolution) < _EXCESS_PROBABILITY
    near_end_of_bulk, _ = _bulk_ends(n)
    excess = np.flatnonzero(improbable & (views[0] > 0) & (views[0] < near_end_of_bulk))
    if not len(excess):
        return first, "decoys"
    replaced = np.arange(len(grid)) <= excess[-1]
    return np.where(replaced, np.minimum(first, second), first), "alternatives"


def without_copies(decoys: _Floats, targets: _Floats, grid: _Floats) -> _Floats:
    """Lower counts of decoys that hold a few copies, where there are far fewer than targets.

    Chance gives the more pairs the larger the distance, up to the bulk. A few decoys at small
    distances with a gap behind them are copies (images stored in several orientations, say), if
    the targets are many more than these: else both may have the same unknown reason. There the
    largest convex curve below the decoys, which rises from no pair, replaces them.

    Parameters
    ----------
    decoys, targets : ndarray of shape (n_grid,)
        Cumulative counts.
    grid : ndarray of shape (n_grid,)

    Returns
    -------
    lowered : ndarray of shape (n_grid,)
    """
    convex = _convex_below(decoys, grid)
    return np.where(decoys <= _FEW_COPIES * targets, convex, decoys)


def _convex_below(counts: _Floats, grid: _Floats) -> _Floats:
    """Return the largest convex curve below the counts, up to where the bulk begins."""
    step = grid[1] - grid[0]
    x, y = np.concatenate([[grid[0] - step], grid]), np.concatenate([[0.0], counts])
    end = int(np.argmax(y >= _BULK_SHARE * y[-1])) + 1
    corners: list[int] = []
    for place in range(end):
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (y[b] - y[a]) * (x[place] - x[b]) <= (y[place] - y[b]) * (x[b] - x[a]):
                break
            corners.pop()
        corners.append(place)
    hull = np.interp(x[:end], x[corners], y[corners])
    return np.concatenate([hull, y[end:]])[1:]


def _bulk_ends(n: int) -> tuple[float, float]:
    """Return the number of decoy pairs at the near and the far end of the bulk."""
    far = min(_BULK_PAIRS_PER_IMAGE * n, _BULK_SHARE * n * (n - 1) / 2)
    return far / _BULK_SPAN, far


def _bulk_edges(decoys: _Floats, resolution: _Floats, n: int) -> NDArray[np.intp] | None:
    """Cut the bulk into a few steps; None if too few pairs were seen in it."""
    near, far = _bulk_ends(n)
    if far <= 0:
        return None
    edges = np.unique(np.searchsorted(decoys, np.geomspace(near, far, _BULK_STEPS + 1)))
    edges = edges[edges < len(decoys)]
    if len(edges) < 3 or (decoys / resolution)[edges[-1]] < _FEWEST_BULK_PAIRS:
        return None
    return edges


def _align(targets: _Floats, decoys: _Floats, resolution: _Floats, n: int) -> _PowerLaw | None:
    """Fit targets = exp(a) · decoys^b in the bulk; None if they do not compare.

    The pairs *added* from step to step are compared, not the cumulative counts, so that a large
    group of copies, all below the bulk, does not count.
    """
    edges = _bulk_edges(decoys, resolution, n)
    if edges is None:
        return None
    more_targets, more_decoys = np.diff(targets[edges]), np.diff(decoys[edges])
    if not (more_targets.all() and more_decoys.all()):
        return None
    # d targets / d decoys = exp(a) · b · decoys^(b − 1), a straight line in logarithms
    log_decoys = np.log(decoys[edges])
    middle = (log_decoys[1:] + log_decoys[:-1]) / 2
    weights = more_decoys / more_decoys.sum()
    centred = middle - weights @ middle
    slope = weights @ (centred * np.log(more_targets / more_decoys)) / (weights @ centred**2)
    log_ratio = math.log(more_targets.sum() / more_decoys.sum())
    if 1 + slope < _LEAST_POWER or abs(log_ratio) > math.log(_LARGEST_RATIO):
        return None
    power = min(1 + float(slope), 1.0)
    first, last = decoys[edges[[0, -1]]] ** power
    return _PowerLaw(math.log(more_targets.sum() / (last - first)), power)


def _exponential(counts: _Floats, grid: _Floats, near: int, far: int) -> _Floats:
    """Continue the counts below ``near`` by the exponential through ``near`` and ``far``."""
    slope = math.log(counts[far] / counts[near]) / (grid[far] - grid[near])
    line = counts[near] * np.exp(slope * np.minimum(grid - grid[near], 0.0))
    return np.asarray(np.where(np.arange(len(grid)) < near, line, counts))


def _extrapolate(counts: _Floats, grid: _Floats, resolution: _Floats) -> _Floats:
    """Replace counts of few observed pairs by the exponential tail.

    It stays between what was seen and one pair more, which is what a count is worth if nothing
    was known before: the mean of the Poisson rate under a flat prior.
    """
    enough = np.flatnonzero(counts >= _FEWEST_TAIL_PAIRS * resolution)
    if not len(enough):
        return counts + resolution
    near = int(enough[0])
    far = min(int(np.searchsorted(counts, _TAIL_SPAN * counts[near])), len(grid) - 1)
    line = _exponential(counts, grid, near, far) if counts[far] > counts[near] else np.inf
    below = np.arange(len(grid)) < near
    return np.asarray(np.where(below, np.clip(line, counts, counts + resolution), counts))


def _own_tail(
    targets: _Floats, grid: _Floats, resolution: _Floats, n: int
) -> tuple[_Floats, _Null]:
    """Continue the targets from the bulk's near side to small distances."""
    start = min(_OWN_TAIL_PAIRS_PER_IMAGE * n, _bulk_ends(n)[0])
    enough = np.flatnonzero((targets >= start) & (targets >= _FEWEST_TAIL_PAIRS * resolution))
    if not len(enough):
        return np.full(len(grid), np.inf), "none"
    near = int(enough[0])
    far = int(np.searchsorted(targets, _OWN_TAIL_SPAN * targets[near]))
    if far >= len(grid):
        return np.full(len(grid), np.inf), "none"
    line = _exponential(targets, grid, near, far)
    below = np.arange(len(grid)) < near
    return np.asarray(np.where(below, _OWN_TAIL_SAFETY * line, targets)), "tail"


_NULLS: dict[_Null, str] = {
    "decoys": "the decoys let expect",
    "alternatives": "the alternative decoys let expect",
    "tail": "no decoys are comparable, and the tail of the pairs' own distances lets expect",
    "none": "",
}


def _reason(
    distance: float | None, best: int, targets: _Floats, expected: _Floats, null: _Null
) -> str:
    if null == "none":
        return "There are too few pairs to know how close images come by chance."
    if distance is not None:
        return (
            f"{targets[best]:.6g} pairs lie within a distance of {distance:.4g}, where "
            f"{_NULLS[null]} {expected[best]:.2g} by chance."
        )
    present = np.flatnonzero(targets > 0)
    if not len(present):
        return "No pair lies within any distance of the grid."
    closest = present[0]
    return (
        f"No distance holds clearly more pairs than chance: where the closest "
        f"{targets[closest]:.6g} lie, "
        f"{_NULLS[null]} {expected[closest]:.2g}."
    )
