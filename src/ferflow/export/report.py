"""What an export wrote, for people and for programs: report.md and report.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ferflow.data.explanation.markdown import code, count, prose, table
from ferflow.evaluation.rounding import DIGITS
from ferflow.evaluation.significance import Difference
from ferflow.evaluation.wording import MINUS, magnitude, points, three_digits
from ferflow.export.comparison import LARGEST_LOSS, Agreement

_LEGEND: Final = (
    "Differences are in points, the file's minus Keras's, with 95 % intervals of the paired bootstrap; times",
    "are medians of images that come alone, on one thread of the machine that exported.",
)
_EXAMPLE: Final = (
    "`python example.py face.jpg` runs `model.onnx` with onnxruntime, numpy and Pillow alone; it is there if",
    "the model was exported as ONNX.",
)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export.

    Attributes:
        name: Its name, e.g. `model.int8.onnx`.
        kind: `ONNX` or `LiteRT`.
        precision: `float32` or `int8`.
        size: In bytes.
        sha256: Of its bytes.
        milliseconds: Median time of an image that comes alone, on one thread.
        agreement: How far its answers are from Keras's.
        calibration: Of int8, how the ranges of its values were found.
    """

    name: str
    kind: str
    precision: str
    size: int
    sha256: str
    milliseconds: float
    agreement: Agreement
    calibration: str | None = None

    def loses_too_much(self) -> bool:
        """Return whether it loses more accuracy or macro-F1 than may go unsaid."""
        return self.agreement.loss() > LARGEST_LOSS


@dataclass(frozen=True, slots=True)
class Report:
    """All files of an export, and what is not among them.

    Attributes:
        title: What people call the model.
        metadata: What stands in every file, by name.
        samples: Number of test images.
        keras: Keras's `accuracy` and `macro_f1` on them.
        files: What was written.
        left_out: Why a file was not written, by its name.
    """

    title: str
    metadata: Mapping[str, str]
    samples: int
    keras: Mapping[str, float]
    files: tuple[ExportedFile, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    def warnings(self) -> list[str]:
        """Return one line for each file that is missing, or that loses more than may go unsaid."""
        lost = [
            f"{file.name} loses {100 * file.agreement.loss():.1f} points of accuracy or macro-F1 on the test "
            f"split, more than {100 * LARGEST_LOSS:.0f}"
            for file in self.files
            if file.loses_too_much()
        ]
        return lost + [f"{name} was not written: {reason}" for name, reason in self.left_out.items()]

    def as_dict(self) -> dict[str, Any]:
        """Return what report.json holds."""
        return {
            "title": self.title,
            "metadata": dict(self.metadata),
            "test_samples": self.samples,
            "keras": {name: round(value, DIGITS) for name, value in self.keras.items()},
            "files": [
                {
                    "file": file.name,
                    "format": file.kind,
                    "precision": file.precision,
                    "bytes": file.size,
                    "sha256": file.sha256,
                    "calibration": file.calibration,
                    "milliseconds_per_image": file.milliseconds,
                    **file.agreement.as_dict(),
                }
                for file in self.files
            ],
            "warnings": self.warnings(),
        }

    def as_markdown(self) -> str:
        """Return what report.md holds."""
        lines = [
            f"# {prose(self.title)}, exported",
            "",
            f"Each file beside Keras, on {count(self.samples, 'test image')}. Keras: accuracy "
            f"{self.keras['accuracy']:.4f}, macro-F1 {self.keras['macro_f1']:.4f}.",
            *_LEGEND,
            "",
            *(f"**Note:** {prose(warning)}.\n" for warning in self.warnings()),
            table(
                ["file", "size", "accuracy", "difference", "macro-F1", "difference", "equal answers", "ms"],
                [_scores(file) for file in self.files],
            ),
            "",
            table(
                ["file", "largest difference of a probability", "mean", "ranges from"],
                [_distances(file) for file in self.files],
            ),
            "",
            *_EXAMPLE,
            "",
        ]
        return "\n".join(lines)


def _scores(file: ExportedFile) -> list[str]:
    of = file.agreement
    return [
        code(file.name),
        magnitude(file.size, "B"),
        f"{of.accuracy:.4f}",
        _difference(of.differences["accuracy"]),
        f"{of.macro_f1:.4f}",
        _difference(of.differences["macro_f1"]),
        f"{100 * of.equal_answers:.2f} %",
        three_digits(file.milliseconds),
    ]


def _distances(file: ExportedFile) -> list[str]:
    largest, mean = (
        f"{value:.1e}".replace("-", MINUS) for value in (file.agreement.largest, file.agreement.mean)
    )
    return [code(file.name), largest, mean, file.calibration or ""]


def _difference(difference: Difference) -> str:
    value, low, high = (points(number, 2) for number in difference)
    return f"{value} ({low} to {high})"
