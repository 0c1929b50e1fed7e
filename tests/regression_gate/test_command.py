"""What the command accepts, says and refuses to say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from .conftest import Gate
from .projects import SKILLS, Project, answers, truth


def test_nothing_changed(gate: Gate) -> None:
    outcome = gate()
    assert outcome.status == 0
    assert outcome.verdict["passed"]
    assert "sample/quick: 3 unchanged" in outcome.out


def test_a_better_model_passes_and_is_shown(project: Project, gate: Gate) -> None:
    project.train("compact_residual", answers(project.labels, 2.6, seed=5))
    project.finish()
    outcome = gate()
    assert outcome.status == 0, outcome.out
    assert "best model: cnn4 → compact_residual" in outcome.out
    assert "| compact_residual | 800 |" in outcome.markdown


def test_a_new_model_needs_no_base(project: Project, gate: Gate) -> None:
    # What is a removed model from the other side.
    new = project.reports / "models" / "cnn2_small"
    kept = shutil.move(new, project.root.parent / "kept")
    project.finish()
    project.commit()
    shutil.move(kept, new)
    project.finish()
    outcome = gate()
    assert outcome.status == 0, outcome.out
    assert "1 new (cnn2_small)" in outcome.out


def test_a_removal_can_be_allowed(project: Project, gate: Gate) -> None:
    shutil.rmtree(project.reports / "models" / "compact_residual")
    project.finish()
    assert gate("--allow-removed", "compact_residual").status == 0
    assert gate("--allow-removed", "another").status == 1


def test_an_ensemble_is_a_model(project: Project, gate: Gate) -> None:
    ensemble = project.reports / "ensembles" / "vote"
    shutil.copytree(project.reports / "models" / "cnn4", ensemble)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "an ensemble")
    shutil.rmtree(ensemble)
    assert "the results of vote are in the base" in gate().messages("removed")


def test_loosened_limits_are_said_and_stop_nothing(project: Project, gate: Gate) -> None:
    project.limits({"max_drop.accuracy": 0.2, "floors": {}, "significance": 0.001, "max_drop.log_loss": 0.01})
    outcome = gate()
    assert outcome.status == 0
    assert "WARNING: this change loosens its own limits: gate.max_drop.accuracy: 0.01 → 0.2" in outcome.out
    assert "gate.floors.sample/quick.accuracy: 0.5 → none" in outcome.markdown
    assert "loosens its own limits: gate.significance" in outcome.out
    assert "note: limits changed: gate.max_drop.log_loss: 0.05 → 0.01" in outcome.out


@pytest.mark.parametrize(("common", "paired"), [(400, True), (20, False)])
def test_a_new_test_split_can_be_allowed(project: Project, gate: Gate, common: int, paired: bool) -> None:
    other = truth(test=800)
    ids = [f"{number + 10_000:016x}" for number in range(800 - common)]
    other.loc[300 + common :, "sample_id"] = ids
    for number, (name, skill) in enumerate(SKILLS.items()):
        project.train(name, answers(other, skill, seed=60 + number))
    project.finish()
    assert gate().status == 1
    outcome = gate("--allow-new-test-split")
    assert outcome.status == 0, outcome.out
    comparison = outcome.verdict["boards"][0]["compared"][0]
    assert (comparison["paired"], comparison["samples"]) == (paired, common if paired else 800)
    assert ("UNPAIRED" in outcome.out) is not paired


def test_an_unpaired_comparison_sees_a_large_drop(project: Project, gate: Gate) -> None:
    other = truth(test=800)
    other["sample_id"] = [f"{number + 10_000:016x}" for number in range(len(other))]
    for name, skill in SKILLS.items():
        project.train(name, answers(other, skill - (0.8 if name == "cnn2_small" else 0), seed=3))
    project.finish()
    outcome = gate("--allow-new-test-split")
    assert outcome.status == 1
    assert "cnn2_small: accuracy" in outcome.messages("regression")
    assert "cnn4" not in outcome.messages("regression")


def test_only_some_boards(project: Project, gate: Gate) -> None:
    shutil.copytree(project.reports, project.root / "reports" / "other" / "full")
    shutil.rmtree(project.reports)
    assert gate("--only", "other").messages("removed") == ""
    assert "the results of sample/quick" in gate("--only", "sample/quick").messages("removed")
    outcome = gate("--only", "sample", "unknown")
    assert outcome.status == 2
    assert "no results of unknown; there are other/full, sample/quick" in outcome.err


@pytest.mark.parametrize("base", ["nowhere", "--help", "HEAD~9"])
def test_an_unknown_base_cannot_be_judged(gate: Gate, base: str) -> None:
    outcome = gate(f"--base={base}", base=None)
    assert outcome.status == 2
    assert outcome.err == (
        f"error: git knows no commit '{base}': fetch it first (`git fetch origin`), or name another base.\n"
    )


def test_a_shallow_clone_says_how_to_fetch(project: Project, gate: Gate, tmp_path: Path) -> None:
    first = project.git("rev-parse", "HEAD").strip()
    project.write("README.md", "more\n")
    project.commit()
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", project.root.as_uri(), str(tmp_path / "shallow")], check=True
    )
    outcome = gate(base=first, root=tmp_path / "shallow")
    assert outcome.status == 2
    assert "git fetch --unshallow" in outcome.err


def test_no_checkout(project: Project, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    plain = shutil.copytree(project.root, tmp_path / "plain", ignore=shutil.ignore_patterns(".git"))
    outcome = gate(root=plain)
    assert outcome.status == 2
    assert "needs a git checkout" in outcome.err


def test_a_base_without_results(project: Project, gate: Gate) -> None:
    project.git("rm", "-r", "--quiet", "--cached", "reports")
    project.git("commit", "--quiet", "--message", "none")
    outcome = gate()
    assert outcome.status == 2
    assert "older than the gate" in outcome.err


@pytest.mark.parametrize("file", ["predictions.parquet", "metrics.json"])
@pytest.mark.parametrize("side", ["work tree", "base"])
def test_a_broken_file_is_named(project: Project, gate: Gate, file: str, side: str) -> None:
    path = project.reports / "models" / "cnn4" / file
    content = path.read_bytes()
    path.write_bytes(b"{" + content[:100])
    if side == "base":
        project.commit()
        path.write_bytes(content)
    outcome = gate()
    assert outcome.status == 2
    assert f"cnn4/{file} ({side}" in outcome.err
    assert outcome.err.count("\n") == 1


def test_the_default_base_is_where_the_branch_left_main(project: Project, gate: Gate) -> None:
    start = project.git("rev-parse", "HEAD").strip()
    project.git("checkout", "--quiet", "-b", "work")
    shutil.rmtree(project.reports / "models" / "compact_residual")
    project.finish()
    project.commit()
    outcome = gate(base=None)
    assert outcome.verdict["base"] == start
    assert "compact_residual" in outcome.messages("removed")


def test_without_a_main_branch_it_is_said_what_was_judged(project: Project, gate: Gate) -> None:
    assert "WARNING: HEAD is in main: ONLY WHAT IS NOT COMMITTED WAS JUDGED" in gate(base=None).out
    project.git("branch", "--move", "other")
    outcome = gate(base=None)
    assert outcome.status == 0
    assert "WARNING: there is no branch main: ONLY WHAT IS NOT COMMITTED WAS JUDGED" in outcome.out
    assert "ONLY WHAT" not in gate().out


def test_a_shallow_clone_has_no_default_base(project: Project, gate: Gate, tmp_path: Path) -> None:
    project.write("README.md", "more\n")
    project.commit()
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", project.root.as_uri(), str(tmp_path / "shallow")], check=True
    )
    outcome = gate(base=None, root=tmp_path / "shallow")
    assert outcome.status == 2
    assert "git fetch --unshallow" in outcome.err
    assert "git fetch --unshallow" in outcome.markdown


def test_a_defect_of_the_base_does_not_make_a_model_new(project: Project, gate: Gate) -> None:
    file = project.reports / "models" / "cnn4" / "predictions.parquet"
    content, table = file.read_bytes(), project.table("cnn4")
    pd.concat([table, table.tail(3)]).to_parquet(file, index=False)
    project.lock()
    project.commit()
    file.write_bytes(content)
    project.lock()
    outcome = gate()
    assert outcome.status == 2
    assert "3 sample id(s) occur more than once" in outcome.err
    assert "choose another base" in outcome.err


def test_the_best_is_compared_whatever_the_leaderboard_of_the_base_says(project: Project, gate: Gate) -> None:
    file = project.reports / "leaderboard.csv"
    table, content = pd.read_csv(file), file.read_bytes()
    table.assign(model=["gone", *table["model"][1:]]).to_csv(file, index=False)
    project.commit()
    file.write_bytes(content)
    project.train("cnn4", answers(project.labels, SKILLS["cnn4"] - 0.3, seed=5))
    project.finish()
    outcome = gate()
    assert (
        "begins with gone, which is not the best on val: the best model is held against cnn4" in outcome.out
    )
    assert outcome.verdict["boards"][0]["best"]["base_model"] == "cnn4"


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("dvc.lock", "stages:\n", "dvc.lock is not of the form that DVC reads (stages:"),
        ("dvc.lock", "[]\n", "dvc.lock is not of the form that DVC reads (the file:"),
        ("dvc.lock", "a: [\n", "dvc.lock is not valid YAML"),
        ("dvc.lock", "stages: {all: {outs: [{md5: a}]}}\n", "(stages.all.outs.0.path: Field required)"),
        ("dvc.yaml", "stages:\n", "dvc.yaml is not of the form that DVC reads"),
        ("reports/sample/quick/leaderboard.csv", "rank,model\n1,cnn4\n", "no column val_macro_f1"),
        ("reports/sample/quick/leaderboard.csv", "", "leaderboard.csv (work tree) cannot be read"),
    ],
)
def test_a_file_of_another_form_is_one_line(
    project: Project, gate: Gate, path: str, content: str, said: str
) -> None:
    project.write(path, content)
    outcome = gate()
    assert outcome.status == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert said in outcome.markdown


def test_text_for_a_probability_is_one_line(project: Project, gate: Gate) -> None:
    table = project.table("cnn4").assign(p_fear="much")
    table.to_parquet(project.reports / "models" / "cnn4" / "predictions.parquet", index=False)
    outcome = gate()
    assert outcome.status == 2
    assert "probabilities that are no numbers" in outcome.err


def test_params_of_the_base_are_called_so(project: Project, gate: Gate) -> None:
    content = (project.root / "params.yaml").read_text(encoding="utf-8")
    project.write("params.yaml", "gate: [")
    project.commit()
    project.write("params.yaml", content)
    outcome = gate()
    assert outcome.status == 2
    assert "params.yaml (base " in outcome.err


def test_limits_of_the_base_that_are_no_numbers_count_as_loosened(project: Project, gate: Gate) -> None:
    project.limits({"max_drop.accuracy": "1 %", "allow_removed": "cnn4"})
    project.commit()
    project.limits({})
    outcome = gate()
    assert outcome.status == 0, outcome.out
    assert "loosens its own limits: gate.max_drop.accuracy: 1 % → 0.01" in outcome.out


def test_what_is_not_checked_is_said(project: Project, gate: Gate) -> None:
    shutil.copytree(project.reports, project.root / "reports" / "other" / "full")
    project.limits({"floors": {"sampel/quick": {"accuracy": 0.5}}})
    outcome = gate()
    assert "note: other/full: dvc.lock is of other results" in outcome.out
    assert "note: sample/quick: dvc.lock" not in outcome.out
    assert "WARNING: gate.floors names sampel/quick, of which there are no results" in outcome.out


def test_a_project_in_a_folder_of_a_repository(project: Project, gate: Gate) -> None:
    inner = project.root / "inner"
    inner.mkdir()
    for name in ("src", "reports", "params.yaml", "dvc.lock", "dvc.yaml"):
        shutil.move(project.root / name, inner / name)
    project.commit()
    assert gate(root=inner).out.splitlines()[-1].strip() == "sample/quick: 3 unchanged"
    shutil.rmtree(inner / "reports" / "sample" / "quick" / "models" / "cnn4")
    assert "cnn4" in gate(root=inner).messages("removed")


def test_the_gate_needs_no_heavy_library() -> None:
    heavy = "{'tensorflow', 'keras', 'mlflow', 'dvc', 'scipy', 'matplotlib', 'great_expectations'}"
    code = f"import sys, ferflow.gate.__main__; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
