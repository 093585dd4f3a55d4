"""Measurement tables made by hand, so that duplicates can be tested without images."""

from __future__ import annotations

import numpy as np
import pandas as pd

BITS = 64
FAR = 1000.0  # farther than any two hashes or vectors


class Embedder:
    """A transformer that says nothing of scikit-learn: the mean colour of some patches."""

    def transform(self, images):
        return [image[::8, ::8].reshape(-1)[:48] - 100.0 for image in images]


def hexadecimal(bits):
    """The bits of each row as text."""
    return [row.tobytes().hex() for row in np.packbits(bits, axis=1)]


def hash_table(bits, digests=None, **columns):
    """A table of hashes of 64 bits; each image has its own pixels unless digests are given."""
    n = len(bits)
    table = {
        "phash": hexadecimal(bits),
        "hash_contrast": 50.0,
        "pixel_digest": [f"digest {k}" for k in range(n)] if digests is None else digests,
        "size": 100.0,
        "file_size": 1000.0,
        **columns,
    }
    return pd.DataFrame(table, index=[f"{k}.png" for k in range(n)])


def random_collection(seed, n):
    """n rows in clusters of hashes: some are copies of others, some flat, some unreadable.

    Returns the table and the matrix of distances of the rows.
    """
    rng = np.random.default_rng(seed)
    centres = rng.random((n // 4 + 1, BITS)) < 0.5
    bits = centres[rng.integers(len(centres), size=n)] ^ (rng.random((n, BITS)) < 0.04)
    content = np.where(rng.random(n) < 0.25, rng.integers(n, size=n), np.arange(n))
    bits = bits[content]
    is_flat = (rng.random(n) < 0.1)[content]
    is_readable = rng.random(n) >= 0.1
    table = hash_table(
        bits,
        [f"{(7 * k) % 101:03} {k}" for k in content],
        hash_contrast=np.where(is_flat, 0.5, 50.0),
        size=rng.integers(1, 4, n).astype(float),
        file_size=rng.integers(1, 4, n).astype(float),
    )
    table.loc[~is_readable, ["phash", "pixel_digest"]] = None
    table.loc[~is_readable, ["hash_contrast", "size"]] = np.nan
    matrix = (bits[:, None] != bits[None]).sum(axis=2).astype(float)
    matrix[is_flat | ~is_readable] = matrix[:, is_flat | ~is_readable] = FAR
    matrix[(content[:, None] == content) & np.outer(is_readable, is_readable)] = 0
    np.fill_diagonal(matrix, 0)
    return table, matrix


def groups_of(labels, names=None):
    """The groups as sets of rows, or of their names."""
    labels = np.asarray(labels)
    names = np.arange(len(labels)) if names is None else np.asarray(names)
    return {frozenset(names[labels == label].tolist()) for label in set(labels.tolist()) - {-1}}
