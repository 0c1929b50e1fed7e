from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ferflow import choose
from ferflow.errors import FerflowError
from ferflow.params import load_params

PARAMS = (Path(__file__).parent.parent / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS, encoding="utf-8")
    (tmp_path / "faces.zip").write_bytes(b"faces")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    """Choose a data set; return the content of params.yaml, which must be valid."""
    monkeypatch.setattr("sys.argv", ["choose", *arguments])
    choose.main()
    load_params()
    return YAML(typ="safe", pure=True).load(Path("params.yaml").read_text(encoding="utf-8"))


@pytest.mark.usefixtures("project")
def test_a_new_data_set_is_added_pinned_and_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = run(
        monkeypatch,
        *("mine", "--source", "faces.zip", "--layout", "{format: table, drop: [contempt]}"),
        *("--licence", "CC BY 4.0"),
    )
    sha256 = hashlib.sha256(b"faces").hexdigest()
    assert content["dataset"] == "mine"
    assert content["budget"] == "quick"
    assert content["datasets"]["mine"] == {
        "source": "faces.zip",
        "sha256": sha256,
        "licence": "CC BY 4.0",
        "layout": {"format": "table", "drop": ["contempt"]},
        "registered_model": "ferflow-mine",
    }
    assert capsys.readouterr().out == f"mine: faces.zip, sha256 {sha256}\n"


def test_nothing_else_in_the_file_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "mine", "--source", "faces.zip")
    before = PARAMS.replace("\ndataset: sample\n", "\ndataset: mine\n").splitlines()
    after = (project / "params.yaml").read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(after) if "Added by" in line)
    added = after[start : start + 7]
    assert after[:start] + after[start + 7 :] == before
    assert added[1:3] == ["  mine:", "    source: faces.zip"]
    assert added[5] == "    layout: {format: auto}"


def test_choosing_again_pins_what_is_there_now(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "mine", "--source", "faces.zip", "--layout", "{drop: [contempt]}")
    (project / "faces.zip").write_bytes(b"more faces")
    content = run(monkeypatch, "mine", "--budget", "full")
    entry = content["datasets"]["mine"]
    assert entry["sha256"] == hashlib.sha256(b"more faces").hexdigest()
    assert entry["layout"] == {"drop": ["contempt"]}
    assert content["budget"] == "full"


@pytest.mark.usefixtures("project")
def test_a_word_alone_is_the_layouts_format(monkeypatch: pytest.MonkeyPatch) -> None:
    content = run(monkeypatch, "mine", "--source", "faces.zip", "--layout", "table")
    assert content["datasets"]["mine"]["layout"] == {"format": "table"}


def test_the_budget_stays_where_none_is_given(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "params.yaml").write_text(PARAMS.replace("\nbudget: quick\n", "\nbudget: full\n"))
    assert run(monkeypatch, "mine", "--source", "faces.zip")["budget"] == "full"


@pytest.mark.usefixtures("project")
def test_a_given_checksum_wins_over_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    content = run(monkeypatch, "mine", "--source", "faces.zip", "--sha256", "a" * 64)
    assert content["datasets"]["mine"]["sha256"] == "a" * 64


def test_a_file_address_is_a_local_source(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = run(monkeypatch, "mine", "--source", f"file://{project / 'faces.zip'}")
    assert content["datasets"]["mine"]["sha256"] == hashlib.sha256(b"faces").hexdigest()


@pytest.mark.usefixtures("project")
def test_an_addresss_checksum_is_kept_until_the_address_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = ("mine", "--source", "https://faces.example/1.zip")
    assert run(monkeypatch, *first)["datasets"]["mine"]["sha256"] is None
    run(monkeypatch, *first, "--sha256", "a" * 64)
    assert run(monkeypatch, *first)["datasets"]["mine"]["sha256"] == "a" * 64
    other = run(monkeypatch, "mine", "--source", "https://faces.example/2.zip")
    assert other["datasets"]["mine"]["sha256"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine"], "the data set 'mine' is new: say where it is"),
        (["../mine", "--source", "faces.zip"], r"'\.\./mine' cannot name a data set"),
        (["mine", "--source", "nowhere.zip"], "nowhere.zip does not exist"),
        (["mine", "--source", "faces.zip", "--layout", "{format: tabel}"], "layout.format: .*tabel"),
        (["mine", "--source", "faces.zip", "--layout", "{format"], "is not valid YAML"),
        (["mine", "--source", "."], r"\. contains data/mine/raw, where it is to be copied"),
        (["mine", "--source", "https://me:pw@h/a.zip?token=x"], r"^https://h/a.zip\?token=\*\*\*: "),
        (["mine", "--source", "faces.zip", "--sha256", "12"], "sha256"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    with pytest.raises(FerflowError, match=message) as raised:
        run(monkeypatch, *arguments)
    assert "\n" not in str(raised.value)
    assert (project / "params.yaml").read_text(encoding="utf-8") == PARAMS
