"""Answers in words and in HTML; whatever comes from outside is escaped by the templates."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from jinja2 import BaseLoader, Environment, StrictUndefined

from ferflow.data.decode import RejectedImageError
from ferflow.demo import pictures
from ferflow.demo.looking import Opinion
from ferflow.serving.classifiers import OpenedModel
from ferflow.serving.opening import CHAMPION
from ferflow.style import percent

#: What is known of a version, and what people call it.
_FACTS: Final = (
    ("dataset", "trained on"),
    ("val_macro_f1", "validation macro-F1"),
)
#: What a file of Apple's cameras begins with.
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"})
#: For who has no folder to mend.
_REMEDIES: Final = {
    "empty file": "",
    "not an image": "Save it as JPEG or PNG.",
    # Without what a library says of it.
    "damaged image": "",
}


def rendered(template: str, **values: Any) -> str:
    """Return one of the page's templates, filled."""
    return _environment().get_template(template).render(values)


def heading(said: Sequence[Sequence[Opinion]]) -> str:
    """Return an answer in one line.

    Args:
        said: What each model says of each face.
    """
    emotions = [[opinion.face.emotion for opinion in of_model] for of_model in said]
    if not emotions[0]:
        return "No face found"
    count = "One face" if len(emotions[0]) == 1 else f"{len(emotions[0])} faces"
    if len(emotions) == 1:
        return f"{count}: {_in_words(emotions[0])}"
    same = sum(len(set(of_face)) == 1 for of_face in zip(*emotions, strict=True))
    if same == len(emotions[0]):
        return f"{count}: both models say {_in_words(emotions[0])}"
    if len(emotions[0]) == 1:
        return f"{count}: the models differ ({emotions[0][0]}, {emotions[1][0]})"
    return f"{count}: the models differ on {len(emotions[0]) - same}"


def _in_words(emotions: Sequence[str]) -> str:
    several_alike = len(emotions) > 1 and len(set(emotions)) == 1
    return f"all {emotions[0]}" if several_alike else ", ".join(emotions)


def for_visitors(content: bytes, error: RejectedImageError) -> tuple[str, str]:
    """Return why a file is no picture, and what who chose it can do, or nothing.

    Args:
        content: The file.
        error: What was found, in the words for those who keep data sets.
    """
    if content[4:8] == b"ftyp" and content[8:12] in _HEIC:
        return "HEIC is not read", "Save it as JPEG."
    for reason, remedy in _REMEDIES.items():
        if error.reason.startswith(reason):
            return reason, remedy
    return error.reason, f"{error.remedy[:1].upper()}{error.remedy[1:]}."


def model_facts(model: OpenedModel, champion: str | None) -> dict[str, Any]:
    """Return what the page says of a model: its title, aliases, and facts with their names.

    Args:
        model: As it was opened; `champion` may have moved since.
        champion: The number of the version that is champion now, if it is known.
    """
    details = model.details
    aliases = [alias for alias in details.get("aliases", "").split(", ") if alias not in {"", CHAMPION}]
    if champion is not None and details.get("version") == champion:
        aliases.insert(0, CHAMPION)
    height, width, _ = model.image_shape
    return {
        "title": model.title,
        "aliases": aliases,
        "facts": [
            *((name, details[key]) for key, name in _FACTS if key in details),
            ("sees a face in", f"{width} × {height} pixels"),
        ],
    }


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True, loader=_Resources(), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = percent
    environment.globals["scale"] = pictures.SCALE
    return environment


class _Resources(BaseLoader):
    def get_source(self, environment: Environment, template: str) -> Any:  # noqa: ARG002
        text = files("ferflow.demo").joinpath("templates", template).read_text(encoding="utf-8")
        return text, None, lambda: True
