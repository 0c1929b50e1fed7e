"""YAML of any commit, as plain values."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ferflow.errors import FerflowError


def parse_yaml(content: bytes, name: str) -> Any:
    """Return the content of a YAML file.

    Args:
        content: Its bytes.
        name: What messages call it.

    Raises:
        FerflowError: It is not YAML.
    """
    try:
        # In C where that is there, and still YAML 1.2: dvc.lock has thousands of lines.
        return YAML(typ="safe").load(content.decode())
    except (YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise FerflowError(f"{name} is not valid YAML ({reason}): mend it, or `git checkout` it.") from None
