"""Brute-force references: every definition once more, in plain loops and without cleverness."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from itertools import pairwise

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


# --- duplicates: clusters -----------------------------------------------------------------------


def widest_steps(matrix):
    """Minimax path distances: the largest step of the path between two items that has it least."""
    n = len(matrix)
    steps = [[0.0 if i == j else float(matrix[i][j]) for j in range(n)] for i in range(n)]
    for via in range(n):
        for i in range(n):
            for j in range(n):
                steps[i][j] = min(steps[i][j], max(steps[i][via], steps[via][j]))
    return steps


def cluster_extent(matrix, members):
    """Diameter and weakest link: the largest distance, and the largest minimax path distance."""
    inner = [[matrix[i][j] for j in members] for i in members]
    return (
        max(inner[a][b] for a in range(len(members)) for b in range(a)),
        max(map(max, widest_steps(inner))),
    )


def components_among_nearest(matrix, limit, n_neighbors):
    """Labels of items that are joined where one is near, and among the nearest, of the other."""
    n = len(matrix)
    labels = list(range(n))
    for item in range(n):
        others = sorted(matrix[item][other] for other in range(n) if other != item)
        reach = others[min(n_neighbors, n - 1) - 1]
        for other in range(n):
            if other != item and matrix[item][other] <= min(reach, limit):
                old, new = labels[other], labels[item]
                labels = [new if label == old else label for label in labels]
    return labels


# --- embedders ----------------------------------------------------------------------------------


def rectified_convolution_means(image, kernels, biases):
    """Mean over all positions of max(0, kernel · window + bias), for each kernel."""
    height, width, _ = image.shape
    side = kernels.shape[-1]
    means = []
    for kernel, bias in zip(kernels, biases, strict=True):
        window_first = kernel.transpose(1, 2, 0)  # (row, column, channel), as the image
        answers = []
        for row in range(height - side + 1):
            for column in range(width - side + 1):
                window = image[row : row + side, column : column + side]
                answers.append(max(0.0, float((window * window_first).sum()) + float(bias)))
        means.append(math.fsum(answers) / len(answers))
    return means


# --- duplicates: neighbours ---------------------------------------------------------------------


def _pairs_of_rows(rows, others):
    """(i, j, row i, row j): i < j of one collection, or all i and j of two."""
    for i, one in enumerate(rows):
        for j, other in enumerate(rows if others is None else others):
            if others is not None or i < j:
                yield i, j, one, other


def hamming(one, other):
    """Bits in which two sequences of words differ."""
    return sum((int(a) ^ int(b)).bit_count() for a, b in zip(one, other, strict=True))


def hamming_pairs(hashes, max_distance, others=None):
    """(i, j, distance) of all pairs within a Hamming distance, in order."""
    found = []
    for i, j, one, other in _pairs_of_rows(hashes, others):
        distance = hamming(one, other)
        if distance <= max_distance:
            found.append((i, j, distance))
    return found


def cosine(one, other):
    """1 − the cosine of two vectors; NaN where one is zero."""
    product = math.fsum(float(a) * float(b) for a, b in zip(one, other, strict=True))
    lengths = [math.sqrt(math.fsum(float(a) ** 2 for a in vector)) for vector in (one, other)]
    return 1 - product / (lengths[0] * lengths[1]) if all(lengths) else math.nan


def distances_between(rows, others, distance):
    """Distances of all pairs; of two collections of one length, without those of equal number."""
    paired = others is not None and len(rows) == len(others)
    return [
        distance(one, other)
        for i, j, one, other in _pairs_of_rows(rows, others)
        if not (paired and i == j)
    ]


# --- measurements: the descriptor of a thumbnail ------------------------------------------------


def _unit(numbers, floor=0.0):
    length = math.sqrt(math.fsum(number**2 for number in numbers) + floor)
    return [number / length for number in numbers] if length else list(numbers)


def _two_nearest(position):
    """The whole numbers on both sides of a position, each with its linear weight."""
    below = math.floor(position)
    return [(below, below + 1 - position), (below + 1, position - below)]


def _cells_of_gradients(grey):
    """Magnitudes of gradients by row and column of 4 × 4 cells and by orientation, trilinear."""
    cells = [[[0.0] * 8 for _ in range(4)] for _ in range(4)]
    for row in range(32):
        for column in range(32):
            across = grey[row][column + 1] - grey[row][column - 1] if 0 < column < 31 else 0
            down = grey[row + 1][column] - grey[row - 1][column] if 0 < row < 31 else 0
            for i, vertical in _two_nearest((row - 3.5) / 8):  # centres: 3.5, 11.5, 19.5, 27.5
                for j, horizontal in _two_nearest((column - 3.5) / 8):
                    cell = cells[min(max(i, 0), 3)][min(max(j, 0), 3)]
                    for k, angular in _two_nearest(math.atan2(down, across) / (math.pi / 8)):
                        weight = vertical * horizontal * angular
                        cell[k % 8] += weight * math.hypot(down, across)
    return cells


def descriptor(grey, hue, saturation):
    """HOG and colour of a thumbnail of 32 × 32; hue in 0 … 179, saturation in 0 … 255."""
    cells = _cells_of_gradients(grey)
    gradients = []
    for block_row in range(3):
        for block_column in range(3):
            block = []
            for row in (block_row, block_row + 1):
                for column in (block_column, block_column + 1):
                    block += cells[row][column]
            clipped = [min(number, 0.2) for number in _unit(block, 1e-5)]
            gradients += _unit(clipped, 1e-5)
    shares = [0.0] * 32
    for row in range(32):
        for column in range(32):
            place = int(hue[row][column] / 22.5) * 4 + int(saturation[row][column] / 64)
            shares[place] += 1 / 1024
    return _unit(_unit(gradients) + [0.5 * math.sqrt(share) for share in shares])


# --- duplicates: the distance that chance allows ------------------------------------------------


def duplicate_distance(targets, expected, grid, false_share, local_share, significance):
    """The distance of the largest gain among those where chance is a small share of the pairs."""
    best_gain, best_distance = -math.inf, None
    for found, chance, distance in zip(targets, expected, grid, strict=True):
        if found == 0 or chance > false_share * found:
            continue
        fewer = sum(math.exp(-chance) * chance**k / math.factorial(k) for k in range(min(found, 9)))
        if 1 - fewer > significance:  # a chance of at least so many pairs; nine are always enough
            continue
        if local_share * found - chance > best_gain:
            best_gain, best_distance = local_share * found - chance, distance
    return best_distance


# --- duplicates: contents, groups, outliers -----------------------------------------------------


def pairs_of_copies(digests):
    """Pairs of rows with one content."""
    n = len(digests)
    return [
        (i, j)
        for i in range(n)
        for j in range(i + 1, n)
        if digests[i] is not None and digests[i] == digests[j]
    ]


def pairs_of_rows(digests, item_pairs):
    """(i, j, distance) of all pairs of rows, from the distances of pairs of contents."""
    found = []
    for one, other, distance in item_pairs:
        for i, left in enumerate(digests):
            for j, right in enumerate(digests):
                if left == one and right == other:
                    found.append((min(i, j), max(i, j), distance))
    return sorted(found)


def joined_labels(n, links):
    """Labels of n items, equal for those that links join."""
    labels = list(range(n))
    for i, j in links:
        old, new = labels[j], labels[i]
        labels = [new if label == old else label for label in labels]
    return labels


def best_of_group(rows):
    """Position of the row that stays: without a flaw, large, of high quality, a large file."""

    def rank(position):
        row = rows[position]
        quality = row.get("quality_score", 1.0)
        return (quality >= 0.5, row["size"], quality, row["file_size"], -position)

    return max(range(len(rows)), key=rank)


def neighbour_score(vector, others, n_neighbors):
    """1 − half the mean cosine distance to the nearest of other vectors."""
    nearest = sorted(cosine(vector, other) for other in others)[:n_neighbors]
    return 1 - math.fsum(nearest) / len(nearest) / 2


# --- signal: noise, compression, pixelation ------------------------------------------------------


def noise_sigma(rgb):
    """Immerkær's mask block by block, on an image whose sides are multiples of 8."""
    green = rgb[..., 1].astype(float)
    mirrored = np.pad(green, 1, mode="reflect")
    height, width = green.shape
    sigmas, shot_sigmas = [], []
    for top in range(0, height, 8):
        for left in range(0, width, 8):
            responses, values = [], []
            for y in range(top, top + 8):
                for x in range(left, left + 8):
                    near = mirrored[y : y + 3, x : x + 3]
                    corners = near[0, 0] + near[0, 2] + near[2, 0] + near[2, 2]
                    edges = near[0, 1] + near[1, 0] + near[1, 2] + near[2, 1]
                    responses.append(abs(corners - 2 * edges + 4 * near[1, 1]))
                    values.append(near[1, 1])
            if sum(value in (0, 255) for value in values) > 0.05 * 64:
                continue
            sigma = math.sqrt(math.pi / 2) / 6 * sum(responses) / 64
            sigmas.append(sigma)
            shot_sigmas.append(sigma * math.sqrt(127.5 / max(sum(values) / 64, 8)))
    return 4 / 3 * max(float(np.quantile(sigmas, 0.02)), float(np.quantile(shot_sigmas, 0.02)))


def blockiness(grey):
    """Log ratios position by position, of an image of at most 32 strips along each axis."""
    best = []
    for picture in (grey.astype(float), grey.T.astype(float)):
        height, width = picture.shape
        by_phase = {phase: [] for phase in range(8)}
        for top in range(0, height - 7, 8):
            strip = picture[top : top + 8]

            def jump(x, strip=strip):  # between the columns x - 1 and x
                steps = [strip[:, x + k] - strip[:, x + k - 1] for k in (-1, 0, 1)]
                return float(np.abs(steps[1] - (steps[0] + steps[2]) / 2).mean())

            for x in range(8, width - 7):
                left = sum(jump(x - k) for k in (2, 3, 4, 5, 6)) / 5
                right = sum(jump(x + k) for k in (2, 3, 4, 5, 6)) / 5
                if jump(x) + (left + right) / 2 < 1:
                    continue
                ratio = math.log(jump(x) + 0.5)
                ratio -= (math.log(left + 0.5) + math.log(right + 0.5)) / 2
                by_phase[x % 8].append(ratio)
        candidates = [
            (float(np.mean(ratios)), float(np.std(ratios)) / math.sqrt(len(ratios)))
            for ratios in by_phase.values()
            if len(ratios) > 1
        ]
        best.append(max(candidates, key=lambda c: c[0] - 2 * c[1], default=(0.0, 0.0)))
    mean = sum(m for m, _ in best) / 2
    error = math.sqrt(sum(e**2 for _, e in best)) / 2
    return max(0.0, mean - 2 * error)


def spectral_extent(grey):
    """By the definition of the discrete Fourier transform, with every segment of 32 pixels."""
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / 31) for n in range(32)]
    total = np.zeros(17)
    for picture in (grey.astype(float), grey.T.astype(float)):
        segments = [
            row[start : start + 32] for row in picture for start in range(0, len(row) - 31, 32)
        ]
        for k in range(17):
            wave = np.exp(-2j * math.pi * k * np.arange(32) / 32)
            powers = [abs(np.sum((s - s.mean()) * window * wave)) ** 2 for s in segments]
            total[k] += np.mean(powers) / sum(w**2 for w in window)
    weighted = [
        max(total[k] - 4 / 12, 0) * 4 * math.sin(math.pi / 2 * k / 16) ** 2 for k in range(17)
    ]
    goal, below = 0.95 * sum(weighted), 0.0
    for k in range(17):
        if below + weighted[k] >= goal:
            return (k - 1 + (goal - below) / weighted[k]) / 16
        below += weighted[k]
    raise AssertionError("unreachable")


# --- perturbations: light ------------------------------------------------------------------------


def expose(value, ev):
    """One sRGB value after 2 ** ev times the light."""
    encoded = value / 255
    linear = encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4
    linear = min(1.0, linear * 2**ev)
    if linear <= 0.0031308:
        return 255 * 12.92 * linear
    return 255 * (1.055 * linear ** (1 / 2.4) - 0.055)


# ------------------------------------------------------------------------------ validation


def validation_score(scores, limits):
    """The overall score: each limit stands at one half, the lowest counts."""
    lowest = 1.0
    for issue, score in scores.items():
        limit = limits[issue]
        if score < limit:
            lowest = min(lowest, 0.5 * score / limit)
        elif limit < 1:
            lowest = min(lowest, 0.5 + 0.5 * (score - limit) / (1 - limit))
    return lowest


def holm(p_values):
    """Corrected p-values, after Holm's steps: the k-th smallest of n times n - k, never falling."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for k, position in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - k) * p_values[position]))
        corrected[position] = largest
    return corrected


# ------------------------------------------------------------------------------ the store of rows


def write_rows(rows, identities, cells, versions):
    """What a store holds after a write: of each key its stamp, and of each column version, cell."""
    last = {identity[0]: position for position, identity in enumerate(identities) if identity}
    for key, position in last.items():
        stamp = identities[position][1]
        if key not in rows or rows[key][0] != stamp:
            rows[key] = (stamp, {})
        for name, version in versions.items():
            rows[key][1][name] = (version, cells[name][position])


def lookup_rows(rows, identities, versions):
    """Of each identity its cells, or None where they are not all stored as wanted."""
    found = []
    for identity in identities:
        stamp, stored = rows.get(identity[0], (None, {})) if identity else (None, {})
        usable = identity is not None and stamp == identity[1]
        usable = usable and all(
            name in stored and stored[name][0] == version for name, version in versions.items()
        )
        found.append({name: stored[name][1] for name in versions} if usable else None)
    return found


# --- signal: repetition and edges ----------------------------------------------------------------


def edge_frequency(grey):
    """Second differences over first ones, pixel by pixel, in whole numbers up to the division."""
    rows, columns = grey.shape
    pixel = grey.tolist()
    frequencies = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        first, second = [], []
        for y in range(rows):
            for x in range(columns):
                if y + down < rows and 0 <= x + right < columns:
                    first.append((pixel[y + down][x + right] - pixel[y][x]) ** 2)
                if y + 2 * down < rows and 0 <= x + 2 * right < columns:
                    middle = pixel[y + down][x + right]
                    far = pixel[y + 2 * down][x + 2 * right]
                    second.append((far - 2 * middle + pixel[y][x]) ** 2)
        gradient = sum(first) / len(first) + 4
        frequencies.append(sum(second) / len(second) / (4 * gradient))
    return math.sqrt(min(1, *frequencies))


def block_repetition(grey):
    """The rule of the gaps, of an image with sides below 512; no factor is that of few gaps."""
    share = 1.0
    for picture in (grey.tolist(), grey.T.tolist()):
        lines, width = len(picture), len(picture[0])
        if width < 4:
            continue
        sums = [sum(abs(line[x + 1] - line[x]) for line in picture) for x in range(width - 1)]
        largest = [max(sums[max(0, x - 16) : x + 17]) for x in range(width - 1)]
        real = [x for x in range(width - 1) if 10 * sums[x] > largest[x] and 2 * largest[x] > lines]
        gaps = [after - before for before, after in pairwise(real)]
        if len(gaps) < 2:
            continue
        usual = [gap for gap in gaps if abs(gap - float(np.median(gaps))) <= 1]
        if len(usual) < 0.8 * len(gaps):
            continue
        factor = sum(usual) / len(usual)
        if len(gaps) >= 8 or max(real[0] + 1, width - 1 - real[-1]) <= factor + 1:
            share /= factor
    return share


# --- measurements: exposure, content, hashes -----------------------------------------------------


def percentile(numbers, percent):
    """Linear interpolation between the two numbers around a position among the sorted ones."""
    ordered = sorted(numbers)
    position = percent / 100 * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def brightness_bins(rgb):
    """Perceived brightness of each pixel in sixteenths of a grey level, not rounded."""
    return [
        16 * math.sqrt(0.241 * red**2 + 0.691 * green**2 + 0.068 * blue**2)
        for red, green, blue in rgb.reshape(-1, 3).tolist()
    ]


def pooled_entropy(rgb):
    """Bits of a level of a channel, drawn at random from all pixels and channels."""
    counts = {}
    for pixel in rgb.reshape(-1, 3).tolist():
        for channel, level in enumerate(pixel):
            counts[channel, level] = counts.get((channel, level), 0) + 1
    return -math.fsum(c / rgb.size * math.log2(c / rgb.size) for c in counts.values())


def cosine_transform(picture, frequencies):
    """The unnormalised type-II transform of a picture, its lowest frequencies, term by term."""

    def wave(k, n, length):
        return math.cos(math.pi * k * (2 * n + 1) / (2 * length))

    height, width = len(picture), len(picture[0])
    return [
        [
            4
            * math.fsum(
                float(picture[y][x]) * wave(u, y, height) * wave(v, x, width)
                for y in range(height)
                for x in range(width)
            )
            for v in range(frequencies)
        ]
        for u in range(frequencies)
    ]


# ------------------------------------------------------------------------ the command line


def groups_of_equal_files(folder):
    """Return the sets of files of a folder that are equal byte for byte, of two at least."""
    groups = []
    for path in sorted(folder.iterdir()):
        for group in groups:
            if path.read_bytes() == group[0].read_bytes():
                group.append(path)
                break
        else:
            groups.append([path])
    return [{str(path) for path in group} for group in groups if len(group) > 1]


# ---------------------------------------------------------------------------------- the plots


def counts_by_colour(scores, threshold, group_below=None):
    """Scores that are flagged or not, within the separate low group or not."""
    counts = {}
    for score in scores:
        if math.isnan(score):
            continue
        grouped = group_below is not None and score < group_below
        what = ("separate low group, " if grouped else "") + (
            "flagged" if score < threshold else "not flagged"
        )
        counts[what] = counts.get(what, 0) + 1
    return counts


def f1(labels, flags):
    """Twice the images rightly flagged, over all flagged and all bad ones."""
    both = sum(1 for label, flag in zip(labels, flags, strict=True) if label == flag == 1)
    either = sum(labels) + sum(flags)
    return 2 * both / either if either else 0.0


def elbows_cross(one, other):
    """Whether lines that go up, then right, cross: each given as (x, height, end)."""
    return any(
        x < standing[0] < end and 0 < height < standing[1]
        for (x, height, end), standing in ((one, other), (other, one))
    )


def overlap(one, other):
    """Whether two boxes (left, bottom, right, top) share more than a pixel's width and height."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width > 1 and height > 1


# ---------------------------------------------------------------- reports


def changes_between(first, second):
    """What became of each image: whether it is flagged in the first, and in the second."""
    status = {}
    for name in [*first, *second]:
        if name not in second:
            status[name] = "removed"
        elif name not in first:
            status[name] = "added"
        elif first[name] and second[name]:
            status[name] = "unchanged"
        elif first[name]:
            status[name] = "fixed"
        elif second[name]:
            status[name] = "new"
        else:
            status[name] = "fine"
    return status


def pixel_digest(rgb):
    """Digest of an image of more than 131,072 bytes, with Python's own integers."""
    data = rgb.tobytes()
    golden = 0x9E3779B97F4A7C15
    rows = len(data) // (4096 * 8)
    states = []
    for lane in range(4096):
        state = golden
        for row in range(rows):
            start = (row * 4096 + lane) * 8
            state ^= int.from_bytes(data[start : start + 8], "little")
            state = state * golden % 2**64
            state ^= state >> 32
        states.append(state.to_bytes(8, "little"))
    rest = data[rows * 4096 * 8 :]
    text = f"{rgb.shape[0]}x{rgb.shape[1]}:".encode()
    return hashlib.sha256(text + b"".join(states) + rest).hexdigest()[:32]
