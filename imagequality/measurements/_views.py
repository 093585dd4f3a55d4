"""The eight ways to lay a rectangular picture down: as it is, mirrored, turned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class View:
    """One of the eight views of a picture: transpose it or not, then flip its axes or not.

    Parameters
    ----------
    name : str
    transpose : bool
        Whether rows and columns change places, before anything is flipped.
    flip_rows : bool
        Whether the top becomes the bottom.
    flip_columns : bool
        Whether left becomes right.
    """

    name: str
    transpose: bool
    flip_rows: bool
    flip_columns: bool

    def of(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Show a picture in this view.

        Parameters
        ----------
        picture : ndarray of shape (h, w) or (h, w, channels)

        Returns
        -------
        view : ndarray of shape (h, w, ...) or, transposed, (w, h, ...)
            It shares the picture's memory.

        Examples
        --------
        >>> import numpy as np
        >>> VIEWS[1].name, VIEWS[1].of(np.array([[1, 2], [3, 4]])).tolist()
        ('mirror', [[2, 1], [4, 3]])
        """
        if self.transpose:
            picture = np.swapaxes(picture, 0, 1)
        if self.flip_rows:
            picture = np.flipud(picture)
        if self.flip_columns:
            picture = np.fliplr(picture)
        return picture


VIEWS = (
    View("identity", transpose=False, flip_rows=False, flip_columns=False),
    View("mirror", transpose=False, flip_rows=False, flip_columns=True),
    View("upside_down_mirror", transpose=False, flip_rows=True, flip_columns=False),
    View("half_turn", transpose=False, flip_rows=True, flip_columns=True),
    View("transpose", transpose=True, flip_rows=False, flip_columns=False),
    View("clockwise", transpose=True, flip_rows=False, flip_columns=True),
    View("counterclockwise", transpose=True, flip_rows=True, flip_columns=False),
    View("anti_transpose", transpose=True, flip_rows=True, flip_columns=True),
)
"""The eight views, in the order in which ``<hash>_views`` and ``descriptor_views`` list them.

====  ==================  ==================================  =====================
No.   Name                Of an array ``a``, by NumPy         What happens
====  ==================  ==================================  =====================
0     identity            ``a``                               nothing
1     mirror              ``np.fliplr(a)``                    left becomes right
2     upside_down_mirror  ``np.flipud(a)``                    top becomes bottom
3     half_turn           ``np.rot90(a, 2)``                  turned by 180°
4     transpose           ``np.swapaxes(a, 0, 1)``            rows become columns
5     clockwise           ``np.rot90(a, -1)``                 turned by 90°
6     counterclockwise    ``np.rot90(a, 1)``                  turned by 90°
7     anti_transpose      ``np.rot90(np.swapaxes(a, 0, 1),    transposed and turned
                          2)``                                by 180°
====  ==================  ==================================  =====================

Each odd view is the left-right mirror image of the view before it.
"""

FLIPS = VIEWS[1:4]
"""The views without a quarter turn, but for the image as it is."""
