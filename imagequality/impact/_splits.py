"""Which rows are trained on, which are tested, and which of them are spoilt.

Rows 0 … n − 1 are the images as given; row n + i is image i spoilt.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


def stratified_order(y: NDArray[Any], generator: np.random.Generator) -> Rows:
    """Shuffle so that every beginning has the classes in about their proportion.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Classes.
    generator : Generator

    Returns
    -------
    order : ndarray of shape (n,), int
        A permutation of 0 … n − 1. Among its first k there are (k / n) · m images of a class of
        m, give or take fewer than one more than there are classes.

    Examples
    --------
    >>> y = np.array([0] * 6 + [1] * 3)
    >>> order = stratified_order(y, np.random.default_rng(0))
    >>> sorted(order.tolist()) == list(range(9)), int((y[order[:6]] == 1).sum())
    (True, 2)
    """
    keys = np.empty(len(y))
    for label in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == label))
        keys[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(keys, kind="stable")


def copy_pairs(y: NDArray[Any], generator: np.random.Generator) -> tuple[Rows, Rows]:
    """Pair images of one class at random.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Classes.
    generator : Generator

    Returns
    -------
    sources, copies : ndarray of shape (n_pairs,), int
        Each image is in one pair at most; in a class of an odd number one is in none. Every
        beginning has the classes in about their proportion.
    """
    sources, copies = [], []
    for label in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == label))
        n_pairs = len(members) // 2
        sources.append(members[:n_pairs])
        copies.append(members[n_pairs : 2 * n_pairs])
    joined = np.concatenate(sources)
    order = stratified_order(y[joined], generator)
    return joined[order], np.concatenate(copies)[order]


@dataclass(frozen=True)
class Split:
    """One fold, and in which order its images are spoilt.

    So that conditions can be compared, all have the same folds, and of two shares of spoilt
    images the smaller is part of the larger.

    Attributes
    ----------
    train, test : ndarray of int
        Rows of images as given.
    train_order, test_order : ndarray of int
        Positions in ``train`` and ``test``.
    sources, copies : ndarray of int
        Positions in ``train``: of images, and of those whose place their copies take.
    seed : int
        Of the estimator's randomness.
    """

    train: Rows
    test: Rows
    train_order: Rows
    test_order: Rows
    sources: Rows
    copies: Rows
    seed: int

    def training_rows(self, share: float, n: int, *, copies: bool) -> Rows:
        """Return the rows to train on, with a share of them spoilt.

        Parameters
        ----------
        share : float in [0, 1]
            Of the images; of duplicates, of the pairs.
        n : int
            Number of images.
        copies : bool
            Whether the flaw is that images are copies of others.
        """
        rows = self.train.copy()
        places = self._spoilt_places(share, copies=copies)
        if copies:
            rows[places] = n + self.train[self.sources[: len(places)]]
        else:
            rows[places] += n
        return rows

    def cleaned_rows(self, share: float, *, copies: bool) -> Rows:
        """Return the rows to train on when the spoilt images are dropped."""
        return np.delete(self.train, self._spoilt_places(share, copies=copies))

    def testing_rows(self, share: float, n: int) -> Rows:
        """Return the rows to test on, with a share of them spoilt."""
        rows = self.test.copy()
        rows[self.test_order[: round(share * len(rows))]] += n
        return rows

    def _spoilt_places(self, share: float, *, copies: bool) -> Rows:
        places = self.copies if copies else self.train_order
        return places[: round(share * len(places))]


def make_splits(
    folds: Iterable[tuple[Any, Any]], classes: NDArray[np.intp], seed: int
) -> list[Split]:
    """Settle which images of each fold are spoilt first.

    Parameters
    ----------
    folds : iterable of (train, test) indices
    classes : ndarray of shape (n,), int
        The class of each image, by number.
    seed : int

    Returns
    -------
    splits : list of Split

    Raises
    ------
    ValueError
        If there is no fold, a part of one is empty, or less than two classes are trained on.
    """
    splits = []
    everything = np.arange(len(classes))
    for number, (train_indices, test_indices) in enumerate(folds):
        train, test = everything[train_indices], everything[test_indices]
        if not (len(train) and len(test)):
            raise ValueError(f"cv: the training or the test part of fold {number} is empty")
        if len(np.unique(classes[train])) < 2:
            raise ValueError(f"cv: the training part of fold {number} has images of one class only")
        generator = np.random.default_rng([seed, number])
        sources, copies = copy_pairs(classes[train], generator)
        splits.append(
            Split(
                train=train,
                test=test,
                train_order=stratified_order(classes[train], generator),
                test_order=stratified_order(classes[test], generator),
                sources=sources,
                copies=copies,
                seed=int(generator.integers(2**31)),
            )
        )
    if not splits:
        raise ValueError("cv: there is no fold")
    return splits
