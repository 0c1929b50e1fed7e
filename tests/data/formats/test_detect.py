from __future__ import annotations

import os
from pathlib import Path

import pytest

from ferflow.data.formats.detect import LAYOUTS, find_reader
from ferflow.errors import FerflowError
from ferflow.params import LayoutParams

from .building import PICTURE, with_files

CLASS_FOLDERS = {"train/happy/1.png": PICTURE, "readme.txt": b"", "notes.csv": b"a,b\n1,2\n"}
FER2013_FOLDERS = {"train/happy/Training_1.jpg": PICTURE, ".DS_Store": b""}
TABLE = {"labels.csv": "path,label\nfaces/1.png,joy\n", "faces/1.png": PICTURE}
FER2013_CSV = {"fer2013/fer2013.csv": "emotion,pixels,Usage\n0,1,Training\n", "fer2013/README": b""}
EXPW = {"label/label.lst": "a.jpg 0 1 2 3 4 5 6\n", "image/origin/a.jpg": PICTURE}


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (CLASS_FOLDERS, "class_folders"),
        (FER2013_FOLDERS, "fer2013_folders"),
        (TABLE, "table"),
        (FER2013_CSV, "fer2013_csv"),
        (EXPW, "expw"),
        # The more particular layout is meant where several fit.
        (CLASS_FOLDERS | FER2013_CSV, "fer2013_csv"),
        (CLASS_FOLDERS | TABLE, "table"),
        (FER2013_FOLDERS | {"predictions.csv": "path,label\nelsewhere.png,joy\n"}, "fer2013_folders"),
        (TABLE | FER2013_CSV, "fer2013_csv"),
        (EXPW | {"sorted/happy/1.png": PICTURE} | TABLE, "expw"),
        # Leftovers of a system are no data set.
        (
            CLASS_FOLDERS
            | {"__MACOSX/label.lst": b"", "__MACOSX/fer2013.csv": FER2013_CSV["fer2013/fer2013.csv"]},
            "class_folders",
        ),
    ],
)
def test_a_layout_is_found_by_itself(tmp_path: Path, files: dict[str, bytes | str], name: str) -> None:
    raw = with_files(tmp_path, files)
    found, reader = find_reader(raw, LayoutParams())
    assert found == name
    assert reader.__name__ == f"ferflow.data.formats.{name}"  # type: ignore[attr-defined]
    assert list(reader.read(raw, LayoutParams()))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_named_layout_is_taken_whatever_the_folder_looks_like(tmp_path: Path, name: str) -> None:
    found, reader = find_reader(tmp_path / "missing", LayoutParams.model_validate({"format": name}))
    assert found == name
    with pytest.raises(FerflowError, match="missing is missing: run `dvc repro`"):
        list(reader.read(tmp_path / "missing", LayoutParams()))


@pytest.mark.parametrize("name", LAYOUTS)
def test_recognising_never_raises(tmp_path: Path, name: str) -> None:
    _, reader = find_reader(tmp_path, LayoutParams.model_validate({"format": name}))
    assert reader.recognises(tmp_path / "missing", LayoutParams()) is False
    assert reader.recognises(tmp_path, LayoutParams()) is False
    raw = with_files(
        tmp_path,
        {
            "a.csv": b"\0\xff",
            "b.csv.gz": b"\x1f\x8b",
            "c.tsv": b"",
            os.fsdecode(b"\xff.csv"): b'"',
            "d.csv/e": b"",
        },
    )
    (raw / "f.csv").symlink_to(raw / "nowhere")
    assert reader.recognises(raw, LayoutParams()) is False


def test_folders_in_the_data_set_s_own_words_are_recognised(tmp_path: Path) -> None:
    raw = with_files(tmp_path, {"felicidad/1.png": PICTURE, "ira/2.png": PICTURE})
    with pytest.raises(FerflowError, match="none of the layouts"):
        find_reader(raw, LayoutParams())
    assert find_reader(raw, LayoutParams(aliases={"felicidad": "happy"}))[0] == "class_folders"


def test_what_fits_no_layout_is_an_error_that_says_what_there_is(tmp_path: Path) -> None:
    raw = with_files(tmp_path, {f"bored/{index}.png": PICTURE for index in range(9)} | {".DS_Store": b""})
    with pytest.raises(FerflowError) as error:
        find_reader(raw, LayoutParams())
    message = str(error.value)
    assert "found: 'bored/0.png', 'bored/1.png', 'bored/2.png', 'bored/3.png', 'bored/4.png', …)" in message
    assert all(layout in message for layout in LAYOUTS)
    assert "layout.format" in message
    assert "layout.aliases" in message
    assert "\n" not in message


@pytest.mark.parametrize("files", [{}, {".DS_Store": b""}])
def test_an_empty_folder_is_an_error(tmp_path: Path, files: dict[str, bytes]) -> None:
    with pytest.raises(FerflowError, match=r"none of the layouts .* \(found: nothing\)"):
        find_reader(with_files(tmp_path, files), LayoutParams())


@pytest.mark.parametrize(
    ("names", "other"),
    [
        (["happy/1.png", "sad/2.png", "train/fear/3.png"], "class_folders"),
        (["happy/Training_1.png", "sad/PublicTest_2.png", "fear/3.png"], "fer2013_folders"),
    ],
)
def test_a_table_beside_more_images_in_folders_of_emotions_is_refused(
    tmp_path: Path, names: list[str], other: str
) -> None:
    table = f"path,label\n{names[0]},joy\n{names[0]},joy\nfaces/1.png,sad\nmissing.png,sad\n"
    raw = with_files(tmp_path, dict.fromkeys([*names, "faces/1.png"], PICTURE) | {"labels.csv": table})
    with pytest.raises(FerflowError) as error:
        find_reader(raw, LayoutParams())
    message = str(error.value)
    assert "labels.csv names 2 images, but 3 lie in folders of emotions" in message
    assert f"(layout.format: table, or layout.format: {other})" in message
    assert "\n" not in message
    for name in ("table", other):
        assert find_reader(raw, LayoutParams.model_validate({"format": name}))[0] == name


@pytest.mark.parametrize(
    "others", [{"sad/notes.txt": b"text"}, {"sad/._1.png": PICTURE}, {".cache/sad/1.png": PICTURE}]
)
def test_only_images_in_folders_of_emotions_stand_against_a_table(
    tmp_path: Path, others: dict[str, bytes]
) -> None:
    raw = with_files(tmp_path, {"happy/1.png": PICTURE, "labels.csv": "path,label\nhappy/1.png,joy\n"})
    with_files(raw, others)
    assert find_reader(raw, LayoutParams())[0] == "table"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "labels.csv",
            "path,label\nfaces/1.png,joy\n",
            r"lists images \(e\.g\. 'faces/1\.png'\).*as `source`",
        ),
        ("labels.csv", "path,label\n", "labels.csv has no rows below its header"),
        ("labels.csv", "path,label", "labels.csv has no rows below its header"),
        ("fer2013.csv", "emotion,pixels,Usage\n", "fer2013.csv has no rows below its header"),
        ("fer2013.csv", "emotion,pixels,Usage", "fer2013.csv has no rows below its header"),
        ("fer2013.csv", "", "fer2013.csv has no rows, it is empty"),
        ("fer2013.csv", "\n \n", "fer2013.csv has no rows, it is empty"),
        ("fer2013.csv.gz", b"\x1f\x8b\x08\x00", "fer2013.csv.gz cannot be read"),
        ("other.csv", "a,b\n1,2\n", r"none of the layouts .* \(found: 'README', 'other\.csv'\)"),
        ("labels.csv", "path,label\n,joy\n", r"none of the layouts .* \(found: 'README', 'labels\.csv'\)"),
    ],
)
def test_a_table_alone_that_is_no_data_set_is_an_error_that_says_why(
    tmp_path: Path, name: str, content: bytes | str, message: str
) -> None:
    raw = with_files(tmp_path, {name: content, "README": b"read me"})
    with pytest.raises(FerflowError, match=message):
        list(find_reader(raw, LayoutParams())[1].read(raw, LayoutParams()))


def test_a_table_without_rows_does_not_hide_what_the_images_need(tmp_path: Path) -> None:
    raw = with_files(tmp_path, {"felicidad/1.png": PICTURE, "notes.csv": b"", "x.csv": "path,label\n"})
    with pytest.raises(FerflowError, match=r"none of the layouts .*layout\.aliases"):
        find_reader(raw, LayoutParams())


def test_every_layout_that_params_name_is_asked() -> None:
    formats = LayoutParams.model_fields["format"].annotation.__args__  # type: ignore[union-attr]
    assert set(formats) == {"auto", *LAYOUTS}
