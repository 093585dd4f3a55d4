"""Images → vectors, by a network that the user brings.

The library ships no weights and downloads none. What comes in is brought to the size that the
network takes by stretching the whole image: nothing is cropped away, so two crops of one
photograph stay different and nothing at the border is overlooked.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from types import ModuleType
from typing import Any, ClassVar, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from ._base import Interval, takes_images, validate_parameters
from .images import RGBArray, UnreadableImageError, as_references, load_image

__all__ = ["Embedder", "OnnxEmbedder", "TorchEmbedder"]

Vectors = NDArray[np.float32]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# One lock each for the process, not for the estimator: estimators are copied and pickled, and
# two of them may hold one module.
_LOADING = threading.Lock()
_RUNNING_TORCH = threading.Lock()


@runtime_checkable
class Embedder(Protocol):
    """What turns images into vectors: any object with this ``transform``.

    Every scikit-learn transformer that takes images is one.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from imagequality.embedders import Embedder
    >>> mean_colour = FunctionTransformer(
    ...     lambda images: np.array([image.mean(axis=(0, 1)) for image in images])
    ... )
    >>> isinstance(mean_colour, Embedder)
    True
    >>> mean_colour.transform([np.full((4, 6, 3), 7, np.uint8)])
    array([[7., 7., 7.]])
    """

    def transform(self, X: Any, /) -> Any:
        """Return one vector for each image.

        Parameters
        ----------
        X : sequence of ndarray of shape (h, w, 3), uint8
            RGB images; their sizes may differ.

        Returns
        -------
        vectors : ndarray of shape (n, d), float
            One row for each image, in order. It must not depend on the other images.
        """
        ...


@dataclass(frozen=True)
class _Network:
    """A network that is ready to run.

    Attributes
    ----------
    size : (int, int)
        Height and width of the images it takes, in pixels.
    batch_size : int
        Most images it takes at once.
    embed : callable
        From uint8 RGB images of shape (n, height, width, 3) to float32 vectors of shape (n, d).
    """

    size: tuple[int, int]
    batch_size: int
    embed: Callable[[RGBArray], Vectors]


class _NetworkEmbedder(TransformerMixin, BaseEstimator):
    """What the two embedders share: validation, decoding, stretching and batches."""

    batch_size: int

    def _network(self) -> _Network:
        raise NotImplementedError

    def fit(self, X: Any, y: Any = None) -> Any:
        """Check the parameters and load the network; nothing is learnt from X.

        Parameters
        ----------
        X : ignored
        y : ignored

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a parameter or the network does not fit; the message names the parameter.
        ImportError
            If the package that runs the network is missing; the message names the extra.
        """
        validate_parameters(self)
        self._network()
        return self

    def transform(self, X: Any) -> Vectors:
        """Return one vector for each image. Works without ``fit``.

        Parameters
        ----------
        X : list, tuple, ndarray, Series or one-column DataFrame
            ``(h, w, 3)`` uint8 RGB arrays of any sizes, or other references to images (str,
            Path, bytes, PIL image, array), which are decoded by the policy of
            :mod:`imagequality.images`. It may be empty.

        Returns
        -------
        vectors : ndarray of shape (n, d), float32
            As they leave the network, not normalised. No image: shape (0, d).

        Raises
        ------
        ValueError
            If an image cannot be read (:class:`~imagequality.UnreadableImageError`, the
            message tells its position), or a parameter or the network does not fit.
        ImportError
            If the package that runs the network is missing; the message names the extra.
        """
        validate_parameters(self)
        network = self._network()
        references, _ = as_references(X)
        if not len(references):
            # Only a run tells the length of the vectors.
            return network.embed(np.zeros((1, *network.size, 3), dtype=np.uint8))[:0]
        batches = [
            network.embed(_load_batch(references, start, network))
            for start in range(0, len(references), network.batch_size)
        ]
        return np.concatenate(batches)

    def __sklearn_tags__(self) -> Any:
        tags = takes_images(super().__sklearn_tags__())
        tags.requires_fit = False
        tags.input_tags.allow_nan = False
        return tags


class OnnxEmbedder(_NetworkEmbedder):
    """Vectors from an ONNX model, run by onnxruntime on the CPU.

    Needs the extra ``imagequality[onnx]``. The model is loaded at the first use, and again when
    its file has changed; copies and pickles hold the path only. A model uses one core:
    :func:`imagequality.measure` and others run it in several threads at once.

    The model must have one input, a float or uint8 tensor of shape (n, 3, h, w) or
    (n, h, w, 3); each of n, h and w may be fixed or open. A uint8 input is fed pixels as they
    are; a float input is fed ``(pixels / 255 − mean) / std``, channels in the order R, G, B.

    Parameters
    ----------
    path : str or path-like
        The model file.
    output : str, default=None
        Name of the output that is the vector; None means the first. Of an output with
        positions, (n, c, h, w) or as the input is laid out, the mean over the positions is
        taken; of one with tokens, (n, tokens, d), the mean over the tokens.
    size : int or (int, int), default=None
        Side, or height and width, in pixels, that images are brought to; None means what the
        model's input says. Needed where that leaves them open.
    mean, std : three floats, default=ImageNet's
        Of each channel, on the scale [0, 1], as in training. A model that takes floats in
        [0, 255] has ``mean=(0, 0, 0), std=(1 / 255,) * 3``.
    batch_size : int, default=32
        Images per run; a model with a fixed batch has its own.

    Notes
    -----
    What a model of timm was trained with is in
    ``timm.data.resolve_model_data_config(model)``: its ``"input_size"`` without the channels is
    ``size``, its ``"mean"`` and ``"std"`` are those here. Create it with ``num_classes=0``, so
    that it ends before the classifier.

    Images are shrunk by averaging areas and enlarged bilinearly.

    Examples
    --------
    >>> from imagequality.embedders import OnnxEmbedder
    >>> embedder = OnnxEmbedder("model.onnx", output="image_embeds", size=224)
    >>> embedder
    OnnxEmbedder(output='image_embeds', path='model.onnx', size=224)
    >>> embedder.transform(["a.jpg", "b.jpg"]).shape  # doctest: +SKIP
    (2, 512)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "path": [str, os.PathLike],
        "output": [None, str],
        "size": [None, Interval(Integral, 1, None, closed="left"), "array-like"],
        "mean": ["array-like"],
        "std": ["array-like"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        output: str | None = None,
        size: int | Sequence[int] | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        batch_size: int = 32,
    ) -> None:
        self.path = path
        self.output = output
        self.size = size
        self.mean = mean
        self.std = std
        self.batch_size = batch_size

    def _network(self) -> _Network:
        scale, offset = _scale_and_offset(self.mean, self.std)
        session = self._session()
        model_input = _only_input(session)
        channels_last, (fixed_height, fixed_width) = _layout(model_input.shape)
        size = _agreed_size(self.size, fixed_height, fixed_width)
        fixed_batch = _fixed(model_input.shape[0])
        dtype = _ONNX_DTYPES[model_input.type]
        return _Network(
            size=size,
            batch_size=fixed_batch or self.batch_size,
            embed=partial(
                _run_onnx,
                session=session,
                input_name=model_input.name,
                output_name=_output_name(session, self.output),
                fixed_batch=fixed_batch,
                channels_last=channels_last,
                prepare=np.asarray
                if dtype is np.uint8
                else partial(_normalised, scale=scale, offset=offset, dtype=dtype),
            ),
        )

    def _session(self) -> Any:
        """Return the loaded model; threads that ask at once load it once."""
        onnxruntime = _import_extra("onnxruntime", "onnx", type(self).__name__)
        path = os.fspath(self.path)
        if not os.path.isfile(path):
            raise ValueError(f"path must be an ONNX model file, got {path!r}: no such file")
        status = os.stat(path)
        version = (path, status.st_mtime_ns, status.st_size)
        with _LOADING:
            loaded = getattr(self, "_loaded", None)
            if loaded is None or loaded[0] != version:
                loaded = (version, _load_onnx(onnxruntime, path))
                self._loaded = loaded
        return loaded[1]

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_loaded", None)  # a session cannot be pickled
        return state


class TorchEmbedder(_NetworkEmbedder):
    """Vectors from a PyTorch module.

    Needs the extra ``imagequality[torch]``. The module is run in evaluation mode and without
    gradients, and is left in the mode it was in. It is fed float tensors of shape (n, 3, h, w),
    ``(pixels / 255 − mean) / std``, channels in the order R, G, B, in the type of its weights.
    One batch runs at a time in a process; torch itself decides on the cores.

    Parameters
    ----------
    module : torch.nn.Module
        From images to a tensor, or to a tuple, list or mapping, of which the first tensor is
        taken. Of an output (n, c, h, w) the mean over the positions is the vector; of one
        (n, tokens, d), the mean over the tokens. Wrap a module that returns otherwise in one
        that picks what you want.
    size : int or (int, int), default=224
        Side, or height and width, in pixels, that images are brought to.
    mean, std : three floats, default=ImageNet's
        Of each channel, on the scale [0, 1], as in training.
    batch_size : int, default=32
        Images per run.
    device : str or torch.device, default="cpu"
        Where it runs. The module is moved there and stays there.

    Notes
    -----
    For a model of timm::

        model = timm.create_model("resnet18", pretrained=True, num_classes=0)
        data = timm.data.resolve_model_data_config(model)
        TorchEmbedder(model, size=data["input_size"][1:], mean=data["mean"], std=data["std"])

    ``sklearn.base.clone`` copies the module, as it copies every parameter.

    Images are shrunk by averaging areas and enlarged bilinearly.

    Examples
    --------
    >>> import numpy as np, torch  # doctest: +SKIP
    >>> from imagequality.embedders import TorchEmbedder
    >>> module = torch.nn.Conv2d(3, 8, kernel_size=5)  # doctest: +SKIP
    >>> images = [np.zeros((40, 60, 3), np.uint8)]
    >>> TorchEmbedder(module, size=32).transform(images).shape  # doctest: +SKIP
    (1, 8)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "module": "no_validation",  # torch may not be there to say what a module is
        "size": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "mean": ["array-like"],
        "std": ["array-like"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": "no_validation",
    }

    def __init__(
        self,
        module: Any,
        *,
        size: int | Sequence[int] = 224,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        batch_size: int = 32,
        device: Any = "cpu",
    ) -> None:
        self.module = module
        self.size = size
        self.mean = mean
        self.std = std
        self.batch_size = batch_size
        self.device = device

    def _network(self) -> _Network:
        torch = _import_extra("torch", "torch", type(self).__name__)
        if not isinstance(self.module, torch.nn.Module):
            raise ValueError(f"module must be a torch.nn.Module, got {type(self.module).__name__}")
        try:
            device = torch.device(self.device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"device must be one of torch's, got {self.device!r}") from error
        scale, offset = _scale_and_offset(self.mean, self.std)
        return _Network(
            size=_agreed_size(self.size, None, None),
            batch_size=self.batch_size,
            embed=partial(
                _run_torch,
                torch=torch,
                module=self.module,
                device=device,
                prepare=partial(_normalised, scale=scale, offset=offset, dtype=np.float32),
            ),
        )


# ------------------------------------------------------------------------ parameters


def _import_extra(package: str, extra: str, user: str) -> ModuleType:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {package}: pip install 'imagequality[{extra}]' ({error})"
        ) from error


def _scale_and_offset(mean: Any, std: Any) -> tuple[Vectors, Vectors]:
    """Write ``(pixels / 255 − mean) / std`` as ``pixels · scale + offset``."""
    means, deviations = _three_numbers("mean", mean), _three_numbers("std", std)
    if not (deviations > 0).all():
        raise ValueError(f"std must be positive, got {std!r}")
    scale = 1 / (255 * deviations)
    return scale.astype(np.float32), (-means / deviations).astype(np.float32)


def _three_numbers(name: str, value: Any) -> NDArray[np.float64]:
    message = f"{name} must be three finite numbers, one for each of R, G and B, got {value!r}"
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(message) from error
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise ValueError(message)
    return numbers


def _agreed_size(size: Any, fixed_height: int | None, fixed_width: int | None) -> tuple[int, int]:
    """Bring the parameter ``size`` and the sides that a model fixes together."""
    fixed = (fixed_height, fixed_width)
    if size is None:
        if fixed_height is None or fixed_width is None:
            raise ValueError(
                "size must be given for this model: its input leaves the height or width open"
            )
        return fixed_height, fixed_width
    sides = (size, size) if isinstance(size, Integral) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, Integral) and int(side) >= 1 for side in sides):
        raise ValueError(f"size must be a positive int or (height, width), got {size!r}")
    if any(own not in (None, side) for own, side in zip(fixed, sides, strict=True)):
        raise ValueError(
            f"size must be that of the model's input, (height, width) = {fixed}, got {size!r}"
        )
    return int(sides[0]), int(sides[1])


# ---------------------------------------------------------------------------- pixels


def _load_batch(references: Sequence[Any], start: int, network: _Network) -> RGBArray:
    stop = min(start + network.batch_size, len(references))
    return np.stack(
        [_stretched(_load(references, position), network.size) for position in range(start, stop)]
    )


def _load(references: Sequence[Any], position: int) -> RGBArray:
    try:
        return load_image(references[position])
    except UnreadableImageError as error:
        raise UnreadableImageError(f"image at position {position}: {error}") from error


def _stretched(pixels: RGBArray, size: tuple[int, int]) -> RGBArray:
    """Bring an image to a height and width, averaging where it shrinks.

    In two steps, since OpenCV averages areas only if neither side grows.
    """
    height, width = size
    smaller = (min(width, pixels.shape[1]), min(height, pixels.shape[0]))
    shrunk = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    stretched = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(stretched, dtype=np.uint8)


def _normalised(
    images: RGBArray, scale: Vectors, offset: Vectors, dtype: DTypeLike
) -> NDArray[Any]:
    values = images * scale
    values += offset
    return values.astype(dtype, copy=False)


# --------------------------------------------------------------------------- vectors


def _pooled(features: Any, n_images: int, channels_last: bool, source: str) -> Vectors:
    """Bring what a network returns to one vector an image.

    Parameters
    ----------
    features : ndarray of shape (n,), (n, d), (n, tokens, d), (n, c, h, w) or (n, h, w, c)
    n_images : int
        The n that was fed.
    channels_last : bool
        Whether four axes mean (n, h, w, c).
    source : str
        The parameter that an error is put down to.

    Returns
    -------
    vectors : ndarray of shape (n, d), float32
    """
    if not isinstance(features, np.ndarray) or features.dtype.kind not in "fiub":
        raise ValueError(f"{source} must give a tensor of numbers, got {type(features).__name__}")
    if not 1 <= features.ndim <= 4:
        raise ValueError(
            f"{source} must give (n, d), (n, tokens, d) or (n, c, h, w), got {features.shape}"
        )
    if len(features) != n_images:
        raise ValueError(
            f"{source} must give one vector for each of {n_images} images, got an output of "
            f"shape {features.shape}; a model that was exported for single images needs "
            "batch_size=1"
        )
    values = features.astype(np.float32, copy=False)
    if values.ndim == 4:
        values = values.mean(axis=(1, 2) if channels_last else (2, 3))
    elif values.ndim == 3:
        values = values.mean(axis=1)
    return values.reshape(n_images, -1)


# ------------------------------------------------------------------------------ ONNX

_ONNX_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}


def _load_onnx(onnxruntime: ModuleType, path: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the caller runs it in several threads already
    options.log_severity_level = 3  # errors; what matters of them is raised
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions have no common base below Exception.
    except Exception as error:
        raise ValueError(
            f"path must be an ONNX model that onnxruntime can load, got {path!r}: {error}"
        ) from error


def _only_input(session: Any) -> Any:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in _ONNX_DTYPES or len(inputs[0].shape) != 4:
        found = ", ".join(f"{entry.name}: {entry.type} of shape {entry.shape}" for entry in inputs)
        raise ValueError(
            "path must be a model with one input, a float or uint8 tensor of shape "
            f"(n, 3, h, w) or (n, h, w, 3), got {found or 'none'}"
        )
    return inputs[0]


def _fixed(dimension: Any) -> int | None:
    """Return a dimension's length, or None if the model leaves it open (a name or nothing)."""
    return dimension if isinstance(dimension, int) and dimension > 0 else None


def _layout(shape: Sequence[Any]) -> tuple[bool, tuple[int | None, int | None]]:
    """Tell whether channels come last, and the height and width as far as they are fixed.

    Where the shape allows both, channels come first, as PyTorch exports them.
    """
    second, third, fourth = (_fixed(dimension) for dimension in shape[1:])
    if second == 3 or (second is None and fourth != 3):
        return False, (third, fourth)
    if fourth in (3, None):
        return True, (second, third)
    raise ValueError(
        f"path must be a model that takes images of three channels, got an input of shape {shape}"
    )


def _output_name(session: Any, output: str | None) -> str:
    names: list[str] = [entry.name for entry in session.get_outputs()]
    if output is None:
        return names[0]
    if output not in names:
        raise ValueError(
            f"output must be one of the model's outputs, {', '.join(names)}, got {output!r}"
        )
    return output


def _run_onnx(
    images: RGBArray,
    *,
    session: Any,
    input_name: str,
    output_name: str,
    fixed_batch: int | None,
    channels_last: bool,
    prepare: Callable[[RGBArray], NDArray[Any]],
) -> Vectors:
    values = prepare(images)
    if fixed_batch is not None:
        missing = fixed_batch - len(images)
        values = np.pad(values, ((0, missing), (0, 0), (0, 0), (0, 0)))
    if not channels_last:
        values = values.transpose(0, 3, 1, 2)
    try:
        (features,) = session.run([output_name], {input_name: np.ascontiguousarray(values)})
    # onnxruntime's exceptions have no common base below Exception.
    except Exception as error:
        raise ValueError(
            f"the model of path fails on an input of shape {values.shape}; a model that was "
            f"exported for single images needs batch_size=1: {error}"
        ) from error
    return _pooled(features, len(values), channels_last, "path and output")[: len(images)]


# ----------------------------------------------------------------------------- torch


def _run_torch(
    images: RGBArray,
    *,
    torch: Any,
    module: Any,
    device: Any,
    prepare: Callable[[RGBArray], NDArray[Any]],
) -> Vectors:
    values = np.ascontiguousarray(prepare(images).transpose(0, 3, 1, 2))
    # The mode belongs to the module: two threads would undo each other's. no_grad rather than
    # inference_mode: a tensor that the module keeps for later must stay usable in training.
    with _RUNNING_TORCH, torch.no_grad():
        module.to(device)
        tensor = torch.from_numpy(values).to(device, _weight_dtype(torch, module))
        with _evaluation_mode(module):
            output = _first_tensor(torch, module(tensor))
    features = output.detach().to("cpu", torch.float32).numpy()
    return _pooled(features, len(images), False, "module")


def _weight_dtype(torch: Any, module: Any) -> Any:
    dtypes = (weights.dtype for weights in module.parameters() if weights.is_floating_point())
    return next(dtypes, torch.float32)


@contextlib.contextmanager
def _evaluation_mode(module: Any) -> Iterator[None]:
    """Evaluate, then bring each part back to its own mode: parts may be frozen in training."""
    modes = [(part, part.training) for part in module.modules()]
    if not any(training for _, training in modes):
        yield
        return
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)  # for modules that do more than set the flag
        for part, training in modes:
            part.training = training


def _first_tensor(torch: Any, output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output
    parts: Any = ()
    if isinstance(output, Mapping):
        parts = output.values()
    elif isinstance(output, (tuple, list)):
        parts = output
    for part in parts:
        if isinstance(part, torch.Tensor):
            return part
    raise ValueError(
        "module must return a tensor, or a tuple, list or mapping that holds one, "
        f"got {type(output).__name__}"
    )
