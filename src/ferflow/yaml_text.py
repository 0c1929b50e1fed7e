"""YAML of either side."""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ferflow.errors import FerflowError
from ferflow.gate.trees import Tree


def read_yaml(tree: Tree, path: str) -> Any:
    """Return the content of a YAML file.

    Raises:
        FerflowError: It is missing, or not YAML.
    """
    if path not in tree.paths:
        raise FerflowError(f"{path} is missing: run from the root of the project, and commit it.")
    try:
        # In C where that is there, and still YAML 1.2: dvc.lock has thousands of lines.
        return YAML(typ="safe").load(tree.read(path).decode())
    except (YAMLError, UnicodeDecodeError) as error:
        raise FerflowError(f"{path} is not valid YAML ({' '.join(str(error).split())}): mend it.") from None
