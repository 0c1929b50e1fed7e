"""Write a model's exported files, each checked against Keras, and the report about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, Literal

import keras
import numpy as np

from ferflow.data.arrays import Images
from ferflow.errors import FerflowError
from ferflow.export.comparison import TOLERANCE, agreement, scores_of
from ferflow.export.failures import told_as
from ferflow.export.folder import REPORT, cannot_be_written, check_folder
from ferflow.export.images import ExportImages
from ferflow.export.litert import to_litert
from ferflow.export.onnx_float import to_bytes, to_onnx
from ferflow.export.onnx_int8 import to_int8
from ferflow.export.report import ExportedFile, Report
from ferflow.export.runtimes import (
    Classify,
    Probabilities,
    in_batches,
    litert_classifier,
    milliseconds_per_image,
    onnx_classifier,
)
from ferflow.files import atomic_folder, write_json, write_text
from ferflow.models.inference import predict_probabilities

Format = Literal["onnx", "litert"]
FORMATS: Final[tuple[Format, ...]] = ("onnx", "litert")

_EXAMPLE: Final = Path(__file__).with_name("example.py")


def export_model(
    model: keras.Model,
    title: str,
    labels: Collection[str],
    images: ExportImages,
    out: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    formats: Collection[Format] = FORMATS,
) -> Report:
    """Write a model in the asked formats, float and int8, with labels, an example and a report, into `out`.

    The folder is written whole or not at all; an earlier export in it is replaced.

    Args:
        model: Takes raw uint8 images (N, H, W, C), gives float32 probabilities (N, classes).
        title: What people call it.
        labels: The emotions in the order of its probabilities.
        images: What int8 is calibrated on, and what all files are checked on.
        out: The folder.
        metadata: What else the files say of the model, by name.
        formats: Which.

    Raises:
        FerflowError: `out` cannot be written or holds something else, or the ONNX files cannot be made or
            would not answer like Keras, or there is no file at all. What LiteRT cannot hold is left out, and
            the report says why.
    """
    check_folder(out)
    told = {
        **(metadata or {}),
        "title": title,
        "labels": json.dumps(list(labels), ensure_ascii=False),
        "image_shape": json.dumps(list(model.input.shape[1:])),
    }
    exporter = _Exporter(model, told, images)
    if "onnx" in formats:
        exporter.write_onnx()
    if "litert" in formats:
        exporter.write_litert()
    if exporter.left_out and not exporter.files:
        raise FerflowError(f"nothing of {title} was exported: {'; '.join(exporter.left_out.values())}.")
    report = Report(
        title,
        told,
        len(images.test),
        scores_of(images.test_labels, exporter.expected),
        tuple(exporter.files),
        exporter.left_out,
    )
    # Once more: converting takes minutes, in which the folder may have got files.
    check_folder(out)
    try:
        with atomic_folder(out) as folder:
            for name, content in exporter.contents.items():
                (folder / name).write_bytes(content)
            if "onnx" in formats:
                write_text(folder / _EXAMPLE.name, _EXAMPLE.read_text(encoding="utf-8"))
            write_json(folder / "labels.json", list(labels))
            write_json(folder / REPORT, report.as_dict())
            write_text(folder / "report.md", report.as_markdown())
    except OSError as error:
        raise cannot_be_written(out, error) from None
    return report


class _Exporter:
    """Makes one file after another and holds each against Keras."""

    def __init__(self, model: keras.Model, metadata: Mapping[str, str], images: ExportImages) -> None:
        self._model, self._metadata, self._images = model, metadata, images
        self.expected = self._of_keras(images.test)
        self.files: list[ExportedFile] = []
        self.contents: dict[str, bytes] = {}
        self.left_out: dict[str, str] = {}

    def write_onnx(self) -> None:
        plain = to_onnx(self._model, self._metadata)
        self._add("model.onnx", "ONNX", to_bytes(plain), onnx_classifier)
        wanted = self._of_keras(self._images.validation)

        def distance(content: bytes) -> float:
            # By the answers' distance: which of a few hundred images are right is mostly chance.
            answers = in_batches(onnx_classifier(content), self._images.validation)
            return float(np.abs(answers - wanted).mean())

        content, method = to_int8(plain, self._images.calibration, self._metadata, distance)
        self._add("model.int8.onnx", "ONNX", content, onnx_classifier, method)

    def write_litert(self) -> None:
        for name, calibration in (("model.tflite", None), ("model.int8.tflite", self._images.calibration)):
            try:
                content = to_litert(self._model, self._metadata, calibration)
                method = None if calibration is None else "MinMax"
                self._add(name, "LiteRT", content, litert_classifier, method)
            except FerflowError as error:
                self.left_out[name] = str(error)

    def _of_keras(self, images: Images) -> Probabilities:
        return predict_probabilities(self._model, images, range(len(images)), batch_size=64)

    def _add(
        self,
        name: str,
        kind: str,
        content: bytes,
        open_file: Callable[[bytes], Classify],
        method: str | None = None,
    ) -> None:
        with told_as(f"{name} cannot be run"):
            classify = open_file(content)
            answers = in_batches(classify, self._images.test)
            milliseconds = milliseconds_per_image(classify, self._images.test)
        found = agreement(self._images.test_labels, answers, self.expected)
        # Written so that what is no number is refused too.
        if method is None and not found.largest <= TOLERANCE:
            raise FerflowError(
                f"{name} does not answer like Keras (a probability differs by {found.largest:.2g}): "
                "please report this model."
            )
        self.contents[name] = content
        self.files.append(
            ExportedFile(
                name=name,
                kind=kind,
                precision="int8" if method else "float32",
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                milliseconds=milliseconds,
                agreement=found,
                calibration=method and f"{method} of {len(self._images.calibration)} training images",
            )
        )
