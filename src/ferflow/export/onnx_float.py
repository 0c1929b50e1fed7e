"""A Keras model as an ONNX file, named by place, not by chance; what it is stands in the file."""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import keras
import onnx
import tf2onnx

from ferflow.export.failures import told_as
from ferflow.export.graph import INPUT, OUTPUT, function_of

#: Of 2022: onnxruntime 1.14 and later run it.
OPSET: Final = 18


def to_onnx(model: keras.Model, metadata: Mapping[str, str]) -> onnx.ModelProto:
    """Return a model as ONNX in float32, checked.

    Args:
        model: Takes raw uint8 images (N, H, W, C), gives float32 probabilities (N, classes). Its
            preprocessing is part of it, and so of the result.
        metadata: What the file says of itself, by name.

    Raises:
        FerflowError: ONNX has no operation for a part of the model.
    """
    function, signature = function_of(model)
    with told_as("ONNX cannot hold this model"), _memory_freed_often():
        # It counts on in its names, and orders by them.
        tf2onnx.utils.INTERNAL_NAME = 1
        converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
        _name_by_place(converted.graph)
        describe(converted, metadata)
        onnx.checker.check_model(converted, full_check=True)
    return converted


def describe(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Write into an ONNX model what it is and who made it, in place of what stands there."""
    model.producer_name, model.producer_version = "ferflow", importlib.metadata.version("ferflow")
    model.doc_string = ""
    del model.metadata_props[:]
    for name, value in sorted(metadata.items()):
        model.metadata_props.add(key=name, value=value)


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Return the bytes of an ONNX file: equal models give equal ones."""
    return bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def _memory_freed_often() -> Iterator[None]:
    """Let Python look for unused objects often, among those made in the block.

    tf2onnx copies a model, weights and all, in each of dozens of steps, and its copies refer to themselves:
    left to Python's usual pace, they fill gigabytes.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.collect()
    gc.set_threshold(1000, 2, 2)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        gc.collect()


def _name_by_place(graph: onnx.GraphProto) -> None:
    """Name nodes, values and weights by kind and place; tf2onnx counts on from one model to the next."""
    names = {INPUT: INPUT, OUTPUT: OUTPUT, "": ""}
    weights = {each.name for each in graph.initializer}
    kinds: Counter[str] = Counter()
    nodes = _in_order(graph)
    for node in nodes:
        for value in node.input:
            if value in weights and value not in names:
                names[value] = _next(kinds, "weights")
        node.name = _next(kinds, node.op_type)
        for place, value in enumerate(node.output):
            names.setdefault(value, f"{node.name}:{place}")
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
        node.doc_string = ""
    del graph.node[:]
    graph.node.extend(nodes)
    used = sorted(
        (each for each in graph.initializer if each.name in names), key=lambda each: names[each.name]
    )
    for each in used:
        each.name = names[each.name]
    kept = [onnx.TensorProto.FromString(each.SerializeToString()) for each in used]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.name, graph.doc_string = "ferflow", ""
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"


def _in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes as they are reached from the output, each after its inputs.

    tf2onnx orders branches of a network by names, in which it counts on.
    """
    made_by = {value: place for place, node in enumerate(graph.node) for value in node.output}
    order: dict[int, None] = {}
    waiting = [made_by[value.name] for value in reversed(graph.output)]
    while waiting:
        node = graph.node[waiting[-1]]
        first = [made_by[value] for value in node.input if value in made_by and made_by[value] not in order]
        if first:
            waiting.extend(reversed(first))
        else:
            order.setdefault(waiting.pop())
    return [onnx.NodeProto.FromString(graph.node[place].SerializeToString()) for place in order]


def _next(kinds: Counter[str], kind: str) -> str:
    kinds[kind] += 1
    return f"{kind}_{kinds[kind]}"
