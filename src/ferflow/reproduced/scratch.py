"""Delete what the pipeline has made, committed reports included, so that a run makes all of it anew."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Final

from ferflow.dvc_command import run_dvc
from ferflow.dvc_lock import current_stages
from ferflow.errors import FerflowError
from ferflow.reproduced.committed import work_tree_files
from ferflow.stage import run

#: Where the pipeline writes: nothing else is deleted, whatever dvc.lock says.
_FOLDERS: Final = ("data", "models", "reports", ".ferflow")
_ASIDE: Final = "runs-before-scratch"


def main() -> None:
    """Delete the outputs that dvc.lock names, and dvc.lock; set DVC's memory of earlier runs aside.

    With either of these two DVC would bring results back from its cache instead of making them. The cache
    itself and measured times stay.
    """
    argparse.ArgumentParser(prog="python -m ferflow.reproduced.scratch", description=__doc__).parse_args()
    root = Path.cwd()
    files = work_tree_files(root)
    stages, _ = current_stages(files["dvc.lock"], files["dvc.yaml"], files["params.yaml"])
    # Times are measured: they are not the same twice, and are kept on the device that they are of.
    paths = [root / path for name, stage in stages.items() if name != "measure" for path in stage.outputs]
    for path in paths:
        if not _is_made_by_the_pipeline(path, root):
            raise FerflowError(
                f"dvc.lock names {path} as an output, which is not in {', '.join(_FOLDERS)} of {root}: "
                "nothing was deleted; `git checkout dvc.lock`."
            )
    present = [path for path in paths if path.exists() or path.is_symlink()]
    aside = _set_aside(_cache(root) / "runs")
    for path in present:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (root / "dvc.lock").unlink()
    print(
        f"deleted dvc.lock and {len(present)} of {len(paths)} outputs; `git restore .` and `dvc checkout` "
        f"bring them back{aside}"
    )


def _cache(root: Path) -> Path:
    lines = run_dvc("config", "--list", capture=True).splitlines()
    settings = dict(line.rsplit("\t", 1)[-1].partition("=")[::2] for line in lines)
    return root / ".dvc" / settings.get("cache.dir", "cache")


def _is_made_by_the_pipeline(path: Path, root: Path) -> bool:
    """Return whether an output is inside of a folder of results: a link itself, not what it stands for."""
    if ".." in path.parts:
        return False
    place = path.parent.resolve() / path.name
    return any(root.resolve() / name in place.parents for name in _FOLDERS)


def _set_aside(runs: Path) -> str:
    """Move DVC's run cache to a folder beside it, and return what to say of that."""
    if not runs.is_dir():
        return ""
    aside = runs.with_name(_ASIDE)
    shutil.copytree(runs, aside, dirs_exist_ok=True)
    shutil.rmtree(runs)
    return f"; what DVC remembered of earlier runs is in {aside}"


if __name__ == "__main__":
    run(main)
