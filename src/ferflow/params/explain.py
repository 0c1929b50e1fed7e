"""What is wrong in params.yaml, in one line for people."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ferflow.params.base import Strict


def explain(error: ValidationError, prefix: str = "") -> str:
    """Return the problems of a validation as one line, each with its key.

    Args:
        error: What pydantic has found.
        prefix: What stands before every key, e.g. `"models.cnn4 (quick budget): "`.
    """
    problems: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors():
        # Branches of a union appear in the location; only what stands in the file helps the reader.
        path = [str(part) for part in detail["loc"] if not _is_type_name(part)]
        problems.setdefault(".".join(path), []).append(detail)
    return "params.yaml: " + "; ".join(
        one_line(f"{prefix}{_problem(key, details)}") for key, details in problems.items()
    )


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return a hint at the known word that is most like `word`, or nothing if none is."""
    by_lower_case = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(word).lower(), by_lower_case, n=1)
    return f"; did you mean '{by_lower_case[close[0]]}'?" if close else ""


def one_line(text: object) -> str:
    """Return a text without line breaks."""
    return " ".join(str(text).split())


def _problem(key: str, details: Sequence[ErrorDetails]) -> str:
    """Return what is wrong with a key; where it may be of several types, one detail tells of each."""
    first = details[0]
    if first["type"] == "value_error":
        return f"{key}: {first['ctx']['error']}" if key else str(first["ctx"]["error"])
    key = key or "the file"
    if first["type"] == "extra_forbidden":
        return f"{key}: unknown key{did_you_mean(first['loc'][-1], _known_keys())}"
    if first["type"] == "missing":
        return f"{key}: this key is missing"
    start = "Input should be "
    expected = " or ".join(dict.fromkeys(detail["msg"].removeprefix(start) for detail in details))
    expected = expected.replace(" or None", " or null")
    message = start + expected if first["msg"].startswith(start) else expected
    words = re.findall("'([^']*)'", expected) if first["type"] == "literal_error" else []
    return f"{key}: {message} (found {first['input']!r}){did_you_mean(first['input'], words)}"


def _is_type_name(part: int | str) -> bool:
    return isinstance(part, str) and (
        part in {"int", "constrained-int", "str", "bool", "float"} or "[" in part
    )


def _known_keys() -> list[str]:
    models = [*Strict.__subclasses__()]
    return sorted({field.alias or name for model in models for name, field in model.model_fields.items()})
