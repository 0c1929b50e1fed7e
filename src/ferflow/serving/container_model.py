"""A model's files in a folder of their own, for a container: with the versions that its server needs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from ferflow.errors import FerflowError
from ferflow.files import atomic_folder

#: For pip: the versions that are installed here. By it a folder is known as one of ours, too.
CONSTRAINTS: Final = "server-constraints.txt"


def require_free(folder: Path) -> None:
    """Return if a model may be put into a folder.

    Raises:
        FerflowError: There is something else, which would be lost.
    """
    if folder.exists() and not folder.is_dir():
        raise FerflowError(f"{folder} is not a folder: choose another one to put the model into.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CONSTRAINTS).is_file():
        raise FerflowError(
            f"{folder} holds other files than a model that was put there: choose an empty or a new folder."
        )


def put_model(model: Path, folder: Path) -> None:
    """Copy a model, readable for all, in the place of an older copy.

    Args:
        model: The folder that MLflow wrote.
        folder: Where the copy goes. A file in it pins what the model's own requirements leave open, as
            Pillow and the web server, to the versions that are installed here.

    Raises:
        FerflowError: There is something else, or it cannot be written.
    """
    # A link, or a name like "..", is no name that a folder can be renamed to.
    folder = folder.resolve()
    require_free(folder)
    try:
        with atomic_folder(folder) as written:
            shutil.copytree(model, written, dirs_exist_ok=True)
            pinned = (model / "requirements.txt").read_text(encoding="utf-8")
            constraints = "".join(f"{line}\n" for line in _constraints(pinned))
            (written / CONSTRAINTS).write_text(constraints, encoding="utf-8")
            # The container's server is another user than the one who fetches.
            for path in (written, *written.rglob("*")):
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    except OSError as error:
        raise FerflowError(f"{folder} cannot be written ({error.strerror}): choose another folder.") from None


def _constraints(pinned: str) -> Iterator[str]:
    """Yield `name==version` for all that is installed here but what the model pins itself, in order."""
    own = {_normal(re.split(r"[^\w.-]", line.strip())[0]) for line in pinned.splitlines()}
    # An unfinished installation has no name.
    found = {_normal(each.name): each.version for each in distributions() if each.name}
    for name, version in sorted(found.items()):
        if name not in own and name != "ferflow":
            yield f"{name}=={version}"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
