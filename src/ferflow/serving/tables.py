"""Answers as people and programs read them: a table, CSV, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from tabulate import tabulate

from ferflow.serving.answers import Answer, Face

#: What a row is about, in front of the probabilities.
_COLUMNS: Final = (
    "image", "status", "face", "left", "top", "right", "bottom", "detection", "emotion", "probability",
)  # fmt: skip
_DIGITS: Final = 6


def as_table(answers: Sequence[Answer], labels: Sequence[str], *, faces: bool) -> str:
    """Return answers for people: a line for each face, the likeliest emotion first.

    Args:
        answers: What is shown.
        labels: The emotions in the model's order.
        faces: Whether faces were looked for.
    """
    rows = []
    for answer in answers:
        if not answer.faces:
            problem = answer.rejection.reason if answer.rejection else "no face found"
            rows.append([answer.image, *([""] if faces else []), f"– {problem}", *([""] * (len(labels) + 1))])
        for number, face in enumerate(answer.faces, start=1):
            percentages = [f"{100 * face.probabilities[label]:.1f}" for label in labels]
            where = [_place(number, face)] if faces else []
            rows.append([answer.image, *where, face.emotion, f"{100 * face.probability:.1f} %", *percentages])
    headers = ["image", *(["face"] if faces else []), "emotion", "", *labels]
    right = ["right"] * (len(labels) + 1)
    alignment = ["left", *(["left"] if faces else []), "left", *right]
    return tabulate(rows, headers, tablefmt="simple", colalign=alignment, disable_numparse=True)


def as_json(answers: Sequence[Answer]) -> str:
    """Return answers as one JSON array."""
    return json.dumps([_described(answer) for answer in answers], indent=2, ensure_ascii=False)


class CsvLines:
    """Answers as CSV, a row for each face, ready to be written one answer after the other.

    Args:
        labels: The emotions in the model's order.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, lineterminator="\n")

    def header(self) -> str:
        """Return the first line."""
        return self._line([*_COLUMNS, *self._labels, "reason"])

    def rows(self, answer: Answer) -> str:
        """Return the lines of one answer; one without a face has one line."""
        if not answer.faces:
            reason = answer.rejection.reason if answer.rejection else ""
            gap = [""] * (len(_COLUMNS) - 2 + len(self._labels))
            return self._line([answer.image, answer.status, *gap, reason])
        return "".join(
            self._line([answer.image, answer.status, number, *self._values(face), ""])
            for number, face in enumerate(answer.faces, start=1)
        )

    def _values(self, face: Face) -> list[Any]:
        edges = face.box.edges() if face.box else ("",) * 4
        detection = "" if face.detection is None else round(face.detection, _DIGITS)
        of_labels = [round(face.probabilities[label], _DIGITS) for label in self._labels]
        return [*edges, detection, face.emotion, round(face.probability, _DIGITS), *of_labels]

    def _line(self, values: Sequence[Any]) -> str:
        self._buffer.seek(0)
        self._buffer.truncate()
        self._writer.writerow(values)
        return self._buffer.getvalue()


def _place(number: int, face: Face) -> str:
    if face.box is None:
        return str(number)
    return f"{number}: {face.box.width} × {face.box.height} at ({face.box.left}, {face.box.top})"


def _described(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"image": answer.image, "status": answer.status}
    if answer.rejection:
        return {**described, "reason": answer.rejection.reason, "remedy": answer.rejection.remedy}
    return {**described, "faces": [_described_face(face) for face in answer.faces]}


def _described_face(face: Face) -> dict[str, Any]:
    described: dict[str, Any] = {
        "emotion": face.emotion,
        "probability": round(face.probability, _DIGITS),
        "probabilities": {label: round(value, _DIGITS) for label, value in face.probabilities.items()},
    }
    if face.box is not None:
        left, top, right, bottom = face.box.edges()
        described["box"] = {"left": left, "top": top, "right": right, "bottom": bottom}
    if face.detection is not None:
        described["detection"] = round(face.detection, _DIGITS)
    return described
