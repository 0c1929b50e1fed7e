"""An ONNX file in int8: its ranges are those of training images, chosen by what changes the answers least."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from ferflow.data.arrays import Images
from ferflow.export.failures import told_as
from ferflow.export.graph import INPUT
from ferflow.export.onnx_float import describe, to_bytes

#: How the range of each value is found from training images.
METHODS: Final = {
    "MinMax": CalibrationMethod.MinMax,
    "Entropy": CalibrationMethod.Entropy,
    "Percentile": CalibrationMethod.Percentile,
}
_BATCH: Final = 32
#: What ends a network: the layer that gives logits.
_LAYERS: Final = {"Conv", "Gemm", "MatMul"}


def to_int8(
    model: onnx.ModelProto,
    calibration: Images,
    metadata: Mapping[str, str],
    distance: Callable[[bytes], float],
) -> tuple[bytes, str]:
    """Return a model with 8-bit weights and values, and the name of the method that found its ranges.

    Weights have 7 bits and a scale for each channel, values 8 bits: with 8 bits each, sums of two products
    overflow on x86 processors without VNNI, and the file would answer differently there. The logits and
    what comes after them stay float.

    Args:
        model: In float32.
        calibration: Training images, uint8 (N, H, W, C).
        metadata: What the file says of itself; the method is added.
        distance: How far the answers of an ONNX file are from what they should be; the least is returned.

    Raises:
        FerflowError: onnxruntime cannot quantize the model.
    """
    found = {}
    with told_as("ONNX cannot hold this model in int8"), tempfile.TemporaryDirectory() as folder:
        prepared = _prepared(model, Path(folder))
        for name in METHODS:
            content = _quantized(prepared, calibration, name, metadata)
            found[name] = (distance(content), content)
    best = min(found, key=lambda name: found[name][0])
    return found[best][1], best


def _prepared(model: onnx.ModelProto, folder: Path) -> Path:
    """Return the path of the model with its shapes inferred and its operations fused."""
    plain, prepared = folder / "plain.onnx", folder / "prepared.onnx"
    plain.write_bytes(to_bytes(model))
    # Symbolic inference is for transformers, and needs sympy.
    quant_pre_process(plain, prepared, skip_symbolic_shape=True)
    return prepared


def _quantized(prepared: Path, calibration: Images, method: str, metadata: Mapping[str, str]) -> bytes:
    target = prepared.with_name(f"{method}.onnx")
    with _without_advice():
        quantize_static(
            prepared,
            target,
            _Batches(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=float_nodes(onnx.load(prepared).graph),
            calibrate_method=METHODS[method],
            # One batch at a time: the values of all layers for all images would not fit into memory.
            extra_options={"CalibStridedMinMax": 1},
        )
    quantized = onnx.load(target)
    describe(quantized, {**metadata, "calibration": f"{method}, {len(calibration)} training images"})
    onnx.checker.check_model(quantized, full_check=True)
    return to_bytes(quantized)


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Hold back what onnxruntime prints of its progress, and advises by the root logger."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def float_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the names of the nodes that stay float: from the layer of the logits on.

    A probability has but 256 values in 8 bits, and a mean of probabilities is not what quantization is for.
    """
    made_by = {value: node for node in graph.node for value in node.output}
    kept: dict[str, None] = {}
    for softmax in (node for node in graph.node if node.op_type == "Softmax"):
        node: Any = softmax
        while node is not None and node.op_type not in _LAYERS:
            kept[node.name] = None
            node = next((made_by[value] for value in node.input if value in made_by), None)
        if node is not None:
            kept[node.name] = None
    after = {value for node in graph.node if node.op_type == "Softmax" for value in node.output}
    for node in graph.node:  # in the order of computation
        if after.intersection(node.input):
            kept[node.name] = None
            after.update(node.output)
    return list(kept)


class _Batches(CalibrationDataReader):
    """Images in batches; onnxruntime counts and cuts them by batch."""

    def __init__(self, images: Images) -> None:
        self._batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
        self._next: Iterator[Images] = iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._next = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, Images] | None:
        batch = next(self._next, None)
        return None if batch is None else {INPUT: np.ascontiguousarray(batch)}
