"""Choose a data set, and add it if it is new: `python -m ferflow.choose mine --source photos/`.

Its entry in params.yaml pins the content: a local source's checksum is taken now, so that numbers always
belong to a content that git knows. After files have come or gone, run it again.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from ferflow.data.source import local_path, local_sha256, require_apart
from ferflow.errors import FerflowError, without_credentials
from ferflow.params import load_params
from ferflow.stage import run
from ferflow.switch import edit, write_valid


def main() -> None:
    """Write the changed params.yaml if it is valid, and say what was pinned."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="name of the data set: its folders, experiment and champion get it")
    parser.add_argument("--source", help="an archive, a folder, a CSV file, or an address")
    parser.add_argument("--sha256", help="the checksum that the source must have")
    parser.add_argument("--layout", help="how it is laid out, as YAML, e.g. '{format: table}'")
    parser.add_argument("--licence", help="stated in the data report")
    parser.add_argument("--budget", choices=("quick", "full"), help="left as it is if not given")
    arguments = parser.parse_args()

    file = Path("params.yaml")
    load_params(file)
    settings = {name: getattr(arguments, name) for name in ("source", "sha256", "layout", "licence")}
    changed = choose(file.read_text(encoding="utf-8"), arguments.name, arguments.budget, settings)
    write_valid(file, changed)
    entry = load_params(file).source
    pinned = f"sha256 {entry.sha256}" if entry.sha256 else "any content (sha256 is not pinned)"
    print(f"{arguments.name}: {without_credentials(entry.source)}, {pinned}")


def choose(text: str, name: str, budget: str | None, settings: dict[str, str | None]) -> str:
    """Return params.yaml with the data set `name` chosen, its entry changed or added.

    Args:
        text: The content of params.yaml.
        name: Letters, digits, `-` and `_`.
        budget: "quick", "full", or None to leave it as it is.
        settings: `source`, `sha256`, `layout` (as YAML) and `licence`; None leaves what is there.

    Raises:
        FerflowError: The name is not of this form, a new data set has no source, the layout is not YAML, the
            source's address has a password or token in it, or a local source does not exist.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise FerflowError(f"'{name}' cannot name a data set: use letters, digits, - and _.")

    def change(content: Any) -> None:
        content["dataset"] = name
        content["budget"] = budget or content["budget"]
        datasets = content["datasets"]
        if name not in datasets:
            _add(datasets, name)
        entry = datasets[name]
        before = entry["source"]
        for key, value in settings.items():
            if value is not None:
                entry[key] = _layout(value) if key == "layout" else value
        if entry["source"] is None:
            raise FerflowError(
                f"the data set '{name}' is new: say where it is (--source, or SOURCE= with make)."
            )
        _refuse_unfit(entry["source"], Path("data") / name / "raw")
        if settings["sha256"] is None:
            # The checksum of an address is known only after it was fetched.
            kept = entry["sha256"] if entry["source"] == before else None
            entry["sha256"] = local_sha256(entry["source"]) or kept

    return edit(text, change)


def _refuse_unfit(source: str, raw: Path) -> None:
    """Refuse what must not be written into params.yaml, which goes into git, or cannot be copied."""
    shown = without_credentials(source)
    if shown != source:
        raise FerflowError(
            f"{shown}: params.yaml and dvc.lock go into git, so an address with a password or token in it "
            "must not stand there: let the environment give it (as for s3:// and gs://), or fetch it by hand."
        )
    path = local_path(source)
    if path is not None:
        require_apart(path, source, raw)


def _add(datasets: Any, name: str) -> None:
    last = datasets[next(reversed(datasets))]
    datasets[name] = CommentedMap(
        source=None,
        sha256=None,
        licence=None,
        layout=CommentedMap(format="auto"),
        registered_model=f"ferflow-{name}",
    )
    datasets[name]["layout"].fa.set_flow_style()
    datasets.yaml_set_comment_before_after_key(name, before="Added by `make dataset`.", indent=2)
    # The blank line before the next section hangs behind the last value of what was last so far.
    comments = last.ca.items.get(next(reversed(last)))
    if comments:
        datasets[name].ca.items["registered_model"] = [None, None, comments[2], None]
        comments[2] = None


def _layout(text: str) -> Any:
    """Return a layout from its YAML; a word alone is its format."""
    try:
        content = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        raise FerflowError(f"the layout '{text}' is not valid YAML, e.g. {{format: table}}.") from None
    return {"format": content} if isinstance(content, str) else content


if __name__ == "__main__":
    run(main)
