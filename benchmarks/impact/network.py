"""The network of the paper's Table A-I and its training, in PyTorch."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

try:
    import torch
    from torch import nn
except ImportError as error:
    raise ImportError("the study needs PyTorch: pip install 'imagequality[torch]'") from error

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

N_CLASSES = 10
# The standard deviation of a standard normal variable cut off at ±2, by which Keras' he_normal
# divides.
_DEVIATION_OF_TRUNCATED = 0.87962566103423978


@dataclass(frozen=True)
class Training:
    """How one network is trained.

    Parameters
    ----------
    steps : int
        Batches in all: the same for every data set, so that a smaller one is not also trained
        less.
    batch_size : int
        Images a step. The images are shuffled anew whenever fewer than that are left.
    learning_rate : float
        The highest of the one-cycle schedule of Adam.
    precision : {"bfloat16", "float32"}
        What the layers compute in; weights and the optimiser are always float32.
    """

    steps: int
    batch_size: int
    learning_rate: float
    precision: str = "bfloat16"


def paper_network() -> nn.Sequential:
    """Return the network of Table A-I, with new random weights.

    Convolutions keep the size ("same"). All layers but the last are initialised as Keras'
    ``he_normal`` (the last: Glorot uniform, Keras' default), all biases are 0. The softmax of
    the last layer is part of the loss, so the output are logits. ELU comes behind the pooling
    instead of before it: it never decreases, so the result is the same, for a quarter of the work.

    Returns
    -------
    network : torch.nn.Sequential
        Takes float tensors of shape (n, 3, 32, 32), values in [0, 1]; returns (n, 10).
    """
    network = nn.Sequential(
        nn.Conv2d(3, 32, 7, padding="same"),
        nn.MaxPool2d(2),
        nn.ELU(inplace=True),
        nn.Conv2d(32, 64, 3, padding="same"),
        nn.ELU(inplace=True),
        nn.Conv2d(64, 64, 3, padding="same"),
        nn.MaxPool2d(2),
        nn.ELU(inplace=True),
        nn.Flatten(),
        nn.Linear(4096, 64),
        nn.ELU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(64, 32),
        nn.ELU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(32, N_CLASSES),
    )
    layers = [layer for layer in network if isinstance(layer, nn.Conv2d | nn.Linear)]
    for layer in layers[:-1]:
        _he_normal(layer)
    nn.init.xavier_uniform_(layers[-1].weight)
    for name, values in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(values)
    return network


def _he_normal(layer: Any) -> None:
    fan_in = layer.weight[0].numel()
    deviation = math.sqrt(2 / fan_in) / _DEVIATION_OF_TRUNCATED
    nn.init.trunc_normal_(layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation)


def best_device() -> torch.device:
    """Return the GPU where there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name(device: torch.device) -> str:
    """Return the name of a device for people."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU, {torch.get_num_threads()} thread(s), {platform.machine()}"


def train(
    images: Images,
    labels: Labels,
    training: Training,
    seed: int,
    device: torch.device,
    on_step: Callable[[int], None] = lambda step: None,
) -> nn.Sequential:
    """Train the network from scratch.

    Parameters
    ----------
    images : ndarray of shape (n, 32, 32, 3), uint8
        RGB; at least a batch of them.
    labels : ndarray of shape (n,), int64
        Classes from 0 to 9.
    training : Training
        The budget.
    seed : int
        Of the weights, the order of the images and the dropouts.
    device : torch.device
        Where to train.
    on_step : callable, optional
        Called with the number of steps done after each.

    Returns
    -------
    network : torch.nn.Sequential
    """
    torch.manual_seed(seed)
    network: Any = paper_network()
    network.to(device, memory_format=torch.channels_last)
    pixels, targets = torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.learning_rate, total_steps=training.steps
    )
    loss_of = nn.CrossEntropyLoss()
    network.train()
    batches = _batches(len(images), training.batch_size)
    for step in range(1, training.steps + 1):
        batch = next(batches).to(device)
        with _autocast(device, training.precision):
            logits = network(_as_input(pixels[batch]))
        loss = loss_of(logits.float(), targets[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        on_step(step)
    return cast(nn.Sequential, network)


def _batches(n: int, size: int) -> Iterator[torch.Tensor]:
    """Yield rows for ever, in epochs of random order without the last, smaller batch."""
    if n < size:
        raise ValueError(f"a batch of {size} needs as many images, got {n}")
    while True:
        yield from torch.randperm(n)[: n - n % size].split(size)


def predict(
    network: nn.Sequential, images: Images, training: Training, device: torch.device
) -> Labels:
    """Return the most probable class of each image.

    Parameters
    ----------
    network : torch.nn.Sequential
        As :func:`train` returns it.
    images : ndarray of shape (n, 32, 32, 3), uint8
        RGB.
    training : Training
        Its precision is used.
    device : torch.device
        Where the network is.

    Returns
    -------
    classes : ndarray of shape (n,), int64
    """
    network.eval()
    pixels = torch.from_numpy(images).to(device)
    with torch.inference_mode(), _autocast(device, training.precision):
        parts = [network(_as_input(part)).argmax(dim=1) for part in pixels.split(500)]
    return np.asarray(torch.cat(parts).cpu().numpy(), dtype=np.int64)


def _as_input(pixels: torch.Tensor) -> torch.Tensor:
    """Bring (n, 32, 32, 3) uint8 to (n, 3, 32, 32) in [0, 1]; already in channels-last order."""
    return pixels.permute(0, 3, 1, 2).float().div_(255)


def _autocast(device: torch.device, precision: str) -> Any:
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
