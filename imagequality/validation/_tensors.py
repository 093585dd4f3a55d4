"""Tensors as images, without importing the packages that they come from."""

from __future__ import annotations

from typing import Any

_METHODS = ("detach", "cpu", "is_floating_point", "permute", "numpy")


def is_tensor(value: Any) -> bool:
    """Whether this is a tensor of PyTorch, or does all that one does here.

    Examples
    --------
    >>> is_tensor(b"no tensor")
    False
    """
    return all(hasattr(value, method) for method in _METHODS)


def array_of_tensor(tensor: Any) -> Any:
    """Bring a tensor to an array with the channels last.

    Parameters
    ----------
    tensor : tensor of shape (h, w) or (c, h, w)

    Returns
    -------
    array : ndarray of shape (h, w) or (h, w, c)
        Floating point of any width as float32.
    """
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()  # NumPy has no bfloat16
    if tensor.ndim == 3:
        tensor = tensor.permute(1, 2, 0)
    return tensor.numpy()
