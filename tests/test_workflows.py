"""The workflows say nothing that the Makefile does not, and give nobody more rights than needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
WORKFLOWS = {file.stem: YAML(typ="safe").load(file.read_text(encoding="utf-8")) for file in FILES}
JOBS = {f"{name}/{job}": content for name, flow in WORKFLOWS.items() for job, content in flow["jobs"].items()}
#: The one job that may write: it brings the results of the GPU back, and runs none of the code.
WRITES = "gpu/commit"

#: No `$` but for the summary's file: what make is told on its command line it expands.
MAKE = re.compile(r'make [a-z-]+( [A-Z]+=("\$GITHUB_STEP_SUMMARY"|[\w.]+))*')
GIT = re.compile(r"git (apply|config|commit|push) [^;&|`]+")


def _commands(job: dict[str, Any]) -> list[str]:
    return [line.strip() for step in job["steps"] for line in step.get("run", "").splitlines()]


def _triggers(name: str) -> set[str]:
    # YAML 1.1 takes the word `on` for true.
    flow = WORKFLOWS[name]
    return set(flow.get("on", flow.get(True)))


def _ci_run() -> list[str]:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip().startswith("make ")]


@pytest.fixture(scope="module")
def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z0-9-]+):(?!=)", makefile, re.MULTILINE))


@pytest.mark.parametrize("job", JOBS)
def test_every_command_is_a_task_of_the_makefile(job: str, targets: set[str]) -> None:
    for command in _commands(JOBS[job]):
        if command.startswith("make "):
            assert MAKE.fullmatch(command), command
            assert command.split()[1] in targets, command
        else:
            assert command == ".ci/run" or (job == WRITES and GIT.fullmatch(command)), command


def test_ci_runs_tasks_that_exist(targets: set[str]) -> None:
    assert {line.split()[1] for line in _ci_run()} <= targets
    assert "make test" in _ci_run()


@pytest.mark.parametrize("job", JOBS)
def test_nothing_that_others_choose_becomes_part_of_a_command(job: str) -> None:
    assert not any("${{" in command for command in _commands(JOBS[job]))
    # The name of a branch in a fork is the words of whoever made it.
    assert "head_ref" not in str(JOBS[job]).lower()


@pytest.mark.parametrize("job", JOBS)
def test_jobs_end(job: str) -> None:
    assert 0 < JOBS[job]["timeout-minutes"] <= (60 if job.startswith("ci/") else 3 * 24 * 60)


@pytest.mark.parametrize("job", JOBS)
def test_jobs_have_the_least_rights(job: str) -> None:
    rights = JOBS[job].get("permissions", WORKFLOWS[job.split("/")[0]]["permissions"])
    assert rights == {"contents": "write" if job == WRITES else "read"}


@pytest.mark.parametrize("job", JOBS)
def test_only_the_job_that_pushes_keeps_its_token(job: str) -> None:
    checkouts = [step for step in JOBS[job]["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    for step in checkouts:
        assert step.get("with", {}).get("persist-credentials", True) is (job == WRITES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_secrets_and_own_runners_are_out_of_reach_of_pull_requests(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "pull_request_target" not in text
    if "self-hosted" in text or "secrets." in text:
        assert _triggers(file.stem) == {"workflow_dispatch"}


@pytest.mark.parametrize("job", JOBS)
def test_secrets_are_only_variables_of_a_step_that_needs_them(job: str) -> None:
    content = JOBS[job]
    secret = [step for step in content["steps"] if "secrets." in str(step)]
    assert "secrets." not in str({key: value for key, value in content.items() if key != "steps"})
    for step in secret:
        assert job != WRITES
        assert "secrets." not in str({key: value for key, value in step.items() if key != "env"})
        for name, value in step["env"].items():
            assert "secrets." not in value or value == f"${{{{ secrets.{name} }}}}"


@pytest.mark.parametrize("job", JOBS)
def test_actions_are_pinned(job: str) -> None:
    for step in JOBS[job]["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+|[\w/.-]+@[0-9a-f]{40}", step["uses"]), step["uses"]


def test_the_gate_knows_the_base_and_says_what_changed_if_it_fails_too() -> None:
    checkout, _, gate, changes = JOBS["ci/gate"]["steps"]
    assert checkout["with"]["fetch-depth"] == 0
    assert JOBS["ci/gate"]["env"] == {"BASE": "origin/${{ github.base_ref }}"}
    assert gate["run"].startswith("make gate ")
    assert changes["run"].startswith("make changes ")
    assert "!cancelled()" in changes["if"]


def test_results_are_made_from_scratch_before_they_are_compared() -> None:
    assert [command.split()[1] for command in _commands(JOBS["ci/pipeline"])] == [
        "scratch",
        "repro",
        "reproduced",
    ]


def test_results_are_kept_before_a_store_is_asked() -> None:
    steps = [step.get("uses", step.get("run", "")) for step in JOBS["gpu/train"]["steps"]]
    upload = next(place for place, step in enumerate(steps) if step.startswith("actions/upload-artifact"))
    assert steps.index("make results PATCH=results.patch") < upload < steps.index("make push")


@pytest.mark.parametrize("target", ["gate", "changes", "reproduced"])
def test_make_takes_no_part_of_a_base_for_a_command(target: str, tmp_path: Path) -> None:
    name = f"$(shell touch {tmp_path}/made)`touch {tmp_path}/made`"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    override = re.search(rf"^{target}: override export BASE := .*$", makefile, re.MULTILINE)
    assert override
    (tmp_path / "Makefile").write_text(f'{override[0]}\n{target}:\n\t@printf %s "$$BASE"\n')
    for given in ([f"BASE={name}"], []):
        result = subprocess.run(
            ["make", "--no-print-directory", target, *given],
            cwd=tmp_path,
            env=os.environ | {"BASE": name},
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout == name
    assert not (tmp_path / "made").exists()


def test_results_become_a_patch_and_nothing_of_the_user_is_staged_or_lost(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    def results() -> None:
        subprocess.run(["make", "results"], cwd=tmp_path, capture_output=True, check=True)

    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".gitignore").write_text("results.patch\n")
    (tmp_path / "reports").mkdir()
    for name in ("params.yaml", "dvc.lock", "reports/old", "other"):
        (tmp_path / name).write_text("before\n")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "before")
    results()
    assert not (tmp_path / "results.patch").exists()

    for name in ("dvc.lock", "reports/new", "other"):
        (tmp_path / name).write_text("after\n")
    (tmp_path / "reports/old").unlink()
    git("add", "other")
    status = git("status", "--porcelain")
    results()
    assert git("status", "--porcelain") == status
    assert git("apply", "--numstat", "results.patch").split()[2::3] == [
        "dvc.lock",
        "reports/new",
        "reports/old",
    ]


def test_one_run_at_a_time_has_the_gpu_and_none_is_cut_off() -> None:
    assert WORKFLOWS["gpu"]["concurrency"] == {"group": "gpu", "cancel-in-progress": False}
