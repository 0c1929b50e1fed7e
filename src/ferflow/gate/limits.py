"""The limits of a change, and whether it loosened them itself."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ferflow.errors import FerflowError
from ferflow.gate.trees import Tree
from ferflow.gate.yaml_files import read_yaml
from ferflow.params.explain import explain
from ferflow.params.gate import GateParams


def read_limits(tree: Tree) -> GateParams:
    """Return the section `gate` of params.yaml; the rest of the file is judged by the pipeline.

    Raises:
        FerflowError: The file or the section is missing or not valid.
    """
    content = read_yaml(tree, "params.yaml")
    if not isinstance(content, dict) or "gate" not in content:
        raise FerflowError("params.yaml has no section `gate`, which holds the limits: see docs/gate.md.")
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
        return bool({*(new or ())} - {*(old or ())})
    if key.startswith("floors."):
        return old is not None and (new is None or new < old)
    if key == "significance":
        return old is not None and new is not None and new < old
    if key.startswith("max_drop."):
        return old is not None and new is not None and new > old
    return False


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
