from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from ferflow.errors import FerflowError
from ferflow.serving import faces
from ferflow.serving.answers import Box
from ferflow.serving.faces import DetectedFace, FaceDetector, Found, distinct, square

from .photographs import ASTRONAUT_FACE, astronaut, group, head, without_faces


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


def overlap(box: Box, edges: tuple[float, float, float, float]) -> float:
    """Return intersection over union."""
    width = min(box.right, edges[2]) - max(box.left, edges[0])
    height = min(box.bottom, edges[3]) - max(box.top, edges[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (box.width * box.height + (edges[2] - edges[0]) * (edges[3] - edges[1]) - shared)


@pytest.mark.parametrize("side", [128, 512, 2048])
def test_a_face_is_found_once_in_the_pictures_own_pixels(detector: FaceDetector, side: int) -> None:
    (face,) = detector.detect(astronaut(side))

    assert face.confidence > 0.99
    assert face.box.width == face.box.height
    left, top, right, bottom = (edge * side / 512 for edge in ASTRONAUT_FACE)
    assert overlap(face.box, (left, top, right, bottom)) > 0.75


def test_gray_and_dark_photographs_have_faces_too(detector: FaceDetector) -> None:
    gray = astronaut().convert("L").convert("RGB")
    dark = astronaut().point(lambda level: level * 0.3)

    for picture in (gray, dark):
        (face,) = detector.detect(picture)
        assert overlap(face.box, ASTRONAUT_FACE) > 0.8


def test_several_faces_come_largest_first(detector: FaceDetector) -> None:
    found = detector.detect(group(90, 240, 150))

    assert [round(face.box.left, -2) for face in found] == [200, 500, 100]
    sizes = [face.box.width for face in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] / sizes[2] == pytest.approx(240 / 90, rel=0.2)


def test_a_crowd_is_found_whole(detector: FaceDetector) -> None:
    assert len(detector.detect(group(*[80] * 10, height=400))) == 10


def test_of_too_many_faces_the_largest_are_returned(
    detector: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "_MOST", 2)

    assert [face.box.left > 200 for face in detector.detect(group(90, 240, 150))] == [True, True]


@pytest.mark.parametrize("name", without_faces())
def test_no_face_is_no_guess(detector: FaceDetector, name: str) -> None:
    assert detector.detect(without_faces()[name]) == []


def test_a_face_that_fills_the_picture_is_found(detector: FaceDetector) -> None:
    closeup = astronaut().crop((178, 72, 272, 180)).resize((48, 55))

    (face,) = detector.detect(closeup)

    assert face.box.width == face.box.height >= 40
    assert (face.box.right, face.box.bottom) <= closeup.size


def test_small_faces_are_looked_for_where_there_are_no_larger_ones(detector: FaceDetector) -> None:
    picture = Image.new("RGB", (2048, 2048), (200, 190, 180))
    picture.paste(head(70), (900, 900))

    (small,) = detector.detect(picture)
    assert small.box.width < 2048 / 32

    picture.paste(head(400), (200, 200))
    (large,) = detector.detect(picture)
    assert large.box.width > 2048 / 32


def test_a_face_below_a_sixty_fourth_of_the_picture_is_not_found(detector: FaceDetector) -> None:
    picture = Image.new("RGB", (2048, 2048), (200, 190, 180))
    picture.paste(head(36), (900, 900))

    assert detector.detect(picture) == []


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (4000, 10), (3, 900), (640, 21)])
def test_pictures_too_small_for_a_face_have_none(detector: FaceDetector, size: tuple[int, int]) -> None:
    assert detector.detect(Image.new("RGB", size, (200, 120, 90))) == []


def test_threads_share_a_new_detector_and_get_the_same_answers(detector: FaceDetector) -> None:
    alone = detector.detect(astronaut(256))
    shared = FaceDetector()
    start = threading.Barrier(4)

    def detect(_number: int) -> list[DetectedFace]:
        start.wait(timeout=30)
        return shared.detect(astronaut(256))

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(detect, range(4))) == [alone] * 4


def test_the_square_is_fer_2013s() -> None:
    assert square(Found(40, 30, 120, 130, 1.0), 500, 400) == Box(32, 32, 127, 127)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Found(-20, -10, 60, 90, 1.0), Box(0, 0, 95, 95)),
        (Found(450, 330, 530, 430, 1.0), Box(405, 305, 500, 400)),
        (Found(-100, -50, 600, 850, 1.0), Box(50, 0, 450, 400)),
    ],
    ids=["moved right and down", "moved left and up", "cut to the shorter side"],
)
def test_the_square_lies_in_the_picture(found: Found, expected: Box) -> None:
    assert square(found, 500, 400) == expected


def test_of_overlapping_boxes_the_surest_stays() -> None:
    surest = Found(10, 10, 110, 130, 0.999)
    inside = Found(30, 30, 80, 90, 0.99)
    neighbour = Found(100, 10, 200, 130, 0.98)

    assert distinct([inside, neighbour, surest]) == [surest, neighbour]


def test_another_backend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")

    with pytest.raises(FerflowError, match="needs TensorFlow, but Keras runs on jax: unset KERAS_BACKEND"):
        FaceDetector().detect(astronaut(128))


def test_importing_loads_no_tensorflow() -> None:
    check = "import sys, ferflow.serving.faces as f; f.FaceDetector(); sys.exit('tensorflow' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", check], timeout=60, check=False).returncode == 0
