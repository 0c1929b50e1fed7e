"""Were two runs made on the same kind of machine? Only then are equal bytes to be expected of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: What training.json says of where a model was trained.
_FACTS: Final = ("device", "workers", "precision", "machine", "backend", "versions")


def machine_facts(training: Mapping[str, Any], cost: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of the machine that trained a model and timed its answers.

    Args:
        training: The content of its training.json.
        cost: Its entry in costs.json; may be empty.
    """
    facts = {name: _words(training[name]) for name in _FACTS if training.get(name) is not None}
    return facts | ({"processor": str(cost["device"])} if cost.get("device") else {})


def machine_differences(committed: Mapping[str, str], now: Mapping[str, str]) -> set[str]:
    """Return in words what differs between two machines; nothing if they are of the same kind."""
    return {
        f"{name} {committed.get(name, 'unknown')} → {now.get(name, 'unknown')}"
        for name in committed.keys() | now.keys()
        if committed.get(name) != now.get(name)
    }


def _words(value: object) -> str:
    return (
        ", ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, dict) else str(value)
    )
