from __future__ import annotations

import os
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
    assert found_images(["photos"]) == [
        f"photos/{name}"
        for name in ("[x].png", "a.jpg", "b.png", "broken.jpg", "deep/er/c.webp", "no_suffix")
    ]


@pytest.mark.usefixtures("folder")
def test_each_image_comes_once_in_the_order_of_the_names() -> None:
    assert found_images(["photos/b.png", "photos/*.jpg", "photos/b.png"]) == [
        "photos/b.png", "photos/a.jpg", "photos/broken.jpg",
    ]  # fmt: skip


@pytest.mark.usefixtures("folder")
def test_two_stars_go_to_any_depth() -> None:
    assert "photos/deep/er/c.webp" in found_images(["photos/**/*.webp"])


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_called_like_a_pattern_is_that_file() -> None:
    assert found_images(["photos/[x].png"]) == ["photos/[x].png"]


@pytest.mark.usefixtures("folder")
def test_a_file_is_taken_as_it_is_named() -> None:
    assert found_images(["photos/notes.txt", "photos/.hidden.png"]) == [
        "photos/notes.txt", "photos/.hidden.png",
    ]  # fmt: skip


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "problem"),
    [("photos/x.png", "photos/x.png is missing"), ("photos/*.tiff", r"nothing matches photos/\*.tiff")],
)
def test_a_name_that_leads_to_nothing_is_told(name: str, problem: str) -> None:
    with pytest.raises(FerflowError, match=problem):
        found_images(["photos/b.png", name])


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(FerflowError, match="has no image in it"):
        found_images([os.fspath(tmp_path)])
