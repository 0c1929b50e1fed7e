"""Set keys of params.yaml from the command line: `python -m ferflow.switch dataset=fer2013 budget=full`.

`dvc exp run --set-param` does it too, but first checks out the pipeline as it would then be, which removes
the outputs of the data set and budget that are switched away from (`dvc checkout` brings them back).
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from ferflow.errors import FerflowError
from ferflow.files import write_text
from ferflow.params import load_params
from ferflow.stage import run


class _Representer(RoundTripRepresenter):
    """Write null as the word: ruamel.yaml leaves nothing behind the colon, which reads like a mistake."""


_Representer.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)


def main() -> None:
    """Write the changed params.yaml if it is valid; its comments stay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="+", metavar="KEY=VALUE", help="a key with dots, and its value")
    arguments = parser.parse_args()

    file = Path("params.yaml")
    load_params(file)
    write_valid(file, change(file.read_text(encoding="utf-8"), arguments.settings))


def write_valid(file: Path, text: str) -> None:
    """Write params.yaml if `text` is valid params, else leave it as it is.

    Raises:
        FerflowError: `text` is not valid.
    """
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "params.yaml"
        trial.write_text(text, encoding="utf-8")
        load_params(trial)
    write_text(file, text)


def change(text: str, settings: list[str]) -> str:
    """Return YAML with some of its values changed, comments and order kept.

    Args:
        text: The content of params.yaml.
        settings: `key.with.dots=value` each; the value is read as YAML. What is under a key that exists may
            be new: `load_params` knows what may stand there.

    Raises:
        FerflowError: A setting is not of this form, or what it is under does not exist.
    """

    def change_each(content: Any) -> None:
        for setting in settings:
            path, equals, value = setting.partition("=")
            *parents, last = path.split(".")
            node = content
            for parent in parents:
                node = node.get(parent) if isinstance(node, dict) else None
            if not equals:
                raise FerflowError(f"'{setting}' has no value: write {path}=value.")
            if not isinstance(node, dict):
                raise FerflowError(f"'{setting}': params.yaml has no keys under '{'.'.join(parents)}'.")
            try:
                node[last] = YAML(typ="safe", pure=True).load(value)
            except YAMLError:
                raise FerflowError(f"'{setting}': the value is not valid YAML; quote it.") from None

    return edit(text, change_each)


def edit(text: str, change: Callable[[Any], None]) -> str:
    """Return YAML after `change` has worked on its content in place; comments and order are kept."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 4096  # no line is broken that was not broken before
    yaml.preserve_quotes = True
    content = yaml.load(text)
    change(content)
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


if __name__ == "__main__":
    run(main)
