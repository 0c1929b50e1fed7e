"""The limits of a change, and whether it loosened them itself."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ferflow.errors import FerflowError
from ferflow.gate.trees import Tree
from ferflow.params.explain import explain
from ferflow.params.gate import GateParams
from ferflow.yaml_text import parse_yaml


def read_limits(tree: Tree) -> GateParams:
    """Return the section `gate` of params.yaml; the rest of the file is judged by the pipeline.

    Raises:
        FerflowError: The file or the section is missing or not valid.
    """
    content = parse_yaml(tree.read("params.yaml"), "params.yaml") if "params.yaml" in tree.paths else None
    if not isinstance(content, dict) or "gate" not in content:
        raise FerflowError(
            "params.yaml is missing, or has no section `gate`, which holds the limits: see docs/gate.md."
        )
    try:
        return GateParams.model_validate(content["gate"])
    except ValidationError as error:
        raise FerflowError(explain(error, "gate.")) from None


def changed_limits(base: Any, now: GateParams) -> tuple[list[str], list[str]]:
    """Return the limits that were loosened, and those that were changed otherwise, each in words.

    Args:
        base: The section `gate` of the base's params.yaml, as it was read; None if it has none.
        now: The limits of the work tree.
    """
    if not isinstance(base, dict):
        return [], ["the base has no limits yet (no section `gate` in its params.yaml)"]
    before, after = _flat(base), _flat(now.model_dump(exclude_none=True))
    loosened: list[str] = []
    others: list[str] = []
    for key in sorted({*before, *after}):
        old, new = before.get(key), after.get(key)
        if old != new:
            words = f"gate.{key}: {_shown(old)} → {_shown(new)}"
            (loosened if _looser(key, old, new) else others).append(words)
    return loosened, others


def _looser(key: str, old: Any, new: Any) -> bool:
    if key == "allow_removed":
        return not isinstance(old, list | None) or any(name not in (old or ()) for name in new or ())
    if old is None:
        return False
    if not isinstance(old, int | float):
        return True  # no number, and so not known to be stricter
    if key.startswith("floors."):
        return new is None or bool(new < old)
    if key == "significance":
        return bool(new < old)
    return key.startswith("max_drop.") and new is not None and bool(new > old)


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = value
    return flat


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
