"""Write a model as files that run without Keras: `python -m ferflow.export --model champion`.

They are ONNX and LiteRT, float and int8, each held against Keras on the test split; see docs/export.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ferflow.errors import FerflowError
from ferflow.export.folder import check_folder
from ferflow.export.images import images_in
from ferflow.params import load_params
from ferflow.serving.opening import CHAMPION, open_model
from ferflow.stage import heavy_imports, run

_CONVERTERS: Final = ("onnx", "onnxruntime", "tf2onnx")
#: What is known of a model and changes while it stays the same.
_NOT_OF_THE_FILE: Final = ("aliases",)


def main() -> None:
    """Export, print where to and what each file is like."""
    arguments = _arguments()
    _require_converters()
    if arguments.out is not None:
        check_folder(arguments.out)
    data = arguments.data or Path("data") / load_params().dataset
    images = images_in(data)
    model = open_model(arguments.model)
    if model.keras is None:
        raise FerflowError(f"{arguments.model} is an exported file already: give a .keras file or a version.")
    if model.image_shape != images.test.shape[1:]:
        raise FerflowError(
            f"{model.title} takes images {model.image_shape}, {data} holds "
            f"{images.test.shape[1:]}: give the model's data set with --data."
        )
    with heavy_imports():
        from ferflow.export.writing import export_model
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    out = arguments.out or Path("exports") / folder_name(model.title, model.details)
    told = {name: value for name, value in model.details.items() if name not in _NOT_OF_THE_FILE}
    report = export_model(
        model.keras,
        model.title,
        model.labels,
        images,
        out,
        metadata={**told, "ferflow": importlib.metadata.version("ferflow")},
        formats=arguments.formats,
    )
    for file in report.files:
        of = file.agreement
        print(
            f"{out / file.name}: {file.size / 1e6:.1f} MB, accuracy {of.accuracy:.4f} (Keras "
            f"{report.keras['accuracy']:.4f}), {100 * of.equal_answers:.1f} % equal answers, "
            f"{file.milliseconds} ms an image"
        )
    for warning in report.warnings():
        print(f"warning: {warning}", file=sys.stderr, flush=True)


def folder_name(title: str, details: Mapping[str, str]) -> str:
    """Return what the folder of an export is called, e.g. `ferflow-v3`; by title if it is no version."""
    if "registered_model" in details and "version" in details:
        title = f"{details['registered_model']}-v{details['version']}"
    return re.sub(r"[^\w.-]+", "-", title).strip("-.") or "model"


def _require_converters() -> None:
    missing = [name for name in _CONVERTERS if importlib.util.find_spec(name) is None]
    if missing:
        raise FerflowError(f"{', '.join(missing)} is not installed: pip install 'ferflow[export]'")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ferflow.export", description=__doc__)
    parser.add_argument(
        "--model", default=CHAMPION, help=f"alias, version, run, address or .keras file (default {CHAMPION})"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default: exports/<model>-v<version>")
    parser.add_argument(
        "--formats", nargs="+", choices=("onnx", "litert"), default=["onnx", "litert"], help="default: both"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="with images.npy, samples.parquet and splits.parquet (default: of the data set in params.yaml)",
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
