"""dvc.yaml, params.yaml, the stages and their imports agree."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ferflow.gate.lock import check_lock, read_stages
from ferflow.gate.trees import WorkTree
from ferflow.params import Params, load_params

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "ferflow"

#: Modules that cannot change what a stage writes: how it reports, fails, writes files, reads params
#: (the keys it reads are dependencies of their own), what it tells MLflow, and what times are of.
WITHOUT_EFFECT = {"errors", "files", "params", "progress", "shared_machine", "stage", "tracking"}


def _yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text(encoding="utf-8"))


def _stages() -> dict[str, dict[str, Any]]:
    """The stages as written, those of a `foreach` by their body."""
    return {name: stage.get("do", stage) for name, stage in _yaml("dvc.yaml")["stages"].items()}


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT / "params.yaml")


def _imported_modules(file: Path) -> set[Path]:
    """The files of ferflow that `file` imports, wherever in it the import stands."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {path for name in names if (path := _file_of(name)) is not None}
    return found


#: Modules that another one loads by their names, so that no import names them.
LOADED_BY_NAME = {PACKAGE / "data" / "formats" / "detect.py": PACKAGE / "data" / "formats"}


def _file_of(module: str) -> Path | None:
    if not module.startswith("ferflow."):
        return None
    path = PACKAGE.joinpath(*module.split(".")[1:])
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _closure(start: Path) -> set[Path]:
    seen: set[Path] = set()
    todo = [start]
    while todo:
        file = todo.pop()
        relative = file.relative_to(PACKAGE).parts if file.is_relative_to(PACKAGE) else ()
        if relative and relative[0].removesuffix(".py") in WITHOUT_EFFECT:
            continue
        if file not in seen:
            seen.add(file)
            todo.extend(_imported_modules(file))
            todo.extend(LOADED_BY_NAME[file].glob("*.py") if file in LOADED_BY_NAME else [])
    return seen


def _is_docstring_only(file: Path) -> bool:
    return all(isinstance(node, ast.Expr) for node in ast.parse(file.read_text(encoding="utf-8")).body)


@pytest.mark.parametrize("name", list(_stages()))
def test_every_stage_depends_on_all_code_that_decides_its_outputs(name: str) -> None:
    stage = _stages()[name]
    script = ROOT / re.findall(r"stages/\w+\.py", stage["cmd"])[0]
    covered = [ROOT / dependency for dependency in stage["deps"] if "${" not in dependency]
    missing = {
        str(file.relative_to(ROOT))
        for file in _closure(script)
        if not any(file == path or file.is_relative_to(path) for path in covered)
        and not _is_docstring_only(file)
    }
    # The architecture is named in params.yaml and stands in dvc.yaml as ${item.architecture}.
    assert missing == set()


@pytest.mark.parametrize("name", list(_stages()))
def test_every_stage_depends_on_no_code_that_it_does_not_use(name: str) -> None:
    stage = _stages()[name]
    script = ROOT / re.findall(r"stages/\w+\.py", stage["cmd"])[0]
    used = _closure(script) | _imported_modules(script)
    # The check reads architectures without importing them; these are what some of them share.
    shared = {f"src/ferflow/models/{name}.py" for name in ("attention", "layers", "pretrained")}
    # A recipe's defaults decide what is trained.
    defaults = {f"src/ferflow/params/{name}.py" for name in ("optimization", "training")}
    # What the tracking store is told, of what is registered.
    told = {
        f"src/ferflow/evaluation/{name}.py"
        for name in ("class_scores", "model_info", "promotion", "rounding", "significance")
    }
    by_path = {"src/ferflow/models", *shared, *defaults, *told}
    for dependency in stage["deps"]:
        if dependency.startswith("src/") and "${" not in dependency and dependency not in by_path:
            assert any(file.is_relative_to(ROOT / dependency) for file in used), dependency


def test_a_training_can_be_restored_from_the_run_cache() -> None:
    """DVC saves the run of no stage with an out that persists, or that is neither cached, metric nor plot."""
    assert all(isinstance(out, str) for out in _stages()["train"]["outs"])


@pytest.mark.parametrize("name", list(_stages()))
def test_every_stage_has_a_description(name: str) -> None:
    assert len(_stages()[name]["desc"]) > 20


def test_every_stage_script_is_a_stage() -> None:
    scripts = {re.findall(r"stages/(\w+)\.py", stage["cmd"])[0] for stage in _stages().values()}
    assert scripts == {file.stem for file in (ROOT / "stages").glob("*.py")}


def test_stages_read_params_that_exist(params: Params) -> None:
    content = _yaml("params.yaml")
    values = {"dataset": params.dataset, "budget": params.budget}
    for stage in _stages().values():
        for path in stage.get("params", []):
            for key in params.models:
                filled = re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], key), path)  # noqa: B023
                node = content
                for part in filled.split("."):
                    node = node[part]


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("data/faces/worst.png", True),
        ("quick/index.html", True),
        ("full/models/cnn4/faces/errors.png", True),
        ("full/models/cnn4/confusion.png", False),
        ("quick/model_card.md", False),
        ("validation/index.html", False),
    ],
)
def test_what_shows_faces_and_nothing_else_stays_out_of_git(path: str, ignored: bool) -> None:
    command = ["git", "check-ignore", "--quiet", "--no-index", f"reports/mine/{path}"]
    assert (subprocess.run(command, cwd=ROOT, check=False).returncode == 0) is ignored


def test_every_choice_is_explained() -> None:
    """A comment stands above or beside each top-level key, data set and model."""
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    section = ""
    for number, line in enumerate(lines):
        if top := re.match(r"(\w+):", line):
            section = top[1]
            first = next(text.strip() for text in lines[number + 1 :] if text.strip())
            above = lines[number - 1].startswith("#")
            assert above or "#" in line or first.startswith("#") or " # " in first, line
        elif section in {"datasets", "models"} and re.match(r"  \w+:$", line):
            assert lines[number - 1].startswith("  #"), line


@pytest.mark.parametrize("file", sorted((PACKAGE / "models").glob("*.py")), ids=lambda file: file.stem)
def test_architectures_import_only_what_train_depends_on(file: Path) -> None:
    dependencies = {ROOT / name for name in _stages()["train"]["deps"] if "${" not in name}
    for imported in _closure(file) - {file}:
        # Those two are of what is trained already.
        if file.stem not in {"evaluated", "inference"} and not _is_docstring_only(imported):
            assert imported in dependencies, f"{file.name} imports {imported.name}"


def test_the_sample_is_the_file_that_params_pin(params: Params) -> None:
    sample = params.datasets["sample"]
    assert hashlib.sha256((ROOT / sample.source).read_bytes()).hexdigest() == sample.sha256
    assert (ROOT / sample.source).stat().st_size <= 2_000_000


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("mlflow", {"tracking"}),
        ("great_expectations", {"data/gate"}),
        ("keras", {"models", "training", "export", "serving"}),
        # keras.ops has no derivatives.
        ("tensorflow", {"training", "models/inspection/gradients.py", "export"}),
        ("dvc", set()),
    ],
)
def test_libraries_stay_in_their_rooms(library: str, rooms: set[str]) -> None:
    allowed = {"tracking/served_model.py"} | rooms if library == "keras" else rooms
    for file in PACKAGE.rglob("*.py"):
        relative = file.relative_to(PACKAGE).as_posix()
        if any(relative == room or relative.startswith(f"{room}/") for room in allowed):
            continue
        text = file.read_text(encoding="utf-8")
        assert not re.search(rf"^\s*(import|from) {library}\b", text, re.MULTILINE), relative


def test_the_committed_lock_is_of_the_committed_files() -> None:
    """A change without `make repro` leaves a stale lock, and results that are not of this code."""
    tree = WorkTree(ROOT)
    assert [finding.message for finding in check_lock(tree, *read_stages(tree))] == []
