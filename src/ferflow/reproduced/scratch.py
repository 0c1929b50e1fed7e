"""Delete what the pipeline has made, committed reports included, so that a run makes all of it anew."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ferflow.errors import FerflowError
from ferflow.reproduced.committed import work_tree_files
from ferflow.reproduced.lock import current_stages, outputs
from ferflow.stage import run


def main() -> None:
    """Delete the outputs that dvc.lock names from the work tree; DVC's cache and measured times stay."""
    argparse.ArgumentParser(prog="python -m ferflow.reproduced.scratch", description=__doc__).parse_args()
    root = Path.cwd()
    files = work_tree_files(root)
    stages, _ = current_stages(files["dvc.lock"], files["dvc.yaml"], files["params.yaml"])
    # Times are measured: they are not the same twice, and are kept on the device that they are of.
    paths = [root / path for name, stage in stages.items() if name != "measure" for path in outputs(stage)]
    outside = [path for path in paths if not path.resolve().is_relative_to(root.resolve())]
    if outside:
        raise FerflowError(f"dvc.lock names {outside[0]}, which is outside of {root}: nothing was deleted.")
    present = [path for path in paths if path.exists()]
    for path in present:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    print(
        f"deleted {len(present)} of {len(paths)} outputs; `git restore .` and `dvc checkout` bring them back"
    )


if __name__ == "__main__":
    run(main)
