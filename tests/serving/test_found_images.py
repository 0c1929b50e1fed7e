from __future__ import annotations

import re
from pathlib import Path

import pytest

from ferflow.errors import FerflowError
from ferflow.serving.found_images import found_images

from .pictures import encoded, flat


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images at two depths, and what lies beside images."""
    content = encoded(flat(9))
    for name in ("b.png", "a.jpg", "deep/er/c.webp", "no_suffix", ".hidden.png", "Thumbs.db", "[x].png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    (tmp_path / "photos" / "broken.jpg").write_text("no image either, but called like one")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "photos"


@pytest.mark.usefixtures("folder")
def test_of_a_folder_come_its_images_at_any_depth_and_what_is_called_like_one() -> None:
    assert found_images(["photos"]).paths == [
        f"photos/{name}"
        for name in ("[x].png", "a.jpg", "b.png", "broken.jpg", "deep/er/c.webp", "no_suffix")
    ]


@pytest.mark.usefixtures("folder")
def test_each_image_comes_once_in_the_order_of_the_names() -> None:
    assert found_images(["photos/b.png", "photos/*.jpg", "photos/b.png"]).paths == [
        "photos/b.png", "photos/a.jpg", "photos/broken.jpg",
    ]  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_two_stars_go_to_any_depth() -> None:
    assert found_images(["photos/**/*.webp"]).paths == ["photos/deep/er/c.webp"]


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_called_like_a_pattern_is_that_file() -> None:
    assert found_images(["photos/[x].png"]).paths == ["photos/[x].png"]


@pytest.mark.usefixtures("folder")
def test_a_file_is_taken_as_it_is_named() -> None:
    assert found_images(["photos/notes.txt", "photos/.hidden.png"]).paths == [
        "photos/notes.txt", "photos/.hidden.png",
    ]  # fmt: skip


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "problem"),
    [("photos/x.png", "photos/x.png is missing"), ("photos/*.tiff", r"nothing matches photos/\*.tiff")],
)
def test_a_name_that_leads_to_nothing_is_told_and_stops_nothing(name: str, problem: str) -> None:
    found = found_images([name, "photos/b.png"])
    assert found.paths == ["photos/b.png"]
    [told] = found.problems
    assert re.match(problem, told)
    with pytest.raises(FerflowError, match=problem):
        found_images([name])


def test_a_folder_without_images_is_told_unless_others_have_some(folder: Path) -> None:
    empty = folder / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no image")
    with pytest.raises(FerflowError, match=r"photos/empty: there is no image in it"):
        found_images(["photos/empty"])
    assert "photos/deep/er/c.webp" in found_images(["photos/*"]).paths
    assert found_images(["photos/*"]).problems == []
