"""What an image looks like as a vector: oriented gradients and colours of a thumbnail."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._pixels import to_grey
from ._views import VIEWS, View

_SIDE = 32  # pixels of the thumbnail
_CELLS = 4  # cells along a side, of 8 × 8 pixels
_ORIENTATIONS = 8  # over half a turn: the sign of a gradient does not count
_BLOCKS = _CELLS - 1  # overlapping blocks of 2 × 2 cells along a side
_GRADIENT_SHAPE = (_BLOCKS, _BLOCKS, 2, 2, _ORIENTATIONS)
_GRADIENT_LENGTH = int(np.prod(_GRADIENT_SHAPE))
_LARGEST_SHARE = 0.2  # of one orientation in its block (Dalal & Triggs)
_NOISE_FLOOR = 1e-5  # grey levels²: keeps a block without gradients at zero

_HUES, _SATURATIONS = 8, 4
_COLOURS = _HUES * _SATURATIONS
_HUE_STEPS = 180  # OpenCV's hues of 8-bit images are 0 … 179
_COLOUR_WEIGHT = np.float32(0.5)

DESCRIPTOR_LENGTH = _GRADIENT_LENGTH + _COLOURS
"""Numbers in a :func:`descriptor`: 288 of gradients, 32 of colours."""

CROP = 0.85
"""Share of either side of an image that each of the :func:`descriptor_crops` keeps."""

# Pixels of the thumbnail that the crops are cut from. What a crop leaves, 54 − 46, is a multiple
# of two, so that the crop in the middle lies in the middle, in a mirrored image too. And 46 : 32
# is a ratio of an odd number, 23 : 16, so that no average of whole levels lies halfway between
# two of them, where rounding would depend on the order of the sum.
_WIDE_SIDE = 54
_CROP_SIDE = round(CROP * _WIDE_SIDE)
_CROP_END = _WIDE_SIDE - _CROP_SIDE
_CROP_CORNERS = (
    *((top, left) for top in (0, _CROP_END) for left in (0, _CROP_END)),
    (_CROP_END // 2, _CROP_END // 2),
)

CROPS = len(_CROP_CORNERS)
"""Number of crops in :func:`descriptor_crops`."""


def _cell_weights() -> NDArray[np.float32]:
    """Return how much each pixel counts in each cell, of shape (16, 1024).

    Along a side a pixel counts for the two cells whose centres are nearest, the more the nearer;
    beyond the outermost centres for the outermost cell only.
    """
    width = _SIDE // _CELLS
    position = np.clip((np.arange(_SIDE) + 0.5) / width - 0.5, 0, _CELLS - 1)  # in cells
    along = np.maximum(0, 1 - np.abs(position - np.arange(_CELLS)[:, np.newaxis]))
    return np.kron(along, along).astype(np.float32)


_CELL_WEIGHTS = _cell_weights()
_PIXELS = _SIDE * _SIDE
# Of each place in a block, in which cell of the thumbnail it lies: block row, block column, row
# and column of the cell in the block.
_BLOCK_ROW, _BLOCK_COLUMN, _ROW_INSIDE, _COLUMN_INSIDE = np.indices(_GRADIENT_SHAPE[:4])
_CELL_OF_PLACE = (_BLOCK_ROW + _ROW_INSIDE) * _CELLS + _BLOCK_COLUMN + _COLUMN_INSIDE


def descriptor(rgb: RGBArray) -> NDArray[np.float32]:
    """Describe an image by the oriented gradients and the colours of its 32 × 32 thumbnail.

    Gradients: a HOG of eight unsigned orientations in 4 × 4 cells of 8 × 8 pixels, in 3 × 3
    blocks of 2 × 2 cells, each block normalised, clipped at 0.2 and normalised again, all of it
    scaled to unit norm: 288 numbers. A gradient's magnitude is shared by linear interpolation
    among the two nearest orientations and, in each direction, the two nearest cells. Colours:
    the square roots of the shares of eight hues in four saturations, 32 numbers of norm 0.5
    beside the gradients' 1. The whole is scaled to unit norm, so that the dot product of two
    descriptors is their cosine similarity.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    vector : ndarray of shape (320,), float32, in [0, 1]
        Ordered by block row, block column, row and column of the cell in the block, and
        orientation; then by hue and saturation. Without any gradient, the gradients' part is
        zero.

    Notes
    -----
    The orientations are centred on the multiples of π/8, and the weights are symmetric, so a
    mirrored or turned thumbnail has the same numbers in another order, to rounding; see
    :func:`descriptor_views`. The trilinear interpolation is that of Dalal and Triggs, but a
    pixel counts alike in all blocks that hold its cell, and the outer half of an outer cell
    counts for that cell only.

    References
    ----------
    N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    >>> vector = descriptor(image)
    >>> vector.shape, bool(np.isclose(vector @ vector, 1))
    ((320,), True)
    """
    return _describe(thumbnail(rgb)[np.newaxis])[0]


def descriptor_crops(rgb: RGBArray) -> NDArray[np.float32]:
    """Describe five crops of an image, each of 85 % of its height and of its width.

    An image that was cropped is nearer to one of them than to the whole image.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    vectors : ndarray of shape (5, 320), float32, in [0, 1]
        The descriptors, see :func:`descriptor`, of the crops at the top left, top right, bottom
        left and bottom right corner, and in the middle.

    Notes
    -----
    The crops are cut from a 54 × 54 thumbnail, 46 pixels to a side, and brought to 32 × 32 as
    the image itself is, which costs less than to crop and shrink the image. A view of that
    thumbnail has the views of the crops in another order.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    >>> crops = descriptor_crops(image)
    >>> corner = descriptor(image[:43, :51])
    >>> crops.shape, int(np.argmax(crops @ corner))
    ((5, 320), 0)
    """
    return _describe(_crops(rgb))


def descriptor_with_crops(rgb: RGBArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return :func:`descriptor` and :func:`descriptor_crops`, faster than one after the other.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    vector : ndarray of shape (320,), float32
    vectors : ndarray of shape (5, 320), float32

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    >>> vector, crops = descriptor_with_crops(image)
    >>> bool((vector == descriptor(image)).all() and (crops == descriptor_crops(image)).all())
    True
    """
    vectors = _describe(np.concatenate([thumbnail(rgb)[np.newaxis], _crops(rgb)]))
    return vectors[0], vectors[1:]


def thumbnail(rgb: RGBArray, side: int = _SIDE) -> RGBArray:
    """Bring an image to a square: longer sides by averaging, shorter by interpolation.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    side : int, default=32
        Of the square, in pixels.

    Returns
    -------
    small : ndarray of shape (side, side, 3), uint8
        The image itself where it has this shape.

    Examples
    --------
    >>> import numpy as np
    >>> thumbnail(np.full((1, 500, 3), 7, np.uint8)).shape
    (32, 32, 3)
    """
    height, width = rgb.shape[:2]
    # Two steps, since OpenCV averages only where no side is enlarged.
    shrunk = min(width, side), min(height, side)
    if shrunk != (width, height):
        rgb = np.asarray(cv2.resize(rgb, shrunk, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if shrunk != (side, side):
        enlarged = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_LINEAR)
        rgb = np.asarray(enlarged, dtype=np.uint8)
    return rgb


def _crops(rgb: RGBArray) -> NDArray[np.uint8]:
    """Thumbnails of the crops, of shape (5, 32, 32, 3)."""
    wide = thumbnail(_halved(rgb, _WIDE_SIDE), _WIDE_SIDE)
    return np.stack(
        [
            thumbnail(wide[top : top + _CROP_SIDE, left : left + _CROP_SIDE])
            for top, left in _CROP_CORNERS
        ]
    )


def _halved(rgb: RGBArray, side: int) -> RGBArray:
    """Halve an image for as long as its sides are even and do not get shorter than ``side``.

    The average of averages is the same but for the rounding to whole levels, and OpenCV is
    several times as fast at halving as at other ratios.
    """
    height, width = rgb.shape[:2]
    while height % 2 == width % 2 == 0 and min(height, width) >= 2 * side:
        height, width = height // 2, width // 2
        half = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        rgb = np.asarray(half, dtype=np.uint8)
    return rgb


def _describe(thumbnails: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Descriptors of k thumbnails at once, (k, 32, 32, 3) → (k, 320).

    Each row is computed as if it were alone, to the last bit.
    """
    count = len(thumbnails)
    # One above the other they are one picture, to what looks at single pixels.
    column = thumbnails.reshape(count * _SIDE, _SIDE, 3)
    vectors = np.concatenate(
        [
            _gradients(to_grey(column).reshape(count, _SIDE, _SIDE)),
            _COLOUR_WEIGHT * _colours(column, count),
        ],
        axis=1,
    )
    return vectors / np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))


def _gradients(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """HOGs of thumbnails, of shape (k, 288) and unit norm, or zero."""
    count = len(grey)
    g = grey.astype(np.float32)
    across, down = np.zeros_like(g), np.zeros_like(g)
    across[:, :, 1:-1] = g[:, :, 2:] - g[:, :, :-2]
    down[:, 1:-1] = g[:, 2:] - g[:, :-2]
    histograms = np.matmul(_CELL_WEIGHTS, _by_orientation(across.ravel(), down.ravel(), count))
    blocks = histograms[:, _CELL_OF_PLACE].reshape(count, _BLOCKS * _BLOCKS, -1)
    blocks = np.minimum(_normalised(blocks), _LARGEST_SHARE)
    hog = _normalised(blocks).reshape(count, _GRADIENT_LENGTH)
    norms = np.sqrt((hog * hog).sum(axis=1, keepdims=True))
    return np.asarray(hog / np.where(norms > 0, norms, 1))


def _by_orientation(
    across: NDArray[np.float32], down: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Divide the magnitudes of gradients among the orientations, of shape (count, 1024, 8)."""
    magnitude = np.sqrt(across * across + down * down)
    orientation = np.arctan2(down, across) * np.float32(_ORIENTATIONS / np.pi)
    below = np.floor(orientation)
    to_the_next = magnitude * (orientation - below)
    nearest = below.astype(np.intp) % _ORIENTATIONS
    shares = np.zeros((count, _PIXELS, _ORIENTATIONS), dtype=np.float32)
    flat = shares.reshape(-1)
    start = np.arange(0, flat.size, _ORIENTATIONS)
    flat[start + nearest] = magnitude - to_the_next
    flat[start + (nearest + 1) % _ORIENTATIONS] = to_the_next
    return shares


def _normalised(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    squares = (blocks * blocks).sum(axis=-1, keepdims=True)
    return np.asarray(blocks / np.sqrt(squares + np.float32(_NOISE_FLOOR)))


def _colours(rgb: RGBArray, count: int) -> NDArray[np.float32]:
    """Square roots of the shares of hues and saturations, of shape (count, 32) and unit norm.

    The thumbnails lie one above the other.
    """
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV).reshape(count, _PIXELS, 3)
    hue = hsv[..., 0].astype(np.intp) * _HUES // _HUE_STEPS
    saturation = hsv[..., 1].astype(np.intp) * _SATURATIONS // 256
    places = hue * _SATURATIONS + saturation
    places += _COLOURS * np.arange(count)[:, np.newaxis]
    counts = np.bincount(places.ravel(), minlength=count * _COLOURS).reshape(count, _COLOURS)
    return np.sqrt(counts / _PIXELS).astype(np.float32)


def _order(view: View) -> NDArray[np.intp]:
    """Return where each number of a view's descriptor stands in that of the picture itself."""
    positions = np.arange(DESCRIPTOR_LENGTH)
    gradients = positions[:_GRADIENT_LENGTH].reshape(_GRADIENT_SHAPE)
    orientations = np.arange(_ORIENTATIONS)
    quarter_turn = _ORIENTATIONS // 2
    # An orientation of angle α becomes 90° − α in the transposed picture and −α in a flipped
    # one; blocks and the cells within them trade places as the pixels do.
    if view.transpose:
        gradients = gradients.transpose(1, 0, 3, 2, 4)
        gradients = gradients[..., (quarter_turn - orientations) % _ORIENTATIONS]
    if view.flip_rows:
        gradients = gradients[::-1, :, ::-1][..., -orientations % _ORIENTATIONS]
    if view.flip_columns:
        gradients = gradients[:, ::-1, :, ::-1][..., -orientations % _ORIENTATIONS]
    return np.concatenate([gradients.ravel(), positions[_GRADIENT_LENGTH:]])


_ORDERS = tuple(_order(view) for view in VIEWS)


def descriptor_views(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the descriptors of all eight views of images, from those of the images.

    Exact for the views of the thumbnail, to rounding. Those of a mirrored or turned image
    differ from them by what the resampling does.

    Parameters
    ----------
    vectors : ndarray of shape (n, 320)
        From :func:`descriptor`.

    Returns
    -------
    views : ndarray of shape (8, n, 320)
        In the order of :data:`imagequality.measurements.VIEWS`; the first is ``vectors``.

    Raises
    ------
    ValueError
        If the vectors have another shape.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    >>> views = descriptor_views(descriptor(image)[np.newaxis])
    >>> views.shape, bool(np.allclose(views[1, 0], descriptor(image[:, ::-1])))
    ((8, 1, 320), True)
    """
    if vectors.ndim != 2 or vectors.shape[1] != DESCRIPTOR_LENGTH:
        raise ValueError(
            f"vectors must have the shape (n, {DESCRIPTOR_LENGTH}), got {vectors.shape}"
        )
    return np.stack([vectors[:, order] for order in _ORDERS])
