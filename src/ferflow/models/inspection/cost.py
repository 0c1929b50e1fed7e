"""What an image costs: operations, which are counted, and time, measured once for a file and a device."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import keras
import numpy as np
from keras import layers

from ferflow.models.inference import predict_batch
from ferflow.models.inspection.graph import Step, all_steps

#: Images in a forward pass that are timed: one as in an application, many as in a service.
BATCHES: Final = (1, 64)

_SECONDS: Final = 0.4  # for each batch size, after a first pass that is not counted
_MOST_PASSES: Final = 50

_AT_OUTPUTS: Final = (
    layers.Dense,
    *(layers.Conv1D, layers.Conv2D, layers.Conv3D),
    *(layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.SeparableConv1D, layers.SeparableConv2D),
)
_AT_INPUTS: Final = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_KERNELS: Final = ("kernel", "depthwise_kernel", "pointwise_kernel")
#: What multiplies and adds without weights of its own, as attention does: layers and functions by name.
_PRODUCTS: Final = frozenset({"AdditiveAttention", "Attention", "Dot", "Einsum", "Matmul", "Tensordot"})


def flops(model: keras.Model) -> int | None:
    """Return the floating-point operations of one image: two for each multiplication with its addition.

    Counted are those of convolutions and dense layers, as in the papers' tables (which often give
    multiply-additions, half of it). Biases, normalisation, activations and pooling are left out: they are
    some percent, and depend on how a backend fuses them.

    Args:
        model: A functional model of fixed image size.

    Returns:
        None if a layer multiplies in a way that is not known here.
    """
    total = 0
    for step in all_steps(model):
        count = flops_of_step(step)
        if count is None:
            return None
        total += count
    return total


def flops_of_step(step: Step) -> int | None:
    """Return the floating-point operations of one step, as `flops` counts them."""
    operation = step.operation
    kernels = [kernel for name in _KERNELS if (kernel := getattr(operation, name, None)) is not None]
    if isinstance(operation, _AT_OUTPUTS):
        places = _places(step.output, operation)
    elif isinstance(operation, _AT_INPUTS):
        places = _places(step.inputs[0], operation)
    else:
        weights = getattr(operation, "weights", [])
        unknown = type(operation).__name__ in _PRODUCTS or any(_is_matrix(weight) for weight in weights)
        return None if unknown else 0
    # Every weight of a kernel is used once at every place, in groups and depthwise too.
    return 2 * places * sum(math.prod(kernel.shape) for kernel in kernels)


def measured_or_kept(
    kept: Iterable[object], load: Callable[[], keras.Model], *, made_of: Mapping[str, Any], device: str
) -> dict[str, Any]:
    """Return milliseconds an image in each batch size, of a model on a device.

    Times differ from one measurement to the next. What is known of the same model on the same device is
    therefore kept, so that a pipeline that runs again changes nothing.

    Args:
        kept: What earlier calls returned, or anything else; the first that fits is returned.
        load: Returns the model if it must be measured: one that takes raw uint8 images of fixed size.
        made_of: What decides how much there is to compute, as JSON knows it: the SHA-256 of files, say.
        device: What the model runs on, from `described`.

    Returns:
        `device`, `keras`, all of `made_of`, and `milliseconds_per_image` by batch size, e.g.
        `{"1": 4.2, "64": 0.8}`.
    """
    of = {"device": device, "keras": keras.__version__, **made_of}
    for cost in kept:
        if isinstance(cost, dict) and _is_cost(cost, of):
            return {key: cost[key] for key in (*of, "milliseconds_per_image")}
    model = load()
    return of | {"milliseconds_per_image": {str(batch): _milliseconds(model, batch) for batch in BATCHES}}


def described(name: str, *, threads: int | None) -> str:
    """Return what times are of: a device, and on a CPU how many threads of it."""
    return name if threads is None else f"{name}, {threads} threads"


def _is_cost(cost: dict[str, Any], of: dict[str, Any]) -> bool:
    times = cost.get("milliseconds_per_image")
    if not isinstance(times, dict) or [*times] != [str(batch) for batch in BATCHES]:
        return False
    known = {key: cost.get(key) for key in of} == of
    return known and all(isinstance(value, float) and value > 0 for value in times.values())


def _milliseconds(model: keras.Model, batch: int) -> float:
    """Return the median time of a forward pass, of an image, to three significant digits."""
    shape = (batch, *model.input.shape[1:])
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    predict_batch(model, images)  # compiles, and takes its memory
    times: list[float] = []
    while not times or (sum(times) < _SECONDS and len(times) < _MOST_PASSES):
        start = time.perf_counter()
        predict_batch(model, images)
        times.append(time.perf_counter() - start)
    return float(f"{1000 * statistics.median(times) / batch:.3g}")


def _places(tensor: Any, layer: Any) -> int:
    first_channels = getattr(layer, "data_format", None) == "channels_first"
    return math.prod(tensor.shape[2:] if first_channels else tensor.shape[1:-1])


def _is_matrix(weight: Any) -> bool:
    return len(weight.shape) > 1
